"""Between the session in memory and its store: resumes it at the start, writes it while it runs, leaves it at the end.

At most one write per second, one after each subscribe, and one at the end. A write reads the state itself, so marking a
change costs next to nothing per frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio

from rcex_ws.files import Complaints
from rcex_ws.loop import Signal
from rcex_ws.rest.owner import Owner, mismatch
from rcex_ws.trace import Step
from rcex_ws.wsg.completeness import OpenGap, gap_between
from rcex_ws.wsg.conversation import WsgShared
from rcex_ws.wsg.models import ConnectionDetails, Gap
from rcex_ws.wsg.session import LastEnd
from rcex_ws.wsg.store import SessionStore, SessionUnreadable
from rcex_ws.wsg.stored import StoredGap, StoredSession

__all__ = ["Keeper"]

#: Seconds between two writes.
_PAUSE = 1.0

#: Maximum seconds before a failed write is retried.
_LONGEST_PAUSE = 60.0

#: Maximum number of doublings of the pause: after a day of failures, the power would overflow a float.
_DOUBLINGS = 10

#: Maximum seconds for which the application and the server wait for a write.
_PATIENCE = 5.0

#: Seconds for closing the store once the time for closing is used up.
_LAST = 1.0

#: Number of uuids kept over a restart: more than the server replays.
_UUIDS = 500


class Keeper:
    """Keeps a session in its store.

    Args:
        store: the store.
        shared: the session and what belongs to it.
        last_inbound: returns the loop's time of the newest frame.
        owner: returns the server, application and user that the session belongs to.
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
        self._failures = 0  # consecutive
        self._complaints = Complaints(shared.telemetry.log)
        self._opened = False
        self._worth_keeping = False

    async def open(self, *, resume: bool) -> None:
        """Open the store and resume its session.

        Args:
            resume: False to begin a fresh session in any case.

        Raises:
            ConfigurationError: another process uses the store.
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
        for gap in stored.open_gaps:
            self._report_again(gap)
        if not stored.subscription.wanted:
            # Without a subscription the server recovers no session (WSG-1005), and nothing newer can be missing.
            return
        session = self._shared.session
        session.wsc = stored.wsc
        session.details = ConnectionDetails(recovery_timeout=stored.recovery_timeout)
        self._shared.resume_outage(_end_of(stored), OpenGap.from_store(stored.unfinished))
        self._shared.subscriptions.resume(stored.subscription, clean=stored.clean)
        if stored.clean:
            await self.write()  # takes the clean mark away: this process may be killed

    def _report_again(self, stored: StoredGap) -> None:
        if stored.until is None:
            return
        self._worth_keeping = True  # so that the store forgets it once it is handled
        since = -math.inf if stored.since is None else stored.since
        gap = gap_between(since, stored.until, certain=stored.certain, reason=stored.reason)
        if gap not in self._shared.announcer.gap_calls.open:  # this process itself may have stored it
            self._shared.announcer.gap(gap)

    def _belongs_to_another(self, stored: StoredSession) -> bool:
        """Return, and report, whether the session was made for another server, application or user.

        Its token and subscription would be useless to them, and must not be disclosed to them.
        """
        other = None if stored.owner is None else mismatch(stored.owner, self._owner())
        if other is None:
            return False
        reason = f"the stored session is not continued, it was made for another {other}"
        self._shared.telemetry.log.warning("%s", reason)
        if stored.subscription.wanted:
            begins = (OpenGap.from_store(gap).since for gap in (stored.unfinished, *stored.open_gaps))
            self._shared.sync.record_lost_session(min(begins), reason)
        return True

    def mark_changed(self) -> None:
        """Record a change; `run` writes it."""
        self._dirty.set()

    async def run(self) -> None:
        """Write whenever something has changed, for as long as the runtime lasts."""
        while True:
            await self._dirty.wait()
            await self.write()
            await anyio.sleep(min(_PAUSE * 2 ** min(self._failures, _DOUBLINGS), _LONGEST_PAUSE))

    async def write(self, end: LastEnd = LastEnd.KILLED) -> None:
        """Write now. A failure is reported once a minute and retried later: it must not cost the connection.

        Args:
            end: how the process has ended, if nothing more is written.
        """
        self._writes_requested += 1
        asked = self._writes_requested
        async with self._one_at_a_time:
            if asked <= self._writes_covered and end is LastEnd.KILLED:
                return  # a write that waited behind the same slow one has covered it
            self._writes_covered = self._writes_requested
            if self._dirty.is_set():  # otherwise `run` waits for it
                self._dirty = Signal()
            stored = self._snapshot(end)
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
        """Write now, but do not wait for a hanging disk: continue, and retry the write later.

        If the process is killed meanwhile, the older state stays, unclean: so the next process asserts the filters,
        and its gap begins before anything that is not stored.
        """
        with anyio.move_on_after(_PATIENCE) as scope:
            await self.write()
        if scope.cancelled_caught:
            self._shared.telemetry.log.warning("the session is not stored yet: that takes longer than %g s", _PATIENCE)
            self.mark_changed()

    async def close(self, *, keep_session: bool, all_processed: bool) -> None:
        """Write the final state, or forget the session, and leave the store to the next process."""
        if not self._opened:
            return
        try:
            if keep_session:
                clean = all_processed and self._shared.session.may_be_marked_clean
                await self.write(LastEnd.CLEAN if clean else LastEnd.CLOSED)
            else:
                await self._forget()
        finally:
            with anyio.move_on_after(_LAST, shield=True):
                await self._store.close()

    async def _forget(self) -> None:
        try:
            await self._store.clear()
        except Exception as exc:  # noqa: BLE001 - a store may raise anything
            self._complaints.report(
                "the session is not forgotten, and the next process would try to go on with it", exc
            )
            self._shared.announcer.error(exc, already_logged=True)

    def _snapshot(self, end: LastEnd) -> StoredSession | None:
        shared, session = self._shared, self._shared.session
        subscription = shared.sync.to_store()
        # Gaps that answers have revealed wait for their turn in `sync`; closing may cancel handlers and hook.
        open_gaps = [*shared.announcer.gap_calls.open, *shared.sync.unreported]
        if subscription.wanted or open_gaps:
            self._worth_keeping = True
        if not self._worth_keeping:  # only a session with a subscription can be recovered, and gaps outlive it
            return None
        outage = session.outage
        gone = outage is not None and outage.outcome is not None  # its successor has no subscription yet
        # What no consumer has processed is lost with the process: it must neither count as seen nor shorten the gap.
        waiting = shared.inbox.unprocessed()
        unseen = {notification.uuid for notification in waiting}
        oldest = min((notification.made for notification in waiting), default=math.inf)
        unfinished = shared.completeness.unfinished(self._last_inbound(), oldest, gone=gone)
        return StoredSession(
            wsc=None if gone else session.wsc,
            subscription=subscription,
            unfinished=unfinished.to_store(),
            recovery_timeout=session.details.recovery_timeout,
            clean=end is LastEnd.CLEAN,
            uuids=[uuid for uuid in shared.inbox.seen.last(_UUIDS) if uuid not in unseen],
            open_gaps=[_to_store(gap) for gap in open_gaps],
            owner=self._owner(),
            closed=end is not LastEnd.KILLED,
        )


def _to_store(gap: Gap) -> StoredGap:
    since = None if gap.since is None else gap.since.timestamp()
    return StoredGap(since=since, until=gap.until.timestamp(), certain=gap.certain, reason=gap.reason)


def _end_of(stored: StoredSession) -> LastEnd:
    if stored.clean:
        return LastEnd.CLEAN
    return LastEnd.CLOSED if stored.closed else LastEnd.KILLED
