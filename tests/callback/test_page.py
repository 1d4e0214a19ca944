"""The page docs/callback-client.md cannot go stale: its programs are run, its tables compared with the code."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from rcex_ws import RcexError
from rcex_ws import callback as names
from rcex_ws.callback import Close, Ok, Once, Reconnect, Reply, Text, WebSocketClient, WebSocketHandler
from rcex_ws.callback.handler import check_result
from rcex_ws.callback.settings import WebSocketOptions, WebSocketSettings
from rcex_ws.errors import ConnectFailed
from rcex_ws.testing import WebSocketClientStub

PAGE = (Path(__file__).parents[2] / "docs/callback-client.md").read_text()
PROGRAM, RETRYABLE, START, TESTS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PRINTED,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RESULTS = {
    "Ok": Ok(1),
    "Once": Once(1),
    "Reconnect": Reconnect(1),
    "Reply": Reply(Text("x"), 1),
    "Close": Close("x", 1),
}
GIVING = ("init", "onconnect", "ondisconnect", "websocket_handle", "websocket_info")


def table(first_column: str) -> list[list[str]]:
    """Give the rows of the table with this heading over its first column, without backticks."""
    found = re.search(rf"^\| {first_column} \|.*\n\|[- |]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE)
    assert found, first_column
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split(" | ")] for row in found[1].splitlines()]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-W", "error", *arguments)
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_program_prints_what_the_page_says(tmp_path: Path, backend: str) -> None:
    code = PROGRAM.replace("anyio.run(main)", f"anyio.run(main, backend={backend!r})")
    assert code != PROGRAM
    (tmp_path / "talker.py").write_text(code)
    ended = run("talker.py", cwd=tmp_path)
    assert ended.stdout == PRINTED, ended.stderr
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text(PROGRAM)
    (tmp_path / "test_talker.py").write_text(TESTS)
    ended = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_talker.py", cwd=tmp_path)
    assert "4 passed" in ended.stdout.splitlines()[-1], ended.stdout + ended.stderr


def test_the_tests_of_the_page_can_fail(tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text(PROGRAM.replace("words = words[1:]", "words = words[2:]"))
    (tmp_path / "test_talker.py").write_text(TESTS)
    ended = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_talker.py", cwd=tmp_path)
    assert "2 failed, 2 passed" in ended.stdout.splitlines()[-1], ended.stdout + ended.stderr


async def test_the_fragment_that_starts_a_client(peer: Any) -> None:
    informed: list[object] = []

    class Talker(WebSocketHandler[list[str]]):
        def websocket_info(self, message: object, ref: int | None, state: list[str]) -> type[Ok[Any]]:
            informed.append(message)
            return Ok

    scope: dict[str, Any] = {"url": peer.url, "Talker": Talker, "WebSocketClient": WebSocketClient}
    exec("import anyio\nasync def fragment():\n" + textwrap.indent(START, "    "), scope)
    await scope["fragment"]()
    assert informed == ["anything"]


def test_the_fragment_that_looks_at_retryable() -> None:
    scope: dict[str, Any] = {"RcexError": RcexError, "Close": Close, "Reconnect": Reconnect}
    exec(RETRYABLE, scope)
    never = ConnectFailed("a bad address", retryable=False)
    assert scope["ondisconnect"](None, never, 1) == Close(never, 1)
    for reason in ("remote", ConnectFailed("nobody")):
        assert scope["ondisconnect"](None, reason, 1) == Reconnect(1)


def test_the_api_page_has_every_name() -> None:
    api = (Path(__file__).parents[2] / "docs/api-callback.md").read_text()
    told = re.findall(r"^\.\. (?:auto\w+|py:data):: rcex_ws\.callback\.(\w+)$", api, re.MULTILINE)
    assert sorted(told) == sorted(names.__all__)


def test_the_table_of_callbacks() -> None:
    rows = {row[0]: row for row in table("callback")}
    methods = {name: method for name, method in vars(WebSocketHandler).items() if inspect.isfunction(method)}
    signatures = {
        name: f"{name}({', '.join([*inspect.signature(method).parameters][1:])})" for name, method in methods.items()
    }
    assert list(rows) == list(signatures.values())
    for callback in GIVING:
        told = set(rows[signatures[callback]][2].split(", "))
        assert told <= set(RESULTS)
        for name, result in RESULTS.items():
            if name in told:
                assert check_result(callback, result) is result
            else:
                with pytest.raises(TypeError):
                    check_result(callback, result)


def test_the_table_of_results_has_each_where_it_may_come_from() -> None:
    told: dict[str, set[str]] = {name: set() for name in RESULTS}
    rows = table("result")
    last: set[str] = set()
    for result, where, _ in rows:
        match where:
            case "all but ondisconnect":
                last = set(GIVING) - {"ondisconnect"}
            case "all":
                last = set(GIVING)
            case "these three":
                pass  # of the row before
            case _:
                last = set(where.split(", "))
        told[re.findall(r"\w+", result)[0]] |= last
    for callback in GIVING:
        for name, result in RESULTS.items():
            if callback in told[name]:
                check_result(callback, result)
            else:
                with pytest.raises(TypeError):
                    check_result(callback, result)


def test_the_reasons_are_spelt_as_in_the_code() -> None:
    for name, value in re.findall(r'`([A-Z_]+)` \("(\w+)"\)', PAGE):
        assert getattr(names, name) == value
    assert {name for name, _ in re.findall(r'`([A-Z_]+)` \("(\w+)"\)', PAGE)} == {
        "NORMAL",
        "REMOTE",
        "KEEPALIVE_TIMEOUT",
    }


def test_the_table_of_options_is_complete_and_its_defaults_are_true() -> None:
    listed = {name: default for name, default, _ in table("option")}
    assert set(listed) == {"keepalive", *WebSocketOptions.__annotations__}
    fields = {field.name: field for field in dataclasses.fields(WebSocketSettings)}
    for name, told in listed.items():
        field = fields[name]
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if name == "keepalive":  # the settings have no default of their own
            default = inspect.signature(WebSocketClient.run).parameters[name].default
        assert told == (default.__name__ if callable(default) else repr(default)), name


def test_the_table_of_the_stub_names_what_it_has() -> None:
    stub = WebSocketClientStub()
    for cell, _ in table("of the stub"):
        for name in re.findall(r"(?<![\w=(])[a-z]\w*(?=[,(]|$)", cell):
            assert hasattr(type(stub), name) or name in vars(stub), name
    signature = inspect.signature(WebSocketClientStub.disconnect)
    assert {name: parameter.default for name, parameter in signature.parameters.items() if name != "self"} == {
        "reason": names.REMOTE,
        "delay": 0.0,
    }
