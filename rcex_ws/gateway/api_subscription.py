"""The subscription endpoints, over HTTP and over a WebSocket.

Routes of the REST application; the rules are in `subscriptions.py` and `sessions.py`.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rcex_ws.gateway.call import CallSocket, json_body, login_of, server_of, socket_of
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_object
from rcex_ws.gateway.subscriptions import ServerSubscription

__all__ = ["routes"]

_PATH = "/restapi/v1.0/subscription"


def routes(core: GatewayCore) -> list[Route]:
    """Return the routes."""
    subscriptions = core.subscriptions

    def subscription_of(request: Request) -> ServerSubscription:
        return subscriptions.get(login_of(request).owner, request.path_params["subscription_id"])

    def body_of(request: Request, one: ServerSubscription) -> dict[str, Any]:
        """Return a subscription; its URI is a path over a WebSocket (as recorded), and absolute over HTTP."""
        return subscriptions.body(one, "" if socket_of(request) else server_of(request))

    def bind(socket: CallSocket, one: ServerSubscription, kind: str) -> Response:
        """Send the notifications of a subscription to this WebSocket from now on."""
        core.sessions.bind(socket.session, one)
        filters = [item.text for item in one.filters]
        core.journal.add(kind, connection=socket.id, subscription=one.id, filters=filters)
        return JSONResponse(subscriptions.body(one, ""))

    async def create(request: Request) -> Response:
        socket = socket_of(request)
        body = await json_body(request)
        mode = as_object(body.get("deliveryMode")) or {}
        if socket is None or mode.get("transportType") != "WebSocket":
            # Over HTTP RingCentral offers only webhooks, which this gateway does not send.
            raise Problem(400, "CMN-101", "Parameter [deliveryMode.transportType] value is invalid")
        one = subscriptions.create(login_of(request).owner, body.get("eventFilters"), socket.session.subscription_id)
        return bind(socket, one, "subscribe")

    async def change(request: Request) -> Response:
        socket = socket_of(request)
        if socket is None:
            raise Problem(405, "SUB-511", "WebSocket subscriptions cannot be updated via HTTP")
        one = subscription_of(request)
        subscriptions.change(one, (await json_body(request)).get("eventFilters"))
        return bind(socket, one, "resubscribe")

    async def read(request: Request) -> Response:
        return JSONResponse(body_of(request, subscription_of(request)))

    async def read_all(request: Request) -> Response:
        uri = _PATH if socket_of(request) else f"{server_of(request)}{_PATH}"
        records = [body_of(request, one) for one in subscriptions.of(login_of(request).owner)]
        return JSONResponse({"uri": uri, "records": records})

    async def delete(request: Request) -> Response:
        one = subscription_of(request)
        subscriptions.delete(one)
        core.journal.add("unsubscribe", subscription=one.id)
        return Response(status_code=204)

    one_path = f"{_PATH}/{{subscription_id}}"
    return [
        Route(_PATH, create, methods=["POST"]),
        Route(_PATH, read_all, methods=["GET"]),
        Route(one_path, read, methods=["GET"]),
        Route(one_path, change, methods=["PUT"]),
        Route(one_path, delete, methods=["DELETE"]),
        Route(f"{one_path}/renew", read, methods=["POST"]),  # a subscription lives as long as its WebSocket anyway
    ]
