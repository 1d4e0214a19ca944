"""A WebSocket server that numbers what it sends, connection by connection, and fails on command."""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from oracle.callback import faults
from oracle.callback.conversation import Conversation
from oracle.callback.records import Attempt, Broken, Calm, Opened, Struck
from oracle.dice import Dice
from oracle.lines import Pen
from oracle.wire import (
    BadRequest,
    FaultyStream,
    HTTPConnection,
    Request,
    accept_key,
    response,
)

STORM = 0.6


class Server:
    """Serve until cancelled.

    Args:
        pen: writes the journal.
        dice: decide about faults.
    """

    def __init__(self, pen: Pen, dice: Dice) -> None:
        self._pen = pen
        self._dice = dice
        self._open: list[Conversation] = []
        self._connections = 0
        self._tries: set[tuple[int, int]] = set()
        self._storm_until = -math.inf
        self._nursery: trio.Nursery
        self._listening: trio.CancelScope

    async def serve(self, calm_at: float, task_status: trio.TaskStatus[int]) -> None:
        """Listen on the loopback; faults end at `calm_at`, on trio's clock."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._strike)
            self._nursery.start_soon(self._calm_down, calm_at)
            task_status.started(port)
            while True:
                async with listener:
                    with trio.CancelScope() as self._listening:
                        while True:
                            self._nursery.start_soon(self._accept, await listener.accept())
                await trio.sleep(self._dice.random.uniform(0.1, 1.0))
                (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")

    async def _accept(self, accepted: trio.SocketStream) -> None:
        stream = FaultyStream(accepted)
        http = HTTPConnection(stream)
        try:
            request = await http.read_request()
            if request is not None:
                await self._upgrade(http, request, stream)
        except BadRequest as error:
            if "in the middle" not in str(error):  # an attempt may be given up at any byte
                self._pen.put(Broken(conn=0, rule=str(error)))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _upgrade(self, http: HTTPConnection, request: Request, stream: FaultyStream) -> None:
        life, number = int(request.query["life"]), int(request.query["try"])
        if number and (life, number) in self._tries:
            self._pen.put(Broken(conn=0, rule=f"life {life} used the address number {number} again"))
        self._tries.add((life, number))
        rng = self._dice.random
        fault = self._dice.first(faults.OF_AN_UPGRADE, 0.06)
        self._pen.put(Attempt(life=life, number=number, how=fault or "ok"))
        if fault == "refuse":
            await http.respond(rng.choice([401, 403, 404, 429, 503]), b"no" * rng.choice([0, 1, 9999]))
        elif fault == "upgrade-rst":
            stream.reset()
        elif fault == "upgrade-hang":
            await trio.sleep(3)
        elif fault == "upgrade-garbage":
            key = accept_key("x" * 24)
            garbage = [b"hello\r\n\r\n", b"\x00\xff" * 500, response(101, b"", [("Sec-WebSocket-Accept", key)])]
            await http.send(rng.choice(garbage))
        elif fault == "upgrade-cut":
            stream.cut_after(rng.randint(0, 100), rng.choice(["fin", "reset", "silence"]))
            await http.upgrade(request)
            await trio.sleep(2)
        else:
            await self._serve(http, request, stream, life, early=bool(fault))

    async def _serve(
        self, http: HTTPConnection, request: Request, stream: FaultyStream, life: int, *, early: bool
    ) -> None:
        self._connections += 1
        line = Conversation(self._connections, life, stream, self._pen, self._dice, self._later)
        self._pen.put(Opened(conn=line.number, life=life))
        first: list[bytes] = []
        if early or self._dice.random.random() < 0.3:
            first += line.next_frame()
        if early:
            first += line.close_frames(1013)
        peer = await http.upgrade(request, first=b"".join(first))
        peer.close_sent = line.closing
        if trio.current_time() < self._storm_until:
            self._later(self._dice.random.uniform(0, 0.05), lambda: line.strike("rst"))
        self._open.append(line)
        try:
            await line.serve(peer)
        finally:
            self._open.remove(line)

    async def _strike(self) -> None:
        while True:
            await trio.sleep(self._dice.random.expovariate(1 / 0.3))
            fault = self._dice.one_of(faults.OF_A_CONNECTION)
            if not fault or not self._open:
                continue
            if fault == "down":
                self._pen.put(Struck(fault="down"))
                self._listening.cancel()
                for line in self._open:
                    line.strike("rst")
                continue
            if fault == "storm":
                self._pen.put(Struck(fault="storm"))
                self._storm_until = trio.current_time() + STORM
                fault = "rst"
            self._open[-1].strike(fault)

    async def _calm_down(self, at: float) -> None:
        await trio.sleep_until(at)
        self._dice.calm = True
        self._storm_until = -math.inf
        for line in self._open:
            line.thaw()  # what goes only one way is never found out, because any frame is a sign of life
        self._pen.put(Calm())

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        async def wait() -> None:
            await trio.sleep(seconds)
            what()

        self._nursery.start_soon(wait)
