"""What is closed says so: after the end every method raises an error of the tree, or is one that may be called."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws import FileSessionStore, RcexError, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway
from rcex_ws.slack import RTMClient, SQLiteDataStore
from rcex_ws.testing import FakeSlack, FaultProxy
from tests.signatures.signatures import signatures
from tests.signatures.walk import right_arguments

FILTER = "/restapi/v1.0/account/~/extension/~/message-store"

CLOSES = "closing once more does nothing"
ASKS_NOBODY = "it needs nothing that is closed"
LOOKS_BACK = "what was seen can be looked at afterwards"
FOR_THE_LIBRARY = "the library calls it"
BEGINS_ANEW = "it begins a new life"

#: What may be called after the end, and why.
MAY = {
    "RingCentral": {
        "aclose": CLOSES,
        **dict.fromkeys(("authorize_uri", "watch_session"), ASKS_NOBODY),
        **dict.fromkeys(("path", "restapi", "scim", "team_messaging", "rcvideo", "webinar"), ASKS_NOBODY),
        **dict.fromkeys(("analytics", "ai", "cx", "well_known"), ASKS_NOBODY),
    },
    "WebSocketExtension": {
        **dict.fromkeys(("aclose", "detach", "revoke"), CLOSES),
        **dict.fromkeys(("enable", "disable", "on", "on_event"), ASKS_NOBODY),
        "wait_closed": LOOKS_BACK,
        **dict.fromkeys(("handle", "install", "takes", "transport"), FOR_THE_LIBRARY),
    },
    "Subscription": {
        "revoke": CLOSES,
        **dict.fromkeys(("activate", "claim", "ignore", "run_callback", "drained", "end"), FOR_THE_LIBRARY),
    },
    "PathBuilder": dict.fromkeys(("list_all", "pages"), "it reads nothing before it is iterated"),
    "RTMClient": {"aclose": CLOSES, "on": ASKS_NOBODY, "start": BEGINS_ANEW, "wait_closed": LOOKS_BACK},
    "SQLiteDataStore": {
        "aclose": CLOSES,
        **dict.fromkeys(("register", "typing_users"), ASKS_NOBODY),
        "apply": "an event without a rule touches nothing",
    },
    "FileSessionStore": {"close": CLOSES, "open": BEGINS_ANEW},
    "Gateway": {"log": LOOKS_BACK, "near_misses": LOOKS_BACK, "watch": ASKS_NOBODY},
    "FakeSlack": {},
    "FaultProxy": {"url": ASKS_NOBODY, "retarget": ASKS_NOBODY},
}


@asynccontextmanager
async def _ringcentral(part: str) -> AsyncIterator[Any]:
    with Gateway() as gateway:
        rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
        await rc.authorize(jwt=gateway.jwt)
        ext = WebSocketExtension()
        await rc.install_extension(ext)
        subscription = await ext.subscribe([FILTER])
        await rc.aclose()
        yield {"rc": rc, "ext": ext, "subscription": subscription, "path": rc.restapi()}[part]


@asynccontextmanager
async def _slack() -> AsyncIterator[Any]:
    async with FakeSlack() as slack:
        client = RTMClient(slack.token, api_url=slack.api_url)
        await client.start()
        await client.aclose()
        yield client


@asynccontextmanager
async def _fake_slack() -> AsyncIterator[Any]:
    async with FakeSlack() as slack:
        pass
    yield slack


@asynccontextmanager
async def _sqlite(tmp_path: Path) -> AsyncIterator[Any]:
    store = SQLiteDataStore(tmp_path / "a.db")
    await store.users()
    await store.aclose()
    yield store


@asynccontextmanager
async def _session(tmp_path: Path) -> AsyncIterator[Any]:
    store = FileSessionStore(tmp_path / "session")
    await store.open()
    await store.close()
    yield store


@asynccontextmanager
async def _ended(context: Any) -> AsyncIterator[Any]:
    with context as it:
        pass
    yield it


CLOSED: dict[str, Callable[[Path], Any]] = {
    "RingCentral": lambda _: _ringcentral("rc"),
    "WebSocketExtension": lambda _: _ringcentral("ext"),
    "Subscription": lambda _: _ringcentral("subscription"),
    "PathBuilder": lambda _: _ringcentral("path"),
    "RTMClient": lambda _: _slack(),
    "SQLiteDataStore": _sqlite,
    "FileSessionStore": _session,
    "Gateway": lambda _: _ended(Gateway()),
    "FakeSlack": lambda _: _fake_slack(),
    "FaultProxy": lambda _: _ended(FaultProxy("127.0.0.1", 9)),
}


def _methods(it: object) -> list[str]:
    members = inspect.getmembers_static(type(it))
    return [name for name, member in members if inspect.isfunction(member) and not name.startswith("_")]


async def _call(it: object, name: str) -> None:
    signature = next(one for one in signatures() if one.attribute == name and isinstance(it, one.owner or ()))
    result = getattr(it, name)(**right_arguments(signature))
    if inspect.isawaitable(result):
        await result
    elif hasattr(result, "__aenter__"):
        async with result:
            pass


@pytest.mark.parametrize("kind", CLOSED)
async def test_i9_after_the_end_every_method_raises_an_error_of_the_tree(kind: str, tmp_path: Path) -> None:
    async with CLOSED[kind](tmp_path) as it:
        methods = _methods(it)
        assert set(MAY[kind]) <= set(methods)
        for name in set(methods) - set(MAY[kind]):
            with pytest.raises(RcexError), anyio.fail_after(5):
                await _call(it, name)


@pytest.mark.parametrize("kind", ["RingCentral", "WebSocketExtension", "Subscription", "RTMClient", "Gateway"])
async def test_i9_its_properties_can_be_looked_at(kind: str, tmp_path: Path) -> None:
    async with CLOSED[kind](tmp_path) as it:
        for name, member in inspect.getmembers_static(type(it)):
            if isinstance(member, property) and not name.startswith("_"):
                getattr(it, name)
        repr(it)


async def test_i9_who_iterates_a_closed_subscription_is_told(tmp_path: Path) -> None:
    async with _ringcentral("subscription") as subscription:
        assert [notification async for notification in subscription] == []
