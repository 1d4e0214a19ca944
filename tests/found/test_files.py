"""What the file of a store can be that it should not be: a link, a pipe, another user's; who was killed; no locks."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from rcex_ws import ConfigurationError, FileSessionStore
from rcex_ws.slack import DataStoreError, SQLiteDataStore
from tests.found.stores import KINDS, NOBODY, ROOT, Kind, SessionKind, TokenKind, bad

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="what a file may be and whose it is differs here")
SECRET = "SECRET"


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


# -- F2: links ---------------------------------------------------------------------------------------------------------


@POSIX
async def test_f2_a_link_is_followed_also_when_it_leads_nowhere_yet(kind: Kind, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "volume" / "kept.json"
    path.symlink_to(Path("volume") / "kept.json")
    for secret in ("1", "2"):
        await kind.keep(path, secret)
        assert path.is_symlink()
        assert secret in target.read_text()
        assert await kind.kept(path) == secret
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(".lock")] == []
    await kind.forget(path)
    assert (path.is_symlink(), target.exists()) == (True, False)


@POSIX
async def test_f2_two_names_of_one_session_file_have_one_lock(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "kept.json")
    store = FileSessionStore(path)
    await store.open()
    with pytest.raises(ConfigurationError, match="in use by another process"):
        await FileSessionStore(tmp_path / "kept.json").open()
    await store.close()


@POSIX
async def test_f2_what_cannot_be_read_is_kept_beside_the_target(kind: Kind, path: Path, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    target = tmp_path / "volume" / "kept.json"
    target.write_text("{")
    path.symlink_to(target)
    assert not await kind.is_unreadable(path)  # that looks beside the link
    assert bad(target).read_text() == "{"
    assert path.is_symlink()


@POSIX
async def test_f2_links_in_a_circle_are_refused(kind: Kind, path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(ConfigurationError, match=f"{kind.name}: {path}"):
        await kind.kept(path)


# -- F3: what is no file of ours ---------------------------------------------------------------------------------------


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(path.parent)  # an address is short
        bound.bind(path.name)


def _device(path: Path) -> None:
    path.symlink_to(os.devnull)


@POSIX
@pytest.mark.parametrize(("make", "what"), [(_fifo, "pipe"), (_socket, "socket"), (_device, "device")])
async def test_f3_what_is_no_file_is_refused(
    kind: Kind, path: Path, make: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    make(path)
    mode = path.stat().st_mode
    for call in (kind.kept, partial(kind.keep, secret=SECRET), kind.forget):
        with anyio.fail_after(10), pytest.raises(ConfigurationError, match=f"{kind.name}: {path} is a {what}"):
            await call(path)
    assert path.stat().st_mode == mode


@POSIX
async def test_f3_a_file_that_everybody_may_write_is_refused(kind: Kind, path: Path) -> None:
    path.write_bytes(kind.content(SECRET))
    path.chmod(0o666)
    with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} can be written by everybody") as caught:
        await kind.kept(path)
    assert SECRET not in str(caught.value)
    path.chmod(0o644)
    assert await kind.kept(path) == SECRET


@POSIX
async def test_f3_one_that_its_group_may_write_is_a_warning_and_made_private(
    kind: Kind, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(kind.content(SECRET))
    path.chmod(0o660)
    assert await kind.kept(path) == SECRET
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{kind.name}: {path} can be written by its group" in record.getMessage()
    await kind.keep(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@POSIX
async def test_f3_the_file_of_another_user_is_refused_and_he_is_named(
    kind: Kind, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(kind.content(SECRET))
    owner = path.owner()
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY - 1)
    with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} belongs to {owner}"):
        await kind.kept(path)


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
async def test_f3_root_may_use_it_and_leaves_it_to_its_owner(kind: Kind, path: Path) -> None:
    path.write_bytes(kind.content(SECRET))
    os.chown(path, NOBODY, NOBODY)
    assert await kind.kept(path) == SECRET
    await kind.keep(path, "new")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, NOBODY, 0o600)
    lock = path.with_name(path.name + ".lock")
    assert not lock.exists() or lock.stat().st_uid == NOBODY


@POSIX
async def test_f3_a_lock_that_is_no_file_is_refused(path: Path, tmp_path: Path) -> None:
    lock, elsewhere = path.with_name("state.json.lock"), tmp_path / "elsewhere"
    lock.symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match=f"session_store: {lock} is a symbolic link"):
        await FileSessionStore(path).open()
    assert not elsewhere.exists()
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(ConfigurationError, match=f"session_store: {lock} is a pipe"):
        await FileSessionStore(path).open()


# -- F4: killed while writing ------------------------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from pathlib import Path
import anyio
from rcex_ws.slack import DataStoreError, SQLiteDataStore
from tests.found.stores import KINDS

name, path, backend, action = sys.argv[1:]
kind = next(kind for kind in KINDS if kind.name == name)

def stop(_):
    print("writing", flush=True)
    if action == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()

anyio.run(kind.keep, Path(path), "1", backend=backend)
os.fsync = stop
anyio.run(kind.keep, Path(path), "2", backend=backend)
"""


def _writer(kind: Kind, path: Path, backend: str, action: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _KILLED, kind.name, str(path), backend, action]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def _leftovers(path: Path) -> list[Path]:
    return [one for one in path.parent.iterdir() if one.name.startswith(".")]


@POSIX
async def test_f4_what_a_killed_process_was_writing_is_swept(
    kind: Kind, path: Path, anyio_backend: str, tmp_path: Path
) -> None:
    others = tmp_path / ".state.json.original"
    others.write_text("not ours")
    with await anyio.to_thread.run_sync(_writer, kind, path, anyio_backend, "die") as process:
        assert process.wait(20) == -signal.SIGKILL
    assert len(_leftovers(path)) == 2
    assert await kind.kept(path) == "1"
    assert _leftovers(path) == [others]


@POSIX
async def test_f4_what_another_process_is_writing_is_left_to_it(path: Path, anyio_backend: str) -> None:
    kind = TokenKind()
    with await anyio.to_thread.run_sync(_writer, kind, path, anyio_backend, "wait") as process:
        assert await kind.kept(path) == "1"
        (leftover,) = _leftovers(path)
        await anyio.to_thread.run_sync(process.communicate, "", 20)
    assert process.returncode == 0
    assert not leftover.exists()
    assert await kind.kept(path) == "2"


# -- F8: no locks ------------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EIO], ids=errno.errorcode.get)
async def test_f8_that_nothing_can_be_locked_is_said(path: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ConfigurationError, match="cannot be locked") as caught:
        await FileSessionStore(path, wait=60).open()
    assert os.strerror(code) in str(caught.value)
    assert f"session_store: {path}" in str(caught.value)
    assert "in use" not in str(caught.value)
    monkeypatch.undo()
    await SessionKind().keep(path, "1")  # nothing of it is left


@POSIX
async def test_f8_a_token_needs_no_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    kind = TokenKind()
    await kind.keep(path, SECRET)
    assert await kind.kept(path) == SECRET


# -- the data store of a Slack client, which has a file of its own kind ------------------------------------------------


@POSIX
@pytest.mark.parametrize("what", ["pipe", "everybody"])
async def test_f3_the_data_store_of_slack_refuses_what_is_not_its_own(path: Path, what: str) -> None:
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        path.chmod(0o666)
    store = SQLiteDataStore(path)
    with anyio.fail_after(10), pytest.raises(DataStoreError, match=f"{path} (is a|can be written by) {what}") as caught:
        await store.user("U1")
    assert not caught.value.retryable
    await store.aclose()
