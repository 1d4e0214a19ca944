"""The page docs/feedme.md cannot go stale: its programs run, its tables match the code."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from rcex_ws import feedme
from rcex_ws.feedme import Dialect, Events, Feed, FeedEvents, FeedmeClient, FeedmeServer, LiveFeed, ServerEvents
from tests.under_uvicorn import under_uvicorn

PAGE = (Path(__file__).parents[2] / "docs/feedme.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(SAMPLE,) = (program for program in PROGRAMS if "SomeFeed" in program)
PRINTING = re.findall(r"^```python\n((?:(?!```).*\n)+)```\n\n```text\n((?:(?!```).*\n)+)```$", PAGE, re.MULTILINE)
CODES = {
    one.code
    for one in vars(feedme).values()
    if isinstance(one, type) and issubclass(one, feedme.FeedmeError) and one is not feedme.FeedmeError
}


def section(heading: str) -> str:
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def rows(heading: str) -> list[list[str]]:
    lines = [line for line in section(heading).splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]


@pytest.mark.parametrize(("program", "printed"), PRINTING, ids=["first", "authentication", "testing"])
def test_a_program_prints_what_the_page_says(program: str, printed: str) -> None:
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ran.stderr == ""
    assert ran.stdout == printed


async def test_the_sample_program_of_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    printed = ""

    async def until(text: str) -> None:
        nonlocal printed
        with anyio.fail_after(5):
            while text not in printed:
                await anyio.sleep(0.002)
                printed += capsys.readouterr().out

    async with FeedmeServer() as server, anyio.create_task_group() as tasks:
        feed = server.live_feed("SomeFeed", {"SomeArgument": "SomeValue"}, {"n": 1})

        @server.action("SomeAction")
        def act(_: Any, args: Any) -> Any:
            return args

        scope: dict[str, Any] = {"__name__": "sample"}
        exec(SAMPLE, scope)
        tasks.start_soon(scope["main"], server.url)
        await until("is now open")
        await until("succeeded")
        with feed.change("SomethingHappened") as draft:
            draft["n"] = 2
        await until("Observed")
        feed.terminate("OVER")
        await until("OVER")
        server.clients[0].disconnect()
        await until("Disconnected")
        tasks.cancel_scope.cancel()
    lines = [
        line.replace("Disconnected from the server with error: ", "Disconnected: ") for line in printed.splitlines()
    ]
    opening = lines.index("Opening feed...")
    assert lines[:opening] == [
        "Feed closed with error NOT_CONNECTED: the client is not connected",
        "Connecting to the server...",
        "Connected.",
    ]
    assert sorted(lines[opening:-4]) == [
        "Feed is now open. The feed data is: {'n': 1}",
        "Opening feed...",
        "The action succeeded with data: {'SomeArgument': 'SomeValue'}",
    ]
    assert lines[-4:] == [
        "Observed an action on the feed: SomethingHappened",
        "Feed closed with error TERMINATED: the server closed the feed with the error 'OVER'",
        "Feed closed with error NOT_CONNECTED: the connection was lost",
        "Disconnected: TRANSPORT_FAILURE: the connection was lost: closed 1000",
    ]


async def test_the_mounted_server_serves_clients() -> None:
    (program,) = (program for program in PROGRAMS if "Starlette" in program)
    scope: dict[str, Any] = {}
    exec(program, scope)
    with under_uvicorn(scope["app"]) as address:
        async with FeedmeClient(f"ws://{address}/feedme") as client, client.feed("Board", {"game": "1"}) as board:
            assert board.data == {"log": []}


def names(heading: str, owners: dict[str, type], others: set[str]) -> set[str]:
    """Return what stands in the second column; each must be an attribute of its owner, or one of the others."""
    found: set[str] = set()
    for _, ours, *_ in rows(heading):
        for text in re.findall(r"`([^`]+)`", ours):
            match = re.match(r"@?(?:async for ?|async with |await )?(?:([A-Za-z]+)\.)?(\w*)", text)
            assert match is not None
            owner, name = match.groups()
            assert hasattr(owners[owner], name) if owner in owners else name in others, text
            found.add(name)
    return found


def test_the_table_of_the_client_names_what_there_is() -> None:
    options = set(inspect.signature(FeedmeClient).parameters)
    events = {*Events, *FeedEvents}
    owners = {"client": FeedmeClient, "feed": Feed, "Transport": feedme.Transport}
    attributes_of_errors = {
        name for name in section("Names of the JavaScript client").split("`") if name[:6] == "error."
    }
    others = (
        options
        | events
        | set(feedme.__all__)
        | {name.partition(".")[2] for name in attributes_of_errors}
        | {""}
        | CODES
        | {"on"}
    )
    found = names("Names of the JavaScript client", owners, others)
    public = {name for name in (*vars(FeedmeClient), *vars(Feed)) if not name.startswith("_")}
    assert public - {"open_socket"} | events | options - NOT_OF_THE_ORIGINAL <= found
    for name in attributes_of_errors - {"error.code"}:
        assert name.partition(".")[2] in inspect.getsource(feedme.errors), name


#: Options that the original has not.
NOT_OF_THE_ORIGINAL = {
    "url",
    "open_timeout",
    "headers",
    "proxy",
    "ssl_context",
    "heartbeat_interval",
    "heartbeat_timeout",
    "close_timeout",
    "max_size",
    "max_pending",
    "max_pending_bytes",
    "trace",
}


def test_the_table_of_the_server_names_what_there_is() -> None:
    owners = {"server": FeedmeServer, "client": feedme.ConnectedClient, "LiveFeed": LiveFeed}
    others = set(inspect.signature(FeedmeServer).parameters) | set(ServerEvents) | set(feedme.__all__) | {"server"}
    found = names("Names of the JavaScript server", owners, others | {""})
    public = {name for name in (*vars(FeedmeServer), *vars(LiveFeed)) if not name.startswith("_")}
    assert public - {"open_response"} | set(ServerEvents) <= found


def test_the_page_names_every_dialect() -> None:
    assert {ours.split(",")[0].strip('`"') for ours, *_ in rows("Dialects")} == set(Dialect)


def test_codes_on_the_page_are_those_of_errors() -> None:
    assert set(re.findall(r"close\(([A-Z_]+)\)", PAGE)) <= CODES
