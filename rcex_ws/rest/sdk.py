"""The session of RingCentral's official Python SDK (`ringcentral`, 0.9), for `RingCentral.from_sdk(sdk)`.

The SDK owns the session and refreshes it; its calls block, so they run in a worker thread. Nothing is imported from it:
its documented methods are enough (`SDK.platform`, `Platform.auth`, `create_url`, `refresh`, `Auth.data`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import anyio.to_thread

from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.rest.errors import LoginRefused
from rcex_ws.rest.message import Response
from rcex_ws.rest.oauth import TOKEN_PATH
from rcex_ws.rest.token import Token

__all__ = ["OfficialSdk", "SdkTokens", "server_of_sdk"]

_EXPIRED = b'{"error": "invalid_grant", "error_description": "the refresh token has expired"}'
_LOG_IN = "nobody is logged in: call sdk.platform().login(jwt=...) first"


class SdkAuth(Protocol):
    """The part of `ringcentral.platform.auth.Auth` that is used here."""

    def data(self) -> Mapping[str, Any]:
        """Return the tokens and their expiry."""
        ...


class SdkPlatform(Protocol):
    """The part of `ringcentral.platform.platform.Platform` that is used here."""

    def auth(self) -> SdkAuth:
        """Return the session."""
        ...

    def create_url(self, url: str, add_server: bool = False) -> str:
        """Return the full URL of a path."""
        ...

    def refresh(self) -> object:
        """Refresh the session; blocks."""
        ...


class OfficialSdk(Protocol):
    """The part of `ringcentral.SDK` that is used here."""

    def platform(self) -> SdkPlatform:
        """Return the platform."""
        ...


def server_of_sdk(sdk: OfficialSdk) -> str:
    """Return the URL of the API that an SDK uses."""
    return sdk.platform().create_url("/restapi", add_server=True).removesuffix("/restapi")


class SdkTokens:
    """The session of an SDK, as a `TokenOwner`.

    Args:
        sdk: the SDK; its user logs in, before or after.
    """

    def __init__(self, sdk: OfficialSdk) -> None:
        self._platform = sdk.platform()

    async def current(self) -> Token:
        """Return the SDK's token as it is now.

        Raises:
            ConfigurationError: nobody is logged in.
        """
        data = self._platform.auth().data()
        if not data.get("access_token"):
            raise ConfigurationError(_LOG_IN)
        return Token.from_dict(data)

    async def renew(self, stale: Token) -> Token:
        """Let the SDK refresh its session, unless it has done so meanwhile.

        Raises:
            ConfigurationError: nobody is logged in any more.
            LoginRefused: the session has ended.
            TransportError: the SDK got no answer, or another error.
        """
        token = await self.current()
        if token.access_token != stale.access_token:
            return token
        try:
            await _in_thread(self._platform.refresh)
        except Exception as exc:  # noqa: BLE001 - the SDK raises plain ones
            renewed = await self.current()  # the SDK's user may have refreshed at the same moment
            if renewed.access_token != stale.access_token:
                return renewed
            raise _failure(exc) from None
        return await self.current()


async def _in_thread(func: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(func, abandon_on_cancel=True)  # it has no time-out of its own


def _failure(exc: Exception) -> LoginRefused | TransportError:
    """Return our error for one of the SDK's: an `ApiException` has the answer; its text may quote a token."""
    answer: Any = cast("Any", exc).api_response().response() if hasattr(exc, "api_response") else None
    if answer is not None and answer.status_code in {400, 401, 403}:
        response = Response(answer.status_code, dict(answer.headers), answer.content)
        return LoginRefused(response, method="POST", path=TOKEN_PATH)
    if str(exc) == "Refresh token has expired":  # raised without a call, by 0.9.2
        return LoginRefused(Response(400, {}, _EXPIRED), method="POST", path=TOKEN_PATH)
    return TransportError(f"the SDK could not refresh its session: {type(exc).__name__}")
