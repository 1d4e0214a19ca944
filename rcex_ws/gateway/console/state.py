"""What is there at a moment, for the console: sessions with their subscriptions, pending faults, nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.journal import redacted
from rcex_ws.gateway.nodes import Nodes
from rcex_ws.gateway.sessions import ServerSession

__all__ = ["state_of"]

_MOST_SESSIONS = 100
_MOST_FILTERS = 50
_MOST_FAULTS = 100


def state_of(core: GatewayCore, nodes: Nodes, node_of: Mapping[int, int]) -> dict[str, Any]:
    """Return what is there, as JSON-ready data without secrets.

    Args:
        core: the rules and the state.
        nodes: the nodes.
        node_of: the number of the node of each connection, by the number of the connection.
    """
    sessions = [one for one in core.sessions if one.connection is not None or _is_waited_for(core, one)]
    faults = core.faults.pending()
    return {
        "sessions": [_session(core, one, node_of) for one in sessions[-_MOST_SESSIONS:]],
        "session_count": len(sessions),
        "faults": [{name: _shown(value) for name, value in one.items()} for one in faults[:_MOST_FAULTS]],
        "fault_count": len(faults),
        "nodes": [{"number": one.number, "port": one.port, "alive": one.is_alive} for one in nodes],
    }


def _is_waited_for(core: GatewayCore, session: ServerSession) -> bool:
    """Return whether a lost session can be recovered."""
    return core.sessions.can_recover(session) and core.subscriptions.find(session.subscription_id) is not None


def _session(core: GatewayCore, session: ServerSession, node_of: Mapping[int, int]) -> dict[str, Any]:
    subscription = core.subscriptions.find(session.subscription_id)
    connection = None if session.connection is None else session.connection.id
    left = None
    if session.lost_at is not None:
        left = round(max(0.0, session.lost_at + core.options.recovery_timeout - core.clock.now()), 3)
    filters = [] if subscription is None else [one.text for one in subscription.filters]
    return {
        "id": session.id,
        "owner": {"name": session.oauth.owner.name, "number": session.oauth.owner.number},
        "connection": connection,
        "node": None if connection is None else node_of.get(connection),
        "recoverable_for": left,
        "buffered": len(session.buffer),
        "buffer_size": core.options.recovery_buffer_size,
        "subscription": None if subscription is None else subscription.id,
        "filters": redacted(filters[:_MOST_FILTERS]),
        "filter_count": len(filters),
        "disabled": [] if subscription is None else redacted([one.text for one in subscription.disabled]),
    }


def _shown(value: object) -> Any:
    return redacted(value if isinstance(value, str | int | float | None) else str(value))
