"""The command line `rcex-ws`: listen, call, trigger, and find out why something does not work.

Needs the extra `pip install 'rcex_ws[cli]'`. It stands on top of the house: it may use every folder but
`rcex_ws.testing`, and nothing uses it. Its start imports cyclopts and nothing of the library but the errors, so that
help and completion come at once; each command imports what it needs when it is run.

    app.py            the commands and what their errors become
    exits.py          the exit codes and error messages
    signals.py        stop cleanly on a signal
    output.py         what is printed, where
    paths.py          the short form of paths and filters
    credentials.py    server, application and login
    listen.py         `listen`; records.py, lines.py, board.py and hook.py are its records and where they go
    call.py, trigger.py, subscriptions.py, gateway.py, doctor.py, login.py    a command each
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

__all__ = ["main"]

_OF_THE_EXTRA = frozenset({"attrs", "cyclopts", "docstring_parser", "rich", "rich_rst"})
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller has closed it, as by `>&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the process ends
    try:
        code = _run()
    except KeyboardInterrupt:  # while it was being imported
        code = _INTERRUPTED
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # from here on Ctrl-C ends it without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the interpreter would flush again, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run() -> int:
    try:
        from rcex_ws.cli.app import run
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in _OF_THE_EXTRA:
            raise
        sys.stderr.write("rcex-ws: the command line needs an extra: pip install 'rcex_ws[cli]'\n")
        return 2
    return run(sys.argv[1:])
