"""The subscription endpoints, over HTTP and over a WebSocket.

The rules are in `rcex_ws.gateway.subscriptions` and `rcex_ws.gateway.sessions`.
"""

from __future__ import annotations

from typing import Any

from rcex_ws.gateway.api.operation import Ask, Json, RestArea
from rcex_ws.gateway.call import CallSocket
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_object
from rcex_ws.gateway.subscriptions import ServerSubscription

__all__ = ["area"]

_PATH = "/restapi/v1.0/subscription"
_ONE = f"{_PATH}/{{subscriptionId}}"

area = RestArea("Subscriptions")


@area.post(_PATH)
def create_subscription(ask: Ask[None, dict[str, Any]]) -> Json:
    """Create a subscription."""
    mode = as_object(ask.body.get("deliveryMode")) or {}
    socket = ask.socket
    if socket is None or mode.get("transportType") != "WebSocket":
        # Over HTTP RingCentral offers only webhooks, which this gateway does not send.
        raise Problem(400, "CMN-101", "Parameter [deliveryMode.transportType] value is invalid")
    if not ask.login.app.may("WebSocketsSubscription"):
        text = "[SubscriptionWebSocket] application permission is required for [WebSocket] transport"
        raise Problem(403, "SUB-528", text)
    subscriptions, replaced = ask.core.subscriptions, socket.session.subscription_id
    one = subscriptions.create(ask.caller, ask.body.get("eventFilters"), replaced, ask.login.app)
    return _bind(ask.core, socket, one, "subscribe")


@area.get(_PATH)
def list_subscriptions(ask: Ask[None, None]) -> Json:
    """List the subscriptions of the caller."""
    uri = _PATH if ask.socket else f"{ask.server}{_PATH}"
    return {"uri": uri, "records": [_body(ask, one) for one in ask.core.subscriptions.of(ask.caller, ask.login.app)]}


@area.get(_ONE)
def read_subscription(ask: Ask[None, None]) -> Json:
    """Read a subscription."""
    return _body(ask, _subscription(ask))


@area.put(_ONE)
def update_subscription(ask: Ask[None, dict[str, Any]]) -> Json:
    """Change the filters of a subscription, or renew it."""
    if ask.socket is None:
        raise Problem(405, "SUB-511", "WebSocket subscriptions cannot be updated via HTTP")
    one = _subscription(ask)
    ask.core.subscriptions.change(one, ask.body.get("eventFilters"))
    return _bind(ask.core, ask.socket, one, "resubscribe")


@area.delete(_ONE)
def delete_subscription(ask: Ask[None, None]) -> None:
    """Delete a subscription."""
    one = _subscription(ask)
    ask.core.subscriptions.delete(one)
    ask.core.journal.add("unsubscribe", subscription=one.id)


@area.post(f"{_ONE}/renew")
def renew_subscription(ask: Ask[None, None]) -> Json:
    """Renew a subscription, which lives as long as its WebSocket anyway."""
    return _body(ask, _subscription(ask))


def _subscription(ask: Ask[Any, Any]) -> ServerSubscription:
    return ask.core.subscriptions.get(ask.caller, ask.path["subscriptionId"], ask.login.app)


def _body(ask: Ask[Any, Any], one: ServerSubscription) -> dict[str, Any]:
    """Return a subscription; its URI is a path over a WebSocket (as recorded), and absolute over HTTP."""
    return ask.core.subscriptions.body(one, "" if ask.socket else ask.server)


def _bind(core: GatewayCore, socket: CallSocket, one: ServerSubscription, kind: str) -> Json:
    """Send the notifications of a subscription to this WebSocket from now on."""
    core.sessions.bind(socket.session, one)
    filters = [item.text for item in one.filters]
    core.journal.add(kind, connection=socket.id, subscription=one.id, filters=filters)
    return core.subscriptions.body(one, "")
