"""The trace that the steps are read from; what the steps find is tested with the whole examination."""

from __future__ import annotations

import anyio

from rcex_ws import Phase, Step, TraceEvent
from rcex_ws.cli.doctor_socket import StepTrace


def event(step: Step, phase: Phase, detail: str = "") -> TraceEvent:
    return TraceEvent("doctor", step, phase, 0.1, detail)


def test_the_newest_end_of_a_step_is_found() -> None:
    trace = StepTrace()
    for phase, detail in ((Phase.STARTED, "a"), (Phase.FAILED, "b"), (Phase.STARTED, "c")):
        trace.hook(event(Step.TCP, phase, detail))
    found = trace.last(Step.TCP)
    assert found is not None
    assert found.detail == "b"
    assert trace.last(Step.TLS) is None


async def test_what_was_before_is_not_waited_for_and_nothing_after_it_is_missed() -> None:
    trace = StepTrace()
    trace.hook(event(Step.HEARTBEAT, Phase.DONE, "before"))
    found: list[str] = []

    async def wait() -> None:
        found.append((await trace.next(lambda one: one.step is Step.HEARTBEAT)).detail)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            trace.hook(event(Step.HEARTBEAT, Phase.STARTED, "started"))
            trace.hook(event(Step.CALL, Phase.DONE, "other"))
            trace.hook(event(Step.HEARTBEAT, Phase.FAILED, "after"))
            trace.hook(event(Step.HEARTBEAT, Phase.DONE, "later"))
    assert found == ["after"]
