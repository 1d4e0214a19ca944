"""When each callback is called, with what, and what its results mean; over real sockets."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws.callback import (
    NORMAL,
    REMOTE,
    Binary,
    Close,
    CloseFrame,
    Ok,
    Once,
    Ping,
    Pong,
    Reconnect,
    Reply,
    Text,
    WebSocketClient,
    WebSocketHandler,
)
from rcex_ws.errors import ConfigurationError, ConnectFailed, TransportError


@pytest.mark.parametrize("init", [Ok(5), Once(5), Reconnect(5), Reconnect(5, delay=9.0)])
async def test_init_connects_whatever_it_gives(peer: Any, owned: Any, scripted: Any, init: Any) -> None:
    handler = scripted(init=init)
    async with owned(peer.url, handler, 4):
        await handler.saw("onconnect")
        (_, state), (_, ref, then) = handler.calls
        assert (state, then) == (4, 5)
        assert isinstance(ref, int)


async def test_start_returns_before_there_is_a_connection(peer: Any, scripted: Any, until: Any) -> None:
    peer.hang = True
    handler = scripted()
    async with anyio.create_task_group() as tasks:
        client = await WebSocketClient.start(peer.url, handler, None, task_group=tasks)
        assert handler.names == ["init"]
        await until(lambda: peer.upgrades)
        await client.stop()
    assert handler.names == ["init", "websocket_terminate"]


async def test_an_address_may_be_bytes_and_has_path_and_query(peer: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()
    async with owned(peer.url.encode(), handler):
        await handler.saw("onconnect")
    assert peer.upgrades[0].path.startswith("/path?access_token=")


async def test_headers_are_sent(peer: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()
    async with owned(peer.url, handler, headers={"X-Robot": "yes"}):
        await handler.saw("onconnect")
    assert peer.upgrades[0].headers["X-Robot"] == "yes"


async def test_tls(tls_peer: Any, authority: Any, owned: Any, scripted: Any) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    handler = scripted()
    async with owned(tls_peer.url, handler, ssl_context=context):
        await handler.saw("onconnect")


@pytest.mark.parametrize("scheme", ["http", "gopher", "nonsense"])
async def test_an_address_of_another_kind_is_a_failed_attempt_if_it_was_told(
    peer: Any, owned: Any, scripted: Any, scheme: str
) -> None:
    told = [peer.url, f"{scheme}://127.0.0.1:1/"]

    async def next_url() -> str:
        return told.pop()

    handler = scripted(ondisconnect=Reconnect(1))
    async with owned("ws://127.0.0.1:1/", handler, next_url=next_url):
        await handler.saw("onconnect")
    _, reason = handler.of("ondisconnect")
    assert isinstance(reason, ConnectFailed)
    assert reason.retryable


@pytest.mark.parametrize("frame", [Text("héllo"), Binary(b"\xff\x00")])
async def test_messages_are_cast_and_handled(peer: Any, owned: Any, scripted: Any, frame: Any) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        owner.client.cast(frame)
        await handler.saw("websocket_handle")
        assert handler.of("websocket_handle") == [frame]
        refs = {call[2] for call in handler.calls if call[0] == "websocket_handle"} | set(handler.of("onconnect"))
        assert len(refs) == 1


async def test_pings_are_answered_and_not_shown_and_pongs_are(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")

        async def ping() -> None:
            for connection in tuple(peer.open):
                await (await connection.ping(b"from the server"))

        await order(lambda: peer.run(ping()))
        owner.client.cast(Ping(b"mine"))
        owner.client.cast(Pong(b"unasked"))
        owner.client.cast(Text("last"))
        await handler.saw("websocket_handle", 2)
        assert handler.of("websocket_handle") == [Pong(b"mine"), Text("last")]


async def test_no_pings_without_keepalive(peer: Any, owned: Any, scripted: Any, ms: float) -> None:
    handler = scripted()
    async with owned(peer.url, handler):
        await handler.saw("onconnect")
        await anyio.sleep(150 * ms)
        assert "websocket_handle" not in handler.names


async def test_the_state_goes_from_callback_to_callback(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    def grow(*args: Any) -> Any:
        return Ok([*args[-1], len(args[-1])])

    handler = scripted(init=grow, onconnect=grow, ondisconnect=grow, websocket_handle=grow, websocket_info=grow)
    async with owned(peer.url, handler, []) as owner:
        await handler.saw("onconnect")
        owner.client.info("x")
        owner.client.cast(Text("x"))
        await handler.saw("websocket_handle")
        await order(peer.close, 1000)
        await owner.ended()
    assert [call[-1] for call in handler.calls] == [list(range(n)) for n in range(7)]


@pytest.mark.parametrize("bare", [Ok, Ok()])
async def test_a_bare_ok_leaves_the_state(peer: Any, order: Any, owned: Any, scripted: Any, bare: Any) -> None:
    handler = scripted(**dict.fromkeys(["init", "onconnect", "websocket_handle", "ondisconnect"], bare))
    async with owned(peer.url, handler, "the state") as owner:
        await handler.saw("onconnect")
        await order(peer.close, 1000)
        assert await owner.ended() == NORMAL
    assert {call[-1] for call in handler.calls} == {"the state"}
    assert handler.calls[-1] == ("websocket_terminate", NORMAL, None, "the state")


async def test_reply_sends_a_frame(peer: Any, order: Any, owned: Any, scripted: Any, until: Any) -> None:
    peer.deaf = True
    handler = scripted(
        onconnect=Reply(Text("connected"), 1),
        websocket_handle=Reply(Binary(b"handled"), 2),
        websocket_info=Reply(Text("informed"), 3),
    )
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await until(lambda: peer.received == ["connected"])
        await order(peer.send, "x")
        await until(lambda: peer.received[1:] == [b"handled"])
        owner.client.info("x")
        await until(lambda: peer.received[2:] == ["informed"])
        assert [call[-1] for call in handler.calls] == [0, 0, 1, 2]


@pytest.mark.parametrize("where", ["onconnect", "websocket_handle", "websocket_info"])
async def test_close_does_the_closing_handshake_and_tells_its_reason(
    peer: Any, owned: Any, scripted: Any, until: Any, where: str
) -> None:
    handler = scripted(**{where: Close("done", 7), "ondisconnect": lambda reason, state: Close(reason, state + 1)})
    async with owned(peer.url, handler) as owner:
        if where != "onconnect":
            await handler.saw("onconnect")
            await until(lambda: peer.open)
            (connection,) = peer.open
            owner.client.info("x") if where == "websocket_info" else owner.client.cast(Text("x"))
        assert await owner.ended() == "done"
        if where != "onconnect":
            assert connection.protocol.close_rcvd.code == 1000
    assert handler.calls[-2:] == [("ondisconnect", "done", 7), ("websocket_terminate", "done", None, 8)]


async def test_what_comes_after_a_close_is_not_handled_and_messages_wait(
    raw: Any, accepted: Any, owned: Any, scripted: Any
) -> None:
    answer = threading.Event()

    def talk(one: socket.socket, request: bytes) -> None:
        one.sendall(accepted(request) + b"\x81\x01a\x81\x01b")
        answer.wait(20)
        one.sendall(b"\x81\x01c\x88\x02\x03\xe8")

    handler = scripted(websocket_handle=Close("enough", 1), ondisconnect=[Reconnect(2, delay=1000), Ok])
    async with owned(raw(talk).url, handler) as owner:
        await handler.saw("websocket_handle")
        owner.client.info("meanwhile")
        owner.client.info("and then")
        await anyio.wait_all_tasks_blocked()
        await anyio.sleep(0.05)
        assert handler.names == ["init", "onconnect", "websocket_handle"]
        answer.set()
        await handler.saw("websocket_info", 2)
    assert handler.names[3:] == ["ondisconnect", "websocket_info", "websocket_info"]
    assert handler.of("ondisconnect") == ["enough"]
    assert handler.of("websocket_info") == ["meanwhile", "and then"]
    assert [call[2] for call in handler.calls if call[0] == "websocket_info"] == [None, None]


async def test_a_close_frame_that_was_cast_is_echoed_by_the_peer(
    peer: Any, owned: Any, scripted: Any, until: Any, caplog: Any
) -> None:
    peer.deaf = True
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        owner.client.cast(Text("before"))
        owner.client.cast(CloseFrame(4000, "me"))
        owner.client.cast(Text("after"))
        assert await owner.ended() == NORMAL
    assert handler.of("websocket_handle") == [CloseFrame(4000, "me")]
    assert handler.of("ondisconnect") == [REMOTE]
    await until(lambda: not peer.open)  # it has answered the close, but not taken everything yet
    assert peer.received == ["before"]
    assert caplog.messages.count("dropping frame, not connected") == 1, "nothing is sent after a close frame"


async def test_the_result_for_a_close_frame_counts_for_its_state_only(
    peer: Any, order: Any, owned: Any, scripted: Any
) -> None:
    handler = scripted(websocket_handle=Close("ignored", 9))
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.close, 4321, "bye")
        assert await owner.ended() == NORMAL
    assert handler.of("websocket_handle") == [CloseFrame(4321, "bye")]
    assert handler.calls[-2:] == [("ondisconnect", REMOTE, 9), ("websocket_terminate", NORMAL, None, 9)]


@pytest.mark.parametrize(
    ("result", "final"),
    [(Ok(1), NORMAL), (Ok, NORMAL), (Close("own", 1), "own"), (Close(None, 1), None), (Close(NORMAL, 1), NORMAL)],
)
async def test_ondisconnect_ends(peer: Any, order: Any, owned: Any, scripted: Any, result: Any, final: object) -> None:
    handler = scripted(ondisconnect=result)
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.close, 1000)
        assert await owner.ended() == final
    assert handler.of("websocket_terminate") == [final]
    assert len(peer.upgrades) == 1


async def test_a_close_with_an_exception_raises_it(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    error = OSError("the plant is on fire")
    handler = scripted(ondisconnect=Close(error, 1))
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.end)
        with pytest.raises(OSError, match="on fire") as caught:
            await owner.ended()
    assert caught.value is error
    assert handler.of("websocket_terminate") == [error]


async def test_once_never_reopens(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    handler = scripted(init=Once(0), ondisconnect=Reconnect(1))
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.end)
        with pytest.raises(TransportError):
            await owner.ended()
    assert handler.names == ["init", "onconnect", "ondisconnect", "websocket_terminate"]
    assert handler.of("websocket_terminate") == handler.of("ondisconnect")


async def test_reconnect_follows_the_schedule(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    failures: list[int] = []

    def delays(n: int) -> float:
        failures.append(n)
        return 0.01

    handler = scripted(ondisconnect=Reconnect(1))
    async with owned(peer.url, handler, reconnect_delays=delays):
        for n in (1, 2, 3):
            await handler.saw("onconnect", n)
            await order(peer.end)
        await handler.saw("onconnect", 4)
    assert failures == [1, 2, 3]
    assert len(set(handler.of("onconnect"))) == 4


async def test_reconnect_by_a_delay_of_its_own(peer: Any, order: Any, owned: Any, scripted: Any, ms: float) -> None:
    handler = scripted(ondisconnect=Reconnect(1, delay=100 * ms))
    async with owned(peer.url, handler, reconnect_delays=lambda _: 1000.0):
        await handler.saw("onconnect")
        await order(peer.end)
        await handler.saw("ondisconnect")
        began = anyio.current_time()
        await handler.saw("onconnect", 2)
        assert anyio.current_time() - began > 80 * ms


async def test_a_servers_retry_after_is_a_lower_bound(peer: Any, owned: Any, scripted: Any) -> None:
    peer.refusals.append((503, {"Retry-After": "1"}))
    handler = scripted(ondisconnect=Reconnect(1, delay=0))
    began = anyio.current_time()
    async with owned(peer.url, handler):
        await handler.saw("onconnect")
        assert anyio.current_time() - began > 0.9


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), "2"])
def test_a_delay_that_is_none(delay: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^delay: "):
        Reconnect(None, delay)


async def test_single_use_addresses(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    given: list[str] = []

    async def next_url() -> bytes:
        given.append("x")
        if len(given) == 1:
            raise ConnectFailed("the directory is closed")
        return f"{peer.url}&n={len(given)}".encode()

    handler = scripted(ondisconnect=Reconnect(0))
    async with owned(peer.url, handler, next_url=next_url):
        await handler.saw("onconnect")
        assert given == []
        await order(peer.end)
        await handler.saw("onconnect", 2)
    assert [type(reason) for reason in handler.of("ondisconnect")] == [TransportError, ConnectFailed]
    assert peer.upgrades[1].path.endswith("&n=2")


async def test_info_is_handled_also_while_disconnected(peer: Any, owned: Any, scripted: Any, caplog: Any) -> None:
    peer.hang = True
    handler = scripted(websocket_info=Reply(Text("nobody hears"), 1))
    async with owned(peer.url, handler) as owner:
        owner.client.info({"any": "thing"})
        await handler.saw("websocket_info")
        assert handler.calls[-1] == ("websocket_info", {"any": "thing"}, None, 0)
        await anyio.lowlevel.checkpoint()
        assert "dropping frame, not connected" in caplog.text


async def test_close_from_info_while_disconnected(peer: Any, owned: Any, scripted: Any, until: Any) -> None:
    peer.hang = True
    handler = scripted(websocket_info=Close("no patience", 1), ondisconnect=[Reconnect(2), Ok])
    async with owned(peer.url, handler) as owner:
        await until(lambda: peer.upgrades)
        owner.client.info(1)
        await handler.saw("ondisconnect")
        assert handler.calls[-1] == ("ondisconnect", "no patience", 1)
        owner.client.info(2)
        assert await owner.ended() == NORMAL
    assert len(peer.upgrades) == 1, "a Reconnect goes on with the attempt that is under way"


@pytest.mark.parametrize(("planned", "then"), [(100, 400), (1_000_000, 50)], ids=["later", "earlier"])
async def test_close_from_info_while_waiting_asks_anew_when_to_reconnect(
    peer: Any, order: Any, owned: Any, scripted: Any, ms: float, planned: int, then: int
) -> None:
    handler = scripted(
        websocket_info=Close("no patience", 1),
        ondisconnect=[Reconnect(2, delay=planned * ms), Reconnect(3, delay=then * ms)],
    )
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.end)
        await handler.saw("ondisconnect")
        owner.client.info("close")
        began = anyio.current_time()
        await handler.saw("onconnect", 2)
        assert anyio.current_time() - began > (then - 10) * ms
    assert handler.of("ondisconnect")[1] == "no patience"


async def test_close_from_info_while_waiting_leaves_the_schedule(
    peer: Any, order: Any, owned: Any, scripted: Any, ms: float
) -> None:
    handler = scripted(websocket_info=Close("no patience", 1), ondisconnect=[Reconnect(2), Reconnect(3)])
    async with owned(peer.url, handler, reconnect_delays=lambda _: 300 * ms) as owner:
        await handler.saw("onconnect")
        await order(peer.end)
        await handler.saw("ondisconnect")
        began = anyio.current_time()
        owner.client.info("close")
        await handler.saw("onconnect", 2)
        assert 200 * ms < anyio.current_time() - began < 3


async def test_close_from_info_while_waiting_and_a_servers_retry_after(peer: Any, owned: Any, scripted: Any) -> None:
    peer.refusals.append((503, {"Retry-After": "1"}))
    handler = scripted(websocket_info=Close("no patience", 1), ondisconnect=[Reconnect(2), Reconnect(3, delay=0)])
    async with owned(peer.url, handler) as owner:
        await handler.saw("ondisconnect")
        began = anyio.current_time()
        owner.client.info("close")
        await handler.saw("onconnect")
        assert anyio.current_time() - began > 0.9


async def test_cast_never_raises_and_drops_while_not_connected(
    peer: Any, order: Any, owned: Any, scripted: Any, caplog: Any
) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        owner.client.cast(Text("early"))
        warning = ("rcex_ws.callback", logging.WARNING, "dropping frame, not connected")
        assert caplog.record_tuples.count(warning) == 1
        await handler.saw("onconnect")
        owner.client.cast("no frame")
        assert any("what is no frame" in message for message in caplog.messages)
        await order(peer.close, 1000)
        await owner.ended()
        owner.client.cast(Text("late"))
        owner.client.info("late")
        assert caplog.record_tuples.count(warning) == 2
    assert peer.received == []


async def test_the_frames_before_a_loss_are_handled_before_ondisconnect(
    peer: Any, order: Any, owned: Any, scripted: Any
) -> None:
    handler = scripted()
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(lambda: (peer.send(*map(str, range(500))), peer.end()))
        await owner.ended()
    assert handler.of("websocket_handle") == [Text(str(n)) for n in range(500)]
    assert handler.names[-2:] == ["ondisconnect", "websocket_terminate"]


async def test_the_current_client(peer: Any, order: Any, owned: Any, scripted: Any) -> None:
    seen: list[Any] = []

    def look(*args: Any) -> Any:
        seen.append(WebSocketClient.current())
        return Ok

    handler = scripted(init=look, onconnect=look, ondisconnect=look, websocket_terminate=look)
    async with owned(peer.url, handler) as owner:
        await handler.saw("onconnect")
        await order(peer.end)
        await owner.ended()
        assert seen == [owner.client] * 4
    with pytest.raises(RuntimeError, match="callback"):
        WebSocketClient.current()


async def test_the_defaults_of_a_handler(peer: Any, order: Any, owned: Any, until: Any) -> None:
    async with owned(peer.url, WebSocketHandler()) as owner:
        await until(lambda: peer.open)
        owner.client.info("x")
        await order(peer.send, "x")
        await order(peer.close, 1000)
        assert await owner.ended() == NORMAL


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"keepalive": 0}, "keepalive"),
        ({"keepalive": "5"}, "keepalive"),
        ({"attempt_timeout": -1}, "attempt_timeout"),
        ({"close_timeout": 0}, "close_timeout"),
        ({"reconnect_delays": 3}, "reconnect_delays"),
        ({"max_pending": 0}, "max_pending"),
        ({"max_pending_bytes": 1.5}, "max_pending_bytes"),
        ({"max_size": None}, "max_size"),
        ({"next_url": "ws://x"}, "next_url"),
    ],
)
async def test_options_that_cannot_work_are_refused_by_name(scripted: Any, options: dict[str, Any], field: str) -> None:
    handler = scripted()
    with pytest.raises(ConfigurationError, match=rf"^{field}: "):
        await WebSocketClient.run("ws://localhost", handler, None, **options)
    assert handler.calls == []


async def test_a_proxy_that_can_never_work_is_refused_at_once(scripted: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy: expected .* a URL"):
        await WebSocketClient.run("ws://localhost", scripted(), None, proxy="socks4://localhost:1080")


async def test_bytes_that_are_no_address(scripted: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^url: "):
        await WebSocketClient.run(b"ws://\xff", scripted(), None)


@pytest.fixture(autouse=True)
def see_warnings(caplog: Any) -> None:
    caplog.set_level(logging.WARNING, "rcex_ws.callback")
