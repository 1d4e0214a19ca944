"""The judge: pure, over both journals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from oracle.lines import Line
from oracle.slack.judge_calls import judge_calls
from oracle.slack.judge_events import judge_events
from oracle.slack.judge_sends import judge_sends
from oracle.slack.records import Began, Broken, Ended, Ending, Happened, Heard, Logged, Probed, Raised, Started
from oracle.slack.talker import TIMES
from oracle.verdict import Lag, Violation, judge_program

# What may come directly before each step of an attempt, by the lifecycle in docs/slack.md.
BEFORE = {
    "authenticated": {"connecting"},
    "unable_to_rtm_start": {"connecting"},
    "ws_opening": {"authenticated"},
    "ws_opened": {"ws_opening"},
    "ws_error": {"ws_opening", "ws_opened"},
    "open": {"ws_opened"},
}
MAY_FAIL_TO_START = ("ConnectFailed", "UpgradeRefused", "NotConnected")


def judge(server: Sequence[Line], bot: Sequence[Line]) -> list[Violation]:
    """Give what was broken, in the order of time."""
    found = judge_program(bot) + judge_sends(server, bot) + judge_events(server, bot)
    found += _judge_lifecycle(bot) + _judge_ends(bot) + _judge_errors(bot) + judge_calls(server, bot)
    found += [Violation("against a protocol", f"c{line.conn}: {line.rule}", line.at) for line in _broken(server)]
    return sorted(found, key=lambda violation: violation.at)


def _broken(server: Sequence[Line]) -> list[Broken]:
    return [line for line in server if isinstance(line, Broken)]


def _judge_lifecycle(bot: Sequence[Line]) -> list[Violation]:
    found: list[Violation] = []
    lives: dict[int, list[Happened]] = defaultdict(list)
    for line in bot:
        if isinstance(line, Happened) and "(" not in line.event and line.event != "client_error":
            lives[line.life].append(line)
    once = _without_reconnect(bot)
    by_hand = {line.life for line in bot if isinstance(line, Happened) and line.event == "reconnect()"}
    failed = {line.life for line in bot if isinstance(line, Started) and line.error}
    for life, events in lives.items():
        if events[0].event not in {"connecting", "disconnect"}:
            found.append(Violation("lifecycle", f"life {life} begins with {events[0].event}", events[0].at))
        ends = [number for number, line in enumerate(events) if line.event == "disconnect"]
        if (len(ends) != 1 and life not in failed) or len(ends) > 1:
            found.append(Violation("lifecycle", f"life {life} has {len(ends)} disconnect", events[-1].at))
        if life in once - by_hand and sum(line.event == "connecting" for line in events) > 1:
            found.append(Violation("lifecycle", f"life {life} connects again without auto_reconnect", events[-1].at))
        step = ""
        for line in events:
            if line.event in BEFORE and step not in BEFORE[line.event]:
                found.append(Violation("lifecycle", f"life {life}: {line.event} after {step or 'nothing'}", line.at))
            if line.event in BEFORE or line.event == "connecting":
                step = line.event
    return found


def _without_reconnect(bot: Sequence[Line]) -> set[int]:
    return {line.life for line in bot if isinstance(line, Began) and line.options.get("auto_reconnect") is False}


def _judge_ends(bot: Sequence[Line]) -> list[Violation]:
    """Judge that starts and ends are bounded, that nothing comes after an end, and that the client recovers."""
    found: list[Violation] = []
    lag = Lag(bot)
    ended: dict[int, float] = {}
    once = _without_reconnect(bot)  # the first failure ends it, whatever it is
    in_handler = {line.life for line in bot if isinstance(line, Ending) and line.how == "handler"}
    for line in bot:
        if isinstance(line, Started):
            if not lag.allows(line.at - line.seconds, line.at, TIMES["open_timeout"]):
                found.append(Violation("start not bounded", f"life {line.life}: {line.seconds:.2f} s", line.at))
            if (
                line.error
                and not line.error.startswith((*MAY_FAIL_TO_START, "SlackApiError"))
                and line.life not in once
            ):
                found.append(Violation("start failed oddly", f"life {line.life}: {line.error}", line.at))
        elif isinstance(line, Ended):
            ended[line.life] = line.at
            if not lag.allows(line.at - line.seconds, line.at, TIMES["close_timeout"]):
                found.append(Violation("close not bounded", f"life {line.life}: {line.seconds:.2f} s", line.at))
            if line.error:
                found.append(Violation("close failed", f"life {line.life}: {line.error}", line.at))
        elif isinstance(line, Heard | Happened) and line.life in ended and line.life not in in_handler:
            what = line.event if isinstance(line, Happened) else f"event {line.n}"
            if "(" not in what:
                late = line.at - ended[line.life]
                found.append(Violation("after the end", f"life {line.life}: {what}, {late:.3f} s late", line.at))
        elif isinstance(line, Probed) and line.how != "acknowledged":
            found.append(Violation("no recovery", f"life {line.life}: {line.how}, {line.seconds:.1f} s", line.at))
    began = {line.life: line.at for line in bot if isinstance(line, Began)}
    started = {line.life for line in bot if isinstance(line, Started) and not line.error}
    found += [Violation("never ended", f"life {life}", began[life]) for life in sorted(started) if life not in ended]
    return found


def _judge_errors(bot: Sequence[Line]) -> list[Violation]:
    """Judge that what handlers raise comes as client_error, and nothing else does but frames that cannot be read."""
    found: list[Violation] = []
    raised: dict[int, list[float]] = defaultdict(list)
    told: dict[int, int] = defaultdict(int)
    ending = {line.life: line.at for line in bot if isinstance(line, Ending)}
    once = _without_reconnect(bot)
    for line in bot:
        if isinstance(line, Raised):
            raised[line.life].append(line.at)
        elif isinstance(line, Happened) and line.event == "client_error":
            if line.what.startswith("Boom"):
                told[line.life] += 1
            elif "frame" not in line.what.lower():
                found.append(Violation("odd client_error", f"life {line.life}: {line.what}", line.at))
        elif isinstance(line, Logged) and line.level in {"ERROR", "CRITICAL"}:
            if (
                "a handler" in line.text
                or "giving up: SlackApiError" in line.text
                or (line.life in once and "giving up" in line.text)
            ):
                continue
            found.append(Violation("logged an error", f"life {line.life}: {line.text}", line.at))
    for life, times in raised.items():
        certain = [at for at in times if at < ending.get(life, at) - TIMES["close_timeout"]]
        if not len(certain) <= told[life] <= len(times):
            what = f"life {life}: handlers raised {len(times)} times, client_error came {told[life]} times"
            found.append(Violation("client_error lost", what, times[-1]))
    return found
