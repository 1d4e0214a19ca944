"""The model server over any listener of streams: TCP for real processes, memory for the simulation.

    python -m oracle.server --port 0 --seed 1 --faults all --journal FILE --calm-after 600

prints its address and credentials as one line of JSON. SIGUSR1 makes it calm: from then on no fault strikes.
"""

from __future__ import annotations

import argparse
import functools
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from oracle import journal as j
from oracle.calls import Calls
from oracle.endpoints import Endpoints
from oracle.faults import WEATHER_KINDS, Plan, choose_kinds
from oracle.model import Event, Frame, Model, Session
from oracle.talk import Talk
from oracle.topics import TOPICS, matching
from oracle.wire import BadRequest, FaultyStream, HTTPConnection

__all__ = ["Server"]


class Server:
    """Serve connections, let the world happen, and let faults strike.

    Args:
        plan: the faults.
        put: takes records.
        url: where clients reach it, without a scheme.
        clock: its own time at trio's time zero, seconds since the epoch.
        jwt: the credential of the only user.
        first: numbers begin after this one; a server that follows another in one journal continues its numbers.
        bustle: how much more happens in the world than in a real one.
    """

    def __init__(
        self,
        plan: Plan,
        put: Callable[[j.Record], None],
        *,
        url: str,
        clock: float,
        jwt: str = "jwt",
        first: int = 0,
        bustle: float = 1.0,
    ) -> None:
        self.plan = plan
        self.url = url
        self.jwt = jwt
        self._bustle = bustle
        self.calls = Calls(put)
        self.talks: dict[int, Talk] = {}
        self.calmed = trio.Event()
        self.latency = plan.paced(plan.dice(f"latency {first}").choice((0.001, 0.02, 0.2)))
        self.put = put
        self._clock = clock + plan.clock_offset
        self._endpoints = Endpoints(self)
        self._world = plan.dice(f"world {first}")
        self._secrets = plan.dice(f"secrets {first}")
        self._streams: set[FaultyStream] = set()
        self._numbers = first
        self._events = first
        self._down = False
        self.model = self._begin()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let the world happen until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._happen)
            for kind in WEATHER_KINDS:
                self._nursery.start_soon(self._weather, kind)
            task_status.started()

    async def serve(self, inner: trio.abc.HalfCloseableStream) -> None:
        """Serve one connection to its end."""
        stream = FaultyStream(inner)
        if self._down:
            stream.reset()
            return
        self._streams.add(stream)
        try:
            http = HTTPConnection(stream, lambda: trio.current_time() + self._clock)
            while (request := await http.read_request()) is not None:
                if request.is_upgrade:
                    await self._endpoints.upgrade(http, request)
                    return
                if not await self._endpoints.answer(http, request) or not request.keep_alive:
                    return
        except (BadRequest, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._streams.discard(stream)
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await stream.aclose()

    def new_talk(self, stream: FaultyStream) -> Talk:
        """Make a connection with a number of its own."""
        number = self._number()
        talk = self.talks[number] = Talk(self, number, stream)
        return talk

    def start(self, work: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start something that nobody waits for."""
        self._nursery.start_soon(work, *args)

    def replace(self, conn: int) -> None:
        """End a connection whose session was taken over."""
        if (talk := self.talks.get(conn)) is not None:
            talk.known_lost = True
            self.start(talk.replaced)

    def calm(self) -> None:
        """Let no fault strike from now on."""
        if not self.plan.calm:
            self.plan.calm = True
            self.put(j.Calm())
            self.calmed.set()

    def end(self) -> None:
        """Write down what is left."""
        self.put(j.ServerEnded("end", self.model.known()))

    async def restart(self) -> None:
        """Die, be away for a while, and come back without a memory."""
        self.put(j.Struck("restart", "server"))
        self.put(j.ServerEnded("restart", self.model.known()))
        self._down = True
        for talk in list(self.talks.values()):
            await talk.cut()
        for stream in list(self._streams):
            stream.reset()
        with trio.move_on_after(self.plan.paced(self.plan.dice("restart").choice((0.0, 2.0, 20.0)))):
            await self.calmed.wait()
        self.model = self._begin()
        self._down = False

    def _begin(self) -> Model:
        options = {"buffer": self.plan.buffer_size, "window": self.plan.recovery_timeout, "pace": self.plan.pace}
        now = self._clock + trio.current_time()
        self.put(j.ServerBegan(now, self.plan.seed, sorted(self.plan.kinds), options))
        return Model(self.plan, self._secrets, self._write, self.put, number=self._number, clock=self._clock)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _write(self, conn: int, frame: Frame) -> None:
        if (talk := self.talks.get(conn)) is not None:
            talk.write(frame)

    async def _happen(self) -> None:
        """Make events: long quiet, steady, or in bursts, on all topics whether anybody listens or not."""
        world = self._world

        def paced(seconds: float) -> float:
            return self.plan.paced(seconds) / self._bustle

        while True:
            until = trio.current_time() + paced(world.expovariate(1 / 90))
            rate = world.choice((0.0, 0.01, 0.05, 0.2, 1.0))
            if rate == 1.0 and world.random() < 0.3:
                rate, until = 20.0, trio.current_time() + paced(world.uniform(0.2, 3.0))
            while trio.current_time() < until:
                pause = paced(world.expovariate(rate)) if rate else until - trio.current_time()
                await trio.sleep(max(pause, 0.001))
                if rate:
                    self._make(world.choice(TOPICS))
            if self.plan.density < 1:
                await trio.sleep(paced(world.expovariate(1 / 90)) * (1 / self.plan.density - 1))

    def _make(self, topic: str) -> None:
        self._events += 1
        n = self._events
        uuid = str(self._world.getrandbits(62))
        self.put(j.Made(n, topic, uuid))
        event = Event(n, topic, uuid, trio.current_time(), {"n": n, "topic": topic})
        if not self._down:
            self.model.happen(event)

    def stir(self) -> None:
        """Let some things happen soon, as a fault that nothing meets shows nothing."""
        if "burst" in self.plan.kinds and self.plan.dice("burst").random() < 0.5:
            self.start(self._stir)

    async def _stir(self) -> None:
        dice = self.plan.dice("burst")
        pace = dice.choice((0.01, 0.3, 5.0))
        for _ in range(dice.randint(1, 8)):
            await trio.sleep(self.plan.paced(dice.expovariate(1 / pace)))
            self._make(dice.choice(TOPICS))

    def late(self, kind: str) -> float:
        """Give the seconds by which something is late, and write it down if it is."""
        if seconds := self.plan.delay(kind):
            self.put(j.Struck(kind, "server"))
        return seconds

    def make_one(self, session: Session) -> None:
        """Let something happen that a session has asked for."""
        subscription = session.subscription
        wanted = [] if subscription is None else [one for one in TOPICS if matching(subscription.filters, one)]
        if wanted:
            self._make(self.plan.dice("make").choice(wanted))

    async def fill(self, session: Session) -> None:
        """Let so much happen that a lost session's buffer is full, nearly, or a little more."""
        number = self.plan.buffer_size - len(session.buffer) + self.plan.dice("replay-brim").choice((-1, 0, 0, 1, 1, 3))
        for _ in range(number):
            if session.conn is not None:
                return
            self.make_one(session)
            await trio.sleep(0.001)

    async def _weather(self, kind: str) -> None:
        while (seconds := self.plan.until_next(kind)) is not None:
            await trio.sleep(seconds / self._bustle)
            if self.plan.calm:
                return
            self.stir()
            if kind == "restart":
                await self.restart()
            elif kind == "vanish":
                self.model.vanish()
            elif alive := [talk for talk in self.talks.values() if not talk.known_lost]:
                self.start(self.plan.dice(kind).choice(alive).strike, kind)

    def lost(self) -> None:
        """Take note that some session's connection is gone: it may expire when its time is over."""
        self.start(self._expire)

    async def _expire(self) -> None:
        await trio.sleep(self.plan.recovery_timeout + 0.001)
        self.model.expire(trio.current_time())


def main() -> None:
    """Run the server as a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", default="all", help="kinds and groups, comma separated; -kind takes one away")
    parser.add_argument("--journal", type=Path, required=True, help="is appended to")
    parser.add_argument("--calm-after", type=float, default=float("inf"), help="seconds until the plan is over")
    parser.add_argument("--recovery-timeout", type=float, help="instead of what the plan draws")
    parser.add_argument("--pace", type=float, default=1.0, help="all times are multiplied by this")
    parser.add_argument("--bustle", type=float, default=1.0, help="how much more happens than in a real world")
    options = parser.parse_args()
    with options.journal.open("ab", buffering=0) as file:
        trio.run(functools.partial(_main, options, file.write))


async def _main(options: argparse.Namespace, write: Callable[[bytes], object]) -> None:
    with options.journal.open("rb") as file:
        first = len(file.readlines())  # no number is higher than that
    journal = j.Journal(time.monotonic, write)
    plan = Plan(options.seed, choose_kinds(options.faults), options.pace)
    if options.recovery_timeout is not None:
        plan.recovery_timeout = options.recovery_timeout
    listeners = await trio.open_tcp_listeners(options.port, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    # The clock of the records is the machine's monotonic one, trio's has a zero of its own.
    clock = time.time() - trio.current_time()
    server = Server(plan, journal.put, url=f"127.0.0.1:{port}", clock=clock, first=first, bustle=options.bustle)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        # A signal before that would end the program; who reads the line may send one.
        await nursery.start(_obey_signals, server, nursery.cancel_scope)
        said = {"server": f"http://{server.url}", "client_id": "id", "client_secret": "secret", "jwt": server.jwt}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await trio.sleep(options.calm_after)
        server.calm()
        await trio.sleep_forever()


async def _obey_signals(
    server: Server, scope: trio.CancelScope, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGUSR1, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            if number == signal.SIGTERM:
                server.end()
                scope.cancel()
            else:
                server.calm()


if __name__ == "__main__":
    main()
