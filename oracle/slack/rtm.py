"""One RTM WebSocket of the fake Slack: hello, answers, events, and what can go wrong with them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import trio

from oracle.dice import Dice
from oracle.lines import Pen
from oracle.slack.life import Life
from oracle.slack.records import Answered, Broken, Closing, Gone, Greeted, Pushed, Seen, Struck
from oracle.wire import FaultyStream, Message, Opcode, Peer, ProtocolViolation, fragments, frame, text_frame

UNKNOWN_ID = 900_000
REJECTION = {"code": 2, "msg": "message text is missing"}


class RTM:
    """Serve one connection until it ends.

    Args:
        number: of the connection.
        life: whose it is.
        stream: below the peer, for faults.
        pen: writes the journal.
        dice: decide.
        later: has something called after so many seconds.

    Attributes:
        greeted: whether hello was written.
        given_up: Slack does nothing any more of what comes by it, because it has told the client so.
        harmed: a fault struck that may make the two sides see different things.
    """

    def __init__(
        self,
        number: int,
        life: Life,
        stream: FaultyStream,
        pen: Pen,
        dice: Dice,
        later: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self.number = number
        self.life = life
        self.stream = stream
        self.greeted = False
        self.given_up = False
        self.harmed = False
        self._closing = False
        self._pen = pen
        self._dice = dice
        self._later = later
        self._thawing = trio.Event()
        self._put, self._queue = trio.open_memory_channel[Callable[[], Iterable[bytes]]](math.inf)

    async def serve(self, peer: Peer, hello_delay: float | None) -> None:
        """Talk until the connection ends.

        Args:
            peer: the open WebSocket.
            hello_delay: seconds until hello; None for none at all.
        """
        self.life.connections.append(self)
        how = "closed"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, peer)
                if hello_delay is not None:
                    self._later(hello_delay, self.greet)
                how = await self._read(peer)
                nursery.cancel_scope.cancel()
        finally:
            self.life.connections.remove(self)
            self._pen.put(Gone(conn=self.number, life=self.life.number, how=how))
            await trio.aclose_forcefully(self.stream)

    def greet(self) -> None:
        """Write hello, and what belongs right after it."""
        self._put.send_nowait(self._greeting())

    def greet_at_once(self) -> bytes:
        """Give the same, for the segment that has the 101."""
        return b"".join(self._greeting()())

    def _greeting(self) -> Callable[[], Iterable[bytes]]:
        replayed = self._replay()

        def frames() -> Iterable[bytes]:
            self._pen.put(Greeted(conn=self.number, life=self.life.number))
            self.greeted = True  # before it is written: the client may be faster than this task
            yield text_frame('{"type":"hello"}')
            if replayed is not None:
                number, answer = replayed
                self._answered(number, "replay", answer["ts"])
                yield text_frame(json.dumps({**answer, "type": "message", "reply_to": number}))

        return frames

    def push(self, n: int, event: dict[str, Any]) -> None:
        """Write an event."""

        def frames() -> Iterable[bytes]:
            self._pen.put(Pushed(conn=self.number, life=self.life.number, n=n))
            yield from self._text(event)

        self._put.send_nowait(frames)

    def tell(self, message: dict[str, Any] | str) -> None:
        """Write anything else."""
        text = message if isinstance(message, str) else json.dumps(message)
        self._put.send_nowait(lambda: [text_frame(text)])

    def close(self, code: int) -> None:
        """Write a close frame behind all else."""

        def frames() -> Iterable[bytes]:
            self._closing = True
            self._pen.put(Closing(conn=self.number, code=code))
            yield frame(Opcode.CLOSE, code.to_bytes(2, "big") + f"c{self.number}".encode())

        self._put.send_nowait(frames)

    def strike(self, fault: str) -> None:
        """Let a fault strike this connection."""
        self._pen.put(Struck(fault=fault, conn=self.number))
        rng = self._dice.random
        self.harmed = self.harmed or fault not in {"close", "goodbye", "migrate", "garbage"}
        if fault == "rst":
            self.stream.reset()
        elif fault == "fin":
            self.stream.cut_after(0, "fin")
            self.tell({"type": "never"})
        elif fault == "close":
            self.close(rng.choice([1000, 1001, 1011, 4000]))
        elif fault == "goodbye":
            self.tell({"type": "goodbye"})
            self._later(rng.uniform(0.1, 2.0), lambda: self.close(1001))
        elif fault == "migrate":
            self.tell({"type": "team_migration_started"})
            self._later(rng.uniform(0.0, 0.3), lambda: self.close(1001))
        elif fault == "slow":
            self.stream.slow(outbound=(rng.randint(1, 60), 0.01))
            self._later(1.0, self.stream.slow)
        elif fault == "cut":
            self.stream.cut_after(rng.randint(0, 300), rng.choice(["reset", "fin", "silence"]))
        elif fault == "garbage":
            self.tell(rng.choice(["not json{", "[1, 2", "", "17", '"text"', "null", "[]"]))
        else:
            self._freeze(fault)

    def thaw(self) -> None:
        """Let everything through again."""
        self._thawing.set()

    def _freeze(self, fault: str) -> None:
        forever = self._dice.random.random() < 0.3
        if fault in {"freeze-in", "freeze-both"}:
            self.stream.freeze_inbound()
        if fault in {"freeze-out", "freeze-both"}:
            self.stream.freeze_outbound()
        if not forever:
            self._later(self._dice.random.uniform(0.1, 4.0), self.thaw)

    async def _write(self, peer: Peer) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._thaw_when_told)
                async for frames in self._queue:
                    if not peer.close_sent:  # RFC 6455, 5.5.1: nothing follows a close frame
                        ready = list(frames())
                        peer.close_sent = self._closing
                        await peer.send_each(ready)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the reader will see it, too

    async def _thaw_when_told(self) -> None:
        while True:
            await self._thawing.wait()
            self._thawing = trio.Event()
            await self.stream.thaw()

    async def _read(self, peer: Peer) -> str:
        peer.answer_close = not self._dice.strikes("deaf-close", 0.2)
        try:
            while (message := await peer.receive()) is not None:
                if message.opcode is Opcode.TEXT:
                    self._take(message)
                elif message.opcode is Opcode.CLOSE:
                    if not peer.answer_close and not peer.close_sent:
                        self._pen.put(Struck(fault="deaf-close", conn=self.number))
                        await trio.sleep(3)  # the client must not wait for it
                    return "closed"
                elif message.opcode is Opcode.BINARY:
                    self._pen.put(Broken(conn=self.number, rule="a binary message"))
        except ProtocolViolation as violation:
            self._pen.put(Broken(conn=self.number, rule=str(violation)))
            return "violation"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return "broken"
        if peer.unread:
            return "cut"
        return "fin"

    def _take(self, message: Message) -> None:
        try:
            sent = json.loads(message.text)
            number, kind = sent["id"], sent["type"]
        except (ValueError, KeyError, TypeError):
            self._pen.put(Broken(conn=self.number, rule=f"not a message of RTM: {message.text[:80]}"))
            return
        if type(number) is not int or number < 1 or number in self.life.ids:
            self._pen.put(Broken(conn=self.number, rule=f"the id {number!r} is no new positive integer"))
        if not self.greeted and kind != "ping":
            self._pen.put(Broken(conn=self.number, rule=f"a {kind} before hello"))
        self.life.ids.add(number)
        if kind == "ping":
            self.tell({**sent, "type": "pong", "reply_to": number})
        elif self.given_up:
            self._seen(number, sent, "ignored")
        elif kind == "message":
            self._decide(number, sent)
        else:
            self._seen(number, sent, "noted")

    def _decide(self, number: int, sent: dict[str, Any]) -> None:
        """Do a message or refuse it, and answer it, or not."""
        dice = self._dice
        if dice.strikes("ack-other", 0.03):
            self._answer(UNKNOWN_ID + number, "other", {"ok": True, "ts": "9.9", "text": "whose?"})
        if dice.strikes("reject", 0.05):
            self._seen(number, sent, "rejected")
            self.life.last = None  # its answer was an error, which is not repeated
            self._answer(number, "error", {"ok": False, "error": REJECTION})
            return
        ts = f"{2_000_000 + number}.{self.number:06d}"
        self._seen(number, sent, "done", ts)
        self.life.last = number, {"channel": sent["channel"], "user": "U0BOT", "text": sent["text"], "ts": ts}
        answer = {"ok": True, "ts": ts, "text": sent["text"]}
        if dice.strikes("ack-drop", 0.05):
            return
        if dice.strikes("ack-late", 0.1):
            self._later(dice.random.choice([0.02, 0.2, 1.5]), lambda: self._answer_late(number, answer))
            return
        for _ in range(2 if dice.strikes("ack-twice", 0.05) else 1):
            self._answer(number, "ok", answer)

    def _answer_late(self, number: int, answer: dict[str, Any]) -> None:
        """Answer over this connection, or over a later one of the same life if it is gone."""
        over = self if self in self.life.connections and not self.given_up else self.life.current
        if over is not None:
            over._answer(number, "ok", answer)

    def _answer(self, number: int, how: str, answer: dict[str, Any]) -> None:
        def frames() -> Iterable[bytes]:
            self._answered(number, how, answer.get("ts", ""))
            yield from self._text({**answer, "reply_to": number})

        self._put.send_nowait(frames)

    def _replay(self) -> tuple[int, dict[str, Any]] | None:
        """Give the answer that is repeated after hello; what else was sent by earlier connections is void from then."""
        earlier = [rtm for rtm in self.life.connections if rtm is not self]
        if self.life.last is None or not all(rtm.harmed for rtm in earlier):
            return None
        if not self._dice.strikes("replay", 0.5):
            return None
        for rtm in earlier:
            rtm.given_up = True
        return self.life.last

    def _text(self, message: dict[str, Any]) -> Iterable[bytes]:
        data = json.dumps(message).encode()
        if self._dice.random.random() < 0.1:
            cuts = sorted(self._dice.random.choices(range(len(data)), k=self._dice.random.randint(1, 3)))
            return fragments(Opcode.TEXT, data, cuts)
        return [frame(Opcode.TEXT, data)]

    def _seen(self, number: int, sent: dict[str, Any], how: str, ts: str = "") -> None:
        key = sent.get("text") or sent.get("key") or sent.get("channel") or ",".join(sent.get("ids", []))
        self._pen.put(
            Seen(conn=self.number, life=self.life.number, id=number, kind=sent["type"], key=str(key), how=how, ts=ts)
        )

    def _answered(self, number: int, how: str, ts: str) -> None:
        self._pen.put(Answered(conn=self.number, life=self.life.number, id=number, how=how, ts=ts))
