"""What the application asks of its one subscription: subscribe, update, refresh, revoke.

Each call is an `Operation`: one at a time, in a task of the runtime's. Loose ends of a lost answer, a refusal or a
cancelled caller are tied up by `SubscriptionSync`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from typing import Any

from rcex_ws.connection import DeliveryQueue
from rcex_ws.errors import NotConnected, RcexError, RequestLost, SubscriptionEnded
from rcex_ws.rest import RestError
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import OpenGap
from rcex_ws.wsg.filters import same_filters
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.loops import Loop
from rcex_ws.wsg.models import Notification, SubscriptionInfo, SubscriptionState, read_info
from rcex_ws.wsg.operation import Operation
from rcex_ws.wsg.stored import StoredSubscription
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscription_machine import Call, Change, SubscriptionMachine
from rcex_ws.wsg.subscription_runtime import SubscriptionRuntime
from rcex_ws.wsg.subscription_sync import SubscriptionSync

__all__ = ["Subscriptions"]


class Subscriptions:
    """Own the subscription of one extension.

    Args:
        runtime: the extension's runtime.
        api: sends subscription calls.
        machine: decides which call comes next.
        inbox: routes notifications.
        sync: brings server and application together again after a failure.
        announcer: reports errors.
    """

    def __init__(
        self,
        runtime: SubscriptionRuntime,
        api: SubscriptionApi,
        machine: SubscriptionMachine[Subscription],
        inbox: Inbox,
        sync: SubscriptionSync,
        announcer: Announcer,
    ) -> None:
        self._runtime = runtime
        self._api = api
        self._machine = machine
        machine.on_given_up = self._give_back
        self._inbox = inbox
        self._sync = sync
        self._calls = sync.calls
        self._operations = sync.operations
        self._announcer = announcer

    @property
    def current(self) -> Subscription | None:
        """The active subscription, once the application has asked for it."""
        current = self._machine.current
        return current if current is not None and current.claimed else None

    # -- calls of the application ----------------------------------------------------------------------------------

    async def subscribe(
        self,
        event_filters: Collection[str],
        callback: Callback | None,
        subscription_info: SubscriptionInfo | Mapping[str, Any] | None,
    ) -> Subscription:
        """Subscribe, or replace the current subscription; see `WebSocketExtension.subscribe`."""
        filters = tuple(event_filters)
        earlier = _as_info(subscription_info)

        async def run(operation: Operation[Subscription]) -> Subscription:
            async with self._operations.one_at_a_time:
                subscription = await self._subscribe(operation, filters, callback, earlier)
            await self._finish(operation, subscription)
            return subscription

        return await self._operations.run(run, "subscribe")

    async def refresh(self, subscription: Subscription) -> None:
        """Renew a subscription at the server."""
        await self.update(subscription, subscription.event_filters)

    async def update(self, subscription: Subscription, event_filters: Collection[str]) -> None:
        """Change the filters of the active subscription."""
        filters = tuple(event_filters)

        async def run(operation: Operation[None]) -> None:
            async with self._operations.one_at_a_time:
                await self._runtime.wait_ready()
                if subscription is not self._machine.current:
                    raise SubscriptionEnded(f"the subscription is {subscription.state}; subscribe again")
                await self._change(operation, subscription, filters, again=False)
            await self._finish(operation, subscription)

        await self._operations.run(run, "update")

    async def revoke(self, subscription: Subscription) -> None:
        """Delete a subscription at the server; without a connection it is forgotten now and deleted later."""

        async def run(operation: Operation[None]) -> None:
            async with self._operations.one_at_a_time:
                if subscription is not self._machine.current:
                    return
                info = self._machine.info
                with operation.uninterrupted():
                    if not self._runtime.is_ready or info is None:
                        self._sync.end(SubscriptionState.REVOKED)
                        await self._runtime.store()
                        return
                    operation.on_withdrawn = lambda: self._end_now(subscription)  # nobody waits for the answer
                    try:  # what the server writes until it answers is still delivered
                        await self._api.make(Call("DELETE", info.id))
                        self._machine.deleted(info)
                    except RestError as exc:
                        if not exc.retryable:
                            self._machine.deleted(info)  # a retry cannot help
                        raise
                    except RcexError as exc:
                        self._runtime.telemetry.log.info("the subscription will be deleted later: %s", exc)
                    finally:
                        self._end_now(subscription)
                        await self._runtime.store()  # before the next operation

        await self._operations.run(run, "revoke")

    def check_home(self) -> None:
        """Raise `WrongEventLoop` if the caller runs in another event loop than the client."""
        self._runtime.check_home()

    def iterate(self, queue: DeliveryQueue[Notification]) -> Loop:
        """Begin a loop of the application over a queue."""
        return self._inbox.loops.begin(queue)

    def callback_failed(self, notification: Notification, error: Exception) -> None:
        """Report an exception of a callback."""
        text = "the callback raised for %r; the next notification follows"
        self._runtime.telemetry.log.error(text, notification, exc_info=error)
        self._announcer.error(error, already_logged=True)

    # -- continuing an earlier session -----------------------------------------------------------------------------

    def resume(self, stored: StoredSubscription, *, clean: bool) -> None:
        """Expect notifications of a stored session; they wait for the first `subscribe`."""
        self._machine.resume(stored, self._unclaimed(stored.wanted, stored.info), clean=clean)

    def resume_blind(self) -> None:
        """Expect notifications of a session of which only the token is known."""
        self._machine.resume_blind(self._unclaimed((), None))

    def _unclaimed(self, filters: tuple[str, ...], info: SubscriptionInfo | None) -> Subscription:
        subscription = Subscription(self, filters, self._inbox.new_queue(), info=info, claimed=False)
        subscription.activate(info, filters)
        return subscription

    # -- steps of the operations -----------------------------------------------------------------------------------

    async def _subscribe(
        self,
        operation: Operation[Subscription],
        filters: tuple[str, ...],
        callback: Callback | None,
        earlier: SubscriptionInfo | None,
    ) -> Subscription:
        machine = self._machine
        if self.current is not None:
            self._runtime.raise_unless_reconnecting()
        adopted = self._adopt(earlier, filters)
        if machine.current is not None and machine.in_sync and same_filters(filters, machine.wanted):
            return self._hand_over(machine.current, filters, callback)
        candidate = Subscription(self, filters, self._inbox.new_queue(), callback=callback)
        candidate.queue.hold()
        try:
            await self._change(operation, candidate, filters, again=True)
        except BaseException:
            candidate.end(SubscriptionState.FAILED, discard=True)
            if adopted and machine.current is None:
                machine.forget()
            raise
        return candidate

    def _adopt(self, earlier: SubscriptionInfo | None, filters: tuple[str, ...]) -> bool:
        """Rely on the application's description of a subscription if nothing better is known.

        Returns:
            Whether it was adopted, so that a failure must forget it again.
        """
        machine = self._machine
        if earlier is None or machine.info is not None:
            return False
        if machine.current is not None and not machine.wanted:  # recovered by token alone
            same = same_filters(filters, earlier.event_filters, owner_id=self._runtime.owner_id)
            machine.trust(earlier, filters if same else earlier.event_filters)
            machine.current.activate(earlier, machine.wanted)
            return False
        if machine.wanted:
            return False
        if machine.filter_gap is not None:  # the session is gone, and the subscription with it
            machine.orphans.append(earlier.id)
            return False
        gap = OpenGap(-inf, reason="the subscription was resumed on a new session")
        machine.adopt(earlier, earlier.event_filters, gap)
        return True

    def _hand_over(self, current: Subscription, filters: tuple[str, ...], callback: Callback | None) -> Subscription:
        """Give the filters that the server has already to a new consumer, without a call."""
        if current.claimed:
            successor = Subscription(self, filters, self._inbox.new_queue(), callback=callback)
            successor.activate(current.info, filters)
            self._machine.hand_over(successor)
            self._calls.replace_current(successor, current, lambda _: False)
            return successor
        current.claim(callback)
        if callback is not None:
            self._runtime.start_delivery(current, None)
        return current

    async def _change(
        self, operation: Operation[Any], consumer: Subscription, filters: tuple[str, ...], *, again: bool
    ) -> None:
        """Ask for other filters until the server has answered.

        Args:
            operation: the one that this is a step of.
            consumer: gets the notifications once the server has granted the filters.
            filters: the ones to ask for.
            again: ask again after a lost connection, rather than raise.
        """
        machine = self._machine
        change = machine.begin(consumer, filters)
        operation.on_withdrawn = lambda: machine.withdraw(change)
        try:
            await self._ask_for(operation, change, again=again)
        except BaseException:
            self._calls.report_in_turn()  # what answers have revealed all the same
            raise
        finally:
            machine.withdraw(change)
            self._sync.start()

    async def _ask_for(self, operation: Operation[Any], change: Change[Subscription], *, again: bool) -> None:
        machine = self._machine
        while machine.change is change:
            await self._runtime.wait_ready()
            call = machine.next_call()
            if call is None:
                raise AssertionError("a change needs a call")
            try:
                with operation.uninterrupted():
                    await self._calls.make(call)
            except (NotConnected, RequestLost) as exc:
                if not again:
                    raise
                self._runtime.telemetry.log.info("asking again: %s", exc)
        if change.withdrawn:
            raise _Withdrawn

    async def _finish(self, operation: Operation[Any], subscription: Subscription) -> None:
        """Store the change and report the gaps it revealed; the `on_gap` hook runs before the subscription delivers."""
        try:
            with operation.uninterrupted():
                await self._runtime.store()
                await self._calls.report_now()
                await self._calls.delete_orphans()
        finally:
            self._calls.report_in_turn()  # if it was interrupted
            self._inbox.release_candidate(subscription)

    def _give_back(self, candidate: Subscription) -> None:
        """Move what a rejected candidate's queue holds to the current subscription, before later notifications."""
        current = self._machine.current
        if current is not None and candidate is not current:
            candidate.queue.move_to(current.queue, behind=True)

    def _end_now(self, subscription: Subscription) -> None:
        if subscription is self._machine.current:
            self._sync.end(SubscriptionState.REVOKED)


class _Withdrawn(Exception):
    """Ends an operation whose caller was cancelled."""


def _as_info(info: SubscriptionInfo | Mapping[str, Any] | None) -> SubscriptionInfo | None:
    return info if info is None or isinstance(info, SubscriptionInfo) else read_info("subscription_info", info)
