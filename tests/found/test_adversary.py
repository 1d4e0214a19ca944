"""Failures found by trying to break what keeps the promise: odd orders of events, middlewares, answers and disks."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from rcex_ws import (
    Events,
    FileSessionStore,
    RcexError,
    RingCentral,
    State,
    SubscriptionState,
    WebSocketExtension,
)
from rcex_ws.gateway import Gateway
from rcex_ws.rest import Extension, Request, Response, Send
from tests.found.lost import covering, delete, extension, logged_in, until, utc_now
from tests.found.peer import MESSAGES, PRESENCE
from tests.told import Told

POST = "POST /restapi/v1.0/subscription"
PUT = "PUT /restapi/v1.0/subscription/*"
DELETE = "DELETE /restapi/v1.0/subscription/*"


class Middleware(Extension):
    """Stand around calls; only those about subscriptions are kept waiting.

    Attributes:
        hold: methods that are kept waiting.
        hold_answers: methods whose answers are.
        held: how many wait.
        broken: methods, or "wstoken", for which it raises an error of its own, each once.
    """

    def __init__(self) -> None:
        self.hold: set[str] = set()
        self.hold_answers: set[str] = set()
        self.held = 0
        self.broken: list[str] = []
        self._go_on = anyio.Event()

    async def handle(self, request: Request, call_next: Send) -> Response:
        what = "wstoken" if request.path.endswith("/wstoken") else request.method
        if "/subscription" in request.path and what in self.hold:
            self.held += 1
            await self._go_on.wait()
        if what in self.broken:
            self.broken.remove(what)
            raise KeyError("a bug of the application")
        try:
            return await call_next(request)
        finally:
            if "/subscription" in request.path and request.method in self.hold_answers:
                self.held += 1
                await self._go_on.wait()

    @asynccontextmanager
    async def holding(self, call: Callable[[], Awaitable[object]]) -> AsyncGenerator[None]:
        """Begin a call and keep it waiting, in the end let it go; it may fail."""
        async with anyio.create_task_group() as group:
            group.start_soon(_try, call)
            await until(lambda: self.held)
            yield
            self.let_go()

    def let_go(self) -> None:
        self.hold.clear()
        self.hold_answers.clear()
        self._go_on.set()


@asynccontextmanager
async def client(
    gateway: Gateway, folder: Path, told: Told, **options: Any
) -> AsyncGenerator[tuple[RingCentral, WebSocketExtension, Middleware]]:
    """Be a client with a middleware and an extension."""
    async with logged_in(gateway, folder) as rc:
        middleware, ext = Middleware(), extension(told, **options)
        await rc.install_extension(middleware)
        await rc.install_extension(ext)
        yield rc, ext, middleware


async def _try(call: Callable[[], Awaitable[object]]) -> None:
    with suppress(RcexError):
        await call()


async def _records(rc: RingCentral) -> list[list[str]]:
    """Give the last words of the filters of all subscriptions at the server."""
    records = (await rc.get("/restapi/v1.0/subscription")).json()["records"]
    return [[text.rpartition("/")[2] for text in record["eventFilters"]] for record in records]


async def _lose_session(gateway: Gateway, told: Told) -> None:
    """Have the server forget the session, and wait until the client is ready with another."""
    gateway.fail_recovery()
    gateway.cut()
    await told.until(lambda: len(told.of(Events.CONNECTION_READY)) == 2)


def _puts(gateway: Gateway) -> list[dict[str, Any]]:
    return [entry for entry in gateway.log() if entry["kind"] == "request" and entry["method"] == "PUT"]


def _made(gateway: Gateway) -> int:
    """Count the subscriptions that were made."""
    return sum(entry["kind"] == "subscribe" for entry in gateway.log())


async def test_a_call_held_back_by_a_middleware_does_not_go_out_over_a_later_session(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, middleware):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        middleware.hold = {"PUT"}
        async with middleware.holding(lambda: subscription.update([PRESENCE])):
            await _lose_session(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)
        assert await _records(rc) == [["message-store"]]


async def test_a_post_held_back_does_not_replace_the_subscription_of_a_later_session(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, middleware):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await delete(rc, subscription)  # so that an update ends in a POST
        middleware.hold = {"POST"}
        async with middleware.holding(lambda: subscription.update([PRESENCE])):
            middleware.hold = set()
            await _lose_session(gateway, told)
        assert await _records(rc) == [["message-store"]]
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)


@pytest.mark.parametrize("held", ["call", "answer"])
async def test_a_subscription_made_while_another_is_being_deleted_is_deleted_too(
    gateway: Gateway, tmp_path: Path, told: Told, held: str
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, middleware):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        (middleware.hold if held == "call" else middleware.hold_answers).add("DELETE")
        async with middleware.holding(subscription.revoke):
            await _lose_session(gateway, told)
        await ext.revoke()
        assert await _records(rc) == []


async def test_an_update_does_not_bring_a_failed_subscription_back_to_a_life_without_consumer(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, middleware):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await delete(rc, subscription)
        middleware.hold_answers = {"PUT"}  # which is 404
        async with middleware.holding(lambda: subscription.update([PRESENCE])):
            gateway.refuse(POST, 403)
            await _lose_session(gateway, told)
        assert subscription.state is SubscriptionState.FAILED
        assert ext.subscription is None
        assert await _records(rc) == []


@pytest.mark.parametrize("recovered", [False, True])
async def test_a_subscription_whose_answer_comes_after_the_end_of_its_connection_is_deleted(
    gateway: Gateway, tmp_path: Path, told: Told, recovered: bool
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, middleware):
        middleware.hold_answers = {"POST"}
        async with anyio.create_task_group() as group:
            group.start_soon(ext.subscribe, [MESSAGES], told.on_notification)
            await until(lambda: middleware.held)
            if not recovered:
                gateway.fail_recovery()
            gateway.cut()
            await told.until(lambda: len(told.of(Events.CONNECTION_READY)) == 2)
            middleware.let_go()
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)
        await ext.revoke()
        assert await _records(rc) == []


@pytest.mark.parametrize("orphan", [False, True])
async def test_a_deletion_that_is_refused_for_the_moment_is_made_up_for(
    gateway: Gateway, tmp_path: Path, told: Told, orphan: bool
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        gateway.refuse(DELETE, 503)
        if orphan:
            gateway.fail_recovery()
            gateway.cut()
            await until(lambda: any(e["kind"] == "request" and e["status"] == 503 for e in gateway.log()))
        else:
            await _try(subscription.revoke)
        assert len(await _records(rc)) == 1 + orphan
        await ext.revoke()
        assert await _records(rc) == []


async def test_what_a_cancelled_refresh_has_found_out_is_told(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await delete(rc, subscription)
        assert gateway.notify(MESSAGES, {"i": 1}) == []
        gateway.answer_fault(POST, delay=0.3)
        with anyio.move_on_after(0.15) as scope:
            await subscription.refresh()
        assert scope.cancelled_caught
        await told.until(lambda: any(gap.certain for gap in told.gaps))


async def test_what_was_found_out_is_told_though_a_write_hangs_until_it_is_closed(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(gateway, tmp_path, told, file=tmp_path / "session.json", close_timeout=1.0) as (rc, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await delete(rc, subscription)
        assert gateway.notify(MESSAGES, {"i": 1}) == []
        store, hanging = ext._settings.session_store, anyio.Event()
        assert store is not None
        save = store.save

        async def save_or_hang(session: Any) -> None:
            if hang_next and not session.subscription.doubt:
                hang_next.clear()
                hanging.set()
                await anyio.sleep_forever()
            await save(session)

        hang_next: list[bool] = []
        monkeypatch.setattr(store, "save", save_or_hang)
        gateway.answer_fault(POST, delay=0.3)
        async with anyio.create_task_group() as group:
            group.start_soon(_try, subscription.refresh)
            await until(lambda: _made(gateway) == 2)
            hang_next.append(True)  # until the answer has come, each write still bears the doubt
            with anyio.fail_after(5):
                await hanging.wait()
            await ext.detach()
    assert any(gap.certain for gap in told.gaps)


async def test_closing_leaves_no_subscription_that_is_being_made_again(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (rc, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        await delete(rc, subscription)
        gateway.refuse(POST, 500)
        await _try(lambda: subscription.update([PRESENCE]))  # it is gone, and will be made again in the background
        gateway.answer_fault(POST, delay=0.3, times=None)
        await until(lambda: _made(gateway) == 2)
        await ext.revoke()
        assert await _records(rc) == []


async def test_retry_after_bounds_the_wait_before_the_filters_are_asserted_again(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (_, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        gateway.refuse(PUT, 503, times=2, retry_after=1)
        await _try(lambda: subscription.update([PRESENCE]))
        await until(lambda: len(_puts(gateway)) == 2)
        begun = anyio.current_time()
        await until(lambda: len(_puts(gateway)) == 3)
        assert anyio.current_time() - begun > 0.9


async def test_a_glitch_of_401_does_not_end_the_subscription(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    async with client(gateway, tmp_path, told) as (_, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        gateway.refuse(POST, 401, times=2)
        await _lose_session(gateway, told)
        assert subscription.state is SubscriptionState.ACTIVE
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)


async def test_a_middleware_that_raises_does_not_end_the_client_when_it_subscribes_anew(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (_, ext, middleware):
        await ext.subscribe([MESSAGES], told.on_notification)
        middleware.broken = ["POST"]
        await _lose_session(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)


async def test_a_middleware_that_raises_does_not_end_the_client_when_it_asks_for_a_wstoken(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (_, ext, middleware):
        await ext.subscribe([MESSAGES], told.on_notification)
        middleware.broken = ["wstoken"]
        gateway.cut()
        await told.until(lambda: len(told.of(Events.CONNECTION_READY)) == 2)
        (error,) = told.of(Events.AUTO_RECOVER_ERROR)
        assert error.retryable
        assert isinstance(error.__cause__, KeyError)
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)


async def test_a_middleware_that_raises_does_not_end_the_client_when_it_asserts_the_filters(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    async with client(gateway, tmp_path, told) as (_, ext, middleware):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        middleware.broken = ["PUT", "PUT"]
        with pytest.raises(KeyError):
            await subscription.update([PRESENCE])
        await until(lambda: len(_puts(gateway)) == 1)
        assert ext.state is State.READY
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)


async def test_a_disk_that_hangs_does_not_keep_it_from_subscribing_anew(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(gateway, tmp_path, told, file=tmp_path / "session.json", close_timeout=0.5) as (_, ext, _):
        await ext.subscribe([MESSAGES], told.on_notification)

        async def hang(_: object) -> None:
            await anyio.sleep(60)

        monkeypatch.setattr(ext._settings.session_store, "save", hang)
        await _lose_session(gateway, told)
        gateway.notify(MESSAGES, {"i": 1})
        await told.number(1)


async def test_a_disk_that_hangs_does_not_keep_a_change_of_filters_waiting_for_ever(
    gateway: Gateway, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rcex_ws.wsg.keeper._PATIENCE", 0.2, raising=False)
    async with client(gateway, tmp_path, told, file=tmp_path / "session.json", close_timeout=0.5) as (_, ext, _):
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        store, released = ext._settings.session_store, anyio.Event()
        assert store is not None
        save, saved = store.save, list[Any]()

        async def hang(session: Any) -> None:
            await released.wait()
            await save(session)
            saved.append(session)

        monkeypatch.setattr(store, "save", hang)
        with anyio.fail_after(4):
            await subscription.update([PRESENCE])
        gateway.notify(PRESENCE, {"i": 1})
        await told.number(1)
        released.set()
        await until(lambda: saved and saved[-1].subscription.wanted == (PRESENCE,))  # nobody has to ask for it


@pytest.mark.parametrize("steps", range(12))
async def test_an_install_that_is_overtaken_by_the_end_of_the_client_leaves_nothing(
    gateway: Gateway, told: Told, steps: int
) -> None:
    rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
    await rc.authorize(jwt=gateway.jwt)
    ext = extension(told)

    async def install() -> None:
        with suppress(RcexError, RuntimeError):  # the latter: the client is closed
            await rc.install_extension(ext)

    with anyio.fail_after(8):
        async with anyio.create_task_group() as group:
            group.start_soon(install)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            await rc.aclose()
    assert not rc.tasks.running
    assert ext.state in (State.IDLE, State.CLOSED)


async def test_an_install_that_waits_for_the_store_when_the_client_is_closed_does_not_keep_it(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    file = tmp_path / "session.json"
    async with logged_in(gateway, tmp_path) as first:
        await first.install_extension(extension(told, file))
        rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
        await rc.authorize(jwt=gateway.jwt)
        second = extension(told, session_store=FileSessionStore(file, wait=5))
        async with anyio.create_task_group() as group:
            group.start_soon(_try, lambda: rc.install_extension(second))
            await until(lambda: second.state is State.IDLE and second._runtime is not None)
            await rc.aclose()
            await first.aclose()
        assert not rc.tasks.running
    async with logged_in(gateway, tmp_path) as third:
        await third.install_extension(extension(told, file))


@pytest.mark.parametrize("found", ["by a recovery", "in an answer"])
async def test_killed_while_the_hook_for_a_gap_runs_the_next_process_tells_the_gap_again(
    gateway: Gateway, tmp_path: Path, told: Told, found: str
) -> None:
    file, hooked, go_on, then = tmp_path / "session.json", anyio.Event(), anyio.Event(), Told()

    async def read_again(_: object) -> None:
        hooked.set()
        await go_on.wait()

    async with client(gateway, tmp_path, told, file=file, on_gap=read_again) as (rc, ext, _):
        proven = utc_now()
        subscription = await ext.subscribe([MESSAGES], told.on_notification)
        if found == "by a recovery":
            gateway.fail_recovery()
            gateway.cut()
            gateway.notify(MESSAGES, {"i": 1})
        else:
            await delete(rc, subscription)
            assert gateway.notify(MESSAGES, {"i": 1}) == []
        lost = utc_now()
        async with anyio.create_task_group() as group:
            if found == "in an answer":
                group.start_soon(subscription.refresh)
            await hooked.wait()
            before = file.stat().st_mtime_ns
            gateway.notify(MESSAGES, {"i": 2})  # so that the session is stored once more
            await until(lambda: file.stat().st_mtime_ns != before)
            killed = tmp_path / "killed.json"
            shutil.copy(file, killed)
            go_on.set()
        await told.number(2)
        await until(lambda: b'"certain":true' not in file.read_bytes())  # once it is told, that is over
    async with client(gateway, tmp_path, then, file=killed) as (_, ext, _):
        await ext.subscribe([MESSAGES], then.on_notification)
        await then.until(lambda: then.gaps)
        assert [gap for gap in covering(then.gaps, lost, proven=proven) if gap.certain], then.gaps
