"""One WebSocket of the gateway: ConnectionDetails, requests, deadlines, and the loss of the connection.

Started by `app.py`, one object per connection. Messages go through a `ServerPeer`, over TCP or over memory in virtual
time; `upgrade.py` accepts the upgrade, `front.py` answers requests, the rules are in `sessions.py` and `lifetime.py`.
Messages are handled directly in the event loop's callbacks, so that a loss is recorded without delay; what needs a task
is queued as an errand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from rcex_ws.gateway.call import RestAnswer, RestCall, error_answer
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.faults import AnswerFault, RecoveryFault, RefusalFault
from rcex_ws.gateway.frames import connection_details, error_frame, parse
from rcex_ws.gateway.lifetime import Due, Lifetime
from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.outgoing import OutgoingFrames
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.sessions import MalformedWsc, Opening, ServerFrame, ServerSession
from rcex_ws.gateway.upgrade import Admission, admit
from rcex_ws.loop import Errands, Signal
from rcex_ws.loop import now as loop_now
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["GatewayConnection"]

Start = Callable[[dict[str, Any], list[Any]], None]
"""Starts answering a request, given its meta and its body if it has one."""

_FRAME_GAP = 0.005
"""Seconds between two writes if frames must not share a segment."""
_END_CODES = {Due.IDLE: ("WSG-902", "Idle timeout expired"), Due.TOO_OLD: ("WSG-903", "Absolute timeout expired")}


class GatewayConnection:
    """One connection, from its upgrade request to its end.

    Args:
        number: identifies it in the log.
        node: the number of the node that it came by.
        peer: the client.
        core: the rules and the state.
        answer: answers a request (`Front.answer`).
    """

    def __init__(
        self,
        number: int,
        node: int,
        peer: ServerPeer,
        core: GatewayCore,
        answer: Callable[[RestCall], Awaitable[RestAnswer | None]],
    ) -> None:
        self.id = number
        self.node = node
        self._peer = peer
        self._core = core
        self._answer = answer
        self._session: ServerSession | None = None
        self._lifetime = Lifetime(core.options, core.clock.now())
        self._recheck = Signal()
        self._outgoing = OutgoingFrames(number, peer, core, lambda: self.session, self._on_traffic)
        self._active = 0
        self._ended = False

    @property
    def session(self) -> ServerSession:
        """The session of the connection; there is one once ConnectionDetails is sent."""
        if self._session is None:
            raise RuntimeError("the connection has no session yet")
        return self._session

    @property
    def is_live(self) -> bool:
        """Whether it has a session and has not ended."""
        return self._session is not None and not self._ended

    async def serve(self) -> None:
        """Serve until the connection ends."""
        try:
            admission = await admit(self.id, self._peer, self._core)
            if admission is not None:
                await self._run(admission)
        finally:
            self._end("connection closed")

    # Called by the rules and the faults. None of these waits.

    def deliver(self, frame: ServerFrame) -> None:
        """Queue a frame."""
        self._outgoing.frame(frame)

    def supersede(self) -> None:
        """Abort the connection, because a newer one has taken over the session."""
        self._core.journal.add("superseded", connection=self.id)
        self._ended = True
        self._peer.abort()

    def cut(self, code: int | None, reason: str) -> None:
        """End the connection, by a RST or, with a code, by a close frame."""
        self._core.journal.add("cut", connection=self.id, code=code)
        self._end("cut")
        if code is None:
            self._peer.abort()
        else:
            self._peer.close(code, reason)

    def drop(self) -> None:
        """End the connection by a RST, also one that is still being opened, because its node is lost."""
        if self.is_live:
            self._end("node lost")
        self._peer.abort()

    def error(self, code: str, message: str, status: int = 400) -> None:
        """Send an Error frame, then close."""
        self._core.journal.add("error", connection=self.id, code=code)
        self.deliver(error_frame(code, message, status))
        self._end(code)
        self._peer.close(1000)

    def recheck_login(self) -> None:
        """Recompute the deadlines, because the login may have ended or been renewed."""
        self._recheck.set()

    def freeze(self) -> None:
        """Stop reading and writing; the socket stays open."""
        self._peer.freeze()

    def thaw(self) -> None:
        """Resume reading and writing; abort the connection if it was considered lost meanwhile."""
        self._peer.thaw()
        if self._ended and self._peer.is_open:
            self._peer.abort()

    def send_raw(self, messages: list[str | bytes], *, binary: bool) -> None:
        """Queue arbitrary messages, to be written together."""
        self._outgoing.raw(messages, binary=binary)

    # Opening

    async def _run(self, admission: Admission) -> None:
        """Open the session, then serve messages until the connection ends."""
        if not self._core.options.coalesce:
            self._peer.pace(_FRAME_GAP)
        errands = Errands()

        def start(meta: dict[str, Any], body: list[Any]) -> None:
            errands.put(lambda: group.start_soon(self._handle, meta, body))

        async with anyio.create_task_group() as group:
            if await self._open_session(admission.login, admission.wsc):
                group.start_soon(self._keep_deadlines)
            group.start_soon(errands.run)
            await self._peer.read(
                lambda data, _: self._on_message(data, start),
                lambda _: self._lifetime.on_pong(),
                lambda: self._end("connection closed"),
            )
            await self._peer.wait_gone()  # requests from before the close frame are still processed
            group.cancel_scope.cancel()

    async def _open_session(self, login: OAuthSession, wsc: str | None) -> bool:
        """Send ConnectionDetails and the buffered notifications; return False if the connection got no session."""
        delay = self._core.faults.take(AnswerFault, "details")
        if delay is not None:
            await anyio.sleep(delay.delay)
        refusal = self._core.faults.take(RefusalFault, "details")
        if refusal is not None:
            self._core.journal.add("details_refused", connection=self.id, status=refusal.status)
            if refusal.status == "rst":
                self._peer.abort()
            elif refusal.status != "hang":
                problem = refusal.problem()
                self._reject(error_frame(problem.code, problem.message, problem.status))
            return False
        failure = self._core.faults.take(RecoveryFault, "recovery") if wsc is not None else None
        try:
            opening = self._core.sessions.open(login, self, wsc, failure.code if failure else None)
        except MalformedWsc:
            self._core.journal.add("recovery_failed", connection=self.id, code="WSG-400")
            self._reject(error_frame("WSG-400", "Malformed WebSocket session context token", 400))
            return False
        self._begin(opening, recovering=wsc is not None)
        return True

    def _reject(self, frame: ServerFrame) -> None:
        self._outgoing.refusal(frame)
        self._peer.close(1000)

    def _begin(self, opening: Opening, *, recovering: bool) -> None:
        journal = self._core.journal
        self._session = opening.session
        self._lifetime = Lifetime(self._core.options, self._core.clock.now())
        login = opening.session.oauth.id
        journal.add("connect", connection=self.id, node=self.node, login=login, recovering=recovering)
        code = opening.recovery.get("recoveryErrorCode")
        if code is not None:
            journal.add("recovery_failed", connection=self.id, code=code)
        elif recovering:
            journal.add("recovered", connection=self.id, replayed=len(opening.replay))
        for frame in opening.given_up:
            self._core.log_notification(frame, "dropped")
        details = connection_details(opening, self._core.options, self._core.clock.wall())
        self._outgoing.details(details, opening.replay)
        for frame in opening.replay:
            self._core.log_notification(frame, "sent", connection=self.id, replay=True)

    # While open

    def _on_message(self, message: bytes, start: Start) -> None:
        """Handle one message, in a callback of the event loop."""
        if not self.is_live:
            return
        self._on_traffic()
        self._core.tap.show(self.id, "in", [message])
        try:
            meta, body = parse(message)
        except ValueError:
            # RingCentral's reaction to such a frame is not documented.
            self.error("WSG-400", "Malformed message")
            return
        kind = str(meta.get("type"))
        self._core.journal.add("frame", connection=self.id, type=kind)
        if kind == "Heartbeat":
            self.deliver(ServerFrame({"type": "Heartbeat", "messageId": meta.get("messageId")}, None))
        elif kind == "ClientRequest" and body[:1] == [None]:
            self.deliver(error_frame("WSG-808", "The body of a request is not null", 400, meta.get("messageId")))
        elif kind == "ClientRequest":
            self._on_request(meta, body, start)

    def _on_request(self, meta: dict[str, Any], body: list[Any], start: Start) -> None:
        limit = self._core.options.max_active_requests
        if self._active >= limit:
            # RingCentral's reaction to one request too many is not documented.
            self._core.journal.add("overflow", connection=self.id, active=self._active)
            problem = Problem(429, "CMN-301", f"More than maxActiveRequests ({limit}) requests in flight")
            self._outgoing.answer(meta, error_answer(problem))
            return
        self._active += 1
        start(meta, body)

    async def _handle(self, meta: dict[str, Any], body: list[Any]) -> None:
        """Answer one request, in its own task."""
        try:
            answer = await self._answer(RestCall.from_frame(meta, body, self))
        except ConnectionResetError:
            self.cut(None, "")
            return
        finally:
            self._active -= 1
        if answer is not None:
            self._outgoing.answer(meta, answer)

    def _on_traffic(self) -> None:
        self._lifetime.on_message(self._core.clock.now())

    async def _keep_deadlines(self) -> None:
        """Act on each deadline: ping, WSG-902, WSG-903, a missing pong, the end of the login."""
        while not self._ended:
            self._recheck = Signal()
            wake_at = min(self._lifetime.next_deadline(), self._logged_out_at())
            await self._recheck.wait(until=loop_now() + wake_at - self._core.clock.now())
            now = self._core.clock.now()
            if not self._ended and now >= self._logged_out_at():
                self._core.journal.add("logged_out", connection=self.id)
                self._end("logged out")
                self._peer.close(1008, "OAuth session ended")
            if not self._ended:
                self._act(self._lifetime.due(now))

    def _logged_out_at(self) -> float:
        return self.session.oauth.sockets_end_at(self._core.options.logout_grace)

    def _act(self, due: Due) -> None:
        if due is Due.PING:
            self._peer.ping(b"gateway")
        elif due is Due.NO_PONG:
            self._end("no pong")
            if not self._peer.is_frozen:
                self._peer.abort()
        elif due in _END_CODES:
            self.error(*_END_CODES[due], status=408)

    def _end(self, reason: str) -> None:
        """Record the loss, once; from then on notifications go to the buffer of the session."""
        if self._ended:
            return
        self._ended = True
        if self._core.sessions.lose(self):
            self._core.journal.add("lost", connection=self.id, reason=reason)
