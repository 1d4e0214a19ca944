"""What the random application does while it lives: calls, changes of the filters, handlers of every temper."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from oracle import journal as j
from oracle.iterators import Iterator, Iterators, event_of
from oracle.topics import choices
from rcex_ws import Notification, RcexError, State, Subscription, SubscriptionState

if TYPE_CHECKING:
    from oracle.application import _Application

__all__ = ["Acts", "Raised"]

LOG = "/restapi/v1.0/account/~/extension/~/call-log"
PAGER = "/restapi/v1.0/account/~/extension/~/company-pager"
# While a first subscribe fails, it is tried again so soon.
AGAIN = 3.0


class Acts:
    """Do things until the calm.

    Args:
        application: whose client, extension and journal are used.

    Attributes:
        changing: how many changes of the filters are under way.
        seen: the filters that the extension said to have last, and those not granted.
        iterators: those that there are.
    """

    def __init__(self, application: _Application) -> None:
        self._app = application
        self._rng = application.rng
        self._calls = 0
        self._ops = 0
        self._consumers = 0
        self._temper = application.new_rng("temper")
        self.changing = 0
        self.iterators = Iterators(application, self._iterate)
        self.seen: tuple[list[str], list[str]] = ([], [])

    def start(self, tasks: TaskGroup) -> None:
        """Begin; all ends with the group."""
        self._tasks = tasks
        tasks.start_soon(self._keep_calling)
        tasks.start_soon(self._keep_changing)

    # Calls.

    async def _keep_calling(self) -> None:
        while not self._app.world.calm():
            await anyio.sleep(self._rng.expovariate(1 / self._app.plan.busy))
            for _ in range(self._rng.choice((1, 1, 1, 3, 15))):
                self._tasks.start_soon(self.some_time, self._call)

    async def _call(self) -> None:
        self._calls += 1
        call, life = f"{self._app.life}-{self._calls}", self._app.life
        method = self._rng.choice(("GET", "POST"))
        way = self._rng.choice(("rc", "rc", "ws"))
        timeout = self._app.plan.paced(self._rng.choice((5.0, 30.0, 60.0)))
        put = self._app.journal.put
        send = self._app.rc.request if way == "rc" else self._app.ext.request
        put(j.CallBegan(life, call, method, way))
        try:
            if method == "GET":
                response = await send(method, LOG, params={"call": call}, timeout=timeout)
            else:
                response = await send(method, PAGER, json={"call": call}, timeout=timeout)
        except RcexError as error:
            status = getattr(error, "status_code", None) or 0
            sent = getattr(error, "sent", None)
            put(j.CallEnded(life, call, "error", "", status, type(error).__name__, sent))
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            put(j.CallEnded(life, call, "error", error=type(error).__name__))
            self._app.escaped(f"call {call}", error)
        except BaseException:  # a cancellation, also as a group of several
            put(j.CallEnded(life, call, "cancelled"))
            raise
        else:
            put(j.CallEnded(life, call, "returned", str(response.via), response.status_code))
            if response.json().get("call") != call:
                self._app.escaped(f"call {call}", ValueError(f"the answer is that of {response.json()}"))

    # Changes.

    async def _keep_changing(self) -> None:
        same = self._rng.random() < (0.4 if "one-filter" in self._app.plan.kinds else 0.7)
        await self._until_subscribed(self._app.world.filters if same else self._choose())
        while not self._app.world.calm():
            with anyio.move_on_after(self._rng.expovariate(1 / self._app.plan.restless)):
                await self._app.world.until_calm()
            if self._app.world.calm():
                break
            if "overlap" not in self._app.plan.kinds:
                await self.some_time(self._change)
            else:
                for _ in range(self._rng.choice((1, 1, 2, 3))):
                    self._tasks.start_soon(self.some_time, self._change)
                if self._rng.random() < 0.3:
                    continue
                await anyio.sleep(0.01)
            await self._quiet()
            if self._app.ext.subscription is None:
                await self._until_subscribed(self._choose())
        await self._quiet()
        if self._app.ext.subscription is None:
            await self._until_subscribed(self._choose())

    async def _quiet(self) -> None:
        """Wait until no change is under way."""
        while self.changing:  # noqa: ASYNC110 - changes overlap; the last one ends the wait
            await anyio.sleep(self._app.plan.paced(0.5))

    async def _until_subscribed(self, filters: list[str]) -> None:
        while True:
            await self._subscribe(filters or self._choose())
            if self._app.ext.subscription is not None:
                return
            await anyio.sleep(self._app.plan.paced(AGAIN))
            if "reconnect" in self._app.plan.kinds and self._app.ext.state in {State.CLOSED, State.IDLE}:
                await self._op("connect", 0, [], self._app.troubles.connect)

    async def _change(self) -> None:
        subscription = self._app.ext.subscription
        kind = self._rng.choice(("others", "others", "same", "update", "update", "revoke", "switch"))
        if "reconnect" in self._app.plan.kinds and self._temper.random() < 0.1:
            await self._op("connect", 0, [], self._app.troubles.connect)
        elif kind == "switch":
            self._app.ext.rest_over_websocket = not self._app.ext.rest_over_websocket
        elif kind == "same" and subscription is not None:
            await self._subscribe(list(subscription.event_filters))
        elif kind == "update" and subscription is not None:
            filters = self._choose()
            await self._op("update", 0, filters, lambda: subscription.update(filters))
        elif kind == "revoke" and subscription is not None and self._rng.random() < 0.3:
            await self._op("revoke", 0, [], subscription.revoke)
        else:
            await self._subscribe(self._choose())

    async def _subscribe(self, filters: list[str]) -> None:
        self._consumers += 2
        consumer = self._consumers
        if self._rng.random() < 0.4:
            consumer += 1  # odd numbers are iterators
            await self._op("subscribe", consumer, filters, lambda: self._app.ext.subscribe(filters))
        else:
            callback = self._callback(consumer)
            await self._op("subscribe", consumer, filters, lambda: self._app.ext.subscribe(filters, callback))

    async def _op(self, what: str, consumer: int, filters: list[str], work: Callable[[], Awaitable[Any]]) -> None:
        self._ops += 1
        op, life, put = self._ops, self._app.life, self._app.journal.put
        how, text, before, iterator = "returned", "", self._app.ext.subscription, 0
        put(j.Changing(life, op, what, consumer, filters))
        self.changing += 1
        try:
            made = await work()
            if isinstance(made, Subscription):
                self._iterate_once(made, consumer)  # it may be replaced already; what it has got is still its own
                iterator = self.iterators.number_of(made)
        except RcexError as error:
            how, text = "error", repr(error)[:200]
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            how, text = "error", repr(error)
            self._app.escaped(what, error)
        except BaseException:  # a cancellation, also as a group of several
            how = "cancelled"
            raise
        finally:
            self.changing -= 1
            claimed, disabled = self.seen = self._app.claimed()
            state = "" if before is None else str(before.state)
            put(j.Changed(life, op, how, text, claimed, disabled, state, iterator))
            if claimed:
                self._app.world.filters = claimed
            self._iterate_what_is_there(consumer)

    def _iterate_what_is_there(self, consumer: int) -> None:
        """Iterate a subscription without a callback; one that was made although its making was cancelled, too."""
        if self._app.ext.subscription is not None:
            self._iterate_once(self._app.ext.subscription, consumer)

    def _iterate_once(self, subscription: Subscription, consumer: int) -> None:
        self.iterators.iterate_once(self._tasks, subscription, consumer)

    def _choose(self) -> list[str]:
        kinds = self._app.plan.kinds
        filters = choices(kinds)
        if "one-filter" in kinds and (wanted := self._app.world.filters) and self._rng.random() < 0.8:
            more = [one for one in filters if one not in wanted]
            if more and (len(wanted) == 1 or self._rng.random() < 0.5):
                return sorted([*wanted, self._rng.choice(more)])
            if len(wanted) > 1:
                return sorted(self._rng.sample(wanted, len(wanted) - 1))
        return sorted(self._rng.sample(filters, self._rng.choice((1, 2, 2, 4, len(filters)))))

    async def some_time(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it to its end, or cancel it at some moment, after some steps, or while the hook runs."""
        if "cancel" not in self._app.plan.kinds or self._app.world.calm() or self._rng.random() < 0.7:
            await work()
        elif (how := self._rng.random()) < 0.5:
            seconds = self._rng.choice((0.0, 0.002, 0.06, 0.6, 6.0, 30.0)) * self._rng.random()
            with anyio.move_on_after(self._app.plan.paced(seconds)):
                await work()
        elif how < 0.6:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._cancel_in_the_hook, tasks.cancel_scope)
                await work()
                tasks.cancel_scope.cancel()
        else:
            steps = self._rng.randrange(40)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._cancel_after, steps, tasks.cancel_scope)
                await work()
                tasks.cancel_scope.cancel()

    @staticmethod
    async def _cancel_after(steps: int, scope: anyio.CancelScope) -> None:
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    async def _cancel_in_the_hook(self, scope: anyio.CancelScope) -> None:
        await self._app.hooked.wait()
        await anyio.sleep(self._app.plan.paced(self._rng.choice((0.0, 0.3, 3.0))))
        scope.cancel()

    # Handlers.

    def _callback(self, consumer: int) -> Callable[[Notification], Awaitable[None] | None]:
        if self._rng.random() < 0.3:

            def note(notification: Notification) -> None:
                self._begin(notification, consumer)

            return note

        async def handle(notification: Notification) -> None:
            await self._handle(notification, consumer)

        return handle

    async def _iterate(self, iterator: Iterator) -> None:
        if self._deaf(True) and self._temper.random() < 0.3:
            await self._until_replaced(iterator.subscription)
        async for notification in iterator.subscription:
            with suppress(Raised):
                await self._handle(notification, iterator.consumer, iterator.number)

    def _deaf(self, iterator: bool) -> bool:
        """Say whether a consumer may take nothing for long; an iterator only where a next life can be told of it."""
        return "deaf" in self._app.plan.kinds and (self._app.world.has_store or not iterator)

    async def _until_replaced(self, subscription: Subscription) -> None:
        """Take nothing; what is left once it is over is taken then."""
        calm = self._app.world.calm
        while not calm() and subscription.state in {SubscriptionState.ACTIVE, SubscriptionState.PENDING}:  # noqa: ASYNC110
            await anyio.sleep(self._app.plan.paced(1.0))

    def _begin(self, notification: Notification, consumer: int, iterator: int = 0) -> int:
        n = event_of(notification)
        self._app.journal.put(j.Handled(self._app.life, n, notification.uuid, consumer, iterator))
        return n

    async def _handle(self, notification: Notification, consumer: int, iterator: int = 0) -> None:
        n = self._begin(notification, consumer, iterator)
        how = "cancelled"
        try:
            await self._app.close_from_inside("handler")
            kinds, calm = self._app.plan.kinds, self._app.world.calm()
            if "slow-handler" in kinds and not calm and self._rng.random() < 0.1:
                await anyio.sleep(self._app.plan.paced(self._rng.choice((0.05, 1.0, 8.0))))
            if self._deaf(bool(consumer % 2)) and not calm and self._temper.random() < 0.03:
                await anyio.sleep(self._app.plan.paced(self._temper.choice((30.0, 120.0, 400.0))))
            if "raise" in kinds and not calm and self._rng.random() < 0.05:
                how = "raised"
                raise Raised(f"on event {n}")
            if self._rng.random() < 0.02 and not calm:
                await self._call()
            how = "returned"
        finally:
            self._app.journal.put(j.HandlerDone(self._app.life, n, consumer, how))


class Raised(Exception):
    """What a handler raises on purpose."""
