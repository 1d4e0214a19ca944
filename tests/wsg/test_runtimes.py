"""One runtime after the other: opening and closing at once, and the events in between."""

from __future__ import annotations

import anyio
import pytest

from rcex_ws import NotConnected, State
from tests.wsg.conftest import STORE


async def test_while_it_is_being_installed_it_is_not_connected(rc, make_ext):
    ext = make_ext()
    async with anyio.create_task_group() as group, ext._runtimes._one_opening_at_a_time:
        group.start_soon(rc.install_extension, ext)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(NotConnected, match=r"^the extension is not connected; use connect\(\)$"):
            await ext.subscribe([STORE], lambda notification: None)
    assert ext.state is State.READY


async def test_a_crash_of_the_task_of_events_is_logged_and_the_end_of_the_program_is_not(ext, caplog):
    ext._runtimes._emitter_crashed(NotConnected("the program ends"))
    assert caplog.records == []
    ext._runtimes._emitter_crashed(ValueError("a bug"))
    (record,) = caplog.records
    assert "the task of lifecycle events crashed" in record.getMessage()
    assert str(record.exc_info[1]) == "a bug"


async def test_a_life_that_begins_while_the_last_one_ends_keeps_its_events(ext, told, send, until, monkeypatch):
    first = ext._runtime
    stop = first.stop

    async def stop_late(*, keep_session, quiet=False):
        await stop(keep_session=keep_session, quiet=quiet)
        if keep_session:
            await until(lambda: ext._runtime is not first)

    monkeypatch.setattr(first, "stop", stop_late)
    async with anyio.create_task_group() as group:
        group.start_soon(ext.detach)
        await anyio.wait_all_tasks_blocked()
        await ext.connect()
    await ext.subscribe([STORE], told.on_notification)
    send(1)
    await told.number(1)
    assert ext.state is State.READY


async def test_a_slow_handler_of_the_last_life_does_not_end_the_events_of_the_next(
    rc, make_ext, told, send, until, monkeypatch
):
    ext = make_ext(close_timeout=1.0)
    await rc.install_extension(ext)
    stopping, entered = anyio.Event(), anyio.Event()
    stop = ext.event_emitter.stop

    def stop_events(*, within):
        stop(within=within)
        stopping.set()

    async def slow(_):
        entered.set()
        await anyio.sleep_forever()

    monkeypatch.setattr(ext.event_emitter, "stop", stop_events)
    ext.event_emitter.once("disconnected", slow)
    ext.ws.abort()
    await entered.wait()
    async with anyio.create_task_group() as group:
        group.start_soon(ext.detach)
        await stopping.wait()
        await ext.connect()
    assert ext.state is State.READY
    told.items.clear()
    ext.ws.abort()
    await told.wait("connectionReady")
    assert "disconnected" in told.names
