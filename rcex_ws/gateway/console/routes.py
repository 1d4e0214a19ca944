"""The paths of the console below /_gateway: its files, its events, the state, the credentials.

Routes of the REST application, made by `app.py`. Pages of other origins are refused by `front.py` before they get here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.console.feed import ConsoleFeed, EventStream
from rcex_ws.gateway.console.page import page_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.origin import host_name, server_of
from rcex_ws.gateway.problem import Problem

__all__ = ["page", "routes"]

_FILES = {"console.js": "text/javascript", "console.css": "text/css"}
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing but its own files, in no frame of another page."""


def page(commands: Sequence[Callable[..., Any]]) -> Callable[[Request], Response]:
    """Return what answers with the page.

    Args:
        commands: what can be done on it.
    """
    return lambda request: HTMLResponse(page_of(commands, request.headers.get("host", "")), headers=_SAFE)


def routes(core: GatewayCore, state: Callable[[], dict[str, Any]]) -> list[Route]:
    """Return the routes.

    Args:
        core: the rules and the state of the gateway.
        state: returns what is there at the moment.
    """

    async def events(request: Request) -> Response:
        return EventStream(ConsoleFeed(core, state))

    async def read_state(request: Request) -> Response:
        return JSONResponse(state(), headers=_SAFE)

    async def read_credentials(request: Request) -> Response:
        if not _is_of_this_machine(request):
            raise Problem(403, "CMN-401", "Credentials are shown to browsers of this machine only")
        server = server_of(request.headers.get("host", "")) or core.server
        return PlainTextResponse(_credentials(core, server), headers=_SAFE)

    return [
        Route("/_gateway/events", events, methods=["GET"]),
        Route("/_gateway/state", read_state, methods=["GET"]),
        Route("/_gateway/console/credentials", read_credentials, methods=["GET"]),
        Route("/_gateway/console/{name}", _read_file, methods=["GET"]),
    ]


async def _read_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        raise Problem(404, "CMN-102", "Resource is not found")
    return Response(_content(name), media_type=_FILES[name], headers=_SAFE)


@cache
def _content(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()


def _is_of_this_machine(request: Request) -> bool:
    """Return whether both the client's address and the name by which it came are of this machine."""
    came_by = host_name(request.headers.get("host", "")).strip("[]")
    client = "" if request.client is None else request.client.host
    return _is_loopback(client) and (came_by == "localhost" or _is_loopback(came_by))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _credentials(core: GatewayCore, server: str) -> str:
    """Return what `python -m rcex_ws.gateway` prints: the lines of a `.env` file."""
    jwts = [one.jwt for one in core.people.extensions]
    lines = {
        "SERVER_URL": server,
        "CLIENT_ID": core.apps.first.client_id,
        "CLIENT_SECRET": core.apps.first.client_secret,
        **dict(zip(("JWT", "SECOND_JWT"), jwts, strict=False)),
    }
    return "".join(f"RINGCENTRAL_{name}={value}\n" for name, value in lines.items())
