"""The faults over HTTP, so that a test in any language can use them: `POST /_gateway/<name>`, `GET /_gateway/log`.

Routes of the REST application, outside of RingCentral's paths, made by `app.py` from its own methods; the body is the
JSON of a method's keyword arguments, an empty one takes the defaults. `GET /` says what this server is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.call import json_body
from rcex_ws.gateway.problem import Problem

__all__ = ["routes"]

_LOG = "/_gateway/log"


def routes(log: Callable[[], list[dict[str, Any]]], controls: Sequence[Callable[..., Any]]) -> list[Route]:
    """Return the routes.

    Args:
        log: Gives the record of what happened.
        controls: What can be ordered, each under its own name.
    """
    about = {
        "server": "rcex_ws.gateway, a local RingCentral for tests",
        "credentials": "the first four lines that `python -m rcex_ws.gateway` prints; attributes of a `Gateway` object",
        "log": _LOG,
        "faults": [f"/_gateway/{control.__name__}" for control in controls],
    }

    async def introduce(request: Request) -> Response:
        return JSONResponse(about)

    async def read_log(request: Request) -> Response:
        return JSONResponse(log())

    def route(control: Callable[..., Any]) -> Route:
        async def call(request: Request) -> Response:
            arguments = await json_body(request)
            try:
                return JSONResponse({"result": control(**arguments)})
            except (TypeError, ValueError) as error:
                raise Problem(400, "CMN-101", str(error)) from error

        return Route(f"/_gateway/{control.__name__}", call, methods=["POST"])

    return [
        Route("/", introduce, methods=["GET"]),
        Route(_LOG, read_log, methods=["GET"]),
        *(route(control) for control in controls),
    ]
