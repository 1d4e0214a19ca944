"""The trace hook: each step of a life, once; no secret; a hook that fails; and nothing made where nobody listens."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import anyio
import pytest

import rcex_ws.trace
from rcex_ws import (
    ConfigurationError,
    Events,
    FileSessionStore,
    Phase,
    RestError,
    Step,
    TraceEvent,
    WebSocketExtension,
)
from tests.wsg.conftest import STORE

INFO = "/restapi/v1.0/account/~/extension/~"


class Traced:
    """A hook that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []

    def __call__(self, event: TraceEvent) -> None:
        self.events.append(event)

    def of(self, *steps: Step) -> list[tuple[str, str]]:
        return [(str(one.step), str(one.phase)) for one in self.events if not steps or one.step in steps]

    def last(self, step: Step, phase: Phase = Phase.DONE) -> TraceEvent:
        return [one for one in self.events if (one.step, one.phase) == (step, phase)][-1]

    def unfinished(self) -> list[str]:
        """Steps that have started and not ended, or the other way round."""
        open_steps: Counter[str] = Counter()
        for one in self.events:
            open_steps[one.step] += 1 if one.phase is Phase.STARTED else -1
        return [step for step, count in open_steps.items() if count]


@pytest.fixture
def traced() -> Traced:
    return Traced()


def nested(*steps: str) -> list[tuple[str, str]]:
    """One step in another: the first is the outermost, the others follow each other in it."""
    outer, *inner = steps
    return [(outer, "started"), *((one, phase) for one in inner for phase in ("started", "done")), (outer, "done")]


CONNECTING = ("attempt", "token", "tcp", "upgrade", "handshake")


async def test_trace_tells_the_steps_of_a_life_in_order(rc, make_ext, told, traced, gateway, tmp_path):
    store = FileSessionStore(tmp_path / "session.json")
    ext = make_ext(name="alice", trace=traced, rest_over_websocket=True, session_store=store)
    await rc.install_extension(ext)
    assert traced.of() == nested(*CONNECTING)
    assert traced.last(Step.TCP).detail.startswith("the server 127.0.0.1:")
    traced.events.clear()
    await rc.get(INFO, params={"secret": "SECRET"})
    assert traced.of() == nested("call")
    assert traced.last(Step.CALL).detail == f"GET {INFO} 200"
    with pytest.raises(RestError):
        await rc.get(f"{INFO}/message-store/1")
    assert traced.last(Step.CALL).detail.endswith("/message-store/1 404")  # it was answered
    traced.events.clear()
    subscription = await ext.subscribe([STORE], told.on_notification)
    assert traced.of() == [*nested("subscribe", "call"), *nested("store")]
    assert traced.last(Step.SUBSCRIBE).detail == "POST"
    traced.events.clear()
    gateway.notify(STORE, {"i": 1})
    await told.number(1)
    assert traced.of(*(step for step in Step if step is not Step.STORE)) == []  # a notification is no step
    gateway.cut(code=1001)
    await told.wait(Events.CONNECTION_READY, 2)
    steps = traced.of(*(step for step in Step if step not in (Step.STORE, Step.HEARTBEAT)))
    recovering = [("recover", "started"), *nested(*CONNECTING)]
    recovering.insert(-2, ("recover", "done"))  # in the handshake
    assert steps == recovering
    assert traced.last(Step.RECOVER).detail == "recovered"
    with anyio.fail_after(5):  # of the one that shows that the replay is over
        while ("heartbeat", "done") not in traced.of():
            await anyio.sleep(0.01)
    await subscription.revoke()
    assert traced.last(Step.SUBSCRIBE).detail == f"DELETE {subscription.info.id}"
    traced.events.clear()
    await ext.detach()
    assert traced.of()[0] == ("close", "started")
    assert traced.of()[-1] == ("close", "done")
    assert traced.unfinished() == []
    assert {one.source for one in traced.events} == {"alice"}
    assert all((one.seconds is None) == (one.phase is Phase.STARTED) for one in traced.events)


async def test_trace_tells_of_what_fails_and_all_that_starts_ends(rc, make_ext, told, traced, gateway):
    ext = make_ext(trace=traced, rest_over_websocket=True, heartbeat_interval=0.05, heartbeat_timeout=0.1)
    await rc.install_extension(ext)
    gateway.refuse("wstoken", 503)
    gateway.refuse("upgrade", 503)
    gateway.freeze()
    await told.wait(Events.CONNECTION_READY, 2)
    assert traced.last(Step.HEARTBEAT, Phase.FAILED).detail == "no answer to a heartbeat"
    failed = [one.step for one in traced.events if one.phase is Phase.FAILED]
    assert failed[:5] == [Step.HEARTBEAT, Step.TOKEN, Step.ATTEMPT, Step.UPGRADE, Step.ATTEMPT]
    error = traced.last(Step.ATTEMPT, Phase.FAILED).error
    assert "HTTP 503" in str(error)
    gateway.thaw()
    with anyio.move_on_after(0.05):
        gateway.answer_fault("GET /restapi/*", drop=True, times=None)
        await rc.get(INFO)
    assert traced.last(Step.CALL, Phase.FAILED).error is None  # cancelled
    gateway.refuse("upgrade", "hang", times=None)
    gateway.cut()
    await told.wait(Events.DISCONNECTED, 2)
    with anyio.fail_after(5):
        while traced.of()[-1] != ("upgrade", "started"):
            await anyio.sleep(0.01)
    await ext.detach()  # in the middle of an attempt and of an outage
    assert traced.unfinished() == []
    assert traced.last(Step.RECOVER, Phase.FAILED).detail == "closed"


async def test_trace_ends_when_nothing_is_tried_again(rc, make_ext, traced, gateway):
    ext = make_ext(trace=traced)
    await rc.install_extension(ext)
    gateway.refuse("wstoken", 403, times=None)
    gateway.cut()
    with anyio.fail_after(5), pytest.raises(RestError):
        await ext.wait_closed()
    assert traced.last(Step.RECOVER, Phase.FAILED).detail == "gave up: RestError"
    assert traced.unfinished() == []


async def test_trace_shows_no_secret(rc, make_ext, told, traced, gateway, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    ext = make_ext(trace=traced, rest_over_websocket=True, session_store=FileSessionStore(tmp_path / "session.json"))
    secrets = {gateway.jwt, gateway.client_secret, rc.token.access_token, rc.token.refresh_token}
    ext.on(Events.NEW_WSC, lambda wsc: secrets.add(wsc.token))
    await rc.install_extension(ext)
    await rc.get(f"{INFO}?access_token=SECRET", params={"key": "SECRET"}, headers={"X-Key": "SECRET"})
    await ext.subscribe([STORE], told.on_notification)
    gateway.refuse("upgrade", 503)
    gateway.cut()
    await told.wait(Events.AUTO_RECOVER_SUCCESS)
    await ext.revoke()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("rcex_ws")]
    text = "\n".join([*map(repr, traced.events), *ours])
    assert len(secrets) > 4
    assert [secret for secret in (*secrets, "SECRET", "access_token=", "wsc=") if secret in text] == []


async def test_trace_and_the_debug_log_say_the_same(rc, make_ext, traced, caplog):
    caplog.set_level(logging.DEBUG, "rcex_ws.trace")
    ext = make_ext(name="alice", trace=traced, rest_over_websocket=True)
    await rc.install_extension(ext)
    await rc.get(INFO)
    await ext.detach()
    lines = [record.getMessage() for record in caplog.records if record.name == "rcex_ws.trace"]
    assert len(lines) == len(traced.events)
    for line, event in zip(lines, traced.events, strict=True):
        assert line.startswith(f"alice: {event.step} {event.phase}")
        assert event.detail in line
    assert any(line.endswith(f"(GET {INFO} 200)") for line in lines)


def _raises(event: TraceEvent) -> None:
    raise ValueError("a bug of the hook")


def _gives_a_coroutine(event: TraceEvent) -> Any:
    async def later() -> None:
        """Never run."""

    return later()


@pytest.mark.parametrize("hook", [_raises, _gives_a_coroutine])
async def test_trace_a_hook_that_fails_is_logged_once_and_survived(rc, make_ext, caplog, hook):
    ext = make_ext(trace=hook, rest_over_websocket=True)
    await rc.install_extension(ext)
    assert (await rc.get(INFO)).via == "websocket"
    await ext.detach()
    assert [one.levelname for one in caplog.records if "the trace hook raised" in one.getMessage()] == ["ERROR"]


async def _async(event: TraceEvent) -> None:
    """Be what nobody would await."""


class _AsyncCallable:
    async def __call__(self, event: TraceEvent) -> None:
        """Be another."""


@pytest.mark.parametrize("hook", ["hook", 5, _async, _AsyncCallable()])
def test_trace_what_cannot_be_a_hook_is_refused(hook):
    with pytest.raises(ConfigurationError, match="trace: expected None or a sync function"):
        WebSocketExtension(trace=hook)


async def test_trace_makes_nothing_where_nobody_listens(rc, make_ext, told, send, monkeypatch, gateway):
    logging.getLogger("rcex_ws.trace").setLevel(logging.INFO)
    made: list[object] = []
    monkeypatch.setattr(rcex_ws.trace, "TraceEvent", lambda *args: made.append(args))
    try:
        ext = make_ext(rest_over_websocket=True)
        await rc.install_extension(ext)
        await ext.subscribe([STORE], told.on_notification)
        asked = list[object]()
        monkeypatch.setattr(rcex_ws.trace.Tracer, "begin", lambda *args: asked.append(args))
        await rc.get(INFO)
        send(1)
        await told.number(1)
        assert asked == []  # neither a call nor a notification asks whether anybody listens
        monkeypatch.undo()
        monkeypatch.setattr(rcex_ws.trace, "TraceEvent", lambda *args: made.append(args))
        gateway.cut()
        await told.wait(Events.CONNECTION_READY, 2)
        await ext.detach()
        assert made == []
    finally:
        logging.getLogger("rcex_ws.trace").setLevel(logging.NOTSET)
