"""One connection, from the attempt to open it until it is lost."""

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
from rcex_ws.errors import ConnectFailed, ConnectTimeout, NotConnected, RcexError
from rcex_ws.loop import Signal, loop_clock
from rcex_ws.named_log import Log
from rcex_ws.trace import Step, Tracer
from rcex_ws.websocket.opener import Opener
from rcex_ws.websocket.socket import Socket

__all__ = ["Connection"]


class Connection:
    """One connection: first the attempt to open it; if that succeeds, all of its life.

    Args:
        driver: the protocol.
        attempt_timeout: seconds from asking the driver for the endpoint to the end of the handshake.
        close_timeout: see `Link`.
        new_monitor: makes the heartbeat monitor, from the event loop's time.
        open_socket: opens a WebSocket.
        report_ready: called when it is ready.
        report_lost: called when it is lost, ready or not, before `Conversation.on_lost`; by whatever calls `Link.lose`,
            in any task or in the reader.
        report_ended: called at the end of `run_until_lost`.
        is_wanted: returns False once the client has ended.
        log, trace: see `Supervisor`.

    Attributes:
        link: the open WebSocket; None before it is open.
        replaced: whether the task of its replacement has taken over reconnecting.
    """

    __slots__ = (
        "_attempt_timeout",
        "_close_timeout",
        "_driver",
        "_ended",
        "_is_wanted",
        "_log",
        "_new_monitor",
        "_open_socket",
        "_report_ended",
        "_report_lost",
        "_report_ready",
        "_scope",
        "_span",
        "_trace",
        "link",
        "replaced",
    )

    def __init__(
        self,
        driver: Driver,
        *,
        attempt_timeout: float,
        close_timeout: float,
        new_monitor: Callable[[float], Heartbeat],
        open_socket: Opener,
        report_ready: Callable[[Connection], None],
        report_lost: Callable[[Connection, Loss], None],
        report_ended: Callable[[Connection], None],
        is_wanted: Callable[[], bool],
        log: Log,
        trace: Tracer,
    ) -> None:
        self.link: Link | None = None
        self.replaced = False
        self._driver = driver
        self._attempt_timeout = attempt_timeout
        self._close_timeout = close_timeout
        self._new_monitor = new_monitor
        self._open_socket = open_socket
        self._report_ready = report_ready
        self._report_lost = report_lost
        self._report_ended = report_ended
        self._is_wanted = is_wanted
        self._log = log
        self._trace = trace
        self._span = trace.begin(Step.ATTEMPT)
        self._scope = anyio.CancelScope()  # of all of `run_until_lost`; has no deadline after the handshake
        self._ended = Signal()

    @property
    def lived(self) -> float:
        """Seconds since the WebSocket was opened; 0 if it never was."""
        return 0.0 if self.link is None else self.link.lived

    async def run_until_lost(self) -> Loss | RcexError:
        """Open it and stay until it is lost; return how that happened, or why the attempt failed."""
        error: RcexError | None = None
        try:
            await self._run()
        except RcexError as exc:
            error = exc
            self._span.failed(error)
        finally:
            self._span.failed()  # no effect once the span has ended; if it has not, the attempt was cancelled
            self._report_ended(self)
            self._ended.set()
        if self.link is not None and self.link.was_ready and self.link.loss is not None:
            return self.link.loss  # an error is then a consequence of it
        if error is None:
            raise AssertionError("a connection ends with a loss or an error")
        return error

    def cancel(self) -> None:
        """Cancel the attempt."""
        self._scope.cancel()

    async def wait_ended(self) -> None:
        """Wait until `run_until_lost` has returned."""
        await self._ended.wait()

    async def _run(self) -> None:
        with self._scope as scope:
            scope.deadline = anyio.current_time() + self._attempt_timeout
            with self._trace.begin(Step.TOKEN):
                endpoint = await self._driver.endpoint()
            self._check_wanted()  # the driver may have run code of the application, which may have closed the client
            async with self._open_socket(replace(endpoint, trace=self._trace)) as socket:
                self.link = link = self._new_link(socket)
                conversation = self._driver.conversation(link)
                await link.run(conversation, partial(self._become_ready, link, conversation))
        if scope.cancelled_caught:
            self._check_wanted()  # otherwise it was the deadline
            raise ConnectTimeout(f"no connection within {self._attempt_timeout:g} s", upgrade_sent=True)
        if self.link is None or not self.link.was_ready:
            loss = None if self.link is None else self.link.loss
            raise ConnectFailed(f"the connection was lost before it was ready: {loss}", upgrade_sent=True)

    async def _become_ready(self, link: Link, conversation: Conversation) -> None:
        with self._trace.begin(Step.HANDSHAKE):
            await conversation.handshake()
        self._scope.deadline = math.inf
        await conversation.prepare()
        self._check_wanted()
        if link.loss is not None:  # it came with the last message of the handshake: this task is not cancelled yet
            return
        link.was_ready = True
        self._span.done()
        self._report_ready(self)
        await conversation.after_ready()

    def _check_wanted(self) -> None:
        """Raise `NotConnected` if the client has ended: code that runs within an attempt cannot cancel that attempt."""
        if not self._is_wanted():
            raise NotConnected("the client was closed")

    def _new_link(self, socket: Socket) -> Link:
        clock = loop_clock()
        return Link(
            socket,
            clock=clock,
            monitor=self._new_monitor(clock()),
            on_lost=partial(self._report_lost, self),
            close_timeout=self._close_timeout,
            log=self._log,
            trace=self._trace,
        )
