"""One WebSocket of the server: frames in, frames out, and the faults that strike it.

The model decides what is written; here it waits in a queue, is under way for a moment, and may never arrive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import trio

from oracle import journal as j
from oracle.calls import SUBSCRIPTION, Answer
from oracle.faults import Refusal
from oracle.model import Frame, Session
from oracle.wire import FaultyStream, HTTPConnection, Message, Opcode, Peer, ProtocolViolation, Request, text_frame

if TYPE_CHECKING:
    from oracle.server import Server

__all__ = ["Talk"]

PING_EVERY = 30.0
PONG_WITHIN = 10.0
# A client that hears nothing gives up long before that; then its end is closed and so may ours be.
LINGER = 400.0
GONE = (trio.BrokenResourceError, trio.ClosedResourceError, ProtocolViolation)


class Talk:
    """Serve one client from the upgrade to the end.

    Args:
        server: whose model, plan and journal are used.
        number: names the connection.
        stream: of the connection.
    """

    def __init__(self, server: Server, number: int, stream: FaultyStream) -> None:
        self.number = number
        self.stream = stream
        self.session: Session | None = None
        self.known_lost = False
        self._server = server
        self._model = server.model
        self._plan = server.plan
        self._rng = server.plan.dice(f"connection {number}")
        self._queue: list[bytes] = []
        self._filled = trio.Event()
        self._ended = trio.Event()
        self._opened_at = self._heard_at = self._data_at = trio.current_time()
        self._deaf = False
        self._mute = False
        self._peer: Peer | None = None
        self._striking = False
        self._changes = 0
        self._replayed = trio.Event()

    async def run(self, http: HTTPConnection, request: Request, wsc: str | None, login: Any) -> None:
        """Open the WebSocket and serve it."""
        if self._plan.strikes("details-absent"):
            self._struck("details-absent")
            peer = await http.upgrade(request)
            if self._rng.random() < 0.5:
                # The server believes that it has told everything, replay included; nothing arrives.
                self.stream.freeze_outbound(drop=True)
                self._deaf = self._mute = True
                self._connect(login, wsc)
            await self._serve(peer)
            return
        if self._plan.strikes("details-late"):
            self._struck("details-late")
            peer = await http.upgrade(request)
            self._server.start(self._connect_late, login, wsc)
            await self._serve(peer)
            return
        self._connect(login, wsc)
        first = b""
        if self._rng.random() < 0.5:  # the replay may come in the same segment as the 101
            first, self._queue = b"".join(self._queue), []
        await self._serve(await http.upgrade(request, first=first))

    def write(self, frame: Frame) -> None:
        """Put a frame in the queue."""
        self._data_at = trio.current_time()
        self._queue.append(text_frame(json.dumps(frame, separators=(",", ":"))))
        self._filled.set()

    async def strike(self, kind: str) -> None:
        """Let a fault of the plan strike this connection."""
        # While bytes are missing in the middle of a stream, or late, nothing else may come out of it.
        if self._striking or (self._changes and "change-cut" not in self._plan.kinds):
            return
        self._striking = True
        try:
            await self._strike(kind)
        finally:
            self._striking = False

    async def _strike(self, kind: str) -> None:
        self._struck(kind)
        rng = self._plan.dice(kind)
        if kind in {"rst", "fin"}:
            if rng.random() < 0.5:  # it has been dead for a while before anybody hears of it
                self._deaf = self._mute = True
                self.stream.freeze_outbound(drop=True)
                await self._sleep(rng.uniform(0.1, 25.0))
            await self._end(kind)
        elif kind == "close":
            self._lost("close", by_plan=True)
            await self._say_close(rng.choice((1000, 1001, 1006 - 3, 1011, 1012, 4001)))
        elif kind == "error":
            code = rng.choice(("WSG-902", "WSG-903", "WSG-911"))
            await self._error_and_end(code, "by plan")
        elif kind.startswith("freeze"):
            drop = rng.random() < 0.5
            if kind != "freeze-out":
                self.stream.freeze_inbound(drop=drop)
            if kind != "freeze-in":
                self.stream.freeze_outbound(drop=drop)
                self._deaf = drop
                self._mute = True
            await self._sleep(rng.choice((5.0, 20.0, 60.0, 150.0)))
            if drop:  # bytes are missing in the middle of the stream, so it can only end
                await self._end("rst")
            else:
                self._mute = False
                with suppress(*GONE):
                    await self.stream.thaw()
        elif kind == "slow":
            pace = (rng.choice((1, 7, 60)), rng.choice((0.05, 0.3)))
            self.stream.slow(outbound=pace, inbound=pace if rng.random() < 0.3 else None)
            await self._sleep(rng.choice((10.0, 60.0)))
            self.stream.slow()

    async def cut(self) -> None:
        """End at once, as by the server's death."""
        self._lost("restart")
        self.stream.reset()
        self._ended.set()

    async def replaced(self) -> None:
        """End, because a newer connection took the session; the model knows."""
        self.known_lost = True
        with trio.move_on_after(5):
            await self._say_close(1000)
        self._ended.set()

    # How a connection begins.

    def _connect(self, login: Any, wsc: str | None) -> None:
        opened = self._model.connect(self.number, login, wsc, trio.current_time())
        if isinstance(opened, list):
            self.write(opened)
            self._server.start(self._after_error)
            return
        self.session, details, old = opened
        if old:
            self._server.replace(int(old))
        self.write(details)
        if self.session.buffer and self._plan.strikes("replay-slow"):
            self._struck("replay-slow")
            self._server.start(self._replay_slowly, self.session)
            return
        self._replayed.set()
        before = sum(map(len, self._queue))
        self._model.replay(self.session)
        replay = sum(map(len, self._queue)) - before
        if replay and self._plan.strikes("replay-cut"):
            self._struck("replay-cut")
            self._deaf = True
            self.stream.cut_after(before + 200 + self._rng.randrange(replay), self._rng.choice(("reset", "fin")))

    async def _replay_slowly(self, session: Session) -> None:
        """Write the replay piece by piece; what happens meanwhile comes in between."""
        dice = self._plan.dice("replay-slow")
        end_after = self._rng.randint(1, len(session.buffer)) if self._plan.strikes("replay-end") else -1
        number = 0
        while session.conn == self.number and self._model.replay_one(session):
            number += 1
            if dice.random() < 0.3:
                self._server.make_one(session)
            if number == end_after:
                self._struck("replay-end")
                self._server.start(self.strike, dice.choice(("close", "error")))
            await trio.sleep(self._plan.paced(dice.choice((0.0, 0.01, 0.3))))
        self._replayed.set()

    async def _connect_late(self, login: Any, wsc: str | None) -> None:
        await trio.sleep(self._plan.paced(self._plan.dice("details-late").choice((1.0, 5.0, 15.0))))
        if not self.known_lost:
            self._connect(login, wsc)

    async def _after_error(self) -> None:
        await trio.sleep(0.1)
        await self._say_close(1000)

    # The life of a connection.

    async def _serve(self, peer: Peer) -> None:
        self._peer = peer
        peer.answer_close = False  # it is answered below, after what was written before
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._writer, peer)
            nursery.start_soon(self._watch)
            nursery.start_soon(self._reader, peer, nursery)
            await self._ended.wait()
            nursery.cancel_scope.cancel()
        if not self._deaf or not self._plan.calm:
            with trio.move_on_after(5):
                await self.stream.aclose()

    async def _reader(self, peer: Peer, nursery: trio.Nursery) -> None:
        how = "fin"
        try:
            while (message := await peer.receive()) is not None:
                self._heard_at = trio.current_time()
                if message.opcode is Opcode.CLOSE:
                    how = f"client closed {peer.close_code}"
                    break
                if not message.opcode.is_control:
                    self._data_at = self._heard_at
                    await trio.sleep(self._server.latency)
                    self._message(message, nursery)
        except trio.BrokenResourceError:
            how = "rst"
        except ProtocolViolation as violation:
            how = f"violation: {violation}"
        except trio.ClosedResourceError:
            how = "closed here"
        self._lost(how)
        await self._say_close(peer.close_code, wait=False)
        self._ended.set()

    async def _writer(self, peer: Peer) -> None:
        try:
            while True:
                await self._filled.wait()
                await trio.sleep(self._server.latency)
                self._filled = trio.Event()
                frames, self._queue = self._queue, []
                if frames:
                    await peer.send(b"".join(frames))
        except GONE:
            pass  # the reader hears of it, too

    async def _watch(self) -> None:
        """Ping; end what is dead, idle or old."""
        while True:
            await trio.sleep(self._plan.paced(PING_EVERY))
            asked = trio.current_time()
            self._server.start(self._ping)
            await trio.sleep(self._plan.paced(PONG_WITHIN))
            now = trio.current_time()
            if self._heard_at < asked:
                self._lost("ping")
                if not self._mute:
                    await self._end("rst")
                    return
                # What the network swallows, the client never hears of: neither FIN nor RST.
                await self._sleep(LINGER)
                await self._end("rst")
            elif self._plan.calm:
                continue
            elif now - self._data_at > self._plan.idle_timeout:
                await self._error_and_end("WSG-902", "Idle timeout expired")
            elif now - self._opened_at > self._plan.absolute_timeout:
                await self._error_and_end("WSG-903", "Absolute timeout expired")

    async def _ping(self) -> None:
        with suppress(*GONE), trio.move_on_after(self._plan.paced(PONG_WITHIN)):
            if self._peer is not None:
                await self._peer.ping()

    # Requests.

    def _message(self, message: Message, nursery: trio.Nursery) -> None:
        try:
            parts = json.loads(message.data)
            meta = parts[0]
            kind = str(meta["type"])
        except (ValueError, LookupError, TypeError):
            self._server.put(j.Heard("unreadable", self.number, "websocket", answered=False))
            return
        session = self.session
        if session is None or self.known_lost:
            self._server.put(j.Heard(f"{kind} too early or late", self.number, "websocket", answered=False))
            return
        if kind == "Heartbeat":
            self._server.put(j.Heard("heartbeat", self.number, "websocket"))
            nursery.start_soon(self._beat, session, meta.get("messageId"))
        elif kind == "ClientRequest":
            self._request(session, meta, parts[1] if len(parts) > 1 else None, nursery)

    async def _beat(self, session: Session, message_id: object) -> None:
        await self._replayed.wait()  # an answer says that all before it was written
        self.write([self._model.with_wsc(session, {"type": "Heartbeat", "messageId": message_id})])

    def _request(self, session: Session, meta: Mapping[str, Any], body: object, nursery: trio.Nursery) -> None:
        method, (path, _, text) = str(meta["method"]), str(meta["path"]).partition("?")
        query = dict(parse_qsl(text)) | {key: str(value) for key, value in (meta.get("query") or {}).items()}
        own = path.startswith(SUBSCRIPTION)
        call = query.get("call") or (str(body.get("call", "")) if isinstance(body, dict) else "")
        self._server.put(j.Heard(f"{method} {path}", self.number, "websocket", call))
        if self._plan.strikes("request-cut"):
            self._struck("request-cut", f"{method} {path}")
            self._server.start(self._end, self._plan.dice("request-cut").choice(("rst", "fin")))
            return
        refusal = self._plan.refusal("subscribe" if own and method != "GET" else "call")
        if own and method == "POST" and trio.current_time() < self._model.refuses_until and not self._plan.calm:
            refusal = Refusal(str(self._model.refuses_with))
        if refusal is not None:
            self._struck(f"refuse-{'subscribe' if own else 'call'}", refusal.what)
            status, answer, headers = refused(refusal)
        elif own:
            now = trio.current_time()
            self._server.stir()
            status, answer, headers = self._server.calls.subscription(
                self._model, session, method, unquote(path), body, now
            )
        else:
            status, answer, headers = self._server.calls.application(method, path, query, body, "websocket")
        head = {
            "type": "ClientRequest",
            "messageId": meta.get("messageId"),
            "status": status,
            "headers": {"Content-Type": "application/json", **headers},
        }
        self._changes += own
        nursery.start_soon(self._answer, session, head, answer, own)

    async def _answer(self, session: Session, head: dict[str, Any], answer: dict[str, Any] | None, own: bool) -> None:
        try:
            await self._answer_it(session, head, answer)
        finally:
            self._changes -= own

    async def _answer_it(self, session: Session, head: dict[str, Any], answer: dict[str, Any] | None) -> None:
        if self._plan.strikes("answer-cut"):
            self._struck("answer-cut")
            self._server.start(self._end, self._plan.dice("answer-cut").choice(("rst", "fin")))
            return
        await self._replayed.wait()
        if self._plan.strikes("lost-answer"):
            self._struck("lost-answer")
            return
        delay = self._rng.choice((0.0, 0.01, 0.3))
        if self._plan.strikes("late-answer"):
            self._struck("late-answer")
            delay = self._plan.dice("late-answer").choice((3.0, 20.0, 100.0))
        await trio.sleep(self._plan.paced(delay))
        frame = [self._model.with_wsc(session, head), *([] if answer is None else [answer])]
        self.write(frame)
        if self._plan.strikes("doubled-answer"):
            self._struck("doubled-answer")
            self.write(frame)

    # How a connection ends.

    async def _error_and_end(self, code: str, message: str) -> None:
        self.write(self._model.error(408, code, message))
        self._lost(code, by_plan=True)
        await trio.sleep(self._server.latency * 2)
        await self._say_close(1000)

    async def _end(self, how: str) -> None:
        self._lost(how, by_plan=True)
        if how == "fin":
            with suppress(*GONE):
                await self.stream.aclose()
        else:
            self.stream.reset()
        self._ended.set()

    async def _say_close(self, code: int | None, *, wait: bool = True) -> None:
        """Close in order; the client answers and hangs up, unless it has said so first."""
        if self._peer is None:
            self.stream.reset()
            return
        with suppress(*GONE), trio.move_on_after(5):
            # A server that closes in order has written all before it; a close frame overtakes nothing.
            frames, self._queue = self._queue, []
            if frames:
                await self._peer.send(b"".join(frames))
            await self._peer.close(code)
            if wait:
                await self._ended.wait()

    async def _sleep(self, seconds: float) -> None:
        """Sleep at the pace of the run, but not beyond the calm or this connection's end."""
        with trio.move_on_after(self._plan.paced(seconds)):
            await self._server.calmed.wait()

    def _lost(self, how: str, *, by_plan: bool = False) -> None:
        if not self.known_lost:
            self.known_lost = True
            self._replayed.set()
            self._model.lost(self.number, how, trio.current_time(), by_plan=by_plan)
            self._server.lost()
            if self.session is not None and self._plan.strikes("replay-brim"):
                self._struck("replay-brim")
                self._server.start(self._server.fill, self.session)

    def _struck(self, kind: str, detail: str = "") -> None:
        if kind not in {"refuse-call", "doubled-answer", "lost-answer", "late-answer"}:
            self._server.stir()
        self._server.put(j.Struck(kind, "connection", self.number, detail))


def refused(refusal: Refusal) -> Answer:
    """Build the answer of a refusal that has a status."""
    status = int(refusal.what)
    code = {401: "OAU-213", 403: "SUB-408", 429: "CMN-301"}.get(status, "CMN-211")
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    return (
        status,
        {"errorCode": code, "message": "by plan", "errors": [{"errorCode": code, "message": "by plan"}]},
        headers,
    )
