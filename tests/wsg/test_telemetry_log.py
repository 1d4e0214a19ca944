"""What the log tells an operator: the good news too, whose it is, each thing once, in plain words."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    ConnectionDetails,
    Events,
    FileSessionStore,
    Loss,
    LossKind,
    NotConnected,
    RestError,
    State,
    SubscriptionState,
    WebSocketExtension,
    Wsc,
)
from rcex_ws.wsg.session import Outage, Session
from tests.wsg.conftest import STORE
from tests.wsg.memory_store import MemoryStore

OURS = ("rcex_ws.wsg", "rcex_ws.connection", "rcex_ws.events")


def lines(caplog: pytest.LogCaptureFixture, *, level: int = logging.INFO) -> list[str]:
    """What the log says, from a level on."""
    return [one.getMessage() for one in caplog.records if one.name in OURS and one.levelno >= level]


def assert_told(told: list[str], *patterns: str) -> None:
    """Each line is what its pattern says, and there is no other."""
    assert len(told) == len(patterns), told
    for line, pattern in zip(told, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.fixture
def quiet_ext(rc: Any, caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """Make an extension whose errors nobody listens to."""
    caplog.set_level(logging.INFO)
    return lambda **options: WebSocketExtension(name="alice", **{"reconnect_delays": lambda n: 0.02, **options})


async def test_o1_the_log_tells_a_life_once_and_names_the_extension(rc, make_ext, told, gateway, caplog, send, until):
    caplog.set_level(logging.INFO)
    alice, bob = make_ext(name="alice"), make_ext(name="100% bob")
    await rc.install_extension(alice)
    await alice.subscribe([STORE], told.on_notification)
    send(1)
    await told.number(1)
    gateway.cut(code=1001, reason="going away")
    send(2, 3)
    await told.number(3)
    await until(lambda: any("recovered" in line for line in lines(caplog)))  # when the server has answered once more
    await rc.install_extension(bob)
    await bob.subscribe([STORE, STORE.replace("message-store", "presence")], told.on_notification)
    await bob.detach()
    await alice.revoke()
    of_alice = [line for line in lines(caplog) if line.startswith("alice: ")]
    of_bob = [line for line in lines(caplog) if line.startswith("100% bob: ")]
    assert sorted(of_alice + of_bob) == sorted(lines(caplog))
    assert_told(
        of_alice,
        r"alice: connected",
        r"alice: subscribed to /restapi/v1\.0/account/\S+/message-store",
        r"alice: connection lost after \d\.\d s: closed 1001: going away",
        r"alice: next attempt in 0\.0 s",
        r"alice: connected",
        r"alice: recovered after \d\.\d s: 2 notifications replayed, 0 duplicates dropped",
        r"alice: closed",
    )
    assert_told(of_bob, r"100% bob: connected", r"100% bob: subscribed to \S+, \S+", r"100% bob: closed")


async def test_what_a_restart_has_recovered_is_told_without_a_time_that_nobody_knows(
    rc, make_ext, told, caplog, send, until
):
    caplog.set_level(logging.INFO)
    store = MemoryStore()
    before = make_ext(name="before", session_store=store)
    await rc.install_extension(before)
    await before.subscribe([STORE])
    await before.detach()
    send(1)
    after = make_ext(name="after", session_store=store)
    await rc.install_extension(after)
    await after.subscribe([STORE], told.on_notification)
    await told.number(1)
    await until(lambda: "recovered" in lines(caplog)[-1])
    assert_told(
        [lines(caplog)[-1]],
        r"after: recovered the session of the last process: 1 notifications replayed, 0 duplicates dropped",
    )


async def test_o1_a_failed_attempt_and_a_session_that_is_gone_are_told(rc, make_ext, told, gateway, caplog):
    caplog.set_level(logging.INFO)
    ext = make_ext(name="alice")
    await rc.install_extension(ext)
    gateway.refuse("upgrade", 503)
    gateway.fail_recovery("WSG-1003")
    gateway.cut(code=1001, reason="")
    await told.wait(Events.CONNECTION_READY, 2)
    assert_told(
        lines(caplog)[1:],
        r"alice: connection lost after \d\.\d s: closed 1001",
        r"alice: next attempt in 0\.0 s",
        r"alice: an attempt failed: the server refused the WebSocket upgrade with HTTP 503",
        r"alice: next attempt in 0\.0 s",
        r"alice: a new session has begun: the last one was not recovered \(refused\)",  # nothing is missing: no gap
        r"alice: connected",
    )


async def test_o1_giving_up_is_said_once(rc, quiet_ext, gateway, caplog):
    ext = quiet_ext()
    await rc.install_extension(ext)
    gateway.refuse("wstoken", 403, times=None)
    gateway.cut()
    with anyio.fail_after(5), pytest.raises(RestError):
        await ext.wait_closed()
    await ext.aclose()  # all events are told
    (line,) = lines(caplog, level=logging.ERROR)
    assert line.startswith("alice: giving up: RestError: POST /restapi/oauth/wstoken was answered 403")


def _boom(*_: object) -> None:
    raise RuntimeError("a bug of the application")


class _FullDisk(FileSessionStore):
    async def save(self, session: object) -> None:
        raise OSError(28, "No space left on device")


async def _callback(rc, ext, gateway, tmp_path):
    await ext.subscribe([STORE], _boom)
    gateway.notify(STORE, {"i": 1})


async def _handler(rc, ext, gateway, tmp_path):
    ext.on(Events.NEW_WSC, _boom)
    await ext.subscribe([STORE], print)
    gateway.cut()


async def _hook(rc, ext, gateway, tmp_path):
    await ext.subscribe([STORE], print)
    gateway.cut()


async def _disk(rc, ext, gateway, tmp_path):
    await ext.subscribe([STORE], print)


async def _refused(rc, ext, gateway, tmp_path):
    await ext.subscribe([STORE], print)
    gateway.refuse("subscription", 400, times=None)
    gateway.fail_recovery("WSG-1003")
    gateway.cut()


@pytest.mark.parametrize(
    ("fail", "options", "said"),
    [
        (_callback, {}, "the callback raised for <Notification"),
        (_handler, {}, "a handler of the event 'newWsc' raised"),
        (_hook, {"on_gap": _boom}, "on_gap raised"),
        (_disk, {"session_store": True}, "the session is not stored; "),
        (_refused, {}, "the subscription was refused and is not renewed"),
    ],
    ids=["callback", "handler", "hook", "disk", "subscription"],
)
async def test_o1_what_is_logged_is_not_logged_again_because_nobody_listens(
    rc, quiet_ext, gateway, caplog, tmp_path, fail, options, said
):
    if options.get("session_store"):
        options = {"session_store": _FullDisk(tmp_path / "session.json")}
    ext = quiet_ext(**options)
    await rc.install_extension(ext)
    await fail(rc, ext, gateway, tmp_path)
    with anyio.fail_after(5):
        while not any(said in line for line in lines(caplog)):
            await anyio.sleep(0.01)
    turn = anyio.Event()

    async def set_turn() -> None:
        turn.set()

    ext.event_emitter.enqueue(set_turn)  # behind the event `error`
    with anyio.fail_after(5):
        await turn.wait()
    assert [line for line in lines(caplog, level=logging.ERROR) if "no handler" in line] == []
    assert len({one for one in lines(caplog, level=logging.ERROR) if said in one}) == 1
    heard: list[Exception] = []
    ext.on(Events.ERROR, heard.append)  # who listens hears of it all the same
    if fail is _callback:
        gateway.notify(STORE, {"i": 2})
        with anyio.fail_after(5):
            while not heard:
                await anyio.sleep(0.01)


async def test_o1_what_nothing_else_logs_is_logged_when_nobody_listens(rc, quiet_ext, gateway, caplog):
    ext = quiet_ext()
    await rc.install_extension(ext)
    gateway.send_raw("no JSON")
    with anyio.fail_after(5):
        while not lines(caplog, level=logging.ERROR):
            await anyio.sleep(0.01)
    assert_told(lines(caplog, level=logging.ERROR), r"alice: no handler for the event 'error': BadFrame.*")


async def _fatal(rc, gateway, make, path):
    gateway.refuse("wstoken", 403, times=None)
    with pytest.raises(RestError):
        await rc.install_extension(make())
    return r"alice: giving up: RestError: POST /restapi/oauth/wstoken .*"


async def _too_late(rc, gateway, make, path):
    gateway.refuse("upgrade", 503, times=None)
    with pytest.raises(ConnectFailed):
        await rc.install_extension(make(open_timeout=0.3))
    return r"alice: not connected: no connection within 0\.3 s; trying again can help \(last: .*HTTP 503\)"


async def _in_use(rc, gateway, make, path):
    store = FileSessionStore(path)
    await store.open()
    try:
        with pytest.raises(ConfigurationError):
            await rc.install_extension(make(session_store=FileSessionStore(path)))
    finally:
        await store.close()
    return r"alice: not connected: session_store: .* is in use by another .*"


@pytest.mark.parametrize("fail", [_fatal, _too_late, _in_use], ids=["fatal", "too late", "in use"])
async def test_o5_a_failed_install_logs_one_line(rc, quiet_ext, gateway, caplog, tmp_path, fail):
    expected = await fail(rc, gateway, quiet_ext, tmp_path / "session.json")
    (line,) = lines(caplog, level=logging.WARNING)
    assert re.fullmatch(expected, line), line
    others = [one for one in lines(caplog) if one != line]
    assert [
        one for one in others if not one.startswith(("alice: an attempt failed: ", "alice: next attempt in "))
    ] == []


async def test_o5_a_connection_that_was_aborted_says_by_what(rc, ext, told, caplog):
    caplog.set_level(logging.INFO)
    ext.ws.abort()
    loss = await told.wait(Events.DISCONNECTED)
    assert str(loss) == "dropped by abort()"
    with anyio.fail_after(5):
        while not any(line.endswith(" s: dropped by abort()") for line in lines(caplog)):
            await anyio.sleep(0.01)


async def test_o5_who_is_to_call_recover_is_told_so(rc, make_ext, told, caplog):
    caplog.set_level(logging.INFO)
    ext = make_ext(auto_recover=False)
    await rc.install_extension(ext)
    await ext.subscribe([STORE], told.on_notification)
    ext.ws.abort()
    with pytest.raises(NotConnected, match=r"call recover\(\), or switch auto_recover on"):
        await ext.subscribe([STORE, "/restapi/v1.0/account/~/extension/~/presence"])
    await told.wait(Events.DISCONNECTED)
    with anyio.fail_after(5):
        while not lines(caplog)[-1].endswith(
            "no attempt until it is asked for: call recover(), or switch auto_recover on"
        ):
            await anyio.sleep(0.01)
    assert ext.next_attempt_at is None
    assert ext.state is State.WAITING
    assert ext.subscription.state is SubscriptionState.ACTIVE
    await ext.recover()


def test_o5_a_session_that_is_gone_is_described_in_words():
    session = Session(Wsc("token"))
    session.details = ConnectionDetails(recovery_timeout=10)
    session.begin_outage(Outage(lost_at=0.0))
    assert session.token_to_offer(11.0) is None
    recovery, cause = session.conclude(12.0, None)
    assert cause.reason == "session not recovered: the recovery window is over"
    assert recovery.outcome == "windowExceeded"  # the name stays


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Loss(LossKind.CLOSED, 1001, "going away"), "closed 1001: going away"),
        (Loss(LossKind.CLOSED, 1000), "closed 1000"),
        (Loss(LossKind.REFUSED, "WSG-901", "too many"), "refused WSG-901: too many"),
        (Loss(LossKind.DROPPED), "dropped"),
        (
            Loss(LossKind.DROPPED, text="the peer did not answer the closing handshake"),
            "dropped: the peer did not answer the closing handshake",
        ),
        (Loss(LossKind.SILENT, text="no answer to a heartbeat"), "no answer to a heartbeat"),
        (Loss(LossKind.ABORTED, text="closed by the application"), "closed by the application"),
        (Loss(LossKind.ABORTED), "aborted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_o5_a_loss_in_words(loss, words):
    assert str(loss) == words
