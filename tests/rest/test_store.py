"""The token file: private, atomic, honest about a corrupt one, and no hindrance on a slow disk."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
from functools import partial
from types import SimpleNamespace

import anyio
import anyio.to_thread
import msgspec
import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest import FileTokenStore


async def test_round_trip(tmp_path, token):
    store = FileTokenStore(tmp_path / "new" / "token.json")
    assert await store.load() is None
    await store.save(token)
    assert await store.load() == token
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    await store.clear()
    await store.clear()
    assert await store.load() is None
    assert list(store.path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b'{"access_token": "SECR', b'{"access_token": 1}', b"\xff\xfe", b"[]"])
async def test_a_corrupt_file_is_reported_and_set_aside(tmp_path, content, caplog):
    path = tmp_path / "token.json"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "rcex_ws.rest"):
        assert await FileTokenStore(path).load() is None
    assert str(path) in caplog.text
    assert "SECR" not in caplog.text
    assert (tmp_path / "token.json.bad").read_bytes() == content
    assert not path.exists()


async def test_a_folder_is_told_clearly(tmp_path, make_client):
    rc = make_client(token_store=FileTokenStore(tmp_path))
    with pytest.raises(ConfigurationError, match=f"token_store: {tmp_path} is a folder, expected a file"):
        await rc.authorize(jwt="JWT")


@pytest.fixture
def slow(monkeypatch):
    """Hold up `os.fsync`; its thread is a real one. Set `go_on` to end that."""
    begun, go_on = threading.Event(), threading.Event()

    def fsync(_):
        begun.set()
        assert go_on.wait(30)

    monkeypatch.setattr(os, "fsync", fsync)
    yield SimpleNamespace(begun=begun, go_on=go_on)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("token store"):
            thread.join(10)
            assert not thread.is_alive()


async def leave(slow, call):
    """Make a call, and cancel it when it is being written."""
    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await anyio.to_thread.run_sync(slow.begun.wait, 10)
        group.cancel_scope.cancel()


async def test_l11_a_slow_write_is_left_at_once_and_undoes_nothing_newer(tmp_path, token, slow):
    path = tmp_path / "token.json"
    newer = msgspec.structs.replace(token, access_token="NEWER")
    with anyio.fail_after(5):
        await leave(slow, partial(FileTokenStore(path).save, token))
    second = FileTokenStore(path)  # of the next client
    async with anyio.create_task_group() as group:
        group.start_soon(second.save, newer)
        await anyio.wait_all_tasks_blocked()
        slow.go_on.set()
    assert await second.load() == newer


async def test_l11_closing_a_client_does_not_wait_for_the_token_file(make_client, grants, tmp_path, slow):
    store = FileTokenStore(tmp_path / "token.json")
    rc = make_client(token_store=store)
    with anyio.fail_after(5):
        await leave(slow, partial(rc.authorize, jwt="JWT"))
        await rc.aclose()
    slow.go_on.set()
    assert (await store.load()).access_token == "ACCESS-1"  # the spent one is not what stays


async def test_l11_a_store_that_was_cancelled_is_called_once_more(make_client, grants):
    begun, saved = anyio.Event(), []

    class Remote:
        async def load(self):
            return None

        async def save(self, token):
            begun.set()
            await anyio.sleep(0.01)
            saved.append(token.access_token)

        async def clear(self):
            raise AssertionError

    rc = make_client(token_store=Remote())
    async with anyio.create_task_group() as group:
        group.start_soon(partial(rc.authorize, jwt="JWT"))
        await begun.wait()
        group.cancel_scope.cancel()
    assert saved == ["ACCESS-1"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_l11_a_forked_child_does_not_wait_for_its_parents_thread(tmp_path):
    program = """
import os, sys, threading, anyio
from rcex_ws import FileTokenStore, Token

store = FileTokenStore(sys.argv[1])
begun, go_on = threading.Event(), threading.Event()
fsync, os.fsync = os.fsync, lambda _: (begun.set(), go_on.wait())

async def parent():
    async with anyio.create_task_group() as group:
        group.start_soon(store.save, Token(access_token="PARENT", expires_at=1.0))
        await anyio.to_thread.run_sync(begun.wait)
        group.cancel_scope.cancel()

anyio.run(parent)
child = os.fork()
if child == 0:
    os.fsync = fsync
    anyio.run(store.save, Token(access_token="CHILD", expires_at=1.0))
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    path = tmp_path / "token.json"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(path)], timeout=30, check=True)
    assert "CHILD" in path.read_text()
