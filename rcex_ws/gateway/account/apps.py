"""The applications of the account, each with its credentials and its permissions. No I/O.

A login belongs to one application; what that may not do is refused as RingCentral refuses it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from rcex_ws.gateway.problem import Problem

__all__ = ["PERMISSIONS", "AppRecord", "AppRegistry"]

PERMISSIONS = (
    "A2PSMS",
    "Accounts",
    "Analytics",
    "CallControl",
    "Contacts",
    "EditAccounts",
    "EditCallLog",
    "EditCustomData",
    "EditExtensions",
    "EditMessages",
    "EditPresence",
    "Faxes",
    "InternalMessages",
    "Meetings",
    "ReadAccounts",
    "ReadAuditTrail",
    "ReadCallLog",
    "ReadCallRecording",
    "ReadClientInfo",
    "ReadContacts",
    "ReadMessages",
    "ReadPresence",
    "RecordCalls",
    "RingOut",
    "RoleManagement",
    "SMS",
    "SubscriptionWebhook",
    "TeamMessaging",
    "Video",
    "VoipCalling",
    "WebSocketsSubscriptions",
    "Webinars",
)
"""The permissions that RingCentral's developer guide ("App permissions") and API reference name."""


@dataclass(slots=True, eq=False)
class AppRecord:
    """One application.

    Args:
        client_id: its client id.
        client_secret: its client secret; empty for a public client, which has none.
        name: its name, which the consent page shows.
        permissions: what it may do; None for everything.
        redirect_uris: where users may be sent back to; none for anywhere.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str = "Local application"
    permissions: list[str] | None = None
    redirect_uris: list[str] = field(default_factory=list[str])

    @property
    def scope(self) -> list[str]:
        """The permissions as a list."""
        return list(PERMISSIONS) if self.permissions is None else self.permissions

    def may(self, permission: str | None) -> bool:
        """Return whether it has a permission; None needs none."""
        return permission is None or self.permissions is None or permission in self.permissions

    def require(self, permission: str | None) -> None:
        """Do nothing if it has a permission; None needs none.

        Raises:
            Problem: 403 CMN-401, with RingCentral's older word for it at the top level, if it has not.
        """
        if not self.may(permission):
            text = f"In order to call this API endpoint, application needs to have [{permission}] permission"
            raise Problem(403, "CMN-401", text, older_code="InsufficientPermissions", permissionName=permission)


class AppRegistry:
    """All applications.

    Args:
        client_id: that of the first application; None generates one.
        client_secret: likewise; empty for a public client.
        permissions: those of the first application; None for all.
    """

    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        permissions: Iterable[str] | None = None,
    ) -> None:
        secret = secrets.token_urlsafe(32) if client_secret is None else client_secret
        granted = None if permissions is None else list(permissions)
        self.apps = [AppRecord(client_id or secrets.token_urlsafe(16), secret, permissions=granted)]

    @property
    def first(self) -> AppRecord:
        """The first application."""
        return self.apps[0]

    def by_id(self, client_id: str | None) -> AppRecord | None:
        """Return the application with this client id."""
        return next((one for one in self.apps if one.client_id == client_id), None)

    def dump(self) -> list[dict[str, Any]]:
        """Return all applications, with their secrets, as JSON-ready data."""
        return [asdict(one) for one in self.apps]

    def load(self, saved: list[dict[str, Any]]) -> None:
        """Replace all applications by those that `dump` has returned."""
        self.apps = msgspec.convert(saved, list[AppRecord])
        if not self.apps:
            raise ValueError("there is no application")
