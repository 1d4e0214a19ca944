"""Requests drawn from the OpenAPI document of a running gateway: every operation, with plausible and bent values.

Pure, and seeded like `random_values.py`, whose values are the bent ones. Ids that answers have told are used again, so
that requests get past "not found".
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict, deque
from typing import Any
from urllib.parse import quote, urlencode

from tests.gateway import random_values as values

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4
KEPT = 20
TEXTS = ["", "x", "Ada", "+16505550101", "+16505550102", "+14155550100", "101", "102", "2026-11-27T00:00:00.000Z", "~"]
TEXTS += [
    "2026-11-27",
    "a@b.invalid",
    "Read",
    "true",
    "1",
    "-1",
    "1,2",
    "~,101",
    "#fff",
    "image/png",
    "\u0661",
    "x" * 500,
]
BOUNDARY = "b0undary"


class Operations:
    """Draws requests.

    Args:
        document: the OpenAPI document.
        rng: the source of randomness.
    """

    def __init__(self, document: dict[str, Any], rng: random.Random) -> None:
        self._schemas = document["components"]["schemas"]
        self._all = [
            (method.upper(), path, item[method])
            for path, item in document["paths"].items()
            for method in METHODS
            if method in item and path != "/restapi/oauth/revoke"  # of one's own token, after which all is refused
        ]
        self._rng = rng
        self._ids: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT))

    def __len__(self) -> int:
        return len(self._all)

    def draw(self) -> tuple[str, str, str, bytes, str]:
        """Return an operation, and a request for it: the path it is for, method, target, body and its media type."""
        rng = self._rng
        method, path, operation = rng.choice(self._all)
        target = path
        query: list[tuple[str, str]] = []
        for one in operation.get("parameters", ()):
            if one["in"] == "path":
                target = target.replace(f"{{{one['name']}}}", quote(self._path_value(one["name"], path), safe=",~"))
            elif rng.random() < 0.3 or one.get("required"):
                chosen = self._value(one["schema"], DEEPEST)
                chosen = chosen if isinstance(chosen, list) else [chosen]
                query += [(one["name"], _text(item)) for item in chosen]
        body, kind = self._body(operation)
        encoded = urlencode(query, errors="replace")
        return path, method, f"{target}?{encoded}" if encoded else target, body, kind

    def learn(self, path: str, answer: bytes) -> None:
        """Keep the ids in an answer, for the parameters of paths below the answered one."""
        for found in re.findall(rb'"(?:id|[a-zA-Z]+Id)": ?"?([\w-]{1,80})', answer)[:KEPT]:
            self._ids[""].append(found.decode())
            self._ids[path].append(found.decode())

    def _path_value(self, name: str, path: str) -> str:
        rng = self._rng
        if name == "accountId":
            return "~" if rng.random() < 0.98 else values.word(rng)[:100]
        if name == "extensionId" and rng.random() < 0.8:
            return rng.choice(["~", "~", "~", "101", "62264425017", "~,102"])
        known = self._ids[path.partition(f"/{{{name}}}")[0]]
        if known and rng.random() < 0.8:
            return rng.choice(known)
        if self._ids[""] and rng.random() < 0.5:
            return rng.choice(self._ids[""])
        return values.word(rng)[:100].strip("/") or "x"

    def _body(self, operation: dict[str, Any]) -> tuple[bytes, str]:
        rng = self._rng
        kinds = operation.get("requestBody", {}).get("content", {})
        if not kinds or rng.random() < 0.03:
            return (b"", "") if rng.random() < 0.7 else (values.json_bytes(rng), "application/json")
        kind = rng.choice(list(kinds))
        schema = kinds[kind].get("schema", {})
        if rng.random() < 0.05:
            return values.json_bytes(rng), kind
        if kind.startswith("multipart/"):
            return self._parts(schema, kind)
        if kind == "application/x-www-form-urlencoded":
            pairs = {rng.choice(values.NAMES): _text(values.value(rng, DEEPEST)) for _ in range(4)}
            return urlencode(pairs, errors="replace").encode(), kind
        if "json" not in kind:
            return rng.randbytes(rng.randrange(2000)), kind.replace("*", "png")
        body = json.dumps(self._value(schema)).encode()
        return values.bent(rng, body) if rng.random() < 0.05 else body, kind

    def _parts(self, schema: dict[str, Any], kind: str) -> tuple[bytes, str]:
        rng = self._rng
        part = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\nContent-Type: %s\r\n\r\n%s\r\n'
        parts = [
            part % (BOUNDARY.encode(), b"json", b"", b"application/json", json.dumps(self._value(schema)).encode())
        ]
        for _ in range(rng.randrange(3)):
            name = rng.choice([b"attachment", b"image", b"to", b"name"])
            file_type = rng.choice([b"image/png", b"text/plain", b"audio/wav", b"bent"])
            parts.append(part % (BOUNDARY.encode(), name, b'; filename="a.png"', file_type, rng.randbytes(200)))
        rng.shuffle(parts)
        body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
        return values.bent(rng, body) if rng.random() < 0.1 else body, f"{kind}; boundary={BOUNDARY}"

    def _value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Return a value, mostly one that the schema takes."""
        rng = self._rng
        if rng.random() < 0.04:
            return values.value(rng, DEEPEST)
        if "$ref" in schema:
            return self._value(self._schemas[schema["$ref"].rpartition("/")[2]], depth)
        for choices in ("anyOf", "oneOf"):
            if choices in schema:
                return self._value(rng.choice(schema[choices]), depth)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        match schema.get("type"):
            case "integer" | "number":
                low, high = schema.get("minimum", 0), schema.get("maximum", 1000)
                return rng.choice([low, high, low + 1, rng.randint(int(low), int(max(low, min(high, 1000))))])
            case "boolean":
                return rng.random() < 0.5
            case "null":
                return None
            case "array":
                count = rng.randrange(schema.get("minItems", 0), schema.get("minItems", 0) + 3)
                return [self._value(schema.get("items", {}), depth + 1) for _ in range(count)]
            case "object":
                return self._object(schema, depth)
            case "string":
                known = [one for ids in self._ids.values() for one in list(ids)[-1:]]
                return rng.choice([*TEXTS, *known])[: schema.get("maxLength", 10_000)]
        return values.value(rng, DEEPEST)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        rng, members = self._rng, schema.get("properties", {})
        needed = schema.get("required", ())
        chosen = {
            name: self._value(one, depth + 1)
            for name, one in members.items()
            if (name in needed and rng.random() < 0.97) or (depth < DEEPEST and rng.random() < 0.5)
        }
        if not members or rng.random() < 0.05:
            chosen[rng.choice(values.NAMES)] = values.value(rng, DEEPEST)
        return chosen


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
