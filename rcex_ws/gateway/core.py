"""The rules of the gateway in one object, with an injected clock and without any I/O.

`app.py` builds one per gateway; REST handlers and WebSocket connections share it. It owns the parts and does the one
thing that needs several of them: to publish an event to every session whose filters match.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from rcex_ws.gateway.clock import Clock, iso
from rcex_ws.gateway.faults import Faults
from rcex_ws.gateway.filters import EventFilter, best_match, resolve
from rcex_ws.gateway.journal import Journal
from rcex_ws.gateway.limits import RateLimits
from rcex_ws.gateway.oauth import OAuth
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.sessions import Frame, Sessions
from rcex_ws.gateway.store import ACCOUNT_ID, Extension, Store
from rcex_ws.gateway.subscriptions import Subscription, Subscriptions

__all__ = ["Body", "Core"]

Body = Mapping[str, Any] | Callable[[EventFilter], Mapping[str, Any]]
"""A notification's inner body, or how to make it for the filter that gets it."""


class Core:
    """Hold the state of one gateway.

    Args:
        options: Its knobs.
        now: A monotonic time in seconds.
    """

    def __init__(self, options: GatewayOptions, now: Callable[[], float]) -> None:
        self.options = options
        self.clock = Clock(now)
        self.journal = Journal(self.clock)
        self.store = Store(self.clock, options.jwt)
        self.faults = Faults()
        self.limits = RateLimits(options.rate_limits, options.rate_window)
        self.oauth = OAuth(options, self.clock)
        self.subscriptions = Subscriptions(options, self.clock)
        self.sessions = Sessions(options, self.clock, self.subscriptions)
        self._last_uuid = int(self.clock.wall().timestamp() * 1000) << 20

    def publish(self, event: str, body: Body, owner: Extension | None = None) -> list[str]:
        """Send a notification to every session whose filters match; a lost session gets it in its buffer.

        Args:
            event: Path and query of the event; `~` stands for `owner`.
            body: The inner body.
            owner: Whose event it is, the first extension unless told.

        Returns:
            The uuids of the notifications, one per matching subscription.
        """
        resolved = resolve(event, ACCOUNT_ID, (owner or self.store.extensions[0]).id)
        uuids: list[str] = []
        for subscription in self.subscriptions.live():
            chosen = best_match(subscription.filters, resolved)
            if chosen is not None:
                inner = body(chosen) if callable(body) else body
                frame = self._notification(subscription, chosen, inner)
                self._deliver(subscription, frame)
                uuids.append(frame.meta["messageId"])
        return uuids

    def _notification(self, subscription: Subscription, chosen: EventFilter, inner: Mapping[str, Any]) -> Frame:
        self._last_uuid += 1
        number = str(self._last_uuid)
        meta: dict[str, Any] = {
            "type": "ServerNotification",
            "messageId": number,
            "status": 200,
            "headers": {"RCRequestId": str(uuid.uuid4())},
        }
        body = {
            "uuid": number,
            "event": chosen.text,
            "timestamp": iso(self.clock.wall()),
            "subscriptionId": subscription.id,
            "ownerId": subscription.owner.id,
            "body": inner,
        }
        return Frame(meta, body)

    def _deliver(self, subscription: Subscription, frame: Frame) -> None:
        session = self.sessions.get(subscription.session_id)
        if session is None or not self.sessions.can_recover(session):
            self.note(frame, "dropped")
        elif session.link is not None:
            session.link.deliver(frame)
            self.note(frame, "sent", connection=session.link.id)
        else:
            self.note(frame, "buffered")
            pushed_out = self.sessions.keep(session, frame)
            if pushed_out is not None:
                self.note(pushed_out, "dropped")

    def note(self, frame: Frame, state: str, **facts: Any) -> None:
        """Record what became of a notification: "sent", "buffered" or "dropped"."""
        self.journal.add("notification", uuid=frame.body["uuid"], event=frame.body["event"], state=state, **facts)
