"""The judge: pure, over both journals. Here the callbacks: which, when, with what, and what follows from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from oracle.callback.application import ATTEMPT_TIMEOUT, CLOSE_TIMEOUT, LONGEST_WAIT
from oracle.callback.judge_frames import judge_frames
from oracle.callback.records import (
    Attempt,
    Began,
    Broken,
    Called,
    Gave,
    Informed,
    Probed,
    Returned,
    Stopped,
    Stopping,
)
from oracle.lines import Line
from oracle.verdict import MARGIN, Lag, Violation, judge_program

NORMAL = "normal"
EXCEPTIONS = ("Boom: ", "Reason: ", "TypeError: ")
# The handler may have so much to do before a `stop` has its turn, in seconds.
BEFORE_STOP = 0.5
EARLY = 0.02


@dataclass
class _Life:
    """The journal of one life."""

    number: int
    began: Began
    steps: list[Called | Gave] = field(default_factory=list)
    informed: list[Informed] = field(default_factory=list)
    stopping: Stopping | None = None
    returned: Returned | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def terminated(self) -> list[Called]:
        """The calls of websocket_terminate."""
        return [step for step in self.steps if isinstance(step, Called) and step.name == "websocket_terminate"]


def judge(server: Sequence[Line], program: Sequence[Line]) -> list[Violation]:
    """Give what was broken, in the order of time."""
    lag = Lag(program)
    found = judge_program(program) + judge_frames(server, program)
    found += [Violation("against a protocol", f"c{line.conn}: {line.rule}", line.at) for line in _broken(server)]
    refs: set[int] = set()
    for life in _lives(server, program).values():
        found += _judge_sequence(life, refs)
        found += _judge_results(life)
        found += _judge_end(life)
        found += _judge_infos(life)
        found += _judge_reconnects(life, lag)
    found += _judge_bounds(program, lag)
    return sorted(found, key=lambda violation: violation.at)


def _broken(server: Sequence[Line]) -> list[Broken]:
    return [line for line in server if isinstance(line, Broken)]


def _lives(server: Sequence[Line], program: Sequence[Line]) -> dict[int, _Life]:
    lives: dict[int, _Life] = {}
    for line in program:
        if isinstance(line, Began):
            lives[line.life] = _Life(line.life, line)
        elif isinstance(line, Called | Gave):
            lives[line.life].steps.append(line)
        elif isinstance(line, Informed):
            lives[line.life].informed.append(line)
        elif isinstance(line, Stopping):
            lives[line.life].stopping = lives[line.life].stopping or line
        elif isinstance(line, Returned):
            lives[line.life].returned = line
    for line in server:
        if isinstance(line, Attempt):
            lives[line.life].attempts.append(line)
    return lives


def _judge_sequence(life: _Life, refs: set[int]) -> Iterable[Violation]:
    """Judge that callbacks come one at a time, in a legal order, with the state that the last one gave."""
    connected: int | None = None
    before: Gave | None = None
    calling: Called | None = None
    for number, step in enumerate(life.steps):
        if isinstance(step, Gave):
            before, calling = step, None
            continue
        name = f"life {life.number}: {step.name}"
        if calling is not None:
            yield Violation("two callbacks at a time", f"{name} during {calling.name}", step.at)
        calling = step
        if (number == 0) != (step.name == "init"):
            yield Violation("illegal sequence", f"{name} is call {number}", step.at)
        if before is not None and before.result not in {"raise", "wrong"} and step.state != before.state:
            yield Violation("wrong state", f"{name} got {step.state}, {before.name} had given {before.state}", step.at)
        if life.terminated and step.at > life.terminated[0].at:
            yield Violation("illegal sequence", f"{name} after websocket_terminate", step.at)
        if step.name == "onconnect":
            if connected is not None or step.ref is None or step.ref in refs:
                yield Violation("illegal sequence", f"{name}({step.ref}) while connected {connected}", step.at)
            connected = step.ref
            refs.add(step.ref or 0)
        elif step.name == "ondisconnect":
            connected = None
        elif step.ref != connected and (step.name == "websocket_handle" or step.ref is not None):
            yield Violation("illegal sequence", f"{name} for {step.ref} while connected {connected}", step.at)


def _judge_results(life: _Life) -> Iterable[Violation]:
    """Judge that what a callback gives leads to what the documentation says."""
    once = any(isinstance(step, Gave) and step.result == "Once" for step in life.steps)
    calls = [step for step in life.steps if isinstance(step, Called)]
    for number, step in enumerate(life.steps):
        if not isinstance(step, Gave) or step.name == "websocket_terminate":
            continue
        call = next(one for one in reversed(life.steps[:number]) if isinstance(one, Called))
        following = next((one for one in calls if one.at > step.at), None)
        name = f"life {life.number}: {step.name} gave {step.result} {step.what}"
        if step.result in {"raise", "wrong"}:
            error = "Boom" if step.result == "raise" else "TypeError"
            if step.name == "init":
                if following is not None:
                    yield Violation("illegal sequence", f"{name}, then {following.name} was called", following.at)
            elif following is None and life.returned is not None and life.returned.how != "cancelled":
                yield Violation("illegal sequence", f"{name}, then nothing was called", step.at)
            elif following is not None and (
                following.name != "websocket_terminate" or not following.what.startswith(error)
            ):
                yield Violation("result not honoured", f"{name}, then {following.name} {following.what}", following.at)
        elif step.name == "ondisconnect" and following is not None:
            if step.result == "Reconnect" and not once:
                continue
            expected = {"Ok": NORMAL, "Close": step.what, "Reconnect": call.what}[step.result]
            stopped = life.stopping is not None and life.stopping.at < step.at
            if following.name != "websocket_terminate" or (following.what != expected and not stopped):
                what = f"{name}, then {following.name}({following.what})"
                yield Violation("result not honoured", what, following.at)
        elif step.result == "Close" and call.ref is not None and not call.what.startswith("close "):
            reasons = {step.what} | {
                one.what for one in life.steps[:number] if isinstance(one, Gave) and one.result == "Close"
            }
            end = next((one for one in calls if one.at > step.at and one.name == "ondisconnect"), None)
            if end is not None and end.what not in reasons:
                yield Violation("result not honoured", f"{name}, then ondisconnect({end.what})", end.at)


def _judge_end(life: _Life) -> Iterable[Violation]:
    """Judge that `websocket_terminate` and `run` tell the same end, once."""
    if life.returned is None:
        yield Violation("never ended", f"life {life.number}", life.began.at)
        return
    name, returned = f"life {life.number}", life.returned
    gave = [step for step in life.steps if isinstance(step, Gave)]
    failed_init = bool(gave) and gave[0].name == "init" and gave[0].result in {"raise", "wrong"}
    if returned.how == "cancelled":
        if life.terminated and life.terminated[0].at > (life.stopping or life.began).at:
            pass  # it ended by itself in the moment of the cancellation
        return
    if len(life.terminated) != (0 if failed_init else 1):
        yield Violation("illegal sequence", f"{name}: {len(life.terminated)} websocket_terminate", returned.at)
        return
    if returned.what.startswith(EXCEPTIONS) and returned.how != "raised":
        yield Violation("run told otherwise", f"{name} returned {returned.what}", returned.at)
    if life.terminated:
        reason = life.terminated[0].what
        if reason != returned.what:
            yield Violation("run told otherwise", f"{name}: {returned.how} {returned.what}, not {reason}", returned.at)
    by_itself = any(step.result in {"raise", "wrong"} for step in gave) or any(
        step.name == "ondisconnect" and step.result != "Reconnect" for step in gave
    )
    once = any(step.result == "Once" for step in gave)
    if (
        not by_itself
        and not once
        and (life.stopping is None or life.stopping.at > returned.at or returned.what != NORMAL)
    ):
        what = f"{name}: {returned.how} {returned.what}, stopped: {life.stopping is not None}"
        yield Violation("ended for no reason", what, returned.at)
    late = [attempt for attempt in life.attempts if attempt.at > returned.at + EARLY]
    if late:
        yield Violation("after the end", f"{name}: an attempt {late[0].at - returned.at:.3f} s later", late[0].at)


def _judge_infos(life: _Life) -> Iterable[Violation]:
    """Judge that messages of the program's own come once and in order, all of them before a `stop`."""
    given = [str(line.k) for line in life.informed]
    came = [step for step in life.steps if isinstance(step, Called) and step.name == "websocket_info"]
    mine = [step for step in came if step.what.isdecimal()]
    if [step.what for step in mine] != given[: len(mine)]:
        yield Violation("info out of order", f"life {life.number}: {[step.what for step in mine][-5:]}", mine[-1].at)
    odd = [step for step in came if not step.what.isdecimal() and not step.what.startswith("SlowConsumer")]
    if odd:
        yield Violation("odd info", f"life {life.number}: {odd[0].what}", odd[0].at)
    if life.stopping is None or life.stopping.how != "stop" or life.returned is None:
        return
    ended_otherwise = life.returned.what != NORMAL or any(
        isinstance(step, Gave) and step.name == "ondisconnect" and step.result != "Reconnect" for step in life.steps
    )
    before = [line for line in life.informed if line.at < life.stopping.at]
    if not ended_otherwise and len(mine) < len(before):
        what = f"life {life.number}: {len(before) - len(mine)} of those before stop"
        yield Violation("info lost", what, life.returned.at)


def _judge_reconnects(life: _Life, lag: Lag) -> Iterable[Violation]:
    """Judge that the next attempt comes when `ondisconnect` asked for it."""
    end = life.returned.at if life.returned else max([life.began.at, *(step.at for step in life.steps[-1:])])
    if life.stopping is not None:
        end = min(end, life.stopping.at)
    if any(isinstance(step, Gave) and step.result == "Once" for step in life.steps):
        return
    calls = [step for step in life.steps if isinstance(step, Called) and step.name in {"onconnect", "ondisconnect"}]
    for step in life.steps:
        if not isinstance(step, Gave) or step.name != "ondisconnect" or step.result != "Reconnect":
            continue
        name = f"life {life.number}: Reconnect(delay={step.delay})"
        following = next((call.at for call in calls if call.at > step.at), end)
        attempt = next((one.at for one in life.attempts if step.at < one.at < following), end)
        if step.delay is not None and attempt < end and attempt - step.at < step.delay - EARLY:
            asked = _closed_while_waiting(life, step)
            kind = "too early, when a Close came while not connected" if asked else "too early"
            yield Violation(kind, f"{name}, an attempt after {attempt - step.at:.3f} s", attempt)
        bound = (LONGEST_WAIT if step.delay is None else step.delay) + ATTEMPT_TIMEOUT
        if not lag.allows(step.at, following, bound):
            yield Violation("too late", f"{name}, nothing for {following - step.at:.2f} s", following)


def _closed_while_waiting(life: _Life, step: Gave) -> bool:
    """Tell whether this `ondisconnect` was called because `websocket_info` gave a `Close` without a connection."""
    number = life.steps.index(step)
    before = [one for one in life.steps[: number - 1] if isinstance(one, Gave)]
    calls = [one for one in life.steps[: number - 1] if isinstance(one, Called)]
    return bool(before) and before[-1].result == "Close" and calls[-1].ref is None


def _judge_bounds(program: Sequence[Line], lag: Lag) -> list[Violation]:
    found: list[Violation] = []
    stopping: dict[int, Stopping] = {}
    lives_of: dict[int, list[Line]] = defaultdict(list)
    for line in program:
        if isinstance(line, Stopping):
            stopping[line.life] = line
        elif isinstance(line, Stopped):
            lives_of[line.life].append(line)
            if not lag.allows(line.at - line.seconds, line.at, CLOSE_TIMEOUT + BEFORE_STOP):
                found.append(Violation("stop not bounded", f"life {line.life}: {line.seconds:.2f} s", line.at))
        elif isinstance(line, Returned) and line.how == "cancelled":
            at = stopping[line.life].at
            if not lag.allows(at, line.at, 0.0):
                what = f"life {line.life}: {line.at - at:.2f} s, at most {MARGIN} s"
                found.append(Violation("cancellation not bounded", what, line.at))
        elif isinstance(line, Probed) and not line.echoed:
            found.append(Violation("no recovery", f"life {line.life}: no echo in {line.seconds:.1f} s", line.at))
    return found
