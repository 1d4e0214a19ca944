"""The OpenAPI document: what is in it, and that the gateway gives it to everybody."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Annotated, Any

import httpx
import pytest
from msgspec import Meta, Struct
from starlette.responses import Response

from rcex_ws.gateway.api.openapi import openapi_document
from rcex_ws.gateway.api.operation import Ask, Json, RestArea
from rcex_ws.gateway.call import RestAnswer
from tests.gateway.api.declared import OPERATIONS, check_declared, document

area = RestArea("Things", permission="ReadThings")


class ThingQuery(Struct, rename="camel"):
    """Which things."""

    colour: list[str] = []
    per_page: Annotated[int, Meta(ge=1, le=9)] = 5


class NewThing(Struct, rename="camel"):
    """A thing."""

    full_name: str
    weight: int | None = None


@area.get("/restapi/v1.0/account/{accountId}/things")
def list_things(ask: Ask[ThingQuery, None]) -> Json:
    """List the things.

    The newest come first.
    """
    return []


@area.post("/restapi/v1.0/account/{accountId}/things", permission="EditThings", status=201)
def make_thing(ask: Ask[None, NewThing]) -> dict[str, Any] | None:
    """Make a thing."""
    return None


@area.put("/restapi/oauth/thing", consumes=("application/x-www-form-urlencoded", "text/plain"))
def put_thing(ask: Ask[None, bytes]) -> Response:
    """Put a thing."""
    return Response()


@pytest.fixture(scope="module")
def things() -> dict[str, Any]:
    return openapi_document(area)


def operation(things: dict[str, Any], method: str, path: str = "/restapi/v1.0/account/{accountId}/things") -> Any:
    return things["paths"][path][method]


def test_every_operation_is_in_it_and_nothing_else():
    described = {(method.upper(), path) for path, item in document()["paths"].items() for method in item}
    assert described == {(one.method, one.path) for one in OPERATIONS}
    assert len(described) == len(OPERATIONS)


def test_each_operation_has_a_name_of_its_own_a_summary_and_all_its_parameters():
    names = Counter(one["operationId"] for item in document()["paths"].values() for one in item.values())
    assert [name for name, number in names.items() if number > 1] == []
    for path, item in document()["paths"].items():
        for one in item.values():
            in_path = [each["name"] for each in one.get("parameters", ()) if each["in"] == "path"]
            assert (in_path, one["summary"][-1:]) == (re.findall(r"\{(\w+)\}", path), "."), path


def test_no_reference_leads_nowhere():
    def references(part: object) -> Any:
        if isinstance(part, dict):
            yield from (value for name, value in part.items() if name == "$ref")
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    found = set(references(document()))
    assert found
    for reference in found:
        target: Any = document()
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_a_query_becomes_parameters(things):
    described = operation(things, "get")
    assert [(one["name"], one["in"], one["required"]) for one in described["parameters"]] == [
        ("accountId", "path", True),
        ("colour", "query", False),
        ("perPage", "query", False),
    ]
    assert described["parameters"][2]["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 5}
    assert (described["summary"], described["description"]) == ("List the things.", "The newest come first.")
    assert "ThingQuery" not in things["components"]["schemas"]


def test_a_body_and_its_answers(things):
    described = operation(things, "post")
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}}
    assert described["requestBody"] == {"content": body, "required": True}
    assert things["components"]["schemas"]["NewThing"]["required"] == ["fullName"]
    assert list(described["responses"]) == ["201", "204", "429", "4XX", "503"]
    assert described["x-app-permission"] == "EditThings"
    assert described["security"] == [{"bearer": []}]


def test_a_raw_body_and_an_answer_of_its_own_form(things):
    described = operation(things, "put", "/restapi/oauth/thing")
    assert list(described["requestBody"]["content"]) == ["application/x-www-form-urlencoded", "text/plain"]
    assert list(described["responses"])[:2] == ["2XX", "3XX"]
    assert "security" not in described


def test_anybody_may_read_it(start):
    gateway = start()
    gateway.refuse("* *", times=None)
    answer = httpx.get(f"{gateway.server}/openapi.json", headers={"Origin": "https://editor.test"})
    assert (answer.status_code, answer.json()) == (200, json.loads(json.dumps(document())))
    assert gateway.log() == []


VERSION = "/restapi/v1.0"
JSON = {"content-type": "application/json"}
LIMITS = dict.fromkeys(("group", "limit", "remaining", "window"), "1")
LIMITED = JSON | {f"x-rate-limit-{name}": value for name, value in LIMITS.items()}


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (RestAnswer(201, LIMITED, b"{}"), "is not declared"),
        (RestAnswer(200, LIMITED, b'"text"'), "another body"),
        (RestAnswer(200, LIMITED | {"content-type": "text/plain"}, b"{}"), "text/plain"),
        (RestAnswer(404, LIMITED, b'{"errorCode": "CMN-102"}'), "another body"),
        (RestAnswer(200, JSON, b"{}"), "200"),
    ],
)
def test_an_answer_that_is_not_declared_fails_the_tests_of_the_areas(answer, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_declared("GET", VERSION, answer)
    check_declared("GET", VERSION, RestAnswer(200, LIMITED, b"{}"))
