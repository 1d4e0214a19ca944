"""Run the local RingCentral from the shell: `python -m rcex_ws.gateway --port 8080`.

Every scalar field of `GatewayOptions` is a flag, described by that class's docstring. Prints working credentials in the
form of a `.env` file: four lines for one bot, then the credential of a second user; with `--verbose` it also logs
events to stderr, without secrets. Stops on SIGINT or SIGTERM. If it cannot start, it prints the reason in one line and
exits with status 1.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from rcex_ws.errors import RcexError
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.program import run

_PROGRAM = "python -m rcex_ws.gateway"
_SCALARS = (float, int, str)


def main() -> None:
    """Parse the command line and run until a signal arrives."""
    arguments = vars(_parser().parse_args())
    verbose, env_file = arguments.pop("verbose"), arguments.pop("env_file")
    try:
        from rcex_ws.gateway import Gateway  # not above: `--help` needs no extra

        run(Gateway(**arguments), env_file=env_file, verbose=verbose)
    except (ModuleNotFoundError, RcexError) as error:  # no extra; a port in use, an invalid value
        sys.exit(f"{_PROGRAM}: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Run a local RingCentral. All times are in seconds.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the REST API (default: any free one)")
    parser.add_argument("--ws-port", type=int, default=0, help="port of the first WebSocket (default: any free one)")
    parser.add_argument(
        "--nodes",
        type=int,
        default=1,
        help="WebSocket addresses, on consecutive ports (default: %(default)s)",
    )
    parser.add_argument("--seed", help="TOML file with the users and applications to start with")
    parser.add_argument("--state", help="file that keeps everything across restarts; it contains secrets")
    parser.add_argument(
        "--env-file",
        type=Path,
        help="write the credentials to this file instead of printing them; removed at the end",
    )
    parser.add_argument("--verbose", action="store_true", help="show on stderr what happens, a line for each event")
    described = _descriptions()
    types = get_type_hints(GatewayOptions)  # without the constraints; the gateway itself checks them
    for option in fields(GatewayOptions):
        kind = types[option.name]
        scalar = next((one for one in _SCALARS if kind in (one, one | None)), None)
        flag = f"--{option.name.replace('_', '-')}"
        text = f"{described[option.name]} (default: %(default)s)"
        if scalar is not None:
            parser.add_argument(flag, type=scalar, default=option.default, help=text)
        elif kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=option.default, help=text)
    return parser


def _descriptions() -> dict[str, str]:
    """Return the description of each field from the docstring of `GatewayOptions`."""
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", inspect.getdoc(GatewayOptions) or "", re.MULTILINE)
    return {name: " ".join(text.split()).replace("%", "%%") for name, text in entries}


if __name__ == "__main__":
    main()
