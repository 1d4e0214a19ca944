"""The gateway beside the API reference, as the npm package `@rc-ex/core` has it: its types are generated from it.

Each operation needs the permission, and is in the rate group, that the reference names, and what it answers has members
of the types that the reference names: an id is a number in one place and a text in another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rcex_ws.gateway.limits import group_of
from tests.gateway.api.conftest import Person, ada, app, bob, gateway_options, runner
from tests.gateway.api.declared import OPERATIONS

__all__ = ["ada", "app", "bob", "gateway_options", "runner"]

REFERENCE = Path(__file__).with_name("node") / "node_modules" / "@rc-ex" / "core" / "dist"
ACCOUNT = "/restapi/v1.0/account/~"
EXTENSION = f"{ACCOUNT}/extension/~"
TEAM = "/team-messaging/v1"
OTHERWISE = {
    ("POST", "/restapi/oauth/wstoken"): "RingCentral's guide and the reference name the permission differently",
    ("GET", "/restapi"): "unlimited there; here each answer has the headers of a limit",
    ("GET", "/restapi/v1.0"): "unlimited there; here each answer has the headers of a limit",
}
FAITHFUL = {
    "AdaptiveCardInfo": "the card as it was made, of which the reference names the outermost members",
    "ApiVersionInfo": "the reference has the answer of another path",
    "TMEventInfo": "the reference has one event where a list is answered",
}


class Documented(NamedTuple):
    """One operation of the reference."""

    method: str
    path: re.Pattern[str]
    answer: str
    permission: str | None
    group: str


@pytest.fixture(autouse=True)
def _needs_the_package(need) -> None:
    need(REFERENCE.is_dir(), "the npm package @rc-ex/core is not installed (tests/peers/setup.sh)")


@cache
def reference() -> list[Documented]:
    found = []
    for file in sorted((REFERENCE / "paths").rglob("index.d.mts")):
        about = r"HTTP Method: (\w+)\s+\* Endpoint: (\S+)((?:(?!\*/).)*)\*/\s+\w+\([^;]*?\): Promise<(.*?)>;"
        for one in re.finditer(about, file.read_text(), re.DOTALL):
            permission = re.search(r"App Permission: (\S+)", one[3])
            group = re.search(r"Rate Limit Group: (\S+)", one[3])
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one[2])))
            found.append(
                Documented(one[1].upper(), pattern, one[4], permission and permission[1], group[1] if group else "")
            )
    return found


def documented(method: str, path: str) -> Documented | None:
    """Return what the reference says of an operation, the path with the fewest parameters first."""
    found = [one for one in reference() if one.method == method and one.path.fullmatch(path)]
    return min(found, key=lambda one: one.path.pattern.count("[^/]+"), default=None)


@cache
def members(name: str) -> dict[str, str] | None:
    """Return the members of a definition with their types; None for one without."""
    text = re.sub(r"/\*\*.*?\*/", "", (REFERENCE / "definitions" / f"{name}.d.mts").read_text(), flags=re.DOTALL)
    body = re.search(r"interface \w+ \{(.*?)\n\}", text, re.DOTALL)
    return (
        None if body is None else dict(re.findall(r"^  ['\"]?([\w.$-]+)['\"]?\??: (.*?);\s*$", body[1], re.MULTILINE))
    )


def complaints(kind: str, value: Any, where: str) -> Iterator[str]:
    """Yield where a value is not of a type; members that the reference does not name are no fault, nor is null."""
    basic = {"string": str, "number": (int, float), "boolean": bool}
    choices = re.findall(r'"(.*?)"', kind) if re.fullmatch(r'".*?"( \| ".*?")*', kind) else []
    if value is None:
        return
    if kind in basic:
        if not isinstance(value, basic[kind]) or (kind == "number" and isinstance(value, bool)):
            yield f"{where}: {value!r} is no {kind}"
    elif choices:
        if value not in choices:
            yield f"{where}: {value!r} is none of {choices[:9]}"
    elif kind.endswith("[]"):
        if not isinstance(value, list):
            yield f"{where}: {value!r} is no {kind}"
        else:
            for item in value:
                yield from complaints(kind.removesuffix("[]").strip("()"), item, f"{where}[]")
    elif (REFERENCE / "definitions" / f"{kind}.d.mts").is_file() and kind not in FAITHFUL:
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no {kind}"
            return
        known = members(kind) or {}
        for name in value.keys() & known.keys():
            yield from complaints(known[name], value[name], f"{where}.{name}")


def test_each_operation_needs_its_permission_and_is_in_its_rate_group() -> None:
    compared, differ = 0, []
    for one in OPERATIONS:
        known = documented(one.method, re.sub(r"[{}]", "", one.path))
        if known is not None and (one.method, one.path) not in OTHERWISE:
            compared += 1
            ours, theirs = (one.permission, group_of(one.method, one.path)), (known.permission, known.group.lower())
            differ += [(one.method, one.path, ours, theirs)] if ours != theirs else []
    assert differ == []
    assert compared > 100


def test_answers_have_members_of_the_types_that_the_reference_names(app, ada: Person, bob: Person) -> None:
    team = ada.json("POST", f"{TEAM}/teams", {"name": "Ops", "members": [{"id": bob.extension.id}]})["id"]
    batch = {"from": ada.extension.phone_number, "text": "x", "messages": [{"to": [bob.extension.phone_number]}]}
    party = {"phoneNumber": bob.extension.phone_number}
    app.receive_sms("hi")
    app.receive_fax()
    app.receive_voicemail()
    app.ring()
    app.answer()
    app.record()
    asked = [
        ("POST", f"{EXTENSION}/sms", {"from": {"phoneNumber": ada.extension.phone_number}, "to": [party], "text": "x"}),
        ("POST", f"{EXTENSION}/company-pager", {"to": [{"extensionNumber": "102"}], "text": "x"}),
        ("POST", f"{ACCOUNT}/a2p-sms/batches", batch),
        ("POST", f"{TEAM}/chats/{team}/posts", {"text": f"![:Person]({bob.extension.id})"}),
        ("POST", f"{TEAM}/chats/{team}/tasks", {"subject": "x", "assignees": [{"id": ada.extension.id}]}),
        ("POST", f"{TEAM}/chats/{team}/notes", {"title": "x"}),
        ("POST", f"{EXTENSION}/address-book/contact", {"firstName": "x"}),
        ("GET", f"{EXTENSION}/presence", None),
        ("GET", f"{ACCOUNT}/active-calls", None),
    ]
    asked += [("GET", f"{TEAM}/chats/{team}{path}", None) for path in ("", "/posts", "/notes", "/tasks")]
    found = [problem for one in asked for problem in problems(ada, *one)]
    app.hang_up()
    plain = [one.path for one in OPERATIONS if one.method == "GET" and set(re.findall("{.*?}", one.path)) <= OWN]
    for path in plain:
        if "authorize" not in path:
            path = path.replace("{accountId}", "~").replace("{extensionId}", "~")
            query = {"permissionId": "SMS"} if path.endswith("/check") else {}
            found += problems(ada, "GET", path, **({"view": "Detailed"} if "call-log" in path else query))
    assert found == []


OWN = {"{accountId}", "{extensionId}"}


def problems(person: Person, method: str, path: str, body: Any = None, **query: Any) -> list[str]:
    """Ask, and return where the answer is not as the reference has it."""
    answer = person.ask(method, path, body, **query)
    known = documented(method, path)
    if answer.status >= 400 or known is None or "json" not in answer.headers.get("content-type", ""):
        return []
    return list(complaints(known.answer, json.loads(answer.body), f"{method} {path}"))
