"""What a client may have missed: what is kept, what is proven to have arrived, and what is known to be gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.rtm.server.backlog import Backlog


def filled(count: int, *, max_frames: int = 100, max_bytes: int = 10_000) -> Backlog:
    backlog = Backlog(max_frames, max_bytes)
    for number in range(1, count + 1):
        backlog.put(b"%d" % number)
    return backlog


def after(backlog: Backlog, received: int) -> list[bytes] | None:
    frames = backlog.after(received)
    return None if frames is None else list(frames)


def test_what_a_client_lacks_is_kept() -> None:
    backlog = filled(4)
    assert after(backlog, 2) == [b"3", b"4"]
    assert after(backlog, 2) == [b"3", b"4"]  # it may be lost once more
    assert after(backlog, 4) == []
    assert after(backlog, 4) == []
    assert (backlog.sent, after(Backlog(1, 1), 0)) == (4, [])


def test_no_client_can_have_received_more_than_was_sent() -> None:
    assert after(filled(4), 5) is None


def test_what_the_client_has_said_to_have_is_forgotten() -> None:
    backlog = filled(4)
    after(backlog, 3)
    assert after(backlog, 2) is None


def test_a_pong_proves_what_was_sent_before_its_ping() -> None:
    backlog = filled(2)
    first = backlog.ping()
    backlog.put(b"3")
    backlog.on_pong(first)
    assert after(backlog, 1) is None
    assert after(backlog, 2) == [b"3"]
    backlog.on_pong(first)
    assert after(backlog, 2) == [b"3"]
    backlog.on_pong(backlog.ping())
    assert after(backlog, 2) is None
    assert after(backlog, 3) == []


def test_pongs_of_any_payload_prove_nothing() -> None:
    backlog = filled(2)
    for payload in (b"", b"x", b"-1", b"2", b"3", b"99", b"1" * 100, "²".encode(), b"1.0", b" 1"):
        backlog.on_pong(payload)
    assert after(backlog, 0) == [b"1", b"2"]


def test_what_exceeds_the_bounds_is_dropped_the_oldest_first() -> None:
    backlog = filled(5, max_frames=3)
    assert after(backlog, 1) is None
    assert after(backlog, 2) == [b"3", b"4", b"5"]
    backlog = filled(9, max_bytes=2)
    assert after(backlog, 6) is None
    assert after(backlog, 7) == [b"8", b"9"]
    backlog.put(b"more than two bytes")
    assert after(backlog, 9) is None
    assert after(backlog, 10) == []


def test_nothing_is_kept_without_room_and_no_ping_is_asked_for() -> None:
    for bounds in ((0, 100), (100, 0)):
        backlog = Backlog(*bounds)
        assert not backlog.put(b"1")
        assert after(backlog, 0) is None
        assert after(backlog, 1) == []


def test_a_notice_counts_for_no_event_and_stays_in_its_place() -> None:
    backlog = filled(1)
    backlog.put_notice(b"n")
    backlog.put(b"2")
    assert after(backlog, 1) == [b"n", b"2"]
    assert backlog.sent == 2
    assert after(backlog, 2) == []


def test_a_notice_that_was_dropped_may_be_what_the_client_lacks() -> None:
    backlog = filled(1, max_frames=1)
    backlog.put_notice(b"n")
    assert after(backlog, 1) == [b"n"]
    backlog.put(b"2")
    assert after(backlog, 1) is None  # it has the event before the notice, but maybe not the notice
    assert after(backlog, 2) == []


def test_a_notice_that_has_arrived_is_not_repeated() -> None:
    backlog = filled(1)
    backlog.put_notice(b"n")
    backlog.on_pong(backlog.ping())
    assert after(backlog, 1) == []


def test_what_has_arrived_is_not_missing_even_if_it_was_dropped_before_the_pong() -> None:
    backlog = Backlog(1, 100)
    backlog.put_notice(b"n")
    backlog.put_notice(b"m")
    pinged = backlog.ping()
    assert after(backlog, 0) is None
    backlog.on_pong(pinged)
    assert after(backlog, 0) == []


def test_a_ping_is_due_when_a_fourth_of_the_bounds_is_used() -> None:
    backlog = Backlog(8, 1000)
    assert [backlog.put(b"x") for _ in range(4)] == [False, False, True, True]
    backlog.ping()
    assert not backlog.put(b"x")
    backlog = Backlog(1000, 40)
    assert [backlog.put(b"12345") for _ in range(3)] == [False, False, True]


def test_it_knows_the_newest_event_that_stands_in_no_log() -> None:
    backlog = filled(2)
    assert backlog.unpublished == 2
    backlog.put(b"3", published=True)
    assert (backlog.unpublished, backlog.sent) == (2, 3)


STEPS = st.lists(st.tuples(st.sampled_from("enpar"), st.integers(0, 12)), max_size=60)


@given(STEPS, st.integers(0, 6), st.integers(0, 12))
def test_whatever_happens_a_client_gets_all_that_it_lacks_or_is_told(
    steps: list[tuple[str, int]], max_frames: int, max_bytes: int
) -> None:
    """A client that has everything up to some frame; the network may lose the rest at any time."""
    backlog = Backlog(max_frames, max_bytes)
    sent: list[bytes] = []  # events and notices, in order
    has, proven = 0, 0  # how many of them the client has, and has proven to have
    pings = list[tuple[int, bytes]]()  # those that it may answer
    dropped = False  # whether there ever was more without proof than is kept
    for kind, number in steps:
        if kind == "e":
            sent.append(b"e" + b"x" * (number % 3))
            backlog.put(sent[-1])
        elif kind == "n":
            sent.append(b"n")
            backlog.put_notice(sent[-1])
        elif kind == "p":
            pings.append((len(sent), backlog.ping()))
        elif kind == "a":
            for before, payload in pings[: number % 3]:
                has, proven = max(has, before), max(proven, before)
                backlog.on_pong(payload)
        else:
            has = max(has, min(len(sent), number))
            received = sum(frame.startswith(b"e") for frame in sent[:has])
            frames = after(backlog, received)
            lacking = sent[has:]
            if frames is None:
                assert dropped
                return
            pings.clear()
            assert frames[len(frames) - len(lacking) :] == lacking
            assert all(frame == b"n" for frame in frames[: len(frames) - len(lacking)])  # told once more
            proven, has = has - len(frames) + len(lacking), len(sent)
        unproven = sent[proven:]
        dropped |= len(unproven) > max_frames or len(b"".join(unproven)) > max_bytes
