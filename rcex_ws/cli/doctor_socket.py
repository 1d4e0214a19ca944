"""What `rcex-ws doctor` finds out over a WebSocket: each step is read from the trace of the one extension it uses."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from msgspec import Struct

from rcex_ws.cli.doctor_steps import Finding, StepVerdict
from rcex_ws.errors import ConnectFailed, ConnectTimeout, NotConnected, RcexError
from rcex_ws.loop import Signal
from rcex_ws.options import Seconds, Wait, check_fields
from rcex_ws.rest import RingCentral
from rcex_ws.trace import Phase, Step, TraceEvent
from rcex_ws.wsg import Events, Notification, Outcome, WebSocketExtension

__all__ = ["DoctorSocket", "DoctorTimes", "StepTrace"]

_EXTENSION = "/restapi/v1.0/account/~/extension/~"
_MESSAGES = f"{_EXTENSION}/message-store"

#: Filters and the permission that each needs, the one that can be tried by a message first.
_FILTERS = (("ReadMessages", _MESSAGES), ("ReadPresence", f"{_EXTENSION}/presence"), ("ReadAccounts", _EXTENSION))


class DoctorTimes(Struct, frozen=True):
    """The times of the examination, in seconds.

    Attributes:
        timeout: for one step.
        heartbeat_interval: a heartbeat is sent after so long without a frame.
        heartbeat_timeout: it is lost after so long without an answer.
        reconnect_delay: from the cut to the attempt to recover.

    Raises:
        ConfigurationError: one of them is no such time.
    """

    timeout: Seconds = 15.0
    heartbeat_interval: Seconds = 1.0
    heartbeat_timeout: Seconds = 5.0
    reconnect_delay: Wait = 0.5

    def __post_init__(self) -> None:
        check_fields(self)


class StepTrace:
    """The steps of an extension that have ended; `hook` is its trace."""

    def __init__(self) -> None:
        self.ended: list[TraceEvent] = []
        self._changed = Signal()

    def hook(self, event: TraceEvent) -> None:
        """Note the end of a step; often called by the reader."""
        if event.phase is not Phase.STARTED:
            self.ended.append(event)
            changed, self._changed = self._changed, Signal()
            changed.set()

    def last(self, step: Step) -> TraceEvent | None:
        """Return the newest end of a step, or None."""
        return next((event for event in reversed(self.ended) if event.step is step), None)

    async def next(self, wanted: Callable[[TraceEvent], bool]) -> TraceEvent:
        """Wait for the first event from now on that is wanted."""
        seen = len(self.ended)
        while True:
            for event in self.ended[seen:]:
                if wanted(event):
                    return event
            seen = len(self.ended)
            await self._changed.wait()


class DoctorSocket:
    """One extension with one subscription, examined step by step.

    Args:
        rc: a client that is logged in.
        times: the times of the examination.
    """

    def __init__(self, rc: RingCentral, times: DoctorTimes) -> None:
        self._rc = rc
        self._times = times
        self._trace = StepTrace()
        self._scopes = frozenset((rc.token.scope if rc.token else "").split())
        self._failure: RcexError | None = None
        self._notified = anyio.Event()
        self._extension = WebSocketExtension(
            name="doctor",
            trace=self._trace.hook,
            open_timeout=times.timeout,
            attempt_timeout=times.timeout,
            request_timeout=times.timeout,
            heartbeat_interval=times.heartbeat_interval,
            heartbeat_timeout=times.heartbeat_timeout,
            reconnect_delays=lambda _: times.reconnect_delay,
        )

    async def wstoken(self) -> Finding:
        """Make one attempt to connect, and look at the wstoken.

        Raises:
            RcexError: the server refused it.
        """
        await self._connect_once()
        token = self._trace.last(Step.TOKEN)
        if token is None or token.phase is Phase.FAILED:
            raise self._failure or ConnectTimeout(f"no wstoken within {self._times.timeout:g} s")
        return Finding("issued", seconds=token.seconds)

    async def upgrade(self) -> Finding:
        """Look at the opening of the WebSocket: TCP, proxy, TLS, upgrade."""
        parts = [self._trace.last(step) for step in (Step.TCP, Step.PROXY, Step.TLS, Step.UPGRADE)]
        ended = [part for part in parts if part is not None]
        seconds = sum(part.seconds or 0.0 for part in ended)
        if self._failure is not None and (not ended or ended[-1].phase is Phase.FAILED):
            return Finding.failure(self._failure, seconds)
        detail = ", ".join(f"{part.step} {part.seconds or 0.0:.2f} s" for part in ended)
        return Finding(f"by {ended[0].detail}: {detail}", seconds)

    async def details(self) -> Finding:
        """Look at the first frame of the gateway."""
        handshake = self._trace.last(Step.HANDSHAKE)
        seconds = None if handshake is None else handshake.seconds
        if self._failure is not None:
            return Finding.failure(self._failure, seconds)
        details = self._extension.connection_details
        if details is None:
            return Finding.failure(NotConnected("the connection was lost already"))
        return Finding(
            f"the session can be recovered for {details.recovery_timeout:g} s, "
            f"with up to {details.recovery_buffer_size} events",
            seconds,
        )

    async def heartbeat(self) -> Finding:
        """Wait for a heartbeat and its answer."""
        beat = await self._trace.next(lambda event: event.step is Step.HEARTBEAT)
        if beat.phase is Phase.FAILED:
            return Finding(f"not answered: {beat.detail}", verdict=StepVerdict.FAILED)
        return Finding("answered", seconds=beat.seconds)

    async def subscribe(self) -> Finding:
        """Subscribe to what the permissions allow.

        Raises:
            RcexError: the server refused it.
        """
        event_filter = self._filter
        subscription = await self._extension.subscribe([event_filter], self._on_notification)
        info = subscription.info
        if info is not None and info.disabled_filters:
            why = info.disabled_filters[0].message or info.disabled_filters[0].reason or "no reason given"
            return Finding(f"the server did not grant {event_filter}: {why}", verdict=StepVerdict.FAILED)
        return Finding(event_filter)

    async def notification(self) -> Finding:
        """Send a message to oneself, wait for its event, and delete it.

        Raises:
            RcexError: the message could not be sent or deleted.
        """
        if self._filter != _MESSAGES or (self._scopes and "InternalMessages" not in self._scopes):
            return Finding("needs the permissions ReadMessages and InternalMessages", verdict=StepVerdict.SKIPPED)
        me = {"extensionNumber": (await self._rc.get(_EXTENSION)).json()["extensionNumber"]}
        note = {"from": me, "to": [me], "text": "rcex-ws doctor: this message is deleted at once"}
        self._notified = anyio.Event()
        sent_at = anyio.current_time()
        message = (await self._rc.post(f"{_EXTENSION}/company-pager", json=note)).json()["id"]
        try:
            with anyio.move_on_after(self._times.timeout) as scope:
                await self._notified.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await self._rc.delete(f"{_MESSAGES}/{message}")
        if scope.cancelled_caught:
            detail = f"a message was sent, and no event came within {self._times.timeout:g} s"
            return Finding(detail, verdict=StepVerdict.FAILED)
        return Finding("of a message to yourself", seconds=anyio.current_time() - sent_at)

    async def recovery(self) -> Finding:
        """Cut the connection, and see whether the session is recovered.

        Raises:
            RcexError: there was no new connection.
        """
        ws = self._extension.ws
        if ws is None:
            raise NotConnected("the connection was lost already")
        ended = anyio.Event()
        for event in (Events.AUTO_RECOVER_SUCCESS, Events.AUTO_RECOVER_FAILED):
            self._extension.on(event, lambda _: ended.set())
        ws.abort()
        with anyio.move_on_after(self._times.timeout) as scope:
            await ended.wait()
        if scope.cancelled_caught:
            attempt = self._trace.last(Step.ATTEMPT)
            why = f": {attempt.error}" if attempt is not None and isinstance(attempt.error, RcexError) else ""
            raise ConnectTimeout(f"no new connection within {self._times.timeout:g} s{why}")
        recovery = self._extension.last_recovery
        if recovery is None or recovery.outcome is not Outcome.RECOVERED:
            why = "" if recovery is None else f": {recovery.error_code or recovery.outcome}"
            return Finding(f"the server did not continue the session{why}", verdict=StepVerdict.FAILED)
        return Finding("the session went on after a cut of our own", seconds=recovery.outage)

    async def clean_up(self) -> Finding:
        """Delete the subscription and close; see whether it is gone.

        Raises:
            RcexError: the server did not say so.
        """
        subscription = self._extension.subscription
        mine = None if subscription is None or subscription.info is None else subscription.info.id
        await self._extension.revoke()
        if mine is None:
            return Finding("nothing was subscribed")
        if mine in [one.id for one in await self._extension.list_subscriptions()]:
            return Finding("the server still lists the deleted subscription", verdict=StepVerdict.FAILED)
        return Finding("the subscription is deleted")

    @property
    def _filter(self) -> str:
        """The filter to try: the first whose permission the token has; without scopes the first."""
        return next((path for permission, path in _FILTERS if permission in self._scopes), _MESSAGES)

    async def _connect_once(self) -> None:
        """Install the extension, but do not wait for a second attempt; note why the first one failed."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._install, group.cancel_scope)
            failed = await self._trace.next(lambda one: one.step is Step.ATTEMPT and one.phase is Phase.FAILED)
            group.cancel_scope.cancel()
            if self._failure is None:
                error = failed.error
                self._failure = error if isinstance(error, RcexError) else ConnectFailed("the attempt failed")

    async def _install(self, scope: anyio.CancelScope) -> None:
        try:
            await self._rc.install_extension(self._extension)
        except RcexError as exc:
            self._failure = exc
        scope.cancel()

    def _on_notification(self, notification: Notification) -> None:
        self._notified.set()
