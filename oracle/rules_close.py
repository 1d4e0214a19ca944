"""Rules of the end: every close returns in time, leaves nothing behind, and nothing escapes before it or after."""

from __future__ import annotations

from collections.abc import Iterator

from oracle import journal as j
from oracle.history import History
from oracle.violation import Violation

__all__ = ["after", "escaped", "late", "orphan"]

# Beyond close_timeout, in seconds: the time to cancel what is under way. Slow stores take up to 2 s for each write.
SLACK = 1.0
SLOW_STORE = 8.0
# A connection on which a fault struck within so many seconds may be dead without anybody's knowledge.
DOUBTFUL = 200.0


def late(history: History) -> Iterator[Violation]:
    """Each close returns within close_timeout and the slack, from any state; then the state is right."""
    slack = SLACK + (SLOW_STORE if "slow-store" in history.kinds else 0.0)
    done = {(record.life, record.close): record for record in history.client if isinstance(record, j.ClosingDone)}
    for began in history.client:
        if not isinstance(began, j.Closing):
            continue
        end, name = done.get((began.life, began.close)), f"{began.what} ({began.whence}) of life {began.life}"
        if end is None:
            if history.lives[began.life].how != "kill":
                yield Violation("close-late", began.at, f"{name} never came back")
        elif end.at - began.at > began.timeout + slack:
            text = f"{name} took {end.at - began.at:.1f} s; close_timeout is {began.timeout} s"
            yield Violation("close-late", began.at, text)
        elif (
            end.how == "returned"
            and end.state not in {"closed", "idle", "failed"}
            and _connected_again(history, began, end.at) is None
        ):
            yield Violation("close-late", end.at, f"{name} came back, the state is {end.state}")


def orphan(history: History) -> Iterator[Violation]:
    """After a revoke, or a close without a store, the server has no subscription of that session any more."""
    for life in history.lives.values():
        closing = life.closing
        if closing is None or (life.store and not life.revoked) or closing.what == "detach":
            continue
        if life.store and closing.what != "revoke":  # one of several at once; which of them wins is not said
            continue
        if history.struck_between(closing.at - DOUBTFUL * history.pace, life.ended_at + 1):
            continue
        newest, session, sub, opened, states = 0, 0, "", False, ""
        for record in history.client:
            if record.at <= closing.at and isinstance(record, j.Told) and record.life == life.number:
                states = record.state
        for record in history.server:
            if record.at <= closing.at and isinstance(record, j.ConnOpened) and record.conn > newest:
                newest, session, opened = record.conn, record.session, True
            elif record.at <= closing.at and isinstance(record, j.ConnEnded) and record.session == session:
                opened = False
            elif record.at <= life.ended_at + 1 and isinstance(record, j.InForce) and record.session == session:
                sub = record.sub
        if opened and sub and states == "ready":
            text = f"{closing.what} of life {life.number} left subscription {sub} of session {session} at the server"
            yield Violation("orphan", closing.at, text)


def after(history: History) -> Iterator[Violation]:
    """Nothing of a life that has ended connects, reads or writes; nor the WebSocket of one that has closed."""
    for record in history.client:
        if isinstance(record, j.Sent) and not _by_a_connection_made_meanwhile(history, record):
            yield Violation("after-close", record.at, f"life {record.life} has closed, and yet: {record.what}")
    numbers = sorted(history.lives)
    closed = dict[int, float]()
    for record in history.client:
        if isinstance(record, j.ClosingDone) and record.how == "returned":
            closed.setdefault(record.life, record.at)
    upgrades = [record for record in history.server if isinstance(record, j.Heard) and record.what[:7] == "upgrade"]
    for number, after in zip(numbers, [*numbers[1:], 0], strict=True):
        end = history.lives[after].began_at if after else float("inf")
        for record in upgrades:
            if closed.get(number, float("inf")) + SLACK < record.at < end:
                text = f"life {number} had closed at {closed[number]:.3f}, and yet: {record.what} {record.conn}"
                yield Violation("after-close", record.at, text)


def _connected_again(history: History, closing: j.Closing, until: float) -> float | None:
    """Give when the application connected anew while a close waited for its handlers: what it made lives on."""
    return next(
        (
            record.at
            for record in history.client
            if isinstance(record, j.Changing)
            and (record.life == closing.life and record.what == "connect" and closing.at < record.at <= until)
        ),
        None,
    )


def _by_a_connection_made_meanwhile(history: History, sent: j.Sent) -> bool:
    """Say whether what was used is a connection made while a close waited, until it was closed, too."""
    first = history.lives[sent.life].closing
    if first is None or "WebSocket" not in sent.what:
        return False
    ends = [
        record.at
        for record in history.client
        if isinstance(record, j.ClosingDone) and record.life == sent.life and record.close == first.close
    ]
    again = _connected_again(history, first, min([sent.at, *ends]))
    later = [
        record.close
        for record in history.client
        if isinstance(record, j.Closing) and record.life == sent.life and again is not None and record.at > again
    ]
    return again is not None and not any(
        isinstance(record, j.ClosingDone)
        and (record.life == sent.life and record.close in later and record.at < sent.at)
        for record in history.client
    )


def escaped(history: History) -> Iterator[Violation]:
    """No exception comes out that is no RcexError, and nothing is left running but the handler that has closed."""
    for record in history.client:
        if isinstance(record, j.Escaped):
            if _closed_by_a_handler(history, record):
                continue
            yield Violation("escaped", record.at, f"life {record.life}, {record.where}: {record.error}")
        elif isinstance(record, j.LifeEnded) and record.tasks:
            yield Violation("escaped", record.at, f"life {record.life} left {', '.join(record.tasks)}")


def _closed_by_a_handler(history: History, record: j.Escaped) -> bool:
    """Say whether what is left is the task of a handler or hook that closed: it is left to finish."""
    closing = history.lives[record.life].closing
    inside = record.where == "tasks left over" and closing is not None and closing.whence not in {"outside", "after"}
    return inside and all(name.startswith("rcex_ws client") for name in record.error.split(", "))
