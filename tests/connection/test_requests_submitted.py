"""Requests that nobody awaits: a callback receives the outcome."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rcex_ws.connection import Pending, RequestTable
from rcex_ws.errors import RequestLost, RequestTimeout


@pytest.fixture
def table() -> RequestTable[str]:
    return RequestTable()


@pytest.fixture
def settled() -> list[Pending[str]]:
    return []


def sending(sent: list[str]) -> Any:
    def send(pending: Pending[str]) -> None:
        sent.append(pending.key)
        pending.sent = True

    return send


def far() -> float:
    return anyio.current_time() + 1000.0


async def test_an_answer_is_told_once_and_can_be_awaited_later(
    table: RequestTable[str], settled: list[Pending[str]]
) -> None:
    table.connect(sending([]))
    pending = table.submit("1", b"x", deadline=far(), on_settled=settled.append)
    assert settled == []
    assert table.settle("1", "answer")
    assert not table.settle("1", "another")
    assert settled == [pending]
    assert pending.result == "answer"
    assert await pending.wait() == "answer"
    assert await pending.wait() == "answer"


async def test_the_waiter_wakes_up(table: RequestTable[str]) -> None:
    table.connect(sending([]))
    pending = table.submit("1", b"x", deadline=far())
    answers: list[str] = []

    async def wait() -> None:
        answers.append(await pending.wait())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            table.settle("1", "answer")
    assert answers == ["answer"]


async def test_a_failure_is_told_and_raised(table: RequestTable[str], settled: list[Pending[str]]) -> None:
    table.connect(sending([]))
    pending = table.submit("1", b"x", deadline=far(), on_settled=settled.append)
    error = ValueError("refused")
    assert table.fail("1", error)
    assert not table.fail("1", error)
    assert settled == [pending]
    assert pending.error is error
    with pytest.raises(ValueError, match="refused"):
        await pending.wait()
    assert len(table) == 0


async def test_what_was_not_sent_waits_for_a_connection(table: RequestTable[str]) -> None:
    sent: list[str] = []
    first = table.submit("1", b"x", deadline=far())
    table.submit("2", b"x", deadline=far())
    assert (sent, first.sent, table.connected) == ([], False, False)
    table.connect(sending(sent))
    assert (sent, first.sent, table.connected) == (["1", "2"], True, True)


async def test_the_deadline_of_what_nobody_awaits(table: RequestTable[str], settled: list[Pending[str]]) -> None:
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            pending = table.submit("1", b"x", deadline=anyio.current_time() + 0.05, on_settled=settled.append)
            group.start_soon(table.watch_deadlines)
            while not settled:
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
    assert isinstance(pending.error, RequestTimeout)
    assert table.waiting() == []


async def test_waiting_gives_what_was_sent_and_then_what_is_to_be(table: RequestTable[str]) -> None:
    sent: list[str] = []
    table.connect(sending(sent), limit=2)
    for key in "abcd":
        table.submit(key, b"x", deadline=far())
    assert [pending.key for pending in table.waiting()] == ["a", "b", "c", "d"]
    assert [pending.sent for pending in table.waiting()] == [True, True, False, False]
    table.settle("b", "")
    assert [pending.key for pending in table.waiting()] == ["a", "c", "d"]
    assert sent == ["a", "b", "c"]


async def test_abandoning_what_was_not_sent_forgets_it(table: RequestTable[str], settled: list[Pending[str]]) -> None:
    sent: list[str] = []
    pending = table.submit("1", b"x", deadline=far(), on_settled=settled.append)
    table.abandon(pending)
    assert settled == [pending]
    assert isinstance(pending.error, RequestLost)
    assert not pending.error.sent
    assert len(table) == 0
    table.connect(sending(sent))
    assert sent == []


async def test_abandoning_what_was_sent_keeps_its_place(table: RequestTable[str], settled: list[Pending[str]]) -> None:
    sent: list[str] = []
    table.connect(sending(sent), limit=1)
    first = table.submit("1", b"x", deadline=far(), on_settled=settled.append)
    table.submit("2", b"x", deadline=far())
    table.abandon(first)
    assert sent == ["1"], "the server still works on it"
    assert isinstance(first.error, RequestLost)
    assert first.error.sent
    assert table.settle("1", "late"), "the table knows it"
    assert sent == ["1", "2"]
    assert settled == [first], "once"


async def test_what_is_settled_by_being_sent_takes_no_place(table: RequestTable[str]) -> None:
    """As messages that are never answered."""
    sent: list[str] = []

    def send(pending: Pending[str]) -> None:
        sent.append(pending.key)
        pending.sent = True
        pending.answer("written")

    table.connect(send, limit=1)
    for key in "abc":
        table.submit(key, b"x", deadline=far())
    assert sent == ["a", "b", "c"]
    assert len(table) == 0


async def test_a_loss_tells_each_waiter(table: RequestTable[str], settled: list[Pending[str]]) -> None:
    table.connect(sending([]), limit=1)
    for key in "ab":
        table.submit(key, b"x", deadline=far(), on_settled=settled.append)
    table.disconnect(lambda pending: RequestLost("gone", sent=pending.sent))
    assert [(pending.key, getattr(pending.error, "sent", None)) for pending in settled] == [("a", True), ("b", False)]


async def test_a_waiter_that_outlives_its_connection(table: RequestTable[str], settled: list[Pending[str]]) -> None:
    sent: list[str] = []
    table.connect(sending(sent))
    table.submit("1", b"x", deadline=far(), on_settled=settled.append)
    table.disconnect()
    table.submit("2", b"x", deadline=far(), on_settled=settled.append)
    assert settled == []
    table.connect(sending(sent))
    assert sent == ["1", "2"], "what was sent is not sent again"
    table.settle("1", "late")
    table.settle("2", "answer")
    assert [pending.result for pending in settled] == ["late", "answer"]
