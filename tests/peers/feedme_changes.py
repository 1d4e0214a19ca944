"""Random changes of feed data that every dialect of the published packages can express: all operations, by turns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, get_args

from rcex_ws.feedme import Delta, FrozenDict, apply_deltas, freeze
from rcex_ws.feedme.deltas import Operation

OPERATIONS = get_args(Operation)
DATA = freeze({"text": "a", "number": 1, "flag": True, "list": [1, 2], "object": {"text": "b"}, "nothing": None})
TEXTS = ("", "caf\u00e9 \u2603 \U0001f600", 'line\nend \u2028 \x7f "quoted" \\', "\u00e9\uffee", "plain")
NUMBERS = (0, -1, 2.5, 1e21, 1e-7, 0.1, 2**53, 123456789012345680000, -1.5e-10)


def changes(seed: int, count: int, data: FrozenDict = DATA) -> Iterator[tuple[Delta, FrozenDict]]:
    """Yield deltas, each with the data after it; the operations take turns."""
    chance = random.Random(seed)
    for number in range(count):
        operation = OPERATIONS[number % len(OPERATIONS)]
        delta = _delta(chance, data, operation)
        data = apply_deltas(data, [delta])
        yield delta, data


def wire(delta: Delta) -> dict[str, Any]:
    """Return a delta as on the wire."""
    value = {} if delta.operation in ("Delete", "Toggle", "DeleteFirst", "DeleteLast") else {"Value": delta.value}
    return {"Operation": delta.operation, "Path": list(delta.path), **value}


def _delta(chance: random.Random, data: Any, operation: str) -> Delta:
    places = [place for place in _places(data) if _fits(operation, *place)]
    if not places:  # make something that it fits
        kind = {"Delete": 1, "Toggle": True, "Prepend": "p", "Append": "a", "Increment": 1, "Decrement": 1}
        return Delta("Set", (chance.choice(("text", "number", "flag", "list")),), kind.get(operation, [1, "two", None]))
    path, value, container = chance.choice(places)
    match operation:
        case "Set":
            new = chance.choice(("new", "object", "member")) if type(container) is FrozenDict else path[-1]
            return Delta(operation, (*path[:-1], new), _value(chance, len(path)))
        case "DeleteValue":
            inside = [*value.values()] if isinstance(value, dict) else [*value]
            return Delta(operation, path, chance.choice([*inside, "no such value"]))
        case "Prepend" | "Append":
            return Delta(operation, path, chance.choice(TEXTS))
        case "Increment" | "Decrement":
            return Delta(operation, path, chance.choice(NUMBERS))
        case "InsertFirst" | "InsertLast" | "InsertBefore" | "InsertAfter":
            return Delta(operation, path, _value(chance, len(path)))
        case _:
            return Delta(operation, path)  # type: ignore[arg-type]


def _places(
    value: Any, path: tuple[Any, ...] = (), container: Any = None
) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Yield the path to everything in a document, with what is there and what that is in."""
    yield path, value, container
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in members:
        yield from _places(member, (*path, step), value)


def _fits(operation: str, path: tuple[Any, ...], value: Any, container: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return {
        "Set": container is not None,
        "Delete": container is not None and len(path) + len(container) > 4,
        "DeleteValue": isinstance(value, dict | list) and container is not None,
        "Prepend": isinstance(value, str) and len(value) < 100,
        "Append": isinstance(value, str) and len(value) < 100,
        "Increment": number,
        "Decrement": number,
        "Toggle": isinstance(value, bool),
        "InsertFirst": isinstance(value, list) and len(value) < 20,
        "InsertLast": isinstance(value, list) and len(value) < 20,
        "InsertBefore": isinstance(container, list) and len(container) < 20,
        "InsertAfter": isinstance(container, list) and len(container) < 20,
        "DeleteFirst": isinstance(value, list) and bool(value),
        "DeleteLast": isinstance(value, list) and bool(value),
    }[operation]


def _value(chance: random.Random, depth: int) -> Any:
    simple = (None, True, False, chance.choice(TEXTS), chance.choice(NUMBERS))
    nested = ([1, "two", None], {"text": "t", "number": 1, "flag": False}, [], {}, [[True], {"list": [1.5]}])
    return chance.choice(simple if depth > 4 else (*simple, *nested))
