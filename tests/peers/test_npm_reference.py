"""Operations of the gateway need the permissions, and are in the rate groups, that `@rc-ex/core` names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from rcex_ws.gateway.api.application import AREAS
from rcex_ws.gateway.limits import group_of
from tests.peers.definitions import Definitions

PACKAGE = Path(__file__).parent / "node/node_modules/@rc-ex/core"

#: What differs, each with the reason.
OTHERWISE = {
    ("POST", "/restapi/oauth/wstoken"): "RingCentral's guide and its description name the permission differently",
    ("GET", "/restapi"): "unlimited there; here each answer has the headers of a limit",
    ("GET", "/restapi/v1.0"): "unlimited there; here each answer has the headers of a limit",
}


def test_permissions_and_rate_groups(need: Callable[[bool, str], None]) -> None:
    need(PACKAGE.is_dir(), "the npm package @rc-ex/core is not installed (tests/peers/setup.sh)")
    rules = Definitions(PACKAGE).rules
    compared, different = 0, []
    for one in (one for area in AREAS for one in area if (one.method, one.path) not in OTHERWISE):
        wanted = rules.get((one.method, re.sub(r"\{\w+\}", "*", one.path)))
        if wanted is not None:
            compared += 1
            ours = (one.permission, group_of(one.method, one.path))
            different += [(one.method, one.path, ours, wanted)] if ours != wanted else []
    assert different == []
    assert compared > 130
