"""Judge the calls of the Web API: rtm.connect at the right times, chat.update once and in time."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from oracle.lines import Line
from oracle.slack.records import Called, Gone, Greeted, Happened, Started, Updated, Updating, Waited
from oracle.slack.talker import TIMES
from oracle.verdict import Lag, Violation

RETRY_AFTER = 1.0
# A call that was on its way when another was refused for good.
OVERLAP = 0.1


def judge_calls(server: Sequence[Line], bot: Sequence[Line]) -> list[Violation]:
    """Give what was broken."""
    calls: dict[int, list[Called]] = defaultdict(list)
    for line in server:
        if isinstance(line, Called) and line.method.startswith("rtm."):
            calls[line.life].append(line)
    by_hand = [line for line in bot if isinstance(line, Happened) and line.event == "reconnect()"]
    found = list(_judge_updates(server, bot))
    for life, of_life in calls.items():
        asked = [line.at for line in by_hand if line.life == life]
        found += _judge_pauses(life, of_life, asked)
        found += _judge_refusals(life, of_life, server, bot, asked)
    return found


def _judge_pauses(life: int, calls: Sequence[Called], asked: Sequence[float]) -> Iterable[Violation]:
    """Judge that a Retry-After is kept to, but for attempts that the bot itself asked for."""
    for call, following in itertools.pairwise(calls):
        pause = following.at - call.at
        by_hand = any(call.at - 1 <= at <= following.at for at in asked)
        if call.how == "rtm-429" and pause < RETRY_AFTER - 0.05 and not by_hand:
            what = f"life {life}: {pause:.3f} s after a 429 with Retry-After 1"
            yield Violation("Retry-After not kept", what, following.at)


def _judge_refusals(
    life: int, calls: Sequence[Called], server: Sequence[Line], bot: Sequence[Line], asked: Sequence[float]
) -> Iterable[Violation]:
    """Judge that a refusal for good ends it, and that nothing else raises one."""
    refused = next((call for call in calls if call.how == "rtm-final"), None)
    if refused is not None:
        later = [call for call in calls if call.at > refused.at + OVERLAP]
        opened = {
            line.conn for line in server if isinstance(line, Greeted) and line.life == life and line.at < refused.at
        }
        gone = {line.conn for line in server if isinstance(line, Gone) and line.at < refused.at}
        # While an earlier connection lives, as after a goodbye, it goes on, and so do the attempts.
        if later and opened <= gone and not any(at > refused.at - 1 for at in asked):
            yield Violation("goes on though refused for good", f"life {life}", later[0].at)
    for line in bot:
        if not isinstance(line, Waited | Started) or line.life != life or refused is not None:
            continue
        if line.error.startswith("SlackApiError") and ("auth" in line.error or "user" in line.error):
            yield Violation("refused for no reason", f"life {life}: {line.error}", line.at)


def _judge_updates(server: Sequence[Line], bot: Sequence[Line]) -> Iterable[Violation]:
    """Judge that chat.update is bounded and told truly."""
    lag = Lag(bot)
    began = {line.key: line.at for line in bot if isinstance(line, Updating)}
    done: dict[str, list[Called]] = defaultdict(list)
    for line in server:
        if isinstance(line, Called) and line.method == "chat.update":
            done[line.key].append(line)
    for line in bot:
        if not isinstance(line, Updated):
            continue
        if not lag.allows(began[line.key], line.at, TIMES["attempt_timeout"]):
            yield Violation("update not bounded", f"{line.key}: {line.at - began[line.key]:.2f} s", line.at)
        good = [call for call in done[line.key] if call.how == "ok"]
        if not line.error and len(good) != 1:
            yield Violation("untrue: updated", f"{line.key}: {[call.how for call in done[line.key]]}", line.at)
    for key in began.keys() - {line.key for line in bot if isinstance(line, Updated)}:
        yield Violation("update never came back", key, began[key])
