"""Multipart bodies that are read while they are sent, so that a large file is never in memory whole.

Used by `rcex_ws.rest.http_body`. A body is made anew for each attempt and reads its files from their start, so that a
call can be repeated. Files are read in a worker thread. The iterator is an object and no async generator: trio would
warn about one that a failed or cancelled write leaves unfinished.

RingCentral takes both media types for fax and MMS (developer guide: sending faxes). A multipart/mixed body has the same
parts here, as it has in the official Python SDK (`MultipartBuilder.set_multipart_mixed`).
"""

from __future__ import annotations

import io
import mimetypes
import os
import re
import secrets
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from weakref import WeakSet

import anyio.to_thread

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest.message import UNSET, Progress, Request
from rcex_ws.rest.outgoing import encode_json
from rcex_ws.rest.url import as_builtin

__all__ = ["BODY", "MultipartBody", "make_body"]

#: Name under which `https` hands a body to `http_transport`, past httpx, which would wrap it into an async generator.
BODY: Final = "rcex_ws.body"

#: Bytes read at a time.
_PIECE: Final = 2**18

#: What HTML has for characters that would end a quoted name (the form-data rules of WHATWG, which httpx follows).
_ESCAPES: Final = {'"': "%22", "\\": "\\\\"} | {chr(code): f"%{code:02X}" for code in range(32) if code != 27}
_BOUNDARY = re.compile(r';\s*boundary="?([^";\s]+)"?', re.IGNORECASE)

#: Files that cannot be rewound and have been read.
_spent: WeakSet[Any] = WeakSet()


@dataclass(slots=True)
class _Part:
    """A part of the body: its head, and what follows; `size` is None if it shows only when read."""

    field: str
    head: bytes
    content: Any  # bytes, an open file or a path
    size: int | None


class MultipartBody:
    """The body of one attempt, as an async iterable of bytes.

    Args:
        parts: what it consists of.
        boundary: what separates them.
        content_type: multipart/form-data or multipart/mixed, with the boundary.
        progress: called with the bytes sent so far and in all.

    Attributes:
        length: bytes in all, or None.
        content_type: as given.
    """

    def __init__(self, parts: list[_Part], boundary: bytes, content_type: str, progress: Progress | None) -> None:
        self._parts = parts
        self._boundary = boundary
        self._progress = progress
        self.content_type = content_type
        sizes = [None if part.size is None else len(part.head) + part.size + len(b"--\r\n\r\n") for part in parts]
        frame = len(boundary) * (len(parts) + 1) + len(b"----\r\n")
        self.length = None if None in sizes else sum(cast("list[int]", sizes), frame)

    def __aiter__(self) -> AsyncIterator[bytes]:
        in_memory = all(isinstance(part.content, bytes) for part in self._parts)
        return _Reading(self._pieces(), in_memory, self._progress, self.length)

    def _pieces(self) -> Generator[bytes]:
        """Yield the body; runs in a worker thread, step by step."""
        for part in self._parts:
            yield b"--%b\r\n%b" % (self._boundary, part.head)
            with _told(part.field):
                yield from _read(part.content, part.size)
            yield b"\r\n"
        yield b"--%b--\r\n" % self._boundary


class _Reading(AsyncIterator[bytes]):
    def __init__(self, pieces: Iterator[bytes], in_memory: bool, progress: Progress | None, total: int | None) -> None:
        self._pieces = pieces
        self._in_memory = in_memory
        self._progress = progress
        self._total = total
        self._given = self._told = 0

    async def __anext__(self) -> bytes:
        # Asked for more: all that was given has been written.
        if self._progress is not None and self._given > self._told:
            self._told = self._given
            self._progress(self._given, self._total)
        piece = self._gather() if self._in_memory else await anyio.to_thread.run_sync(self._gather)
        if not piece:
            raise StopAsyncIteration
        self._given += len(piece)
        return piece

    def _gather(self) -> bytes:
        """Return some of the pieces joined, since each one becomes a write; nothing at the end."""
        gathered: list[bytes] = []
        size = 0
        while size < _PIECE and (piece := next(self._pieces, None)) is not None:
            gathered.append(piece)
            size += len(piece)
        return b"".join(gathered)


async def make_body(request: Request) -> MultipartBody:
    """Return the multipart body of a call with files; with `json` that comes first, as RingCentral's fax and MMS want.

    A header Content-Type of multipart/mixed makes it that, else it is multipart/form-data.

    Raises:
        ConfigurationError: a file cannot be read, or was read for an earlier attempt and cannot be rewound.
    """
    given = request.header("Content-Type") or ""
    kind = given.partition(";")[0].strip().lower()
    if not kind.startswith("multipart/"):
        kind = "multipart/form-data"
    found = _BOUNDARY.search(given)
    boundary = found[1] if found else secrets.token_hex(16)
    parts = [*_fields(request)]
    files = request.files or {}
    pairs: Iterable[tuple[str, Any]] = files.items() if isinstance(files, Mapping) else files
    parts += await anyio.to_thread.run_sync(lambda: [_file_part(name, file) for name, file in pairs])
    return MultipartBody(parts, boundary.encode(), f"{kind}; boundary={boundary}", request.progress)


def _fields(request: Request) -> Iterator[_Part]:
    if request.json is not UNSET:
        content = encode_json(request.json)
        yield _Part("json", _head("json", "request.json", {"Content-Type": "application/json"}), content, len(content))
    for name, value in (request.data or {}).items():
        many = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else (value,)
        for one in many:
            content = one if isinstance(one, bytes) else _field_text(one).encode()
            yield _Part(name, _head(name, None, {}), content, len(content))


def _field_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(as_builtin(value))


def _file_part(field: str, file: Any) -> _Part:
    headers: dict[str, str] = {}
    content_type: Any = None
    if isinstance(file, tuple):  # (filename, file, type, headers), as in httpx
        given: Any
        filename, content, content_type, given = (*cast("tuple[object, ...]", file), None, None)[:4]
        headers = dict(given or {})
    else:
        content = file
        name = cast("object", file) if isinstance(file, os.PathLike) else getattr(file, "name", "upload")
        filename = Path(str(name)).name
    if content_type is not None or not any(name.lower() == "content-type" for name in headers):
        guessed = content_type or mimetypes.guess_type(str(filename or ""))[0] or "application/octet-stream"
        headers = {"Content-Type": guessed} | headers
    content, size = _measured(field, content)
    return _Part(field, _head(field, filename, headers), content, size)


def _measured(field: str, content: Any) -> tuple[Any, int | None]:
    """Return what to read a part from, rewound, and its size."""
    if isinstance(content, bytes):
        return content, len(content)
    if isinstance(content, str):
        return content.encode(), len(content.encode())
    with _told(field):
        if isinstance(content, os.PathLike):
            path = Path(cast("os.PathLike[str]", content))
            with path.open("rb") as file:
                return path, file.seek(0, io.SEEK_END)
        if hasattr(content, "seekable") and content.seekable():
            return _measured_file(content)
    if content in _spent:
        raise ConfigurationError(f"files: {field}: was read for another attempt and cannot be rewound")
    return content, None


def _measured_file(content: Any) -> tuple[Any, int]:
    content.seek(0)
    if isinstance(content.read(0), str):  # text: its length in bytes shows only when it is encoded
        text = content.read().encode()
        return text, len(text)
    return content, content.seek(0, io.SEEK_END)


@contextmanager
def _told(field: str) -> Generator[None]:
    """Say of an error of the disk which file it is about; it would be taken for one of the network."""
    try:
        yield
    except (OSError, ValueError) as exc:  # ValueError: it is closed
        raise ConfigurationError(f"files: {field}: cannot be read: {exc}") from exc


def _read(content: Any, size: int | None) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), _PIECE):
            yield content[start : start + _PIECE]
    elif isinstance(content, Path):
        with content.open("rb") as file:
            yield from _read_measured(file, size or 0)
    elif size is not None:
        content.seek(0)
        yield from _read_measured(content, size)
    else:
        _spent.add(content)
        while piece := content.read(_PIECE):
            yield piece.encode() if isinstance(piece, str) else piece


def _read_measured(file: Any, size: int) -> Iterator[bytes]:
    """Yield as many bytes as the header says, whatever others write meanwhile: a log that grows is cut there."""
    while size:
        piece = file.read(min(size, _PIECE))
        if not piece:
            raise OSError("it became shorter while it was sent")
        size -= len(piece)
        yield piece


def _head(name: str, filename: Any, headers: Mapping[str, str]) -> bytes:
    disposition = f'form-data; name="{_escaped(name)}"'
    if filename is not None:
        disposition += f'; filename="{_escaped(str(filename))}"'
    lines = {"Content-Disposition": disposition} | dict(headers)
    return "".join(f"{key}: {value}\r\n" for key, value in lines.items()).encode() + b"\r\n"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)
