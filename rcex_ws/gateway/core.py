"""The rules and the state of the gateway in one object, with an injected clock and without I/O.

`app.py` makes one per gateway; REST handlers and WebSocket connections share it. It owns the parts and does what needs
several of them: publishing an event to every session whose filters match.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from rcex_ws.gateway.account.a2p import A2PStore
from rcex_ws.gateway.account.apps import AppRegistry
from rcex_ws.gateway.account.call_log import CallLog
from rcex_ws.gateway.account.calls import CallSwitch
from rcex_ws.gateway.account.contacts import AddressBook
from rcex_ws.gateway.account.media import MediaStore
from rcex_ws.gateway.account.messages import MessageStore
from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionDirectory, ExtensionRecord
from rcex_ws.gateway.account.presence import PresenceBoard
from rcex_ws.gateway.account.settings import SettingsStore
from rcex_ws.gateway.account.team.messaging import TeamMessaging
from rcex_ws.gateway.clock import Clock, iso
from rcex_ws.gateway.faults import Faults
from rcex_ws.gateway.filters import EventFilter, best_match, resolve
from rcex_ws.gateway.journal import Journal, redacted
from rcex_ws.gateway.limits import RateLimits
from rcex_ws.gateway.near_misses import NearMisses
from rcex_ws.gateway.oauth import OAuth
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.sessions import ServerFrame, ServerSession, ServerSessions
from rcex_ws.gateway.subscriptions import ServerSubscription, ServerSubscriptions
from rcex_ws.gateway.tap import FrameTap
from rcex_ws.gateway.webhooks import WebhookSender

__all__ = ["Body", "GatewayCore", "StatePart"]

_logger = logging.getLogger(__name__)

Body = Mapping[str, Any] | Callable[[EventFilter, str], Mapping[str, Any]]
"""The inner body of a notification, or a function from the matching filter and the server's base URL to that body."""

UNKNOWN_SERVER = "http://gateway.invalid"


@runtime_checkable
class StatePart(Protocol):
    """A part of the state that survives a restart, see `rcex_ws.gateway.state`."""

    def dump(self) -> Any:
        """Return what it has as JSON-ready data."""
        ...

    def load(self, saved: Any) -> None:
        """Take back what `dump` has returned, in a gateway that has just been made."""
        ...


class GatewayCore:
    """The state of one gateway.

    Args:
        options: the options.
        now: returns monotonic seconds.

    Attributes:
        server: the base URL of the REST API, for URIs in answers when the one that the client has used is unknown.
        ws_uri_for: returns the address of the WebSocket for the REST address that a client has used, or raises a
            `Problem` if there is none at present; set by `GatewayApp`, like the next one.
        on_change: called by `changed`; set by what keeps the state in a file.
        on_login_ended: called when logins may have ended or been renewed, so that their WebSockets can be rechecked.
    """

    def __init__(self, options: GatewayOptions, now: Callable[[], float]) -> None:
        self.options = options
        self.server = UNKNOWN_SERVER
        self.ws_uri_for: Callable[[str], str] = lambda server: ""
        self.on_login_ended: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None
        self.clock = Clock(now)
        self.journal = Journal(self.clock)
        self.apps = AppRegistry(options.client_id, options.client_secret, options.permissions)
        self.tap = FrameTap(self.journal)
        self.people = ExtensionDirectory(options.jwt, options.second_jwt)
        self.calls = CallSwitch(self.clock)
        self.call_log = CallLog(self.clock)
        self.presence = PresenceBoard(self.calls.telephony_status)
        self.contacts = AddressBook()
        self.settings = SettingsStore()
        self.media = MediaStore()
        self.messages = MessageStore(self.clock)
        self.a2p = A2PStore(self.clock)
        self.team = TeamMessaging(self.people, self.clock)
        self.faults = Faults()
        self.near_misses = NearMisses(self.journal)
        self.limits = RateLimits(options.rate_limits, options.rate_window)
        self.oauth = OAuth(options, self.clock, self.apps, self.people)
        self.subscriptions = ServerSubscriptions(options, self.clock, self.people.by_id, self.apps)
        self.webhooks = WebhookSender(self.journal, self.clock)
        self.sessions = ServerSessions(options, self.clock, self.subscriptions)
        self._last_uuid = int(self.clock.wall().timestamp() * 1000) << 20

    @property
    def parts(self) -> dict[str, StatePart]:
        """The parts of the state that survive a restart, by their names here, in the order in which to load them."""
        return {name: part for name, part in vars(self).items() if isinstance(part, StatePart)}

    def insist_on_options(self) -> None:
        """Give the first application and users the credentials in the options, which win over a seed and a state."""
        app, options = self.apps.first, self.options
        app.client_id = options.client_id or app.client_id
        app.client_secret = app.client_secret if options.client_secret is None else options.client_secret
        app.permissions = app.permissions if options.permissions is None else list(options.permissions)
        for one, jwt in zip(self.people.extensions, (options.jwt, options.second_jwt), strict=False):
            one.jwt = jwt or one.jwt

    def changed(self) -> None:
        """Say that a request or a command may have changed the state, which is saved and shown on the console."""
        self.on_change()
        self.tap.changed()

    def publish(
        self,
        event: str,
        body: Body,
        owner: ExtensionRecord | None = None,
        *,
        wanted: str | None = None,
        audience: Collection[str] | None = None,
    ) -> list[str]:
        """Send a notification to every session whose filters match; buffer it for a lost session.

        Args:
            event: path and query of the event; `~` stands for `owner`.
            body: the inner body.
            owner: the extension that the event belongs to, by default the first.
            wanted: the filter to deliver it to instead of those that match the event; the `event` member of the
                notification is then the event itself, otherwise the filter.
            audience: ids of the extensions that may have the event, for events whose path names nobody, such as posts
                in a chat; None if the path says whose it is.

        Returns:
            The uuids of the notifications, one per matching subscription.
        """
        extension_id = (owner or self.people.first).id
        resolved = resolve(event, ACCOUNT_ID, extension_id)
        matched = resolved if wanted is None else resolve(wanted, ACCOUNT_ID, extension_id)
        uuids: list[str] = []
        for subscription in self.subscriptions.live():
            if audience is not None and subscription.owner.id not in audience:
                continue
            chosen = best_match(subscription.filters, matched)
            if chosen is not None:
                session = self.sessions.get(subscription.session_id)
                server = (session and session.oauth.server) or self.server
                inner = body(chosen, server) if callable(body) else body
                name = chosen.event_name(resolved) if wanted is None else resolved.text
                frame = self._notification(subscription, name, inner)
                self._deliver(subscription, session, frame)
                uuids.append(frame.meta["messageId"])
        return uuids

    def publish_on_command(self, event: str, body: Mapping[str, Any], wanted: str | None = None) -> list[str]:
        """Publish what a test asked for, and report it if no filter matches; see `publish`."""
        uuids = self.publish(event, body, wanted=wanted)
        if not uuids:
            looked_for = redacted(resolve(wanted or event, ACCOUNT_ID, self.people.first.id).text)
            filters = sorted({one.text for subscription in self.subscriptions.live() for one in subscription.filters})
            self.journal.add("unmatched", event=looked_for, filters=filters)
            known = redacted(", ".join(filters)) or "none"
            _logger.warning("no subscription has a filter for %s; the existing filters are: %s", looked_for, known)
        return uuids

    def _notification(self, subscription: ServerSubscription, event: str, inner: Mapping[str, Any]) -> ServerFrame:
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
            "event": event,
            "timestamp": iso(self.clock.wall()),
            "subscriptionId": subscription.id,
            "ownerId": subscription.owner.id,
            "body": inner,
        }
        return ServerFrame(meta, body)

    def _deliver(self, subscription: ServerSubscription, session: ServerSession | None, frame: ServerFrame) -> None:
        if subscription.hook is not None and subscription.hook.blacklisted_at is not None:
            self.log_notification(frame, "dropped")
        elif subscription.hook is not None:
            self.log_notification(frame, "posted")
            self.webhooks.put(subscription, frame.body)
        elif session is None or not self.sessions.can_recover(session):
            self.log_notification(frame, "dropped")
        elif session.connection is not None:
            session.connection.deliver(frame)
            self.log_notification(frame, "sent", connection=session.connection.id)
        else:
            self.log_notification(frame, "buffered")
            pushed_out = self.sessions.keep(session, frame)
            if pushed_out is not None:
                self.log_notification(pushed_out, "dropped")

    def log_notification(self, frame: ServerFrame, state: str, **facts: Any) -> None:
        """Log the state of a notification: "sent", "posted" to a webhook, "buffered" or "dropped"."""
        self.journal.add("notification", uuid=frame.body["uuid"], event=frame.body["event"], state=state, **facts)
