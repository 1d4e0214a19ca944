"""The one subscription of an extension: carries out what its machine asks for, and hands it to the consumers.

Each call of the application is an `Operation`: one after another, in a task of the life's own. What a lost answer, a
refusal or a cancelled caller leaves behind is set right by `settle`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import count
from math import inf
from typing import Any, TypeGuard, TypeVar

import anyio

from rcex_ws.errors import (
    ConnectFailed,
    NotConnected,
    RcexError,
    RequestLost,
    SubscriptionEnded,
)
from rcex_ws.loop import Lock
from rcex_ws.rest import LoginRefused, RestError
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap, gap_between
from rcex_ws.wsg.filters import same_filters
from rcex_ws.wsg.host import Host
from rcex_ws.wsg.inbox import Inbox
from rcex_ws.wsg.models import Gap, Notification, SubscriptionInfo, SubscriptionState, read_info
from rcex_ws.wsg.operation import Operation
from rcex_ws.wsg.stored import StoredSubscription
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscription_calls import SubscriptionCalls
from rcex_ws.wsg.subscription_machine import Call, Change, SubscriptionMachine

__all__ = ["Subscriptions"]

T = TypeVar("T")


class Subscriptions:
    """Own the subscription of one extension.

    Args:
        host: the life.
        api: asks the server.
        machine: knows what is to be asked.
        inbox: routes notifications.
        completeness: knows what is complete.
        announcer: hears of gaps and errors.
    """

    def __init__(
        self,
        host: Host,
        api: SubscriptionApi,
        machine: SubscriptionMachine[Subscription],
        inbox: Inbox,
        completeness: Completeness,
        announcer: Announcer,
    ) -> None:
        self._host = host
        self._api = api
        self._calls = SubscriptionCalls(
            host, api, machine, completeness, announcer, replace_current=self._replace_current
        )
        self._machine = machine
        machine.on_given_up = self._give_back
        self._inbox = inbox
        self._completeness = completeness
        self._announcer = announcer
        self._one_at_a_time = Lock()
        self._operations: list[Operation[Any]] = []
        self._syncing = False

    @property
    def current(self) -> Subscription | None:
        """The active subscription, if somebody asked for it."""
        current = self._machine.current
        return current if current is not None and current.claimed else None

    @property
    def is_known(self) -> bool:
        """Whether it is known here what the server should send."""
        return bool(self._machine.wanted)

    @property
    def can_miss(self) -> bool:
        """Whether the server may have something to send: else nothing can be missing."""
        return self._machine.current is not None or self._machine.change is not None

    # -- asked for by the application ------------------------------------------------------------------------------

    async def subscribe(
        self,
        event_filters: Collection[str],
        callback: Callback | None,
        subscription_info: SubscriptionInfo | Mapping[str, Any] | None,
    ) -> Subscription:
        """Subscribe, or replace the subscription there is; see `WebSocketExtension.subscribe`."""
        filters = tuple(event_filters)
        earlier = _as_info(subscription_info)

        async def run(operation: Operation[Subscription]) -> Subscription:
            async with self._one_at_a_time:
                subscription = await self._subscribe(operation, filters, callback, earlier)
            await self._finish(operation, subscription)
            return subscription

        return await self._carry_out(run, "subscribe")

    async def refresh(self, subscription: Subscription) -> None:
        """Renew a subscription at the server."""
        await self.update(subscription, subscription.event_filters)

    async def update(self, subscription: Subscription, event_filters: Collection[str]) -> None:
        """Change the filters of the active subscription."""
        filters = tuple(event_filters)

        async def run(operation: Operation[None]) -> None:
            async with self._one_at_a_time:
                await self._host.wait_ready()
                if subscription is not self._machine.current:
                    raise SubscriptionEnded(f"the subscription is {subscription.state}; subscribe again")
                await self._change(operation, subscription, filters, again=False)
            await self._finish(operation, subscription)

        await self._carry_out(run, "update")

    async def revoke(self, subscription: Subscription) -> None:
        """Delete a subscription at the server; without a connection it is forgotten now and deleted later."""

        async def run(operation: Operation[None]) -> None:
            async with self._one_at_a_time:
                if subscription is not self._machine.current:
                    return
                info = self._machine.info
                with operation.uninterrupted():
                    if not self._host.is_ready or info is None:
                        self.end(SubscriptionState.REVOKED)
                        await self._host.store()
                        return
                    operation.on_withdrawn = lambda: self._end_now(subscription)  # nobody waits to hear of it
                    try:  # what the server writes until it answers is still delivered
                        await self._api.make(Call("DELETE", info.id))
                        self._machine.deleted(info)
                    except RestError as exc:
                        if not exc.retryable:
                            self._machine.deleted(info)  # there is no more to be done
                        raise
                    except RcexError as exc:
                        self._host.telemetry.log.info("the subscription will be deleted later: %s", exc)
                    finally:
                        self._end_now(subscription)
                        await self._host.store()  # before anything else is asked for

        await self._carry_out(run, "revoke")

    def check_home(self) -> None:
        """Raise `WrongEventLoop` when the caller is not where the client lives."""
        self._host.check_home()

    def callback_failed(self, notification: Notification, error: Exception) -> None:
        """Report an exception of a callback."""
        text = "the callback raised for %r; the next notification follows"
        self._host.telemetry.log.error(text, notification, exc_info=error)
        self._announcer.error(error, logged=True)

    # -- asked for by the connection -------------------------------------------------------------------------------

    def resume(self, stored: StoredSubscription, *, clean: bool) -> None:
        """Expect events of a session from before a restart; they wait for the first `subscribe`."""
        self._machine.resume(stored, self._unclaimed(stored.wanted, stored.info), clean=clean)

    def resume_blind(self) -> None:
        """Expect events of a session of which only the token is known."""
        self._machine.resume_blind(self._unclaimed((), None))

    def resume_lost(self, since: float, reason: str) -> None:
        """Hear that there was a session, with which nothing can be done any more."""
        self._machine.doubt = OpenGap(since, certain=True, reason=reason)

    @property
    def untold(self) -> list[Gap]:
        """What answers have shown to be missing, before the announcer hears of it."""
        return self._calls.found

    def to_store(self) -> StoredSubscription:
        """Write down what the next process must know."""
        return self._machine.to_store()

    def connection_lost(self) -> None:
        """Hear that the answers to all calls are lost."""
        self._machine.connection_lost()

    async def resubscribe(self, reason: str) -> None:
        """Subscribe anew on a session that begins empty.

        Args:
            reason: why it does, for people; empty if the old one had no subscription.

        Raises:
            RcexError: it failed and may replace_current later. A refusal for good fails the subscription instead.
        """
        machine = self._machine
        machine.session_ended()
        if machine.wanted and machine.doubt is not None:
            self._completeness.include(machine.doubt)
            machine.doubt = None
        if not machine.wanted:
            blind, machine.current = machine.current, None
            if blind is not None:  # resumed by token alone: what it was for is not known, but it was for something
                blind.end(SubscriptionState.FAILED, discard=True)
                if reason:
                    machine.doubt = OpenGap(-inf, certain=True, reason=reason)
            return
        try:
            while (call := machine.next_call(resubscribing=True)) is not None:
                await self._calls.make(call)
        except RcexError as exc:
            if not _is_final(exc):
                raise
            self._fail(exc)
        except Exception as exc:  # a middleware may raise anything, which must not end the client
            raise ConnectFailed(f"a middleware raised {type(exc).__name__}", upgrade_sent=True) from exc
        finally:
            self._calls.tell_in_turn()

    def sync_soon(self) -> None:
        """Bring the server's filters and the wanted ones together, if they may differ; in the background."""
        if self._host.is_ready and not self._machine.in_sync and not self._syncing:
            self._syncing = True
            self._start(Operation(self._sync, name="subscription check", log=self._host.telemetry.log))

    async def clear_up(self) -> None:
        """Delete the subscriptions of lost sessions."""
        await self._calls.delete_orphans()

    async def end_calls(self) -> None:
        """Cut short what the application waits for; what was sent gets its answer, so that it can be undone."""
        operations = [one for one in self._operations if not one.done]
        for operation in operations:
            operation.withdraw()
        for operation in operations:
            await operation.wait()

    def take_ids(self, *, keep_wanted: bool) -> list[str]:
        """Give the ids of all subscriptions that are still to be deleted at the server, and forget them."""
        machine = self._machine
        if not (keep_wanted and machine.wanted):
            machine.session_ended()
        ids, machine.orphans = machine.orphans, []
        return ids

    def close_queue(self) -> None:
        """Let the consumer end after what is buffered."""
        if self._machine.current is not None:
            self._machine.current.queue.close()

    def close(self, state: SubscriptionState) -> None:
        """End the subscription with the life."""
        self._end(state)

    def end(self, state: SubscriptionState, error: Exception | None = None) -> None:
        """End the current subscription here, after what is buffered; at the server it is deleted when there is time."""
        self.tell_missed(state)
        self._end(state, error)

    def tell_missed(self, state: SubscriptionState) -> None:
        """Tell what an outage or a doubt leaves open: nothing will settle it."""
        outage, doubt, moment = self._completeness.open_gap, self._machine.doubt, self._host.moment()
        if outage is not None and self.can_miss:
            reason = f"the subscription was {state} before its session was recovered"
            self._announcer.gap(gap_between(outage.since, moment.latest, certain=True, reason=reason))
        if doubt is not None:
            self._machine.doubt = None
            self._announcer.gap(doubt.until(moment))

    def _end(self, state: SubscriptionState, error: Exception | None = None) -> None:
        subscription = self._machine.current
        if subscription is not None and not subscription.claimed and state is SubscriptionState.FAILED:
            self._give_up(subscription)
        self._machine.revoke()
        if subscription is not None:
            subscription.end(state, error)
            self._host.touch()

    def _give_up(self, unclaimed: Subscription) -> None:
        """Tell of what waits for a first `subscribe`, which cannot get it any more."""
        waiting = [*unclaimed.queue.queued()]
        unclaimed.queue.close(discard=True)
        if waiting:
            since = min(notification.made for notification in waiting)
            reason = f"{len(waiting)} notifications not delivered: the subscription of the last process has failed"
            self._announcer.gap(gap_between(since, self._host.moment().latest, certain=True, reason=reason))

    # -- how: operations -------------------------------------------------------------------------------------------

    async def _carry_out(self, run: Callable[[Operation[T]], Awaitable[T]], name: str) -> T:
        operation = Operation(run, name=name, log=self._host.telemetry.log)
        self._start(operation)
        return await operation.result()

    def _start(self, operation: Operation[Any]) -> None:
        self._operations = [*(one for one in self._operations if not one.done), operation]
        operation.start(self._host.start_call)

    async def _subscribe(
        self,
        operation: Operation[Subscription],
        filters: tuple[str, ...],
        callback: Callback | None,
        earlier: SubscriptionInfo | None,
    ) -> Subscription:
        machine = self._machine
        if self.current is not None:
            self._host.raise_unless_reconnecting()
        adopted = self._use(earlier, filters)
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

    def _give_back(self, candidate: Subscription) -> None:
        """Let the present consumer have what came for one that does not take its place, before what comes next."""
        current = self._machine.current
        if current is not None and candidate is not current:
            candidate.queue.move_to(current.queue, behind=True)

    def _use(self, earlier: SubscriptionInfo | None, filters: tuple[str, ...]) -> bool:
        """Take the application's word for a subscription, where nothing better is known; tell whether it was."""
        machine = self._machine
        if earlier is None or machine.info is not None:
            return False
        if machine.current is not None and not machine.wanted:  # recovered by token alone
            same = same_filters(filters, earlier.event_filters, owner_id=self._host.owner_id)
            machine.trust(earlier, filters if same else earlier.event_filters)
            machine.current.activate(earlier, machine.wanted)
            return False
        if machine.wanted:
            return False
        if machine.doubt is not None:  # the session is gone, and the subscription with it
            machine.orphans.append(earlier.id)
            return False
        doubt = OpenGap(-inf, reason="the subscription was resumed on a new session")
        machine.adopt(earlier, earlier.event_filters, doubt)
        return True

    def _hand_over(self, current: Subscription, filters: tuple[str, ...], callback: Callback | None) -> Subscription:
        """Give the subscription that the server serves already to a new consumer, without a call."""
        if current.claimed:
            successor = Subscription(self, filters, self._inbox.new_queue(), callback=callback)
            successor.activate(current.info, filters)
            self._machine.hand_over(successor)
            self._replace_current(successor, current, lambda _: False)
            return successor
        current.claim(callback)
        if callback is not None:
            self._host.deliver(current, None)
        return current

    async def _finish(self, operation: Operation[Any], subscription: Subscription) -> None:
        """Store what was changed, and tell what was found; the hook runs before the subscription delivers."""
        try:
            with operation.uninterrupted():
                await self._host.store()
                await self._calls.tell_now()
                await self._calls.delete_orphans()
        finally:
            self._calls.tell_in_turn()  # if it was cut short
            self._inbox.answered(subscription)

    # -- how: calls to the server ----------------------------------------------------------------------------------

    async def _change(
        self, operation: Operation[Any], consumer: Subscription, filters: tuple[str, ...], *, again: bool
    ) -> None:
        """Ask for other filters until the server has answered.

        Args:
            operation: what it is a part of.
            consumer: who is to get the notifications.
            filters: which ones.
            again: ask again after a lost connection; else raise.
        """
        machine = self._machine
        change = machine.begin(consumer, filters)
        operation.on_withdrawn = lambda: machine.withdraw(change)
        try:
            await self._ask_for(operation, change, again=again)
        except BaseException:
            self._calls.tell_in_turn()  # what the answers have shown all the same
            raise
        finally:
            machine.withdraw(change)
            self.sync_soon()

    async def _ask_for(self, operation: Operation[Any], change: Change[Subscription], *, again: bool) -> None:
        machine = self._machine
        while machine.change is change:
            await self._host.wait_ready()
            call = machine.next_call()
            if call is None:
                raise AssertionError("a change needs a call")
            try:
                with operation.uninterrupted():
                    await self._calls.make(call)
            except (NotConnected, RequestLost) as exc:
                if not again:
                    raise
                self._host.telemetry.log.info("asking again: %s", exc)
        if change.withdrawn:
            raise _Withdrawn

    def _replace_current(
        self, successor: Subscription, current: Subscription | None, of_old: Callable[[str], bool]
    ) -> None:
        if current is not None:
            if not current.claimed:  # nobody has seen these events, nor wants those of the old filters any more
                current.queue.move_to(successor.queue, lambda item: not of_old(item.event))
            else:  # those that only the old filters can have caused came while the server had not answered
                successor.queue.move_to(current.queue, lambda item: of_old(item.event), behind=True)
            current.end(SubscriptionState.REPLACED, discard=not current.claimed)
        if successor.has_callback:
            self._host.deliver(successor, current)

    async def _sync(self, operation: Operation[None]) -> None:
        try:
            for failures in count(1):  # pragma: no branch - it counts for ever
                async with self._one_at_a_time:
                    with operation.uninterrupted():
                        wait = await self._sync_once()
                if wait is None:
                    return
                await anyio.sleep(max(wait, self._host.retry_delay(failures)))
        finally:
            self._syncing = False

    async def _sync_once(self) -> float | None:
        """Give the server the wanted filters.

        Returns:
            Seconds to wait at least before it is tried again; None if that is for the next connection to do, or for
            nobody.
        """
        machine = self._machine
        try:
            while self._host.is_ready and (call := machine.next_call()) is not None:
                await self._calls.make(call)
        except Exception as exc:  # noqa: BLE001 - a middleware may raise anything, which must not end the client
            if _is_final(exc):
                self._fail(exc)
                return None
            ready = self._host.is_ready
            if not isinstance(exc, RcexError):
                self._announcer.error(exc, logged=ready)
            if not ready:
                return None
            self._host.telemetry.log.warning(
                "the filters could not be asserted, which is tried again: %s", exc or type(exc).__name__
            )
            return (exc.retry_after if isinstance(exc, RcexError) else None) or 0.0
        finally:
            self._calls.tell_in_turn()
        return None

    def _fail(self, error: RestError) -> None:
        """End the subscription: the server refuses for good what the application wants."""
        machine = self._machine
        if machine.doubt is not None:
            self._calls.found.append(machine.doubt.until(self._host.moment()))
        if machine.current is None:
            machine.forget()
            return
        self._host.telemetry.log.error("the subscription was refused and is not renewed: %s", error)
        self._end(SubscriptionState.FAILED, error)
        self._announcer.error(error, logged=True)

    def _end_now(self, subscription: Subscription) -> None:
        if subscription is self._machine.current:
            self.end(SubscriptionState.REVOKED)

    def _unclaimed(self, filters: tuple[str, ...], info: SubscriptionInfo | None) -> Subscription:
        subscription = Subscription(self, filters, self._inbox.new_queue(), info=info, claimed=False)
        subscription.activate(info, filters)
        return subscription


class _Withdrawn(Exception):
    """End an operation whose caller was cancelled."""


def _is_final(error: Exception) -> TypeGuard[RestError]:
    """Tell whether the server refuses for good what the application wants, and not who asks for it."""
    if not isinstance(error, RestError) or isinstance(error, LoginRefused):
        return False
    return 400 <= error.status_code < 500 and not error.retryable and error.status_code != 401


def _as_info(info: SubscriptionInfo | Mapping[str, Any] | None) -> SubscriptionInfo | None:
    return info if info is None or isinstance(info, SubscriptionInfo) else read_info("subscription_info", info)
