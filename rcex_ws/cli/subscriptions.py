"""`rcex-ws subscriptions`: list and delete what the server keeps for this user and application."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

from cyclopts import Parameter

from rcex_ws import ConfigurationError, NotJSON, RestError, RingCentral, SubscriptionInfo
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
        for record, _ in found:
            write(compact(record))
        return
    if not found:
        say("there are no subscriptions")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("id", "by", "status", "until", "filters")
    table.columns[0].no_wrap = True  # to be copied
    table.columns[0].min_width = max(len(info.id) for _, info in found)
    for _, info in found:
        by = (info.delivery_mode or {}).get("transportType", "")
        cells = (info.id, by, info.status, info.expiration_time, ", ".join(info.event_filters))
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
        named = ids or [info.id for _, info in await _subscriptions(rc)]
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


async def _subscriptions(rc: RingCentral) -> list[tuple[dict[str, Any], SubscriptionInfo]]:
    """Return each subscription as the server has written it, and as we read it."""
    answer: Any = (await rc.get(_PATH)).json()
    try:
        found = [(record, SubscriptionInfo.from_dict(record)) for record in answer["records"]]
    except (KeyError, TypeError, ConfigurationError):
        found = None
    if found is None or not all(is_id(info.id) for _, info in found):
        raise NotJSON(f"GET {_PATH}: the answer is not a list of subscriptions")
    return found
