"""`rcex-ws subscriptions`: list and delete what the server keeps for this user and application."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, cast

from cyclopts import Parameter

from rcex_ws import ConfigurationError, NotJSON, RestError, RingCentral
from rcex_ws.cli.credentials import load_credentials, open_client
from rcex_ws.cli.exits import ExitCode
from rcex_ws.cli.output import compact, progress, say, write
from rcex_ws.readers import is_id, printable

__all__ = ["ls", "rm"]

_PATH: Final = "/restapi/v1.0/subscription"


async def ls(*, json: bool = False) -> None:
    """List the subscriptions of this user and application.

    Args:
        json: print a line of JSON for each, which is the default if stdout is not a terminal.
    """
    with progress("reading"):
        async with open_client(load_credentials()) as rc:
            found = await _subscriptions(rc)
    if json or not sys.stdout.isatty():
        for one in found:
            write(compact(one))
        return
    if not found:
        say("there are no subscriptions")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("id", "by", "status", "until", "filters")
    table.columns[0].no_wrap = True  # to be copied
    table.columns[0].min_width = max(len(str(one.get("id"))) for one in found)
    for one in found:
        by = cast("dict[str, Any]", one.get("deliveryMode") or {}).get("transportType", "")
        cells = (
            one.get("id"),
            by,
            one.get("status"),
            one.get("expirationTime"),
            ", ".join(one.get("eventFilters", ())),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console().print(table)


async def rm(
    *ids: Annotated[str, Parameter(show=True)], all_of_them: Annotated[bool, Parameter(name="--all")] = False
) -> int:
    """Delete subscriptions.

    Args:
        ids: their ids, as shown by `ls`.
        all_of_them: delete all of them, including those of running programs.
    """
    if bool(ids) == all_of_them:
        raise ConfigurationError("ids: name the subscriptions to delete, or --all")
    for one in ids:
        if not is_id(one):
            raise ConfigurationError(f"ids: {printable(one)!r} is not an id; `rcex-ws subscriptions ls` shows them")
    code = ExitCode.DONE
    async with open_client(load_credentials()) as rc:
        named = ids or [str(found["id"]) for found in await _subscriptions(rc)]
        if not named:
            say("there are no subscriptions")
        for one in named:
            try:
                await rc.delete(f"{_PATH}/{one}")
            except RestError as error:
                say(f"rcex-ws: {error}")
                code = ExitCode.FAILED
            else:
                write(one)
    return code


async def _subscriptions(rc: RingCentral) -> list[dict[str, Any]]:
    answer: Any = (await rc.get(_PATH)).json()
    try:
        return cast("list[dict[str, Any]]", answer["records"])
    except (KeyError, TypeError):
        raise NotJSON(f"GET {_PATH}: the answer has no records") from None
