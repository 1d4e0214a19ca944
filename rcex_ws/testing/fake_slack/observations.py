"""What can be seen of the clients of the fake Slack, at once or by waiting for it.

The face of the records in `core.py`, which the fake's own thread writes; `FakeSlack` is one of these.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal

from rcex_ws.errors import NotConnected
from rcex_ws.gateway.shapes import as_object
from rcex_ws.options import Count, Name, Seconds, checked
from rcex_ws.testing.fake_slack.core import FakeSlackCore
from rcex_ws.testing.fake_slack.records import Accepted, ClientClose, HttpCall, Received

__all__ = ["Observations"]


class Observations:
    """Show what was seen; still there after the end of the fake Slack. `wait_...` serve asyncio and trio."""

    _core: FakeSlackCore
    _portal: BlockingPortal | None = None

    @property
    def calls(self) -> list[HttpCall]:
        """The calls of the Web API."""
        return list(self._core.calls)

    @property
    def frames(self) -> list[Received]:
        """The frames from clients, the refused ones too."""
        return list(self._core.frames)

    @property
    def accepted(self) -> list[Accepted]:
        """The messages that came over WebSockets and were taken."""
        return list(self._core.accepted)

    @property
    def closes(self) -> list[ClientClose]:
        """The WebSockets that have ended, and how the client's side of it looked."""
        return list(self._core.closes)

    @property
    def pongs(self) -> list[int]:
        """The numbers of the connections that answered a ping of the WebSocket protocol, once for each answer."""
        return list(self._core.pongs)

    @property
    def violations(self) -> list[str]:
        """What clients sent against the rules: an id twice, a frame that is no JSON object."""
        return list(self._core.violations)

    @property
    def connections(self) -> list[int]:
        """The numbers of the WebSockets that are open."""
        return list(self._core.sockets)

    @property
    def connections_total(self) -> int:
        """How many WebSockets there have been."""
        return self._core.opened

    @property
    def presence_subscriptions(self) -> dict[int, list[str]]:
        """The user ids of the last presence_sub of each open WebSocket that sent one."""
        sockets = list(self._core.sockets.values())
        return {socket.number: socket.presence_ids for socket in sockets if socket.presence_ids is not None}

    @property
    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise NotConnected("the fake Slack is not running; use it under `with` or `async with`")
        return self._portal

    # Waiting

    @checked
    async def wait_for(self, condition: Callable[[], bool], what: Name, *, timeout: Seconds = 5.0) -> None:
        """Wait until a condition on what was seen holds.

        Args:
            condition: asked after each change, in the thread of the fake Slack.
            what: what it waits for, for the error.
            timeout: seconds.

        Raises:
            TimeoutError: it did not come about.
        """

        async def wait() -> None:
            with anyio.move_on_after(timeout):
                while not condition():
                    await self._core.changed.wait()
                return
            core = self._core
            state = f"open: {list(core.sockets)}, calls: {core.calls}, frames: {core.frames}, closes: {core.closes}"
            raise TimeoutError(f"no {what} within {timeout} s; {state}")

        waiting = self._running.start_task_soon(wait)
        try:
            await anyio.to_thread.run_sync(waiting.result, abandon_on_cancel=True)
        finally:
            waiting.cancel()  # when it was not, the caller was

    @checked
    async def wait_for_connection(self, number: Count = 1, *, timeout: Seconds = 5.0) -> None:
        """Wait until the WebSocket with this number has been opened; the first is 1."""
        await self.wait_for(lambda: self._core.opened >= number, f"connection {number}", timeout=timeout)

    @checked
    async def wait_for_close(self, number: Count = 1, *, timeout: Seconds = 5.0) -> ClientClose:
        """Wait until the WebSocket with this number has ended; tell how."""
        found: list[ClientClose] = []

        def ended() -> bool:
            found.extend(close for close in self._core.closes if close.connection == number)
            return bool(found)

        await self.wait_for(ended, f"end of connection {number}", timeout=timeout)
        return found[0]

    @checked
    async def wait_for_message(self, text: str, *, timeout: Seconds = 5.0) -> Accepted:
        """Wait until a message with this text was taken."""
        found: list[Accepted] = []

        def taken() -> bool:
            found.extend(message for message in self._core.accepted if message.text == text)
            return bool(found)

        await self.wait_for(taken, f"message {text!r}", timeout=timeout)
        return found[0]

    @checked
    async def wait_for_frame(self, kind: str, *, connection: Count | None = None, timeout: Seconds = 5.0) -> Received:
        """Wait until a client sent a frame of this type, on one connection or on any."""
        found: list[Received] = []

        def is_it(frame: Received) -> bool:
            return (as_object(frame.data) or {}).get("type") == kind and connection in (None, frame.connection)

        def received() -> bool:
            found.extend(frame for frame in self._core.frames if is_it(frame))
            return bool(found)

        await self.wait_for(received, f"frame of type {kind!r}", timeout=timeout)
        return found[0]
