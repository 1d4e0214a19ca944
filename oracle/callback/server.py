"""A WebSocket server that numbers what it sends, connection by connection, and fails on command."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import trio

from oracle.callback import faults
from oracle.callback.records import Attempt, Broken, Calm, Closing, Gone, Got, Opened, Struck, Wrote
from oracle.dice import Dice
from oracle.lines import Pen
from oracle.wire import (
    BadRequest,
    FaultyStream,
    HTTPConnection,
    Opcode,
    Peer,
    ProtocolViolation,
    Request,
    accept_key,
    fragments,
    frame,
    response,
)

STORM = 0.6
PROBE = "probe:"
Later = Callable[[float, Callable[[], None]], None]


class Conversation:
    """One open WebSocket."""

    def __init__(self, number: int, life: int, stream: FaultyStream, pen: Pen, dice: Dice, later: Later) -> None:
        self.number = number
        self.life = life
        self.stream = stream
        self.n = 0
        self.closing = False
        self._pen = pen
        self._dice = dice
        self._later = later
        self._thawing = trio.Event()
        self._put, self._queue = trio.open_memory_channel[Callable[[], Iterable[bytes]]](math.inf)

    async def serve(self, peer: Peer) -> None:
        """Talk until the connection ends."""
        how = "closed"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, peer)
                how = await self._read(peer)
                nursery.cancel_scope.cancel()
        finally:
            self._pen.put(Gone(conn=self.number, life=self.life, how=how, code=peer.close_code))
            await trio.aclose_forcefully(self.stream)

    def next_frame(self) -> Iterable[bytes]:
        """Make the next numbered frame: text, binary or an unasked pong, whole or in fragments."""
        rng = self._dice.random
        self.n += 1
        self._pen.put(Wrote(conn=self.number, n=self.n))
        data = f"{self.number}:{self.n}".encode()
        kind = rng.choice([Opcode.TEXT, Opcode.TEXT, Opcode.BINARY, Opcode.PONG])
        if kind is not Opcode.PONG and rng.random() < 0.1:
            cuts = sorted(rng.choices(range(len(data) + 1), k=2))
            first, *rest = fragments(kind, data, cuts)
            return [first, frame(Opcode.PING, b"between"), *rest]
        return [frame(kind, data)]

    def push(self) -> None:
        """Write the next numbered frame."""
        self._put.send_nowait(self.next_frame)

    def close_frames(self, code: int) -> Iterable[bytes]:
        """Make a close frame."""
        self.closing = True
        self._pen.put(Closing(conn=self.number, code=code))
        return [frame(Opcode.CLOSE, code.to_bytes(2, "big") + f"c{self.number}".encode())]

    def strike(self, fault: str) -> None:
        """Let a fault strike this connection."""
        rng = self._dice.random
        self._pen.put(Struck(fault=fault, conn=self.number))
        if fault == "rst":
            self.stream.reset()
        elif fault == "fin":
            self.stream.cut_after(0, "fin")
            self.push()
        elif fault == "close":
            code = rng.choice([1000, 1001, 1011, 4000])
            self._put.send_nowait(lambda: self.close_frames(code))
        elif fault == "slow":
            self.stream.slow(outbound=(rng.randint(1, 20), 0.01))
            self._later(1.0, self.stream.slow)
        elif fault == "cut":
            self.stream.cut_after(rng.randint(0, 60), rng.choice(["reset", "fin", "silence"]))
        elif fault == "violate":
            wrong = rng.choice(
                [
                    frame(3, b"?"),
                    frame(Opcode.TEXT, b"\xff"),
                    frame(Opcode.TEXT, b"?", rsv=4),
                    frame(Opcode.CONTINUATION, b"?"),
                    frame(Opcode.TEXT, b"?", mask=b"1234"),
                    frame(Opcode.PING, b"?" * 126),
                    frame(Opcode.CLOSE, b"\x03"),
                ]
            )
            self._put.send_nowait(lambda: [wrong])
        else:
            self._freeze(fault)

    def thaw(self) -> None:
        """Let everything through again."""
        self._thawing.set()

    def _freeze(self, fault: str) -> None:
        if fault in {"freeze-in", "freeze-both"}:
            self.stream.freeze_inbound()
        if fault in {"freeze-out", "freeze-both"}:
            self.stream.freeze_outbound()
        if self._dice.random.random() < 0.7:
            self._later(self._dice.random.uniform(0.1, 3.0), self.thaw)

    async def _write(self, peer: Peer) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._thaw_when_told)
                nursery.start_soon(self._push_and_ping, peer)
                async for frames in self._queue:
                    if not peer.close_sent:  # RFC 6455, 5.5.1: nothing follows a close frame
                        ready = frames()
                        peer.close_sent = self.closing
                        await peer.send_each(ready)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the reader will see it, too

    async def _push_and_ping(self, peer: Peer) -> None:
        while True:
            await trio.sleep(self._dice.random.expovariate(1 / 0.02))
            for _ in range(self._dice.random.choice([1, 1, 1, 6])):
                self.push()
            if self._dice.random.random() < 0.05:
                self._put.send_nowait(lambda: [frame(Opcode.PING, b"there?")])

    async def _thaw_when_told(self) -> None:
        while True:
            await self._thawing.wait()
            self._thawing = trio.Event()
            await self.stream.thaw()

    async def _read(self, peer: Peer) -> str:
        peer.answer_close = not self._dice.strikes("deaf-close", 0.2)
        try:
            while (message := await peer.receive()) is not None:
                if message.opcode in {Opcode.TEXT, Opcode.BINARY}:
                    key = message.text
                    self._pen.put(Got(conn=self.number, life=self.life, key=key))
                    if key.startswith(PROBE):
                        self._put.send_nowait(lambda key=key: [frame(Opcode.TEXT, b"echo " + key.encode())])  # type: ignore[misc]
                elif message.opcode is Opcode.CLOSE:
                    if not peer.answer_close:
                        self._pen.put(Struck(fault="deaf-close", conn=self.number))
                        await trio.sleep(3)
                    return "closed"
        except ProtocolViolation as violation:
            self._pen.put(Broken(conn=self.number, rule=str(violation)))
            return "violation"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return "broken"
        return "cut" if peer.unread else "fin"


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
