"""Where the file of a store lies: a mounted file, a folder that is closed, a disk that is read-only or full."""

from __future__ import annotations

import errno
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import anyio
import pytest

from rcex_ws import ConfigurationError, FileSessionStore, FileTokenStore
from rcex_ws.files.private import PrivateFile
from tests.found.stores import KINDS, Kind, SessionKind, as_nobody, bad, fill, in_own_mounts, session, token

if sys.platform == "win32":
    pytest.skip("mounts and rights differ here", allow_module_level=True)

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
BY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


class Lines(logging.Handler):
    """What is logged, in a process without pytest."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        logging.getLogger("rcex_ws").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


# -- F1: a file that is a mount point ----------------------------------------------------------------------------------


def _mounted_file(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind, log = named(name), Lines()
        for secret in ("1", "a longer one", "2"):
            await kind.keep(path, secret)
            assert await kind.kept(path) == secret
            assert inode == path.stat().st_ino == host.stat().st_ino
            assert secret in host.read_text()
        assert stat.S_IMODE(host.stat().st_mode) == 0o600
        assert len([line for line in log.lines if "written in place" in line and str(path) in line]) >= 1
        await kind.forget(path)
        assert await kind.kept(path) is None
        assert host.read_bytes() == b""
        host.write_text("{")
        assert await kind.is_unreadable(path)
        assert bad(path).read_text() == "{"
        await kind.keep_over(path, "3")
        assert await kind.kept(path) == "3"
        assert {entry.name for entry in path.parent.iterdir()} == {"state.json", "state.json.bad"}

    host, path = Path(folder, "host.json"), Path(folder, "with space", "state.json")
    path.parent.mkdir()
    host.touch()
    path.touch()
    mount("--bind", host, path)
    inode = path.stat().st_ino
    anyio.run(main, backend=backend)


@BACKENDS
@BY_KIND
def test_f1_a_mounted_file_is_written_in_place(backend: str, kind: Kind, tmp_path: Path) -> None:
    in_own_mounts(_mounted_file, str(tmp_path), backend, kind.name)


def _in_a_read_only_container(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind = named(name)
        for secret in ("1", "2"):
            await kind.keep(path, secret)
            assert await kind.kept(path) == secret
        host.write_text("{")
        assert not await kind.is_unreadable(path)  # it cannot be kept anywhere
        await kind.keep_over(path, "3")
        assert "3" in host.read_text()

    host, path = Path(folder, "host.json"), Path(folder, "root", "state.json")
    host.touch()
    path.parent.mkdir()
    mount("-t", "tmpfs", "-o", "size=64k", "none", path.parent)
    path.touch()
    mount("--bind", host, path)
    mount("-o", "remount,bind,ro", path.parent)
    anyio.run(main, backend=backend)


@BACKENDS
@BY_KIND
def test_f1_a_mounted_file_in_a_read_only_container(backend: str, kind: Kind, tmp_path: Path) -> None:
    in_own_mounts(_in_a_read_only_container, str(tmp_path), backend, kind.name)


def _two_containers(folder: str, backend: str) -> None:
    async def main() -> None:
        store = FileSessionStore(first)
        await store.open()
        for _ in range(2):
            for other in (first, second):
                with pytest.raises(ConfigurationError, match="in use by another process"):
                    await FileSessionStore(other).open()
            await store.save(session("1"))
        await store.close()
        assert await SessionKind().kept(second) == "1"

    host, first, second = Path(folder, "host"), Path(folder, "a", "session"), Path(folder, "b", "session")
    for path in (host, first, second):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    mount("--bind", host, first)
    mount("--bind", host, second)
    anyio.run(main, backend=backend)


@BACKENDS
def test_f1_the_lock_is_on_a_mounted_file_itself(backend: str, tmp_path: Path) -> None:
    in_own_mounts(_two_containers, str(tmp_path), backend)


async def test_f1_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(os, "replace", failing(errno.EBUSY))
    path = tmp_path / "state.json"
    path.touch(0o600)
    store = FileTokenStore(path)
    for secret in ("1", "longer", "2"):
        await store.save(token(secret))
        assert (await store.load()).access_token == secret
    (record,) = caplog.records
    assert f"token_store: {path} cannot be replaced" in record.getMessage()
    assert "written in place" in record.getMessage()
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


async def test_f1_a_session_that_cannot_be_replaced_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    await SessionKind().keep(path, "1")
    monkeypatch.setattr(os, "replace", failing(errno.EBUSY))
    inode = path.stat().st_ino
    store = FileSessionStore(path)
    await store.open()
    await store.save(session("2"))
    await store.close()
    assert await SessionKind().kept(path) == "2"
    assert path.stat().st_ino == inode


async def test_f1_what_another_process_is_just_writing_in_place_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    path = tmp_path / "state.json"
    store = FileTokenStore(path)
    await store.save(token("1"))
    whole = path.read_bytes()
    reads = []

    def read(file: PrivateFile) -> bytes | None:
        reads.append(file.in_place)
        return whole[:20] if len(reads) == 1 else whole

    monkeypatch.setattr("rcex_ws.files.private.is_mount_point", lambda _: True)
    monkeypatch.setattr(PrivateFile, "read", read)
    assert (await store.load()).access_token == "1"
    assert reads == [True, True]
    assert caplog.records == []


def _full_while_in_place(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind = named(name)
        await kind.keep(path, "1")
        fill(disk / "ballast")
        with pytest.raises(OSError, match="No space left") as caught:
            await kind.keep(path, "x" * 100_000)
        assert caught.value.filename == str(path)
        assert await kind.kept(path) == "1"

    disk, path = Path(folder, "disk"), Path(folder, "c", "state.json")
    disk.mkdir()
    path.parent.mkdir()
    path.touch()
    mount("-t", "tmpfs", "-o", "size=64k", "none", disk)
    (disk / "host.json").touch()
    mount("--bind", disk / "host.json", path)
    anyio.run(main, backend=backend)


@BACKENDS
@BY_KIND
def test_f1_a_full_disk_leaves_the_old_content_in_place(backend: str, kind: Kind, tmp_path: Path) -> None:
    in_own_mounts(_full_while_in_place, str(tmp_path), backend, kind.name)


# -- F6: no permission, no folder, read-only ---------------------------------------------------------------------------


@BY_KIND
async def test_f6_what_is_no_folder_is_said(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "state.json"
    for call in (kind.kept, partial(kind.keep, secret="1"), kind.forget):
        with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} cannot be used: Not a directory"):
            await call(path)


@BY_KIND
async def test_f6_a_name_that_is_too_long_is_said(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind.name}: .* cannot be used: File name too long"):
        await kind.kept(tmp_path / ("x" * 300))


def _closed_folder(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind = named(name)
        for path in (Path(folder, "state.json"), Path(folder, "new", "state.json")):
            with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} cannot be used"):
                await kind.kept(path)
        unreadable = Path(folder, "open", "state.json")
        await kind.keep(unreadable, "1")
        unreadable.chmod(0)
        with pytest.raises(ConfigurationError, match=f"{kind.name}: {unreadable} cannot be used: Permission denied"):
            await kind.kept(unreadable)
        unreadable.chmod(0o600)

    os.umask(0)
    anyio.run(main, backend=backend)


@BACKENDS
@BY_KIND
def test_f6_no_permission_is_said(backend: str, kind: Kind) -> None:
    folder = Path(mkdtemp())  # tmp_path is in one that only its owner may enter
    try:
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        folder.chmod(0o555)
        as_nobody(_closed_folder, str(folder), backend, kind.name)
    finally:
        folder.chmod(0o755)
        subprocess.run(["rm", "-r", str(folder)], check=True)


def _own_file_in_a_closed_folder(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind, path = named(name), Path(folder, "state.json")
        await kind.keep(path, "1")
        Path(folder).chmod(0o555)
        for secret in ("2", "3"):
            await kind.keep(path, secret)
            assert await kind.kept(path) == secret
        path.write_text("{")  # as who is killed while writing in place leaves it
        assert not await kind.is_unreadable(path)  # it cannot be kept anywhere
        await kind.keep_over(path, "4")
        assert await kind.kept(path) == "4"

    anyio.run(main, backend=backend)


@BACKENDS
def test_f6_one_may_own_the_file_and_not_the_folder(backend: str) -> None:
    folder = Path(mkdtemp())
    try:
        folder.chmod(0o777)
        inner = folder / "inner"
        as_nobody(_make, str(inner))
        for kind in KINDS:
            as_nobody(_own_file_in_a_closed_folder, str(inner / kind.name), backend, kind.name)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        subprocess.run(["rm", "-r", str(folder)], check=True)


def _make(folder: str) -> None:
    for kind in KINDS:
        Path(folder, kind.name).mkdir(parents=True)


def _read_only(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind, path = named(name), Path(folder, "state.json")
        await kind.keep(path, "1")
        mount("-o", "remount,bind,ro", folder)
        for one in (path, Path(folder, "other.json"), Path(folder, "new", "state.json")):
            with pytest.raises(ConfigurationError, match=f"{kind.name}: {one} cannot be used: Read-only file system"):
                await kind.kept(one)

    mount("-t", "tmpfs", "-o", "size=64k", "none", folder)
    anyio.run(main, backend=backend)


@BACKENDS
@BY_KIND
def test_f6_a_read_only_disk_is_said(backend: str, kind: Kind, tmp_path: Path) -> None:
    in_own_mounts(_read_only, str(tmp_path), backend, kind.name)


@BY_KIND
async def test_f6_whatever_the_system_says_at_opening_names_the_file(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(kind.content("1"))
    monkeypatch.setattr(os, "open", failing(errno.EROFS))
    with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} cannot be used: Read-only") as caught:
        await kind.kept(path)
    assert not caught.value.retryable


# -- F7: a full disk ---------------------------------------------------------------------------------------------------


def _full(folder: str, backend: str, name: str) -> None:
    async def main() -> None:
        kind, path = named(name), Path(folder, "state.json")
        await kind.keep(path, "1")
        fill(Path(folder, "ballast"))
        with pytest.raises(OSError, match="No space left") as caught:
            await kind.keep(path, "x" * 10_000)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
        assert await kind.kept(path) == "1"
        assert [entry.name for entry in Path(folder).iterdir() if entry.name.startswith(".")] == []
        Path(folder, "ballast").unlink()
        await kind.keep(path, "2")
        assert await kind.kept(path) == "2"

    mount("-t", "tmpfs", "-o", "size=64k", "none", folder)
    anyio.run(main, backend=backend)


@BACKENDS
@BY_KIND
def test_f7_a_full_disk_is_told_with_the_path_and_leaves_the_old_content(
    backend: str, kind: Kind, tmp_path: Path
) -> None:
    in_own_mounts(_full, str(tmp_path), backend, kind.name)
