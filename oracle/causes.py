"""What may be the cause of a gap. Pure.

A quiet life that ends in order has none; nor has a close frame or an Error frame, when the recovery succeeds and its
replay comes whole and is smaller than the buffer.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise

from oracle import journal as j
from oracle.history import MARGIN, Gap, History

__all__ = ["Causes"]

# A fault may work for so long, in seconds: a freeze, and the time until it is noticed.
LASTS = 250.0
# A loss that the server announces, an attempt that is refused before it could lose anything, and what harms nobody.
HARMLESS = frozenset(
    {
        *("close", "error", "refuse-token", "refuse-wstoken", "refuse-again", "refuse-call", "token-late"),
        *("doubled-answer", "replay-doubled"),
    }
)
_Record = j.AnyRecord


class Causes:
    """Know when there was a cause.

    Args:
        history: of the run.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._handled = {record.n for record in history.handled}
        self._moments = sorted([*self._struck(), *self._ends(), *self._of_server(), *self._of_client()])
        self._ats = [at for at, _ in self._moments]

    def of(self, gap: Gap) -> list[str]:
        """Give the causes that a gap may have; none is none."""
        begin = 0.0
        if gap.since is not None:
            begin = min(self._history.at_of(gap.since), gap.told_at) - LASTS * self._history.pace
        low, high = bisect_left(self._ats, begin), bisect_right(self._ats, gap.told_at)
        return [what for _, what in self._moments[low:high]]

    def _struck(self) -> Iterable[tuple[float, str]]:
        return [(record.at, record.kind) for record in self._history.struck if record.kind not in HARMLESS]

    def _ends(self) -> Iterable[tuple[float, str]]:
        """Ends of lives that leave something open, and absences beyond the window."""
        history = self._history
        for life in history.lives.values():
            after = history.lives.get(life.number + 1)
            if life.closing is not None and (not life.connected or history.disconnected_at(life) is not None):
                yield life.closing.at, "a loss that was open at the close"
            away = after is not None and after.began_at - life.ended_at > history.window - 2 * MARGIN * history.pace
            if life.how == "kill" or away:
                yield life.ended_at, "a kill" if life.how == "kill" else "long away"
            # A store may be too slow for close_timeout; then the last word is not kept.
            elif history.kinds & {"slow-store", "store-fails"}:
                yield life.ended_at, "the store"
            elif _closed_unanswered(history, life.ended_at):
                yield life.ended_at, "a close without an answer"

    def _of_server(self) -> Iterable[tuple[float, str]]:
        opened: dict[int, float] = {}
        written: dict[int, int] = {}
        heard = [
            record.at
            for record in self._history.client
            if isinstance(record, j.Told) and record.event in {"newWsc", "connectionReady"}
        ]
        attempts: list[float] = []
        for record in self._history.server:
            match record:
                case j.ConnOpened():
                    opened[record.conn] = record.at
                    if record.recovery == "Failed":
                        yield record.at, "a recovery that failed"
                case j.Written():
                    # Whatever was meant for the client and never handled: to tell of it is right.
                    if record.n not in self._handled:
                        yield record.at, "written and not handled"
                    # What comes right after it is opened may belong to the replay.
                    if record.how != "live" or record.at <= opened.get(record.conn, 0.0) + 2 * MARGIN:
                        number = written[record.conn] = written.get(record.conn, 0) + 1
                        if number >= self._history.buffer:
                            yield record.at, "a replay as large as the buffer"
                case j.Dropped():
                    yield record.at, f"dropped by the server ({record.why})"
                case j.SessionLost():
                    yield record.at, "a session lost"
                case j.InForce(by="missing" | "vanished" | "forgotten"):
                    yield record.at, "a subscription gone"
                case j.Heard() if record.what.startswith("upgrade"):
                    attempts.append(record.at)
                case _:
                    pass
        # The server may have replayed into an attempt that the client gave up.
        for at, following in pairwise([*attempts, float("inf")]):
            if bisect_left(heard, at) == bisect_left(heard, following):
                yield at, "an attempt given up"

    def _of_client(self) -> Iterable[tuple[float, str]]:
        ended = [record.at for record in self._history.server if isinstance(record, j.ConnEnded)]
        begun: dict[tuple[int, int], float] = {}
        lost = False
        for record in self._history.client:
            match record:
                case j.LifeBegan() | j.Told(event="connectionReady"):
                    lost = False
                case j.Told(event="disconnected"):
                    lost = True
                case j.Changing():
                    begun[record.life, record.op] = record.at
                    if lost and record.what in {"revoke", "connect"}:
                        yield record.at, "a loss that was open when all was given up"
                case j.Changed() if record.how in {"error", "cancelled"}:
                    yield record.at, "a change without an answer"
                case j.Changed() if record.op:
                    low = bisect_left(ended, begun[record.life, record.op])
                    if low < bisect_right(ended, record.at):
                        yield record.at, "a loss within a change"
                # A handler that was busy at a close: what waited behind it is told as a gap.
                case j.HandlerDone(how="cancelled"):
                    yield record.at, "a handler that was cancelled"
                case _:
                    pass


def _closed_unanswered(history: History, ended_at: float) -> bool:
    """Say whether the server learned of a close only after the client was through with it, and so did not answer."""
    conn = 0
    for record in history.server:
        if isinstance(record, j.ConnOpened) and record.at <= ended_at:
            conn = record.conn
        elif isinstance(record, j.ConnEnded) and record.at > ended_at:
            return record.conn == conn
    return False
