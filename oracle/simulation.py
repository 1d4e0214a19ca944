"""One run of the simulation: a server and the lives of a client in one trio, in virtual time, all from one seed."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import random
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import anyio
import trio

from oracle.clocks import EPOCH, VirtualClock, led  # isort: skip - before the library reads a clock
from oracle import journal as j
from oracle.application import live
from oracle.cues import Changes, Cue, Watched
from oracle.faults import Plan
from oracle.lifeplan import LifePlan, draw_life
from oracle.network import Line
from oracle.server import Server
from oracle.stores import Disk, MemorySessionStore, MemoryTokenStore
from rcex_ws import RingCentral, WebSocketExtension

__all__ = ["Run", "simulate"]

# After the last fault so long, in seconds; the longest wait of the product's schedule is two minutes.
SETTLE = 400.0
# A life that does not end by itself in this time, in seconds, will not.
ENDS_WITHIN = 300.0
URL = "127.0.0.1:9"

# The number of the life that began a task.
_life: ContextVar[int] = ContextVar("life")


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind."""

    seed: int
    seconds: float
    lives: int
    server: list[j.AnyRecord]
    client: list[j.AnyRecord]
    lines: tuple[list[bytes], list[bytes]]
    digest: str


def simulate(seed: int, hours: float, kinds: frozenset[str], density: float = 1.0, plan: Plan | None = None) -> Run:
    """Run one seed.

    A process should do this once: what the library counts for as long as it is loaded differs the second time.

    Args:
        seed: decides about everything.
        hours: of life, before all is calm.
        kinds: the faults that may strike.
        density: how much happens in an hour, of faults and of all else; 1 is a crowd, 0.05 a working day.
        plan: of the faults, instead of one that is drawn.
    """
    # What the collector finds may wake tasks, so it runs at set times only: before, and by the virtual clock.
    gc.collect()
    gc.freeze()
    gc.disable()
    random.seed(seed)
    # There is no public way to choose the order in which trio runs its tasks; pytest-trio does it like this, too.
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r.seed(seed)
    try:
        with led() as clock:
            simulation = _Simulation(plan or Plan(seed, kinds, density=density), hours * 3600, clock)
            trio.run(simulation.run, clock=clock, strict_exception_groups=True)
    finally:
        gc.enable()
        gc.unfreeze()
    lines = list(simulation.server_journal.lines()), list(simulation.client_journal.lines())
    digest = hashlib.sha256(b"".join(lines[0] + lines[1])).hexdigest()[:16]
    return Run(
        seed,
        clock.current_time(),
        simulation.lives,
        j.read_journal(lines[0]),
        j.read_journal(lines[1]),
        lines,
        digest,
    )


class _World:
    """What surrounds one simulated life."""

    def __init__(self, line: Line, disk: Disk | None, server: Server, delay: Callable[[], float], life: int) -> None:
        self.jwt = server.jwt
        self.has_store = disk is not None
        self.stop = anyio.Event()
        self.filters: list[str] = []
        self._line = line
        self._server = server
        self._store_failed = False
        self.session_store = None if disk is None else MemorySessionStore(disk, life, delay, self._fail)
        self.token_store = None if disk is None else MemoryTokenStore(disk, delay)
        self.http = line.http_client()

    def calm(self) -> bool:
        return self._server.plan.calm

    async def until_calm(self) -> None:
        await self._server.calmed.wait()

    def _fail(self) -> None:
        if self._server.plan.strikes("store-fails"):
            self._server.put(j.Struck("store-fails", "store"))
            self._store_failed = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._store_failed:
            self._store_failed = False
            self._server.put(j.Stored())

    def make_client(self) -> RingCentral:
        return RingCentral(
            server=f"http://{URL}",
            client_id="id",
            client_secret="secret",
            token_store=self.token_store,
            http=self.http,
            proxy=False,
        )

    def make_extension(self, **options: Any) -> WebSocketExtension:
        opener = self._line.open_socket

        class Extension(WebSocketExtension):
            open_socket = staticmethod(opener)

        return Extension(session_store=self.session_store, **options)

    def kill(self) -> None:
        self._line.kill()
        for store in (self.session_store, self.token_store):
            if store is not None:
                store.kill()


class _Simulation:
    def __init__(self, plan: Plan, seconds: float, clock: VirtualClock) -> None:
        seed, kinds, density = plan.seed, plan.kinds, plan.density
        self.server_journal = Watched(trio.current_time)
        self.client_journal = j.Journal(trio.current_time)
        self.lives = 0
        self._seed = seed
        self._seconds = seconds
        self._kinds = kinds
        self._plan = plan
        self._density = density
        self._clock = clock
        self._rng = random.Random(f"simulation {seed}")
        self._filters: list[str] = []
        self._with_store = self._rng.random() < 0.6
        self._life_length = self._rng.choice((100.0, 1000.0, 1000.0, 1e9)) if kinds & {"stop", "kill"} else 1e9
        if kinds & {"cue", "inside"}:  # what comes at an end needs many of them
            self._life_length = min(self._life_length, 150.0)
        self._life_length /= density
        self._killed = (0.0 if "kill" not in kinds else 0.5) if "stop" in kinds else 1.0
        self._disk = Disk()

    async def run(self) -> None:
        self._server = Server(self._plan, self.server_journal.put, url=URL, clock=EPOCH)
        async with trio.open_nursery() as self._nursery:
            await self._nursery.start(self._server.run)
            self._nursery.start_soon(self._collect)
            if "step" in self._kinds:
                self._nursery.start_soon(self._step_clock)
            await self._live_on(trio.current_time() + self._seconds)
            self._server.end()
            self._nursery.cancel_scope.cancel()

    async def _live_on(self, until: float) -> None:
        """Live one life after the other; the last one sees the calm."""
        while True:
            left = until - trio.current_time()
            length = self._rng.expovariate(1 / self._life_length)
            last = length > left - 1
            await self._live(left if last else length, last=last)
            if last:
                return
            self._disk.damage(self._server.plan, self.server_journal.put)
            self._server.stir()
            away = self._rng.choice((0.0, 0.0, 1.0, 20.0, 100.0, 170.0, 300.0))
            await trio.sleep(max(0.0, min(away * self._rng.uniform(0.5, 1.1), until - trio.current_time() - 2)))

    async def _live(self, length: float, *, last: bool) -> None:
        self.lives += 1
        rng = self._rng
        speed = rng.choice((0.01, 0.2, 2.0)) if "slow-store" in self._kinds else 0.0

        def delay() -> float:
            return rng.uniform(0, speed) if speed else 0.0

        # Each life has a journal of its own over one list: that of a dead life takes nothing more.
        journal = Watched(trio.current_time)
        journal.records = self.client_journal.records
        latency = self._server.latency

        def connect_time() -> float:
            return latency * rng.uniform(1, 3) + self._server.late("accept-late")

        line = Line(self._nursery, self._server.serve, journal.put, self.lives, connect_time)
        disk = self._disk if self._with_store else None
        world = _World(line, disk, self._server, delay, self.lives)
        world.filters = self._filters
        plan = draw_life(self._seed, self.lives, self._kinds, last=last, density=self._density)
        journal.watchers.append(lambda record: _watch_close(line, record))
        changes = Changes()
        journal.watchers.append(changes.saw)
        cue = self._draw_cue(journal) if not last else None
        ended = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._guarded, world, journal, plan, ended)
            met = False
            with trio.move_on_after(max(length, 0.0)):
                met = await _first(ended, cue)
            if not last and "cue" not in self._kinds:
                await changes.over()
            if last:
                self._server.calm()
                with trio.move_on_after(SETTLE):
                    await ended.wait()
            killed = rng.random() < self._killed
            if met and cue is not None:
                killed = cue.kill and self._killed > 0
            if not last and killed and not ended.is_set():
                self._kill(world, journal)
            else:
                world.stop.set()
                in_the_close = cue if cue is not None and cue.name == "closing" and self._killed > 0 else None
                met = False
                with trio.move_on_after(ENDS_WITHIN):
                    met = await _first(ended, in_the_close)
                if met:
                    self._kill(world, journal)
                elif not ended.is_set():
                    journal.put(j.Escaped(self.lives, "end", "the life does not end"))
                    self._kill(world, journal)
                else:
                    await self._look_after(line, world)
            self._filters = world.filters
            self.server_journal.watchers.clear()
            nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await world.http.aclose()

    async def _look_after(self, line: Line, world: _World) -> None:
        """See that nothing of an ended life goes on; after a while the process ends."""
        line.closed = True
        await trio.sleep(self._rng.uniform(0, 2))
        if left := _tasks_of_the_library(self.lives):
            names = ", ".join(sorted(task.name for task in left))
            self.client_journal.put(j.Escaped(self.lives, "tasks left over", names))
        world.kill()

    def _draw_cue(self, journal: Watched) -> Cue | None:
        """Draw a record at which this life is to end, for most lives."""
        rng = random.Random(f"cue {self._seed} {self.lives}")
        if "cue" not in self._kinds or rng.random() < 0.2:
            return None
        cue = Cue(rng)
        journal.watchers.append(cue.saw)
        self.server_journal.watchers.append(cue.saw)
        return cue

    def _kill(self, world: _World, journal: j.Journal) -> None:
        journal.put(j.LifeEnded(self.lives, "kill"))
        journal.closed = True
        world.kill()

    async def _guarded(self, world: _World, journal: j.Journal, plan: LifePlan, ended: trio.Event) -> None:
        _life.set(self.lives)
        try:
            await live(world, journal, plan)
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            journal.put(j.Escaped(self.lives, "life", repr(error)))
        finally:
            ended.set()

    async def _collect(self) -> None:
        while True:
            await trio.sleep(min(300 / self._density, 3600))
            gc.collect()

    async def _step_clock(self) -> None:
        while not self._server.plan.calm:
            await trio.sleep(self._rng.expovariate(1 / 600) / self._density)
            if not self._server.plan.calm:
                ahead = self._clock.step_wall(self._rng.choice((-3600.0, -30.0, 15.0, 300.0, 4000.0)))
                self.server_journal.put(j.Struck("step", "client", detail=str(ahead)))


async def _first(ended: trio.Event, cue: Cue | None) -> bool:
    """Wait for the end of a life or for its cue; say whether that came first."""
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            if cue is not None:
                await cue.wait()
                nursery.cancel_scope.cancel()

        nursery.start_soon(wait)
        await ended.wait()
        nursery.cancel_scope.cancel()
    return not ended.is_set()


def _watch_close(line: Line, record: j.Record) -> None:
    """The extension has closed: from now on its WebSocket rests."""
    if isinstance(record, j.ClosingDone) and record.how == "returned":
        line.detached = True


def _tasks_of_the_library(life: int) -> list[trio.lowlevel.Task]:
    """Give the tasks that the library began in a life, and that still live.

    A killed life goes on in them, where nobody can see it, and may begin new ones.
    """
    root = trio.lowlevel.current_root_task()
    tasks: list[trio.lowlevel.Task] = [] if root is None else [root]
    found: list[trio.lowlevel.Task] = []
    while tasks:
        task = tasks.pop()
        tasks += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        if "rcex_ws" in task.name and task.context.get(_life) == life:
            found.append(task)
    return found
