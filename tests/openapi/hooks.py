"""What schemathesis is told beside the document: path parameters that name something that is there.

Loaded by schemathesis itself (`SCHEMATHESIS_HOOKS`), in the process that `test_fuzz.py` starts. The ids of what answers
contain become values of the parameter that follows the answered path: ids in the answer of `.../message-store` are
values of `messageId` in `.../message-store/{messageId}`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict, deque
from typing import Any

import schemathesis

_MOST_KEPT = 8

known: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_MOST_KEPT))
known["accountId"].append("~")
known["extensionId"].extend(["~", "101"])
following: defaultdict[str, set[str]] = defaultdict(set)


@schemathesis.hook
def after_load_schema(context: Any, schema: Any) -> None:
    """Note which parameter follows which path."""
    for path in schema.raw_schema["paths"]:
        for found in re.finditer(r"/\{(\w+)\}", path):
            following[path[: found.start()]].add(found[1])


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any]) -> dict[str, Any]:
    """Take what is known for three values of four, and always if it is the account."""
    return {name: _chosen(name, value) for name, value in (path_parameters or {}).items()}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Keep the ids in an answer."""
    names = following[case.operation.path]
    if not names or not 200 <= response.status_code < 300:
        return
    try:
        answer = json.loads(response.content)
    except ValueError:
        return
    records = answer.get("records") if isinstance(answer, dict) else answer
    for one in [answer, *(records if isinstance(records, list) else ())]:
        if isinstance(one, dict) and isinstance(one.get("id"), str | int):
            for name in names - {"accountId", "extensionId"}:
                known[name].append(str(one["id"]))


def _chosen(name: str, value: Any) -> Any:
    number = zlib.crc32(str(value).encode("utf-8", "replace"))
    values = known.get(name)
    if not values or (number % 4 == 0 and name != "accountId"):
        return value
    return values[number // 4 % len(values)]
