"""What the application wants, what the server has, and how sure we are of that. Pure.

The machine says which call brings both together, and hears what became of it. Nothing is sent here: `Subscriptions`
carries the calls out. All of it that matters to the next process is written down with the session, doubt included.

A change has one commit point, its answer. Until then the application can withdraw it; what the server has made of it
by then is undone by one more call. A call in flight ends with its connection: what is heard of it later is ignored.

Facts: one subscription per session, a second POST replaces the first; PUT changes filters; 404 to a PUT says that the
server does not know the subscription any more (developer guide, subscriptions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from rcex_ws.wsg.completeness import OpenGap
from rcex_ws.wsg.filters import FilterIndex
from rcex_ws.wsg.models import SubscriptionInfo
from rcex_ws.wsg.stored import Certainty, StoredSubscription

__all__ = ["Call", "Change", "Flight", "SubscriptionMachine"]

C = TypeVar("C")

#: Ids of subscriptions to be deleted, while a server refuses to delete any.
_MOST_ORPHANS = 100


class Call(Struct, frozen=True, gc=False):
    """A call to /restapi/v1.0/subscription.

    Attributes:
        method: POST for a new subscription, PUT for other filters, DELETE.
        id: of the subscription; None with POST.
        filters: to ask for; empty with DELETE.
        for_change: whether it brings about the change under way.
    """

    method: Literal["POST", "PUT", "DELETE"]
    id: str | None
    filters: tuple[str, ...] = ()
    for_change: bool = False


class Change(Struct, Generic[C], eq=False):
    """What the application asks for and the server has not granted yet.

    Attributes:
        consumer: who is to get the notifications.
        filters: which ones.
        old: the filters that it replaces, by path.
        new: its own filters, by path.
        withdrawn: nobody waits for it any more, but it may have reached the server.
    """

    consumer: C
    filters: tuple[str, ...]
    old: FilterIndex
    new: FilterIndex
    withdrawn: bool = False

    def only_old(self, event: str) -> bool:
        """Tell whether the old filters alone can have caused a notification."""
        return self.old.can_cause(event) and not self.new.can_cause(event)


class Flight(Struct, frozen=True, eq=False, gc=False):
    """A call that is not answered yet.

    Attributes:
        call: what was sent.
        since: from when on the server may have made it.
        before: how sure we were before.
        changes: whether it matters to what the server sends; not so when it asks for the filters that are in force.
    """

    call: Call
    since: float
    before: Certainty
    changes: bool

    @property
    def may_cost(self) -> bool:
        """Whether something may be missing if it stays without an answer: the server served us, by other filters."""
        return self.changes and self.before is not Certainty.NOTHING


class SubscriptionMachine(Generic[C]):
    """Bring the filters of one application and one server together.

    Attributes:
        wanted: the filters that the application has been granted last; empty when it wants nothing.
        current: who gets the notifications; None when nobody does.
        change: under way; None when there is none.
        info: the subscription, as the server described it last; None if there is none, or none that is known.
        certainty: how sure we are of what the server has.
        filter_gap: what may be missing because the server may have had other filters than the application was told.
        orphans: ids of subscriptions that are to be deleted when there is time.
        on_given_up: hears at once of a consumer whose change has ended without being granted.
    """

    def __init__(self) -> None:
        self.on_given_up: Callable[[C], object] = lambda consumer: None
        self.wanted: tuple[str, ...] = ()
        self.current: C | None = None
        self.change: Change[C] | None = None
        self.info: SubscriptionInfo | None = None
        self.certainty = Certainty.NOTHING
        self.filter_gap: OpenGap | None = None
        self.orphans: list[str] = []
        self._in_force: tuple[str, ...] = ()  # while KNOWN
        self._unconfirmed = False  # a refresh was not answered: perhaps by the word that the subscription is gone
        self._flight: Flight | None = None

    @property
    def in_sync(self) -> bool:
        """Whether the server has what the application wants, for all that is known."""
        if not self.wanted:
            return self.certainty is Certainty.NOTHING
        sure = self.certainty is Certainty.KNOWN and not self._unconfirmed
        return sure and self._in_force == self.wanted

    # -- what the application asks for -----------------------------------------------------------------------------

    def begin(self, consumer: C, filters: tuple[str, ...]) -> Change[C]:
        """Ask for filters; one change at a time."""
        if self.change is not None:
            raise AssertionError("a change is under way")
        self.change = Change(consumer, filters, FilterIndex(self.wanted), FilterIndex(filters))
        return self.change

    def withdraw(self, change: Change[C]) -> None:
        """Want the change no more; without effect once it is committed."""
        change.withdrawn = True
        if self.change is change and (self._flight is None or not self._flight.call.for_change):
            self._give_up(change)

    def hand_over(self, consumer: C) -> None:
        """Give the same notifications to another consumer."""
        self.current = consumer

    def adopt(self, info: SubscriptionInfo, filters: tuple[str, ...], filter_gap: OpenGap) -> None:
        """Take the application's word for a subscription of an earlier process, for the next call to show.

        Args:
            info: as the server described it then.
            filters: which it had.
            filter_gap: what may be missing of it.
        """
        self.info, self.wanted, self.certainty, self.filter_gap = info, filters, Certainty.UNSURE, filter_gap

    def trust(self, info: SubscriptionInfo, filters: tuple[str, ...]) -> None:
        """Take the application's word for the subscription of a session that was recovered."""
        self.info, self.wanted, self.certainty, self._in_force = info, filters, Certainty.KNOWN, filters

    def forget(self) -> None:
        """Want nothing any more, and leave what the server has alone."""
        self.wanted, self.current, self.info, self.certainty = (), None, None, Certainty.NOTHING
        self.filter_gap = None

    def revoke(self) -> None:
        """Want nothing any more; what the server has is to be deleted."""
        self.session_ended()
        self.forget()

    # -- what the server is asked ----------------------------------------------------------------------------------

    def next_call(self, *, resubscribing: bool = False) -> Call | None:
        """Give the call that comes next; None when there is nothing to bring about.

        Args:
            resubscribing: leave a change under way aside, and see to what the application has been granted.
        """
        if self._flight is not None:
            raise AssertionError("a call is under way")
        change = None if resubscribing else self.change
        if change is None and self.in_sync:
            return None
        filters = self.wanted if change is None else change.filters
        known = self.info if self.certainty is not Certainty.NOTHING else None
        if not filters:
            return None if known is None else Call("DELETE", known.id)
        if known is None:
            return Call("POST", None, filters, for_change=change is not None)
        return Call("PUT", known.id, filters, for_change=change is not None)

    def launch(self, call: Call, since: float) -> Flight:
        """Hear that a call goes out: from here on the server may have made it.

        Args:
            call: as `next_call` gave it.
            since: the earliest event that it can make a difference to, in the server's time.
        """
        refreshes = call.method == "PUT" and self.certainty is Certainty.KNOWN and call.filters == self._in_force
        self._flight = Flight(call, since, self.certainty, changes=not refreshes)
        if not refreshes:
            self.certainty = Certainty.UNSURE
        return self._flight

    def in_flight(self, flight: Flight) -> bool:
        """Tell whether an answer to this call would still be heard."""
        return flight is self._flight

    def not_made(self, flight: Flight) -> None:
        """Hear that the server has made nothing of the call: it did not go out, or was refused."""
        if self._lands(flight):
            self.certainty = flight.before
            self._end_withdrawn()

    def unanswered(self, flight: Flight) -> None:
        """Hear that no answer will come: the server may have made it."""
        if self._lands(flight):
            if flight.may_cost:
                self._open_filter_gap(OpenGap(flight.since, reason=_UNANSWERED))
            self._unconfirmed = not flight.changes
            self._end_withdrawn()

    def subscription_gone(self, flight: Flight, last_confirmed: float) -> None:
        """Hear that the server does not know the subscription any more.

        Args:
            flight: the call that it said so to.
            last_confirmed: the last moment at which the subscription is known to have existed.
        """
        if self._lands(flight):
            self._has_nothing()
            self._open_filter_gap(OpenGap(last_confirmed, certain=True, reason=_GONE))
            self._end_withdrawn()

    def granted(self, flight: Flight, info: SubscriptionInfo | None) -> OpenGap | None:
        """Hear that the server has made what it was asked for. Commits a change that was not withdrawn.

        Args:
            flight: the call.
            info: the subscription; None when it was deleted.

        Returns:
            The doubt that is over now, if there was one.
        """
        if not self._lands(flight):
            return None
        if info is None:
            self._has_nothing()
            return None
        if info.id in self.orphans:  # that of a late answer: the session goes on, and the server has kept it
            self.orphans.remove(info.id)
        self.info, self.certainty, self._in_force = info, Certainty.KNOWN, flight.call.filters
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
        """Hear of a subscription after the end of the connection that it was asked for over: it is to be deleted."""
        if self.info is None or self.info.id != info.id:
            self._leave_behind(info.id)

    def deleted(self, info: SubscriptionInfo) -> None:
        """Hear that a subscription need not be deleted any more; a later one may have taken its place meanwhile."""
        if self.info is info:
            self.info = None

    def _leave_behind(self, id: str) -> None:
        """Note a subscription that is to be deleted; of many, the server has forgotten the oldest by itself."""
        if id not in self.orphans:
            self.orphans.append(id)
            del self.orphans[:-_MOST_ORPHANS]

    # -- what happens to the session -------------------------------------------------------------------------------

    def connection_lost(self) -> None:
        """Hear that the connection is gone, and an answer with it."""
        if self._flight is not None:
            self.unanswered(self._flight)

    def session_ended(self) -> None:
        """Hear that the present session has no subscription: the old one is to be deleted."""
        if self.info is not None:
            self._leave_behind(self.info.id)
        self._has_nothing()

    def to_store(self) -> StoredSubscription:
        """Write down what the next process must know."""
        gap, flight = self.filter_gap, self._flight
        if gap is None and self.wanted and flight is not None and flight.may_cost:
            gap = OpenGap(flight.since, reason=_UNANSWERED)
        sure = self.certainty is not Certainty.KNOWN or self.in_sync
        return StoredSubscription(
            wanted=self.wanted,
            info=self.info,
            certainty=self.certainty if sure else Certainty.UNSURE,
            doubt=None if gap is None else gap.to_store(),
            orphans=tuple(self.orphans),
        )

    def resume(self, stored: StoredSubscription, consumer: C, *, clean: bool) -> None:
        """Go on with what an earlier process wrote down.

        Args:
            stored: that.
            consumer: gets the notifications for the time being.
            clean: whether that process had the time to write down all that it did; else the filters are asserted.
        """
        self.wanted, self.info, self.current = stored.wanted, stored.info, consumer
        self.certainty, self._in_force = stored.certainty, stored.wanted
        self.orphans = list(stored.orphans)
        if self.certainty is Certainty.KNOWN and not clean:
            self.certainty = Certainty.UNSURE
        if stored.doubt is not None:
            self.filter_gap = OpenGap.from_store(stored.doubt)

    def resume_blind(self, consumer: C) -> None:
        """Go on with a session of which only the token is known."""
        self.current, self.certainty = consumer, Certainty.UNSURE

    # -- how -------------------------------------------------------------------------------------------------------

    def _has_nothing(self) -> None:
        self.info, self.certainty, self._unconfirmed = None, Certainty.NOTHING, False

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
        """Doubt from here on, unless an older doubt runs; what is certain stays so."""
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
