"""Filters, dedupe: the pure parts of the way in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.connection.dedupe import Seen
from rcex_ws.wsg.filters import matches_any, same_filters

A = "/restapi/v1.0/account"


@pytest.mark.parametrize(
    ("event", "filter_", "matches"),
    [
        (f"{A}/1/extension/2/presence", f"{A}/~/extension/~/presence", True),
        (f"{A}/1/extension/2/presence?detailedTelephonyState=true", f"{A}/~/extension/~/presence", True),
        (f"{A}/1/extension/2/presence", f"{A}/~/extension/~/presence?detailedTelephonyState=true", False),
        (f"{A}/1/extension/2/presence?a=1&b=2", f"{A}/~/extension/~/presence?b=2&a=1", True),
        (f"{A}/1/extension/2/presence", f"{A}/~/extension/3/presence", False),
        (f"{A}/1/extension/2/presence/", f"{A}/1/extension/2/presence", True),
        (f"{A}/1/extension/2/message-store", f"{A}/~/extension/~/presence", False),
        (f"{A}/1/presence", f"{A}/~/extension/~/presence", False),
    ],
)
def test_matching(event, filter_, matches):
    assert matches_any(event, [filter_]) is matches


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([f"{A}/~/x", f"{A}/~/y"], [f"{A}/~/y", f"{A}/~/x"], True),
        ([f"{A}/~/extension/~/x"], [f"{A}/1/extension/2/x"], False),
        ([f"{A}/~/x"], [f"{A}/~/x", f"{A}/~/y"], False),
        ([f"{A}/~/x?a=1"], [f"{A}/~/x"], False),
        ([f"{A}/~/x?a=1&b=2"], [f"{A}/~/x?b=2&a=1"], True),
        ([], [f"{A}/~/x"], False),
    ],
)
def test_same_filters(one, other, same):
    assert same_filters(one, other) is same
    assert same_filters(other, one) is same


@pytest.mark.parametrize(
    ("resolved", "same"),
    [
        (f"{A}/1/extension/2/presence", True),
        (f"{A}/1/extension/3/presence", False),
        (f"{A}/1/extension/~/presence", True),
        (f"{A}/1/extension/2/presence/line", False),
    ],
)
def test_the_tilde_stands_for_the_extension_that_is_logged_in_only(resolved, same):
    assert same_filters([f"{A}/~/extension/~/presence"], [resolved], owner_id="2") is same


@given(st.integers(1, 20), st.lists(st.integers(0, 30)))
def test_the_window_knows_the_last_uuids_and_no_more(size, numbers):
    seen, model = Seen(size), []
    for uuid in map(str, numbers):
        assert seen.add(uuid) is (uuid not in model)
        if uuid not in model:
            model = [*model, uuid][-size:]
    assert seen.last(size) == model
