"""A RingCentral at the HTTP edge (respx), and clients of it that are closed at the end."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import respx

from rcex_ws.rest import PRODUCTION, RingCentral, Token

MakeClient = Callable[..., RingCentral]


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    """Answer for the production server; a call without route fails the test."""
    with respx.mock(base_url=PRODUCTION, assert_all_called=False) as router:
        yield router


@pytest.fixture
def token() -> Token:
    """Return a token that is good for an hour."""
    now = time.time()
    return Token(
        access_token="ACCESS-0", refresh_token="REFRESH-0", expires_at=now + 3600, refresh_expires_at=now + 604800
    )


@pytest.fixture
def grants(api: respx.MockRouter) -> respx.Route:
    """Let the token endpoint give ACCESS-1/REFRESH-1, then ACCESS-2/REFRESH-2, and so on."""

    def answer(_: httpx.Request) -> httpx.Response:
        number = route.call_count + 1
        body: dict[str, Any] = {
            "access_token": f"ACCESS-{number}",
            "refresh_token": f"REFRESH-{number}",
            "token_type": "bearer",
            "expires_in": 3600,
            "refresh_token_expires_in": 604800,
            "owner_id": "42",
        }
        return httpx.Response(200, json=body)

    route: respx.Route = api.post("/restapi/oauth/token").mock(side_effect=answer)
    return route


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """Load the trust store once: it is the slowest part of a client."""
    return ssl.create_default_context()


@pytest.fixture
async def make_client(tls: ssl.SSLContext) -> AsyncIterator[MakeClient]:
    """Make clients with credentials; `make_client(token=..., ...)`."""
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> RingCentral:
            rc = RingCentral(**({"client_id": "ID", "client_secret": "SECRET", "ssl_context": tls} | options))
            stack.push_async_callback(rc.aclose)
            return rc

        yield make


@pytest.fixture
async def rc(make_client: MakeClient, token: Token) -> RingCentral:
    """Return a client that is logged in."""
    return make_client(token=token)
