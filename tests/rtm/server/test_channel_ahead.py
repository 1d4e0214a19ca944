"""A client may come from a server that was faster: it gets no event of its user a second time."""

from __future__ import annotations

from typing import Any, cast

import pytest

from rcex_ws.broker import Entry, Hole, MemoryBroker, MemoryHub, Stretch
from rcex_ws.rtm.resumption import GapNotice
from rcex_ws.rtm.server.channel import UserChannel
from rcex_ws.rtm.server.publication import encode_publication
from rcex_ws.rtm.server.session import ClientSession, Outbound

HUB = MemoryHub(clock=lambda: 0.0, name="hub")
NAME = "hub.1"


def position(number: int) -> str:
    return f"{NAME}-{number}"


def entry(number: int) -> Entry:
    return Entry(position(number), encode_publication("n", (number,)))


class Told:
    """Stands for a session."""

    peer = object()
    connected = True

    def __init__(self) -> None:
        self.told: list[Any] = []

    def send(self, event: Outbound) -> bool:
        self.told.append(event.frame)
        return True

    def tell_gap(self, notice: GapNotice) -> None:
        self.told.append(notice)


def channel_at(number: int) -> UserChannel:
    channel = UserChannel("ann", MemoryBroker(HUB), lambda *_: None, 1 << 20)
    channel.position = position(number)
    return channel


def numbers(items: list[Any]) -> list[Any]:
    return [one if isinstance(one, GapNotice) else int(one.position.rpartition("-")[2]) for one in items]


@pytest.mark.parametrize("came", [0, 2, 4, 6])
@pytest.mark.parametrize("read", [0, 2])
def test_a_client_that_is_ahead_gets_nothing_twice(came: int, read: int) -> None:
    """It has all up to 3, `read` more stand in the log, `came` reach the channel, which is at 1, while it is read."""
    channel, told = channel_at(1), Told()
    session = cast("ClientSession", told)
    channel.add(session)
    for number in range(2, 2 + came):
        channel.on_entry(entry(number))
    end = 3 + read
    stretch = Stretch([entry(number) for number in range(4, end + 1)], None, position(end))
    missed = numbers(channel.missed(session, stretch))
    channel.release(session)
    for number in range(2 + came, 12):
        channel.on_entry(entry(number))
    live = [int(frame.partition(b'"data":[')[2].partition(b"]")[0]) for frame in told.told]
    assert missed + live == list(range(4, 12))


@pytest.mark.parametrize("known", [True, False])
def test_a_loss_that_the_client_knows_of_does_not_end_that(known: bool) -> None:
    """Redis has lost its data; the client has read what it got since, and only then the channel comes to that."""
    channel, told = channel_at(1), Told()
    if not known:
        channel.position = ""  # nor could the log be followed before
    session = cast("ClientSession", told)
    channel.add(session)
    since = [Entry(f"hub.2-{number}", encode_publication("n", (number,))) for number in (1, 2, 3)]
    stretch = Stretch(since[:2], Hole(certain=False, reason="lost"), "hub.2-2")
    assert channel.missed(session, stretch) == since[:2]
    channel.release(session)
    channel.on_hole(Hole(certain=False, reason="lost"), "hub.2-0")
    for one in since:
        channel.on_entry(one)
    events = [one for one in told.told if not isinstance(one, GapNotice)]
    assert len(events) == 1
    assert b'"data":[3]' in events[0]


def test_a_hole_ends_that() -> None:
    """The entries that the channel waits for may be lost."""
    channel, told = channel_at(1), Told()
    session = cast("ClientSession", told)
    channel.add(session)
    assert channel.missed(session, Stretch((), None, position(9))) == []
    channel.release(session)
    channel.on_entry(entry(2))
    assert told.told == []
    channel.on_hole(Hole(certain=False, reason="lost"), position(2))
    channel.on_entry(entry(3))
    assert isinstance(told.told[0], GapNotice)
    assert len(told.told) == 2


def test_a_hole_before_what_was_read_is_not_told_and_sets_nobody_back() -> None:
    """What was read shows by itself what this client has missed."""
    channel, told = channel_at(1), Told()
    session = cast("ClientSession", told)
    channel.add(session)
    channel.on_hole(Hole(certain=False, reason="before"), position(3))
    channel.on_entry(entry(4))
    channel.on_entry(entry(5))
    channel.on_hole(Hole(certain=True, reason="after"), position(7))
    read = Stretch([entry(4), entry(5)], None, position(5))
    *entries, notice = channel.missed(session, read)
    assert numbers(entries) == [4, 5]
    assert isinstance(notice, GapNotice)
    assert (notice.reason, notice.position) == ("after", position(7))
