"""One attempt to connect and, if it succeeds, the connection that it makes, until that is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import anyio
from msgspec.structs import replace

from rcex_ws.connection.driver import Conversation, Driver
from rcex_ws.connection.heartbeat import Heartbeat
from rcex_ws.connection.link import Link
from rcex_ws.connection.loss import Loss
from rcex_ws.errors import ConnectFailed, RcexError
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.named_log import Log
from rcex_ws.trace import Step, Tracer
from rcex_ws.websocket.opener import Opener
from rcex_ws.websocket.socket import Socket

__all__ = ["Attempt"]


class Attempt:
    """One attempt, and the connection that it makes.

    Args:
        driver: the protocol.
        attempt_timeout: seconds from asking the driver for the endpoint to the end of the handshake.
        close_timeout: see `Link`.
        new_heartbeat: makes the heartbeat monitor, from the event loop's time.
        open_socket: opens a WebSocket.
        on_ready: called when the connection is ready.
        on_lost: called when the connection is lost, ready or not, before `on_lost` of the conversation.
        check_wanted: raises `NotConnected` when the client has been closed meanwhile.
        log, trace: see `Supervisor`.

    Attributes:
        link: the connection; None before the WebSocket is open.
        replaced: whether another attempt has been made responsible for what follows this one.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        attempt_timeout: float,
        close_timeout: float,
        new_heartbeat: Callable[[float], Heartbeat],
        open_socket: Opener,
        on_ready: Callable[[Attempt], None],
        on_lost: Callable[[Attempt, Loss], None],
        check_wanted: Callable[[], None],
        log: Log,
        trace: Tracer,
    ) -> None:
        self.link: Link | None = None
        self.replaced = False
        self._driver = driver
        self._attempt_timeout = attempt_timeout
        self._close_timeout = close_timeout
        self._new_heartbeat = new_heartbeat
        self._open_socket = open_socket
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._check_wanted = check_wanted
        self._log = log
        self._trace = trace
        self._span = trace.begin(Step.ATTEMPT)
        self._scope = anyio.CancelScope()  # of all of `run`; has no deadline after the handshake
        self._ended = Signal()

    @property
    def lived(self) -> float:
        """Seconds since the WebSocket was opened; 0 if it never was."""
        return 0.0 if self.link is None else self.link.lived

    async def run(self) -> Loss | RcexError:
        """Connect, and return how the connection was lost in the end, or why the attempt failed."""
        try:
            return await self._connect()
        except RcexError as error:
            if self.link is not None and self.link.was_ready and self.link.loss is not None:
                return self.link.loss  # the error is a consequence of the loss
            self._span.failed(error)
            return error
        finally:
            self._span.failed()  # if it has not ended, `run` was cancelled
            self._ended.set()

    def cancel(self) -> None:
        """Cancel the attempt, or drop the connection."""
        self._scope.cancel()

    async def wait_ended(self) -> None:
        """Wait until `run` has returned."""
        await self._ended.wait()

    async def _connect(self) -> Loss:
        with self._scope as scope:
            scope.deadline = anyio.current_time() + self._attempt_timeout
            with self._trace.begin(Step.TOKEN):
                endpoint = await self._driver.endpoint()
            self._check_wanted()  # the driver may have run code of the application
            async with self._open_socket(replace(endpoint, trace=self._trace)) as socket:
                self.link = link = self._new_link(socket)
                conversation = self._driver.conversation(link)
                await link.run(conversation, partial(self._become_ready, link, conversation))
        if scope.cancelled_caught:
            self._check_wanted()
            raise ConnectFailed(f"no connection within {self._attempt_timeout:g} s", upgrade_sent=True)
        loss, was_ready = (None, False) if self.link is None else (self.link.loss, self.link.was_ready)
        if loss is None or not was_ready:
            raise ConnectFailed(f"the connection was lost before it was ready: {loss}", upgrade_sent=True)
        return loss

    async def _become_ready(self, link: Link, conversation: Conversation) -> None:
        with self._trace.begin(Step.HANDSHAKE):
            await conversation.handshake()
        self._scope.deadline = math.inf
        await conversation.prepare()
        self._check_wanted()
        if link.loss is not None:  # it was in the same read, and this task has not been cancelled yet
            return
        link.was_ready = True
        self._span.done()
        self._on_ready(self)
        await conversation.after_ready()

    def _new_link(self, socket: Socket) -> Link:
        clock = loop_clock()
        return Link(
            socket,
            clock=clock,
            heartbeat=self._new_heartbeat(clock()),
            on_lost=partial(self._on_lost, self),
            close_timeout=self._close_timeout,
            log=self._log,
            trace=self._trace,
        )
