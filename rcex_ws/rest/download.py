"""Write the body of an answer to a file as it arrives, so that it is never in memory whole.

Used by `rcex_ws.rest.paths` and `rcex_ws.rest.path_methods`. Whoever opens the file sees all of it or the one before:
the bytes go to a temporary file in the same folder, which is renamed at the end. Files are touched in worker threads.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import anyio
import anyio.to_thread

from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.options import FilePath, refusal, required_constraint
from rcex_ws.readers import read_digits
from rcex_ws.rest.https import StreamedResponse
from rcex_ws.rest.message import Options, Progress
from rcex_ws.rest.methods import ClientMethods
from rcex_ws.rest.outgoing import check_progress, encoded_path, path_text

__all__ = ["download"]

#: Bytes that are gathered before a worker thread writes them: the way there costs more than the writing.
_PIECE: Final = 2**18


async def download(rc: ClientMethods, path: str, to: FilePath, options: Options) -> Path:
    """Get a path or URI and write it to a file; see `PathMethods.download`."""
    encoded_path(path_text(path))
    if not _FILE_PATH.admits(to):
        raise refusal("to", _FILE_PATH, to)
    progress = options.pop("progress", None)
    check_progress(progress)
    target = Path(to)
    place = await anyio.to_thread.run_sync(_checked_place, target)
    headers: Any = options.get("headers")
    if headers is None or isinstance(headers, Mapping):  # anything else is refused by `stream`
        given = cast("Mapping[str, str]", headers or {})
        if not any(str(name).lower() == "accept-encoding" for name in given):
            # Compressed, the length of the answer would be another one than that of the file.
            options["headers"] = {"Accept-Encoding": "identity", **given}
    async with rc.stream("GET", path, **options) as answer:
        file = await anyio.to_thread.run_sync(_create_beside, place)
        finished = False
        try:
            await _receive(answer, file, progress, path)
            await anyio.to_thread.run_sync(_finish, file, place)
            finished = True
        finally:
            if not finished:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(_discard, file)
    return target


async def _receive(answer: StreamedResponse, file: BinaryIO, progress: Progress | None, path: str) -> None:
    """Write the body and compare its length with what the server has said."""
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    total = None if encoded else read_digits(answer.headers.get("Content-Length"))
    done = 0
    pieces: list[bytes] = []
    waiting = 0
    chunks = answer.aiter_bytes()
    try:
        async for chunk in chunks:
            pieces.append(chunk)
            done += len(chunk)
            waiting += len(chunk)
            if waiting >= _PIECE:
                await anyio.to_thread.run_sync(file.write, b"".join(pieces))
                pieces, waiting = [], 0
            if progress is not None:
                progress(done, total)
    except BaseException:
        await answer.abandon(chunks)
        raise
    await anyio.to_thread.run_sync(file.write, b"".join(pieces))
    if total is not None and done != total:
        raise TransportError(f"GET {path.partition('?')[0]}: {done} bytes came instead of {total}")


def _checked_place(target: Path) -> Path:
    """Return where the file is to be: a link stays, and what it leads to is replaced."""
    place = Path(os.path.realpath(target))
    if not place.parent.is_dir():
        raise ConfigurationError(f"to: there is no folder {str(place.parent)!r}")
    if place.is_dir():
        raise ConfigurationError(f"to: {str(target)!r} is a folder; name the file")
    if place.exists() and not place.is_file():
        # The renaming would replace it: /dev/null of the whole machine, if root asks for it.
        raise ConfigurationError(f"to: {str(target)!r} is a device or a pipe; name a file")
    return place


def _create_beside(target: Path) -> BinaryIO:
    # With the usual permissions, which a file of the tempfile module would not have.
    return (target.parent / f".{target.name[:100]}.{secrets.token_hex(6)}.part").open("xb")


def _finish(file: BinaryIO, target: Path) -> None:
    with suppress(FileNotFoundError):  # who may not read the older file may not read this one
        os.chmod(file.name, stat.S_IMODE(target.stat().st_mode))
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.replace(file.name, target)


def _discard(file: BinaryIO) -> None:
    with suppress(OSError):  # of a full disk, again
        file.close()
    with suppress(OSError):
        os.unlink(file.name)


_FILE_PATH = required_constraint(FilePath)
