"""The codec agrees with the library's own parser however the bytes are split, and its work is bounded. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from rcex_ws.websocket import codec as codec_module
from rcex_ws.websocket.codec import MAX_FRAGMENTS, Codec
from rcex_ws.websocket.frames import Binary, Ping, Pong, Text
from rcex_ws.websocket.socket import Ending, Receivers

MAX_SIZE = 300
NORMAL = b"\x88\x02\x03\xe8"


def client(*, deflate: bool = False) -> ClientProtocol:
    """Return the library's client protocol, with the handshake done."""
    extensions = [ClientPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12)]
    protocol = ClientProtocol(parse_uri("ws://example/"), extensions=extensions if deflate else None, max_size=MAX_SIZE)
    server = ServerProtocol(extensions=None)
    protocol.send_request(protocol.connect())
    server.receive_data(b"".join(protocol.data_to_send()))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    response = server.accept(request)
    if deflate:
        response.headers["Sec-WebSocket-Extensions"] = (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        )
    server.send_response(response)
    protocol.receive_data(b"".join(server.data_to_send()))
    protocol.events_received()
    assert protocol.state is State.OPEN
    return protocol


@dataclass
class Heard:
    """Records what receivers get and what is written back."""

    items: list[tuple[str, bytes]] = field(default_factory=list)
    written: list[tuple[Opcode, bytes]] = field(default_factory=list)
    ending: Ending | None = None

    def message(self, data: bytes, binary: bool) -> None:
        assert type(data) is bytes
        self.items.append(("binary" if binary else "text", data))

    def pong(self, data: bytes) -> None:
        self.items.append(("pong", data))


def unmasked(data: bytes) -> list[tuple[Opcode, bytes]]:
    """Decode what a client wrote."""
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(data)
    return [(event.opcode, bytes(event.data)) for event in server.events_received() if isinstance(event, Frame)]


def by_the_library(protocol: ClientProtocol, data: bytes) -> Heard:
    """Parse all data with the library."""
    heard, parts, binary = Heard(), [], False
    protocol.receive_data(data)
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        content = bytes(frame.data)
        if frame.opcode is Opcode.PONG:
            heard.pong(content)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            binary = binary if frame.opcode is Opcode.CONT else frame.opcode is Opcode.BINARY
            parts.append(content)
            if frame.fin:
                heard.message(b"".join(parts), binary)
                parts = []
    heard.written = unmasked(b"".join(protocol.data_to_send()))
    failed = protocol.state is not State.OPEN
    protocol.receive_eof()
    end: ConnectionClosed = protocol.close_exc
    if end.rcvd is not None:
        heard.ending = Ending(end.rcvd.code, end.rcvd.reason, by_peer=True)
    elif failed and end.sent is not None:
        heard.ending = Ending(end.sent.code, end.sent.reason, by_peer=False, unreadable=True)
    else:
        heard.ending = Ending(None, "", by_peer=False)
    return heard


def by_us(codec: Codec, data: bytes, cuts: list[int]) -> Heard:
    """Parse the data with the codec, in parts."""
    heard = Heard()
    receivers = Receivers(heard.message, heard.pong)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    written = b""
    for begin, end in pairwise(edges):
        codec.feed(data[begin:end])
        while codec.process(receivers):
            pass
        written += codec.replies()
        if codec.ending is not None:
            break
    heard.ending = codec.finish()
    heard.written = unmasked(written + codec.replies())
    return heard


def frame(first: int, data: bytes, *, mask: bool = False, wide: int = 0) -> bytes:
    """Encode a frame, valid or not; `wide` is the number of bytes for its length if not the minimum."""
    size = len(data)
    wide = max(wide, 0 if size < 126 else 2 if size < 2**16 else 8)
    bit = 0x80 if mask else 0
    head = bytes((first, bit | {0: size, 2: 126, 8: 127}[wide]))
    return head + (size.to_bytes(wide) if wide else b"") + (b"\0\0\0\0" if mask else b"") + data


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-12)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


payloads = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"x" * 125, b"y" * 126, b"z" * 299, b"w" * 300, b"v" * 301])
)
plain = st.builds(frame, st.sampled_from([0x81, 0x82]), payloads, wide=st.sampled_from([0, 0, 0, 2, 8]))
fragments = st.builds(frame, st.sampled_from([0x01, 0x02, 0x00, 0x00, 0x80]), payloads)
control = st.builds(frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=125))
packed = st.builds(lambda first, data: frame(first, deflated(data)), st.sampled_from([0xC1, 0xC2, 0x41]), payloads)
closes = st.sampled_from([NORMAL, b"\x88\x00", b"\x88\x01x", b"\x88\x04\x0f\xa0\xc3\xbc", b"\x88\x04\x0f\xa0\xff\xff"])
bad = st.one_of(
    st.builds(frame, st.integers(0, 255), payloads, mask=st.booleans(), wide=st.sampled_from([0, 2, 8])),
    st.binary(min_size=1, max_size=12),
    st.just(b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
)
streams = st.lists(st.one_of(plain, plain, plain, fragments, control, packed, closes, bad), max_size=12).map(b"".join)


@given(streams, st.lists(st.integers(0, 2000), max_size=12), st.booleans())
@example(b"\x01\x01a" + NORMAL, [], False)
@example(b"\x82\x7e\x01\x2d", [], False)
@settings(deadline=None, max_examples=1000)
def test_it_says_what_the_library_says_however_the_bytes_come(data, cuts, deflate):
    ours = by_us(Codec(client(deflate=deflate), max_size=MAX_SIZE), data, cuts)
    theirs = by_the_library(client(deflate=deflate), data)
    assert ours.items == theirs.items
    assert ours.ending == theirs.ending
    pings = sum(opcode is Opcode.PONG for opcode, _ in theirs.written)
    assert pings > codec_module._MAX_REPLIES or ours.written == theirs.written


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def codec() -> Codec:
    return Codec(client(), max_size=MAX_SIZE)


def read(codec: Codec, heard: Heard, data: bytes) -> int:
    """Process all data with the codec; return the number of turns."""
    codec.feed(data)
    turns = 1
    while codec.process(Receivers(heard.message, heard.pong)):
        turns += 1
    return turns


@pytest.mark.parametrize(
    "one", [b"\x81\x00", b"\x89\x00", b"\x8a\x00", b"\x81\x01x"], ids=["text", "ping", "pong", "x"]
)
def test_a9_a_flood_of_small_frames_leaves_others_their_turn(codec, heard, monkeypatch, one):
    now = 0.0

    def monotonic() -> float:
        nonlocal now
        now += 0.001  # pretend that this long has passed between two readings of the clock
        return now

    monkeypatch.setattr("rcex_ws.time_slice.monotonic", monotonic)
    turns = read(codec, heard, one * 10_000)
    assert turns > 20
    assert len(heard.items) == (0 if one[0] == 0x89 else 10_000)


def test_a9_fragments_of_one_message_are_bounded(codec, heard):
    read(codec, heard, b"\x01\x00" + b"\x00\x00" * (MAX_FRAGMENTS - 1))
    assert codec.ending is None
    read(codec, heard, b"\x00\x00")
    assert codec.ending == Ending(
        1009, f"a message of more than {MAX_FRAGMENTS} fragments", by_peer=False, unreadable=True
    )
    assert unmasked(codec.replies())[0][0] is Opcode.CLOSE


def test_answers_to_a_flood_of_pings_are_bounded_and_the_newest_is_among_them(codec, heard):
    read(codec, heard, b"".join(frame(0x89, str(number).encode()) for number in range(1000)))
    answers = unmasked(codec.replies())
    assert 0 < len(answers) < 100
    assert answers[-1] == (Opcode.PONG, b"999")


def test_a_message_that_comes_byte_by_byte_is_kept_once(heard):
    codec = Codec(client(), max_size=2**20)
    data = frame(0x82, b"x" * 10_000)
    for position in range(len(data)):
        read(codec, heard, data[position : position + 1])
    assert heard.items == [("binary", b"x" * 10_000)]


def test_nothing_is_handed_over_after_a_close_frame(codec, heard):
    read(codec, heard, frame(0x81, b"a") + NORMAL + frame(0x81, b"b"))
    read(codec, heard, frame(0x81, b"c"))
    assert heard.items == [("text", b"a")]
    assert codec.ending == Ending(1000, "", by_peer=True)
    assert not codec.is_open


def test_what_comes_after_our_close_frame_is_handed_over_until_the_peer_answers(codec, heard):
    assert unmasked(codec.close(1000, "bye")) == [(Opcode.CLOSE, b"\x03\xe8bye")]
    assert codec.close(1000, "bye") == b""
    read(codec, heard, frame(0x81, b"a") + NORMAL)
    assert heard.items == [("text", b"a")]
    assert codec.ending == Ending(1000, "", by_peer=True, answered=True)


def test_each_kind_of_message_goes_out_as_it_is(codec):
    data = codec.encode([b"{}", Text("grüß"), Binary(b"\0"), Ping(b"a"), Pong(b"b")])
    assert unmasked(data) == [
        (Opcode.TEXT, b"{}"),
        (Opcode.TEXT, "grüß".encode()),
        (Opcode.BINARY, b"\0"),
        (Opcode.PING, b"a"),
        (Opcode.PONG, b"b"),
    ]


def test_what_a_receiver_raises_is_not_kept_from_the_caller(codec):
    def fail(*_: Any) -> None:
        raise LookupError("a bug")

    codec.feed(frame(0x81, b"a"))
    with pytest.raises(LookupError, match="a bug"):
        codec.process(Receivers(fail, fail))


def test_a_close_frame_between_fragments_ends_it_as_any_other(codec, heard):
    codec.feed(b"\x01\x01a" + NORMAL + b"\x80\x01b")
    assert not codec.process(Receivers(heard.message, heard.pong))
    assert (heard.items, codec.ending) == ([], Ending(1000, "", by_peer=True))


def test_what_follows_a_frame_that_is_refused_while_closing_is_read_by_the_parser_alone(codec, heard):
    codec.close(1000, "")
    receivers = Receivers(heard.message, heard.pong)
    for data in (frame(0x82, b"x" * (MAX_SIZE + 1))[:20], b"more", b"\x81\x01a"):
        codec.feed(data)
        assert not codec.process(receivers)
        assert codec.ending is None
    assert heard.items == []
    assert not codec.finish().by_peer
