"""Fault control over HTTP, for tests in any language: `POST /_gateway/<name>`; `GET /_gateway/log` and others read.

Routes of the REST application, outside RingCentral's paths, made from the commands of `rcex_ws.gateway.commands`. The
body is a JSON object with the keyword arguments of the method; an empty body means the defaults. `GET /` and
`GET /_gateway` describe this server and list the commands with their arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.call import json_body
from rcex_ws.gateway.problem import Problem

__all__ = ["routes"]

_HOME = "/_gateway"
_LOG = f"{_HOME}/log"
_NEAR_MISSES = f"{_HOME}/near_misses"
_READY = f"{_HOME}/ready"
_UNMATCHED = "no subscription has a filter for it; the log lists the existing filters"


def routes(
    log: Callable[[], list[dict[str, Any]]],
    near_misses: Callable[[], list[dict[str, Any]]],
    controls: Sequence[Callable[..., Any]],
    page: Callable[[Request], Response],
) -> list[Route]:
    """Return the routes.

    Args:
        log: returns the entries of the log.
        near_misses: returns what was asked that is not there.
        controls: the methods to expose, each under its own name.
        page: returns the console, which a browser gets at "/" instead of the description.
    """

    async def describe(request: Request) -> Response:
        about = {
            "server": "rcex_ws.gateway, a local RingCentral for tests",
            "credentials": "the first four lines that `python -m rcex_ws.gateway` prints; attributes of a `Gateway`",
            "log": _LOG,
            "near_misses": _NEAR_MISSES,
            "ready": _READY,
            "commands": {f"{_HOME}/{control.__name__}": _description(control) for control in controls},
        }
        return JSONResponse(about)

    async def home(request: Request) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        return page(request) if wants_page else await describe(request)

    async def read_log(request: Request) -> Response:
        return JSONResponse(log())

    async def read_near_misses(request: Request) -> Response:
        return JSONResponse(near_misses())

    async def read_ready(request: Request) -> Response:
        return JSONResponse({"ready": True})

    def route(control: Callable[..., Any]) -> Route:
        async def call(request: Request) -> Response:
            arguments = await json_body(request)
            _check_members(control, arguments)
            try:
                result = control(**arguments)
            except (TypeError, ValueError) as error:
                raise Problem(400, "CMN-101", f"{control.__name__}: {error}") from error
            if result == []:  # the uuids of notifications
                return JSONResponse({"result": result, "note": _UNMATCHED})
            return JSONResponse({"result": result})

        return Route(f"{_HOME}/{control.__name__}", call, methods=["POST"])

    return [
        Route("/", home, methods=["GET"]),
        Route(_HOME, describe, methods=["GET"]),
        Route(_LOG, read_log, methods=["GET"]),
        Route(_NEAR_MISSES, read_near_misses, methods=["GET"]),
        Route(_READY, read_ready, methods=["GET"]),
        *(route(control) for control in controls),
    ]


def _description(control: Callable[..., Any]) -> dict[str, Any]:
    """Return what a command does and which members its body accepts."""
    summary, _, _ = (inspect.getdoc(control) or "").partition("\n")
    return {"does": summary, "members": list(inspect.signature(control).parameters)}


def _check_members(control: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Check the members of a body against the parameters of the command.

    Raises:
        Problem: 400 CMN-101 for a missing or unknown member.
    """
    members = inspect.signature(control).parameters
    missing = [name for name, member in members.items() if member.default is member.empty and name not in arguments]
    unknown = [name for name in arguments if name not in members]
    for complaint, names in (("is missing", missing), ("is not known", unknown)):
        if names:
            takes = f"it takes {', '.join(members)}" if members else "it takes none"
            raise Problem(400, "CMN-101", f"{control.__name__}: the member `{names[0]}` {complaint}; {takes}")
