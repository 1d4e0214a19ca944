"""Who writes a name of the JavaScript original is told what it is called here; nothing else changes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from rcex_ws import ConfigurationError, RcexError, RingCentral, WebSocketExtension
from rcex_ws.slack import RTMClient
from tests.signatures.examples import INSTANCES


@pytest.mark.parametrize(
    ("call", "ours"),
    [
        (lambda: WebSocketExtension(restOverWebSocket=True), "rest_over_websocket"),  # type: ignore[call-arg]
        (lambda: WebSocketExtension(debugMode=True), "debug_mode"),  # type: ignore[call-arg]
        (lambda: WebSocketExtension(wscToken="x"), "wsc_token"),  # type: ignore[call-arg]
        (lambda: RingCentral(clientId="x"), "client_id"),  # type: ignore[call-arg]
        (lambda: RingCentral(clientSecret="x"), "client_secret"),  # type: ignore[call-arg]
        (lambda: RingCentral().authorize_uri(redirectUri="x"), "redirect_uri"),  # type: ignore[call-arg]
        (lambda: WebSocketExtension().subscribe(eventFilters=[]), "event_filters"),  # type: ignore[call-arg]
        (lambda: RTMClient("xoxb-1", dataStore=None), "data_store"),  # type: ignore[call-arg]
    ],
)
def test_i10_an_argument_of_the_javascript_original(call: Callable[[], object], ours: str) -> None:
    with pytest.raises(TypeError, match=rf"\b{ours}\b") as caught:
        call()
    assert isinstance(caught.value, ConfigurationError)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("make", "name", "ours"),
    [
        (RingCentral, "installExtension", "install_extension"),
        (RingCentral, "authorizeUri", "authorize_uri"),
        (WebSocketExtension, "eventEmitter", "event_emitter"),
        (WebSocketExtension, "restOverWebSocket", "rest_over_websocket"),
        (WebSocketExtension, "connectionDetails", "connection_details"),
        (lambda: RTMClient("xoxb-1"), "sendMessage", "send_message"),
        (lambda: RTMClient("xoxb-1"), "activeUserId", "active_user_id"),
        (lambda: RingCentral().restapi(), "messageStore", "message_store"),
        (lambda: RingCentral().restapi(), "callLogSync", "call_log_sync"),
    ],
)
def test_i10_an_attribute_of_the_javascript_original(make: Callable[[], object], name: str, ours: str) -> None:
    it = make()
    with pytest.raises(AttributeError, match=rf"^{name}: .*\b{ours}\b") as caught:
        getattr(it, name)
    assert isinstance(caught.value, ConfigurationError)
    assert not hasattr(it, name)
    assert getattr(it, name, 5) == 5


@pytest.mark.parametrize("make", [RingCentral, WebSocketExtension, lambda: RTMClient("xoxb-1")])
@pytest.mark.parametrize("name", ["nonsense", "nonSense", "_private", "__deepcopy__", "NonSense"])
def test_i10_any_other_name_is_missing_as_everywhere(make: Callable[[], object], name: str) -> None:
    it = make()
    with pytest.raises(AttributeError, match=f"object has no attribute {name!r}") as caught:
        getattr(it, name)
    assert not isinstance(caught.value, RcexError)


def test_i10_an_argument_that_nobody_knows_is_a_type_error_as_everywhere() -> None:
    for call in (lambda: RingCentral(nonSense=1), lambda: WebSocketExtension(nonsense=1)):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="unexpected keyword argument") as caught:
            call()
        assert not isinstance(caught.value, RcexError)


def test_i10_scim_has_capitals() -> None:
    scim = RingCentral().path("/scim/v2")
    assert str(scim.Users("1")) == "/scim/v2/Users/1"
    assert str(scim.ServiceProviderConfig) == "/scim/v2/ServiceProviderConfig"


async def test_i10_what_copies_and_looks_around_is_not_disturbed() -> None:
    for make in INSTANCES.values():
        it = make()
        assert "messageStore" not in dir(it)
        assert repr(it)
        assert getattr(it, "__nothing__", None) is None
    error: Any = None
    try:
        RingCentral().installExtension  # type: ignore[attr-defined]  # noqa: B018
    except AttributeError as exc:
        error = exc
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(same), str(same)) == (type(error), str(error))
