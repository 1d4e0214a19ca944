"""What the commands print: results on stdout, everything else on stderr, progress only where somebody watches.

Imports rich when something is drawn, since most commands in scripts draw nothing.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

__all__ = ["compact", "pretty", "progress", "say", "write", "write_bytes"]

_PATIENCE = 1.0
"""Seconds that something may take before it is said what is waited for."""


def say(text: str) -> None:
    """Write a line to stderr: what is no result."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def write(text: str) -> None:
    """Write a line of the result to stdout, at once.

    Raises:
        BrokenPipeError: nobody reads it any more.
    """
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_bytes(content: bytes) -> None:
    """Write a result to stdout as it is.

    Raises:
        BrokenPipeError: nobody reads it any more.
    """
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def compact(value: object) -> str:
    """Return a value as JSON in one line of ASCII, which no encoding and no terminal can misunderstand."""
    return json.dumps(value, separators=(",", ":"))


def pretty(value: object) -> str:
    """Return a value as JSON for people; what a terminal could take for a command is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


@contextmanager
def progress(what: str) -> Generator[None]:
    """Show on a terminal what is waited for, if the block takes longer than a second.

    Args:
        what: such as "connecting".
    """
    if not sys.stderr.isatty():
        yield
        return
    status: Any = None

    def show() -> None:
        nonlocal status
        from rich.console import Console

        status = Console(stderr=True).status(f"{what} ...")
        status.start()

    timer = threading.Timer(_PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if status is not None:
            status.stop()
