"""Rules of gaps: none without a cause, none in another time than the server's, none longer than there is doubt."""

from __future__ import annotations

from collections.abc import Iterator

from oracle import journal as j
from oracle.history import MARGIN, Gap, History
from oracle.violation import Violation

__all__ = ["bounds", "endless", "no_cause"]

# A fault may work for so long, in seconds: a freeze, and the time until it is noticed.
LASTS = 250.0
# A slow hook or handler may hold up what is told for so long, in seconds.
LATE_TELLING = 130.0


def no_cause(history: History) -> Iterator[Violation]:
    """Each gap has a cause: a fault, a killed life, an absence beyond the window, a change that did not return."""
    for gap in history.gaps:
        begin = 0.0 if gap.since is None else min(history.at_of(gap.since), gap.told_at) - LASTS * history.pace
        if not history.struck_between(begin, gap.told_at) and not _other_cause(history, gap, begin):
            text = f"{_describe(gap)} in life {gap.life} has no cause: no fault, no kill, nothing left unanswered"
            yield Violation("no-cause", gap.told_at, text)


def _other_cause(history: History, gap: Gap, begin: float) -> bool:
    for life in history.lives.values():
        if begin <= life.ended_at <= gap.told_at:
            after = history.lives.get(life.number + 1)
            if life.how == "kill" or (
                after is not None and after.began_at - life.ended_at > history.window - 2 * MARGIN * history.pace
            ):
                return True
            next_began = gap.told_at if after is None else after.began_at
            # A store may be too slow for close_timeout; then the last word is not kept.
            if "slow-store" in history.kinds or _closed_unanswered(history, life.ended_at, next_began):
                return True
    handled = {record.n for record in history.handled}
    for record in history.server:
        if not begin <= record.at <= gap.told_at:
            continue
        # Whatever was meant for the client and never handled: to tell of it is right.
        if isinstance(record, j.ConnOpened) and record.replayed >= history.buffer:
            return True
        if isinstance(record, j.SessionLost) or (isinstance(record, j.Written) and record.n not in handled):
            return True
    for record in history.client:
        if not begin <= record.at <= gap.told_at:
            continue
        if isinstance(record, j.Changed) and record.how in {"error", "cancelled"}:
            return True
        # A handler that was busy at a close: what waited behind it is told as a gap.
        if isinstance(record, j.HandlerDone) and record.how == "cancelled":
            return True
    return False


def _closed_unanswered(history: History, ended_at: float, next_began: float) -> bool:
    """Say whether the server learned of a close only after the client was through with it, and so did not answer."""
    return any(isinstance(record, j.ConnEnded) and ended_at < record.at < next_began for record in history.server)


def bounds(history: History) -> Iterator[Violation]:
    """A gap ends after it began, and before it was told, in the server's time."""
    for gap in history.gaps:
        told = history.server_time(gap.told_at)
        if gap.since is not None and gap.since > gap.until + MARGIN:
            yield Violation("bounds", gap.told_at, f"{_describe(gap)} ends before it begins")
        elif gap.until > told + MARGIN:
            text = f"{_describe(gap)} ends {gap.until - told:.0f} s after it was told, at {told:.3f} of the server"
            yield Violation("bounds", gap.told_at, text)


def endless(history: History) -> Iterator[Violation]:
    """A gap begins no earlier than what was proven complete before it, less the margin.

    Proofs that an application can see: a call that came back over the socket proves what was made before it was
    asked, a notification what was made before it, less the margin. For a gap of a loss only what came before the loss
    counts; for one that is found while connected, only notifications do: a call proves no subscription. A gap is not
    judged while an older doubt was open: an unanswered change, a filter that was not granted, a full queue.
    """
    outages = _outages(history)
    for gap in history.gaps:
        if "queue" in gap.reason or _not_granted(history, gap.told_at):
            continue
        outage = next((one for one in reversed(outages) if one[0] == gap.life and one[1] <= gap.told_at), None)
        lost = outage is not None and gap.told_at <= outage[2]
        before = min(gap.told_at, history.at_of(gap.until)) - MARGIN
        if outage is not None and lost:
            before = min(outage[1], before + MARGIN)
        if "slow-handler" in history.kinds:
            before -= LATE_TELLING  # what is told waits behind a slow handler
        proof, by = _last_proof(history, gap.life, before, calls=lost)
        if not by or (gap.since is not None and gap.since >= history.server_time(proof) - MARGIN):
            continue
        if gap.since is not None and _doubt(history, history.at_of(gap.since) - MARGIN, gap.told_at):
            continue
        since = "the beginning" if gap.since is None else f"{history.server_time(proof) - gap.since:.1f} s before it"
        text = (
            f"{_describe(gap)} in life {gap.life} begins at {since}, although {by} proves all complete up to "
            f"{proof:.3f} ({history.server_time(proof):.3f} of the server)"
        )
        yield Violation("endless", gap.told_at, text)


def _not_granted(history: History, at: float) -> bool:
    disabled = False
    for record in history.server:
        if record.at > at:
            break
        if isinstance(record, j.InForce):
            disabled = bool(record.disabled)
    return disabled


def _outages(history: History) -> list[tuple[int, float, float]]:
    """Give the losses: life, told when, and until when all was ready again."""
    outages: list[tuple[int, float, float]] = []
    for record in history.client:
        if isinstance(record, j.Told) and record.event == "disconnected":
            outages.append((record.life, record.at, float("inf")))
        elif isinstance(record, j.Told) and record.event == "connectionReady" and outages and outages[-1][2] > 1e300:
            outages[-1] = (*outages[-1][:2], record.at)
    return outages


def _last_proof(history: History, life: int, before: float, *, calls: bool) -> tuple[float, str]:
    proof, by = 0.0, ""
    began: dict[str, float] = {}
    # What was replayed proves nothing while the replay is not over.
    slow = {record.conn for record in history.struck if record.kind == "replay-slow"}
    unstamped = {record.at for record in history.struck if record.kind == "stamp-none"}
    replayed = {
        record.n
        for record in history.server
        if isinstance(record, j.Written) and (record.how != "live" or record.conn in slow or record.at in unstamped)
    }
    for record in history.client:
        if record.at > before:
            break
        if isinstance(record, j.CallBegan) and record.life == life and calls:
            began[record.call] = record.at
        elif isinstance(record, j.CallEnded) and record.how == "returned" and record.via == "websocket":
            asked = began.get(record.call)
            if asked is not None and asked > proof:
                proof, by = asked, f"call {record.call}"
        elif isinstance(record, j.Handled) and record.life == life and record.n not in replayed:
            made = history.made[record.n].at - MARGIN
            if made > proof:
                proof, by = made, f"event {record.n}"
    began_at = history.lives[life].began_at
    for at in history.heartbeats:
        if proof < at < before and at > began_at and calls:
            proof, by = at, "a heartbeat"
    return proof, by


def _doubt(history: History, begin: float, end: float) -> bool:
    return any(
        isinstance(record, j.Changed) and record.how in {"error", "cancelled"} and begin <= record.at <= end
        for record in history.client
    )


def _describe(gap: Gap) -> str:
    since = "None" if gap.since is None else f"{gap.since:.3f}"
    kind = "certain" if gap.certain else "possible"
    return f"the {kind} gap {since}..{gap.until:.3f} ({gap.reason}), told at {gap.told_at:.3f},"
