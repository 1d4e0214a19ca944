"""Failures found around changing filters: a refusal in the middle, a cancellation at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws import (
    Events,
    FileSessionStore,
    Gap,
    RestError,
    RingCentral,
    Subscription,
    SubscriptionState,
    WebSocketExtension,
)
from rcex_ws.gateway import Gateway
from tests.found.lost import covering, delete, extension, logged_in, until, utc_now
from tests.found.peer import MESSAGES, PRESENCE
from tests.told import Told

POST = "POST /restapi/v1.0/subscription"
PUT = "PUT /restapi/v1.0/subscription/*"


@pytest.fixture
async def rc(gateway: Gateway, tmp_path: Path) -> AsyncIterator[RingCentral]:
    async with logged_in(gateway, tmp_path) as rc:
        yield rc


@pytest.fixture(params=["subscribe", "update"])
def change(request: pytest.FixtureRequest) -> Callable[..., Awaitable[Any]]:
    """Return the two ways to other filters: `change(ext, subscription, filters, callback)`."""

    async def change(ext: WebSocketExtension, subscription: Subscription, filters: list[str], callback: Any) -> None:
        if request.param == "subscribe":
            await ext.subscribe(filters, callback)
        else:
            await subscription.update(filters)

    return change


def _served(gateway: Gateway) -> list[list[str]]:
    """Give the paths of the filters of each subscription call that the gateway has carried out."""
    made = [entry["filters"] for entry in gateway.log() if entry["kind"] in ("subscribe", "resubscribe")]
    return [[text.rpartition("/")[2] for text in filters] for filters in made]


# -- L3: the subscription turns out to be gone, and the new one is refused -----------------------------------------


class Gone:
    """A subscription that the server has forgotten, and an event that therefore went nowhere."""

    def __init__(self, gateway: Gateway, rc: RingCentral, ext: WebSocketExtension, told: Told) -> None:
        self.ext, self.told = ext, told
        self._gateway, self._rc = gateway, rc

    async def happen(self) -> None:
        await self._rc.install_extension(self.ext)
        self.subscription = await self.ext.subscribe([MESSAGES], self.told.on_notification)
        self._gateway.notify(MESSAGES, {"i": 1})
        await self.told.number(1)
        self.proven = utc_now()
        await delete(self._rc, self.subscription)
        self.lost = [utc_now()]
        assert self._gateway.notify(MESSAGES, {"i": 2}) == []

    def lose_another(self) -> None:
        if self._gateway.notify(MESSAGES, {"i": 2}) == []:
            self.lost.append(utc_now())

    def is_told(self) -> bool:
        """Whether each lost event is in a certain gap."""
        certain = [gap for gap in self.told.gaps if gap.certain]
        return all(covering(certain, lost, proven=self.proven) for lost in self.lost)


async def test_l3_a_passing_refusal_the_old_filters_are_posted_again_by_the_schedule(
    gateway: Gateway, rc: RingCentral, told: Told, change: Callable[..., Awaitable[Any]]
) -> None:
    gone = Gone(gateway, rc, extension(told, wait=0.2), told)
    await gone.happen()
    gateway.refuse(POST, 500, times=2)
    with pytest.raises(RestError):
        await change(gone.ext, gone.subscription, [PRESENCE], told.on_notification)
    gone.lose_another()
    await until(lambda: _served(gateway) == [["message-store"], ["message-store"]])
    gateway.notify(MESSAGES, {"i": 3})
    await told.number(3)
    assert gone.subscription.state is SubscriptionState.ACTIVE
    assert gone.subscription.event_filters == (MESSAGES,)
    assert gone.ext.subscription is gone.subscription
    await until(gone.is_told)


async def test_l3_a_final_refusal_of_the_old_filters_too_fails_the_subscription(
    gateway: Gateway, rc: RingCentral, told: Told, change: Callable[..., Awaitable[Any]]
) -> None:
    gone = Gone(gateway, rc, extension(told), told)
    await gone.happen()
    gateway.refuse(POST, 403, times=None)
    with pytest.raises(RestError):
        await change(gone.ext, gone.subscription, [PRESENCE], told.on_notification)
    await until(lambda: gone.subscription.state is SubscriptionState.FAILED)
    await told.until(lambda: any(isinstance(error, RestError) for error in told.of(Events.ERROR)))
    await until(gone.is_told)
    gateway.clear_faults()
    await gone.ext.subscribe([MESSAGES], told.on_notification)
    gateway.notify(MESSAGES, {"i": 3})
    await told.number(3)


async def test_l3_a_final_refusal_of_the_new_filters_alone_leaves_no_false_word(
    gateway: Gateway, rc: RingCentral, told: Told, change: Callable[..., Awaitable[Any]]
) -> None:
    gone = Gone(gateway, rc, extension(told), told)
    await gone.happen()
    gateway.refuse(POST, 403)
    with pytest.raises(RestError):
        await change(gone.ext, gone.subscription, [PRESENCE], told.on_notification)
    await until(lambda: gone.subscription.state is SubscriptionState.FAILED or len(_served(gateway)) == 2)
    if gone.subscription.state is not SubscriptionState.FAILED:
        gateway.notify(MESSAGES, {"i": 3})
        await told.number(3)
    await until(gone.is_told)


@pytest.mark.parametrize("status", [500, 403])
async def test_l3_subscribing_again_asks_the_server(
    gateway: Gateway, rc: RingCentral, told: Told, change: Callable[..., Awaitable[Any]], status: int
) -> None:
    gone = Gone(gateway, rc, extension(told, wait=1000), told)
    await gone.happen()
    gateway.refuse(POST, status, times=2)
    with pytest.raises(RestError):
        await change(gone.ext, gone.subscription, [PRESENCE], told.on_notification)
    gone.lose_another()
    gateway.clear_faults()
    subscription = await gone.ext.subscribe([MESSAGES], told.on_notification)
    gateway.notify(MESSAGES, {"i": 3})
    await told.number(3)
    assert subscription.state is SubscriptionState.ACTIVE
    await until(gone.is_told)


# -- L4: a change cancelled in its last step -----------------------------------------------------------------------


class SlowStore(FileSessionStore):
    """A disk that takes its time once `slow` says so.

    Attributes:
        saving: how many saves wait.
        go_on: lets them end.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.slow: Callable[[], bool] = lambda: False
        self.saving = 0
        self.go_on = anyio.Event()

    async def save(self, session: Any) -> None:
        if self.slow():
            self.saving += 1
            await self.go_on.wait()
        await super().save(session)


class Cancelled:
    """A call that is cancelled when a test says so."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.error: BaseException | None = None

    async def run(self, call: Awaitable[Any]) -> None:
        try:
            with self.scope:
                await call
        finally:
            self.ended.set()

    async def cancel(self) -> None:
        """Cancel it; it has its cancellation, and has it soon."""
        assert not self.ended.is_set(), "it has returned before its last step was done"
        self.scope.cancel()
        with anyio.fail_after(1):
            await self.ended.wait()
        assert self.scope.cancelled_caught


async def _stands(
    gateway: Gateway, ext: WebSocketExtension, first: Subscription, filters: list[str], told: Told
) -> None:
    """See that a change is in force, and that the application can have it."""
    current = ext.subscription
    assert current is not None
    assert list(current.event_filters) == filters
    assert current.state is SubscriptionState.ACTIVE
    assert current is first or first.state is SubscriptionState.REPLACED
    gateway.notify(filters[0], {"i": 5})
    await told.number(5)
    assert len(_served(gateway)) == 2, "what stands needs no other call"


async def test_l4_cancelled_while_the_store_is_written_the_change_stands(
    gateway: Gateway, rc: RingCentral, tmp_path: Path, change: Callable[..., Awaitable[Any]]
) -> None:
    told = Told()
    store = SlowStore(tmp_path / "session.json")
    ext = extension(Told(), session_store=store)
    await rc.install_extension(ext)
    first = await ext.subscribe([MESSAGES], told.on_notification)
    store.slow = lambda: len(_served(gateway)) == 2
    call = Cancelled()
    async with anyio.create_task_group() as group:
        group.start_soon(call.run, change(ext, first, [PRESENCE], told.on_notification))
        await until(lambda: ext.subscription is not None and list(ext.subscription.event_filters) == [PRESENCE])
        await until(lambda: store.saving)
        await call.cancel()
    store.go_on.set()
    await until(lambda: "presence" in _text(store.path), within=2)
    await _stands(gateway, ext, first, [PRESENCE], told)


DENIED = "/restapi/v1.0/account/~/extension/~/voicemail"


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    return {"disabled_filters": (DENIED,)}


class Hook:
    """An `on_gap` that waits until a test lets it go on."""

    def __init__(self) -> None:
        self.entered, self.go_on, self.through = anyio.Event(), anyio.Event(), anyio.Event()

    async def __call__(self, _: Gap) -> None:
        self.entered.set()
        await self.go_on.wait()
        self.through.set()

    async def goes_on_after(self, call: Cancelled, made: Awaitable[Any]) -> None:
        """Cancel a call while the hook runs for it, and see the hook run to its end."""
        async with anyio.create_task_group() as group:
            group.start_soon(call.run, made)
            with anyio.fail_after(4):
                await self.entered.wait()
            await call.cancel()
        assert not self.through.is_set()
        self.go_on.set()
        with anyio.fail_after(1):
            await self.through.wait()


async def test_l4_cancelled_while_the_gap_hook_runs_the_change_stands(
    gateway: Gateway, rc: RingCentral, tmp_path: Path, change: Callable[..., Awaitable[Any]]
) -> None:
    told, hook = Told(), Hook()
    ext = extension(Told(), tmp_path / "session.json", on_gap=hook)
    await rc.install_extension(ext)
    first = await ext.subscribe([MESSAGES], told.on_notification)
    await hook.goes_on_after(Cancelled(), change(ext, first, [PRESENCE, DENIED], told.on_notification))
    await until(lambda: "voicemail" in _text(tmp_path / "session.json"), within=2)
    await _stands(gateway, ext, first, [PRESENCE, DENIED], told)


async def test_l4_nor_is_the_first_subscription_lost_with_its_caller(
    gateway: Gateway, rc: RingCentral, tmp_path: Path
) -> None:
    told, hook = Told(), Hook()
    ext = extension(Told(), tmp_path / "session.json", on_gap=hook)
    await rc.install_extension(ext)
    await hook.goes_on_after(Cancelled(), ext.subscribe([MESSAGES, DENIED], told.on_notification))
    await until(lambda: "voicemail" in _text(tmp_path / "session.json"), within=2)
    assert ext.subscription is not None
    assert ext.subscription.state is SubscriptionState.ACTIVE
    gateway.notify(MESSAGES, {"i": 5})
    await told.number(5)
    assert len(_served(gateway)) == 1


async def test_l4_cancelled_before_the_answer_all_is_undone(
    gateway: Gateway, rc: RingCentral, told: Told, tmp_path: Path, change: Callable[..., Awaitable[Any]]
) -> None:
    told_new = Told()
    ext = extension(told, tmp_path / "session.json")
    await rc.install_extension(ext)
    first = await ext.subscribe([MESSAGES], told.on_notification)
    gateway.answer_fault(PUT, delay=0.1)
    call = Cancelled()
    async with anyio.create_task_group() as group:
        group.start_soon(call.run, change(ext, first, [PRESENCE], told_new.on_notification))
        await until(lambda: len(_served(gateway)) == 2)
        await call.cancel()
    assert ext.subscription is first
    assert first.state is SubscriptionState.ACTIVE
    assert first.event_filters == (MESSAGES,)
    await until(lambda: _served(gateway)[1:] == [["presence"], ["message-store"]])
    gateway.notify(MESSAGES, {"i": 5})
    await told.number(5)
    assert not told_new.items


def _text(file: Path) -> str:
    """Read a file that is written in a moment, perhaps for the first time."""
    return file.read_text() if file.exists() else ""
