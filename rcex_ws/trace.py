"""What a client does, step by step, for those who watch it: one hook, from which logs, metrics and traces come.

A step is told of when it starts, and when it is done or has failed. The package's own debug log is one listener, the
application's hook another; where nobody listens, nothing is made. Notifications are no steps: `stats` counts them.
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
    """The steps of a client."""

    ATTEMPT = "attempt"  #: one attempt to connect, from the token until the connection is ready
    #: asking where to connect: RingCentral's wstoken, Slack's rtm.connect
    TOKEN = "token"  # noqa: S105 - the name of a step
    TCP = "tcp"  #: name resolution and TCP, to the server or its proxy
    PROXY = "proxy"  #: a tunnel through a proxy; of SOCKS with the TCP connection to it
    TLS = "tls"  #: with the server or its proxy
    UPGRADE = "upgrade"  #: the WebSocket upgrade
    HANDSHAKE = "handshake"  #: the protocol's first word: ConnectionDetails, hello
    RECOVER = "recover"  #: from the loss until the session is recovered, or known to be gone
    SUBSCRIBE = "subscribe"  #: one call to the server about a subscription
    CALL = "call"  #: one call over the WebSocket; HTTPS is the HTTP client's to trace
    HEARTBEAT = "heartbeat"  #: a heartbeat and its answer
    STORE = "store"  #: one write of the session store
    CLOSE = "close"  #: closing, until nothing runs any more


class Phase(StrEnum):
    """What is told of a step."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


class TraceEvent(Struct, frozen=True):
    """Tell of one phase of one step. No token or secret stands in it.

    Attributes:
        source: the name of the client or extension.
        step: what is being done.
        phase: started, done or failed; whatever started ends in one of the other two.
        seconds: how long it took; None when it started.
        detail: at whom, which one, with what outcome; for people. Its values are many: no label for metrics.
        error: why it failed; None if it was cancelled, or the detail says why.
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
"""Hear of each phase of each step: called by the event loop's thread, often in the reader, so it must not wait.

What it raises is logged once and changes nothing.
"""


class Span:
    """One step that has started; ends once, by the first word. As a context manager it ends with its block.

    Attributes:
        detail: told at the end; may be changed until then.
    """

    __slots__ = ("_started_at", "_tracer", "detail", "step")

    def __init__(self, tracer: Tracer | None, step: Step, detail: str) -> None:
        self.step = step
        self.detail = detail
        self._tracer = tracer
        self._started_at = 0.0 if tracer is None else now()

    def done(self) -> None:
        """Tell that it is done."""
        self._end(Phase.DONE, None)

    def failed(self, error: BaseException | None = None) -> None:
        """Tell that it has failed, or was cut short."""
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
    """Tell the listeners of one client.

    Args:
        source: its name.
        hook: the application's, or None.
        log: where the debug log goes; None for nowhere.
    """

    __slots__ = ("_complained", "_hook", "_log", "_source")

    def __init__(self, source: str = "", hook: Trace | None = None, log: Log | None = None) -> None:
        self._source = source
        self._hook = hook
        self._log = log
        self._complained = False

    @property
    def enabled(self) -> bool:
        """Whether anybody listens now; the level of a log may change."""
        return self._hook is not None or (self._log is not None and self._log.isEnabledFor(logging.DEBUG))

    def begin(self, step: Step, detail: str = "") -> Span:
        """Tell that a step starts, and give what hears of its end."""
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
        """Tell of one phase of a step."""
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
                raise TypeError("it gave a coroutine, which nobody awaits: use a sync function")  # noqa: TRY301
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
    else:  # the text of a foreign error may hold anything
        text = f"{type(error).__name__}: {error}" if isinstance(error, RcexError) else type(error).__name__
        log.debug("%s %s%s%s: %s", event.step, event.phase, took, detail, text)


SILENT: Final = Tracer()
"""Tells nobody."""
