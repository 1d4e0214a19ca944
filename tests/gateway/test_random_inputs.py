"""Random requests and frames to a running gateway; `make check` sends 5,000 of them."""

from __future__ import annotations

import pytest

from tests.gateway.random_inputs import run


@pytest.mark.timeout(120)
def test_g7_random_inputs_are_answered_or_refused() -> None:
    outcomes, _, _ = run(count=400, seed=7)
    kinds = {kind for kind, _ in outcomes}
    assert kinds == {"rest_bytes", "request", "operation", "order", "websocket_bytes", "frame"}
    assert ("request", "200") in outcomes, "nothing has come through to the rules"
    assert ("operation", "200") in outcomes, "nothing has come through to the handlers"
    assert ("frame", "200") in outcomes, "nothing has come through to the rules"
