"""The REST application: all operations of the local RingCentral, and its errors in RingCentral's format.

Built once per gateway by `app.py`, which runs it behind `front.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rcex_ws.gateway.api import (
    a2p,
    account,
    authorize,
    call_handling,
    call_log,
    contacts,
    dictionary,
    directory,
    discovery,
    favorites,
    fax,
    message_store,
    message_sync,
    oauth,
    pager,
    people,
    presence,
    profile_image,
    prompts,
    recordings,
    ring_out,
    sms,
    subscription,
    team,
    telephony,
    versions,
)
from rcex_ws.gateway.api.openapi import openapi_document
from rcex_ws.gateway.api.operation import RestOperation
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.filters import SERVED_FILTERS
from rcex_ws.gateway.near_misses import SUBSCRIBE
from rcex_ws.gateway.problem import Problem

__all__ = ["AREAS", "build"]

AREAS: tuple[Iterable[RestOperation], ...] = (
    oauth.area,
    authorize.area,
    versions.area,
    discovery.area,
    subscription.area,
    account.area,
    account.own_permissions,
    people.area,
    directory.area,
    contacts.area,
    profile_image.area,
    call_handling.area,
    prompts.area,
    dictionary.area,
    presence.area,
    message_store.area,
    message_sync.area,
    pager.area,
    sms.area,
    fax.area,
    a2p.area,
    favorites.area,
    telephony.area,
    ring_out.area,
    call_log.area,
    recordings.area,
    *team.AREAS,
)
"""The operations of all areas."""


def build(core: GatewayCore, *others: BaseRoute) -> Starlette:
    """Return an application with the operations of all areas, and with other routes."""
    core.near_misses.serve((operation.method, operation.path) for area in AREAS for operation in area)
    core.near_misses.serve((SUBSCRIBE, path) for path in SERVED_FILTERS)

    async def no_route(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        is_method = error.status_code == 405
        core.near_misses.add(request.method, request.scope["path"], "method" if is_method else "path")
        return _no_route(is_method=is_method)

    handlers = {Problem: _problem, HTTPException: no_route}
    application = Starlette(routes=[*_routes(), *others], exception_handlers=handlers)
    application.state.core = core
    return application


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the routes of all operations, which all gateways of the process share: making them takes a while."""
    own = Route("/openapi.json", _openapi, methods=["GET"])
    return (*(operation.route() for area in AREAS for operation in area), own)


@cache
def _document() -> bytes:
    return json.dumps(openapi_document(operation for area in AREAS for operation in area), indent=1).encode()


async def _openapi(request: Request) -> Response:
    return Response(_document(), media_type="application/json")


async def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem):
        raise error
    return JSONResponse(error.body(), error.status, error.headers())


def _no_route(*, is_method: bool) -> Response:
    if is_method:
        problem = Problem(405, "CMN-103", "Method is not allowed for this resource")
    else:
        problem = Problem(404, "CMN-102", "Resource is not found")
    return JSONResponse(problem.body(), problem.status)
