"""The outbound buffer: nothing is lost, duplicated or reordered, however it is drained."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.websocket.outgoing import Outgoing

frames = st.lists(st.binary(max_size=20))


@given(frames, st.booleans(), st.integers(0, 5))
def test_all_comes_out_in_order(frames: list[bytes], apart: bool, piece: int) -> None:
    outgoing = Outgoing()
    outgoing.apart, outgoing.piece = apart, piece
    for frame in frames:
        outgoing.put(frame)
    taken: list[bytes] = []
    while outgoing.size:
        taken.append(outgoing.take())
    assert b"".join(taken) == b"".join(frames)
    assert outgoing.take() == b""
    if piece:
        assert all(0 < len(one) <= piece for one in taken)
    elif apart:
        assert taken == [frame for frame in frames if frame]
    else:
        assert len(taken) <= 1


def test_a_write_is_not_much_larger_than_what_the_network_takes() -> None:
    outgoing = Outgoing()
    for _ in range(1000):
        outgoing.put(b"x" * 1000)
    assert 2**16 <= len(outgoing.take()) < 2**17


def test_a_frame_that_has_been_begun_is_not_forgotten() -> None:
    outgoing = Outgoing()
    outgoing.piece = 2
    outgoing.put(b"abc")
    outgoing.put(b"def")
    assert outgoing.take() == b"ab"
    outgoing.clear()
    assert (outgoing.size, outgoing.take(), outgoing.take()) == (1, b"c", b"")


def test_nothing_is_no_frame() -> None:
    outgoing = Outgoing()
    outgoing.apart = True
    outgoing.put(b"")
    outgoing.put(b"a")
    assert (outgoing.size, outgoing.take(), outgoing.take()) == (1, b"a", b"")
