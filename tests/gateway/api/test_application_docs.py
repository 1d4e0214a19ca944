"""The tables of docs/gateway.md, path by path, and what the gateway serves: neither has what the other has not."""

from __future__ import annotations

from rcex_ws.gateway.api.application import AREAS
from tests.gateway.api import documented

SERVED = {(operation.method, documented.plain(operation.path)) for area in AREAS for operation in area}


def test_each_path_is_in_a_table_and_nothing_else() -> None:
    told, _ = documented.operations()
    assert sorted(SERVED - told) == []
    assert sorted(told - SERVED) == []


def test_what_is_said_to_be_left_out_is_not_there() -> None:
    _, left_out = documented.operations()
    assert left_out
    assert left_out & SERVED == set()


def test_nothing_is_there_of_what_is_said_not_to_be_there_at_all() -> None:
    begun = documented.beginnings()
    assert begun
    assert [path for _, path in SERVED if any(f"{path}/".startswith(f"{one}/") for one in begun)] == []
