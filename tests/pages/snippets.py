"""What becomes of each block of Python or shell of the pages that have no test of their own.

A block is named by its page and heading, with a number if it is not the first one there.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Runs(NamedTuple):
    """A program: run against a local RingCentral, on asyncio and on trio if it says where it starts.

    Args:
        prints: what it has to print, a regular expression.
        before: code ahead of it.
        after: code behind it.
        commands: what is done at the gateway once the program has subscribed: methods and their arguments. The program
            then need not end.
    """

    prints: str
    before: str = ""
    after: str = ""
    commands: tuple[tuple[str, dict[str, Any]], ...] = ()


class Passes(NamedTuple):
    """A file of tests for pytest, with so many that pass."""

    count: int


class Commands(NamedTuple):
    """Commands of curl for a gateway; each is answered as a success."""

    nodes: int = 1


class Starts(NamedTuple):
    """Commands that start a gateway in the clone; the program that comes next on the page then runs there."""

    prints: str


class NotRun(NamedTuple):
    """Only read: it has to be Python, or a command, and has no more to show."""

    why: str


LISTENER_RUNS = """
import anyio

async def on_post(post):
    print(post["eventType"], post["text"])

anyio.run(Listener(on_post, print).run)
"""
ORACLE = "takes minutes; `make check` runs the oracle by the same programs"

HOW: dict[str, Runs | Passes | Commands | Starts | NotRun] = {
    "bots: A handler for each kind of event": Runs(
        r"a text from \+16505550199 - hi", commands=(("receive_sms", {"text": "hi"}),)
    ),
    "bots: Waiting for one event": NotRun(
        "goes on from the program above it; tests/wsg/test_event_methods.py waits so"
    ),
    "core-clients: The official Python SDK": NotRun("tests/peers/test_python_sdk.py runs it beside the official SDK"),
    "core-clients: The official Python SDK 2": NotRun("one line; the vault is the reader's"),
    "core-clients: A client of one's own": NotRun("two lines of demo/own_client.py, which tests/demo runs"),
    "dependencies: Another HTTP client": NotRun("tests/rest/test_https_httpx2.py runs the client so"),
    "errors: Errors": Runs(r"^404 CMN-102 Resource for parameter \[extensionId\] is not found"),
    "events: Events": Runs(
        r"ready: .*\nlost: dropped by abort\(\)[\s\S]*read again what changed[\s\S]*Outcome.RECOVERED"
    ),
    "events: Gaps": Runs(
        r"message \d+", commands=(("receive_sms", {"text": "hi"}), ("fail_recovery", {}), ("cut", {}))
    ),
    "faults: Faults on command": Commands(),
    "faults: In Python": Runs(r"^certainly missing: session not recovered: refused \(WSG-1003\)$"),
    "gateway: From the shell": NotRun(
        "runs until it is stopped; tests/gateway/test_main.py starts it with its options"
    ),
    "gateway: In a container": NotRun("needs Docker"),
    "gateway: Several nodes": Commands(nodes=2),
    "gateway: Several nodes 2": Runs("^$", before="from rcex_ws.gateway import Gateway\n"),
    "gateway: Near misses": Commands(),
    "gateway: Messages": Commands(),
    "gateway: Phone calls and presence": Commands(),
    "gateway: Team messaging": Commands(),
    "gateway: Where it is like RingCentral": Commands(),
    "install: Installation": NotRun("tests/package installs what is built into a clean environment"),
    "migration: From a WebSocket loop of your own": Runs(
        "^PostAdded hi$",
        after=LISTENER_RUNS,
        commands=(("receive_post", {"text": "hi"}),),
    ),
    "oracle: Simulated hours": NotRun(ORACLE),
    "oracle: Simulated hours 2": NotRun(ORACLE),
    "oracle: Real processes": NotRun(ORACLE),
    "oracle: Slack and the callback client": NotRun(ORACLE),
    "oracle: RTM: servers, clients and a Redis": NotRun(ORACLE),
    "performance: Performance": NotRun("takes ten minutes; tests/benchmarks runs each benchmark for a moment"),
    "performance: Performance 2": NotRun("tests/benchmarks runs each benchmark for a moment"),
    "restart: Surviving a restart": Runs("^(None|Outcome.RECOVERED)"),
    "restart: Starting while the server is down": Runs("^ready connected$"),
    "scaling: RTM on many machines": NotRun("needs a Redis with TLS at that address"),
    "service: A service": NotRun("the credential is the reader's; tests/demo/test_service.py runs the same program"),
    "subscribing: Subscribing": Starts(r"'newMessageIds': \[\d+\]"),
    "subscribing: Subscribing 2": Runs(r"'newMessageIds': \[\d+\]"),
    "testing: With the fixtures": Passes(6),
    "testing: Three minutes in no time": Passes(2),
}
