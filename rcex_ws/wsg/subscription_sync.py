"""Keeps the filters that the server has and those that the application wants in sync, and ends the subscription.

The connection and the runtime call it: after a lost answer, on a session that begins empty, at the end. What the
application asks for is in subscriptions.py. Which call comes next is decided by the machine.
"""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TypeGuard

import anyio

from rcex_ws.errors import ConnectFailed, RcexError
from rcex_ws.rest import LoginRefused, RestError
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, OpenGap, gap_between
from rcex_ws.wsg.models import Gap, SubscriptionState
from rcex_ws.wsg.operation import Operation, Operations
from rcex_ws.wsg.stored import StoredSubscription
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_calls import SubscriptionCalls
from rcex_ws.wsg.subscription_machine import SubscriptionMachine
from rcex_ws.wsg.subscription_runtime import SubscriptionRuntime

__all__ = ["SubscriptionSync"]


class SubscriptionSync:
    """Keep server and application in sync.

    Args:
        runtime: the extension's runtime.
        machine: decides which call comes next.
        calls: makes the calls.
        completeness: knows since when something may be missing.
        announcer: reports gaps and errors.

    Attributes:
        calls: as given.
        operations: what the application asks for and what is done here, one at a time.
    """

    def __init__(
        self,
        runtime: SubscriptionRuntime,
        machine: SubscriptionMachine[Subscription],
        calls: SubscriptionCalls,
        completeness: Completeness,
        announcer: Announcer,
    ) -> None:
        self.calls = calls
        self.operations = Operations(runtime.start_call, runtime.telemetry.log)
        self._runtime = runtime
        self._machine = machine
        self._completeness = completeness
        self._announcer = announcer
        self._syncing = False

    @property
    def has_wanted_filters(self) -> bool:
        """Whether this process knows filters that the application wants; not so with a session known by token alone."""
        return bool(self._machine.wanted)

    @property
    def can_miss(self) -> bool:
        """Whether the server may have something to send; otherwise nothing can be missing."""
        return self._machine.current is not None or self._machine.change is not None

    @property
    def unreported(self) -> list[Gap]:
        """Gaps that answers have revealed and that the announcer does not have yet."""
        return self.calls.unreported

    def to_store(self) -> StoredSubscription:
        """Return what the next process must know."""
        return self._machine.to_store()

    # -- the connection and the session ----------------------------------------------------------------------------

    def connection_lost(self) -> None:
        """Give up the call in flight: its answer is lost."""
        self._machine.connection_lost()

    def record_lost_session(self, since: float, reason: str) -> None:
        """Record that the stored session cannot be continued: the next subscription reports the gap, as certain."""
        self._machine.filter_gap = OpenGap(since, certain=True, reason=reason)

    async def resubscribe(self, reason: str) -> None:
        """Subscribe anew on a session that begins empty.

        Args:
            reason: why it begins empty, for people; empty if the old session had no subscription.

        Raises:
            RcexError: it failed and may succeed later. A final refusal fails the subscription instead.
        """
        machine = self._machine
        machine.session_ended()
        if machine.wanted and machine.filter_gap is not None:
            self._completeness.include(machine.filter_gap)
            machine.filter_gap = None
        if not machine.wanted:
            blind, machine.current = machine.current, None
            if blind is not None:  # resumed by token alone: its filters are not known, but it had some
                blind.end(SubscriptionState.FAILED, discard=True)
                if reason:
                    machine.filter_gap = OpenGap(-inf, certain=True, reason=reason)
            return
        try:
            while (call := machine.next_call(resubscribing=True)) is not None:
                await self.calls.make(call)
        except RcexError as exc:
            if not _is_final(exc):
                raise
            self._fail(exc)
        except Exception as exc:  # a middleware may raise anything, which must not end the client
            raise ConnectFailed(f"a middleware raised {type(exc).__name__}", upgrade_sent=True) from exc
        finally:
            self.calls.report_in_turn()

    async def delete_orphans(self) -> None:
        """Delete the subscriptions of lost sessions."""
        await self.calls.delete_orphans()

    # -- asserting the filters -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start asserting the wanted filters in the background, if the server's may differ."""
        if self._runtime.is_ready and not self._machine.in_sync and not self._syncing:
            self._syncing = True
            self.operations.start(self._run, "subscription check")

    async def _run(self, operation: Operation[None]) -> None:
        try:
            for failures in count(1):  # pragma: no branch - it counts for ever
                async with self.operations.one_at_a_time:
                    with operation.uninterrupted():
                        wait = await self._assert_filters()
                if wait is None:
                    return
                await anyio.sleep(max(wait, self._runtime.retry_delay(failures)))
        finally:
            self._syncing = False

    async def _assert_filters(self) -> float | None:
        """Make the calls that bring the server's filters to the wanted ones.

        Returns:
            The least delay in seconds before a retry; None if that is up to the next connection, or nothing is left.
        """
        machine = self._machine
        try:
            while self._runtime.is_ready and (call := machine.next_call()) is not None:
                await self.calls.make(call)
        except Exception as exc:  # noqa: BLE001 - a middleware may raise anything, which must not end the client
            if _is_final(exc):
                self._fail(exc)
                return None
            ready = self._runtime.is_ready
            if not isinstance(exc, RcexError):
                self._announcer.error(exc, already_logged=ready)
            if not ready:
                return None
            self._runtime.telemetry.log.warning(
                "the filters could not be asserted, which is tried again: %s", exc or type(exc).__name__
            )
            return (exc.retry_after if isinstance(exc, RcexError) else None) or 0.0
        finally:
            self.calls.report_in_turn()
        return None

    def _fail(self, error: RestError) -> None:
        """Fail the subscription: the server's refusal of the wanted filters is final."""
        machine = self._machine
        if machine.filter_gap is not None:
            self.calls.unreported.append(machine.filter_gap.until(self._runtime.server_time()))
        if machine.current is None:
            machine.forget()
            return
        self._runtime.telemetry.log.error("the subscription was refused and is not renewed: %s", error)
        self.close(SubscriptionState.FAILED, error)
        self._announcer.error(error, already_logged=True)

    # -- the end ---------------------------------------------------------------------------------------------------

    def end(self, state: SubscriptionState, error: Exception | None = None) -> None:
        """Report what is missing and end the current subscription; the server's is deleted later."""
        self.report_missed(state)
        self.close(state, error)

    def report_missed(self, state: SubscriptionState) -> None:
        """Report the gaps that are still open: nothing will settle them any more."""
        open_gap, filter_gap = self._completeness.open_gap, self._machine.filter_gap
        server_time = self._runtime.server_time()
        if open_gap is not None and self.can_miss:
            reason = f"the subscription was {state} before its session was recovered"
            self._announcer.gap(gap_between(open_gap.since, server_time.latest, certain=True, reason=reason))
        if filter_gap is not None:
            self._machine.filter_gap = None
            self._announcer.gap(filter_gap.until(server_time))

    def close(self, state: SubscriptionState, error: Exception | None = None) -> None:
        """End the current subscription, after what is buffered, without reporting open gaps."""
        subscription = self._machine.current
        if subscription is not None and not subscription.claimed and state is SubscriptionState.FAILED:
            self._give_up(subscription)
        self._machine.revoke()
        if subscription is not None:
            subscription.end(state, error)
            self._runtime.waiters.limit_to(())
            self._runtime.mark_changed()

    def close_queue(self) -> None:
        """Let the consumer end after what is buffered."""
        if self._machine.current is not None:
            self._machine.current.queue.close()

    def pop_ids(self, *, keep_wanted: bool) -> list[str]:
        """Return the ids of all subscriptions still to be deleted at the server, and forget them."""
        machine = self._machine
        if not (keep_wanted and machine.wanted):
            machine.session_ended()
        ids, machine.orphans = machine.orphans, []
        return ids

    def _give_up(self, unclaimed: Subscription) -> None:
        """Report as missing what waits for a first `subscribe`, which cannot get it any more."""
        waiting = [*unclaimed.queue.queued()]
        unclaimed.queue.close(discard=True)
        if waiting:
            since = min(notification.made for notification in waiting)
            reason = f"{len(waiting)} notifications not delivered: the subscription of the last process has failed"
            self._announcer.gap(gap_between(since, self._runtime.server_time().latest, certain=True, reason=reason))


def _is_final(error: Exception) -> TypeGuard[RestError]:
    """Return whether the server's refusal is final, and about the filters rather than the login."""
    if not isinstance(error, RestError) or isinstance(error, LoginRefused):
        return False
    return 400 <= error.status_code < 500 and not error.retryable and error.status_code != 401
