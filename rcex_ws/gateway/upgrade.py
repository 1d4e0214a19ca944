"""The HTTP upgrade of a WebSocket: accepted or refused.

Called by `websocket.py` once per connection. The decision depends on the wstoken (`oauth.py`) and on pending faults
(`faults.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.faults import RefusalFault
from rcex_ws.gateway.oauth import OAuthSession
from rcex_ws.gateway.problem import Problem
from rcex_ws.websocket.server_peer import ServerPeer

__all__ = ["WS_PATH", "Admission", "admit"]

WS_PATH = "/ws"

_NO_TOKEN = 4400
"""The code with which RingCentral closes a WebSocket opened without a wstoken, after accepting it (seen 2026)."""


@dataclass(frozen=True, slots=True)
class Admission:
    """An accepted upgrade: the login, and the wsc of the session to recover, if any."""

    login: OAuthSession
    wsc: str | None = field(repr=False)


async def admit(number: int, peer: ServerPeer, core: GatewayCore) -> Admission | None:
    """Answer an upgrade request.

    Args:
        number: identifies the connection in the log.
        peer: the client; the wstoken is the query parameter `access_token` or the bearer token of its request.
        core: the rules and the state.

    Returns:
        The login that the WebSocket belongs to, None if it was refused.
    """
    path, _, text = peer.request.path.partition("?")
    query = dict(parse_qsl(text))
    wstoken = query.get("access_token") or peer.request.headers.get("authorization", "").removeprefix("Bearer ")
    refusal = core.faults.take(RefusalFault, "upgrade")
    if refusal is not None and refusal.status in ("hang", "rst"):
        core.journal.add("upgrade_refused", connection=number, status=refusal.status)
        if refusal.status == "rst":
            peer.abort()
        await peer.wait_gone()
        return None
    try:
        if refusal is not None:
            raise refusal.problem()
        if not wstoken and _is_ours(path):
            core.journal.add("upgrade_refused", connection=number, status=_NO_TOKEN)
            await peer.accept()
            peer.close(_NO_TOKEN, "Access token is missing")
            return None
        login = _owner(core, path, wstoken)
    except Problem as problem:
        core.journal.add("upgrade_refused", connection=number, status=problem.status)
        headers = {"Content-Type": "application/json", **problem.headers()}
        await peer.refuse(problem.status, headers, json.dumps(problem.body()))
        return None
    await peer.accept()
    return Admission(login, query.get("wsc"))


def _is_ours(path: str) -> bool:
    return path.rstrip("/") == WS_PATH


def _owner(core: GatewayCore, path: str, wstoken: str) -> OAuthSession:
    if not _is_ours(path):
        raise Problem(404, "CMN-102", "Resource is not found")
    login = core.oauth.redeem_wstoken(wstoken)
    if len(core.sessions.connected(login)) >= core.options.max_connections_per_session:
        # RingCentral's answer to one connection too many is not documented.
        raise Problem(403, "WSG-403", "Too many WebSocket connections of this OAuth session")
    return login
