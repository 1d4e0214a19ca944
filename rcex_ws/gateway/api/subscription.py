"""The subscription endpoints, over HTTP and over a WebSocket: of WebSockets and of webhooks.

The rules are in `rcex_ws.gateway.subscriptions`, `rcex_ws.gateway.sessions` and `rcex_ws.gateway.webhooks`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rcex_ws.gateway.api.operation import Ask, Json, RestArea
from rcex_ws.gateway.call import CallSocket
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.near_misses import SUBSCRIBE
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_object
from rcex_ws.gateway.subscriptions import ServerSubscription
from rcex_ws.gateway.webhooks import HookTarget

__all__ = ["area"]

_PATH = "/restapi/v1.0/subscription"
_ONE = f"{_PATH}/{{subscriptionId}}"
_PERMISSIONS = {
    "WebSocket": ("WebSocketsSubscriptions", "SubscriptionWebSocket"),
    "WebHook": ("SubscriptionWebhook", "SubscriptionWebhook"),
}
"""The permission for each transport, and RingCentral's name for it in the text of SUB-528."""
_HOOK_LIFE = 604_800
_LONGEST_HOOK_LIFE = 630_720_000
"""Seconds (RingCentral's API reference): seven days unless told otherwise, twenty years at most."""

area = RestArea("Subscriptions")


@area.post(_PATH)
async def create_subscription(ask: Ask[None, dict[str, Any]]) -> Json:
    """Create a subscription."""
    mode = as_object(ask.body.get("deliveryMode")) or {}
    socket, transport = ask.socket, mode.get("transportType")
    # Over HTTP RingCentral offers only webhooks.
    if transport != "WebHook" and (socket is None or transport != "WebSocket"):
        raise Problem(400, "CMN-101", "Parameter [deliveryMode.transportType] value is invalid")
    permission, shown = _PERMISSIONS[transport]
    if not ask.login.app.may(permission):
        text = f"[{shown}] application permission is required for [{transport}] transport"
        raise Problem(403, "SUB-528", text)
    subscriptions, filters = ask.core.subscriptions, ask.body.get("eventFilters")
    if transport == "WebSocket" and socket is not None:
        one = subscriptions.create(ask.caller, filters, socket.session.subscription_id, ask.login.app)
        return _bind(ask.core, socket, one, "subscribe")
    target = _target(mode, _life(ask.body, _HOOK_LIFE))
    await ask.core.webhooks.validate(target)
    one = subscriptions.create(ask.caller, filters, app=ask.login.app)
    return _hook(ask, one, target, "subscribe")


@area.get(_PATH)
def list_subscriptions(ask: Ask[None, None]) -> Json:
    """List the subscriptions of the caller."""
    uri = _PATH if ask.socket else f"{ask.server}{_PATH}"
    mine = ask.core.subscriptions.of(ask.caller, ask.login.app)
    return {"uri": uri, "records": [_body(ask, one) for one in mine]}


@area.get(_ONE)
def read_subscription(ask: Ask[None, None]) -> Json:
    """Read a subscription."""
    return _body(ask, _subscription(ask))


@area.put(_ONE)
async def update_subscription(ask: Ask[None, dict[str, Any]]) -> Json:
    """Change the filters of a subscription, or renew it."""
    one = _subscription(ask)
    if one.hook is not None:
        mode = as_object(ask.body.get("deliveryMode"))
        life = _life(ask.body, one.hook.expires_in)
        target = replace(one.hook, expires_in=life) if mode is None else _target(mode, life)
        if mode is not None or one.hook.blacklisted_at is not None:
            await ask.core.webhooks.validate(target)
            one = _subscription(ask)  # it may have been deleted meanwhile
            target = replace(target, blacklisted_at=None, reason=None)
        ask.core.subscriptions.change(one, ask.body.get("eventFilters"))
        return _hook(ask, one, target, "resubscribe")
    if ask.socket is None:
        raise Problem(405, "SUB-511", "WebSocket subscriptions cannot be updated via HTTP")
    ask.core.subscriptions.change(one, ask.body.get("eventFilters"))
    return _bind(ask.core, ask.socket, one, "resubscribe")


@area.delete(_ONE)
def delete_subscription(ask: Ask[None, None]) -> None:
    """Delete a subscription."""
    one = _subscription(ask)
    ask.core.subscriptions.delete(one)
    ask.core.journal.add("unsubscribe", subscription=one.id)


@area.post(f"{_ONE}/renew")
async def renew_subscription(ask: Ask[None, None]) -> Json:
    """Renew a subscription; one of a WebSocket lives as long as that anyway."""
    one = _subscription(ask)
    target = one.hook
    if target is not None:
        if target.blacklisted_at is not None:
            await ask.core.webhooks.validate(target)
            one = _subscription(ask)  # it may have been deleted meanwhile
        ask.core.subscriptions.hook_to(one, replace(target, blacklisted_at=None, reason=None))
    return _body(ask, one)


def _subscription(ask: Ask[Any, Any]) -> ServerSubscription:
    return ask.core.subscriptions.get(ask.caller, ask.path["subscriptionId"], ask.login.app)


def _body(ask: Ask[Any, Any], one: ServerSubscription) -> dict[str, Any]:
    """Return a subscription; its URI is a path over a WebSocket (as recorded), and absolute over HTTP."""
    return ask.core.subscriptions.body(one, "" if ask.socket else ask.server)


def _bind(core: GatewayCore, socket: CallSocket, one: ServerSubscription, kind: str) -> Json:
    """Send the notifications of a subscription to this WebSocket from now on."""
    core.sessions.bind(socket.session, one)
    filters = _filters(core, one)
    core.journal.add(kind, connection=socket.id, subscription=one.id, filters=filters)
    return core.subscriptions.body(one, "")


def _hook(ask: Ask[Any, Any], one: ServerSubscription, target: HookTarget, kind: str) -> Json:
    """Post the notifications of a subscription to this address from now on."""
    ask.core.subscriptions.hook_to(one, target)
    filters = _filters(ask.core, one)
    ask.core.journal.add(kind, subscription=one.id, address=target.address, filters=filters)
    return _body(ask, one)


def _filters(core: GatewayCore, one: ServerSubscription) -> list[str]:
    """Return the filters of a subscription, and report those for which the gateway never sends anything by itself."""
    for item in one.filters:
        if not item.is_served:
            core.near_misses.add(SUBSCRIBE, item.path, "filter")
    return [item.text for item in one.filters]


def _target(mode: dict[str, Any], life: int) -> HookTarget:
    address, token = mode.get("address"), mode.get("verificationToken")
    if not isinstance(address, str):
        raise Problem(400, "CMN-101", "Parameter [deliveryMode.address] value is invalid")
    if token is not None and not isinstance(token, str):
        raise Problem(400, "CMN-101", "Parameter [deliveryMode.verificationToken] value is invalid")
    return HookTarget(address, token, life)


def _life(body: dict[str, Any], default: int) -> int:
    life = body.get("expiresIn", default)
    if isinstance(life, bool) or not isinstance(life, int) or not 1 <= life <= _LONGEST_HOOK_LIFE:
        raise Problem(400, "CMN-101", "Parameter [expiresIn] value is invalid")
    return life
