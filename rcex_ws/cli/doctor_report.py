"""How the results of `rcex-ws doctor` are shown: coloured on a terminal, as lines, or as JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import msgspec

from rcex_ws.cli.doctor_steps import StepResult, StepVerdict
from rcex_ws.readers import printable

__all__ = ["JsonReport", "LineReport", "Report", "TerminalReport", "line_of"]

Write = Callable[[str], object]

_WIDTH = max(map(len, StepVerdict))
_INDENT = " " * (_WIDTH + 12)


class Report(Protocol):
    """Shows the results as they come; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, result: StepResult) -> None:
        """Show one result."""
        ...


def line_of(result: StepResult) -> str:
    """Return one result as a line, and the advice as another."""
    line = f"{result.verdict:{_WIDTH}} {result.seconds:7.2f} s  {result.step}: {_clean(result.detail)}"
    return f"{line}\n{_INDENT}{_clean(result.advice)}" if result.advice else line


class LineReport:
    """Results as lines, for logs and pipes.

    Args:
        write: writes a text, which ends with a line end.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, result: StepResult) -> None:
        """Write one result."""
        self._write(self._text(result) + "\n")

    def _text(self, result: StepResult) -> str:
        return line_of(result)


class JsonReport(LineReport):
    """Results as JSON, one object a line."""

    def _text(self, result: StepResult) -> str:
        return json.dumps(msgspec.to_builtins(result))


class TerminalReport:
    """Results in colours, and a sign of life between them."""

    def __init__(self) -> None:
        from rich.console import Console  # here, as scripts need none of it

        self._console = Console(file=sys.stdout, highlight=False)
        self._status = self._console.status("examining", spinner="dots")

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, result: StepResult) -> None:
        """Print one result."""
        from rich.markup import escape
        from rich.padding import Padding

        colour = {StepVerdict.OK: "green", StepVerdict.FAILED: "bold red", StepVerdict.SKIPPED: "dim"}[result.verdict]
        head = f"[{colour}]{result.verdict:{_WIDTH}}[/] {result.seconds:7.2f} s  [bold]{result.step}[/]: "
        self._console.print(head + escape(_clean(result.detail)))
        if result.advice:
            self._console.print(Padding(f"[yellow]{escape(_clean(result.advice))}[/]", (0, 0, 0, len(_INDENT))))


def _clean(text: str) -> str:
    """Escape what a terminal could take for a command: some texts come from the server."""
    return printable(text, most=2000)
