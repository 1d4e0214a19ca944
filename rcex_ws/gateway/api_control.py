"""The faults over HTTP, so that a test in any language can use them: `POST /_gateway/<name>`, `GET /_gateway/log`.

Routes of the REST application, outside of RingCentral's paths; the body is the JSON of the keyword arguments of the
`GatewayApp` method of that name, an empty one takes the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.call import json_body
from rcex_ws.gateway.problem import Problem

__all__ = ["Controls", "routes"]

_NAMES = (
    "cut",
    "error",
    "freeze",
    "thaw",
    "refuse",
    "fail_recovery",
    "answer_fault",
    "clear_faults",
    "send_raw",
    "notify",
    "clear_log",
)


class Controls(Protocol):
    """What the routes need of the gateway, besides the methods they call by name."""

    def log(self) -> list[dict[str, Any]]:
        """Return what happened."""
        ...


def routes(controls: Controls) -> list[Route]:
    """Return the routes."""

    async def read_log(request: Request) -> Response:
        return JSONResponse(controls.log())

    def route(name: str) -> Route:
        method: Callable[..., Any] = getattr(controls, name)

        async def call(request: Request) -> Response:
            arguments = await json_body(request)
            try:
                return JSONResponse({"result": method(**arguments)})
            except (TypeError, ValueError) as error:
                raise Problem(400, "CMN-101", str(error)) from error

        return Route(f"/_gateway/{name}", call, methods=["POST"])

    return [Route("/_gateway/log", read_log, methods=["GET"]), *(route(name) for name in _NAMES)]
