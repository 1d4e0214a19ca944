"""RingCentral's part of connecting: the endpoint, the tokens, and which errors are fatal.

Called by the supervisor. Facts: the wstoken endpoint and the handshake as in the developer guide; a token is valid for
one connection, but stays so if its attempt failed before the upgrade (ringcentral-extensible#36: a reconnect loop must
not run into the rate limit of the wstoken endpoint). It is used once more then and no longer, since its address is that
of one machine, which may be gone.
"""

from __future__ import annotations

from typing import Annotated, Any

import anyio

from rcex_ws.address import Address, address_from_server, with_query
from rcex_ws.bounds import WSTOKEN_LIFETIME
from rcex_ws.connection import Driver, Endpoint, Link, Loss, within_window
from rcex_ws.errors import ConfigurationError, ConnectFailed, NotJSON, RcexError, UpgradeRefused
from rcex_ws.readers import is_text, read_number, read_struct
from rcex_ws.rest import CoreClient, LoginRefused, Request, Response, RestError
from rcex_ws.secret import SECRET, HiddenFields, Secret, hide
from rcex_ws.wsg.conversation import WsgConversation, WsgShared
from rcex_ws.wsg.models import Events, Outcome, SubscriptionState

__all__ = ["WsgDriver"]

_PATH = "/restapi/oauth/wstoken"


class _Answer(HiddenFields, frozen=True):
    """The answer of POST /restapi/oauth/wstoken; `expires_in` in seconds."""

    ws_access_token: Annotated[str, SECRET]
    uri: Annotated[Any, SECRET] = None
    expires_in: Any = None


class _WsToken(HiddenFields, frozen=True):
    """A validated wstoken.

    Attributes:
        ws_access_token: valid for one connection.
        address: the address to connect to.
        fetched_at: the event loop's time when it was requested.
        expires_in: seconds from then on.
    """

    ws_access_token: Annotated[str, SECRET]
    address: Address
    fetched_at: float
    expires_in: float


class WsgDriver(Driver):
    """The driver of RingCentral's gateway.

    Args:
        rc: the client, for the wstoken.
        shared: what outlives a connection.
        attempt_timeout: maximum seconds for the wstoken call.
        max_size: the largest frame accepted, in bytes.
    """

    def __init__(self, rc: CoreClient, shared: WsgShared, *, attempt_timeout: float, max_size: int) -> None:
        self._rc = rc
        self._shared = shared
        self._attempt_timeout = attempt_timeout
        self._max_size = max_size
        self._token: _WsToken | None = None  # of the attempt under way
        self._unused: _WsToken | None = None  # one whose first attempt failed before the server saw it
        self._is_second_use = False  # of the token of this attempt
        self._token_offered = False
        self._began_at = 0.0
        self._clock_was_read = False  # in this attempt

    async def endpoint(self) -> Endpoint:
        """Return the endpoint for the next attempt, with a wstoken, and the recovery token if it can be used."""
        self._token_offered = self._clock_was_read = False
        self._shared.telemetry.attempts += 1
        self._token = token = await self._get_token()
        self._began_at = anyio.current_time()
        wsc = self._shared.session.token_to_offer(self._began_at)
        self._token_offered = wsc is not None
        secrets = {"access_token": Secret(token.ws_access_token)} | ({} if wsc is None else {"wsc": Secret(wsc)})
        url = Secret(with_query(token.address.url, secrets))
        context = self._rc.ssl_context if token.address.secure else None  # creating one takes time
        return Endpoint(url, proxy=self._rc.proxy, ssl_context=context, max_size=self._max_size)

    def conversation(self, link: Link) -> WsgConversation:
        """Return the conversation for a new connection."""
        self._token = None
        return WsgConversation(
            link,
            self._shared,
            token_offered=self._token_offered,
            began_at=self._began_at,
            clock_was_read=self._clock_was_read,
        )

    async def next_delay(self, ended: Loss | RcexError, delay: float) -> float:
        """Follow the schedule, but try again before the session can no longer be recovered, unless told to wait.

        Give up if a retry cannot help: a refused login, or no permission for WebSockets.
        """
        retry_after = 0.0
        if isinstance(ended, RcexError):
            if _is_fatal(ended):
                raise ended
            self._attempt_failed(ended)
            retry_after = ended.retry_after or 0.0
        left = self._shared.session.seconds_left(anyio.current_time()) - self._attempt_timeout
        return max(within_window(delay, left), retry_after)

    def on_misconfigured(self, error: ConfigurationError) -> None:
        """Report a mistake of the application that ends nothing."""
        self._shared.announcer.error(error)

    def on_failed(self, error: Exception) -> None:
        """End the subscription with the error: its iterator raises it after what is buffered."""
        self._shared.sync.end(SubscriptionState.FAILED, error)
        self._shared.inbox.release()
        self._shared.inbox.waiters.end(error)
        self._shared.telemetry.end_recovery(f"gave up: {type(error).__name__}")
        self._shared.announcer.error(error, already_logged=True)  # by the supervisor

    async def ask_the_time(self) -> None:
        """Read the server's clock again, by HTTPS: the loop's clock may have stood still.

        Raises:
            RcexError: the server could not be reached.
        """
        asked_at = anyio.current_time()
        try:
            response = await self._rc.send(Request("GET", "/restapi/v1.0", timeout=self._attempt_timeout))
        except RestError as exc:
            response = exc.response
        self._read_clock(response, asked_at=asked_at)

    def _attempt_failed(self, error: RcexError) -> None:
        """Record what the failure means for the tokens, and report it."""
        self._shared.session.end_attempt()
        if isinstance(error, UpgradeRefused):
            if error.status == 400 and self._token_offered:
                self._shared.session.decide(Outcome.UNREADABLE, f"HTTP {error.status}")
        elif isinstance(error, ConnectFailed):
            if not error.upgrade_sent and not self._is_second_use:  # else the address may be gone for good
                self._unused = self._token
            elif self._token_offered:
                self._shared.session.note_replay_cut()
        self._token = None
        self._shared.announcer.emit(Events.AUTO_RECOVER_ERROR, error)

    async def _get_token(self) -> _WsToken:
        token, self._unused = self._unused, None
        now = anyio.current_time()
        self._is_second_use = token is not None and now - token.fetched_at < 0.8 * token.expires_in
        if token is not None and self._is_second_use:
            return token
        try:
            response = await self._rc.send(Request("POST", _PATH, timeout=self._attempt_timeout))
        except RcexError:
            raise
        except Exception as exc:  # a middleware may raise anything, which must not end the client
            raise ConnectFailed(f"a middleware raised {type(exc).__name__}", upgrade_sent=False) from exc
        self._read_clock(response, asked_at=now)
        try:
            answer = read_struct(response.content, _Answer)
        except NotJSON as exc:
            raise ConnectFailed(f"{_PATH} answered {response.describe()}, which cannot be read: {exc}") from None
        if not answer.ws_access_token or not is_text(answer.ws_access_token):
            raise ConnectFailed(f"{_PATH} answered {response.describe()} without a token that can be used")
        address = address_from_server(hide(answer.uri), by=_PATH, server=self._rc.server)
        return _WsToken(answer.ws_access_token, address, now, read_number(answer.expires_in, WSTOKEN_LIFETIME))

    def _read_clock(self, response: Response, *, asked_at: float) -> None:
        """Set the server's clock by an answer of its REST API, which is assumed to share it with the gateway."""
        clock, date = self._shared.completeness.clock, response.headers.get("Date")
        self._clock_was_read = clock.read_date(date, asked_at=asked_at, got_at=anyio.current_time())


def _is_fatal(error: RcexError) -> bool:
    if isinstance(error, RestError):
        # Any 403 of this endpoint is a missing permission. At a 401 the client has already retried with a new token:
        # the fault may pass, and if the login itself is dead, renewing it raises LoginRefused.
        return isinstance(error, LoginRefused) or error.status_code == 403
    if isinstance(error, ConnectFailed):
        return not error.retryable  # an address or a proxy that can never work
    return isinstance(error, ConfigurationError)
