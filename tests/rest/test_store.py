"""The token file: private, atomic, and honest about a corrupt one."""

from __future__ import annotations

import logging
import os
import stat

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest import FileTokenStore
from rcex_ws.rest.files import write_private


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


def test_an_existing_open_file_becomes_private(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (steps.append(name), real(*args)))
    write_private(tmp_path / "file", b"new")
    assert steps == ["fsync", "replace"]
