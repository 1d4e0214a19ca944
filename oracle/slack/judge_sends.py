"""Judge what became of each message: it settles once, in time, and truly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from oracle.lines import Line
from oracle.slack.records import Answered, Gone, Seen, Sending, Settled, Struck
from oracle.slack.talker import TIMES
from oracle.verdict import Lag, Violation

NOT_SENT = "NotConnected"
MAY_BE_SENT = ("RequestTimeout",)
# An answer that was on the way for so long over a healthy connection has arrived.
ARRIVED = 0.4


def judge_sends(server: Sequence[Line], bot: Sequence[Line]) -> list[Violation]:
    """Give what was broken."""
    journal = _Journal(server, bot)
    found: list[Violation] = []
    for given in journal.given:
        found += _judge_one(journal, given)
    return found + _judge_order(server)


class _Journal:
    """Both journals, by message."""

    def __init__(self, server: Sequence[Line], bot: Sequence[Line]) -> None:
        self.given = [line for line in bot if isinstance(line, Sending)]
        self.lag = Lag(bot)
        self.settled: dict[str, list[Settled]] = defaultdict(list)
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self.answers: dict[int, list[Answered]] = defaultdict(list)
        self.struck: dict[int, list[float]] = defaultdict(list)
        self.gone: dict[int, float] = {}
        for line in bot:
            if isinstance(line, Settled):
                self.settled[line.key].append(line)
        for line in server:
            if isinstance(line, Seen):
                self.seen[line.key].append(line)
            elif isinstance(line, Answered):
                self.answers[line.life].append(line)
            elif isinstance(line, Struck):
                self.struck[line.conn].append(line.at)
            elif isinstance(line, Gone):
                self.gone[line.conn] = line.at

    def arrived(self, answer: Answered, by: float) -> bool:
        """Tell whether an answer must have reached the client by then: nothing happened to its connection."""
        until = answer.at + ARRIVED
        harmed = any(at <= until for at in self.struck[answer.conn])
        late = self.lag.within(answer.at, by)
        return not harmed and not late and by > until and self.gone.get(answer.conn, by) > until


def _judge_one(journal: _Journal, given: Sending) -> Iterable[Violation]:
    settled, seen = journal.settled[given.key], journal.seen[given.key]
    name = f"{given.kind} {given.key} ({given.how})"
    if not settled:
        yield Violation("never settled", f"{name} has no outcome at all", given.at)
        return
    for line in settled:
        if line.how == "open":
            yield Violation("never settled", f"{name} is open after the end, asked by {line.via}", line.at)
            return
    if len({(line.how, line.id, line.ts, line.sent, line.code) for line in settled}) > 1:
        told = ", ".join(f"{line.via} {line.how} sent={line.sent}" for line in settled)
        yield Violation("settled in two ways", f"{name}: {told}", settled[-1].at)
    if len([line for line in settled if line.via == "callback"]) > 1:
        yield Violation("callback called twice", name, settled[-1].at)
    first = settled[0]
    in_time = journal.lag.allows(given.at, first.at, TIMES["reply_timeout"])
    if given.how in {"await", "handler"} and not in_time:
        yield Violation("hung past its time-out", f"{name}: {first.at - given.at:.2f} s", first.at)
    if given.kind != "presence" and len(seen) > 1:
        yield Violation("sent twice", f"{name} was seen by {', '.join(f'c{one.conn}' for one in seen)}", seen[1].at)
    yield from _judge_truth(journal, given, first, seen, name)


def _judge_truth(
    journal: _Journal, given: Sending, outcome: Settled, seen: Sequence[Seen], name: str
) -> Iterable[Violation]:
    """Compare the outcome with what Slack saw."""
    answers = [line for line in journal.answers[given.life] if line.at <= outcome.at]
    how = outcome.how if outcome.how != "RequestLost" else f"RequestLost sent={outcome.sent}"
    story = f"{name} is {how}, Slack: {', '.join(f'{one.how} as {one.id} by c{one.conn}' for one in seen) or 'nothing'}"
    done = [one for one in seen if one.how == "done"]
    mine = {one.id for one in seen}
    if outcome.how == "acknowledged":
        right = [
            one for one in answers if one.id == outcome.id and one.how in {"ok", "replay"} and one.ts == outcome.ts
        ]
        if len(done) != 1 or done[0].id != outcome.id or done[0].ts != outcome.ts or not right:
            yield Violation("untrue: acknowledged", story, outcome.at)
    elif outcome.how == "assumed":
        if not any(one.how != "ignored" for one in seen):
            yield Violation("untrue: assumed", story, outcome.at)
        elif not any(one.how == "replay" and one.id > min(mine) for one in answers):
            yield Violation("assumed for no reason", story, outcome.at)
    elif outcome.how == "written":
        if given.kind == "message":
            yield Violation("untrue: written", story, outcome.at)
    elif outcome.how == "MessageRejected":
        rejected = any(one.how == "rejected" for one in seen)
        if not rejected or outcome.code != 2 or not any(one.how == "error" and one.id in mine for one in answers):
            yield Violation("untrue: rejected", story, outcome.at)
    elif outcome.how == NOT_SENT or (outcome.how == "RequestLost" and outcome.sent is False):
        # The list of presence_sub is remembered and asked for anew after each hello, whatever became of the call.
        if given.kind != "presence" and any(one.how != "ignored" for one in seen):
            yield Violation("untrue: not sent", story, outcome.at)
    elif outcome.how in MAY_BE_SENT or outcome.how == "RequestLost":
        taken = [one for one in answers if one.id in mine and one.how != "other" and journal.arrived(one, outcome.at)]
        if taken:
            late = outcome.at - taken[0].at
            yield Violation(
                "answer not taken", f"{story}; answered {late:.2f} s before by c{taken[0].conn}", outcome.at
            )
    else:
        yield Violation("odd outcome", story, outcome.at)


def _judge_order(server: Sequence[Line]) -> list[Violation]:
    """Judge that each connection carries messages in the order of the calls; presence_sub is repeated after hello."""
    found: list[Violation] = []
    last: dict[int, Seen] = {}
    for line in server:
        if not isinstance(line, Seen) or line.kind == "presence_sub":
            continue
        before = last.get(line.conn)
        if before is not None and _number(before) > _number(line):
            found.append(Violation("out of order", f"c{line.conn}: {before.key} before {line.key}", line.at))
        last[line.conn] = line
    return found


def _number(line: Seen) -> int:
    return int(line.key.rpartition("-")[2])
