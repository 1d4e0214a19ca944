from __future__ import annotations

import pytest

from rcex_ws.cli.doctor_network import skew_of

NOON = 1795780800.0


@pytest.mark.parametrize(
    ("before", "after", "ahead"),
    [
        (0.0, 0.1, 0.0),
        (0.9, 1.4, 0.0),  # the server's time may have been up to a second later
        (-0.5, 0.0, 0.0),
        (31.0, 31.5, 30.0),
        (-31.5, -31.0, -31.0),
        (-100.0, 100.0, 0.0),  # a slow answer proves nothing
    ],
)
def test_the_clock_is_only_blamed_for_what_the_answer_proves(before: float, after: float, ahead: float) -> None:
    assert skew_of(NOON, before=NOON + before, after=NOON + after) == pytest.approx(ahead)
