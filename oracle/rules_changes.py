"""Rules of changes: whoever has called knows what is in force, there is always a successor, and it gets the events."""

from __future__ import annotations

from collections.abc import Iterator

from oracle import journal as j
from oracle.history import History
from oracle.topics import resolve
from oracle.violation import Violation

__all__ = ["consumer", "in_force", "successor"]

# What stands is judged when nothing happened for so long before it, in seconds: no fault, no change, no new connection.
QUIET = 70.0
# An event may be routed by what was in force so long before, in seconds.
ROUTED = 2.0


def in_force(history: History) -> Iterator[Violation]:
    """When all is calm, the server's filters are those that the extension says to have."""
    # Of two connections the one that was begun later is the client's: the server may be slow to open the other.
    newest, session, filters, restless, stirred = 0, 0, dict[int, list[str]](), 0.0, 0.0
    for record in sorted([*history.server, *history.client], key=lambda record: record.at):
        match record:
            case j.ConnOpened() if record.conn > newest:
                newest, session, stirred = record.conn, record.session, record.at
            case j.InForce(by="vanished"):
                pass  # nobody can know
            case j.InForce():
                filters[record.session] = sorted({*record.filters, *record.disabled})
                stirred = record.at
            case j.Changing() | j.Changed() | j.LifeBegan():
                restless = record.at
            case j.Struck() | j.ConnEnded() | j.SessionLost():
                stirred = record.at
            case j.Settled() | j.Stands() if record.state == "ready":
                wanted, have = sorted({resolve(one) for one in record.claimed}), filters.get(session, [])
                if isinstance(record, j.Stands) and (
                    record.subscription != "active" or record.at - max(restless, stirred) < QUIET * history.pace
                ):
                    continue
                if wanted != have:
                    text = f"the extension says to have {wanted}, the server has {have} for session {session}"
                    yield Violation("in-force", record.at, text)
            case _:
                pass


def successor(history: History) -> Iterator[Violation]:
    """A subscription is not replaced unless there is another one: also when the one who asked was cancelled."""
    open_, ended = dict[int, list[str]](), False  # changes under way, and what they ask for
    followed = set[int]()  # changes during which there was another, which may have failed since
    for record in history.client:
        if isinstance(record, j.LifeBegan):
            open_, ended, followed = {}, False, set()
        elif isinstance(record, j.Closing):
            ended = True
        elif isinstance(record, j.Changing):
            ended = (ended and bool(open_)) or record.what in {"revoke", "connect"}
            open_[record.op] = record.filters
        elif isinstance(record, j.Changed):
            open_.pop(record.op, None)
            if record.claimed and record.how == "returned":
                followed |= open_.keys()
            elif record.claimed and record.before == "replaced":  # by one that has not come back yet, and was granted
                followed |= {op for op, filters in open_.items() if filters == record.claimed}
            if record.before == "replaced" and not record.claimed and not (open_ or ended or record.op in followed):
                text = f"change {record.op} of life {record.life} {record.how}: the subscription is replaced, by none"
                yield Violation("successor", record.at, text)


def consumer(history: History) -> Iterator[Violation]:
    """What is made after a subscribe has returned goes to its consumer, until something else is asked for.

    What is still on its way then may go to the newer one: both may have caused it.
    """
    periods: list[tuple[float, float, int, int]] = []
    open_, overlapped, begun = set[int](), set[int](), dict[int, j.Changing]()
    for record in history.client:
        match record:
            case j.LifeBegan():
                open_, overlapped, begun = set(), set(), {}
            case j.Changing():
                if periods:
                    periods[-1] = (periods[-1][0], min(periods[-1][1], record.at), *periods[-1][2:])
                if open_:
                    overlapped |= open_ | {record.op}
                open_.add(record.op)
                begun[record.op] = record
            case j.Changed() if record.op:
                open_.discard(record.op)
                change = begun[record.op]
                if change.what == "subscribe" and record.how == "returned" and record.op not in overlapped:
                    periods.append((record.at, float("inf"), record.life, change.consumer))
            case _:
                pass
    later = {record.n for record in history.server if isinstance(record, j.Written) and record.how != "live"}
    later |= {record.n for record in history.server if isinstance(record, j.Buffered)}
    for handled in history.handled:
        made = history.made[handled.n].at
        if handled.n in later:
            continue
        who = history.consumer_of(handled)
        if not who:  # an iterator that was seen when its subscribe was cancelled by then
            continue
        for begin, end, life, number in periods:
            in_time = made < end - ROUTED and (handled.at < end or number > who)
            if life == handled.life and begin + ROUTED < made and in_time and number != who:
                text = (
                    f"event {handled.n} of {made:.3f} went to consumer {who} of life {life}, although "
                    f"consumer {number} had subscribed by {begin:.3f}"
                )
                yield Violation("consumer", handled.at, text, (handled.n,))
