"""`rcex-ws listen`: subscribe, and show or pass on what comes, until it is stopped."""

from __future__ import annotations

import math
import sys
from contextlib import AsyncExitStack
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from rcex_ws import Events, RingCentral, Subscription, WebSocketExtension
from rcex_ws.cli import records
from rcex_ws.cli.board import Board
from rcex_ws.cli.credentials import load_credentials, open_client
from rcex_ws.cli.exits import ExitCode
from rcex_ws.cli.hook import Hook
from rcex_ws.cli.lines import JsonLines, Notes, reader_gone
from rcex_ws.cli.output import progress, say
from rcex_ws.cli.paths import full_path, probably_meant
from rcex_ws.cli.records import Record, Sink

__all__ = ["listen"]


async def listen(
    *filters: Annotated[str, Parameter(required=True)],
    json: bool = False,
    command: Annotated[str | None, Parameter(name="--exec")] = None,
    shell: bool = False,
    jobs: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    count: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    seconds: Annotated[float, Parameter(name="--for", validator=Number(gt=0), show_default=False)] = math.inf,
) -> int:
    """Show events as they arrive, and the periods in which some may be missing.

    Args:
        filters: event filters; without a leading slash, such as "message-store", a filter means your own extension.
        json: write each event as a line of JSON instead of a table, which is the default if stdout is not a terminal;
            gaps, lost connections and recoveries are lines as well, with another "kind".
        command: run this command for each event, with the event as JSON on its stdin; nothing else is written to
            stdout then, except with --json.
        shell: run the command of --exec in a shell.
        jobs: how many commands of --exec may run at the same time; with 1 they keep the order.
        count: stop after this many events.
        seconds: stop after this many seconds; like --count, it waits for the running commands of --exec.
    """
    paths, scope = [full_path(one) for one in filters], anyio.CancelScope()
    async with AsyncExitStack() as stack:
        hook = None if command is None else await stack.enter_async_context(Hook(command, shell=shell, jobs=jobs))
        board = None
        sinks: list[Sink] = [] if hook is None else [hook]
        if json or (hook is None and not sys.stdout.isatty()):
            sinks.append(JsonLines(scope.cancel))
        elif hook is None:
            sinks.append(board := Board(Console(), paths))
        else:
            sinks.append(Notes())
        with progress("connecting"):
            rc = await stack.enter_async_context(open_client(load_credentials()))
            subscription = await _subscribe(rc, paths, sinks)
        say(f"listening to {', '.join(paths)}; press Ctrl-C to stop")
        for one in filters:
            if (meant := probably_meant(one)) is not None:
                say(f"no events of the name {one} are known: did you mean {meant}?")
        with scope:
            scope.deadline = anyio.current_time() + seconds
            async with anyio.create_task_group() as group:
                group.start_soon(_end_with_reader, scope)
                if board is not None:
                    group.start_soon(board.run)
                await _pass_on(subscription, sinks, count)
                group.cancel_scope.cancel()
    return ExitCode.COMMAND_FAILED if hook is not None and hook.failures else ExitCode.DONE


async def _subscribe(rc: RingCentral, paths: list[str], sinks: list[Sink]) -> Subscription:
    """Connect and subscribe; whatever happens to the connection from now on is a record."""
    ws_ext = WebSocketExtension(name="rcex-ws")

    async def take(record: Record) -> None:
        for sink in sinks:
            await sink.take(record)

    ws_ext.on(Events.NOTIFICATION_GAP, lambda gap: take(records.of_gap(gap)))
    ws_ext.on(Events.DISCONNECTED, lambda reason: take(records.of_loss(reason)))
    for recovered in (Events.AUTO_RECOVER_SUCCESS, Events.AUTO_RECOVER_FAILED):
        ws_ext.on(recovered, lambda _ws: take(records.of_recovery(ws_ext.last_recovery)))
    for failed in (Events.AUTO_RECOVER_ERROR, Events.ERROR):
        ws_ext.on(failed, lambda error: take(records.of_error(error)))
    await rc.install_extension(ws_ext)
    return await ws_ext.subscribe(paths)


async def _pass_on(subscription: Subscription, sinks: list[Sink], count: int | None) -> None:
    """Pass on what comes, so many notifications at most."""
    passed = 0
    async for notification in subscription:
        record = records.of_notification(notification)
        for sink in sinks:
            await sink.take(record)
        passed += 1
        if passed == count:
            return


async def _end_with_reader(scope: anyio.CancelScope) -> None:
    await reader_gone()
    scope.cancel()
