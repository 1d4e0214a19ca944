"""Run the local RingCentral from the shell: `python -m rcex_ws.gateway --port 8080`.

Every scalar field of `GatewayOptions` is a flag. It prints credentials that work at once, in the form of a
`.env` file, as its first four lines; ends on SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
import threading
from dataclasses import fields

from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.server import Gateway


def main() -> None:
    """Parse the command line and run until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m rcex_ws.gateway", description="Run a local RingCentral.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the REST API (default: any free one)")
    parser.add_argument("--ws-port", type=int, default=0, help="port of the WebSocket (default: any free one)")
    scalars = {"float": float, "int": int}
    for knob in fields(GatewayOptions):
        flag = f"--{knob.name.replace('_', '-')}"
        if knob.type in scalars:
            parser.add_argument(flag, type=scalars[knob.type], default=knob.default, help="default: %(default)s")
        elif knob.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=knob.default)
    arguments = vars(parser.parse_args())

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    with Gateway(**arguments) as gateway:
        print(f"RINGCENTRAL_SERVER_URL={gateway.server}")
        print(f"RINGCENTRAL_CLIENT_ID={gateway.client_id}")
        print(f"RINGCENTRAL_CLIENT_SECRET={gateway.client_secret}")
        print(f"RINGCENTRAL_JWT={gateway.jwt}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
