"""The wire that the oracle judges by must itself be right: examples of the RFC, every split, every fault."""

import random
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from oracle.wire import (
    Assembler,
    BadRequest,
    FaultyStream,
    FrameParser,
    HTTPConnection,
    Message,
    Opcode,
    Peer,
    ProtocolViolation,
    accept_key,
    close_frame,
    close_payload,
    fragments,
    frame,
    memory_pair,
    parse_close,
    response,
    text_frame,
)

MASK = b"\x37\xfa\x21\x3d"
UPGRADE = (
    b"GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with trio.fail_after(60):
            await test()

    trio.run(bounded, clock=trio.testing.MockClock(autojump_threshold=0))


def test_the_examples_of_rfc_6455():
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert frame(Opcode.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    assert frame(Opcode.TEXT, b"Hello", mask=MASK) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert list(fragments(Opcode.TEXT, b"Hello", [3])) == [bytes.fromhex("010348656c"), bytes.fromhex("80026c6f")]
    assert frame(Opcode.BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert frame(Opcode.BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")
    assert parse_close(close_payload(1001, "bye")) == (1001, "bye")


def test_every_split_gives_the_same_frames():
    wire = b"".join(
        [
            frame(Opcode.TEXT, b"one", mask=MASK),
            frame(Opcode.TEXT, b"tw", fin=False, mask=MASK),
            frame(Opcode.PING, b"p" * 125, mask=b"\0\0\0\0"),
            frame(Opcode.CONTINUATION, b"o" * 200, mask=MASK),
            frame(Opcode.BINARY, b"", mask=MASK),
            frame(Opcode.CLOSE, close_payload(1000, "x"), mask=MASK),
        ]
    )
    whole = FrameParser().feed(wire)
    assert [one.opcode for one in whole] == [1, 1, 9, 0, 2, 8]
    assert whole[3].payload == b"o" * 200
    for cut in range(len(wire) + 1):
        parser = FrameParser()
        assert parser.feed(wire[:cut]) + parser.feed(wire[cut:]) == whole
        assert parser.pending == 0
    parser = FrameParser()
    assert [one for byte in wire for one in parser.feed(bytes([byte]))] == whole
    rng = random.Random(1)
    for _ in range(50):
        cuts = sorted(rng.sample(range(len(wire)), 20))
        parser, frames = FrameParser(), []
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            frames += parser.feed(wire[start:end])
        assert frames == whole


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(Opcode.TEXT, b"x"), 1002),
        (frame(Opcode.TEXT, b"x", mask=MASK, rsv=4), 1002),
        (frame(3, b"x", mask=MASK), 1002),
        (frame(Opcode.PING, b"x" * 126, mask=MASK), 1002),
        (frame(Opcode.PING, b"x", fin=False, mask=MASK), 1002),
        (b"\x81\xfe\x00\x05" + MASK, 1002),
        (b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" + MASK, 1002),
        (b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1002),
        (b"\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00", 1009),
    ],
)
def test_a_frame_against_the_rules_is_found_after_what_came_before(wire, code):
    parser = FrameParser()
    good = frame(Opcode.TEXT, b"good", mask=MASK)
    assert [one.payload for one in parser.feed(good + wire)] == [b"good"]
    assert parser.violation.code == code
    assert parser.feed(good) == []


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(Opcode.CONTINUATION, b"x", mask=MASK)], 1002),
        ([frame(Opcode.TEXT, b"x", fin=False, mask=MASK), frame(Opcode.TEXT, b"x", mask=MASK)], 1002),
        ([frame(Opcode.TEXT, b"\xff", mask=MASK)], 1007),
        ([frame(Opcode.CLOSE, b"\x03", mask=MASK)], 1002),
        ([frame(Opcode.CLOSE, close_payload(1006), mask=MASK)], 1002),
        ([frame(Opcode.CLOSE, close_payload(2999), mask=MASK)], 1002),
        ([frame(Opcode.CLOSE, b"\x03\xe8\xff", mask=MASK)], 1007),
    ],
)
def test_a_message_against_the_rules_is_found(frames, code):
    parser, assembler = FrameParser(), Assembler()
    *before, last = parser.feed(b"".join(frames))
    for one in before:
        assembler.add(one)
    with pytest.raises(ProtocolViolation) as caught:
        assembler.add(last)
    assert caught.value.code == code


def test_fragments_come_together_around_control_frames_and_across_a_character():
    parser, assembler = FrameParser(masked=False), Assembler()
    first, *rest = fragments(Opcode.TEXT, "grün".encode(), [3, 3])
    messages = [assembler.add(one) for one in parser.feed(first + frame(Opcode.PING, b"?") + b"".join(rest))]
    assert [one for one in messages if one] == [Message(Opcode.PING, b"?"), Message(Opcode.TEXT, "grün".encode())]


def test_requests_one_after_the_other_then_an_upgrade_with_a_frame_in_the_same_segment():
    async def test() -> None:
        client, server = memory_pair()
        post = (
            b"POST /api/a%20b?x=1&y= HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nk=v&l=w"
            b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;ext\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
        )
        wire = post + UPGRADE + frame(Opcode.TEXT, b"early", mask=MASK)
        http = HTTPConnection(server)
        async with trio.open_nursery() as nursery:

            async def byte_by_byte() -> None:
                for byte in wire:
                    await client.send_all(bytes([byte]))

            nursery.start_soon(byte_by_byte)
            first = await http.read_request()
            assert (first.method, first.path, first.query) == ("POST", "/api/a b", {"x": "1", "y": ""})
            assert first.form == {"k": "v", "l": "w"}
            second = await http.read_request()
            assert second.body == b"abcde"
            assert second.keep_alive
            third = await http.read_request()
            assert third.is_upgrade
            peer = await http.upgrade(third, first=text_frame("hello"))
            assert (await peer.receive()).text == "early"
        answer = await client.receive_some()
        assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
        assert answer.endswith(b"\r\n\r\n\x81\x05hello")

    run(test)


@pytest.mark.parametrize(
    "wire",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTT",
    ],
)
def test_a_request_against_the_rules(wire):
    async def test() -> None:
        client, server = memory_pair()
        await client.send_all(wire)
        await client.send_eof()
        with pytest.raises(BadRequest):
            await HTTPConnection(server).read_request()

    run(test)


def test_responses():
    assert response(200, b"ok", [("A", "b")]) == b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok"
    assert response(200, b"abc", chunk=2).endswith(b"chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


def test_a_peer_answers_pings_and_the_close():
    async def test() -> None:
        client, server = memory_pair()
        peer = Peer(server, frame(Opcode.PING, b"a", mask=MASK) + frame(Opcode.TEXT, b"t", mask=MASK))
        await client.send_all(frame(Opcode.CLOSE, close_payload(1001, "bye"), mask=MASK) + b"ignored")
        assert [one.text async for one in peer] == ["t"]
        assert (peer.close_code, peer.close_reason) == (1001, "bye")
        await peer.aclose()
        assert await client.receive_some() == frame(Opcode.PONG, b"a") + close_frame(1001)
        assert await client.receive_some() == b""

    run(test)


async def tcp_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return client, await listener.accept()


async def pair(kind: str) -> tuple[trio.abc.HalfCloseableStream, FaultyStream]:
    client, server = memory_pair() if kind == "memory" else await tcp_pair()
    return client, FaultyStream(server)


@pytest.mark.parametrize("kind", ["memory", "tcp"])
def test_a_reset_reaches_reader_and_writer(kind):
    async def test() -> None:
        client, stream = await pair(kind)
        async with client, stream:
            async with trio.open_nursery() as nursery:

                async def own_reader() -> None:
                    with pytest.raises(trio.ClosedResourceError):
                        await stream.receive_some()

                async def peers_reader() -> None:
                    with pytest.raises(trio.BrokenResourceError):
                        await client.receive_some()

                nursery.start_soon(own_reader)
                nursery.start_soon(peers_reader)
                await trio.testing.wait_all_tasks_blocked()
                stream.reset()
            with pytest.raises(trio.BrokenResourceError):
                await client.send_all(b"x")
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_all(b"x")

    trio.run(test)


def test_a_reset_in_memory_takes_what_was_not_read():
    async def test() -> None:
        client, server = memory_pair()
        await server.send_all(b"lost")
        server.reset()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
        client, server = memory_pair()
        await server.send_all(b"kept")
        server.reset(lose=False)
        assert await client.receive_some() == b"kept"
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()

    run(test)


@pytest.mark.parametrize("kind", ["memory", "tcp"])
def test_fin_and_half_closing(kind):
    async def test() -> None:
        client, stream = await pair(kind)
        async with client, stream:
            await stream.send_all(b"last")
            await stream.send_eof()
            assert await client.receive_some() == b"last"
            assert await client.receive_some() == b""
            await client.send_all(b"still")
            assert await stream.receive_some() == b"still"
            await client.aclose()
            assert await stream.receive_some() == b""

    trio.run(test)


def test_a_write_to_a_closed_end_comes_back_as_a_reset():
    async def test() -> None:
        client, server = memory_pair()
        await server.aclose()
        await client.send_all(b"taken")
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"refused")
        client, server = memory_pair()
        await client.send_all(b"unread")
        await server.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()

    run(test)


def test_a_full_buffer_holds_the_writer_until_it_is_read_or_reset():
    async def test() -> None:
        client, server = memory_pair(capacity=10)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.send_all, b"x" * 25)
            await trio.testing.wait_all_tasks_blocked()
            assert client.unread == 10
            got = b""
            while len(got) < 25:
                got += await client.receive_some()

            async def writer() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await server.send_all(b"x" * 25)

            nursery.start_soon(writer)
            await trio.testing.wait_all_tasks_blocked()
            client.reset()

    run(test)


@pytest.mark.parametrize("kind", ["memory", "tcp"])
def test_frozen_both_ways_then_thawed(kind):
    async def test() -> None:
        client, stream = await pair(kind)
        async with client, stream, trio.open_nursery() as nursery:
            got: list[bytes] = []

            async def reader() -> None:
                while data := await stream.receive_some():
                    got.append(data)
                got.append(b"FIN")

            nursery.start_soon(reader)
            stream.freeze_inbound()
            stream.freeze_outbound()
            await client.send_all(b"up")
            await stream.send_all(b"down")
            with trio.move_on_after(0.05):
                pytest.fail(f"got {await client.receive_some()!r} through the ice")
            assert got == []
            await stream.thaw()
            assert await client.receive_some() == b"down"
            while not got:
                await trio.sleep(0.001)
            assert got == [b"up"]
            stream.freeze_inbound()
            await client.send_all(b"again")
            await client.send_eof()
            await trio.sleep(0.01)
            assert got == [b"up"]
            await stream.thaw()
            while len(got) < 3:
                await trio.sleep(0.001)
            assert got == [b"up", b"again", b"FIN"]
            await stream.send_all(b"more")
            assert await client.receive_some() == b"more"

    trio.run(test)


def test_frozen_and_dropped():
    async def test() -> None:
        client, stream = await pair("memory")
        async with trio.open_nursery() as nursery:
            stream.freeze_inbound(drop=True)
            stream.freeze_outbound(drop=True)
            await stream.send_all(b"lost")
            got: list[bytes] = []

            async def reader() -> None:
                got.append(await stream.receive_some())

            nursery.start_soon(reader)
            await client.send_all(b"lost")
            await trio.testing.wait_all_tasks_blocked()
            await stream.thaw()
            await client.send_all(b"kept")
        assert got == [b"kept"]
        await stream.send_all(b"kept")
        assert await client.receive_some() == b"kept"

    run(test)


def test_slow_bytes():
    async def test() -> None:
        client, stream = await pair("memory")
        stream.slow(outbound=(2, 1.0), inbound=(3, 0.5))
        start = trio.current_time()
        await stream.send_all(b"12345")
        assert trio.current_time() - start == pytest.approx(2)
        assert await client.receive_some() == b"12345"
        await client.send_all(b"abcd")
        assert [await stream.receive_some(), await stream.receive_some()] == [b"abc", b"d"]
        assert trio.current_time() - start == pytest.approx(3)

    run(test)


@pytest.mark.parametrize("how", ["fin", "silence"])
def test_a_message_is_cut(how):
    async def test() -> None:
        client, stream = await pair("memory")
        stream.cut_after(7, how)
        await stream.send_all(b"1234")
        await stream.send_all(b"567890")
        assert await client.receive_some() == b"1234567"
        if how == "fin":
            assert await client.receive_some() == b""
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_all(b"x")
        else:
            await stream.send_all(b"x")
            with trio.move_on_after(1):
                pytest.fail(f"{await client.receive_some()!r} got through")

    run(test)


def test_a_message_is_cut_by_a_reset():
    async def test() -> None:
        client, stream = await pair("tcp")
        async with client, stream:
            stream.cut_after(3)
            await stream.send_all(b"12345")
            assert await client.receive_some() == b"123"
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()

    trio.run(test)
