"""Headers and body of a call as keyword arguments of httpx.

Used by `rcex_ws.rest.https`; files are the job of `rcex_ws.rest.upload`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcex_ws.rest.message import UNSET, Request
from rcex_ws.rest.outgoing import encode_json
from rcex_ws.rest.upload import make_body

__all__ = ["keyword_arguments"]


async def keyword_arguments(request: Request, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return headers and body of a call as keyword arguments of httpx's methods."""
    arguments: dict[str, Any] = {"headers": dict(headers)}
    if request.files is not None:
        body = await make_body(request)
        kept = {
            name: value for name, value in headers.items() if name.lower() not in ("content-type", "content-length")
        }
        arguments |= {"headers": kept | {"Content-Type": body.content_type}, "content": body}
        if body.length is not None:  # else httpx sends it in chunks
            arguments["headers"]["Content-Length"] = str(body.length)
    elif request.json is not UNSET:
        arguments["content"] = encode_json(request.json)
        if request.header("Content-Type") is None:
            arguments["headers"]["Content-Type"] = "application/json"
    elif request.content is not None:
        arguments["content"] = request.content
    elif request.data is not None:
        arguments["data"] = request.data
    return arguments
