from __future__ import annotations

import io

import anyio
from rich.console import Console

from rcex_ws.cli.board import Board

PATH = "/restapi/v1.0/account/1/extension/2/message-store?x=1"


def terminal(height: int = 20) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120, height=height, legacy_windows=False)


def shown(board: Board, height: int = 20) -> str:
    console = Console(file=io.StringIO(), width=120, height=height)
    console.print(board.table())
    return str(console.file.getvalue())  # type: ignore[attr-defined]


async def test_each_record_is_a_row_and_gaps_are_counted() -> None:
    board = Board(terminal(), ["message-store"])
    await board.take({"kind": "notification", "event": PATH, "body": {"subject": "Are you there?"}})
    await board.take({"kind": "notification", "event": "/restapi/v1.0/account/1/telephony/sessions", "body": {"a": 1}})
    await board.take({"kind": "notification", "event": "/other", "body": [1]})
    await board.take({"kind": "disconnected", "reason": "cut"})
    await board.take({"kind": "gap", "certain": True, "reason": "too late", "since": "12:00", "until": "12:05"})
    await board.take({"kind": "notification", "event": PATH, "body": {"id": 1, "changes": [{"type": "SMS"}]}})
    text = shown(board)
    for expected in ("message-store", "subject: Are you there?", '{"a":1}', "reason=cut", 'changes: [{"type":"SMS"}]'):
        assert expected in text
    assert "certainly missing, from 12:00 to 12:05: too late" in text
    assert "events: 4, gaps: 1, not connected" in text
    await board.take({"kind": "recovery", "outcome": "recovered"})
    assert "events: 4, gaps: 1, connected" in shown(board)


async def test_of_a_call_each_side_is_told_and_what_has_become_of_it() -> None:
    board = Board(terminal(), ["telephony/sessions"])
    caller, bot = {"phoneNumber": "+16505550101", "name": "Cleo"}, {"phoneNumber": "+16505550100"}
    ringing = {"id": "p-1", "direction": "Inbound", "from": caller, "to": bot, "status": {"code": "Proceeding"}}
    strange: list[dict[str, object]] = [{"id": "p-2", "from": {"name": "Cleo"}}, {"id": "p-3", "status": "new"}]
    for parties in ([ringing], strange, "none"):
        body = {"telephonySessionId": "s-1", "parties": parties}
        await board.take({"kind": "notification", "event": "/telephony/sessions", "body": body})
    text = shown(board)
    assert "Inbound from +16505550101 to +16505550100: Proceeding" in text
    assert 'call from Cleo: ?; {"id":"p-3","status":"new"}' in text
    assert '"parties":"none"' in text


async def test_only_the_newest_rows_that_fit_are_shown() -> None:
    board = Board(terminal(height=10), ["x"])
    for number in range(9):
        await board.take({"kind": "notification", "event": "/x", "body": f"number {number}"})
    text = shown(board)
    assert [number for number in range(9) if f"number {number}" in text] == [5, 6, 7, 8]


async def test_what_a_terminal_could_take_for_a_command_is_escaped() -> None:
    board = Board(terminal(), ["x"])
    await board.take({"kind": "notification", "event": "/x", "body": {"text": "\x1b]0;owned\x07[bold]not bold"}})
    text = shown(board)
    assert "\x1b" not in text
    assert "[bold]not bold" in text


async def test_it_draws_what_has_come_and_stays_when_it_ends() -> None:
    console = terminal()
    board = Board(console, ["x"])
    async with anyio.create_task_group() as group:
        group.start_soon(board.run)
        await anyio.wait_all_tasks_blocked()
        await board.take({"kind": "notification", "event": "/x", "body": {"text": "last words"}})
        group.cancel_scope.cancel()
    assert "last words" in console.file.getvalue()  # type: ignore[attr-defined]
