"""`EventsExtension`: events before and after calls, logins, refreshes and logouts. The counterpart of @rc-ex/events."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import anyio

from rcex_ws.emitter import EventEmitter, HasEvents
from rcex_ws.errors import RateLimited
from rcex_ws.options import NamesOfJavaScript, Rule, checked, required_constraint
from rcex_ws.rest.client import RingCentral
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.message import Request, Response, Send
from rcex_ws.rest.watchers import SessionChange, SessionPhase, SessionStep
from rcex_ws.tasks import BackgroundTask

__all__ = ["EventsExtension", "RestEvents"]

logger = logging.getLogger("rcex_ws.rest")

#: Events that wait for a slow handler; beyond that they are dropped.
_MAX_PENDING = 10_000
#: Seconds for handlers that still run when the client is closed.
_CLOSE_TIMEOUT = 1.0


class RestEvents(StrEnum):
    """The events of an `EventsExtension`, with the arguments of their handlers; names as in @rc-ex/events."""

    BEFORE_REQUEST = "beforeRequest"  #: (request)
    REQUEST_SUCCESS = "requestSuccess"  #: (request, response): it was answered 2xx
    REQUEST_ERROR = "requestError"  #: (request, error): anything else
    BEFORE_LOGIN = "beforeLogin"  #: ()
    LOGIN_SUCCESS = "loginSuccess"  #: (token)
    LOGIN_ERROR = "loginError"  #: (error)
    BEFORE_REFRESH = "beforeRefresh"  #: ()
    REFRESH_SUCCESS = "refreshSuccess"  #: (token)
    REFRESH_ERROR = "refreshError"  #: (error)
    BEFORE_LOGOUT = "beforeLogout"  #: ()
    LOGOUT_SUCCESS = "logoutSuccess"  #: (token), which is no longer valid
    LOGOUT_ERROR = "logoutError"  #: (error)
    RATE_LIMIT_ERROR = "rateLimitError"  #: (request, error): a 429, or the gate stayed closed; after requestError
    ERROR = "error"  #: (error): a handler raised it; ours


_SESSION_EVENTS = {
    (SessionStep.LOGIN, SessionPhase.BEFORE): RestEvents.BEFORE_LOGIN,
    (SessionStep.LOGIN, SessionPhase.SUCCESS): RestEvents.LOGIN_SUCCESS,
    (SessionStep.LOGIN, SessionPhase.ERROR): RestEvents.LOGIN_ERROR,
    (SessionStep.REFRESH, SessionPhase.BEFORE): RestEvents.BEFORE_REFRESH,
    (SessionStep.REFRESH, SessionPhase.SUCCESS): RestEvents.REFRESH_SUCCESS,
    (SessionStep.REFRESH, SessionPhase.ERROR): RestEvents.REFRESH_ERROR,
    (SessionStep.LOGOUT, SessionPhase.BEFORE): RestEvents.BEFORE_LOGOUT,
    (SessionStep.LOGOUT, SessionPhase.SUCCESS): RestEvents.LOGOUT_SUCCESS,
    (SessionStep.LOGOUT, SessionPhase.ERROR): RestEvents.LOGOUT_ERROR,
}


def _is_event(name: str) -> str | None:
    return None if name in set(RestEvents) else "there is no such event"


RestEventName = Annotated[str, Rule(f"one of {', '.join(RestEvents)}", _is_event)]
Handler = Callable[..., object]


class EventsExtension(NamesOfJavaScript, HasEvents[Handler], Extension):
    """Emits the events of `RestEvents`: of all calls that pass extensions, and of the session of the client.

    Handlers are sync or async and may be attached any time. They run one at a time, in order, in a task of the client;
    a call never waits for them. `enabled = False` silences the events of calls.

    Args:
        enabled_events: the events that are emitted; all by default.

    Attributes:
        event_emitter: the pyee emitter; `on` is short for its method.

    Raises:
        ConfigurationError: there is no such event.
    """

    _event_name = required_constraint(RestEventName)
    _handler = required_constraint(Handler)

    @checked
    def __init__(self, *, enabled_events: Sequence[RestEventName] | None = None) -> None:
        self.event_emitter: EventEmitter = EventEmitter(events=RestEvents)
        self._emitter = self.event_emitter
        self._enabled = frozenset(RestEvents) if enabled_events is None else frozenset(map(RestEvents, enabled_events))
        self._dropped = 0
        self._emitting: BackgroundTask | None = None
        self._unwatch: Callable[[], None] | None = None

    async def install(self, rc: RingCentral) -> None:
        """Begin to emit; called by `rc.install_extension`."""

        def run(handlers: Callable[[], Awaitable[None]]) -> None:
            self._emitting = rc.tasks.spawn(handlers, name="events", on_crash=_report_crash)

        self._unwatch = rc.watch_session(self._on_session)
        self._emitter.start(run)

    async def handle(self, request: Request, call_next: Send) -> Response:
        """Send a call, and emit what becomes of it."""
        self._emit(RestEvents.BEFORE_REQUEST, request)
        try:
            response = await call_next(request)
        except Exception as error:
            self._emit(RestEvents.REQUEST_ERROR, request, error)
            if isinstance(error, RateLimited) or (isinstance(error, RestError) and error.status_code == 429):
                self._emit(RestEvents.RATE_LIMIT_ERROR, request, error)
            raise
        self._emit(RestEvents.REQUEST_SUCCESS, request, response)
        return response

    async def aclose(self) -> None:
        """Run the handlers of what was emitted so far, for a second at most, and end."""
        if self._unwatch is not None:
            self._unwatch()
        self._emitter.stop(within=_CLOSE_TIMEOUT)
        if self._emitting is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await self._emitting.wait()
            self._emitting.cancel()

    def _on_session(self, change: SessionChange) -> None:
        argument = change.token or change.error
        self._emit(_SESSION_EVENTS[change.step, change.phase], *([] if argument is None else [argument]))

    def _emit(self, event: RestEvents, *arguments: Any) -> None:
        if event not in self._enabled or not self._emitter.has_handlers(event):
            return
        if self._emitter.pending >= _MAX_PENDING:
            if self._dropped == 0:
                logger.warning("handlers of events of calls are too slow: events are dropped, the newest first")
            self._dropped += 1
            return
        if self._dropped:
            logger.warning("%s events of calls were dropped", self._dropped)
            self._dropped = 0
        self._emitter.emit(event, *arguments)


def _report_crash(exc: Exception) -> None:
    logger.error("the task of the events of calls crashed", exc_info=exc)
