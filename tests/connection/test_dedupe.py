"""The window in which a second copy is recognised. Pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.connection.dedupe import Seen


@given(st.integers(1, 20), st.lists(st.integers(0, 30)))
def test_the_window_knows_the_last_uuids_and_no_more(size, numbers):
    seen, model = Seen(size), []
    for uuid in map(str, numbers):
        assert seen.add(uuid) is (uuid not in model)
        if uuid not in model:
            model = [*model, uuid][-size:]
    assert seen.last(size) == model


def test_the_keys_of_an_earlier_process_are_known_and_the_oldest_is_forgotten_first() -> None:
    seen = Seen(2, ["a", "b"])
    assert [seen.add(key) for key in ("b", "c", "b", "a")] == [False, True, False, True]
    assert seen.last(5) == ["c", "a"]
