from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest

from rcex_ws import ConfigurationError, Gap, Notification, RetryExtension
from rcex_ws.blocking import Link, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.blocking.conftest import MESSAGES

Install = Callable[..., WebSocketExtension]
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"
INFO = "/restapi/v1.0/account/~/extension/~"


def test_a_callback_may_block_and_call_the_client(server: Gateway, rc: RingCentral, installed: Install) -> None:
    got: queue.Queue[tuple[Any, int, str]] = queue.Queue()

    def callback(notification: Notification) -> None:
        got.put((notification.body["number"], rc.get(INFO).status_code, threading.current_thread().name))

    installed(rest_over_websocket=True).subscribe([MESSAGES], callback)
    for number in range(5):
        server.notify(MESSAGES, {"number": number})
    found = [got.get(timeout=10) for _ in range(5)]
    assert [one[:2] for one in found] == [(number, 200) for number in range(5)]
    assert "rcex_ws loop" not in {thread for _, _, thread in found}


def test_the_caller_chooses_the_threads(server: Gateway, installed: Install) -> None:
    got: queue.Queue[str] = queue.Queue()

    def note(*_: object) -> None:
        got.put(threading.current_thread().name)

    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        ws_ext = installed(executor=executor)
        ws_ext.on("newWsc", note)
        ws_ext.subscribe([MESSAGES], note)
        server.notify(MESSAGES, {})
        assert got.get(timeout=10).startswith("mine")
        ws_ext.revoke()


@pytest.mark.parametrize("error", [ValueError, StopIteration, SystemExit, KeyboardInterrupt])
def test_what_a_callback_raises_is_told_and_the_next_is_called(
    server: Gateway, installed: Install, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    got: queue.Queue[Any] = queue.Queue()

    def callback(notification: Notification) -> None:
        if notification.body["number"] == 1:
            raise error("out of order")
        got.put(notification.body["number"])

    ws_ext = installed()
    ws_ext.on("error", got.put)
    ws_ext.subscribe([MESSAGES], callback)
    server.notify(MESSAGES, {"number": 1})
    server.notify(MESSAGES, {"number": 2})
    found = sorted((got.get(timeout=10) for _ in range(2)), key=repr)
    told = next(one for one in found if one != 2)
    assert error in (type(told), type(told.__cause__))
    assert "out of order" in caplog.text


def test_a_callback_may_close_the_client_that_calls_it(
    server: Gateway, rc: RingCentral, installed: Install, caplog: pytest.LogCaptureFixture
) -> None:
    closed = threading.Event()

    def callback(_: Notification) -> None:
        rc.close()
        closed.set()

    ws_ext = installed()
    ws_ext.subscribe([MESSAGES], callback)
    server.notify(MESSAGES, {})
    ws_ext.wait_closed()
    assert closed.wait(10)
    assert caplog.text == ""


def test_a_callback_may_call_whatever_there_is(server: Gateway, rc: RingCentral, installed: Install) -> None:
    """Nothing that waits for the loop waits for the callback."""
    got: queue.Queue[object] = queue.Queue()
    ws_ext = installed(close_timeout=0.1)  # which `connect` takes here: what waits for this callback is not delivered

    def send_and_wait() -> Notification:
        threading.Timer(0.01, server.notify, (MESSAGES, {"number": 2})).start()
        return ws_ext.wait_for(MESSAGES, lambda notification: notification.body["number"] == 2)

    def callback(notification: Notification) -> None:
        if notification.body["number"] != 1:
            return
        calls = [
            send_and_wait,
            lambda: ws_ext.subscription.refresh() if ws_ext.subscription else None,
            lambda: ws_ext.subscribe([MESSAGES, PRESENCE], callback),
            ws_ext.list_subscriptions,
            ws_ext.connect,
            ws_ext.recover,
            lambda: ws_ext.on("newWsc", got.put)(),
            lambda: rc.install_extension(RetryExtension()),
            rc.refresh,
            rc.close,
        ]
        got.put([call() for call in calls] and "all")

    ws_ext.subscribe([MESSAGES], callback)
    server.notify(MESSAGES, {"number": 1})
    assert got.get(timeout=20) == "all"


def test_async_functions_are_refused(server: Gateway, installed: Install) -> None:
    async def function(*_: object) -> None: ...

    ws_ext = installed()
    for name, call in {
        "callback": lambda: ws_ext.subscribe([MESSAGES], function),
        "handler": lambda: ws_ext.on("newWsc", function),
        "predicate": lambda: ws_ext.wait_for(MESSAGES, function),  # type: ignore[arg-type]
        "on_gap": lambda: WebSocketExtension(on_gap=function),  # type: ignore[arg-type]
    }.items():
        with pytest.raises(ConfigurationError, match=f"{name}.*not async"):
            call()
    with pytest.raises(ConfigurationError, match=r"handler.*not async"):
        ws_ext.on("newWsc")(function)
    with pytest.raises(ConfigurationError, match=r"handler.*not async"):
        ws_ext.on_event(MESSAGES)(function)


def test_a_function_that_shows_itself_async_only_when_called(server: Gateway, installed: Install) -> None:
    async def function() -> None: ...

    got: queue.Queue[Exception] = queue.Queue()
    ws_ext = installed()
    ws_ext.on("error", got.put)
    ws_ext.subscribe([MESSAGES], lambda _: function())
    server.notify(MESSAGES, {})
    assert "async function" in str(got.get(timeout=10))


def test_events_bring_blocking_objects(server: Gateway, installed: Install) -> None:
    got: queue.Queue[Any] = queue.Queue()
    ws_ext = installed()
    detach = ws_ext.on("connectionReady", got.put)

    @ws_ext.on("notificationGap")
    def on_gap(gap: Gap) -> None:
        got.put(gap)

    before = ws_ext.ws
    assert isinstance(before, Link)
    assert ws_ext.ws is before
    before.abort()
    link = got.get(timeout=10)
    assert isinstance(link, Link)
    assert (link is ws_ext.ws, link.id > before.id, link.closing, link.loss) == (True, True, False, None)
    assert link.lived >= 0
    assert link.last_inbound_at >= before.opened_at
    assert before.loss is not None
    detach()
    detach()


def test_a_hook_for_gaps_runs_before_what_is_newer(server: Gateway, rc: RingCentral, installed: Install) -> None:
    got: queue.Queue[Any] = queue.Queue()

    def on_gap(gap: Gap) -> None:
        got.put((gap.certain, rc.get(INFO).status_code))

    ws_ext = installed(on_gap=on_gap)
    ws_ext.subscribe([MESSAGES], lambda notification: got.put(notification.body["number"]))
    server.fail_recovery()
    server.cut()
    assert got.get(timeout=10) == (True, 200)
    server.notify(MESSAGES, {"number": 1})
    assert got.get(timeout=10) == 1
    assert ws_ext.last_recovery is not None


def test_a_hook_for_gaps_may_be_set_later(server: Gateway, installed: Install) -> None:
    got: queue.Queue[Any] = queue.Queue()
    ws_ext = installed()
    assert ws_ext.on_gap is None
    ws_ext.on_gap = got.put
    assert ws_ext.on_gap == got.put
    ws_ext.subscribe([MESSAGES], print)
    server.fail_recovery()
    server.cut()
    assert got.get(timeout=10).certain

    async def function(gap: Gap) -> None: ...

    with pytest.raises(ConfigurationError, match="on_gap"):
        ws_ext.on_gap = function  # type: ignore[assignment]
    assert ws_ext.on_gap == got.put


def test_a_handler_that_ends_the_program_ends_nothing(installed: Install) -> None:
    """Only the main thread can; the loop of all clients goes on."""
    got: queue.Queue[Exception] = queue.Queue()

    def exit_(_: object) -> NoReturn:
        sys.exit("enough")

    ws_ext = installed()
    ws_ext.on("connectionReady", exit_)
    ws_ext.on("error", got.put)
    ws_ext.connect()
    assert "SystemExit" in str(got.get(timeout=10))
    assert str(ws_ext.state) == "ready"
