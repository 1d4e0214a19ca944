"""Run the local RingCentral from the shell: `python -m rcex_ws.gateway --port 8080`.

Every scalar field of `GatewayOptions` is a flag, described by that class's docstring. It prints credentials that work
at once, in the form of a `.env` file, as its first four lines; ends on SIGINT or SIGTERM. What keeps it from starting
is told in one line, and its exit status is 1 then.
"""

from __future__ import annotations

import argparse
import inspect
import re
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import fields

from rcex_ws.gateway.options import GatewayOptions

_PROGRAM = "python -m rcex_ws.gateway"
_SCALARS = {"float": float, "int": int, "str | None": str}


def main() -> None:
    """Parse the command line and run until a signal comes."""
    arguments = vars(_parser().parse_args())
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    with ExitStack() as stack:
        try:
            from rcex_ws.gateway import Gateway  # not above: `--help` needs no extra

            gateway = stack.enter_context(Gateway(**arguments))
        except (ModuleNotFoundError, OSError, OverflowError) as error:  # no extra; port in use; no such port
            sys.exit(f"{_PROGRAM}: {error}")
        print(f"RINGCENTRAL_SERVER_URL={gateway.server}")
        print(f"RINGCENTRAL_CLIENT_ID={gateway.client_id}")
        print(f"RINGCENTRAL_CLIENT_SECRET={gateway.client_secret}")
        print(f"RINGCENTRAL_JWT={gateway.jwt}", flush=True)
        ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Run a local RingCentral. All times are in seconds.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the REST API (default: any free one)")
    parser.add_argument("--ws-port", type=int, default=0, help="port of the WebSocket (default: any free one)")
    described = _descriptions()
    for knob in fields(GatewayOptions):
        flag = f"--{knob.name.replace('_', '-')}"
        text = f"{described[knob.name]} (default: %(default)s)"
        if knob.type in _SCALARS:
            parser.add_argument(flag, type=_SCALARS[knob.type], default=knob.default, help=text)
        elif knob.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=knob.default, help=text)
    return parser


def _descriptions() -> dict[str, str]:
    """Return what the docstring of `GatewayOptions` says about each field."""
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", inspect.getdoc(GatewayOptions) or "", re.MULTILINE)
    return {name: " ".join(text.split()).replace("%", "%%") for name, text in entries}


if __name__ == "__main__":
    main()
