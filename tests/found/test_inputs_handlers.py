"""Extensions, stores, handlers, filters and switches that cannot be are refused at the call."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rcex_ws import (
    ConfigurationError,
    Events,
    FileSessionStore,
    FileTokenStore,
    RingCentral,
    Subscription,
    WebSocketExtension,
)
from rcex_ws.gateway import Gateway
from rcex_ws.options import Seconds, check_fields
from rcex_ws.slack import RTMClient
from tests.found.refusing import FILTER, refused

# -- I5, I6 ------------------------------------------------------------------------------------------------------------


async def test_i5_a_class_is_no_extension(gateway: Gateway) -> None:
    async with RingCentral(server=gateway.server) as rc:
        for value in (WebSocketExtension, None, "x"):
            with pytest.raises(ConfigurationError, match=r"^extension: expected an Extension, got "):
                await rc.install_extension(value)  # type: ignore[arg-type]


class SyncStore:
    """Have the methods of both stores, but none that waits."""

    def open(self) -> None: ...
    def load(self) -> None: ...
    def save(self, _: Any) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


def test_i5_stores(tmp_path: Path) -> None:
    for make in (FileSessionStore, FileTokenStore):
        for value in (None, "", " ", "a\0b", 5, b"x"):
            refused(lambda make=make, value=value: make(value), "path")
        make(str(tmp_path / "a"))
        make(tmp_path / "a")
    for value in ("5", math.nan, math.inf, -1, None, True):
        refused(lambda value=value: FileSessionStore("a", wait=value), "wait")
    refused(lambda: WebSocketExtension(session_store=SyncStore()), "session_store")  # type: ignore[arg-type]
    refused(lambda: WebSocketExtension(session_store="path"), "session_store")  # type: ignore[arg-type]
    refused(lambda: RingCentral(token_store=SyncStore()), "token_store")  # type: ignore[arg-type]


def test_i5_a_store_whose_methods_are_decorated_is_none_of_those() -> None:
    from functools import wraps

    def retried(method: Any) -> Any:
        @wraps(method)
        def call(*args: Any) -> Any:
            return method(*args)

        return call

    class Store:
        @retried
        async def load(self) -> None: ...
        @retried
        async def save(self, _: Any) -> None: ...
        @retried
        async def clear(self) -> None: ...

    RingCentral(token_store=Store())


async def yields(*_: Any) -> AsyncIterator[None]:
    yield


def yields_at_once(*_: Any) -> Iterator[None]:
    yield


def test_i6_handlers_and_names_of_events() -> None:
    ext = WebSocketExtension()
    emitter = ext.event_emitter
    for attach in (ext.on, emitter.on, emitter.once, emitter.add_listener):
        refused(lambda attach=attach: attach("typo", print), "event")
        for handler in (None, 5, yields, yields_at_once):
            refused(lambda attach=attach, handler=handler: attach(Events.ERROR, handler), "handler")
    for attach in (ext.on, emitter.on, emitter.once):
        refused(lambda attach=attach: attach("typo"), "event")
        attach("error")(print)
    assert emitter.listeners("error") == [print]


def test_i6_slacks_events_are_open() -> None:
    client = RTMClient("xoxb-1")
    client.on("an event of tomorrow", print)
    client.on("message::me_message")(print)
    for handler in (None, 5, yields):
        refused(lambda handler=handler: client.on("message", handler), "handler")
    for event in (None, "", 5):
        refused(lambda event=event: client.on(event, print), "event")


async def test_i6_subscribing(gateway: Gateway) -> None:
    async with RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret
    ) as rc:
        await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension()
        await rc.install_extension(ext)
        asked = len(gateway.log())
        for filters in (f"{FILTER} ", f" {FILTER}", f"{FILTER}\n", "restapi", ""):
            with pytest.raises(ConfigurationError, match=r"^event_filters: "):
                await ext.subscribe([FILTER, filters])
        for filters in (FILTER, [], None, [None], {FILTER: 1}.values):
            with pytest.raises(ConfigurationError, match=r"^event_filters: "):
                await ext.subscribe(filters)  # type: ignore[arg-type]
        for callback in (yields, yields_at_once, "print"):
            with pytest.raises(ConfigurationError, match=r"^callback: "):
                await ext.subscribe([FILTER], callback)  # type: ignore[arg-type]
        for info in ({}, "1", 5, {"id": 1.5}):
            with pytest.raises(ConfigurationError, match=r"^subscription_info: "):
                await ext.subscribe([FILTER], None, info)  # type: ignore[arg-type]
        assert len(gateway.log()) == asked
        subscription = await ext.subscribe([FILTER])
        with pytest.raises(ConfigurationError, match=r"^event_filters: "):
            await subscription.update([f"{FILTER} "])
        assert isinstance(subscription, Subscription)


def test_i6_a_switch_is_true_or_false() -> None:
    refused(lambda: WebSocketExtension(rest_over_websocket="yes"), "rest_over_websocket")  # type: ignore[arg-type]
    ext = WebSocketExtension()
    for value in ("yes", 1, None):
        refused(lambda value=value: setattr(ext, "rest_over_websocket", value), "rest_over_websocket")
    ext.rest_over_websocket = True
    assert ext.rest_over_websocket


# -- I11 ---------------------------------------------------------------------------------------------------------------


def test_i11_a_check_does_not_depend_on_annotations_being_text() -> None:
    source = "\n".join(
        (
            "from dataclasses import dataclass",
            "from rcex_ws.options import Seconds, check_fields, checked",
            "@dataclass",
            "class Options:",
            "    timeout: Seconds = 1.0",
            "    def __post_init__(self): check_fields(self)",
            "@checked",
            "def wait(timeout: Seconds = 1.0): ...",
        )
    )
    for future in ("", "from __future__ import annotations\n"):
        module = types.ModuleType("made_here")
        sys.modules["made_here"] = module
        try:
            exec(future + source, module.__dict__)
            for make in (module.Options, module.wait):
                for value in (-1, 0, math.nan, "1", None):
                    refused(lambda make=make, value=value: make(timeout=value), "timeout")
                make(timeout=2)
        finally:
            del sys.modules["made_here"]


Patience = Seconds


@dataclass
class OptionsOfAnother:
    patience: Patience

    def __post_init__(self) -> None:
        check_fields(self)


def test_i11_an_alias_of_the_users_own() -> None:
    """As `ReconnectDelays` is one of ours: what counts is what it stands for."""
    refused(lambda: OptionsOfAnother(patience=-1), "patience")
