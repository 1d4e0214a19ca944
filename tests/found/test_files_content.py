"""What the file of a store can hold that it should not: nonsense that is JSON, the other store's state, anything large.

And that nobody is shown what it holds.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import time
import traceback
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rcex_ws import ConfigurationError, FileSessionStore, SessionUnreadable
from tests.found.stores import KINDS, Kind, TokenKind, bad, session

SECRET = "SECRET"


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


# -- F5: nonsense that is JSON -----------------------------------------------------------------------------------------

DEEP: Any = json.loads("[" * 200 + "]" * 200)
YEAR = 365 * 86400.0

ABSURD_SESSIONS: dict[str, dict[str, Any]] = {
    "before all time": {"unfinished": {"since": -1e18}},
    "after all time": {"unfinished": {"since": 1e18}},
    "in the far future": {"unfinished": {"since": time.time() + 1000 * YEAR}},
    "a doubt before all time": {"subscription": {"doubt": {"since": -1e18}}},
    "a doubt in the far future": {"subscription": {"doubt": {"since": time.time() + 1000 * YEAR}}},
    "negative": {"recoveryTimeout": -1},
    "endless": {"recoveryTimeout": 1e300},
    "deep": {"subscription": {"info": {"id": "1", "deliveryMode": {"x": DEEP}}}},
}
ABSURD_TOKENS: dict[str, dict[str, Any]] = {
    "before all time": {"expires_at": -1e18},
    "after all time": {"expires_at": 1e300},
    "refresh before all time": {"refresh_expires_at": -1e18},
    "negative": {"lifetime": -1},
    "endless": {"lifetime": 1e300},
    "deep": {"x": DEEP},
    "bottomless": {"x": 0},
}


def _merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for name, change in changes.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, change) if isinstance(inner, dict) and isinstance(change, dict) else change
    return merged


def _absurd(kind: Kind, changes: dict[str, Any]) -> bytes:
    content = json.dumps(_merged(json.loads(kind.content(SECRET)), changes)).encode()
    return content.replace(b'"x": 0', b'"x": ' + b"[" * 100_000 + b"]" * 100_000)


CASES = [(KINDS[0], case) for case in ABSURD_TOKENS.values()] + [(KINDS[1], case) for case in ABSURD_SESSIONS.values()]
NAMES = [f"token {name}" for name in ABSURD_TOKENS] + [f"session {name}" for name in ABSURD_SESSIONS]


@pytest.mark.parametrize(("kind", "changes"), CASES, ids=NAMES)
async def test_f5_absurd_values_are_set_aside_and_told_once(
    kind: Kind, changes: dict[str, Any], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = _absurd(kind, changes)
    path.write_bytes(content)
    assert await kind.is_unreadable(path)
    assert bad(path).read_bytes() == content
    assert SECRET not in caplog.text
    await kind.keep_over(path, "new")
    assert await kind.kept(path) == "new"


async def test_f5_a_file_of_any_size_is_not_read_into_memory(kind: Kind, path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**32)  # it takes no space
    os.truncate(path, 2**28)
    tracemalloc.start()
    try:
        assert await kind.is_unreadable(path)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert bad(path).stat().st_size == 2**28


@pytest.mark.parametrize(
    ("kind", "other", "named"),
    [(KINDS[0], KINDS[1], "a WebSocket session"), (KINDS[1], KINDS[0], "an OAuth token")],
    ids=["token", "session"],
)
async def test_f5_the_file_of_the_other_store_is_named_and_left_alone(
    kind: Kind, other: Kind, named: str, path: Path
) -> None:
    await other.keep(path, SECRET)
    content = path.read_bytes()
    for call in (kind.kept, partial(kind.keep, secret="mine"), kind.forget):
        with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} holds {named}.*its own file") as caught:
            await call(path)
        assert SECRET not in str(caught.value)
        assert path.read_bytes() == content
    assert not bad(path).exists()
    assert await other.kept(path) == SECRET


async def test_f5_what_the_other_store_writes_later_is_left_alone_too(path: Path) -> None:
    store = FileSessionStore(path)
    await store.open()  # nothing is there yet
    await TokenKind().keep(path, SECRET)
    for call in (partial(store.save, session("mine")), store.clear):
        with pytest.raises(ConfigurationError, match="holds an OAuth token"):
            await call()
    await store.close()
    assert await TokenKind().kept(path) == SECRET


async def test_f5_a_database_is_left_alone_too(kind: Kind, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(ConfigurationError, match=f"{kind.name}: {path} holds an SQLite database"):
        await kind.kept(path)
    assert not bad(path).exists()


# -- F7: what is said of a failure -------------------------------------------------------------------------------------


async def test_f7_no_traceback_shows_what_could_not_be_written(
    kind: Kind, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left") as caught:
        await kind.keep(path, SECRET)
    own = [frame for frame in _frames(caught.value) if "rcex_ws" in frame.filename and "tests" not in frame.filename]
    assert len(own) >= 5
    assert SECRET not in str([frame.locals for frame in own])


@pytest.mark.parametrize("content", ["other", "deep", "half"])
async def test_f5_no_traceback_shows_what_could_not_be_read(kind: Kind, path: Path, content: str) -> None:
    other = next(one for one in KINDS if one is not kind)
    path.write_bytes(
        other.content(SECRET)
        if content == "other"
        else _absurd(kind, {"x": DEEP})
        if content == "deep"
        else kind.content(SECRET)[:-1]
    )
    try:
        await kind.kept(path)
    except (ConfigurationError, SessionUnreadable) as exc:
        own = [frame for frame in _frames(exc) if "rcex_ws" in frame.filename and "tests" not in frame.filename]
        assert len(own) >= 3
        assert SECRET not in str([frame.locals for frame in own])
    else:
        assert isinstance(kind, TokenKind)
        assert content != "other"


def _frames(error: BaseException) -> traceback.StackSummary:
    return traceback.TracebackException.from_exception(error, capture_locals=True).stack
