"""The application: which commands there are, and what becomes of their results and errors.

Called by `main` of this package, and by tests. A command is named by the module and function that implement it, which
are imported when it is run.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import partial
from inspect import iscoroutinefunction
from typing import Annotated, Any, Final, cast

from cyclopts import App, Parameter

from rcex_ws.cli.exits import ExitCode, code_of, complaint_of, table
from rcex_ws.cli.output import say
from rcex_ws.version import __version__

__all__ = ["app", "run"]

_ABOUT = (
    "Listen to RingCentral's events, call its REST API, and find out why something does not work.\n\n"
    "Set RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET and RINGCENTRAL_JWT in the "
    "environment or in .env, or run `rcex-ws login`. No account? `rcex-ws gateway --env-file .env` starts a local "
    "RingCentral to try everything with."
)

#: Each command: its name, what it does (the first line of its docstring, which to read would be to import it), and the
#: function.
_COMMANDS: Final = (
    ("listen", "Show events as they arrive, and the periods in which some may be missing.", "listen:listen"),
    ("call", "Make one REST call and print the body of the answer.", "call:call"),
    ("trigger sms", "Send a user a text message.", "trigger:sms"),
    ("trigger call", "Call a user.", "trigger:call"),
    ("trigger post", "Write a post in team messaging.", "trigger:post"),
    (
        "trigger command",
        "Send any command of the local gateway, such as `cut`; without a name, list them.",
        "trigger:command",
    ),
    ("subscriptions ls", "List the subscriptions of this user and application.", "subscriptions:ls"),
    ("subscriptions rm", "Delete subscriptions.", "subscriptions:rm"),
    (
        "doctor",
        "Check step by step what a program needs to receive events, and say how to fix what fails.",
        "doctor:doctor",
    ),
    ("login", "Log in, and keep the session for later commands.", "login:login"),
    ("logout", "End the session that `rcex-ws login` stored, here and at the server.", "login:logout"),
    ("gateway", "Run a local RingCentral until Ctrl-C or SIGTERM, and print its credentials.", "gateway:gateway"),
)
_GROUPS: Final = {
    "trigger": "Make something happen at the local gateway.",
    "subscriptions": "List and delete subscriptions.",
}


def _default_in_help(value: object) -> str | None:
    """Return a default as the help shows it; not that a switch is off, or a list empty."""
    return None if value is None or value is False or value == () else str(value)


def _build() -> App:
    parameter = Parameter(negative=(), show_default=_default_in_help)
    # The help of all is plain, for it comes in three quarters of the time; that of a command is set in paragraphs.
    built = App(
        name="rcex-ws",
        help=_ABOUT,
        help_format="plaintext",
        help_epilogue=f"Exit codes:\n\n{table()}",
        version=__version__,
        default_parameter=parameter,
    )
    quiet: dict[str, Any] = {"help_epilogue": "", "help_format": "markdown"}
    for order, (names, summary, function) in enumerate(_COMMANDS):
        group, _, name = names.rpartition(" ")
        if group and group not in built:
            built.command(App(name=group, help=_GROUPS[group], sort_key=order, default_parameter=parameter, **quiet))
        to = built[group] if group else built
        to.command(f"rcex_ws.cli.{function}", name=name, help=summary, sort_key=order, **quiet)
    built.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType]
        help="Install command completion for your shell.", **quiet
    )
    return built


app = _build()


def run(tokens: Iterable[str]) -> int:
    """Run one command line and return its exit code; a failure is reported in one line on stderr.

    Args:
        tokens: the arguments, without the name of the program.
    """
    try:
        result = app.meta(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, it is reported in one line
        return _report(error)
    except SystemExit:  # of rich: nobody reads the help any more
        return ExitCode.DONE
    return result if isinstance(result, int) else ExitCode.DONE


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: bool = False,
) -> object:
    """Run a command.

    Args:
        tokens: the command and its arguments.
        debug: show the library's log, and where an error comes from.
    """
    with _logging(debug):
        try:
            command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
            if not iscoroutinefunction(command):
                return command(*bound.args, **bound.kwargs)
            import anyio

            from rcex_ws.cli.signals import until_signal

            return anyio.run(until_signal, partial(command, *bound.args, **bound.kwargs))
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exception(error)
            raise


def _report(error: BaseException) -> ExitCode:
    while isinstance(error, BaseExceptionGroup):  # of a task group, which holds one unless everything goes wrong
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    code = code_of(error)
    complaint = complaint_of(error, code)
    if complaint:
        say(f"rcex-ws: {complaint}")
    return code


@contextmanager
def _logging(debug: bool) -> Generator[None]:
    """Keep the library's log off stderr unless it was asked for: the commands say there what matters."""
    logger, handler = (
        logging.getLogger("rcex_ws"),
        logging.StreamHandler(sys.stderr) if debug else logging.NullHandler(),
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    if debug:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
