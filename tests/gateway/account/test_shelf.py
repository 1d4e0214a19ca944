"""A shelf drops the oldest by number and by size, never what was just put on it."""

from __future__ import annotations

from dataclasses import dataclass

from rcex_ws.gateway.account.shelf import Shelf


@dataclass
class Thing:
    id: str
    size: int = 1


def ids(shelf: Shelf[Thing]) -> str:
    return "".join(one.id for one in shelf)


def shelf(most: int = 3, most_size: int = 10) -> Shelf[Thing]:
    return Shelf(most, most_size, lambda one: one.size)


def test_the_oldest_is_dropped():
    one = shelf()
    assert [[dropped.id for dropped in one.put(Thing(name))] for name in "abcde"] == [[], [], [], ["a"], ["b"]]
    assert (ids(one), len(one), [thing.id for thing in one.newest_first()]) == ("cde", 3, ["e", "d", "c"])
    assert one.get("a") is None


def test_a_large_one_drops_as_many_as_it_needs_and_stays():
    one = shelf()
    for name in "ab":
        one.put(Thing(name, 4))
    assert [dropped.id for dropped in one.put(Thing("c", 50))] == ["a", "b"]
    assert ids(one) == "c"


def test_a_change_counts_with_its_new_size_and_keeps_its_place():
    one = shelf()
    first, second = Thing("a", 4), Thing("b", 4)
    one.put(first)
    one.put(second)
    first.size = 7
    assert [dropped.id for dropped in one.put(first)] == ["b"]
    one.remove(second)
    one.remove(first)
    one.put(Thing("c", 10))
    assert ids(one) == "c"
