"""Failures found at closing: two closings at once (L10), a disk that is slow (L11), calls in flight (L19)."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from rcex_ws import (
    ConfigurationError,
    Events,
    FileSessionStore,
    NotConnected,
    RcexError,
    RequestLost,
    RingCentral,
    State,
    SubscriptionEnded,
    WebSocketExtension,
)
from rcex_ws.gateway import Gateway
from rcex_ws.testing import FaultProxy
from rcex_ws.wsg import StoredSession

STORE = ["/restapi/v1.0/account/~/extension/~/message-store"]
PRESENCE = ["/restapi/v1.0/account/~/extension/~/presence"]
SUBSCRIPTIONS = "/restapi/v1.0/subscription"
DELETING = f"DELETE {SUBSCRIPTIONS}/*"

Both = tuple[Gateway, FaultProxy]


async def until(condition: Callable[[], object], within: float = 5) -> None:
    with anyio.fail_after(within):
        while not condition():
            await anyio.sleep(0.005)


async def log_in(gateway: Gateway) -> RingCentral:
    rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
    await rc.authorize(jwt=gateway.jwt)
    return rc


def nothing(_: object) -> None:
    """Be a callback that has nothing to do."""


def seen(gateway: Gateway, **facts: object) -> int:
    """Count what the gateway has recorded."""
    return sum(facts.items() <= entry.items() for entry in gateway.log())


async def nothing_is_left(gateway: Gateway, proxy: FaultProxy) -> bool:
    """Tell whether every socket is closed, and no subscription counts against the limit of this user."""
    await until(lambda: proxy.connections == 0, within=1)
    async with await log_in(gateway) as another:
        return not (await another.get(SUBSCRIPTIONS)).json()["records"]


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# -- L10: two rc.aclose() at once --------------------------------------------------------------------------------------


@asynccontextmanager
async def two_extensions(gateway: Gateway) -> AsyncGenerator[tuple[RingCentral, list[WebSocketExtension]]]:
    """Give a client that is to be closed by the test, and whose good-bye takes a moment."""
    rc = await log_in(gateway)
    try:
        extensions = [WebSocketExtension(), WebSocketExtension()]
        for ext in extensions:
            await rc.install_extension(ext)
            await ext.subscribe(STORE, nothing)
        gateway.answer_fault(DELETING, delay=0.1, times=None)
        yield rc, extensions
    finally:
        await rc.aclose()


@pytest.mark.parametrize("second", ["at once", "while the first deletes"])
async def test_l10_two_closings_at_once(proxied_gateway: Both, caplog: pytest.LogCaptureFixture, second: str) -> None:
    gateway, proxy = proxied_gateway
    returned = 0
    async with two_extensions(gateway) as (rc, extensions):

        async def close() -> None:
            nonlocal returned
            await rc.aclose()
            # Whoever returns first: it is all over.
            assert [ext.state for ext in extensions] == [State.CLOSED] * 2
            assert seen(gateway, kind="unsubscribe") == 2
            assert not rc.tasks.running
            returned += 1

        with anyio.fail_after(4):
            async with anyio.create_task_group() as group:
                group.start_soon(close)
                if second != "at once":
                    await until(lambda: seen(gateway, kind="unsubscribe"))
                group.start_soon(close)
                group.start_soon(close)
    assert returned == 3
    assert await nothing_is_left(gateway, proxy)
    assert complaints(caplog) == []


async def test_l10_the_closing_goes_on_when_one_who_waits_for_it_is_cancelled(
    proxied_gateway: Both, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, proxy = proxied_gateway
    first = anyio.CancelScope()
    async with two_extensions(gateway) as (rc, extensions):

        async def close() -> None:
            with first:
                await rc.aclose()

        with anyio.fail_after(4):
            async with anyio.create_task_group() as group:
                group.start_soon(close)
                await until(lambda: seen(gateway, kind="unsubscribe"))
                first.cancel()
                await rc.aclose()
                assert [ext.state for ext in extensions] == [State.CLOSED] * 2
                assert not rc.tasks.running
    assert await nothing_is_left(gateway, proxy)
    assert complaints(caplog) == []


@pytest.mark.parametrize("first", ["inside", "outside"])
@pytest.mark.parametrize("place", ["callback", "handler", "on_gap"])
async def test_l10_one_of_two_closings_comes_from_inside(
    proxied_gateway: Both, caplog: pytest.LogCaptureFixture, place: str, first: str
) -> None:
    gateway, proxy = proxied_gateway
    rc = await log_in(gateway)
    entered, may_close, finished = anyio.Event(), anyio.Event(), anyio.Event()

    async def close_inside(_: object) -> None:
        entered.set()
        await may_close.wait()
        await rc.aclose()
        await anyio.lowlevel.checkpoint()
        finished.set()

    async def close_outside() -> None:
        await rc.aclose()

    try:
        ext = WebSocketExtension(on_gap=close_inside if place == "on_gap" else None, close_timeout=1)
        other = WebSocketExtension(close_timeout=1)
        ext.on(Events.ERROR, nothing)  # else it would be logged
        if place == "handler":
            ext.on(Events.DISCONNECTED, close_inside)
        await rc.install_extension(ext)
        await rc.install_extension(other)
        await ext.subscribe(STORE, close_inside if place == "callback" else nothing)
        await other.subscribe(PRESENCE, nothing)
        other.on(Events.ERROR, nothing)
        gateway.answer_fault(DELETING, delay=0.1, times=None)
        if place == "callback":
            gateway.notify(STORE[0], {"i": 1})
        elif place == "handler":
            gateway.cut()
        else:
            gateway.send_raw("no JSON")  # it may have been a notification: a possible gap
        with anyio.fail_after(4):
            await entered.wait()
            async with anyio.create_task_group() as group:
                if first == "inside":
                    may_close.set()
                    await until(lambda: seen(gateway, kind="unsubscribe"))
                    group.start_soon(close_outside)
                else:
                    group.start_soon(close_outside)
                    await until(lambda: seen(gateway, kind="unsubscribe"))
                    may_close.set()
                await finished.wait()  # it is not cancelled by what it asked for
    finally:
        await rc.aclose()
    assert (ext.state, other.state) == (State.CLOSED, State.CLOSED)
    assert not rc.tasks.running
    assert await nothing_is_left(gateway, proxy)
    assert complaints(caplog) == []


# -- L19: calls in flight when closing begins --------------------------------------------------------------------------

CLOSINGS: dict[str, Callable[[RingCentral, WebSocketExtension], Awaitable[None]]] = {
    "rc.aclose": lambda rc, ext: rc.aclose(),
    "revoke": lambda rc, ext: ext.revoke(),
}


class Call:
    """A call in a task of its own, and what became of it."""

    def __init__(self, function: Callable[[], Awaitable[object]]) -> None:
        self._function = function
        self.raised: RcexError | None = None
        self.done = False

    async def run(self) -> None:
        try:
            await self._function()
        except RcexError as exc:
            self.raised = exc
        self.done = True


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("what", ["subscribe", "replace", "update"])
async def test_l19_a_subscribe_in_flight_ends_and_leaves_nothing(
    proxied_gateway: Both, what: str, closing: str, ms: float
) -> None:
    gateway, proxy = proxied_gateway
    rc = await log_in(gateway)
    ext = WebSocketExtension()
    await rc.install_extension(ext)
    subscription = None if what == "subscribe" else await ext.subscribe(PRESENCE, nothing)
    gateway.answer_fault("subscription", delay=300 * ms)  # carried out at once, answered late
    call = Call(lambda: subscription.update(STORE) if subscription and what == "update" else ext.subscribe(STORE))
    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await until(lambda: seen(gateway, kind="subscribe" if subscription is None else "resubscribe"))
            assert not call.done
            await CLOSINGS[closing](rc, ext)
            await until(lambda: call.done, within=1)
    # An update may say as well that it got no answer, or that there is nothing left to update.
    assert isinstance(call.raised, (NotConnected, RequestLost, SubscriptionEnded) if what == "update" else NotConnected)
    await rc.aclose()
    assert await nothing_is_left(gateway, proxy)


@pytest.mark.parametrize("closing", ["detach", "rc.aclose"])
async def test_l19_a_first_subscribe_in_flight_leaves_nothing_when_the_session_is_kept(
    proxied_gateway: Both, tmp_path: Path, closing: str, ms: float
) -> None:
    """Nobody will ask for what it made: the caller was told that there is none."""
    gateway, proxy = proxied_gateway
    rc = await log_in(gateway)
    ext = WebSocketExtension(session_store=FileSessionStore(tmp_path / "session.json"))
    await rc.install_extension(ext)
    gateway.answer_fault("subscription", delay=300 * ms)
    call = Call(lambda: ext.subscribe(STORE))
    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await until(lambda: seen(gateway, kind="subscribe"))
            await (ext.detach() if closing == "detach" else rc.aclose())
            await until(lambda: call.done, within=1)
    assert isinstance(call.raised, NotConnected)
    await rc.aclose()
    assert await nothing_is_left(gateway, proxy)


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("when", ["no connection yet", "while it deletes"])
async def test_l19_a_subscribe_that_has_not_begun_ends_too(proxied_gateway: Both, when: str, closing: str) -> None:
    gateway, proxy = proxied_gateway
    rc = await log_in(gateway)
    if when == "no connection yet":
        gateway.refuse("upgrade", "hang", times=None)
    ext = WebSocketExtension(start_in_background=when == "no connection yet")
    await rc.install_extension(ext)
    if when == "while it deletes":
        await ext.subscribe(PRESENCE, nothing)
        gateway.answer_fault(DELETING, delay=0.2, times=None)
    call = Call(lambda: ext.subscribe(STORE))
    closed = Call(lambda: CLOSINGS[closing](rc, ext))
    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            if when == "no connection yet":
                group.start_soon(call.run)
                await until(lambda: seen(gateway, kind="upgrade_refused"))
                await closed.run()
            else:
                group.start_soon(closed.run)
                await until(lambda: seen(gateway, kind="unsubscribe"))
                await call.run()
            await until(lambda: call.done and closed.done)
    assert isinstance(call.raised, NotConnected)
    await rc.aclose()
    assert await nothing_is_left(gateway, proxy)


#: Where `connect()` waits: how the gateway keeps it, and what it records by then.
STEPS: dict[str, tuple[Callable[[Gateway], None], dict[str, object]]] = {
    "wstoken": (
        lambda gateway: gateway.refuse("wstoken", "hang", times=None),
        {"path": "/restapi/oauth/wstoken", "status": "hang"},
    ),
    "upgrade": (lambda gateway: gateway.refuse("upgrade", "hang", times=None), {"kind": "upgrade_refused"}),
    "details": (lambda gateway: gateway.refuse("details", "hang", times=None), {"kind": "details_refused"}),
    "schedule": (lambda gateway: gateway.refuse("upgrade", 503, times=None), {"kind": "upgrade_refused"}),
    "old life": (lambda gateway: gateway.answer_fault(DELETING, delay=0.2, times=None), {"kind": "unsubscribe"}),
}


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("step", STEPS)
async def test_l19_connect_in_flight_does_not_wait_out_its_time(proxied_gateway: Both, step: str, closing: str) -> None:
    gateway, proxy = proxied_gateway
    rc = await log_in(gateway)
    ext = WebSocketExtension(reconnect_delays=lambda n: 1000)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, nothing)
    if step != "old life":
        await ext.revoke()
    spoil, sign = STEPS[step]
    spoil(gateway)
    opened = seen(gateway, kind="connect")
    call = Call(ext.connect)
    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            await until(lambda: seen(gateway, **sign))
            await CLOSINGS[closing](rc, ext)
            await until(lambda: call.done, within=1)
    assert isinstance(call.raised, NotConnected)
    assert ext.state is State.CLOSED
    await rc.aclose()
    assert seen(gateway, kind="connect") == opened
    assert not rc.tasks.running
    assert await nothing_is_left(gateway, proxy)


async def test_l19_connect_that_begins_while_the_client_closes(proxied_gateway: Both) -> None:
    gateway, proxy = proxied_gateway
    rc = await log_in(gateway)
    ext = WebSocketExtension()
    await rc.install_extension(ext)
    await ext.subscribe(STORE, nothing)
    gateway.answer_fault(DELETING, delay=0.2, times=None)
    opened = seen(gateway, kind="connect")
    call = Call(ext.connect)
    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            group.start_soon(rc.aclose)
            await until(lambda: seen(gateway, kind="unsubscribe"))
            await call.run()
    assert isinstance(call.raised, NotConnected)
    assert seen(gateway, kind="connect") == opened
    assert not rc.tasks.running
    assert await nothing_is_left(gateway, proxy)


# -- L11: the disk is slow ---------------------------------------------------------------------------------------------


class Disk:
    """Stop a write at `os.fsync`, in the worker thread that makes it; at the end of `with` it goes on.

    Attributes:
        slow: whether the next write is stopped.
        stopped: set when one is.
        ended: set when that one is through: it has replaced the file, or thought better of it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slow = False
        self.stopped = threading.Event()
        self.ended = threading.Event()
        self._go_on = threading.Event()
        self._writer: threading.Thread | None = None
        fsync = os.fsync

        def slow_fsync(descriptor: int) -> None:
            if self.slow:
                self.slow = False
                self._writer = threading.current_thread()
                self.stopped.set()
                assert self._go_on.wait(30), "the test has forgotten to release it"
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", slow_fsync)
        for name in ("replace", "unlink"):
            monkeypatch.setattr(os, name, self._noting(getattr(os, name)))

    def _noting(self, last_step: Callable[..., None]) -> Callable[..., None]:
        def step(*args: object, **kwargs: object) -> None:
            try:
                last_step(*args, **kwargs)
            finally:
                if threading.current_thread() is self._writer:
                    self._writer = None
                    self.ended.set()

        return step

    def release(self) -> None:
        self._go_on.set()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.release()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


async def subscribed(rc: RingCentral, store: FileSessionStore, *, close_timeout: float = 5) -> WebSocketExtension:
    ext = WebSocketExtension(session_store=store, close_timeout=close_timeout)
    await rc.install_extension(ext)
    await ext.subscribe(STORE, nothing)
    return ext


async def stop_a_write(gateway: Gateway, disk: Disk) -> None:
    """Cause a write in the background, and let it hang."""
    disk.slow = True
    gateway.notify(STORE[0], {"i": 1})
    await until(disk.stopped.is_set)


@pytest.mark.parametrize("which", ["background", "last"])
async def test_l11_detach_is_bounded_and_the_file_stays_locked_while_a_thread_writes(
    gateway: Gateway, tmp_path: Path, disk: Disk, which: str
) -> None:
    path = tmp_path / "session.json"
    async with await log_in(gateway) as rc:
        ext = await subscribed(rc, FileSessionStore(path), close_timeout=0.4)
        detach = Call(ext.detach)
        in_time = False
        with disk:
            if which == "background":
                await stop_a_write(gateway, disk)
            else:
                disk.slow = True
            async with anyio.create_task_group() as group:
                group.start_soon(detach.run)
                with anyio.move_on_after(1.5):  # "about" close_timeout
                    await until(lambda: detach.done)
                in_time = detach.done
                if not in_time:
                    disk.release()
            assert in_time
            assert disk.stopped.is_set()
            with pytest.raises(ConfigurationError, match="in use"):
                await FileSessionStore(path).open()
        patient = FileSessionStore(path, wait=5)
        assert await patient.open() is not None
        assert disk.ended.is_set()
        await patient.close()


async def test_l11_the_next_owner_is_not_overwritten(gateway: Gateway, tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "session.json"
    async with await log_in(gateway) as rc:
        old = await subscribed(rc, FileSessionStore(path), close_timeout=0.4)
        new = WebSocketExtension(session_store=FileSessionStore(path, wait=5))
        written = anyio.Event()

        async def release() -> None:
            with anyio.move_on_after(0.3):  # long enough for one who thinks that the file is free
                await written.wait()
            disk.release()

        with disk, anyio.fail_after(5):
            await stop_a_write(gateway, disk)
            await old.detach()
            async with anyio.create_task_group() as group:
                group.start_soon(release)
                await rc.install_extension(new)
                await new.subscribe(PRESENCE, nothing)  # which is written when it returns
                written.set()
                await until(disk.ended.is_set)
        assert "presence" in path.read_text()


class Recording(FileSessionStore):
    """A store that remembers what it was given to keep."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.saved: list[StoredSession] = []

    async def save(self, session: StoredSession) -> None:
        self.saved.append(session)
        await super().save(session)


async def test_l11_an_older_slow_write_does_not_end_up_behind_a_newer_one(
    gateway: Gateway, tmp_path: Path, disk: Disk
) -> None:
    recording = Recording(tmp_path / "recorded.json")
    async with await log_in(gateway) as rc:
        ext = await subscribed(rc, recording)
        await ext.subscribe(PRESENCE, nothing)
    older, newer = recording.saved[0], recording.saved[-1]
    assert older != newer

    store = FileSessionStore(tmp_path / "session.json")
    await store.open()
    given_up = anyio.CancelScope()

    async def save_older() -> None:
        with given_up:
            await store.save(older)

    with disk, anyio.fail_after(5):
        disk.slow = True
        async with anyio.create_task_group() as group:
            group.start_soon(save_older)
            await until(disk.stopped.is_set)
            given_up.cancel()
            group.start_soon(store.save, newer)
            with anyio.move_on_after(0.2):  # long enough for a write that does not wait for its turn
                await until(lambda: store.path.exists())
            disk.release()
        await until(disk.ended.is_set)
    await store.close()
    patient = FileSessionStore(store.path, wait=5)
    assert await patient.open() == newer
    await patient.close()


async def test_l11_what_subscribe_has_written_stays_though_an_older_write_was_slow(
    gateway: Gateway, tmp_path: Path, disk: Disk
) -> None:
    path = tmp_path / "session.json"
    async with await log_in(gateway) as rc:
        ext = await subscribed(rc, FileSessionStore(path))
        with disk, anyio.fail_after(5):
            await stop_a_write(gateway, disk)
            async with anyio.create_task_group() as group:
                group.start_soon(ext.subscribe, PRESENCE, nothing)
                with anyio.move_on_after(0.2):  # it may wait for its turn before it asks the server
                    await until(lambda: seen(gateway, kind="resubscribe"))
                disk.release()
            await until(disk.ended.is_set)
        # subscribe() has returned: a process killed in this moment goes on with these filters.
        assert "presence" in path.read_text()
