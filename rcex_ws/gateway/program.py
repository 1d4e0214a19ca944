"""The local RingCentral as a program of its own: run it until a signal arrives, and hand out its credentials.

Called by `python -m rcex_ws.gateway` and by `rcex-ws gateway`, which read the command line in their own ways.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rcex_ws.errors import ConfigurationError
from rcex_ws.readers import printable

if TYPE_CHECKING:
    from rcex_ws.gateway.server import Gateway

__all__ = ["run"]

_MARK: Final = "# Written by the local gateway, which removes it when it ends.\n"
_PRIVATE: Final = 0o600
_LONGEST_LINE: Final = 10_000


def run(
    gateway: Gateway, *, env_file: Path | None, verbose: bool, started: Callable[[], object] = lambda: None
) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Args:
        gateway: the gateway, not started yet.
        env_file: the file that its credentials are written to; None prints them.
        verbose: say on stderr what happens.
        started: called when it serves and the credentials are out.

    Raises:
        ConfigurationError: it cannot start, or the file is somebody else's.
    """
    ended = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda _number, _frame: ended.set())
    if verbose:
        gateway.watch(_print_entry)
    try:
        with nullcontext() if env_file is None else _place_for(env_file), gateway:
            text = "".join(f"{name}={value}\n" for name, value in _credentials(gateway))
            if env_file is None:
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                _write(env_file, text)
            started()
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _credentials(gateway: Gateway) -> Generator[tuple[str, str]]:
    yield "RINGCENTRAL_SERVER_URL", gateway.server
    yield "RINGCENTRAL_CLIENT_ID", gateway.client_id
    yield "RINGCENTRAL_CLIENT_SECRET", gateway.client_secret
    yield "RINGCENTRAL_JWT", gateway.jwt
    if len(gateway.users) > 1:
        yield "RINGCENTRAL_SECOND_JWT", gateway.users[1].jwt


@contextmanager
def _place_for(env_file: Path) -> Generator[None]:
    """Make sure that the file may be written, before anything starts; remove it at the end.

    Raises:
        ConfigurationError: there is a file that no gateway has written, or its folder does not exist.
    """
    if env_file.exists() and not _is_ours(env_file):
        raise ConfigurationError(f"env_file: {env_file} exists and was not written by a gateway; move it away first")
    if not env_file.parent.is_dir():
        raise ConfigurationError(f"env_file: the folder {env_file.parent} does not exist")
    try:
        yield
    finally:
        if _is_ours(env_file):
            with suppress(OSError):
                env_file.unlink()


def _write(env_file: Path, text: str) -> None:
    try:
        env_file.unlink(missing_ok=True)  # that of a gateway that was killed
        descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except OSError as error:
        raise ConfigurationError(f"env_file: {env_file} cannot be written: {error.strerror}") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(_MARK + text)


def _is_ours(env_file: Path) -> bool:
    try:
        with env_file.open(encoding="utf-8", errors="replace") as file:
            return file.readline() == _MARK
    except OSError:
        return False


def _print_entry(entry: dict[str, Any]) -> None:
    """Print one log entry; its values are text and numbers without secrets."""
    facts = " ".join(f"{name}={value}" for name, value in entry.items() if name not in ("time", "kind"))
    line = f"{entry['time']:9.3f} {entry['kind']} {facts}".rstrip()
    sys.stderr.write(printable(line, most=_LONGEST_LINE) + "\n")
    sys.stderr.flush()
