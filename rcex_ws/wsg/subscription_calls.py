"""Makes the calls that the subscription's machine decides on, and tells it the result.

All that is decided here is what an answer means. Which call comes next is up to the machine; when it is made is up to
`Subscriptions` and `SubscriptionSync`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rcex_ws.errors import NotConnected, RateLimited, RequestLost
from rcex_ws.readers import printable
from rcex_ws.rest import RestError
from rcex_ws.wsg.announcer import Announcer
from rcex_ws.wsg.completeness import Completeness, gap_between
from rcex_ws.wsg.models import Gap, SubscriptionInfo, SubscriptionState
from rcex_ws.wsg.server_clock import ServerTime
from rcex_ws.wsg.subscription import Subscription
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscription_machine import Call, Flight, SubscriptionMachine
from rcex_ws.wsg.subscription_runtime import SubscriptionRuntime

__all__ = ["SubscriptionCalls"]

#: Maximum number of filters in a log line; there may be thousands.
_SHOWN = 3


class SubscriptionCalls:
    """Makes subscription calls.

    Args:
        runtime: the extension's runtime.
        api: sends the calls.
        machine: is told the result of a call.
        completeness: knows when the subscription last existed.
        announcer: reports gaps.

    Attributes:
        unreported: gaps that answers have revealed and that the announcer does not have yet.
    """

    def __init__(
        self,
        runtime: SubscriptionRuntime,
        api: SubscriptionApi,
        machine: SubscriptionMachine[Subscription],
        completeness: Completeness,
        announcer: Announcer,
    ) -> None:
        self.unreported: list[Gap] = []
        self._runtime = runtime
        self._api = api
        self._machine = machine
        self._completeness = completeness
        self._announcer = announcer

    async def make(self, call: Call) -> None:
        """Make one call, and tell the machine its result.

        Raises:
            RestError: the server refused; not if the subscription is gone, which the machine then knows.
            RcexError: there was no answer, or none that can be read.
        """
        machine, asked = self._machine, self._runtime.server_time()
        flight = machine.launch(call, asked.earliest - self._completeness.margin)
        if machine.wanted and (flight.may_cost or machine.filter_gap is not None):
            await self._write_ahead(flight)
        if call.for_change and machine.change is not None and machine.change.withdrawn:
            machine.not_made(flight)
            raise NotConnected("the call was not wanted any more")
        try:
            info = await self._api.make(call)
        except RestError as exc:
            if exc.status_code == 404 and call.method == "PUT":
                if not machine.in_flight(flight):
                    raise RequestLost("the connection was lost with the answer", sent=True) from exc
                machine.subscription_gone(flight, self._completeness.last_confirmed(self._runtime.last_inbound))
                return
            # A server may fail after it has made the change, and any other status but a refusal proves nothing.
            (machine.not_made if 400 <= exc.status_code < 500 else machine.unanswered)(flight)
            raise
        except (NotConnected, RateLimited):
            machine.not_made(flight)
            raise
        except RequestLost as exc:
            (machine.unanswered if exc.sent else machine.not_made)(flight)
            raise
        except BaseException:
            machine.unanswered(flight)
            raise
        if not machine.in_flight(flight):
            if info is not None:
                machine.granted_late(info)
            raise RequestLost("the connection was lost with the answer", sent=True)
        self._commit(flight, info, asked)

    async def _write_ahead(self, flight: Flight) -> None:
        """Store that a change is about to be sent: if the process is killed then, the next one reports the gap."""
        try:
            await self._runtime.store()
        except BaseException:
            self._machine.not_made(flight)
            raise
        if not self._machine.in_flight(flight):
            raise NotConnected("the connection was lost before the call was sent")

    def _commit(self, flight: Flight, info: SubscriptionInfo | None, asked: ServerTime) -> None:
        """Commit what the server has granted, without a pause in between."""
        machine, before, change, now = (
            self._machine,
            self._machine.current,
            self._machine.change,
            self._runtime.server_time(),
        )
        if info is not None:
            self._runtime.telemetry.log.info("subscribed to %s", _some(info.event_filters))
        settled = machine.granted(flight, info)
        self._completeness.confirm_subscription(asked)
        if settled is not None:
            self.unreported.append(settled.until(now))
        if info is not None and info.disabled_filters:
            denied = ", ".join(f"{item.filter} ({item.reason or item.message})" for item in info.disabled_filters)
            reason = f"filters not granted: {printable(denied)}"
            self.unreported.append(
                gap_between(asked.earliest - self._completeness.margin, now.latest, certain=True, reason=reason)
            )
        current = machine.current
        if current is not None:
            current.activate(machine.info, machine.wanted)
            if current is not before and change is not None:
                self.replace_current(current, before, change.only_old)
            self._runtime.waiters.limit_to(current.event_filters)
        self._runtime.mark_changed()

    def replace_current(
        self, successor: Subscription, current: Subscription | None, only_old: Callable[[str], bool]
    ) -> None:
        """Hand over from the current subscription to its successor.

        Args:
            successor: delivers from now on.
            current: ends after what is buffered; None if there was none.
            only_old: whether only the filters of `current` can have caused an event.
        """
        if current is not None:
            if not current.claimed:  # nobody has seen these notifications, nor wants those of the old filters any more
                current.queue.move_to(successor.queue, lambda item: not only_old(item.event))
            else:  # those that only the old filters can have caused came before the server had answered
                successor.queue.move_to(current.queue, lambda item: only_old(item.event), behind=True)
            current.end(SubscriptionState.REPLACED, discard=not current.claimed)
        if successor.has_callback:
            self._runtime.start_delivery(successor, current)

    async def delete_orphans(self) -> None:
        """Delete the orphans; forget those whose deletion is refused for good, and keep others for later."""
        machine = self._machine
        while machine.orphans:
            orphan = machine.orphans[-1]  # stays in the list until it is deleted: closing may come first
            try:
                await self._api.make(Call("DELETE", orphan))
            except Exception as exc:  # noqa: BLE001 - a middleware may raise anything, which must not end more than this
                self._runtime.telemetry.log.info("a subscription was not deleted: %s", exc or type(exc).__name__)
                if not isinstance(exc, RestError) or exc.retryable:
                    return
            if orphan in machine.orphans:
                machine.orphans.remove(orphan)

    async def report_now(self) -> None:
        """Report the unreported gaps, and wait until the hook has run."""
        while self.unreported:
            await self._announcer.gap_now(self.unreported.pop(0))

    def report_in_turn(self) -> None:
        """Report the unreported gaps after everything emitted so far."""
        while self.unreported:
            self._announcer.gap(self.unreported.pop(0))


def _some(filters: Sequence[str]) -> str:
    more = len(filters) - _SHOWN
    return ", ".join(map(printable, filters[:_SHOWN])) + (f" and {more:,} more" if more > 0 else "")
