"""Lifecycle events: names, handlers, isolation."""

from __future__ import annotations

import anyio
import pytest

from rcex_ws import ConfigurationError, Events, WebSocketExtension


def test_events_are_the_strings_of_the_original():
    assert Events.AUTO_RECOVER_SUCCESS == "autoRecoverSuccess"
    assert [str(event) for event in Events][:6] == [
        "autoRecoverSuccess",
        "autoRecoverFailed",
        "autoRecoverError",
        "newWebSocketObject",
        "newWsc",
        "connectionReady",
    ]


def test_an_unknown_event_is_named():
    with pytest.raises(ConfigurationError, match="newWSC"):
        WebSocketExtension().on("newWSC", print)


async def test_plain_strings_decorators_and_unsubscribers(rc, told):
    ext = WebSocketExtension()
    got = []

    @ext.on("connectionReady")
    def ready(ws):
        got.append("decorated")

    off = ext.on(Events.CONNECTION_READY, lambda ws: got.append("taken off"))
    off()
    off()
    ext.event_emitter.once("connectionReady", lambda ws: told.add("once", ws))
    await rc.install_extension(ext)
    await told.wait("once")
    assert got == ["decorated"]
    assert ready is not None


async def test_handlers_run_in_order_and_do_not_delay_the_connection(rc, make_ext, told):
    ext = make_ext()
    gate = anyio.Event()

    @ext.on("newWebSocketObject")
    async def slow(ws):
        await gate.wait()
        told.add("slow")

    with anyio.fail_after(5):
        await rc.install_extension(ext)
    gate.set()
    await told.wait(Events.CONNECTION_READY)
    assert told.names.index("slow") < told.names.index("newWsc")


async def test_an_exception_in_a_handler_is_logged_and_emitted_as_error(rc, make_ext, told, caplog):
    ext = make_ext()

    @ext.on("newWsc")
    async def buggy(wsc):
        raise ValueError("a bug of the application")

    await rc.install_extension(ext)
    assert str(await told.wait("error")) == "a bug of the application"
    await told.wait("connectionReady")
    assert "newWsc" in caplog.text


async def test_error_without_listener_is_logged(rc, caplog):
    ext = WebSocketExtension()
    await rc.install_extension(ext)
    ext.event_emitter.emit("error", ValueError("nobody listens"))
    with anyio.fail_after(5):
        while "nobody listens" not in caplog.text:
            await anyio.lowlevel.checkpoint()
