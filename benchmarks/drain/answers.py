"""What the server says, as bytes; made once. The shapes are those of recorded frames.

Paths of its own, besides the API's:

* `BURST`: POST `{"count", "size"}`: so many notifications with a body of so many bytes, as fast as they are taken
* `HANG`: GET, answered when the next burst is over; so a request can be in flight meanwhile
* `REPLAY`: POST `{"count", "delay"}`: what follows the next recoveries of this session, and how many seconds later
"""

from __future__ import annotations

import json
import time

__all__ = ["ACCOUNT", "BURST", "HANG", "REPLAY", "answer", "details", "error", "notification", "subscription", "tokens"]

ACCOUNT = "/restapi/v1.0/account/37439510/extension/62264425016"
BURST = "/restapi/v1.0/bench/burst"
HANG = "/restapi/v1.0/bench/hang"
REPLAY = "/restapi/v1.0/bench/replay"

_HEADERS = {
    "Server": "nginx",
    "Content-Type": "application/json",
    "RoutingKey": "SJC01P07",
    "X-Rate-Limit-Group": "light",
    "X-Rate-Limit-Limit": "1000000",
    "X-Rate-Limit-Remaining": "999999",
    "X-Rate-Limit-Window": "60",
    "RCRequestId": "bedff5ae-9d68-4bc9-8653-7e34603ef562-2686696-1-19",
}
_EXTENSION = {
    "uri": ACCOUNT,
    "id": 62264425016,
    "extensionNumber": "101",
    "name": "Ada Ring",
    "type": "User",
    "status": "Enabled",
    "account": {"id": "37439510", "uri": "/restapi/v1.0/account/37439510"},
    "contact": {"firstName": "Ada", "lastName": "Ring", "email": "ada@drain.invalid"},
    "regionalSettings": {"timezone": {"id": "58", "name": "US/Pacific"}, "language": {"id": "1033"}},
}
#: One party of a telephony session, as notifications carry it.
_PARTY = {
    "accountId": "37439510",
    "extensionId": "62264425016",
    "id": "p-a6ab2f3c81d04-2",
    "direction": "Inbound",
    "to": {"phoneNumber": "+16505550100", "name": "Ada Ring", "extensionId": "62264425016"},
    "from": {"phoneNumber": "+16505550199", "name": "Grace Hopper"},
    "status": {"code": "Answered", "rcc": False},
    "missedCall": False,
    "standAlone": False,
    "muted": False,
}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_ANSWER = b'","status":200,"headers":' + _compact(_HEADERS) + b"},"


def answer(message_id: str, body: bytes) -> bytes:
    """Answer a ClientRequest."""
    return b'[{"type":"ClientRequest","messageId":"' + message_id.encode() + _ANSWER + body + b"]"


EXTENSION = _compact(_EXTENSION)


def subscription(event_filters: list[str]) -> bytes:
    """Describe the one subscription there is, with these filters."""
    return _compact(
        {
            "uri": "/restapi/v1.0/subscription/1b2a2e6b-2245-4278-b47c-16259ca003a8",
            "id": "1b2a2e6b-2245-4278-b47c-16259ca003a8",
            "creationTime": "2026-08-20T22:23:55.169Z",
            "status": "Active",
            "eventFilters": [text.replace("account/~/extension/~", ACCOUNT[14:]) for text in event_filters],
            "expirationTime": "2026-08-21T22:23:55.169Z",
            "expiresIn": 86399,
            "deliveryMode": {"transportType": "WebSocket", "encryption": False},
        }
    )


def details(wsc: str, sequence: int, *, recovered: bool) -> bytes:
    """Write ConnectionDetails; the limit of requests in flight is lifted."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())
    token = {"token": wsc, "sequence": sequence}
    body: dict[str, object] = {
        "creationTime": now,
        "maxConnectionsPerSession": 100_000,
        "recoveryBufferSize": 100,
        "recoveryTimeout": 180,
        "idleTimeout": 1800,
        "absoluteTimeout": 86400,
        "maxActiveRequests": 100_000,
    }
    if recovered:
        body["recoveryState"] = "Successful"
    meta = {"type": "ConnectionDetails", "messageId": "4cc688a8", "status": 200, "wsc": token}
    return _compact([meta, body])


def notification(size: int) -> bytes:
    """Make a template of a notification, to be filled in with its number, twice; its body has about `size` bytes."""
    body: dict[str, object] = {"sequence": 3, "sessionId": "2338500204", "eventTime": "2026-02-10T08:43:42.805Z"}
    parties = [_PARTY] * (max(size - len(_compact(body)), 0) // len(_compact(_PARTY)))
    body |= {"parties": parties, "origin": {"type": "Call"}}
    body["note"] = "x" * max(size - len(_compact(body)) - len(',"note":""'), 0)
    envelope = {
        "uuid": "%016d",
        "event": f"{ACCOUNT}/telephony/sessions",
        "timestamp": "2020-02-10T08:43:42.805Z",
        "subscriptionId": "1b2a2e6b-2245-4278-b47c-16259ca003a8",
        "ownerId": "62264425016",
        "body": body,
    }
    headers = {"RCRequestId": "8d38dba2-8a4d-11ec-ac15-005056be0c18"}
    meta = {"type": "ServerNotification", "messageId": "%016d", "status": 200, "headers": headers}
    return _compact([meta, envelope])


def tokens() -> bytes:
    """Grant an OAuth session."""
    return _compact(
        {
            "access_token": "an-access-token-of-the-usual-length",
            "token_type": "bearer",
            "expires_in": 3600,
            "refresh_token": "a-refresh-token-of-the-usual-length",
            "refresh_token_expires_in": 604800,
            "scope": "ReadAccounts WebSocketsSubscriptions",
            "owner_id": "62264425016",
            "endpoint_id": "endpoint-1",
        }
    )


def error() -> bytes:
    """Say that there is no such path."""
    return _compact({"errorCode": "CMN-102", "message": "Resource not found"})
