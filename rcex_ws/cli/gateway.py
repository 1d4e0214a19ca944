"""`rcex-ws gateway`: the local RingCentral, with the address of its console."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rcex_ws.cli.output import say
from rcex_ws.gateway import GatewayOptions
from rcex_ws.gateway.program import run

__all__ = ["gateway"]


def gateway(
    *,
    port: int = 0,
    ws_port: int = 0,
    host: str = "127.0.0.1",
    nodes: int = 1,
    seed: Path | None = None,
    state: Path | None = None,
    env_file: Path | None = None,
    verbose: bool = False,
    options: Annotated[GatewayOptions, Parameter(name="*", negative=None, negative_bool="no-")] = GatewayOptions(),  # noqa: B008 - it is frozen
) -> None:
    """Run a local RingCentral until Ctrl-C or SIGTERM, and print its credentials.

    Args:
        port: port of the REST API and of the console; 0 for any free one.
        ws_port: port of the first WebSocket; 0 for any free one.
        host: address to listen on.
        nodes: how many WebSocket addresses there are, on consecutive ports.
        seed: TOML file with the users and applications to start with.
        state: file that keeps everything across restarts; it contains secrets.
        env_file: write the credentials to this file, such as .env, instead of printing them, and remove it at the end.
        verbose: show on stderr what happens, a line for each event.
        options: the other options; all times are in seconds.
    """
    from rcex_ws.gateway import Gateway  # here, as the help needs no extra

    one = Gateway(
        port,
        ws_port=ws_port,
        host=host,
        nodes=nodes,
        seed=seed,
        state=state,
        **{field.name: getattr(options, field.name) for field in fields(options)},
    )

    def started() -> None:
        where = "" if env_file is None else f"; its credentials are in {env_file}"
        say(f"the console is at {one.server}/{where}; press Ctrl-C to stop")

    run(one, env_file=env_file, verbose=verbose, started=started)
