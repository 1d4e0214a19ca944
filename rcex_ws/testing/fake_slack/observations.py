"""The records of what clients of the fake Slack have done, and waiting for more.

The base class of `FakeSlack`; reads the records in `core.py`, which the thread of the fake writes.
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
    """The records, also available after the fake Slack has stopped. `wait_...` work on asyncio and trio."""

    _core: FakeSlackCore
    _portal: BlockingPortal | None = None

    @property
    def calls(self) -> list[HttpCall]:
        """The calls of the Web API."""
        return list(self._core.calls)

    @property
    def frames(self) -> list[Received]:
        """The frames from clients, including rejected ones."""
        return list(self._core.frames)

    @property
    def accepted(self) -> list[Accepted]:
        """The messages that were received over WebSockets and accepted."""
        return list(self._core.accepted)

    @property
    def closes(self) -> list[ClientClose]:
        """The ended WebSockets, with the client's side of the close."""
        return list(self._core.closes)

    @property
    def pongs(self) -> list[int]:
        """The connection numbers of all pongs of the WebSocket protocol, one per pong."""
        return list(self._core.pongs)

    @property
    def violations(self) -> list[str]:
        """Violations of the protocol by clients: a duplicate id, a frame that is not a JSON object."""
        return list(self._core.violations)

    @property
    def connections(self) -> list[int]:
        """The numbers of the open WebSockets."""
        return list(self._core.sockets)

    @property
    def connections_total(self) -> int:
        """The number of WebSockets opened so far."""
        return self._core.opened

    @property
    def presence_subscriptions(self) -> dict[int, list[str]]:
        """The user ids in the last presence_sub of each open WebSocket that has sent one."""
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
        """Wait until a condition on the records is true.

        Args:
            condition: called after each change, in the thread of the fake Slack.
            what: a name for the condition, used in the error message.
            timeout: the longest time to wait, in seconds.

        Raises:
            TimeoutError: the condition did not become true in time.
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
            waiting.cancel()  # unfinished only if the caller was cancelled

    @checked
    async def wait_for_connection(self, number: Count = 1, *, timeout: Seconds = 5.0) -> None:
        """Wait until the WebSocket with this number has been opened; the first is 1."""
        await self.wait_for(lambda: self._core.opened >= number, f"connection {number}", timeout=timeout)

    @checked
    async def wait_for_close(self, number: Count = 1, *, timeout: Seconds = 5.0) -> ClientClose:
        """Wait until the WebSocket with this number has ended; return how."""
        found: list[ClientClose] = []

        def ended() -> bool:
            found.extend(close for close in self._core.closes if close.connection == number)
            return bool(found)

        await self.wait_for(ended, f"end of connection {number}", timeout=timeout)
        return found[0]

    @checked
    async def wait_for_message(self, text: str, *, timeout: Seconds = 5.0) -> Accepted:
        """Wait until a message with this text was accepted."""
        found: list[Accepted] = []

        def taken() -> bool:
            found.extend(message for message in self._core.accepted if message.text == text)
            return bool(found)

        await self.wait_for(taken, f"message {text!r}", timeout=timeout)
        return found[0]

    @checked
    async def wait_for_frame(self, kind: str, *, connection: Count | None = None, timeout: Seconds = 5.0) -> Received:
        """Wait until a client has sent a frame of this type, on one connection or on any."""
        found: list[Received] = []

        def is_it(frame: Received) -> bool:
            return (as_object(frame.data) or {}).get("type") == kind and connection in (None, frame.connection)

        def received() -> bool:
            found.extend(frame for frame in self._core.frames if is_it(frame))
            return bool(found)

        await self.wait_for(received, f"frame of type {kind!r}", timeout=timeout)
        return found[0]
