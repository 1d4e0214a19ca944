"""One WebSocket of the fake Slack, from the upgrade to the end.

Started by `server.py`, one object per connection; the rules are in `core.py`. Frames are handled directly in the event
loop's callbacks, so without anyio.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from rcex_ws.testing.fake_slack.core import FakeSlackCore
from rcex_ws.testing.fake_slack.faults import Failure
from rcex_ws.testing.fake_slack.records import ClientClose
from rcex_ws.websocket.frames import Binary
from rcex_ws.websocket.server_peer import ServerPeer
from rcex_ws.websocket.socket import Ending

__all__ = ["RtmConnection"]

# Sent by Slack as an event of type error; the code and the text are Slack's.
_EXPIRED = {"type": "error", "error": {"code": 1, "msg": "Socket URL has expired"}}

_LOST = Ending(None, "", by_peer=False)


class RtmConnection:
    """One connection.

    Args:
        peer: the client.
        core: the rules and the state.

    Attributes:
        number: its number, once it is open; the first is 1.
        token: the token that it was opened with.
        silent: whether it answers nothing any more.
        presence_ids: the users whose presence the client has subscribed to; None before its first presence_sub.
    """

    number = 0
    token = ""
    silent = False
    presence_ids: list[str] | None = None

    def __init__(self, peer: ServerPeer, core: FakeSlackCore) -> None:
        self._peer = peer
        self._core = core

    async def serve(self) -> None:
        """Serve until the connection ends."""
        if await self._refuse():
            return
        token = self._core.redeem(self._peer.request.path)
        if token is None:
            await self._peer.accept(messages=[json.dumps(_EXPIRED).encode()])
            self._peer.close(1000)
            await self._peer.read(lambda data, binary: None)
        else:
            await self._run(token)

    # None of these waits.

    def send(self, messages: Iterable[str | bytes]) -> None:
        """Send messages in one write; `bytes` are sent as binary."""
        self._peer.send([one.encode() if isinstance(one, str) else Binary(one) for one in messages])

    def send_bytes(self, data: bytes) -> None:
        """Send raw bytes, which need not be a frame."""
        self._peer.send_bytes(data)

    def ping(self) -> None:
        """Send a ping of the WebSocket protocol."""
        self._peer.ping()

    def silence(self) -> None:
        """Stop answering, even pings of the WebSocket protocol."""
        self.silent = True
        self._peer.ignore_pings()

    def close(self, code: int, reason: str = "") -> None:
        """Close with a close frame."""
        self._peer.close(code, reason)

    def cut(self) -> None:
        """End by a RST."""
        self._peer.abort()

    async def _refuse(self) -> bool:
        """Refuse the upgrade if a fault is pending for it; return whether one was."""
        failure = self._core.faults.take(Failure, "upgrade")
        if failure is None:
            return False
        if failure.status == "rst":
            self._peer.abort()
        elif failure.status == "hang":
            await self._peer.wait_gone()
        else:
            headers = {"Content-Type": "text/plain", **failure.headers}
            await self._peer.refuse(int(failure.status), headers, failure.body)
        return True

    async def _run(self, token: str) -> None:
        self.token = token
        self._core.opened += 1
        self.number = self._core.opened
        self._core.sockets[self.number] = self  # before the client, in another thread, can see that it is open
        ending = _LOST
        try:
            first_frames = self._core.first_frames(token)
            if self._core.options.hello_with_upgrade:
                # In one segment nothing can separate them, so the client gets the 101 and the frames in one read.
                await self._peer.accept(messages=[text.encode() for text in first_frames])
            else:
                await self._peer.accept()
                self.send(first_frames)
            self._core.touch()
            ending = await self._peer.read(
                lambda data, binary: self._core.on_frame(self, data), lambda data: self._core.on_pong(self)
            )
        finally:
            self._record_end(ending)

    def _record_end(self, ending: Ending) -> None:
        code = ending.code if ending.by_peer else None
        if code is None:
            self._core.closes.append(ClientClose(self.number, 1006, "", answered=False))
        else:
            self._core.closes.append(ClientClose(self.number, code, ending.reason, ending.answered))
        del self._core.sockets[self.number]
        self._core.touch()
