"""The page docs/rtm.md cannot go stale: its programs run, its tables match the code."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.errors import RequestLost
from rcex_ws.rtm import RtmClient, RtmEvents, frames
from rcex_ws.rtm.server import RtmServer, RtmServerEvents, close_codes
from tests.under_uvicorn import under_uvicorn

PAGE = (Path(__file__).parents[2] / "docs/rtm.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTING = re.findall(r"^```python\n((?:(?!```).*\n)+)```\n\n```text\n((?:(?!```).*\n)+)```$", PAGE, re.MULTILINE)


def section(heading: str) -> str:
    found = re.search(rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def rows(heading: str) -> list[list[str]]:
    lines = [line for line in section(heading).splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]


def options(owner: type) -> set[str]:
    return set(inspect.signature(owner).parameters)


def test_a_program_prints_what_the_page_says() -> None:
    ((program, printed),) = PRINTING
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ran.stderr, sorted(ran.stdout.splitlines())) == ("", sorted(printed.splitlines()))


async def test_the_mounted_server_serves_clients() -> None:
    (program,) = (program for program in PROGRAMS if "Starlette" in program)
    scope: dict[str, Any] = {}
    exec(program, scope)
    with under_uvicorn(scope["app"]) as address:
        async with RtmClient(f"ws://{address}/rtm") as client:
            assert await client.call_wait("add", 1, 2) == 3


async def test_a_mounted_server_keeps_its_bound_for_messages_though_another_reads_them() -> None:
    (program,) = (program for program in PROGRAMS if "Starlette" in program)
    scope: dict[str, Any] = {}
    exec(program.replace("RtmServer()", "RtmServer(max_size=1000)"), scope)
    codes: list[int | None] = []
    with under_uvicorn(scope["app"]) as address:
        client = RtmClient(f"ws://{address}/rtm", reconnect=False)
        client.on(RtmEvents.CLOSE, lambda loss: codes.append(loss.code))
        async with client:
            with pytest.raises(RequestLost):
                await client.call_wait("add", "a", "b" * 1000, timeout=5)
    assert codes == [1009]


async def test_the_test_of_an_application_passes() -> None:
    (program,) = (program for program in PROGRAMS if "MemoryHub" in program)
    scope: dict[str, Any] = {}
    exec(program, scope)
    await scope["test_a_user_is_reached_from_the_other_server"]()


def test_all_events_have_a_row() -> None:
    client = {row[0].strip("`") for row in rows("The client") if row[0].startswith("`")}
    assert client == {str(event) for event in RtmEvents}
    server = {row[0].strip("`") for row in rows("The server") if row[0].startswith("`")}
    assert {str(event) for event in RtmServerEvents} <= server


def test_all_close_codes_have_a_row() -> None:
    codes = {int(row[0]) for row in rows("The client") if row[0].isdigit()}
    names = ("MOVED", "TOO_SLOW", "NOT_AUTHENTICATED", "TAKEN_OVER", "TOO_MANY", "TOO_LARGE")
    ours = {getattr(close_codes, name) for name in names}
    assert codes == ours | {1011}


def test_all_reserved_names_have_a_row() -> None:
    named = set(re.findall(r"`(rtm:\w+)`", section("How it works")))
    assert named == {frames.SESSION_EVENT, frames.GAP_EVENT, frames.PUBLISH, frames.UNSUBSCRIBE}


@pytest.mark.parametrize(("heading", "owner"), [("Client", RtmClient), ("Server", RtmServer)])
def test_every_name_of_ours_in_the_table_exists(heading: str, owner: type) -> None:
    known = options(owner) | {name for name in dir(owner) if not name.startswith("_")}
    events = {str(event) for event in (*RtmEvents, *RtmServerEvents)}
    for _, ours, *_ in rows(heading):
        for text in re.findall(r"(?<!})`([^`]+)`", ours):
            if (event := re.match(r'on\("(\w+)"\)', text)) is not None:
                assert event[1] in events, text
                continue
            if text != "async with":
                name = re.match(r"(?:async with |await )?(?:client\.|server\.)?(\w+)", text)
                assert name is not None, text
                assert name[1] in known | {owner.__name__, "RemoteClient", "client", "server"}, text


def test_every_option_and_method_of_the_original_has_a_row() -> None:
    told = " ".join(row[0] for row in [*rows("Client"), *rows("Server")])
    members = (
        "authenticationData reconnectDelayMs onAuthenticating onOpen onClose onError onReconnecting onMessage "
        "Socket InvokeQueue MessageQueue Options Subscriptions Address Authenticated CallWait Call Subscribe "
        "SubscribePush Close createClient authenticate callWait isAuthenticated enableMessageQueue "
        "port authHandler onAuthTimeout Start Register RtmRemoteClient Emit Publish"
    )
    assert [name for name in members.split() if name not in told] == []
