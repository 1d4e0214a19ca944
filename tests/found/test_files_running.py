"""What a running client does whose store fails: it goes on, and says so with the path, once a minute."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import trio
from trio.testing import MockClock

from rcex_ws import (
    ConfigurationError,
    Events,
    Extension,
    FileTokenStore,
    Outcome,
    RingCentral,
    SessionUnreadable,
    State,
    WebSocketExtension,
)
from rcex_ws.gateway import Gateway
from rcex_ws.testing import MemoryGateway
from tests.found.lost import extension, installed, logged_in, until
from tests.found.stores import bad, fill, in_own_mounts
from tests.told import Told

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
YEAR = 365 * 86400.0


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(file.read_bytes())
    change(content)
    file.write_text(json.dumps(content))


# -- F5: nonsense in the file of a session -----------------------------------------------------------------------------


async def test_f5_an_absurd_session_is_told_once_with_a_gap(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    file = tmp_path / "session.json"
    async with installed(gateway, tmp_path, told, file) as ext:
        await ext.subscribe([MESSAGES])
    edit(file, lambda content: content["unfinished"].update(since=-1e18))
    absurd = file.read_bytes()
    for life in range(2):
        told.items.clear()
        async with installed(gateway, tmp_path, told, file) as ext:
            await ext.subscribe([MESSAGES], told.on_notification)
            gateway.notify(MESSAGES, {"i": life})
            await told.wait("notification")
        assert [type(error) for error in told.of("error")] == [SessionUnreadable] * (life == 0)
        assert [(gap.since, gap.certain) for gap in told.gaps] == [(None, True)] * (life == 0)
    assert bad(file).read_bytes() == absurd


async def test_f5_a_moment_that_is_still_to_come_proves_nothing(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    """It may have been stored before the server's clock was set back, so the session is recovered all the same."""
    file = tmp_path / "session.json"
    async with installed(gateway, tmp_path, told, file) as ext:
        await ext.subscribe([MESSAGES])
    edit(file, lambda content: content.update(clean=False, unfinished={"since": time.time() + YEAR}))
    begun = datetime.now(UTC)
    async with installed(gateway, tmp_path, told, file) as ext:
        await ext.subscribe([MESSAGES], told.on_notification)
        assert ext.last_recovery is not None
        assert ext.last_recovery.outcome is Outcome.RECOVERED
        (gap,) = told.gaps
        assert gap.since is None
        assert begun <= gap.until <= datetime.now(UTC) + timedelta(seconds=5)
        gateway.cut()
        await told.until(lambda: len(told.gaps) == 2)
        assert told.gaps[1].since is None or told.gaps[1].since <= datetime.now(UTC)


async def test_f5_a_number_with_which_nothing_is_done_costs_no_session(
    gateway: Gateway, tmp_path: Path, told: Told
) -> None:
    """A server that counts strangely would else make our own file unreadable."""
    file = tmp_path / "session.json"
    async with installed(gateway, tmp_path, told, file) as ext:
        await ext.subscribe([MESSAGES])
    edit(file, lambda content: content["wsc"].update(sequence=10**40))
    edit(file, lambda content: content["subscription"]["info"].update(expiresIn=-(10**30)))
    async with installed(gateway, tmp_path, told, file) as ext:
        await ext.subscribe([MESSAGES])
        assert ext.last_recovery is not None
        assert ext.last_recovery.outcome is Outcome.RECOVERED
    assert told.gaps == told.of("error") == []


async def test_f5_one_file_for_both_stores_is_refused(gateway: Gateway, tmp_path: Path, told: Told) -> None:
    async with logged_in(gateway, tmp_path) as rc:
        content = (tmp_path / "token.json").read_bytes()
        with pytest.raises(ConfigurationError, match=r"session_store: .* holds an OAuth token"):
            await rc.install_extension(extension(told, tmp_path / "token.json"))
        assert (await rc.get("/restapi/v1.0/account/~/extension/~")).is_success
    assert (tmp_path / "token.json").read_bytes() == content


# -- F6: it cannot be used, from the beginning or while it runs --------------------------------------------------------


@pytest.mark.parametrize("credentials", ["jwt", "code", "force"])
async def test_f6_no_login_is_spent_on_a_token_that_cannot_be_kept(
    gateway: Gateway, tmp_path: Path, credentials: str
) -> None:
    (tmp_path / "file").touch()
    store = FileTokenStore(tmp_path / "file" / "token.json")
    async with client(gateway, token_store=store) as rc:
        arguments: dict[str, Any] = {"jwt": gateway.jwt, "force": credentials == "force"}
        if credentials == "code":
            arguments = {"code": "fresh", "redirect_uri": "https://example.org/"}
        with pytest.raises(ConfigurationError, match=f"token_store: {store.path} cannot be used: Not a directory"):
            await rc.authorize(**arguments)
    assert [entry for entry in gateway.log() if entry.get("path") == "/restapi/oauth/token"] == []


def client(gateway: Gateway, **options: Any) -> RingCentral:
    return RingCentral(
        server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret, **options
    )


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
async def test_f6_a_token_that_cannot_be_kept_any_more_is_used_all_the_same(
    gateway: Gateway, tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "token.json"
    async with logged_in(gateway, tmp_path) as rc:
        kept = file.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(code))
            patch.setattr(os, "ftruncate", failing(code))
            for _ in range(3):
                await rc.refresh()
                assert (await rc.get("/restapi/v1.0/account/~/extension/~")).is_success
        (error,) = errors(caplog)
        assert str(file) in error
        assert os.strerror(code) in error
        assert "Traceback" not in caplog.text
        assert code == errno.EROFS or code == errno.EACCES or file.read_bytes() == kept
        token = await rc.refresh()
        assert token.access_token in file.read_text()


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
async def test_f6_a_session_that_cannot_be_kept_any_more_goes_on(
    gateway: Gateway,
    tmp_path: Path,
    told: Told,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / "session.json"
    async with installed(gateway, tmp_path, told, file) as ext:
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", failing(code))
            patch.setattr(os, "ftruncate", failing(code))
            await ext.subscribe([MESSAGES], told.on_notification)
            for number in range(3):
                gateway.notify(MESSAGES, {"i": number})
            await told.wait("notification", 3)
            subscription = await ext.subscribe([MESSAGES, MESSAGES + "?x=y"], told.on_notification)
            (error,) = told.of("error")
            assert isinstance(error, OSError)
            assert (error.errno, error.filename) == (code, str(file))
            (line,) = errors(caplog)
            assert str(file) in line
            assert "Traceback" not in caplog.text
        gateway.notify(MESSAGES, {"i": 3})
        await told.wait("notification", 4)
    assert subscription.info is not None
    assert subscription.info.id in file.read_text()
    assert told.of("error") == [error]
    async with installed(gateway, tmp_path, told, file) as ext:
        assert ext.last_recovery is not None
        assert ext.last_recovery.outcome is Outcome.RECOVERED


async def test_f6_what_cannot_be_forgotten_is_said(
    gateway: Gateway,
    tmp_path: Path,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / "session.json"
    async with installed(gateway, tmp_path, told, file) as ext:
        await ext.subscribe([MESSAGES])
        assert ext.client is not None
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", failing(errno.EIO))
            await ext.revoke()
            await ext.client.revoke()
        (line, other) = errors(caplog)
        assert "not forgotten" in line
        assert str(file) in line
        assert "could not be deleted" in other
        assert str(tmp_path / "token.json") in other
        assert "Traceback" not in caplog.text


# -- F7: a full disk ---------------------------------------------------------------------------------------------------


class Full:
    """A store on a disk that is full, until it is not."""

    def __init__(self) -> None:
        self.full = True
        self.tried = self.saved = 0

    async def open(self) -> None:
        pass

    async def save(self, _: object) -> None:
        self.tried += 1
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/volume/session.json")
        self.saved += 1

    async def clear(self) -> None:
        pass

    async def close(self) -> None:
        pass


VIRTUAL = pytest.mark.parametrize(
    "anyio_backend", [("trio", {"clock": MockClock(autojump_threshold=0)})], ids=["virtual"]
)


@asynccontextmanager
async def in_virtual_time(told: Told, store: Full) -> AsyncIterator[WebSocketExtension]:
    async with (
        MemoryGateway() as memory,
        RingCentral(
            server=memory.server, client_id=memory.client_id, client_secret=memory.client_secret, http=memory.http
        ) as rc,
    ):
        await rc.authorize(jwt=memory.jwt)
        ext = WebSocketExtension(session_store=store)
        ext.open_socket = memory.open_websocket  # type: ignore[method-assign]
        told.listen(ext)
        await rc.install_extension(ext)
        yield ext


@VIRTUAL
async def test_f7_a_full_disk_is_said_once_a_minute(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    store = Full()
    async with in_virtual_time(told, store) as ext:
        for second in range(600):
            await ext.subscribe([MESSAGES, f"{MESSAGES}?x={second}"])  # each writes at once
            await trio.sleep(1)
        assert store.tried > 600
        assert 9 <= len(errors(caplog)) == len(told.of(Events.ERROR)) <= 11
        assert all("/volume/session.json" in line for line in errors(caplog))
        assert "Traceback" not in caplog.text
        store.full = False
        await trio.sleep(61)
        assert store.saved > 0


@VIRTUAL
async def test_f7_a_disk_that_is_full_for_days_does_not_end_the_client(told: Told) -> None:
    """What is doubled after each failure is at some point more than a float can hold."""
    store = Full()
    async with in_virtual_time(told, store) as ext:
        await ext.subscribe([MESSAGES])
        await trio.sleep(20 * 3600)
        assert ext.state is State.READY
        assert store.tried > 1100


@VIRTUAL
async def test_f7_a_login_that_cannot_be_renewed_for_days_does_not_end_the_client() -> None:
    async with MemoryGateway() as memory:
        options = {"client_id": memory.client_id, "client_secret": memory.client_secret, "http": memory.http}
        async with RingCentral(server=memory.server, **options) as rc:
            ended = msgspec.structs.replace(await rc.authorize(jwt=memory.jwt), expires_at=time.time() - 1)
        memory.gateway.refuse("POST /restapi/oauth/token", 503, times=None)
        async with RingCentral(server=memory.server, token=ended, **options) as rc:
            await rc.install_extension(Extension())
            await trio.sleep(5 * 86400)
            memory.gateway.clear_faults()
            await trio.sleep(3600)
            assert rc.token is not None
            assert rc.token.access_token != ended.access_token


def _full(folder: str, backend: str) -> None:
    async def main() -> None:
        file, told = Path(folder, "disk", "session.json"), Told()
        with Gateway() as gateway:
            async with installed(gateway, Path(folder), told, file) as ext:
                ballast = Path(folder, "disk", "ballast")
                fill(ballast)
                await ext.subscribe([MESSAGES], told.on_notification)
                error = await told.wait("error")
                assert (error.errno, error.filename) == (errno.ENOSPC, str(file))
                gateway.notify(MESSAGES, {"i": 1})
                await told.wait("notification")
                ballast.unlink()
                await until(file.exists, within=20)
            async with installed(gateway, Path(folder), told, file) as ext:
                assert ext.last_recovery is not None
                assert ext.last_recovery.outcome is Outcome.RECOVERED

    Path(folder, "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", f"{folder}/disk"], check=True)
    anyio.run(main, backend=backend)


@pytest.mark.skipif(sys.platform == "win32", reason="mounts differ here")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_f7_a_session_goes_on_while_the_disk_is_full(backend: str, tmp_path: Path) -> None:
    in_own_mounts(_full, str(tmp_path), backend)
