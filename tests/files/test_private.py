"""One private file: replaced atomically, synced before it is renamed, and without remains of a failure."""

from __future__ import annotations

import os
import stat

import pytest

from rcex_ws.files.private import PrivateFile


def write(path, data):
    file = PrivateFile(path, what="store")
    file.open()
    file.write(data)


def test_an_existing_open_file_becomes_private(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write(path, b"new")
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
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (steps.append(name), real(*args)))
    write(tmp_path / "file", b"new")
    assert steps == ["fsync", "replace"]


def test_a_failed_write_names_the_path_of_the_caller_alone(tmp_path):
    path = tmp_path / "folder" / "file"
    file = PrivateFile(path, what="store")
    file.open()
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        file.write(b"new")
    assert str(caught.value).endswith(f": '{path}'")


def test_a_failed_replacement_names_the_path_of_the_caller_alone(tmp_path, monkeypatch):
    path = tmp_path / "file"

    def fail(source, target):
        raise OSError(28, "No space left on device", source, None, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write(path, b"new")
    assert str(caught.value).endswith(f": '{path}'")
