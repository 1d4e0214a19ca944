"""Failures found in what is told of a loss: nothing (L13), something false (L16), or that it is for good (L18)."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from rcex_ws import (
    ConnectFailed,
    Events,
    FileSessionStore,
    FileTokenStore,
    Gap,
    LoginRefused,
    Notification,
    Outcome,
    RestError,
    RingCentral,
    State,
    SubscriptionState,
    WebSocketExtension,
)
from rcex_ws.gateway import Gateway

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
PRESENCE = "/restapi/v1.0/account/~/extension/~/presence"

Process = Callable[..., AbstractAsyncContextManager[RingCentral]]


async def until(condition: Callable[[], object], within: float = 3) -> None:
    with anyio.fail_after(within):
        while not condition():
            await anyio.sleep(0.005)


@pytest.fixture
def process(gateway: Gateway, tmp_path: Path) -> Process:
    """Make a client as a new process would: same files, same OAuth session."""

    @asynccontextmanager
    async def process(*, token_store: bool = True, jwt: bool = True) -> AsyncGenerator[RingCentral]:
        async with RingCentral(
            server=gateway.server,
            client_id=gateway.client_id,
            client_secret=gateway.client_secret,
            token_store=FileTokenStore(tmp_path / "token.json") if token_store else None,
        ) as rc:
            await rc.authorize(jwt=gateway.jwt if jwt else None)
            yield rc

    return process


class Told:
    """An extension that reconnects fast, and what it tells."""

    def __init__(self, session_file: Path | None = None, *, delay: float = 0.02, open_timeout: float = 5) -> None:
        self.gaps: list[Gap] = []
        self.numbers: list[int] = []
        self.events: list[str] = []
        self.ext = WebSocketExtension(
            session_store=None if session_file is None else FileSessionStore(session_file),
            on_gap=self.gaps.append,
            reconnect_delays=lambda _: delay,
            open_timeout=open_timeout,
        )
        for event in Events:
            self.ext.on(event, self._noting(event))

    def _noting(self, event: Events) -> Callable[[object], None]:
        return lambda _: self.events.append(event)

    def on_notification(self, notification: Notification) -> None:
        self.numbers.append(notification.body["i"])

    async def begin(self, rc: RingCentral) -> None:
        await rc.install_extension(self.ext)
        await self.ext.subscribe([STORE], self.on_notification)

    async def reconnected(self) -> None:
        """Wait until it has told all that there is to tell of the second connection."""
        await until(lambda: self.events.count(Events.CONNECTION_READY) == 2)


# -- L13: the session file cannot be read ------------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "random": lambda content: random.Random(13).randbytes(len(content)),
    "of another shape": lambda content: b'{"hello": "world"}',
}
every_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))


async def leave_damaged(process: Process, gateway: Gateway, path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Let a process subscribe and end, events come, and its session file be damaged."""
    async with process() as rc:
        await Told(path).begin(rc)
    gateway.notify(STORE, {"i": 1})
    rewrite(path, damage)


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@every_damage
async def test_l13_a_session_file_that_cannot_be_read_is_a_certain_gap(
    process: Process, gateway: Gateway, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "session.json"
    await leave_damaged(process, gateway, path, damage)
    async with process() as rc:
        second = Told(path)
        began = datetime.now(UTC)
        await second.begin(rc)
        gateway.notify(STORE, {"i": 2})
        await until(lambda: second.numbers)
        assert second.numbers == [2]
        (gap,) = second.gaps
        assert gap.certain
        assert gap.since is None
        assert began - timedelta(seconds=5) < gap.until < datetime.now(UTC) + timedelta(seconds=5)
        assert second.events.count(Events.NOTIFICATION_GAP) == 1
    async with process() as rc:  # told once
        third = Told(path)
        await third.begin(rc)
        gateway.notify(STORE, {"i": 3})
        await until(lambda: third.numbers)
        assert third.gaps == []


@every_damage
async def test_l13_it_is_told_though_the_first_process_to_find_it_never_got_to_it(
    process: Process, gateway: Gateway, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "session.json"
    await leave_damaged(process, gateway, path, damage)
    gateway.refuse("wstoken", 503, times=None)
    second = Told(path, open_timeout=0.2)
    async with process() as rc:
        with pytest.raises(ConnectFailed):
            await second.begin(rc)
    gateway.clear_faults()
    third = Told(path)
    async with process() as rc:
        await third.begin(rc)
        gateway.notify(STORE, {"i": 2})
        await until(lambda: third.numbers)
    (gap,) = second.gaps + third.gaps
    assert gap.certain
    assert gap.since is None


# -- L16: reasons are true ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token_store", [True, False], ids=["token store", "no token store"])
async def test_l16_wsg_1003_in_a_running_process_is_not_blamed_on_the_login(
    process: Process, gateway: Gateway, caplog: pytest.LogCaptureFixture, token_store: bool
) -> None:
    """The server means it so, but nobody has logged in anew."""
    caplog.set_level(logging.INFO)
    told = Told()
    async with process(token_store=token_store) as rc:
        await told.begin(rc)
        gateway.fail_recovery("WSG-1003")
        gateway.cut()
        await told.reconnected()
        assert told.ext.last_recovery is not None
        assert told.ext.last_recovery.outcome is Outcome.REFUSED
        assert told.ext.last_recovery.error_code == "WSG-1003"
    (gap,) = told.gaps
    assert gap.certain
    for text in (caplog.text, gap.reason):
        assert "belonged to another login" not in text
        assert "token_store" not in text


ANNOUNCED: dict[str, Callable[[Gateway], object]] = {
    "1001": lambda gateway: gateway.cut(1001, "going away"),
    "WSG-902": lambda gateway: gateway.error("WSG-902"),
}
every_announced_end = pytest.mark.parametrize("end", ANNOUNCED.values(), ids=list(ANNOUNCED))


@every_announced_end
@pytest.mark.parametrize(("where", "status"), [("upgrade", 503), ("upgrade", 429), ("upgrade", 401), ("wstoken", 503)])
async def test_l16_a_refused_attempt_after_an_orderly_end_is_no_gap(
    process: Process,
    gateway: Gateway,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[Gateway], object],
    where: str,
    status: int,
) -> None:
    """A refusal replays nothing: what the server keeps, it keeps for the attempt that it accepts."""
    caplog.set_level(logging.INFO)
    told = Told()
    async with process() as rc:
        await told.begin(rc)
        gateway.refuse(where, status, times=2)
        end(gateway)
        gateway.notify(STORE, {"i": 1})
        await told.reconnected()
        await until(lambda: told.numbers)
        assert told.events.count(Events.AUTO_RECOVER_ERROR) == 2
        assert told.ext.last_recovery is not None
        assert told.ext.last_recovery.outcome is Outcome.RECOVERED
    assert told.numbers == [1]
    assert told.gaps == []
    assert "replaying" not in caplog.text


async def test_l16_after_a_loss_without_a_word_that_is_the_reason_not_the_refusal(
    process: Process, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told = Told()
    async with process() as rc:
        await told.begin(rc)
        gateway.refuse("upgrade", 503)
        gateway.cut()
        await told.reconnected()
    (gap,) = told.gaps
    assert not gap.certain
    assert "replaying" not in gap.reason
    assert "replaying" not in caplog.text


@every_announced_end
async def test_l16_refused_attempts_do_not_make_an_orderly_restart_unclean(
    process: Process,
    gateway: Gateway,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[Gateway], object],
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "session.json"
    first = Told(path)
    async with process() as rc:
        await first.begin(rc)
        gateway.refuse("upgrade", 503, times=None)
        end(gateway)
        await until(lambda: Events.AUTO_RECOVER_ERROR in first.events)
    gateway.clear_faults()
    gateway.notify(STORE, {"i": 1})
    second = Told(path)
    async with process() as rc:
        await second.begin(rc)
        await until(lambda: second.numbers)
        assert second.ext.last_recovery is not None
        assert second.ext.last_recovery.outcome is Outcome.RECOVERED
    assert first.gaps + second.gaps == []
    assert "without closing" not in caplog.text


# -- L18: FAILED only when trying again cannot help --------------------------------------------------------------------


@pytest.mark.parametrize("times", [2, 3, 6])
async def test_l18_a_glitch_of_401_passes_while_it_runs(process: Process, gateway: Gateway, times: int) -> None:
    told = Told(delay=0.05)
    states: set[State] = set()  # after the refused attempts

    def ready_again() -> bool:
        if Events.AUTO_RECOVER_ERROR in told.events:
            states.add(told.ext.state)
        return told.events.count(Events.CONNECTION_READY) == 2

    async with process() as rc:
        await told.begin(rc)
        gateway.refuse("wstoken", 401, times=times)
        gateway.cut()
        gateway.notify(STORE, {"i": 1})
        await until(ready_again)
        await until(lambda: told.numbers)
        assert told.numbers == [1]
        assert told.ext.subscription is not None
        assert told.ext.subscription.state is SubscriptionState.ACTIVE
    assert State.WAITING in states
    assert State.FAILED not in states


async def test_l18_a_glitch_of_401_passes_at_install(process: Process, gateway: Gateway) -> None:
    told = Told()
    async with process() as rc:
        gateway.refuse("wstoken", 401, times=4)
        await told.begin(rc)
        gateway.notify(STORE, {"i": 1})
        await until(lambda: told.numbers)


async def test_l18_the_schedule_is_kept(process: Process, gateway: Gateway) -> None:
    """No hot loop: between two attempts lies what the schedule says."""
    told = Told(delay=0.15)
    async with process() as rc:
        await told.begin(rc)
        gateway.clear_log()
        gateway.refuse("wstoken", 401, times=6)
        gateway.cut()
        await told.reconnected()
    refused = [entry["time"] for entry in gateway.log() if "wstoken" in entry.get("path", "")]
    attempts = told.events.count(Events.AUTO_RECOVER_ERROR) + 1
    assert attempts > 1
    assert refused[-1] - refused[0] > 0.15 * (attempts - 1) * 0.9


async def test_l18_403_is_for_good(process: Process, gateway: Gateway) -> None:
    told = Told()
    async with process() as rc:
        await told.begin(rc)
        gateway.refuse("wstoken", 403, times=None)
        gateway.cut()
        await until(lambda: told.ext.state is State.FAILED)
        another = Told()
        with pytest.raises(RestError) as caught:
            await rc.install_extension(another.ext)
        assert caught.value.status_code == 403


@pytest.mark.parametrize("jwt", [True, False], ids=["login refused", "refresh refused"])
async def test_l18_a_refused_login_or_refresh_is_for_good(process: Process, gateway: Gateway, jwt: bool) -> None:
    async with process():
        pass  # it leaves a token
    told = Told()
    async with process(jwt=jwt) as rc:
        await told.begin(rc)
        gateway.refuse("wstoken", 401, times=None)
        gateway.refuse("token", 400, error_code="OAU-210", times=None)
        gateway.cut()
        await until(lambda: told.ext.state is State.FAILED)
        with pytest.raises(LoginRefused):
            await told.ext.recover()
