"""`rcex-ws call`: one REST call, over the WebSocket or by HTTPS."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from cyclopts import Parameter

from rcex_ws import ConfigurationError, NotJSON, Response, RestError, RingCentral, WebSocketExtension
from rcex_ws.cli.credentials import load_credentials, open_client
from rcex_ws.cli.output import pretty, progress, say, write, write_bytes
from rcex_ws.cli.paths import full_path
from rcex_ws.readers import printable, read_json
from rcex_ws.rest import UNSET
from rcex_ws.rest.message import Options

__all__ = ["call"]


async def call(
    method: str,
    path: str,
    /,
    *,
    query: Annotated[Sequence[str], Parameter(name=("--query", "-q"))] = (),
    data: Annotated[str | None, Parameter(name=("--data", "-d"), allow_leading_hyphen=True)] = None,
    header: Annotated[Sequence[str], Parameter(name=("--header", "-H"))] = (),
    websocket: Annotated[bool, Parameter(name=("--websocket", "-w"))] = False,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    timeout: float = 60.0,
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"))] = False,
) -> None:
    """Make one REST call and print the body of the answer.

    Args:
        method: GET, POST, PUT, PATCH, DELETE.
        path: the path; without a leading slash, such as "message-store", it means your own extension.
        query: a query parameter as NAME=VALUE; can be repeated.
        data: a JSON body: the text itself, @FILE, or - for stdin.
        header: a header as NAME:VALUE; can be repeated.
        websocket: send the call over a WebSocket if it can go that way; -v shows which way it went.
        output: write the body to this file; by default it is printed, and JSON indented if stdout is a terminal.
        timeout: how many seconds the call may take.
        verbose: show on stderr which way the call went, how long it took, the status and the headers.
    """
    options: Options = {
        "params": _params(query),
        "headers": _headers(header),
        "json": UNSET if data is None else await anyio.to_thread.run_sync(_body, data),
        "timeout": timeout,
    }
    method, path = method.upper(), full_path(path)
    with progress(f"{method} {path.partition('?')[0]}"):
        async with open_client(load_credentials()) as rc:
            if websocket:
                await rc.install_extension(WebSocketExtension(rest_over_websocket=True))
            began = time.perf_counter()
            if output is not None and method == "GET" and data is None:
                options.pop("json")
                await rc.download(path, to=output, **options)
                if verbose:
                    say(f"< by https in {time.perf_counter() - began:.3f} s, {output.stat().st_size} bytes")
                return
            response = await _send(rc, method, path, options, verbose=verbose)
    if output is not None:
        await anyio.to_thread.run_sync(output.write_bytes, response.content)
    else:
        _show(response)


async def _send(rc: RingCentral, method: str, path: str, options: Options, *, verbose: bool) -> Response:
    """Send the call; with `verbose` describe the answer, even a refusal."""
    began = time.perf_counter()
    if verbose:
        say(f"> {method} {path}")
    try:
        response = await rc.request(method, path, **options)
    except RestError as error:
        if verbose:
            _describe(error.response, time.perf_counter() - began)
        raise
    if verbose:
        _describe(response, time.perf_counter() - began)
    return response


def _describe(response: Response, seconds: float) -> None:
    status = response.status_code
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    say(f"< {status} {phrase} by {response.via} in {seconds:.3f} s")
    for name, value in response.headers.items():
        say(f"< {printable(name)}: {printable(value, most=2000)}")


def _show(response: Response) -> None:
    """Print the body: for people on a terminal, untouched elsewhere."""
    if not sys.stdout.isatty():
        write_bytes(response.content)
    elif response.content:
        try:
            write(pretty(response.json()))
        except NotJSON:
            if not response.content_type.startswith("text/"):
                raise ConfigurationError(
                    f"--output: the answer is {len(response.content)} bytes of {response.content_type or 'something'}; "
                    "name a file with -o"
                ) from None
            for line in response.text.splitlines():
                write(printable(line, most=10_000))


def _params(query: Sequence[str]) -> Mapping[str, list[str]]:
    """Read NAME=VALUE; a name that is given twice has both values."""
    params: dict[str, list[str]] = {}
    for one in query:
        name, equals, value = one.partition("=")
        if not equals:
            raise ConfigurationError(f"--query: {one!r} is not of the form NAME=VALUE")
        params.setdefault(name, []).append(value)
    return params


def _headers(headers: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition(":") for one in headers]
    if any(not colon for _, colon, _ in pairs):
        raise ConfigurationError("--header: one is not of the form NAME:VALUE")  # not quoted: it may be a secret
    return {name.strip(): value.strip() for name, _, value in pairs}


def _body(data: str) -> Any:
    """Read the body: a text, a file or stdin.

    Raises:
        ConfigurationError: it is not JSON.
        OSError: the file cannot be read.
    """
    if data in ("-", "@-"):
        text = sys.stdin.buffer.read()
    else:
        text = Path(data[1:]).read_bytes() if data.startswith("@") else os.fsencode(data)
    try:
        return read_json(text)
    except NotJSON as error:
        raise ConfigurationError(f"--data: not JSON: {error}") from None
