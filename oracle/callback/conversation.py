"""One WebSocket of the server: numbered frames, faults, and what the client sends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import trio

from oracle.callback.records import Broken, Closing, Gone, Got, Struck, Wrote
from oracle.dice import Dice
from oracle.lines import Pen
from oracle.wire import FaultyStream, Opcode, Peer, ProtocolViolation, fragments, frame

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
