"""One WebSocket of the fake Slack, from the upgrade to the end, over the gateway's `Wire`.

Started by `server.py`, one object per TCP connection. The rules are those of `core.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import anyio
from websockets.frames import Close
from websockets.http11 import Request

from rcex_ws.gateway.tcp import TcpStream
from rcex_ws.gateway.wire import Pong, Wire
from rcex_ws.testing.fake_slack.core import Core
from rcex_ws.testing.fake_slack.orders import Failure
from rcex_ws.testing.fake_slack.records import ClientClose

__all__ = ["RtmConnection"]

# Seen at Slack as an event of type error; the code and the text are Slack's.
_EXPIRED = {"type": "error", "error": {"code": 1, "msg": "Socket URL has expired"}}


class _RtmWire(Wire):
    """Add to the gateway's wire what only Slack's fake does."""

    @property
    def client_close(self) -> tuple[Close, bool] | None:
        """The client's close frame, and whether it answers ours."""
        frame = self._protocol.close_rcvd
        return None if frame is None else (frame, not self._protocol.close_rcvd_then_sent)

    async def accept_and_send(self, request: Request, messages: Iterable[str]) -> bool:
        """Answer the upgrade and send messages by one write; return whether the upgrade was a good one.

        One `send` to a socket without Nagle's algorithm, smaller than a segment: nothing can take the 101 and the first
        frame apart, so the client gets both from one read.
        """
        self._protocol.send_response(self._protocol.accept(request))
        if self.is_open:
            for message in messages:
                self._protocol.send_text(message.encode())
        try:
            await self._write_now()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return False
        return self.is_open

    def send_bytes(self, data: bytes) -> None:
        """Queue bytes that need not be a frame."""
        self._out.append(data)
        self._wake.set()


class RtmConnection:
    """Serve one connection.

    Args:
        stream: The transport; closed at the end.
        core: The rules and the state.

    Attributes:
        number: names it, once it is open; the first is 1.
        token: whose it is.
        silent: whether it answers nothing any more.
        presence_ids: the users whose presence the client wants to hear of; None before it said so.
    """

    number = 0
    token = ""
    silent = False
    presence_ids: list[str] | None = None

    def __init__(self, stream: TcpStream, core: Core) -> None:
        self._stream = stream
        self._core = core
        self._wire = _RtmWire(stream, coalesce=True)

    async def serve(self) -> None:
        """Serve until the connection ends; the stream is closed afterwards."""
        try:
            with self._wire.scope:
                request = await self._wire.read_request()
                if request is not None and not await self._refuse(request):
                    await self._converse(request)
        finally:
            if self.number:
                self._note_end()
            await anyio.aclose_forcefully(self._stream)

    # None of these waits.

    def send(self, messages: Iterable[str | bytes]) -> None:
        """Queue messages to be written together; `bytes` go as binary."""
        self._wire.send(messages)

    def send_bytes(self, data: bytes) -> None:
        """Queue bytes that need not be a frame."""
        self._wire.send_bytes(data)

    def ping(self) -> None:
        """Queue a ping of the WebSocket protocol."""
        self._wire.ping()

    def close(self, code: int, reason: str = "") -> None:
        """Queue a close frame."""
        self._wire.close(code, reason)

    def cut(self) -> None:
        """End by RST."""
        self._wire.abort()

    async def _refuse(self, request: Request) -> bool:
        """Answer an upgrade that was ordered to fail; return whether this was one."""
        failure = self._core.orders.take(Failure, "upgrade")
        if failure is None:
            return False
        if failure.status == "rst":
            self._wire.abort()
        elif failure.status == "hang":
            await self._wire.wait_for_end()
        else:
            headers = {"Content-Type": "text/plain", **failure.headers}
            await self._wire.reject(int(failure.status), failure.body.decode(), headers)
        return True

    async def _converse(self, request: Request) -> None:
        token = self._core.redeem(request.path)
        if token is None:
            if await self._wire.accept_and_send(request, [json.dumps(_EXPIRED)]):
                self._wire.close(1000)
                await self._pump()
            return
        greeting = self._core.greeting(token)
        if self._core.options.hello_with_upgrade:
            accepted = await self._wire.accept_and_send(request, greeting)
        else:
            accepted = await self._wire.accept(request)
            self._wire.send(greeting)
        if not accepted:
            return
        self.token = token
        self._core.opened += 1
        self.number = self._core.opened
        self._core.speakers[self.number] = self
        self._core.touch()
        await self._pump()

    async def _pump(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._wire.write_all)
            async for message in self._wire.messages():
                if not self.number:
                    continue  # it was told that its URL is no good
                if isinstance(message, Pong):
                    self._core.on_pong(self)
                else:
                    self._core.on_frame(self, message)
            self._wire.scope.cancel()

    def _note_end(self) -> None:
        end = self._wire.client_close
        if end is None:
            self._core.closes.append(ClientClose(self.number, 1006, "", answered=False))
        else:
            frame, answered = end
            self._core.closes.append(ClientClose(self.number, frame.code, frame.reason, answered))
        del self._core.speakers[self.number]
        self._core.touch()
