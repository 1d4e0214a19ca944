"""RingCentral's WebSocket gateway: one session, one subscription, REST over the socket, recovery. See extension.py."""

from rcex_ws.errors import BadFrame
from rcex_ws.wsg.announcer import GapHook
from rcex_ws.wsg.extension import WebSocketExtension
from rcex_ws.wsg.frames import Wsc
from rcex_ws.wsg.models import (
    ConnectionDetails,
    Events,
    Gap,
    Notification,
    Outcome,
    Recovery,
    SubscriptionInfo,
    SubscriptionState,
)
from rcex_ws.wsg.store import FileSessionStore, SessionStore, SessionUnreadable
from rcex_ws.wsg.stored import StoredSession
from rcex_ws.wsg.subscription import Callback, Subscription
from rcex_ws.wsg.telemetry import Stats

__all__ = [
    "BadFrame",
    "Callback",
    "ConnectionDetails",
    "Events",
    "FileSessionStore",
    "Gap",
    "GapHook",
    "Notification",
    "Outcome",
    "Recovery",
    "SessionStore",
    "SessionUnreadable",
    "Stats",
    "StoredSession",
    "Subscription",
    "SubscriptionInfo",
    "SubscriptionState",
    "WebSocketExtension",
    "Wsc",
]
