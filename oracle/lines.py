"""Journals as lines of JSON, for the smaller oracles: a record knows when it was written, on a clock that all share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T", bound="Line")


class Line(msgspec.Struct, tag_field="is", tag=True, kw_only=True, omit_defaults=True):
    """One record. `at` is set by the pen: seconds on the monotonic clock of the machine."""

    at: float = 0.0


class Escaped(Line):
    """Something that nobody caught, or a warning. `where`: loop, thread, finalizer, warning, log, program."""

    where: str
    error: str


class LeftOver(Line):
    """Tasks and descriptors that were there after an orderly end; `life` 0 stands for the whole program."""

    life: int
    what: list[str]


class Lagged(Line):
    """The loop was late by so many seconds, because the machine was busy or something held it up."""

    seconds: float


class Finished(Line):
    """The program came to its end."""


class Pen:
    """Write records, each at once by one system call, so that a program that dies loses none.

    Args:
        path: is made anew.
        echo: whether to keep the records, too.
    """

    def __init__(self, path: Path, *, echo: bool = False) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._encoder = msgspec.json.Encoder()
        self._echo = echo
        self.lines: list[Line] = []

    def put(self, line: Line) -> None:
        """Write one record, now."""
        line.at = time.monotonic()
        os.write(self._file, self._encoder.encode(line) + b"\n")
        if self._echo:
            self.lines.append(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_lines(path: Path, kinds: Iterable[type[T]]) -> list[T]:
    """Read a journal; a last line that was cut short is left out."""
    decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(_union(kinds))
    with path.open("rb") as file:
        return [decoder.decode(line) for line in file if line.endswith(b"\n")]


def _union(kinds: Iterable[type[T]]) -> type[T]:
    first, *rest = kinds
    union: object = first
    for kind in rest:
        union = union | kind  # type: ignore[operator]
    return union  # type: ignore[return-value]
