"""Subscription calls on the wire: how they are sent to /restapi/v1.0/subscription, and how their answers are read."""

from __future__ import annotations

from typing import Protocol

from rcex_ws.errors import BadFrame
from rcex_ws.readers import encodable, is_id
from rcex_ws.rest import Response, RestError
from rcex_ws.trace import SILENT, Step, Tracer
from rcex_ws.wsg.models import SubscriptionInfo
from rcex_ws.wsg.subscription_machine import Call

__all__ = ["SubscriptionApi", "SubscriptionCall"]

_PATH = "/restapi/v1.0/subscription"


class SubscriptionCall(Protocol):
    """Sends one call over the extension's own socket; raises `RestError` if it is refused."""

    async def __call__(self, method: str, path: str, body: object = None) -> Response:
        """Send the call."""
        ...


class SubscriptionApi:
    """Sends subscription calls.

    Args:
        call: sends a call over the socket.
        trace: gets each call.
    """

    def __init__(self, call: SubscriptionCall, trace: Tracer = SILENT) -> None:
        self._call = call
        self._trace = trace

    async def make(self, call: Call) -> SubscriptionInfo | None:
        """Make one call; return the subscription, or None after a DELETE, even if there was nothing to delete.

        Raises:
            RestError: the server refused.
            BadFrame: its answer cannot be read.
        """
        with self._trace.begin(Step.SUBSCRIBE, call.method if call.id is None else f"{call.method} {call.id}"):
            return await self._make(call)

    async def _make(self, call: Call) -> SubscriptionInfo | None:
        path = _PATH if call.id is None else f"{_PATH}/{call.id}"
        if call.method == "DELETE":
            try:
                await self._call("DELETE", path)
            except RestError as exc:
                if exc.status_code != 404:
                    raise
            return None
        body = {"eventFilters": call.filters, "deliveryMode": {"transportType": "WebSocket"}}
        response = await self._call(call.method, path, body)
        try:
            info = SubscriptionInfo.from_dict(encodable(response.json()))
        except (TypeError, ValueError) as exc:  # not the application's fault, and a retry may help
            raise BadFrame(f"the answer to a subscription call cannot be read: {exc}") from exc
        if not is_id(info.id):
            raise BadFrame("the answer to a subscription call has an id that cannot stand in a path")
        return info
