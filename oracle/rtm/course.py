"""The course of one soak: processes, faults by the schedule, and then the calm."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from oracle.lines import Pen
from oracle.processes import Program
from oracle.rtm.control import Desk
from oracle.rtm.faults import CONNECTIONS, OF_THE_SERVICE, SERVERS, Act, make_schedule
from oracle.rtm.network import Network
from oracle.rtm.records import Calm, Died, Healed, Killed, LastRound, Settled, Stopping, Struck
from tests.redis_server import RedisServer

__all__ = ["Course", "Options"]

#: How many connections each user has when all is well.
PRESENT = {"ann": 1, "bob": 2, "cat": 2, "nobody": 0}
#: All have so many seconds after the calm to be well again: a broker's longest wait, for one that has its own.
_SETTLE_WITHIN = {True: 45.0, False: 20.0}
_LAST_ROUND = 2.5
_END_WITHIN = 12.0
#: More bytes than any run has.
_NEVER = 10**9


@dataclass(frozen=True)
class Options:
    """What is to be run.

    Attributes:
        seed: decides about all.
        seconds: how long faults go on.
        loop: of all processes.
        faults: those that may strike.
        redis: False for one server by itself.
        folder: for the journals and logs.
        control: path of a socket; not every path is short enough for one.
    """

    seed: int
    seconds: float
    loop: str
    faults: frozenset[str]
    redis: bool
    folder: Path
    control: Path


class Course:
    """One soak.

    Args:
        options: what is to be run.

    Attributes:
        journals: what was written down, by process.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        rng = random.Random(f"course {options.seed}")
        self._aof = rng.random() < 0.6
        self._plain = rng.random() < 0.35
        self._pen = Pen(options.folder / "soak.jsonl")
        self._desk = Desk(options.control)
        self._servers = SERVERS if options.redis else SERVERS[:1]
        self._programs: dict[str, Program] = {}
        self._lives: dict[str, int] = {}
        self._places: dict[str, trio.Lock] = {}
        self._expected: set[str] = set()
        self._redis: RedisServer | None = None
        self.journals = [options.folder / "soak.jsonl"]

    @property
    def kind(self) -> str:
        """Put what the seed has chosen into a few words."""
        if not self._options.redis:
            return "one server"
        return f"{'AOF' if self._aof else 'no AOF'}, {'redis=' if self._plain else 'broker='}"

    async def run(self) -> None:
        """Run it to its end."""
        with ExitStack() as stack:
            if self._options.redis:
                aof = [("appendonly", "yes")] if self._aof else []
                self._redis = stack.enter_context(RedisServer(*aof))
            self._network = Network(None if self._redis is None else self._redis.port)
            stack.enter_context(self._network.open())
            stack.callback(self._kill_all)
            async with trio.open_nursery() as nursery:
                await nursery.start(lambda task_status: self._desk.serve(task_status=task_status))
                nursery.start_soon(self._watch)
                await self._live()
                nursery.cancel_scope.cancel()
        self._pen.close()

    async def _live(self) -> None:
        # The processes start before the clock does; how long that takes is the machine's affair.
        self._began = time.monotonic() + 3.5
        self._calm_at = self._began + self._options.seconds
        for name in self._servers:
            await self._start_server(name)
        if len(self._servers) == 1:
            for place in self._network.roads:
                self._network.move(place, self._servers[0])
        urls = [f"{place}={road.url}" for place, road in self._network.roads.items()]
        options = ["--small-queue"] if "small-queue" in self._options.faults else []
        self._start("clients", "oracle.rtm.client", [*options, *urls])
        await self._desk.greeted("clients")
        await self._strike()
        await _sleep_until(self._calm_at)
        self._network.heal()
        self._pen.put(Calm())
        await self._settle()
        self._pen.put(LastRound())
        async with trio.open_nursery() as nursery:
            for who in (*map(self._who, self._servers), "clients"):
                nursery.start_soon(self._desk.order, who, "last")
        await trio.sleep(_LAST_ROUND)
        await self._wrong()  # so that the judge sees what presence says at the end
        await self._stop("clients", "clients")
        for name in self._servers:
            await self._stop(name, self._who(name))

    # -- faults --------------------------------------------------------------------------------------------------------

    async def _strike(self) -> None:
        faults = self._options.faults
        if not self._options.redis:
            faults -= OF_THE_SERVICE | {"move"}
        acts = make_schedule(self._options.seed, self._options.seconds, faults)
        async with trio.open_nursery() as nursery:
            for act in acts:
                if act.target in ("redis", *self._servers, *CONNECTIONS):
                    nursery.start_soon(self._carry_out, act)

    async def _carry_out(self, act: Act) -> None:
        await _sleep_until(self._began + act.at)
        place = f"link {act.target}" if act.fault.startswith("link-") else act.target
        async with self._places.setdefault(place, trio.Lock()):  # on a busy machine faults last longer than planned
            await self._strike_now(act)

    async def _strike_now(self, act: Act) -> None:
        fault = act.fault
        if fault == "redis-restart" and not self._aof:
            fault = "redis-forget"
        self._pen.put(Struck(fault=fault, target=act.target))
        if act.target in CONNECTIONS:
            await self._strike_connection(act)
        elif act.target == "redis":
            await self._strike_redis(fault, act.length)
        elif fault.startswith("link-"):
            await self._strike_link(act)
        else:
            await self._strike_server(act)
        self._pen.put(Healed(fault=fault, target=act.target))

    async def _strike_connection(self, act: Act) -> None:
        road = self._network.roads[act.target]
        front = road.front
        match act.fault:
            case "rst":
                front.reset()
            case "fin":
                front.cut()
            case "cut-midway":
                front.cut_after(1 + int(act.chance * 3000), "down" if act.chance < 0.7 else "up", rst=act.chance < 0.4)
                await trio.sleep(act.length)
                front.cut_after(_NEVER, "down")  # what has not come to its cut by now never will
                front.cut_after(_NEVER, "up")
            case "half-open":
                frozen = road.change_lanes()
                await trio.sleep(act.length)
                if act.chance < 0.5:
                    frozen.reset()
                frozen.thaw()  # what was held back comes late
            case "stall" | "stall-up" | "stall-down":
                direction: Any = act.fault.removeprefix("stall").removeprefix("-") or "both"
                front.freeze(direction)
                await trio.sleep(act.length)
                front.thaw(direction)
            case "delay":
                front.delay(0.05 + act.chance * 0.5)
                await trio.sleep(act.length)
                front.delay(0.0)
            case "refuse":
                front.refuse()
                front.reset()
                await trio.sleep(act.length)
                front.accept()
            case "move":
                self._network.move(act.target, self._other(road.server))
                front.reset()
            case "slow-handler":
                await self._desk.order("clients", "slow", place=act.target, seconds=act.length)
                await trio.sleep(act.length)

    async def _strike_redis(self, fault: str, length: float) -> None:
        redis = self._redis
        if redis is None:
            raise RuntimeError("there is no Redis")
        if fault == "redis-pause":
            redis.pause()
            await trio.sleep(length)
            redis.resume()
        else:
            redis.kill()
            await trio.sleep(length)
            await trio.to_thread.run_sync(lambda: redis.start(keep_data=fault == "redis-restart"))

    async def _strike_link(self, act: Act) -> None:
        link = self._network.links[act.target]
        match act.fault:
            case "link-rst":
                link.reset()
            case "link-cut":
                link.refuse()
                link.reset()
                await trio.sleep(act.length)
                link.accept()
            case "link-delay":
                link.delay(0.02 + act.chance * 0.3)
                await trio.sleep(act.length)
                link.delay(0.0)
            case _:
                direction: Any = act.fault.removeprefix("link-freeze").removeprefix("-") or "both"
                link.freeze(direction)
                await trio.sleep(act.length)
                if act.chance < 0.3:
                    link.reset()
                link.thaw(direction)

    async def _strike_server(self, act: Act) -> None:
        name = act.target
        program = self._programs[name]
        if act.fault == "suspend":
            program.suspend(True)
            await trio.sleep(act.length)
            program.suspend(False)
            return
        moved: list[str] = []
        if act.chance < 0.6 and len(self._servers) > 1:
            moved = [place for place, road in self._network.roads.items() if road.server == name]
            for place in moved:
                self._network.move(place, self._other(name))
        if act.fault == "kill":
            self._expected.add(name)
            program.kill()
            self._pen.put(Killed(who=self._who(name)))
        else:
            if act.fault == "drain":
                await self._desk.order(self._who(name), "drain", seconds=act.length)
            await self._stop(name, self._who(name))
        self._network.set_url(name, "")
        await trio.sleep(act.length)
        await self._start_server(name)
        for place in moved:
            if act.chance < 0.35:  # a new server is given its clients back
                self._pen.put(Struck(fault="move", target=place))
                self._network.move(place, name)
                self._network.roads[place].front.reset()
                self._pen.put(Healed(fault="move", target=place))

    def _other(self, server: str) -> str:
        return next(name for name in self._servers if name != server)

    # -- processes -----------------------------------------------------------------------------------------------------

    def _who(self, name: str) -> str:
        return f"{name}{self._lives[name]}"

    async def _start_server(self, name: str) -> None:
        self._lives[name] = self._lives.get(name, 0) + 1
        arguments = ["--who", self._who(name)]
        if self._network.links:
            link = self._network.links[name]
            arguments += ["--redis", f"redis://{link.host}:{link.port}"]
        if self._plain:
            arguments += ["--plain"]
        self._start(name, "oracle.rtm.server", arguments)
        hello = await self._desk.greeted(self._who(name))
        self._network.set_url(name, hello["url"])

    def _start(self, name: str, module: str, arguments: list[str]) -> None:
        journal = self._options.folder / f"{self._who(name) if name in self._lives else name}.jsonl"
        self.journals.append(journal)
        program = self._programs.setdefault(name, Program(module, self._options.folder / f"{name}.log"))
        program.start(
            [
                *("--control", str(self._desk.path)),
                *("--loop", self._options.loop),
                *("--journal", str(journal)),
                *("--seed", str(self._options.seed)),
                *("--calm-at", str(self._calm_at)),
                *arguments,
            ]
        )
        self._expected.discard(name)

    async def _stop(self, name: str, who: str) -> None:
        """Ask a process to end; kill it when it does not."""
        self._pen.put(Stopping(who=who))
        self._expected.add(name)
        program = self._programs[name]
        program.suspend(False)
        await self._desk.order(who, "stop")
        with trio.move_on_after(_END_WITHIN):
            while program.running:  # noqa: ASYNC110 - a Popen does not tell
                await trio.sleep(0.02)
        if program.running:
            program.signal(signal.SIGABRT)  # its log then has the stacks
            await trio.sleep(0.5)
        code = program.returncode
        program.kill()
        self._pen.put(Died(who=who, code=-1 if code is None else code))

    async def _watch(self) -> None:
        """Write down who dies unasked."""
        while True:
            for name, program in self._programs.items():
                if not program.running and name not in self._expected:
                    self._expected.add(name)
                    who = self._who(name) if name in self._lives else name
                    self._pen.put(Died(who=who, code=program.returncode or 0))
            await trio.sleep(0.1)

    def _kill_all(self) -> None:
        for program in self._programs.values():
            if program.running:
                program.kill()

    # -- the calm ------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        began = time.monotonic()
        wrong = "not asked"
        while wrong and time.monotonic() < began + _SETTLE_WITHIN[self._plain]:
            await trio.sleep(0.2)
            wrong = await self._wrong()
        self._pen.put(Settled(seconds=time.monotonic() - began, wrong=wrong))

    async def _wrong(self) -> str:
        """Tell what is not as it should be when all is well."""
        return "; ".join([text async for text in self._all_wrong()])

    async def _all_wrong(self) -> AsyncIterator[str]:
        status = await self._desk.order("clients", "status", within=3.0)
        if status is None:
            yield "the clients do not answer"
            return
        for place, state in status["states"].items():
            if state != "ready":
                yield f"{place} is {state}"
        if status["queued"]:
            yield f"{status['queued']} events wait for handlers"
        for name in self._servers:
            told = await self._desk.order(self._who(name), "presence", within=10.0)
            if told is None or "error" in told:
                yield f"presence at {name}: {told}"
                continue
            for user, counts in told["users"].items():
                if sum(counts.values()) != PRESENT[user]:
                    yield f"presence of {user} at {name} is {counts}"
            if told["count"] != sum(PRESENT.values()):
                yield f"count at {name} is {told['count']}"


async def _sleep_until(moment: float) -> None:
    await trio.sleep(max(0.0, moment - time.monotonic()))
