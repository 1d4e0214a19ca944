"""The exit codes of `rcex-ws`: which error leads to which, and what is said about it.

The help and docs/cli.md show the table that is here. Imports nothing heavy, for the help has it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from cyclopts import CycloptsError

from rcex_ws.errors import ConfigurationError, RcexError

__all__ = ["MEANINGS", "ExitCode", "code_of", "complaint_of", "table"]


class ExitCode(IntEnum):
    """How a command has ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    TRY_LATER = 3
    LOGIN_REFUSED = 4
    COMMAND_FAILED = 5
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: Final = {
    ExitCode.DONE: "success, also if the reader of a pipe has closed it",
    ExitCode.FAILED: "the server refused the request, or `doctor` found a problem",
    ExitCode.USAGE: "an argument, file, setting or extra is wrong or missing",
    ExitCode.TRY_LATER: "no connection or no answer; trying again later can help",
    ExitCode.LOGIN_REFUSED: "the server refused the login; check the credentials",
    ExitCode.COMMAND_FAILED: "a command of `listen --exec` failed",
    ExitCode.BUG: "a bug in rcex-ws; `--debug` shows where",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C (SIGINT); `gateway` then exits with 0",
    ExitCode.TERMINATED: "stopped by SIGTERM; `gateway` then exits with 0",
}


def table() -> str:
    """Return the exit codes and their meanings, a line each."""
    return "\n".join(f"{code:>4}  {meaning}" for code, meaning in MEANINGS.items())


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return ExitCode.DONE
    if isinstance(error, ConfigurationError):
        return ExitCode.USAGE
    if not isinstance(error, RcexError):
        return ExitCode.USAGE if isinstance(error, (OSError, ModuleNotFoundError, CycloptsError)) else ExitCode.BUG
    from rcex_ws.rest import LoginRefused, RestError  # an error of the library: it is loaded already

    if isinstance(error, LoginRefused):
        return ExitCode.LOGIN_REFUSED
    return ExitCode.TRY_LATER if error.retryable and not isinstance(error, RestError) else ExitCode.FAILED


def complaint_of(error: BaseException, code: ExitCode) -> str:
    """Return the one line that is said about an error, without the name of the program; empty for none."""
    if code in (ExitCode.DONE, ExitCode.INTERRUPTED):
        return ""
    text = " ".join(str(error).split()) or type(error).__name__
    if code is ExitCode.TRY_LATER:
        return f"{text}; try again later, or run `rcex-ws doctor` to find the cause"
    if code is ExitCode.BUG:
        return f"a bug, please report it: {type(error).__name__}: {text} (--debug shows where)"
    return text
