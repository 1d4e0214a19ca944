"""Notifications by HTTP (webhooks): the handshake with an address, and deliveries to it in the background.

`api/subscription.py` asks for the handshake, `core.py` queues what is to be delivered, `GatewayApp.run` delivers it.
Sources: RingCentral's developer guide ("Webhooks": 200 within three seconds, `Validation-Token`, `Verification-Token`)
and the error codes of its API reference. Only addresses of this machine are used, as a gateway must not reach further
than the tests that run it.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio
import httpx
from anyio.abc import TaskGroup

from rcex_ws.gateway.clock import Clock, iso
from rcex_ws.gateway.journal import Journal
from rcex_ws.gateway.problem import Problem
from rcex_ws.loop import Errands

__all__ = ["HookTarget", "HookedSubscription", "WebhookSender"]

_TIMEOUT = 3.0
"""Seconds for an answer, as in RingCentral's guide."""
_RETRY_DELAYS = (0.2, 1.0)
"""Seconds before each further attempt. RingCentral's own are not published, and longer."""
_MOST_PENDING = 1000
"""Notifications for one address; the oldest are dropped first."""
_LONGEST_TOKEN = 1024


@dataclass(slots=True)
class HookTarget:
    """Where the notifications of a subscription are posted to.

    Args:
        address: the URL.
        verification_token: what is sent along, so that the receiver knows the sender; None for nothing.
        expires_in: seconds for which the subscription lives after it was made or renewed.
        blacklisted_at: when it was given up after failures, None if it was not.
        reason: why it was given up.
    """

    address: str
    verification_token: str | None = field(repr=False)
    expires_in: int
    blacklisted_at: str | None = None
    reason: str | None = None


class HookedSubscription(Protocol):
    """What the sender needs of a subscription."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def hook(self) -> HookTarget | None:
        """Where its notifications are posted to, None for a WebSocket."""
        ...


class WebhookSender:
    """Posts to addresses of this machine.

    Args:
        journal: the log.
        clock: the source of dates.

    Attributes:
        transport: how requests are sent; None for the network. Replaced by tests.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.transport: httpx.AsyncBaseTransport | None = None
        self._journal = journal
        self._clock = clock
        self._errands = Errands()
        self._pending: dict[str, deque[Mapping[str, Any]]] = {}
        self._group: TaskGroup | None = None

    async def validate(self, target: HookTarget) -> None:
        """Do the handshake: the address has to send the token back that it is sent.

        Raises:
            Problem: 400, if the address is not one of this machine, or does not answer as it should.
        """
        _check(target)
        token = secrets.token_urlsafe(24)
        try:
            answer = await self._post(target, {"Validation-Token": token}, b"")
        except httpx.HTTPError as exc:
            self._journal.add("webhook_refused", address=target.address, why=type(exc).__name__)
            raise Problem(400, "SUB-521", f"WebHook is not reachable: {type(exc).__name__}") from exc
        why = None
        if answer.status_code != 200:
            why = ("SUB-522", f"WebHook responds with incorrect HTTP status. HTTP status is {answer.status_code}")
        elif "validation-token" not in answer.headers:
            why = ("SUB-520", "Validation Token is not returned")
        elif answer.headers["validation-token"] != token:
            why = ("SUB-525", "WebHook server response is invalid")
        if why is not None:
            self._journal.add("webhook_refused", address=target.address, why=why[1])
            raise Problem(400, *why)

    def put(self, subscription: HookedSubscription, body: Mapping[str, Any]) -> None:
        """Queue a notification.

        Args:
            subscription: the subscription, which has an address.
            body: the notification.
        """
        waiting = self._pending.get(subscription.id)
        if waiting is None:
            waiting = self._pending[subscription.id] = deque()
            self._errands.put(lambda: self._start(subscription))
        waiting.append(body)
        if len(waiting) > _MOST_PENDING:
            self._journal.add("webhook", uuid=waiting.popleft()["uuid"], state="dropped")

    async def run(self) -> None:
        """Deliver what is queued, until cancelled; each subscription has its own order and its own failures."""
        async with anyio.create_task_group() as group:
            self._group = group
            await self._errands.run()

    def _start(self, subscription: HookedSubscription) -> None:
        if self._group is not None:
            self._group.start_soon(self._deliver_all, subscription)

    async def _deliver_all(self, subscription: HookedSubscription) -> None:
        waiting = self._pending[subscription.id]
        under_way: list[Mapping[str, Any]] = []
        try:
            while waiting and subscription.hook is not None and subscription.hook.blacklisted_at is None:
                under_way = [waiting.popleft()]  # or `put` would drop it, as the oldest, while it is being delivered
                await self._deliver(subscription.hook, under_way[0])
                under_way = []
        finally:  # left behind because of its subscriber, its address, or the end of the gateway
            for body in (*under_way, *self._pending.pop(subscription.id)):
                self._journal.add("webhook", uuid=body["uuid"], state="dropped")

    async def _deliver(self, target: HookTarget, body: Mapping[str, Any]) -> None:
        """Post one notification, a few times if need be; then give the address up."""
        headers = {"Verification-Token": target.verification_token} if target.verification_token else {}
        why = ""
        for delay in (0.0, *_RETRY_DELAYS):
            await anyio.sleep(delay)
            try:
                answer = await self._post(target, headers, json.dumps(body).encode())
            except httpx.HTTPError as exc:
                why = type(exc).__name__
            else:
                if answer.is_success:
                    self._journal.add("webhook", uuid=body["uuid"], state="delivered", status=answer.status_code)
                    return
                why = f"HTTP status is {answer.status_code}"
        target.blacklisted_at, target.reason = iso(self._clock.wall()), why
        self._journal.add("webhook", uuid=body["uuid"], state="blacklisted", why=why)

    async def _post(self, target: HookTarget, headers: Mapping[str, str], content: bytes) -> httpx.Response:
        common = {"Content-Type": "application/json; charset=UTF-8", "User-Agent": "RingCentral-WebHook (rcex_ws)"}
        # The address is on this machine, so a certificate of its own is as good as any; and no proxy is asked.
        client = httpx.AsyncClient(transport=self.transport, verify=False, trust_env=False, timeout=_TIMEOUT)  # noqa: S501
        async with client:
            with anyio.move_on_after(_TIMEOUT):
                return await client.post(target.address, headers={**common, **headers}, content=content)
            raise httpx.ReadTimeout("the address has not answered in time")


def _check(target: HookTarget) -> None:
    """Refuse addresses that are not of this machine, and tokens that do not fit a header.

    Raises:
        Problem: 400 CMN-101 that names the parameter.
    """
    token = target.verification_token or ""
    if len(token) > _LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise Problem(400, "CMN-101", "Parameter [deliveryMode.verificationToken] value is invalid")
    try:
        parts = urlsplit(target.address)
        host, good = parts.hostname or "", parts.scheme in ("http", "https") and parts.port != 0
        httpx.URL(target.address)
    except (ValueError, httpx.InvalidURL):
        host, good = "", False
    if not good or not _is_loopback(host):
        text = "Parameter [deliveryMode.address] value is invalid: the local RingCentral posts to this machine alone"
        raise Problem(400, "CMN-101", text)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
