"""All calls to /restapi/v1.0/subscription, over the extension's own socket, and what their answers give away.

Facts: one subscription per connection, a second POST cancels the first; PUT changes filters, 404 says that the server
does not know the subscription any more; filters may silently not be granted (`disabledFilters`); an abandoned
subscription counts against the limit for a day (developer guide and API reference, subscriptions).
"""

from __future__ import annotations

import logging
from typing import Protocol

from rcex_ws.connection import utc_now
from rcex_ws.errors import NotConnected, RcexError, RequestLost
from rcex_ws.rest import Response, RestError
from rcex_ws.wsg.frames import BadFrame
from rcex_ws.wsg.models import Gap, SubscriptionInfo

__all__ = ["SubscriptionApi", "SubscriptionCall"]

logger = logging.getLogger("rcex_ws.wsg")

_PATH = "/restapi/v1.0/subscription"


class SubscriptionCall(Protocol):
    """Send one call over the extension's own socket; raise `RestError` when it is refused."""

    async def __call__(self, method: str, path: str, body: object = None) -> Response:
        """Send it."""
        ...


class SubscriptionApi:
    """Ask the server for subscriptions.

    Args:
        call: sends a call over the socket.

    Attributes:
        gaps: found in answers and not reported yet.
    """

    def __init__(self, call: SubscriptionCall) -> None:
        self._call = call
        self._orphans: list[str] = []
        self.gaps: list[Gap] = []

    async def ask(self, filters: tuple[str, ...], known: SubscriptionInfo | None = None) -> SubscriptionInfo:
        """PUT a known subscription, POST a new one; one that is gone is replaced and the gap noted.

        Raises:
            RestError: the server refused.
        """
        body = {"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}}
        if known is not None:
            try:
                return self._granted(await self._call("PUT", f"{_PATH}/{known.id}", body))
            except RestError as exc:
                if exc.status_code != 404:
                    raise
        info = self._granted(await self._call("POST", _PATH, body))
        if known is not None:
            self.note_gap(certain=True, reason="the server did not know the subscription any more")
        return info

    async def delete(self, info: SubscriptionInfo) -> None:
        """Delete a subscription; without a connection that is left for later.

        Raises:
            RestError: the server refused; not when it does not know the subscription any more.
        """
        try:
            await self._call("DELETE", f"{_PATH}/{info.id}")
        except (NotConnected, RequestLost):
            self._orphans.append(info.id)
        except RestError as exc:
            if exc.status_code != 404:
                raise

    def abandon(self, info: SubscriptionInfo) -> None:
        """Take note of a subscription of a lost session, to be deleted when there is time."""
        self._orphans.append(info.id)

    async def delete_abandoned(self) -> None:
        """Delete them; what the server refuses is forgotten, what cannot be sent is left for the next connection."""
        while self._orphans:
            orphan = self._orphans.pop()
            try:
                await self._call("DELETE", f"{_PATH}/{orphan}")
            except RestError as exc:
                logger.debug("an abandoned subscription was not deleted: %s", exc)
            except RcexError:
                self._orphans.append(orphan)
                return

    def take_abandoned(self) -> list[str]:
        """Give the ids that wait to be deleted, and forget them."""
        orphans, self._orphans = self._orphans, []
        return orphans

    def note_gap(self, *, certain: bool, reason: str) -> None:
        """Note a gap that ends now and began at an unknown time."""
        self.gaps.append(Gap(None, utc_now(), certain=certain, reason=reason))

    def _granted(self, response: Response) -> SubscriptionInfo:
        try:
            info = SubscriptionInfo.from_dict(response.json())
        except (TypeError, ValueError) as exc:  # no fault of the application's, and the next answer may be better
            raise BadFrame(f"the answer to a subscription call cannot be read: {exc}") from exc
        if info.disabled_filters:
            denied = ", ".join(f"{item.filter} ({item.reason or item.message})" for item in info.disabled_filters)
            self.note_gap(certain=True, reason=f"filters not granted: {denied}")
        return info
