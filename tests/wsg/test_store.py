"""The file of a session: what is said when it cannot be read, and that no write goes astray on a slow disk."""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from anyio.abc import TaskGroup
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rcex_ws import ConfigurationError, FileSessionStore, SessionUnreadable, Wsc
from rcex_ws.files.private import PrivateFile
from rcex_ws.wsg.stored import ServerHas, StoredGap, StoredSession, StoredSubscription

FILTERS = ["/restapi/v1.0/account/~/extension/~/message-store"]
SECRET = "c2VjcmV0"
FULL = OSError(errno.ENOSPC, "No space left on device")

UNREADABLE = {
    "empty": b"",
    "truncated": b'{"wsc":{"token":"%s","sequ' % SECRET.encode(),
    "foreign": b'{"wsc":"%s"}' % SECRET.encode(),
    "no text": b'{"wsc":{"token":"%s\xff"}}' % SECRET.encode(),
    "zeros": bytes(4096),
    "deep": b'{"x":' + b"[" * 100_000,
}


def session(token: str) -> StoredSession:
    return StoredSession(
        wsc=Wsc(token),
        subscription=StoredSubscription(wanted=(), info=None, certainty=ServerHas.NOTHING),
        unfinished=StoredGap(since=1.0),
        recovery_timeout=600.0,
        clean=True,
    )


def kept(path: Path) -> str | None:
    """Give the token in the file; None without a file."""
    return json.loads(path.read_bytes())["wsc"]["token"] if path.exists() else None


class Disk:
    """A disk that takes its time, in a real thread: nothing gets through before it is let.

    Attributes:
        begun: what has begun.
    """

    def __init__(self) -> None:
        self.begun = 0
        self._changed = threading.Condition()
        self._verdicts: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()

    def sync(self, *_: object) -> None:
        with self._changed:
            self.begun += 1
            self._changed.notify_all()
        verdict = self._verdicts.get(timeout=30)
        if verdict is not None:
            raise verdict

    def let(self, *verdicts: OSError | None) -> None:
        """Let the next ones end, well or with an error."""
        for verdict in verdicts or (None,):
            self._verdicts.put(verdict)

    async def until_begun(self, count: int) -> None:
        def wait() -> None:
            with self._changed:
                assert self._changed.wait_for(lambda: self.begun >= count, 10)

        await anyio.to_thread.run_sync(wait)


def join_writers() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("session store"):
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A slow disk, at `os.fsync`."""
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.sync)
    yield disk
    disk.let(*[None] * 20)
    join_writers()


async def ask(group: TaskGroup, disk: Disk, *calls: Callable[[], Awaitable[object]]) -> None:
    """Make calls, the first one when the disk is at rest; return when that is being written and the others wait."""
    begun = disk.begun
    for call in calls:
        group.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        await disk.until_begun(begun + 1)


async def ask_and_leave(disk: Disk, *calls: Callable[[], Awaitable[object]]) -> None:
    """Make calls, and cancel them all when the first one is being written."""
    async with anyio.create_task_group() as group:
        await ask(group, disk, *calls)
        group.cancel_scope.cancel()


async def is_locked(path: Path) -> bool:
    other = FileSessionStore(path)
    try:
        await other.open()
    except ConfigurationError:
        return True
    await other.close()
    return False


async def until_free(path: Path) -> None:
    with anyio.fail_after(10):
        while await is_locked(path):
            await anyio.sleep(0.001)


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_l13_an_unreadable_file_is_an_error_that_leaves_the_store_taken(path, content):
    path.write_bytes(content)
    store = FileSessionStore(path)
    with pytest.raises(SessionUnreadable) as caught:
        await store.open()
    assert path.with_name("session.json.bad").read_bytes() == content
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert await is_locked(path)
    await store.save(session("new"))
    await store.close()
    assert kept(path) == "new"


async def test_l13_who_is_killed_before_the_next_save_hears_it_again(path):
    path.write_bytes(b"{")
    for _ in range(2):
        store = FileSessionStore(path)
        with pytest.raises(SessionUnreadable):
            await store.open()
        await store.close()  # as the system does for a process that dies


async def test_l13_the_disk_is_full_or_read_only(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    path.write_bytes(b"{")
    store = FileSessionStore(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(SessionUnreadable, match="could not be kept") as caught:
            await store.open()
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(ConfigurationError, match="in use by another process"):
        await FileSessionStore(path).open()
    await store.close()


async def test_l11_the_lock_is_freed_when_the_thread_that_writes_has_ended(path, disk):
    store = FileSessionStore(path)
    await store.open()
    with anyio.fail_after(5):
        await ask_and_leave(disk, partial(store.save, session("old")))
        await store.close()
    with pytest.raises(ConfigurationError, match="by a write of this one that is not through"):
        await FileSessionStore(path).open()
    disk.let()
    successor = FileSessionStore(path, wait=10)
    assert (await successor.open()).wsc.token == "old"
    disk.let()
    await successor.save(session("new"))
    await successor.close()
    join_writers()
    assert kept(path) == "new"


async def test_l11_an_abandoned_write_never_overwrites_a_newer_one_and_one_that_waits_is_skipped(path, disk):
    store = FileSessionStore(path)
    await store.open()
    await ask_and_leave(disk, *(partial(store.save, session(token)) for token in ("1", "2", "3")))
    disk.let(None, None)
    with anyio.fail_after(5):
        await store.save(session("4"))
    assert (kept(path), disk.begun) == ("4", 2)
    await store.close()


async def test_l11_what_is_abandoned_before_the_end_is_written(path, disk):
    store = FileSessionStore(path)
    await store.open()
    await ask_and_leave(disk, *(partial(store.save, session(token)) for token in ("1", "2")))
    await store.close()
    disk.let(None)
    await disk.until_begun(2)
    assert await is_locked(path)
    disk.let(None)
    await until_free(path)
    assert kept(path) == "2"


async def test_l11_clear_is_not_undone_by_an_older_write(path, disk):
    disk.let()
    store = FileSessionStore(path)
    await store.open()
    await store.save(session("1"))
    await ask_and_leave(disk, partial(store.save, session("2")), store.clear)
    await store.close()
    disk.let()
    await until_free(path)
    assert kept(path) is None


async def test_l11_one_that_fails_says_so_to_who_asked_and_to_whom_it_replaced(path, disk, caplog):
    store = FileSessionStore(path)
    await store.open()
    outcomes: dict[str, Exception | None] = {}

    async def save(token: str) -> None:
        try:
            await store.save(session(token))
        except OSError as exc:
            outcomes[token] = exc
        else:
            outcomes[token] = None

    async with anyio.create_task_group() as group:
        await ask(group, disk, *(partial(save, token) for token in ("1", "2", "3")))
        disk.let(None, FULL)
    assert outcomes == {"1": None, "2": FULL, "3": FULL}
    assert (kept(path), caplog.records) == ("1", [])
    await store.close()


async def test_l11_one_that_fails_after_it_was_abandoned_is_logged(path, disk, caplog):
    store = FileSessionStore(path)
    await store.open()
    with caplog.at_level(logging.ERROR):
        await ask_and_leave(disk, partial(store.save, session(SECRET)))
        disk.let(FULL)
        await store.close()
        await until_free(path)
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    assert "No space left" in caplog.text
    assert SECRET not in caplog.text


async def test_l11_the_same_store_waits_for_its_own_writer_too(path, disk):
    store = FileSessionStore(path)
    await store.open()
    await ask_and_leave(disk, partial(store.save, session("1")))
    await store.close()
    with pytest.raises(ConfigurationError, match="not through"):
        await store.open()
    again = FileSessionStore(path, wait=10)
    async with anyio.create_task_group() as group:

        @group.start_soon
        async def reopen():
            assert (await again.open()).wsc.token == "1"

        disk.let()
    await again.close()
    assert (await store.open()).wsc.token == "1"
    await store.close()


async def test_l11_who_hears_that_it_is_written_finds_the_lock_free_after_close(path, monkeypatch):
    told = threading.Event()

    class Slow(Future):
        def set_result(self, result):
            super().set_result(result)
            if result is None:
                assert told.wait(10)  # in the thread that has written

    store = FileSessionStore(path)
    await store.open()
    monkeypatch.setattr("rcex_ws.files.thread.Future", Slow)
    await store.save(session("1"))
    monkeypatch.undo()
    await store.close()
    assert not await is_locked(path)
    told.set()
    join_writers()


async def test_l11_a_store_that_is_not_open_does_not_touch_the_file(path):
    store = FileSessionStore(path)
    await store.open()
    await store.save(session("1"))
    await store.close()
    for call in (partial(store.save, session("2")), store.clear):
        with pytest.raises(ConfigurationError, match="not open"):
            await call()
    assert kept(path) == "1"


async def test_l11_opening_on_a_slow_disk_can_be_cancelled(path, monkeypatch):
    disk = Disk()
    path.write_bytes(b"{")
    read_at_once = PrivateFile.read

    def read(file: PrivateFile) -> bytes | None:
        disk.sync()
        return read_at_once(file)

    with monkeypatch.context() as patch:
        patch.setattr(PrivateFile, "read", read)
        store = FileSessionStore(path)
        with anyio.fail_after(5):
            await ask_and_leave(disk, store.open)
        assert await is_locked(path)
        disk.let()
        join_writers()
    with pytest.raises(SessionUnreadable):
        await store.open()
    await store.close()


async def test_l11_detach_is_bounded_and_the_next_owner_keeps_his_file(rc, make_ext, path, disk):
    disk.let()
    ext = make_ext(session_store=FileSessionStore(path), close_timeout=0.3)
    await rc.install_extension(ext)
    await ext.subscribe(FILTERS)
    with anyio.fail_after(5):
        await ext.detach()
    assert disk.begun > 1
    assert await is_locked(path)
    disk.let(*[None] * 20)
    successor = FileSessionStore(path, wait=10)
    await successor.open()
    await successor.save(session("new"))
    await successor.close()
    join_writers()
    assert kept(path) == "new"


PROGRAM = """
import os, sys, threading, anyio
from rcex_ws import FileSessionStore
from tests_store import session

async def main(path):
    begun = threading.Event()
    store = FileSessionStore(path)
    await store.open()
    await store.save(session("1"))
    os.fsync = lambda _: (begun.set(), threading.Event().wait())
    async with anyio.create_task_group() as group:
        group.start_soon(store.save, session("2"))
        await anyio.to_thread.run_sync(begun.wait)
        group.cancel_scope.cancel()
    await store.close()

anyio.run(main, sys.argv[2], backend=sys.argv[1])
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_l11_a_disk_that_hangs_does_not_keep_the_program_from_ending(backend, path):
    code = "import importlib.util, sys\n"
    code += f"spec = importlib.util.spec_from_file_location('tests_store', {__file__!r})\n"
    code += "sys.modules['tests_store'] = module = importlib.util.module_from_spec(spec)\n"
    code += "spec.loader.exec_module(module)\n"
    subprocess.run([sys.executable, "-c", code + PROGRAM, backend, str(path)], timeout=30, check=True)
    assert kept(path) == "1"


@dataclass
class Write:
    """One that is done or to be done.

    Attributes:
        token: what will be in the file; None for no file.
        carries: the numbers of the calls whose wish it fulfils.
    """

    token: str | None
    carries: list[int]


@dataclass
class Model:
    """What is right, by bookkeeping.

    Attributes:
        writes: the one under way, and the one that waits for it.
        failed: the calls that failed.
        asked: what was asked for, by number of the call.
    """

    opened: bool = False
    content: str | None = None
    writes: list[Write] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)
    asked: list[str | None] = field(default_factory=list)
    begun: int = 0

    @property
    def locked(self) -> bool:
        return self.opened or bool(self.writes)

    def ask(self, token: str | None) -> None:
        write = Write(token, [len(self.asked)])
        self.asked.append(token)
        if len(self.writes) == 2:
            write.carries = self.writes.pop().carries + write.carries
        self.writes.append(write)
        self.begun += len(self.writes) == 1

    def let(self, *, well: bool) -> list[int]:
        write = self.writes.pop(0)
        if well:
            self.content = write.token
        else:
            self.failed.update(write.carries)
        self.begun += bool(self.writes)
        return write.carries

    @property
    def last_that_did_not_fail(self) -> str | None:
        done = [token for number, token in enumerate(self.asked) if number not in self.failed]
        return done[-1] if done else None


class Life:
    """A store, and the model beside it."""

    def __init__(self, folder: Path, disk: Disk, group: TaskGroup) -> None:
        self.path = folder / "session.json"
        self.store = FileSessionStore(self.path)
        self.disk = disk
        self.group = group
        self.model = Model()
        self.calls: list[anyio.CancelScope] = []
        self.outcomes: dict[int, str] = {}

    async def step(self, what: str) -> None:
        model = self.model
        if what in {"save", "clear"} and model.opened:
            token = f"{len(model.asked)}" if what == "save" else None
            self.calls.append(anyio.CancelScope())
            self.group.start_soon(self.call, len(model.asked), token)
            model.ask(token)
            await self.disk.until_begun(model.begun)
            await anyio.wait_all_tasks_blocked()
        elif what in {"well", "badly"} and model.writes:
            self.disk.let(None if what == "well" else FULL)
            heard = model.let(well=what == "well")
            await self.disk.until_begun(model.begun)
            while any(number not in self.outcomes for number in heard):
                await anyio.lowlevel.checkpoint()
        elif what == "abandon" and any(number not in self.outcomes for number in range(len(self.calls))):
            number = next(number for number in range(len(self.calls)) if number not in self.outcomes)
            self.calls[number].cancel()
            while number not in self.outcomes:
                await anyio.lowlevel.checkpoint()
        elif what == "close":
            await self.store.close()
            model.opened = False
        elif what == "open":
            await self.open()
        if model.locked:
            assert await is_locked(self.path)
        else:
            await until_free(self.path)
        with anyio.move_on_after(5):  # nobody hears of the end of a write that was abandoned
            while kept(self.path) != model.content:
                await anyio.sleep(0.001)
        assert kept(self.path) == model.content
        assert self.disk.begun == model.begun

    async def open(self) -> None:
        if self.model.locked:
            with pytest.raises(ConfigurationError):
                await self.store.open()
            return
        found = await self.store.open()
        assert (found and found.wsc.token) == self.model.content
        self.model.opened = True

    async def call(self, number: int, token: str | None) -> None:
        self.outcomes[number] = await self.outcome(number, token)

    async def outcome(self, number: int, token: str | None) -> str:
        with self.calls[number]:
            try:
                await (self.store.clear() if token is None else self.store.save(session(token)))
            except OSError:
                return "failed"
            return "done"
        return "abandoned"

    async def end(self, verdicts: list[str]) -> None:
        await self.step("close")
        for verdict in verdicts:
            await self.step(verdict)
        await until_free(self.path)
        assert kept(self.path) == self.model.content == self.model.last_that_did_not_fail
        for number, outcome in self.outcomes.items():
            assert outcome in {"abandoned", "failed" if number in self.model.failed else "done"}


STEPS = st.sampled_from(["save", "save", "clear", "well", "well", "badly", "abandon", "close", "open", "open"])
VERDICTS = st.lists(st.sampled_from(["well", "badly"]), min_size=2, max_size=2)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(st.lists(STEPS, max_size=25), VERDICTS)
@example(["save", "save", "abandon", "close", "open", "well", "open"], ["well", "well"])
@example(["save", "abandon", "clear", "abandon", "close"], ["well", "well"])
@settings(deadline=None, max_examples=100)
def test_l11_in_any_order_the_last_that_did_not_fail_is_in_the_file(backend, steps, verdicts):
    async def run(folder: Path, disk: Disk) -> None:
        async with anyio.create_task_group() as group:
            life = Life(folder, disk, group)
            await life.step("open")
            for step in steps:
                await life.step(step)
            await life.end(verdicts)

    unlink, disk = Path.unlink, Disk()

    def unlink_slowly(path: Path, missing_ok: bool = False) -> None:
        disk.sync()
        unlink(path, missing_ok=missing_ok)

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", disk.sync)
        patch.setattr(Path, "unlink", unlink_slowly)
        anyio.run(run, Path(folder), disk, backend=backend)
        join_writers()
