"""Between the session in memory and its store: resume it at the start, write it while it runs, leave it at the end.

At most one write a second, one after each subscribe, and one at the end. It reads the state when it writes, so marking
that something changed costs the reader next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio

from rcex_ws.files import Complaints
from rcex_ws.loop import Signal
from rcex_ws.rest.owner import Owner, mismatch
from rcex_ws.trace import Step
from rcex_ws.wsg.completeness import OpenGap
from rcex_ws.wsg.conversation import WsgShared
from rcex_ws.wsg.models import ConnectionDetails, Gap
from rcex_ws.wsg.session import LastEnd, Outage
from rcex_ws.wsg.store import SessionStore, SessionUnreadable
from rcex_ws.wsg.stored import StoredSession

__all__ = ["Keeper"]

#: Seconds between two writes.
_PAUSE = 1.0

#: Seconds at most before a write that failed is tried again.
_LONGEST_PAUSE = 60.0

#: How often the pause is doubled at most: of a disk that is full for a day the number would not fit a float.
_DOUBLINGS = 10

#: Seconds that the application and the server wait for a write at most.
_PATIENCE = 5.0

#: Seconds for closing the store when all the time for closing is over.
_LAST = 1.0

#: Uuids kept over a restart: more than the server replays.
_UUIDS = 500


class Keeper:
    """Keep a session in its store.

    Args:
        store: where to.
        shared: the session and what belongs to it.
        last_inbound: gives the loop's time when the newest frame came.
        owner: says whose session it is now.
    """

    def __init__(
        self, store: SessionStore, shared: WsgShared, last_inbound: Callable[[], float], owner: Callable[[], Owner]
    ) -> None:
        self._store = store
        self._shared = shared
        self._last_inbound = last_inbound
        self._owner = owner
        self._dirty = Signal()
        self._one_at_a_time = anyio.Lock()
        self._writes_requested = self._writes_covered = 0  # requests so far, and how many of them a write has covered
        self._failures = 0  # in a row
        self._complaints = Complaints(shared.telemetry.log)
        self._opened = False
        self._worth_keeping = False

    async def open(self, *, resume: bool) -> None:
        """Take the store, and resume the session in it.

        Args:
            resume: False to begin a fresh session all the same.

        Raises:
            ConfigurationError: another process has the store.
        """
        try:
            stored = await self._store.open()
        except SessionUnreadable as exc:
            stored = None
            if resume:
                self._shared.announcer.error(exc)
                self._shared.sync.record_lost_session(-math.inf, str(exc))
        self._opened = True
        if stored is None or not resume or self._belongs_to_another(stored):
            return
        for uuid in stored.uuids:
            self._shared.inbox.seen.add(uuid)
        if not stored.subscription.wanted:
            return  # without a subscription there is no session to recover (WSG-1005), and nothing to miss
        session = self._shared.session
        session.wsc = stored.wsc
        session.details = ConnectionDetails(recovery_timeout=stored.recovery_timeout)
        last_end = LastEnd.CLEAN if stored.clean else LastEnd.UNCLEAN
        session.begin_outage(Outage(lost_at=None, last_end=last_end))
        self._shared.telemetry.begin_recovery("restart")
        self._shared.completeness.resume(OpenGap.from_store(stored.unfinished))
        self._shared.subscriptions.resume(stored.subscription, clean=stored.clean)
        if stored.clean:
            await self.write()  # from here on the end of this process counts

    def _belongs_to_another(self, stored: StoredSession) -> bool:
        """Tell, also the application, that a session was made for another server, application or user.

        Its token and its subscription say nothing to them, and are not theirs to know.
        """
        other = None if stored.owner is None else mismatch(stored.owner, self._owner())
        if other is None:
            return False
        reason = f"the stored session is not continued, it was made for another {other}"
        self._shared.telemetry.log.warning("%s", reason)
        if stored.subscription.wanted:
            self._shared.sync.record_lost_session(OpenGap.from_store(stored.unfinished).since, reason)
        return True

    def mark_changed(self) -> None:
        """Say that something changed."""
        self._dirty.set()

    async def run(self) -> None:
        """Write whenever something changed; for ever, owned by the client's root task."""
        while True:
            await self._dirty.wait()
            await self.write()
            await anyio.sleep(min(_PAUSE * 2 ** min(self._failures, _DOUBLINGS), _LONGEST_PAUSE))

    async def write(self, *, clean: bool = False) -> None:
        """Write now. A failure is reported once a minute, and tried again later: it must not cost the connection.

        Args:
            clean: this is the last word, and all that came was delivered.
        """
        self._writes_requested += 1
        asked = self._writes_requested
        async with self._one_at_a_time:
            if asked <= self._writes_covered and not clean:
                return  # by one that waited behind the same slow write
            self._writes_covered = self._writes_requested
            if self._dirty.is_set():  # else `run` waits for it
                self._dirty = Signal()
            stored = self._snapshot(clean=clean)
            if stored is None:
                return
            try:
                with self._shared.telemetry.trace.begin(Step.STORE):
                    await self._store.save(stored)
            except Exception as exc:  # noqa: BLE001 - a store may raise anything
                self._failures += 1
                self.mark_changed()
                if self._complaints.report_repeated("the session is not stored; it would go on from an older one", exc):
                    self._shared.announcer.error(exc, already_logged=True)
            else:
                if self._failures:
                    self._shared.telemetry.log.info("the session is stored again")
                self._failures = 0

    async def write_in_time(self) -> None:
        """Write now, but do not wait for a disk that hangs: the connection goes on, and the write is made up for.

        Who is killed meanwhile leaves what was stored before, unclean: so the next process asserts the filters, and
        its gap begins before all that is not stored.
        """
        with anyio.move_on_after(_PATIENCE) as scope:
            await self.write()
        if scope.cancelled_caught:
            self._shared.telemetry.log.warning("the session is not stored yet: that takes longer than %g s", _PATIENCE)
            self.mark_changed()

    async def close(self, *, keep_session: bool, all_delivered: bool) -> None:
        """Say the last word, or forget the session, and leave the store to the next process."""
        if not self._opened:
            return
        try:
            if keep_session:
                await self.write(
                    clean=all_delivered and self._shared.session.may_be_marked_clean and not self._unreported
                )
            else:
                await self._forget()
        finally:
            with anyio.move_on_after(_LAST, shield=True):
                await self._store.close()

    async def _forget(self) -> None:
        try:
            await self._store.clear()
        except Exception as exc:  # noqa: BLE001 - likewise
            self._complaints.report(
                "the session is not forgotten, and the next process would try to go on with it", exc
            )
            self._shared.announcer.error(exc, already_logged=True)

    def _snapshot(self, *, clean: bool) -> StoredSession | None:
        shared, session = self._shared, self._shared.session
        subscription = shared.sync.to_store()
        if subscription.wanted:
            self._worth_keeping = True
        if not self._worth_keeping:  # only a session with a subscription can be recovered
            return None
        outage = session.outage
        gone = outage is not None and outage.outcome is not None  # the next session has no subscription yet
        # What no consumer has taken dies with the process: it must neither count as seen nor shorten the gap.
        waiting = shared.inbox.undelivered()
        unseen = {notification.uuid for notification in waiting}
        oldest = min((notification.made for notification in waiting), default=math.inf)
        unfinished = shared.completeness.unfinished(self._last_inbound(), oldest, gone=gone)
        for gap in self._unreported:
            unfinished = unfinished.including(OpenGap.of(gap))
        return StoredSession(
            wsc=None if gone else session.wsc,
            subscription=subscription,
            unfinished=unfinished.to_store(),
            recovery_timeout=session.details.recovery_timeout,
            clean=clean,
            uuids=[uuid for uuid in shared.inbox.seen.last(_UUIDS) if uuid not in unseen],
            owner=self._owner(),
        )

    @property
    def _unreported(self) -> list[Gap]:
        """What the application has not heard of to the end; when it closes, that may be cut short."""
        return [*self._shared.sync.unreported, *self._shared.announcer.unreported]
