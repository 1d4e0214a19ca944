"""The documents of the Feedme benchmarks, how they change, and what that is on the wire. All is ASCII and integers."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from typing import Any

__all__ = ["ACTION", "DOCUMENTS", "Changes", "changes", "compact", "document", "feed_name", "frame_size", "revelations"]

Json = dict[str, Any]
#: One after the other, round and round: after the last of them a document is what it was.
Changes = list[list[Json]]

DOCUMENTS = ("small", "large")
ACTION: Json = {"name": "Change", "data": {"by": "ann"}}
_ROWS = range(100, 400)  # those that change: all revelations of a document have the same length


def document(name: str) -> Json:
    """Make one: about 20 members and 0.5 kB, or about 50 kB."""
    if name == "small":
        players = {player: 1_000_000 + number for number, player in enumerate(("ann", "bob", "cleo", "dan"))}
        plain = {f"member{number:02}": "x" * 14 if number % 2 else 1_000_000 + number for number in range(13)}
        head = {"title": "A scoreboard", "open": True, "round": 3, "note": None, "tags": ["final", "indoor"]}
        return {**head, "players": players, "count": 1_000_000, **plain}
    rows = [
        {"id": 1_000_000 + number, "name": f"row {number:03}", "note": "x" * 60, "value": 1_000_000, "done": False}
        for number in range(_ROWS.stop)
    ]
    return {"title": "A table", "open": True, "rows": rows}


@functools.cache
def changes(name: str) -> Changes:
    """Make the changes of a document."""
    if name == "small":
        values = [*range(1_000_001, 1_000_200), 1_000_000]
        return [[_set(["count"], value)] for value in values]
    return [[_set(["rows", row, "value"], value)] for value in (2_000_000, 1_000_000) for row in _ROWS]


def feed_name(name: str, number: int) -> str:
    """Name a feed that has this document; the name says which."""
    return f"{name} {number:03}"


@functools.cache
def revelations(name: str) -> list[bytes]:
    """Make a message of each change, for the feed number 0, as a server of dialect A sends it."""
    data = document(name)
    messages: list[bytes] = []
    for deltas in changes(name):
        for delta in deltas:
            *path, last = delta["Path"]
            functools.reduce(lambda node, step: node[step], path, data)[last] = delta["Value"]
        canonical = json.dumps(data, separators=(",", ":"), sort_keys=True).encode()
        messages.append(_revelation(feed_name(name, 0), deltas, canonical))
    return messages


def frame_size(name: str) -> int:
    """Tell the length of a frame that carries such a message."""
    (length,) = {len(message) for message in revelations(name)}
    return length + (2 if length < 126 else 4)


def compact(value: object) -> bytes:
    """Write JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def _set(path: list[str | int], value: int) -> Json:
    return {"Operation": "Set", "Path": path, "Value": value}


def _revelation(feed: str, deltas: list[Json], canonical: bytes) -> bytes:
    md5 = base64.b64encode(hashlib.md5(canonical, usedforsecurity=False).digest()).decode()
    action = {"MessageType": "ActionRevelation", "ActionName": ACTION["name"], "ActionData": ACTION["data"]}
    return compact({**action, "FeedName": feed, "FeedArgs": {}, "FeedDeltas": deltas, "FeedMd5": md5})
