"""The contents of random inputs: values, texts and bytes that a careful program would not send. Pure, and seeded."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

EXTENSION = "/restapi/v1.0/account/~/extension/~"
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get", "BREW", "", "G T"]
PATHS = [
    "/",
    "/restapi",
    "/restapi/v1.0",
    "/restapi/v1.0/status",
    "/restapi/oauth/token",
    "/restapi/oauth/revoke",
    "/restapi/oauth/wstoken",
    "/restapi/oauth/authorize",
    "/restapi/v1.0/subscription",
    "/restapi/v1.0/subscription/{}",
    "/restapi/v1.0/subscription/{}/renew",
    EXTENSION,
    f"{EXTENSION}/presence",
    f"{EXTENSION}/company-pager",
    f"{EXTENSION}/fax",
    f"{EXTENSION}/message-store",
    f"{EXTENSION}/message-store/{{}}",
    f"{EXTENSION}/message-store/{{}}/content/{{}}",
    "/restapi/v1.0/account/{}/extension/{}",
    "/restapi/v1.0/account/~/extension/{}/presence",
    "/ws",
    "/_gateway",
    "/_gateway/log",
    "/{}",
]
FITTING = {
    "GET": [0, 1, 2, 3, 7, 8, 9, 11, 12, 15, 16, 17, 18, 19, 22],
    "POST": [4, 5, 6, 8, 10, 13, 14],
    "PUT": [9, 12, 16],
    "DELETE": [9, 16],
}
"""The paths that have each method, by their index above."""
GOOD: dict[str, list[Any]] = {
    "attachments": [[], [{"contentType": "image/png", "content": "aGk=", "fileName": "a.png"}]],
    "by": ["101", "102"],
    "direction": ["Inbound", "Outbound"],
    "duration": [0, 5, 2**31],
    "extension": ["101", "102", "62264425017", None],
    "extensions": [["102"], []],
    "from_extension": ["101", "102"],
    "from_number": ["+14155550100", "102", "+16505550102"],
    "to_extension": ["101", "102"],
    "to_number": ["+16505550101", None],
    "code": [None, 1000, 4000, "WSG-1003", "WSG-400"],
    "node": [1],
    "reason": ["", "x" * 123, "\u00fc" * 61],
    "message": ["", "text", None],
    "status": [200, 401, 429, 503, 599, "hang", "rst"],
    "where": ["token", "wstoken", "upgrade", "details", "subscription", "* *", "GET /restapi", "GET *"],
    "retry_after": [None, 0, 0.5, 3600],
    "times": [1, 2, None],
    "drop": [True, False],
    "strip": [None, "headers", "body"],
    "delay": [0, 0.001],
    "event": [f"{EXTENSION}/message-store", "/restapi/v1.0/glip/posts", "", "?", "x"],
    "filter": [None, f"{EXTENSION}/presence", ""],
    "body": [{}, {"a": [1]}, {"x": "y" * 5000}],
    "data": ["", "[]", "x" * 5000, ["a", "b"], []],
    "binary": [True, False],
    "eventFilters": [[f"{EXTENSION}/message-store"], ["/team-messaging/v1/posts"] * 3, []],
    "deliveryMode": [{"transportType": "WebSocket"}],
    "to": [
        "102",
        "+14155550100",
        [{"extensionNumber": "101"}],
        [{"extensionId": "62264425017"}],
        [{}],
        [{"phoneNumber": "1"}],
    ],
    "text": ["hi", "\U0001f600" * 100, "x" * 9000],
    "readStatus": ["Read", "Unread"],
    "userStatus": ["Busy", "Available"],
    "dndStatus": ["TakeAllCalls"],
}
"""Valid values of members, so that inputs get past the first check to the rules."""
BODIES = [["to", "text"], ["readStatus"], ["userStatus", "message"], ["eventFilters", "deliveryMode"], ["dndStatus"]]
NAMES = [
    *GOOD,
    "from",
    "error_code",
    "notify",
    "type",
    "messageId",
    "method",
    "path",
    "query",
    "grant_type",
    "assertion",
    "client_id",
]
WORDS = ["", "~", "101", "102", "62264425016", "37439510", "WebSocket", "Read", "Busy", "upgrade", "details", "token"]
WORDS += ["GET /restapi", "* *", "hang", "rst", "headers", "/restapi/v1.0/glip/posts", f"{EXTENSION}/message-store"]
WORDS += ["ClientRequest", "Heartbeat", "..", "%00", "%ff", "\u00fc", "\u0663", "\0", "\r\n", "x" * 3000, "\U0001f600"]
WORDS += ["ada@gateway.invalid", "urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token", "9" * 5000]
NUMBERS = [
    0,
    1,
    -1,
    5,
    99,
    100,
    101,
    200,
    404,
    599,
    600,
    1000,
    1005,
    4000,
    65536,
    2**31,
    2**63,
    2**70,
    -(2**70),
    0.5,
    1e308,
]
ODD_JSON = ["NaN", "-Infinity", "1e999", '"\\ud800"', "[" * 5000 + "]" * 5000, '{"a":' * 3000 + "1" + "}" * 3000]
ODD_JSON += ["1" * 6000, "{", "[1,", '{"a":1,}', "nul", "\ufeff{}", '{"a":1}{"b":2}', " ", "[]", "{}", "null", '""']


def word(rng: random.Random) -> str:
    return rng.choice(WORDS) if rng.random() < 0.7 else "".join(chr(rng.randrange(32, 0x2FF)) for _ in range(9))


def value(rng: random.Random, depth: int = 0) -> Any:
    """Return a JSON value, with names that the gateway knows."""
    kind = rng.randrange(9 if depth < 4 else 6)
    if kind < 2:
        return word(rng)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind < 6:
        return rng.choice([True, False, None])
    if kind < 7:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(NAMES): value(rng, depth + 1) for _ in range(rng.randrange(6))}


def member(rng: random.Random, name: str) -> Any:
    """Return a value for a member, mostly a valid one."""
    return rng.choice(GOOD[name]) if name in GOOD and rng.random() < 0.8 else value(rng, 2)


def body(rng: random.Random) -> dict[str, Any]:
    """Return a body that some path accepts."""
    return {name: member(rng, name) for name in rng.choice(BODIES)}


def json_bytes(rng: random.Random) -> bytes:
    """Return the JSON text of a value, or something that is not JSON."""
    if rng.random() < 0.25:
        return rng.choice(ODD_JSON).encode()
    chosen = body(rng) if rng.random() < 0.5 else value(rng)
    content = json.dumps(chosen, ensure_ascii=rng.random() < 0.5).encode()
    return bent(rng, content) if rng.random() < 0.2 else content


def bent(rng: random.Random, content: bytes) -> bytes:
    """Flip, drop, double or insert a few bytes."""
    data = bytearray(content)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + rng.randrange(1, 20)]
            case 2:
                data[at:at] = data[at : at + rng.randrange(1, 20)]
            case _:
                data[at:at] = rng.randbytes(rng.randrange(1, 8))
    return bytes(data)


def call(rng: random.Random) -> tuple[str, str]:
    """Return a method and a path with a query for a request; most of them match."""
    if rng.random() < 0.7:
        method = rng.choice(list(FITTING))
        chosen = PATHS[rng.choice(FITTING[method])]
    else:
        method, chosen = rng.choice(METHODS), rng.choice(PATHS)
    while "{}" in chosen:
        filled = str(rng.randrange(1001001, 1001100)) if rng.random() < 0.6 else quote(word(rng)[:200] or "x")
        chosen = chosen.replace("{}", filled, 1)
    return method, chosen + query(rng)


def query(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return ""
    names = ["page", "perPage", "messageType", "direction", "redirect_uri", "client_id", "access_token", "wsc"]
    return "?" + "&".join(f"{rng.choice(names)}={quote(word(rng))}" for _ in range(rng.randrange(1, 4)))
