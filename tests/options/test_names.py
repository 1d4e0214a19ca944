"""Names of the JavaScript original raise with the name that is used here, whether they are read or set."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

import rcex_ws
from rcex_ws import ConnectionDetails, Events, Response, RingCentral, SubscriptionInfo, WebSocketExtension
from rcex_ws.errors import ConfigurationError, UnknownName
from rcex_ws.rest import PathBuilder
from rcex_ws.wsg.subscription import Subscription

ANSWER = Response(200, {}, b"{}")
INFO = SubscriptionInfo("1")


def subscription() -> Subscription:
    nothing: Any = None
    return Subscription(nothing, ("/a",), nothing)


def rc() -> RingCentral:
    return RingCentral(server="http://127.0.0.1:9", client_id="id")


def path() -> Any:
    return PathBuilder(rc(), "/restapi").message_store


@pytest.mark.parametrize(
    ("owner", "name", "ours"),
    [
        (Events, "autoRecoverSuccess", "AUTO_RECOVER_SUCCESS"),
        (Events, "newWebSocketObject", "NEW_WEBSOCKET_OBJECT"),
        (ConnectionDetails(), "recoveryState", "recovery_state"),
        (INFO, "eventFilters", "event_filters"),
        (INFO, "expirationTime", "expiration_time"),
        (ANSWER, "data", "json()"),
        (ANSWER, "status", "status_code"),
        (WebSocketExtension(), "debugMode", "debug_mode"),
        (WebSocketExtension(), "debug_mode", "argument"),
        (WebSocketExtension(), "options", "arguments"),
        (WebSocketExtension(), "wsToken", "each connection gets its own"),
        (WebSocketExtension(), "once", "this as event_emitter.once"),
        (WebSocketExtension(), "off", "what on() returns"),
        (RingCentral(client_id="id"), "login", "this as authorize"),
        (WebSocketExtension().event_emitter, "off", "remove_listener"),
        (WebSocketExtension().event_emitter, "addListener", "add_listener"),
        (rc(), "rest", "it sends calls itself"),
        (subscription(), "subscriptionInfo", "info"),
        (subscription(), "id", "info.id"),
        (subscription(), "remove", "revoke()"),
        (path()(), "list", "get(params=...)"),
    ],
)
def test_what_is_read_has_our_name_in_the_error(owner: object, name: str, ours: str) -> None:
    with pytest.raises(UnknownName, match=rf"^{name}: .*{re.escape(ours)}"):
        getattr(owner, name)
    assert not hasattr(owner, name)


@pytest.mark.parametrize(
    ("owner", "name", "ours"),
    [
        (subscription(), "eventFilters", "update([...])"),
        (subscription(), "event_filters", "update([...])"),
        (subscription(), "enabled", "revoke()"),
        (WebSocketExtension(), "restOverWebSocket", "rest_over_websocket"),
        (WebSocketExtension(), "debugMode", "debug_mode"),
        (WebSocketExtension(), "debug_mode", "argument"),
        (WebSocketExtension(), "options", "arguments"),
        (rc(), "token", "token_store"),
        (rc(), "timeout", "argument"),
    ],
)
def test_what_is_set_does_too(owner: object, name: str, ours: str) -> None:
    with pytest.raises(UnknownName, match=rf"^{name}: .*{re.escape(ours)}"):
        setattr(owner, name, True)


def test_any_other_attribute_can_be_set_and_a_subclass_has_its_own() -> None:
    class Counting(WebSocketExtension):
        maxSize = 1  # noqa: N815 - declared by the application, it is its own

        def __init__(self) -> None:
            super().__init__()
            self.count = 0

    ext: Any = Counting()
    ext.maxSize, ext.database, ext.enabled, ext.rest_over_websocket = 2, "mine", False, True
    assert (ext.count, ext.maxSize, ext.database, ext.enabled, ext.rest_over_websocket) == (0, 2, "mine", False, True)


def test_any_other_name_that_is_missing_is_an_ordinary_error() -> None:
    for owner in (Events, INFO, ANSWER, rc(), WebSocketExtension()):
        with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'") as caught:
            getattr(owner, "nonsense")  # noqa: B009
        assert not isinstance(caught.value, ConfigurationError)
    assert Events.ERROR is Events("error")
    assert copy.deepcopy(INFO) == pickle.loads(pickle.dumps(INFO)) == INFO


@pytest.mark.parametrize(
    ("call", "keywords"),
    [
        (lambda: WebSocketExtension({"restOverWebSocket": True}), "WebSocketExtension() .*rest_over_websocket="),  # type: ignore[call-arg]
        (lambda: RingCentral({"clientId": "id"}), "RingCentral() .*client_id="),  # type: ignore[call-arg]
        (lambda: rc().authorize({"jwt": "jwt"}), "authorize() .*jwt="),  # type: ignore[call-arg]
        (lambda: rc().get("/restapi", {"page": 1}), "get() .*params="),  # type: ignore[call-arg]
        (lambda: path().post({"text": "hello"}), "post() .*json="),
    ],
)
def test_an_object_of_options_raises_with_the_keywords(call: Callable[[], object], keywords: str) -> None:
    with pytest.raises(TypeError, match=rf"^{keywords.replace('()', '[(][)]')}"):
        call()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: rc().get("/restapi", query={}), "query: this argument is called params here"),  # type: ignore[call-arg]
        (lambda: rc().post("/restapi", body={}), "body: this argument is called json here"),  # type: ignore[call-arg]
        (lambda: WebSocketExtension(autoRecover={}), "autoRecover: .*auto_recover .*heartbeat_interval, in seconds"),  # type: ignore[call-arg]
        (lambda: WebSocketExtension(checkInterval=2000), "checkInterval: .*reconnect_delays"),  # type: ignore[call-arg]
        (lambda: WebSocketExtension(pingServerInterval=60000), "pingServerInterval: .*heartbeat_interval"),  # type: ignore[call-arg]
    ],
)
def test_an_argument_with_another_name_is_named(call: Callable[[], object], text: str) -> None:
    with pytest.raises(UnknownName, match=f"^{text}"):
        call()


def test_an_unknown_argument_of_a_call_is_an_ordinary_error() -> None:
    with pytest.raises(TypeError, match=r"^nonsense: .*params, json") as caught:
        rc().get("/restapi", nonsense=1)  # type: ignore[call-arg]
    assert not isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize(
    ("name", "ours"),
    [("RestException", "RestError"), ("ClosedException", "RequestLost"), ("TimeoutException", "RequestTimeout")],
)
def test_what_is_imported_has_our_name_in_the_error(name: str, ours: str) -> None:
    with pytest.raises(ImportError, match=rf"^{name}: rcex_ws has this as {ours}"):
        exec(f"from rcex_ws import {name}")
    assert hasattr(rcex_ws, ours.partition(",")[0])
