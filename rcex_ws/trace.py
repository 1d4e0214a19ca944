"""Trace the steps of a client through one hook, for logs, metrics and distributed tracing.

Each step is reported when it starts, and when it is done or has failed. The listeners are the package's own debug log
and the application's hook; without one, no event is created. Notifications are not steps; `stats` counts them.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Final, Self

from msgspec import Struct

from rcex_ws.errors import RcexError
from rcex_ws.loop import now
from rcex_ws.named_log import Log
from rcex_ws.options import Rule

__all__ = ["SILENT", "Phase", "Span", "Step", "Trace", "TraceEvent", "Tracer"]


class Step(StrEnum):
    """A step of a client that is traced: an attempt, and each of its parts."""

    ATTEMPT = "attempt"  #: one attempt to connect, from the token until the connection is ready
    #: the call that returns the address to connect to: RingCentral's wstoken, Slack's rtm.connect
    TOKEN = "token"  # noqa: S105 - the name of a step
    TCP = "tcp"  #: name resolution and TCP, to the server or its proxy
    PROXY = "proxy"  #: a tunnel through an HTTP proxy; SOCKS is part of the step TCP
    TLS = "tls"  #: with the server or its proxy
    UPGRADE = "upgrade"  #: the WebSocket upgrade
    HANDSHAKE = "handshake"  #: the first message of the protocol: ConnectionDetails, hello
    RECOVER = "recover"  #: from the loss until the session is recovered, or known to be lost
    SUBSCRIBE = "subscribe"  #: one call to the server about a subscription
    CALL = "call"  #: one call over the WebSocket; the HTTP client can trace those by HTTPS
    HEARTBEAT = "heartbeat"  #: a heartbeat and its answer
    STORE = "store"  #: one write of the session store
    CLOSE = "close"  #: closing, until no task is left


class Phase(StrEnum):
    """A phase of a step: started, done or failed."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


class TraceEvent(Struct, frozen=True):
    """One phase of one step. Contains no token or secret.

    Attributes:
        source: the name of the client or extension.
        step: the step.
        phase: started, done or failed; each step that starts ends in one of the other two.
        seconds: the duration; None when the step starts.
        detail: the host, the call or the outcome, for people; has too many values for a metrics label.
        error: the cause of a failure; None if the step was cancelled, or the detail has the cause.
    """

    source: str
    step: Step
    phase: Phase
    seconds: float | None = None
    detail: str = ""
    error: Exception | None = None


def _is_async(hook: object) -> str | None:
    called = hook if inspect.isroutine(hook) else getattr(hook, "__call__", None)  # noqa: B004 - may be async
    return "it is async" if inspect.iscoroutinefunction(called) else None


Trace = Annotated[Callable[[TraceEvent], object], Rule("a sync function that takes a TraceEvent", _is_async)]
"""Called with each phase of each step, in the event loop's thread and often by the reader, so it must not block.

The first exception that it raises is logged; none has another effect.
"""


class Span:
    """A step in progress; only the first call that ends it counts. As a context manager it ends with its block.

    Attributes:
        detail: reported at the end; may be changed until then.
    """

    __slots__ = ("_started_at", "_tracer", "detail", "step")

    def __init__(self, tracer: Tracer | None, step: Step, detail: str) -> None:
        self.step = step
        self.detail = detail
        self._tracer = tracer
        self._started_at = 0.0 if tracer is None else now()

    def done(self) -> None:
        """Report that the step is done."""
        self._end(Phase.DONE, None)

    def failed(self, error: BaseException | None = None) -> None:
        """Report that the step has failed or was cancelled."""
        self._end(Phase.FAILED, error if isinstance(error, Exception) else None)

    def _end(self, phase: Phase, error: Exception | None) -> None:
        tracer, self._tracer = self._tracer, None
        if tracer is not None:
            tracer.emit(self.step, phase, seconds=now() - self._started_at, detail=self.detail, error=error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.done()
        else:
            self.failed(error)


class Tracer:
    """Reports the steps of one client to its listeners.

    Args:
        source: the name of the client.
        hook: the application's hook, or None.
        log: receives the debug log, or None.
    """

    __slots__ = ("_complained", "_hook", "_log", "_source")

    def __init__(self, source: str = "", hook: Trace | None = None, log: Log | None = None) -> None:
        self._source = source
        self._hook = hook
        self._log = log
        self._complained = False

    @property
    def enabled(self) -> bool:
        """Whether there is a listener now; the level of the log may change."""
        return self._hook is not None or (self._log is not None and self._log.isEnabledFor(logging.DEBUG))

    def begin(self, step: Step, detail: str = "") -> Span:
        """Report the start of a step; return the span that reports its end."""
        if not self.enabled:
            return Span(None, step, detail)
        self.emit(step, Phase.STARTED, detail=detail)
        return Span(self, step, detail)

    def emit(
        self,
        step: Step,
        phase: Phase,
        *,
        seconds: float | None = None,
        detail: str = "",
        error: Exception | None = None,
    ) -> None:
        """Report one phase of a step."""
        if self.enabled:
            event = TraceEvent(self._source, step, phase, seconds, detail, error)
            if self._log is not None:
                _write(self._log, event)
            if self._hook is not None:
                self._call(self._hook, event)

    def _call(self, hook: Trace, event: TraceEvent) -> None:
        try:
            result = hook(event)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError("it returned a coroutine, which nobody awaits: use a sync function")  # noqa: TRY301
        except Exception:  # noqa: BLE001 - logged, once
            if not self._complained and self._log is not None:
                self._complained = True
                self._log.exception("the trace hook raised; further errors of it are not logged")


def _write(log: Log, event: TraceEvent) -> None:
    took = "" if event.seconds is None else f" after {event.seconds:.3f} s"
    detail = f" ({event.detail})" if event.detail else ""
    error = event.error
    if error is None:
        log.debug("%s %s%s%s", event.step, event.phase, took, detail)
    else:  # the text of a foreign error may contain anything
        text = f"{type(error).__name__}: {error}" if isinstance(error, RcexError) else type(error).__name__
        log.debug("%s %s%s%s: %s", event.step, event.phase, took, detail, text)


SILENT: Final = Tracer()
"""A tracer without listeners."""
