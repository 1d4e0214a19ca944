"""What the application wants, what the server has, and how sure that is. Pure.

The machine decides which call brings both together, and is told the result. It sends nothing: `SubscriptionCalls` does.
Whatever matters to the next process is stored with the session.

A change has one commit point: its answer. Until then the application can withdraw it; whatever the server has made of
it by then is undone by one more call. A call in flight ends with its connection: a later answer is ignored.

Facts: one subscription per session, a second POST replaces the first; PUT changes filters; 404 to a PUT means that the
server does not know the subscription any more (developer guide, subscriptions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from rcex_ws.wsg.completeness import OpenGap
from rcex_ws.wsg.filters import FilterIndex
from rcex_ws.wsg.models import SubscriptionInfo
from rcex_ws.wsg.stored import ServerHas, StoredSubscription

__all__ = ["Call", "Change", "Flight", "SubscriptionMachine"]

C = TypeVar("C")

#: Maximum number of subscriptions remembered for deletion, while a server refuses to delete any.
_MOST_ORPHANS = 100


class Call(Struct, frozen=True, gc=False):
    """A call to /restapi/v1.0/subscription.

    Attributes:
        method: POST for a new subscription, PUT for other filters, DELETE.
        id: the subscription's; None with POST.
        filters: the filters to ask for; empty with DELETE.
        for_change: whether it is for the change under way.
    """

    method: Literal["POST", "PUT", "DELETE"]
    id: str | None
    filters: tuple[str, ...] = ()
    for_change: bool = False


class Change(Struct, Generic[C], eq=False):
    """A request of the application that the server has not granted yet.

    Attributes:
        consumer: gets the notifications once it is granted.
        filters: the filters to ask for.
        old: index of the filters that it replaces.
        new: index of its own filters.
        withdrawn: whether its caller has given up; it may have reached the server all the same.
    """

    consumer: C
    filters: tuple[str, ...]
    old: FilterIndex
    new: FilterIndex
    withdrawn: bool = False

    def only_old(self, event: str) -> bool:
        """Return whether only the old filters can have caused a notification."""
        return self.old.can_cause(event) and not self.new.can_cause(event)


class Flight(Struct, frozen=True, eq=False, gc=False):
    """A call that is not answered yet.

    Attributes:
        call: what is sent.
        since: the moment from which the server may have carried it out.
        before: what was known of the server's filters before it.
        changes: whether it affects what the server sends; False if it asks for the filters in force.
    """

    call: Call
    since: float
    before: ServerHas
    changes: bool

    @property
    def may_cost(self) -> bool:
        """Whether notifications may be missing if no answer comes: the server may have used either set of filters."""
        return self.changes and self.before is not ServerHas.NOTHING


class SubscriptionMachine(Generic[C]):
    """Brings the filters of one application and one server together. `C` is `Subscription`, except in tests.

    Attributes:
        wanted: the filters granted last; empty if the application wants nothing.
        current: the consumer that gets the notifications; None if there is none.
        change: the change under way; None if there is none.
        info: the newest description of the subscription; None if there is none, or it is not known.
        server_has: what is known of the server's filters.
        filter_gap: what may be missing because the server may have had other filters than the wanted ones, or none.
        orphans: ids of subscriptions to be deleted later.
        on_given_up: called with the consumer of a change that has ended without being granted.
    """

    def __init__(self) -> None:
        self.on_given_up: Callable[[C], object] = lambda consumer: None
        self.wanted: tuple[str, ...] = ()
        self.current: C | None = None
        self.change: Change[C] | None = None
        self.info: SubscriptionInfo | None = None
        self.server_has = ServerHas.NOTHING
        self.filter_gap: OpenGap | None = None
        self.orphans: list[str] = []
        self._in_force: tuple[str, ...] = ()  # the server's filters, while KNOWN
        # A refresh was not answered: the filters are KNOWN all the same, but the subscription may turn out to be gone.
        self._unconfirmed = False
        self._flight: Flight | None = None

    @property
    def in_sync(self) -> bool:
        """Whether the server has what the application wants, as far as that is known."""
        if not self.wanted:
            return self.server_has is ServerHas.NOTHING
        sure = self.server_has is ServerHas.KNOWN and not self._unconfirmed
        return sure and self._in_force == self.wanted

    # -- requests of the application -------------------------------------------------------------------------------

    def begin(self, consumer: C, filters: tuple[str, ...]) -> Change[C]:
        """Begin a change of the filters; one at a time."""
        if self.change is not None:
            raise AssertionError("a change is under way")
        self.change = Change(consumer, filters, FilterIndex(self.wanted), FilterIndex(filters))
        return self.change

    def withdraw(self, change: Change[C]) -> None:
        """Withdraw a change; without effect once it is committed."""
        change.withdrawn = True
        if self.change is change and (self._flight is None or not self._flight.call.for_change):
            self._give_up(change)

    def hand_over(self, consumer: C) -> None:
        """Make another consumer the current one, with the same filters."""
        self.current = consumer

    def adopt(self, info: SubscriptionInfo, filters: tuple[str, ...], filter_gap: OpenGap) -> None:
        """Assume a subscription of an earlier process that the application describes; the next call verifies it.

        Args:
            info: the server's description at that time.
            filters: its filters.
            filter_gap: what may be missing of it.
        """
        self.info, self.wanted, self.server_has, self.filter_gap = info, filters, ServerHas.UNSURE, filter_gap

    def trust(self, info: SubscriptionInfo, filters: tuple[str, ...]) -> None:
        """Accept the application's description of the subscription of a recovered session."""
        self.info, self.wanted, self.server_has, self._in_force = info, filters, ServerHas.KNOWN, filters

    def forget(self) -> None:
        """Want nothing any more, and leave the server's subscription alone."""
        self.wanted, self.current, self.info, self.server_has = (), None, None, ServerHas.NOTHING
        self.filter_gap = None

    def revoke(self) -> None:
        """Want nothing any more; the server's subscription is to be deleted."""
        self.session_ended()
        self.forget()

    # -- calls to the server ---------------------------------------------------------------------------------------

    def next_call(self, *, resubscribing: bool = False) -> Call | None:
        """Return the call to make next; None if nothing is to be done.

        Args:
            resubscribing: ignore a change under way, and restore what was granted last.
        """
        if self._flight is not None:
            raise AssertionError("a call is under way")
        change = None if resubscribing else self.change
        if change is None and self.in_sync:
            return None
        filters = self.wanted if change is None else change.filters
        known = self.info if self.server_has is not ServerHas.NOTHING else None
        if not filters:
            return None if known is None else Call("DELETE", known.id)
        if known is None:
            return Call("POST", None, filters, for_change=change is not None)
        return Call("PUT", known.id, filters, for_change=change is not None)

    def launch(self, call: Call, since: float) -> Flight:
        """Record that a call is about to be sent: from here on the server may have carried it out.

        Args:
            call: as returned by `next_call`.
            since: the earliest event that it can affect, in the server's time.
        """
        refreshes = call.method == "PUT" and self.server_has is ServerHas.KNOWN and call.filters == self._in_force
        self._flight = Flight(call, since, self.server_has, changes=not refreshes)
        if not refreshes:
            self.server_has = ServerHas.UNSURE
        return self._flight

    def in_flight(self, flight: Flight) -> bool:
        """Return whether an answer to this call still counts."""
        return flight is self._flight

    def not_made(self, flight: Flight) -> None:
        """Record that the server has not carried out the call: it was not sent, or was refused."""
        if self._lands(flight):
            self.server_has = flight.before
            self._end_withdrawn()

    def unanswered(self, flight: Flight) -> None:
        """Record that no answer will come: the server may have carried it out."""
        if self._lands(flight):
            if flight.may_cost:
                self._open_filter_gap(OpenGap(flight.since, reason=_UNANSWERED))
            self._unconfirmed = not flight.changes
            self._end_withdrawn()

    def subscription_gone(self, flight: Flight, last_confirmed: float) -> None:
        """Record that the server does not know the subscription any more.

        Args:
            flight: the call that it answered so.
            last_confirmed: the last moment at which the subscription is known to have existed.
        """
        if self._lands(flight):
            self._has_nothing()
            self._open_filter_gap(OpenGap(last_confirmed, certain=True, reason=_GONE))
            self._end_withdrawn()

    def granted(self, flight: Flight, info: SubscriptionInfo | None) -> OpenGap | None:
        """Record that the server has carried out a call, and commit its change unless it was withdrawn.

        Args:
            flight: the call.
            info: the subscription; None if it was deleted.

        Returns:
            The filter gap that ends now, if there was one.
        """
        if not self._lands(flight):
            return None
        if info is None:
            self._has_nothing()
            return None
        if info.id in self.orphans:  # known from a late answer: the session was recovered, and the server has kept it
            self.orphans.remove(info.id)
        self.info, self.server_has, self._in_force = info, ServerHas.KNOWN, flight.call.filters
        self._unconfirmed = False
        change = self.change if flight.call.for_change else None
        if change is not None:
            if not change.withdrawn:
                self.change, self.wanted, self.current = None, change.filters, change.consumer
            else:
                self._give_up(change)
                if flight.may_cost:
                    self._open_filter_gap(OpenGap(flight.since, reason=_WITHDRAWN))
        if not self.in_sync:
            return None
        settled, self.filter_gap = self.filter_gap, None
        return settled

    def granted_late(self, info: SubscriptionInfo) -> None:
        """Record a subscription whose connection ended before its answer was handled: it is to be deleted."""
        if self.info is None or self.info.id != info.id:
            self._leave_behind(info.id)

    def deleted(self, info: SubscriptionInfo) -> None:
        """Record that a subscription need not be deleted any more; a later one may have replaced it meanwhile."""
        if self.info is info:
            self.info = None

    def _leave_behind(self, id: str) -> None:
        """Add a subscription to the orphans; of too many, the server has forgotten the oldest by itself."""
        if id not in self.orphans:
            self.orphans.append(id)
            del self.orphans[:-_MOST_ORPHANS]

    # -- connection, session, process ------------------------------------------------------------------------------

    def connection_lost(self) -> None:
        """Record that the connection is lost, and with it the answer to the call in flight."""
        if self._flight is not None:
            self.unanswered(self._flight)

    def session_ended(self) -> None:
        """Record that the new session has no subscription; the old session's is to be deleted."""
        if self.info is not None:
            self._leave_behind(self.info.id)
        self._has_nothing()

    def to_store(self) -> StoredSubscription:
        """Return what the next process must know."""
        gap, flight = self.filter_gap, self._flight
        if gap is None and self.wanted and flight is not None and flight.may_cost:
            gap = OpenGap(flight.since, reason=_UNANSWERED)
        sure = self.server_has is not ServerHas.KNOWN or self.in_sync
        return StoredSubscription(
            wanted=self.wanted,
            info=self.info,
            certainty=self.server_has if sure else ServerHas.UNSURE,
            doubt=None if gap is None else gap.to_store(),
            orphans=tuple(self.orphans),
        )

    def resume(self, stored: StoredSubscription, consumer: C, *, clean: bool) -> None:
        """Continue the subscription of an earlier process.

        Args:
            stored: its stored form.
            consumer: gets the notifications for now.
            clean: whether that process ended clean; otherwise it may not have stored its last change.
        """
        self.wanted, self.info, self.current = stored.wanted, stored.info, consumer
        self.server_has, self._in_force = stored.certainty, stored.wanted
        self.orphans = list(stored.orphans)
        if self.server_has is ServerHas.KNOWN and not clean:
            self.server_has = ServerHas.UNSURE
        if stored.doubt is not None:
            self.filter_gap = OpenGap.from_store(stored.doubt)

    def resume_blind(self, consumer: C) -> None:
        """Continue a session of which only the token is known."""
        self.current, self.server_has = consumer, ServerHas.UNSURE

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _has_nothing(self) -> None:
        self.info, self.server_has, self._unconfirmed = None, ServerHas.NOTHING, False

    def _lands(self, flight: Flight) -> bool:
        if flight is not self._flight:
            return False
        self._flight = None
        return True

    def _end_withdrawn(self) -> None:
        if self.change is not None and self.change.withdrawn:
            self._give_up(self.change)

    def _give_up(self, change: Change[C]) -> None:
        self.change = None
        self.on_given_up(change.consumer)

    def _open_filter_gap(self, gap: OpenGap) -> None:
        """Open a filter gap, or widen the one that is open; what is certain stays so."""
        if not self.wanted:
            return  # nothing can be missing
        earlier = self.filter_gap
        if earlier is None:
            self.filter_gap = gap
        elif gap.certain or gap.since < earlier.since:
            certain = earlier.certain or gap.certain
            self.filter_gap = OpenGap(
                min(earlier.since, gap.since), certain, gap.reason if gap.certain else earlier.reason
            )


_UNANSWERED = "a change of the filters was not answered; the server may have made it for a while"
_WITHDRAWN = "a change of the filters was cancelled; the server had made it for a while"
_GONE = "the server did not know the subscription any more"
