"""The arguments of `on` of both clients, and the errors for invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws import ConfigurationError, Events, WebSocketExtension
from rcex_ws.slack import RTMClient

CLIENTS = pytest.mark.parametrize(
    ("make", "event"), [(WebSocketExtension, "error"), (lambda: RTMClient("xoxb-1"), "message")], ids=["wsg", "slack"]
)


@CLIENTS
def test_with_a_handler_it_returns_what_detaches_it(make: Any, event: str) -> None:
    client = make()
    off = client.on(event, print)
    assert client._emitter.listeners(event) == [print]
    assert off() is off() is None
    assert client._emitter.listeners(event) == []


@CLIENTS
def test_without_one_it_returns_a_decorator(make: Any, event: str) -> None:
    client = make()
    assert client.on(event)(print) is print
    assert client._emitter.listeners(event) == [print]


def test_a_handler_of_the_extension_takes_one_argument() -> None:
    ext, client = WebSocketExtension(), RTMClient("xoxb-1")
    for handler in (lambda: None, lambda ws, more: None):
        with pytest.raises(ConfigurationError, match=r"^handler: expected a function of one argument, got the "):
            ext.on(Events.ERROR, handler)
        client.on("message", handler)
    with pytest.raises(ConfigurationError, match=r"^handler: expected a function, got None$"):
        client.on("message", None)


@pytest.mark.parametrize(
    ("make", "event", "expected"),
    [
        (WebSocketExtension, "typo", r"one of autoRecoverSuccess, .*, error, got str 'typo': there is no such event"),
        (WebSocketExtension, "new_listener", r"one of .*: there is no such event"),  # pyee's own
        (WebSocketExtension, None, r"one of .*, got None"),
        (lambda: RTMClient("xoxb-1"), "", r"a text that is not empty, got str ''"),
        (lambda: RTMClient("xoxb-1"), 5, r"a text that is not empty, got int 5"),
    ],
    ids=["typo", "pyee's", "none", "empty", "number"],
)
def test_what_is_no_event_is_refused_with_and_without_a_handler(make: Any, event: Any, expected: str) -> None:
    for arguments in ((event,), (event, print)):
        with pytest.raises(ConfigurationError, match=rf"^event: expected {expected}$"):
            make().on(*arguments)
