"""Requests for several resources at once, whose ids are separated by commas in the path.

Answered by 207 and multipart/mixed: a part with the status of each, then a part for each (RingCentral's developer
guide, "Batch requests").
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse, Response

from rcex_ws.gateway.problem import Problem

__all__ = ["ids_in", "read_batch"]

_MOST_IDS = 50


def ids_in(text: str) -> list[str]:
    """Return the ids in a path parameter.

    Raises:
        Problem: 400 CMN-101 for more than RingCentral takes.
    """
    ids = text.split(",")
    if len(ids) > _MOST_IDS:
        raise Problem(400, "CMN-101", f"More than {_MOST_IDS} ids in one request")
    return ids


def read_batch(text: str, base: str, read: Callable[[str], dict[str, Any]], *, suffix: str = "") -> Response:
    """Return the answer for one id, or for several: then 207, and a refusal of one of them is in its part.

    Args:
        text: the path parameter.
        base: the URI of the collection, for those of its members.
        read: returns the answer for one id, or raises `Problem`.
        suffix: what follows the id in a member's URI.

    Raises:
        Problem: what `read` raises for the one id.
    """
    ids = ids_in(text)
    if len(ids) == 1:
        return JSONResponse(read(ids[0]))
    statuses: list[dict[str, Any]] = []
    bodies: list[dict[str, Any]] = []
    for one in ids:
        try:
            bodies.append(read(one))
            status, description = 200, "OK"
        except Problem as problem:
            bodies.append(problem.body())
            status, description = problem.status, problem.message
        statuses.append({"href": f"{base}/{one}{suffix}", "status": status, "responseDescription": description})
    boundary = f"Boundary_{uuid.uuid4().hex}"
    parts = [{"response": statuses}, *bodies]
    lines = "".join(f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{json.dumps(part)}\r\n" for part in parts)
    return Response(f"{lines}--{boundary}--\r\n", 207, {"Content-Type": f"multipart/mixed; boundary={boundary}"})
