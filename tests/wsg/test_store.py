"""The file of a session: what is said when it cannot be read, and that no write goes astray on a slow disk."""

from __future__ import annotations

import os
import traceback

import pytest

from rcex_ws import ConfigurationError, FileSessionStore, SessionUnreadable

SECRET = "c2VjcmV0"

UNREADABLE = {
    "empty": b"",
    "truncated": b'{"wsc":{"token":"%s","sequ' % SECRET.encode(),
    "foreign": b'{"wsc":"%s"}' % SECRET.encode(),
    "no text": b'{"wsc":{"token":"%s\xff"}}' % SECRET.encode(),
    "zeros": bytes(4096),
    "deep": b'{"x":' + b"[" * 100_000,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session.json"


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_l13_an_unreadable_file_is_an_error_that_leaves_the_store_taken(path, content):
    path.write_bytes(content)
    store = FileSessionStore(path)
    with pytest.raises(SessionUnreadable) as caught:
        await store.open()
    assert path.with_name("session.json.bad").read_bytes() == content
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigurationError, match="in use by another process"):
        await FileSessionStore(path).open()
    await store.close()


async def test_l13_who_is_killed_before_the_next_save_hears_it_again(path):
    path.write_bytes(b"{")
    for _ in range(2):
        store = FileSessionStore(path)
        with pytest.raises(SessionUnreadable):
            await store.open()
        await store.close()  # as the system does for a process that dies


async def test_l13_the_disk_is_full_or_read_only(path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    path.write_bytes(b"{")
    store = FileSessionStore(path)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(SessionUnreadable, match="could not be kept") as caught:
        await store.open()
    assert isinstance(caught.value.__cause__, OSError)
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="in use by another process"):
        await FileSessionStore(path).open()
    await store.close()
