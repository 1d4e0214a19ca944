"""Headers and body of a call as keyword arguments of httpx; reads open files in a worker thread.

Used by `rcex_ws.rest.https`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import anyio.to_thread

from rcex_ws.rest.message import UNSET, Files, Request
from rcex_ws.rest.outgoing import encode_json

__all__ = ["keyword_arguments"]


async def keyword_arguments(request: Request, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return headers and body of a call as keyword arguments of httpx's methods."""
    arguments: dict[str, Any] = {"headers": dict(headers)}
    if request.files is not None:
        files = await anyio.to_thread.run_sync(_read_files, request.files)
        if request.json is not UNSET:
            # RingCentral's fax and MMS expect the parameters as the first part.
            files.insert(0, ("json", ("request.json", encode_json(request.json), "application/json")))
        arguments |= {"files": files, "data": request.data}
    elif request.json is not UNSET:
        arguments["content"] = encode_json(request.json)
        if request.header("Content-Type") is None:
            arguments["headers"]["Content-Type"] = "application/json"
    elif request.content is not None:
        arguments["content"] = request.content
    elif request.data is not None:
        arguments["data"] = request.data
    return arguments


def _read_files(files: Files) -> list[tuple[str, object]]:
    """Read open files whole, from the start: httpx would read them in the event loop, and only once."""
    parts: Iterable[tuple[str, Any]] = files.items() if isinstance(files, Mapping) else files
    return [(name, _read_file(part)) for name, part in parts]


def _read_file(part: object) -> object:
    if isinstance(part, tuple):
        name, file, *rest = cast("tuple[object, ...]", part)
        return (name, _read_content(file), *rest)
    if hasattr(part, "read"):
        return (Path(str(getattr(part, "name", "upload"))).name, _read_content(part))
    return part


def _read_content(file: Any) -> object:
    if not hasattr(file, "read"):
        return file
    if hasattr(file, "seekable") and file.seekable():
        file.seek(0)
    return file.read()
