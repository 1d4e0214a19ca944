from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rcex_ws import ConfigurationError, FileSessionStore, NotConnected, Notification, RequestTimeout
from rcex_ws.blocking import RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from tests.blocking.conftest import MESSAGES, make_client

Install = Callable[..., WebSocketExtension]
INFO = "/restapi/v1.0/account/~/extension/~"


def test_calls_go_over_the_socket(rc: RingCentral, installed: Install) -> None:
    ws_ext = installed(rest_over_websocket=True)
    assert rc.get(INFO).via == "websocket"
    assert ws_ext.request("GET", INFO).via == "websocket"
    ws_ext.disable()
    assert rc.get(INFO).via == "https"
    ws_ext.enable()
    assert ws_ext.enabled
    ws_ext.rest_over_websocket = False
    assert rc.get(INFO).via == "https"
    assert ws_ext.stats.state == "ready"
    assert repr(ws_ext) == f"<blocking WebSocketExtension {ws_ext.name!r} ready>"


def test_handlers_of_filters(server: Gateway, installed: Install) -> None:
    got: queue.Queue[object] = queue.Queue()
    ws_ext = installed()

    @ws_ext.on_event(MESSAGES)
    def on_message(notification: Notification) -> None:
        got.put((notification.body, threading.current_thread() is threading.main_thread()))

    ws_ext.subscribe()
    server.notify(MESSAGES, {"number": 1})
    assert got.get(timeout=10) == ({"number": 1}, False)


def test_waiting_for_one_event(server: Gateway, rc: RingCentral, installed: Install) -> None:
    ws_ext = installed()
    ws_ext.subscribe([MESSAGES], lambda _: None)

    def send() -> None:
        for number in range(3):
            server.notify(MESSAGES, {"number": number})

    timer = threading.Timer(0.02, send)
    timer.start()
    found = ws_ext.wait_for(MESSAGES, lambda one: rc.get(INFO).status_code == 200 and one.body["number"] == 2)
    assert found.body == {"number": 2}
    timer.join()
    with pytest.raises(RequestTimeout):
        ws_ext.wait_for(MESSAGES, timeout=0.01)


def test_a_session_is_continued(server: Gateway, tmp_path: Path) -> None:
    store = tmp_path / "session.json"
    with make_client(server) as rc:
        rc.authorize(jwt=server.jwt)
        token = rc.token
        rc.install_extension(ws_ext := WebSocketExtension(session_store=FileSessionStore(store)))
        ws_ext.subscribe([MESSAGES])
    server.notify(MESSAGES, {"number": 1})
    with RingCentral(server=server.server, client_id=server.client_id, token=token) as rc:
        rc.install_extension(ws_ext := WebSocketExtension(session_store=FileSessionStore(store)))
        assert ws_ext.subscribe([MESSAGES]).next(timeout=10).body == {"number": 1}


def test_the_subscriptions_of_the_user(installed: Install) -> None:
    ws_ext = installed()
    subscription = ws_ext.subscribe_all_extensions(["presence"])
    assert subscription.info is not None
    assert subscription.info.id in [info.id for info in ws_ext.list_subscriptions()]
    with pytest.raises(ConfigurationError, match="revoke"):
        ws_ext.delete_subscription(subscription.info)


def test_before_it_is_installed_and_after(rc: RingCentral) -> None:
    ws_ext = WebSocketExtension()
    with pytest.raises(NotConnected):
        ws_ext.subscribe([MESSAGES])
    rc.install_extension(ws_ext)
    assert (ws_ext.wsc is not None, ws_ext.connection_details is not None) == (True, True)
    assert ws_ext.next_attempt_at is None
    assert ws_ext.recover() is None
    ws_ext.close()
    assert str(ws_ext.state_reason)
    assert ws_ext.ws is None


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigurationError, match="open_timeout"):
        WebSocketExtension(open_timeout=-1)
    with pytest.raises(ConfigurationError, match="executor"):
        WebSocketExtension(executor="none")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"openTimeout.*open_timeout"):
        WebSocketExtension(openTimeout=1)  # type: ignore[call-arg]
