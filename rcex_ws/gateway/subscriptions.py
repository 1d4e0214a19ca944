"""Subscriptions: created, changed, listed and deleted, each for a WebSocket session or a webhook. Pure, no I/O.

Used by `api_subscription.py` (the client's calls) and `sessions.py` (a session lost, recovered or discarded).
Sources: RingCentral's API reference of /restapi/v1.0/subscription and recorded answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from rcex_ws.gateway.account.apps import AppRecord, AppRegistry
from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.clock import Clock, iso
from rcex_ws.gateway.filters import EventFilter, resolve
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.shapes import as_array
from rcex_ws.gateway.webhooks import HookTarget

__all__ = ["LIFE", "ServerSubscription", "ServerSubscriptions"]

LIFE = 86399
"""Seconds for which a WebSocket subscription outlives its connection (recorded 2021 and 2025)."""


_MOST_CHARACTERS = 2**21
"""In all filters of a subscription. RingCentral's own limit is not known, but stored data must be bounded."""

_PRIVATE = ("message-store", "voicemail", "fax")
"""The parts of an extension's data whose events only its owner gets (RingCentral's error codes, SUB-405)."""


@dataclass(slots=True, eq=False)
class ServerSubscription:
    """One subscription of one user and application; `session_id` is that of the WebSocket session it is bound to."""

    id: str
    owner: ExtensionRecord
    app: AppRecord | None
    created: str
    session_id: str | None = None
    filters: list[EventFilter] = field(default_factory=list[EventFilter])
    disabled: list[EventFilter] = field(default_factory=list[EventFilter])
    expires_at: float | None = None
    hook: HookTarget | None = None

    @property
    def uri(self) -> str:
        """The path of the subscription."""
        return f"/restapi/v1.0/subscription/{self.id}"

    def is_of(self, owner: ExtensionRecord, app: AppRecord | None) -> bool:
        """Return whether it is of this user, and of this application unless it is None."""
        return self.owner is owner and (app is None or self.app is app)


class ServerSubscriptions:
    """The subscriptions of all users.

    Args:
        options: the limit per user, and the filters that are not granted.
        clock: the source of time.
        by_id: returns the extension with an id or extension number.
        apps: the applications.
    """

    def __init__(
        self,
        options: GatewayOptions,
        clock: Clock,
        by_id: Callable[[str], ExtensionRecord | None],
        apps: AppRegistry,
    ) -> None:
        self._options = options
        self._clock = clock
        self._by_id = by_id
        self._apps = apps
        self._all: dict[str, ServerSubscription] = {}

    def create(
        self, owner: ExtensionRecord, filters: object, replaces: str | None = None, app: AppRecord | None = None
    ) -> ServerSubscription:
        """Create a subscription, not yet bound to a session.

        Args:
            owner: the user.
            filters: the event filters as the client sent them.
            replaces: id of the subscription that it will replace, which does not count against the limit.
            app: the application, None for one with every permission.

        Raises:
            Problem: 400 SUB-508 for invalid filters, 403 SUB-405 and others for data of other users, 403 CMN-401 if
                the application lacks the permission for a filter, 403 SUB-505 if the user has too many subscriptions.
        """
        granted, disabled = self._granted(owner, app, filters)
        if len([one for one in self.of(owner, app) if one.id != replaces]) >= self._options.max_subscriptions:
            raise Problem(403, "SUB-505", "Subscriptions limit exceeded")
        one = ServerSubscription(str(uuid.uuid4()), owner, app, iso(self._clock.wall()))
        one.filters, one.disabled = granted, disabled
        self._all[one.id] = one
        return one

    def change(self, one: ServerSubscription, filters: object) -> None:
        """Replace the filters of a subscription; None leaves them as they are.

        Raises:
            Problem: 400 SUB-508 for invalid filters, 403 SUB-405 and others for data of other users.
        """
        if filters is not None:
            one.filters, one.disabled = self._granted(one.owner, one.app, filters)

    def get(self, owner: ExtensionRecord, subscription_id: str, app: AppRecord | None = None) -> ServerSubscription:
        """Return a subscription of this user, and of this application unless it is None.

        Raises:
            Problem: 404 CMN-102 if the user has none with this id.
        """
        one = self._all.get(subscription_id)
        if one is None or not one.is_of(owner, app) or self._expired(one):
            raise Problem(404, "CMN-102", "Resource for parameter [subscriptionId] is not found")
        return one

    def find(self, subscription_id: str | None) -> ServerSubscription | None:
        """Return the live subscription with this id, of any user."""
        one = self._all.get(subscription_id) if subscription_id else None
        return None if one is None or self._expired(one) else one

    def of(self, owner: ExtensionRecord, app: AppRecord | None = None) -> list[ServerSubscription]:
        """Return the live subscriptions of a user, and of this application unless it is None, oldest first."""
        return [one for one in self.live() if one.is_of(owner, app)]

    def live(self) -> Sequence[ServerSubscription]:
        """Return all live subscriptions, and drop the expired ones."""
        self._all = {key: one for key, one in self._all.items() if not self._expired(one)}
        return list(self._all.values())

    def delete(self, one: ServerSubscription) -> None:
        """Delete a subscription; what is still queued for its address is dropped."""
        self._all.pop(one.id, None)
        one.hook = None

    def body(self, one: ServerSubscription, server: str) -> dict[str, Any]:
        """Return the JSON form of a subscription, with a URI below this base URL."""
        remaining = LIFE if one.expires_at is None else max(0, int(one.expires_at - self._clock.now()))
        body: dict[str, Any] = {
            "uri": f"{server}{one.uri}",
            "id": one.id,
            "creationTime": one.created,
            "status": "Active" if one.hook is None or one.hook.blacklisted_at is None else "Blacklisted",
            "eventFilters": [item.text for item in one.filters],
            "expirationTime": iso(self._clock.wall() + timedelta(seconds=remaining)),
            "expiresIn": remaining,
            "deliveryMode": {"transportType": "WebSocket", "encryption": False},
        }
        if one.hook is not None:
            body["deliveryMode"] = {"transportType": "WebHook", "encryption": False, "address": one.hook.address}
            if one.hook.blacklisted_at is not None:
                body["blacklistedData"] = {"blacklistedAt": one.hook.blacklisted_at, "reason": one.hook.reason}
        if one.disabled:
            body["disabledFilters"] = [
                {"filter": item.text, "reason": "SUB-406", "message": "Not allowed subscribe for events specified"}
                for item in one.disabled
            ]
        return body

    def hook_to(self, one: ServerSubscription, target: HookTarget) -> None:
        """Post the notifications of a subscription to an address from now on, for as long as that says."""
        one.hook = target
        one.expires_at = self._clock.now() + target.expires_in

    def dump(self) -> list[dict[str, Any]]:
        """Return the webhooks as JSON-ready data; the other subscriptions end with their sessions."""
        late = self._clock.wall().timestamp() - self._clock.now()
        return [
            {
                "id": one.id,
                "owner": one.owner.id,
                "app": one.app and one.app.client_id,
                "created": one.created,
                "filters": [item.text for item in one.filters],
                "disabled": [item.text for item in one.disabled],
                "expires": (one.expires_at or 0) + late,
                "hook": asdict(one.hook),
            }
            for one in self.live()
            if one.hook is not None
        ]

    def load(self, saved: list[dict[str, Any]]) -> None:
        """Take back the webhooks that `dump` has returned; those of users that are gone are dropped."""
        late = self._clock.wall().timestamp() - self._clock.now()
        for item in saved:
            owner, app = self._by_id(item["owner"]), self._apps.by_id(item["app"])
            if owner is not None:
                one = ServerSubscription(str(item["id"]), owner, app, str(item["created"]))
                one.filters = [EventFilter(text) for text in item["filters"]]
                one.disabled = [EventFilter(text) for text in item["disabled"]]
                one.hook = msgspec.convert(item["hook"], HookTarget)
                one.expires_at = float(item["expires"]) - late
                self._all[one.id] = one

    def _expired(self, one: ServerSubscription) -> bool:
        return one.expires_at is not None and self._clock.now() >= one.expires_at

    def _granted(
        self, owner: ExtensionRecord, app: AppRecord | None, filters: object
    ) -> tuple[list[EventFilter], list[EventFilter]]:
        texts = as_array(filters)
        if not texts:
            raise Problem(400, "SUB-508", "Event filters are not specified or malformed")
        if sum(len(text) for text in _strings(texts)) > _MOST_CHARACTERS:
            raise Problem(400, "SUB-508", "Event filters are too long")
        resolved: list[EventFilter] = []
        for text in _strings(texts):
            one = resolve(text, ACCOUNT_ID, owner.id)
            if not one.is_valid:
                raise Problem(400, "SUB-508", f"Event filter [{text[:200]}] is not supported")
            if app is not None:
                app.require(one.permission)
            resolved.append(self._allowed(owner, one))
        unwanted = {resolve(text, ACCOUNT_ID, owner.id).text for text in self._options.disabled_filters}
        granted = [one for one in resolved if one.text not in unwanted]
        return granted, [one for one in resolved if one.text in unwanted]

    def _allowed(self, owner: ExtensionRecord, wanted: EventFilter) -> EventFilter:
        """Return a filter with an extension number replaced by the extension's id.

        Raises:
            Problem: 403 if the extension does not exist, or its events are not allowed for the user.
        """
        account, number, part = wanted.owner
        if account and account != ACCOUNT_ID:
            raise Problem(403, "SUB-406", "Not allowed subscribe for events to extensions of other account")
        if not number:
            return wanted
        watched = self._by_id(number)
        if watched is None:
            raise Problem(403, "SUB-408", "Not allowed subscribe for unknown user")
        if watched is not owner and part in _PRIVATE:
            raise Problem(403, "SUB-405", "Not allowed subscribe for messages to other extensions")
        return resolve(wanted.text.replace(f"/extension/{number}", "/extension/~", 1), ACCOUNT_ID, watched.id)


def _strings(items: Iterable[object]) -> Iterable[str]:
    for item in items:
        if not isinstance(item, str):
            raise Problem(400, "SUB-508", "An event filter is a string")
        yield item
