"""Our deltas and our hash against the published utilities of the written specification, on random documents."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any, get_args

import pytest

from rcex_ws.feedme.canonical import canonical
from rcex_ws.feedme.deltas import Delta, DeltaError, Editor, MalformedDelta, Operation, delta_from_json
from rcex_ws.feedme.digest import feed_md5
from rcex_ws.feedme.values import freeze
from tests.peers.feedme import Feedme

CASES = 3000
# Without names of JavaScript's Object prototype, and without `length`: those it treats in ways of its own.
NAMES = ["a", "b", "é", "", "0", "10", "9", "\n", "\uffee", "\U0001f600", "\ud83d", "\ude00"]
CHARACTERS = 'ab"\\/\n\x1f\x7fé\u2028\ud83d\ude00\uffee\U0001f600'
NUMBERS = [0, -0.0, 1, 1.0, -1, 0.1, 2**53, 2**53 + 1, 1e20, 1e21, 1e-6, 9.9e-6, 1e-7, 5e-324, 123456789012345680000]
LARGEST = 1.7976931348623157e308


def number(random: Random) -> float:
    kind = random.randrange(6)
    if kind == 0:
        return random.choice([*NUMBERS, LARGEST, -LARGEST])
    if kind == 1:
        return random.uniform(-1, 1) * 10.0 ** random.randint(-12, 25)
    if kind == 2:
        return random.randint(-(2**70), 2**70)
    return random.randint(-9, 9)


def text(random: Random) -> str:
    return "".join(random.choices(CHARACTERS, k=random.randrange(4)))


def value(random: Random, depth: int) -> Any:
    kind = random.randrange(10)
    if depth and kind < 2:
        return {random.choice(NAMES): value(random, depth - 1) for _ in range(random.randrange(5))}
    if depth and kind < 5:
        return [value(random, depth - 1) for _ in range(random.randrange(5))]
    if kind < 7:
        return number(random)
    return random.choice([None, True, False]) if kind == 7 else text(random)


def delta(random: Random, data: Any) -> dict[str, Any]:
    """Make a delta that probably fits the data."""
    path: list[Any] = []
    here = data
    while isinstance(here, dict | list) and here and random.random() < 0.8:
        path.append(random.choice(list(here)) if isinstance(here, dict) else random.randrange(len(here)))
        here = here[path[-1]]
    if isinstance(here, bool):
        fitting = ["Toggle"]
    elif isinstance(here, str):
        fitting = ["Append", "Prepend"]
    elif isinstance(here, int | float):
        fitting = ["Increment", "Decrement"]
    elif isinstance(here, list):
        fitting = ["InsertFirst", "InsertLast", "DeleteFirst", "DeleteLast", "DeleteValue"]
    else:
        fitting = ["DeleteValue"]
    if path and isinstance(path[-1], int):
        fitting += ["InsertBefore", "InsertAfter", "Delete"]
    operation = random.choice([*fitting, *fitting, "Set"])
    if random.random() < 0.1:
        operation = random.choice(get_args(Operation))
    if random.random() < 0.05:
        path.append(random.choice([*NAMES, 0, 1, 7]))
    made: dict[str, Any] = {"Operation": operation, "Path": path}
    if operation in ("Append", "Prepend"):
        made["Value"] = text(random)
    elif operation in ("Increment", "Decrement"):
        made["Value"] = number(random)
    elif operation == "DeleteValue" and isinstance(here, dict | list) and here and random.random() < 0.8:
        made["Value"] = random.choice(list(here.values()) if isinstance(here, dict) else here)
        if made["Value"] in (math.inf, -math.inf):
            made["Value"] = 0
    elif operation not in ("Delete", "Toggle", "DeleteFirst", "DeleteLast"):
        made["Value"] = value(random, 2)
    return made


def spoil(random: Random, made: dict[str, Any]) -> None:
    """Make a delta malformed, or give an index another form."""
    kind = random.randrange(5)
    if kind == 0:
        made["Operation"] = random.choice(["set", "", None, 1, ["Set"]])
    elif kind == 1:
        made["Path"] = random.choice([[-1], [1.5], [True], [None], [[]], "a", {}, None, [math.inf]])
    elif kind == 2:
        made["Path"] = [float(step) if isinstance(step, int) else step for step in made["Path"]]
    elif kind == 3:
        made["Value"] = random.choice([None, True, 1, "1", [], math.inf if made["Operation"] == "Increment" else {}])
    else:
        del made[random.choice(list(made))]


def as_json(value: Any) -> str:
    return json.dumps(value).replace("Infinity", "1e400")


def case(random: Random) -> tuple[str, str]:
    """Make a document and deltas of which each fits what those before have made of it."""
    document = as_json({random.choice(NAMES): value(random, 3) for _ in range(6)})
    editor = Editor(freeze(json.loads(document), infinite=True))
    deltas: list[dict[str, Any]] = []
    for _ in range(random.randint(1, 6)):
        deltas.append(delta(random, editor.data))
        try:
            editor.apply(delta_from_json(json.loads(as_json(deltas[-1]))))
        except DeltaError:
            break
    if random.random() < 0.1:
        spoil(random, random.choice(deltas))
    return document, as_json(deltas)


def ours(document: str, deltas: str) -> dict[str, Any]:
    """Apply deltas to a document, and say what the utilities should."""
    try:
        made: list[Delta] = [delta_from_json(one) for one in json.loads(deltas)]
    except MalformedDelta:
        return {"violation": True}
    editor = Editor(freeze(json.loads(document), infinite=True))
    for index, one in enumerate(made):
        try:
            editor.apply(one)
        except DeltaError:
            return {"index": index}
    return {"canonical": canonical(editor.data).decode(), "md5": feed_md5(editor.data)}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
async def test_random_deltas_lead_to_the_same_data_and_hash_or_fail_alike(feedme: Feedme, seed: int) -> None:
    random = Random(seed)
    cases = [case(random) for _ in range(CASES)]
    util = await feedme.util()

    outcomes = {"violation": 0, "index": 0, "canonical": 0}
    for (document, deltas), theirs in zip(cases, await util.apply(cases), strict=True):
        outcomes[next(name for name in outcomes if name in theirs)] += 1
        expected = {**theirs, "violation": True} if "violation" in theirs else theirs
        expected.pop("reason", None)
        assert ours(document, deltas) == expected, (document, deltas, theirs)
    assert min(outcomes.values()) > CASES / 50
    assert outcomes["canonical"] > CASES / 3
