"""Many resources in one GET: ids in the path, and an answer 207 whose parts are told apart.

Used by `rcex_ws.rest.paths`. Facts: RingCentral developer guide, basics/batch-requests: the first part of the
multipart/mixed answer lists href and status of each resource, the other parts are their bodies, in that order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote, unquote

from rcex_ws.errors import ConfigurationError, NotJSON
from rcex_ws.options import refusal, required_constraint
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.message import Options, Response
from rcex_ws.rest.methods import ClientMethods
from rcex_ws.rest.outgoing import check_segment
from rcex_ws.rest.url import path_of

__all__ = ["MAX_IDS", "BatchResult", "get_batch", "read_parts"]

#: The lowest limit that the API reference names: 30 for presence (InvalidMultipartRequest), 50 for the message store
#: and the call log.
MAX_IDS: Final = 30

#: Statuses that concern a call as a whole, not its only id: log in again, wait.
_OF_THE_CALL: Final = frozenset({401, 408, 429})

_DELIMITER = re.compile(rb"\A\s*(--[^\r\n]+?)[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one id of a batch.

    Attributes:
        id: the id, as text.
        status: HTTP status of this resource; 0 if the answer has nothing for it.
        body: decoded JSON; None if there is none, or an error.
        error: a RestError with code and message, a NotJSON if there is no answer that can be read, else None.
    """

    id: str
    status: int
    body: Any = None
    error: RestError | NotJSON | None = None


async def get_batch(
    rc: ClientMethods, path: str, ids: Iterable[str | int], suffix: str, options: Options
) -> list[BatchResult]:
    """Get resources by their ids; see `PathBuilder.batch`."""
    wanted = _texts(ids)
    if not isinstance(suffix, str) or (suffix and not suffix.startswith("/")):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("suffix: expected one that begins with a slash, such as /presence")
    unique = list(dict.fromkeys(wanted))
    found: dict[str, BatchResult] = {}
    for start in range(0, len(unique), MAX_IDS):
        chunk = unique[start : start + MAX_IDS]
        place = f"{path}/{','.join(quote(one, safe='~') for one in chunk)}{suffix}"
        copied = cast("Options", dict(options))  # what is called takes the options apart
        found |= {result.id: result for result in await _get_chunk(rc, place, chunk, copied)}
    return [found[one] for one in wanted]


async def _get_chunk(rc: ClientMethods, path: str, ids: Sequence[str], options: Options) -> list[BatchResult]:
    try:
        response = await rc.request("GET", path, **options)
    except RestError as exc:
        # A single id is answered as always; in a chunk of many its failure would be one of the parts.
        if len(ids) > 1 or exc.status_code in _OF_THE_CALL or exc.status_code >= 500:
            raise
        return [BatchResult(ids[0], exc.status_code, error=exc)]
    if response.status_code != 207 and len(ids) == 1:
        return [_result(ids[0], response, path)]
    return _read_results(response, ids, path)


def _read_results(response: Response, ids: Sequence[str], path: str) -> list[BatchResult]:
    """Return a result for each id.

    Raises:
        NotJSON: the answer is not that of a batch.
    """
    entries, bodies = _manifest(response, path)
    if len(bodies) != len(entries):  # only those that succeeded have a body
        left = iter(bodies)
        bodies = [next(left, None) if 200 <= _status(entry) < 300 else None for entry in entries]
    found: dict[str, BatchResult] = {}
    for position, (entry, body) in enumerate(zip(entries, bodies, strict=True)):
        id = _id_of(entry, ids, ids[position] if len(entries) == len(ids) else None)
        if id is not None and id not in found:
            part = body or Response(0, {}, b"")
            found[id] = _result(id, Response(_status(entry), part.headers, part.content, response.via), path)
    return [found.get(id) or BatchResult(id, 0, error=NotJSON(f"the batch has no answer for {id}")) for id in ids]


def _manifest(response: Response, path: str) -> tuple[list[Mapping[str, Any]], list[Response | None]]:
    """Return what the first part lists, and the other parts."""
    parts = list(read_parts(response.content))
    first = parts[0].json() if parts else None
    entries = cast("dict[str, Any]", first).get("response") if isinstance(first, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in cast("list[object]", entries)):
        raise NotJSON(f"GET {path_of(path)}: the answer {response.describe()} is not that of a batch")
    return cast("list[Mapping[str, Any]]", entries), [*parts[1:]]


def read_parts(content: bytes) -> Iterator[Response]:
    """Split a multipart/mixed body into its parts, each with headers and content.

    The delimiter is that of the first line: over the WebSocket there may be no header that tells it.
    """
    opening = _DELIMITER.match(content)
    if opening is None:
        return
    # A delimiter begins a line (RFC 2046, 5.1.1), which no line of JSON can do.
    pieces = re.split(rb"(?:\r?\n|\A\s*)" + re.escape(opening[1]) + rb"(?:--)?[ \t]*(?=\r?\n|\Z)", content)
    for piece in pieces[1:]:
        head, blank, body = _halves(piece)
        if blank:
            lines = (line.partition(":") for line in head.decode("latin-1").splitlines() if ":" in line)
            yield Response(0, {name.strip(): value.strip() for name, _, value in lines}, body)


def _halves(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the head, the blank line and the body of a part; no blank line after the last delimiter."""
    found = re.search(rb"\r?\n\r?\n", piece)
    return (piece, b"", b"") if found is None else (piece[: found.start()], found[0], piece[found.end() :])


def _result(id: str, response: Response, path: str) -> BatchResult:
    status = response.status_code
    if not response.is_success:
        return BatchResult(id, status, error=RestError(response, method="GET", path=f"{path_of(path)} for {id}"))
    try:
        return BatchResult(id, status, response.json() if response.content.strip() else None)
    except NotJSON as exc:
        return BatchResult(id, status, error=exc)


def _id_of(entry: Mapping[str, Any], ids: Sequence[str], by_position: str | None) -> str | None:
    """Return the id that an entry is about: the last segment of its href that is one, else that of its position."""
    segments = unquote(path_of(str(entry.get("href") or ""))).split("/")
    return next((segment for segment in reversed(segments) if segment in ids), by_position)


def _status(entry: Mapping[str, Any]) -> int:
    status = entry.get("status")
    return status if isinstance(status, int) else 0


def _texts(ids: Iterable[str | int]) -> list[str]:
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refusal("ids", _IDS, ids)
    texts = [check_segment(one) for one in ids]
    for text in texts:
        if "," in text:
            raise ConfigurationError(f"ids: {text!r} has a comma; pass the ids one by one")
    return texts


_IDS = required_constraint(Sequence[str | int])
