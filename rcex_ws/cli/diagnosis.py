"""The examination of `rcex-ws doctor`: runs the steps in order, and ends with the first after which none can succeed.

What each step does is in doctor_network.py and doctor_socket.py; what to do about a failure, in doctor_advice.py.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack

import anyio

from rcex_ws.cli.credentials import Credentials, open_client
from rcex_ws.cli.doctor_advice import advice_for, advice_for_error
from rcex_ws.cli.doctor_network import ServerNetwork
from rcex_ws.cli.doctor_socket import DoctorSocket, DoctorTimes
from rcex_ws.cli.doctor_steps import DoctorStep, Finding, StepResult, StepVerdict
from rcex_ws.errors import RcexError, RequestTimeout
from rcex_ws.rest import RingCentral

__all__ = ["diagnose", "result_of"]

_DEFAULT_TIMES = DoctorTimes()

Examine = Callable[[], Awaitable[Finding]]
"""Examines one step; raises an `RcexError` if it fails."""


async def diagnose(
    credentials: Credentials, *, send: bool = False, times: DoctorTimes = _DEFAULT_TIMES
) -> AsyncGenerator[StepResult]:
    """Yield the result of each step; close it (`contextlib.aclosing`) when leaving early.

    Args:
        credentials: from `load_credentials`.
        send: whether to send a message to oneself, which is deleted again, to see a notification.
        times: the times of the examination.
    """
    yield StepResult(DoctorStep.CREDENTIALS, StepVerdict.OK, 0.0, _describe(credentials))
    async with AsyncExitStack() as stack:
        ssl_context = ssl.create_default_context()
        network = await stack.enter_async_context(ServerNetwork(credentials.server, ssl_context))
        login = _Login(credentials, ssl_context, stack)
        for step, examine in (
            (DoctorStep.ADDRESS, network.address),
            (DoctorStep.CONNECTION, network.connection),
            (DoctorStep.TLS, network.tls),
            (DoctorStep.CLOCK, network.clock),
            (DoctorStep.LOGIN, login.log_in),
            (DoctorStep.PERMISSIONS, login.permissions),
        ):
            result = await _examine(step, examine, times.timeout)
            yield result
            if result.ends_it:
                return
        socket = DoctorSocket(login.client, times)
        for step, examine in (
            (DoctorStep.WSTOKEN, socket.wstoken),
            (DoctorStep.UPGRADE, socket.upgrade),
            (DoctorStep.DETAILS, socket.details),
            (DoctorStep.HEARTBEAT, socket.heartbeat),
            (DoctorStep.SUBSCRIBE, socket.subscribe),
            (DoctorStep.NOTIFICATION, socket.notification if send else _not_asked_for),
            (DoctorStep.RECOVERY, socket.recovery),
            (DoctorStep.CLEANUP, socket.clean_up),
        ):
            # Their own time-outs come first, as those know what was waited for.
            result = await _examine(step, examine, 2 * times.timeout)
            yield result
            if result.ends_it:
                return


def result_of(step: DoctorStep, found: Finding, seconds: float = 0.0) -> StepResult:
    """Return the result of a step, with advice if it has failed.

    Args:
        step: the step.
        found: what it has found.
        seconds: how long it took, unless that was found, too.
    """
    advice = ""
    if found.verdict is StepVerdict.FAILED:
        advice = advice_for(step) if found.error is None else advice_for_error(step, found.error)
    return StepResult(step, found.verdict, seconds if found.seconds is None else found.seconds, found.detail, advice)


class _Login:
    """The login, whose client the rest of the examination uses until the stack is closed."""

    client: RingCentral

    def __init__(self, credentials: Credentials, ssl_context: ssl.SSLContext, stack: AsyncExitStack) -> None:
        self._credentials = credentials
        self._ssl_context = ssl_context
        self._stack = stack

    async def log_in(self) -> Finding:
        self.client = await self._stack.enter_async_context(
            open_client(self._credentials, ssl_context=self._ssl_context)
        )
        return Finding("by JWT" if self._credentials.token_path is None else "by the stored login")

    async def permissions(self) -> Finding:
        scopes = (self.client.token.scope if self.client.token else "").split()
        if not scopes:
            return Finding("the server did not say which the token has", verdict=StepVerdict.SKIPPED)
        # It is called WebSocketsSubscriptions, WebSocketsSubscription, WebSocket or SubscriptionWebSocket.
        found = [scope for scope in scopes if "websocket" in scope.lower()]
        if not found:
            detail = f"none of the token's {len(scopes)} is for WebSockets: {' '.join(sorted(scopes))}"
            return Finding(detail, verdict=StepVerdict.FAILED)
        return Finding(f"{' '.join(found)}, and {len(scopes) - len(found)} more")


async def _examine(step: DoctorStep, examine: Examine, timeout: float) -> StepResult:
    began = anyio.current_time()
    try:
        with anyio.fail_after(timeout):
            found = await examine()
    except (RcexError, TimeoutError) as exc:
        error = exc if isinstance(exc, RcexError) else RequestTimeout(f"no result within {timeout:g} s")
        found = Finding.failure(error)
    return result_of(step, found, anyio.current_time() - began)


async def _not_asked_for() -> Finding:
    return Finding("with --send a message is sent to yourself, and deleted again", verdict=StepVerdict.SKIPPED)


def _describe(credentials: Credentials) -> str:
    places: dict[str, list[str]] = {}
    for name, place in credentials.sources.items():
        places.setdefault(place, []).append(name.removeprefix("RINGCENTRAL_"))
    where = "; ".join(f"{', '.join(names)} from {place}" for place, names in places.items())
    return f"{credentials.server}, {where}" if where else credentials.server
