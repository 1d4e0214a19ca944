"""What an application could see that proves its notifications complete up to some moment. Pure.

The protocol has no acknowledgements, so there are few proofs: an answer proves what was written before its question was
sent; a live notification what was written before it, which is up to its own time less the margin. That there still is a
subscription is shown by less: a notification, an answered call on the subscription, a recovery that succeeded.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from oracle import journal as j
from oracle.history import MARGIN, History

__all__ = ["SPOILT", "Proof", "Proofs"]

# A fault may spoil a connection for so long, in seconds.
SPOILT = 200.0
# The answer to a heartbeat has arrived after so many seconds, where nothing kept it.
ANSWERED = 5.0
# Faults that keep no answer from arriving on a connection that stands.
_KEEPS_NOTHING = frozenset(
    {
        *("refuse-call", "refuse-subscribe", "refuse-token", "refuse-wstoken", "refuse-upgrade", "doubled-answer"),
        *("lost-answer", "late-answer", "disabled", "stamp-none", "forgotten", "forgotten-refused", "vanish"),
        *("token-late", "accept-late", "upgrade-late", "step"),
    }
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof.

    Attributes:
        at: what was made up to here has come.
        seen: when the application could know.
        by: in words.
        life: of the client.
        written: it proves that what was written has come.
        alive: it proves that there was a subscription.
    """

    at: float
    seen: float
    by: str
    life: int
    written: bool
    alive: bool


class Proofs:
    """All proofs of a run, in the order of what they prove.

    Args:
        history: of the run.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._skew = 4.0 if "stamp-skew" in history.kinds else 0.0
        found = [*self._calls(), *self._events(), *self._changes(), *self._heartbeats(), *self._recoveries()]
        self._of: dict[int, list[Proof]] = {life: [] for life in history.lives}
        for proof in sorted(found, key=lambda one: one.at):
            self._of[proof.life].append(proof)
        self._ats = {life: [proof.at for proof in proofs] for life, proofs in self._of.items()}

    def last(self, life: int, before: float, *, alive: bool, seen: float = float("inf")) -> Proof | None:
        """Give the last proof of a life before a moment.

        Args:
            life: of the client.
            before: not later than this.
            alive: of the subscription, else of what was written.
            seen: it was seen by then.
        """
        proofs = self._of.get(life, [])
        for index in range(bisect_left(self._ats.get(life, []), before) - 1, -1, -1):
            proof = proofs[index]
            if (proof.alive if alive else proof.written) and proof.seen <= seen:
                return proof
        return None

    def _calls(self) -> Iterator[Proof]:
        began: dict[str, float] = {}
        for record in self._history.client:
            if isinstance(record, j.CallBegan):
                began[record.call] = record.at
            elif isinstance(record, j.CallEnded) and record.how == "returned" and record.via == "websocket":
                yield Proof(began[record.call], record.at, f"call {record.call}", record.life, True, False)

    def _events(self) -> Iterator[Proof]:
        """Notifications that came live; a replay is not known to be over, and what has no stamp proves no time."""
        history = self._history
        slow = {record.conn for record in history.struck if record.kind == "replay-slow"}
        unstamped = {record.at for record in history.struck if record.kind == "stamp-none"}
        replayed = {
            record.n
            for record in history.server
            if isinstance(record, j.Written) and (record.how != "live" or record.conn in slow or record.at in unstamped)
        }
        for record in history.handled:
            if record.n not in replayed:
                at = history.made[record.n].at - MARGIN - self._skew
                yield Proof(at, record.at, f"event {record.n}", record.life, True, True)

    def _changes(self) -> Iterator[Proof]:
        """Answered calls on the subscription: from when they were asked for, since the link may have been behind."""
        forced = [
            record for record in self._history.server if isinstance(record, j.InForce) and record.by in {"POST", "PUT"}
        ]
        ats = [record.at for record in forced]
        begun: dict[tuple[int, int], float] = {}
        for record in self._history.client:
            if isinstance(record, j.Changing):
                begun[record.life, record.op] = record.at
            elif isinstance(record, j.Changed) and record.op and record.how == "returned" and record.claimed:
                low = bisect_left(ats, begun[record.life, record.op])
                if low < bisect_right(ats, record.at):
                    at = begun[record.life, record.op]
                    yield Proof(at, record.at, f"change {record.op}", record.life, True, True)

    def _heartbeats(self) -> Iterator[Proof]:
        """Heartbeats, where nothing can have kept the answer from arriving."""
        history = self._history
        ended = {record.conn: record.at for record in history.server if isinstance(record, j.ConnEnded)}
        spoilt = [record for record in history.struck if record.kind not in _KEEPS_NOTHING]
        ats = [record.at for record in spoilt]
        for record in history.server:
            if not (isinstance(record, j.Heard) and record.what == "heartbeat" and record.answered):
                continue
            life = history.life_at(record.at)
            if life is None or life.ended_at < record.at + ANSWERED:
                continue
            low, high = (bisect_left(ats, at) for at in (record.at - SPOILT * history.pace, record.at + ANSWERED))
            if any(one.conn in {0, record.conn} for one in spoilt[low:high]):
                continue
            if ended.get(record.conn, float("inf")) > record.at + ANSWERED:
                yield Proof(record.at, record.at + ANSWERED, "a heartbeat", life.number, True, False)

    def _recoveries(self) -> Iterator[Proof]:
        """Recoveries that succeeded and that the application heard of; what the last connection lost stays lost."""
        heard = [
            record.at
            for record in self._history.client
            if isinstance(record, j.Told) and record.event == "autoRecoverSuccess"
        ]
        for record in self._history.server:
            if isinstance(record, j.ConnOpened) and record.recovery == "Successful":
                life = self._history.life_at(record.at)
                index = bisect_left(heard, record.at)
                if life is not None and index < len(heard) and heard[index] <= life.ended_at:
                    yield Proof(record.at, heard[index], f"the recovery on {record.conn}", life.number, False, True)
