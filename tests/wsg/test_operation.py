"""A call that outlives its caller: how it is withdrawn, and who may wait for it."""

from __future__ import annotations

import logging

import anyio

from rcex_ws.named_log import NamedLog
from rcex_ws.tasks import RootTask
from rcex_ws.wsg.operation import Operation

LOG = NamedLog(logging.getLogger("test"), "test")


async def test_what_has_ended_cannot_be_withdrawn() -> None:
    async def answer(operation: Operation[int]) -> int:
        return 42

    root = RootTask("test")
    await root.start()
    operation = Operation(answer, name="answer", log=LOG)
    operation.start(lambda func, name: root.spawn(func, name=name, on_crash=print))
    assert await operation.result() == 42
    operation.withdraw()
    assert not operation.withdrawn
    assert await operation.result() == 42
    await root.aclose()


async def test_nobody_waits_for_what_was_never_started() -> None:
    async def never(operation: Operation[None]) -> None:
        raise AssertionError

    operation = Operation(never, name="never", log=LOG)
    operation.withdraw()
    with anyio.fail_after(1):
        await operation.wait()
    assert operation.withdrawn
    assert not operation.done
