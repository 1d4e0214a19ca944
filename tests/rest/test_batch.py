"""Many ids in one GET: each has its result, whichever way the answer came."""

from __future__ import annotations

import json

import httpx
import pytest

from rcex_ws import ConfigurationError, NotJSON, RestError
from rcex_ws.rest.batch import read_parts

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
HREF = "https://platform.ringcentral.com/restapi/v1.0/account/1/extension/2/message-store"
MISSING = {"errorCode": "CMN-102", "message": "Resource for parameter [messageId] is not found"}


def multipart(entries, bodies, *, eol="\r\n", preamble="", pretty=False):
    """Write an answer as the developer guide shows it: a list of what follows, then the bodies."""
    boundary = "--Boundary_20_32057915_1351669531796"
    listed = [{"href": href, "status": status, "responseDescription": "?"} for href, status in entries]
    texts = [json.dumps({"response": listed}, indent=2 if pretty else None)]
    texts += [body if isinstance(body, str) else json.dumps(body, indent=2 if pretty else None) for body in bodies]
    parts = [f"{boundary}{eol}Content-Type: application/json{eol}{eol}{text}{eol}" for text in texts]
    return (preamble + "".join(parts) + f"{boundary}--{eol}").encode()


def answer_with(found):
    """Answer for each id with what `found` has for it, else with 404."""

    def answer(request):
        ids = request.url.path.rpartition("/")[2].split(",")
        if len(ids) == 1:
            return httpx.Response(*((200,) if ids[0] in found else (404,)), json=found.get(ids[0], MISSING))
        entries = [(f"{HREF}/{id}", 200 if id in found else 404) for id in ids]
        content = multipart(entries, [found.get(id, MISSING) for id in ids])
        return httpx.Response(207, content=content, headers={"Content-Type": "multipart/mixed; boundary=Boundary_20"})

    return answer


def facts(results):
    return [(result.id, result.status, result.body, getattr(result.error, "error_code", None)) for result in results]


async def test_one_result_per_id_in_their_order(rc, api):
    route = api.get(path__startswith=STORE).mock(side_effect=answer_with({"1": {"id": 1}, "3": {"id": 3}}))
    results = await rc.restapi().account().extension().message_store().batch([3, "2", 1, 3], params={"a": 1})
    assert facts(results) == [
        ("3", 200, {"id": 3}, None),
        ("2", 404, None, "CMN-102"),
        ("1", 200, {"id": 1}, None),
        ("3", 200, {"id": 3}, None),
    ]
    assert isinstance(results[1].error, RestError)
    assert results[1].error.status_code == 404
    assert "for 2 was answered 404" in str(results[1].error)
    assert [call.request.url.path for call in route.calls] == [f"{STORE}/3,2,1"]
    assert route.calls.last.request.url.query == b"a=1"


async def test_thirty_ids_a_call_and_the_last_alone(rc, api):
    route = api.get(path__startswith=STORE).mock(side_effect=answer_with({str(number): number for number in range(60)}))
    results = await rc.restapi().account().extension().message_store().batch(range(61))
    assert [result.body for result in results] == [*range(60), None]
    assert facts(results)[-1] == ("60", 404, None, "CMN-102")  # a call of its own, whose failure is its own
    sizes = [call.request.url.path.count(",") + 1 for call in route.calls]
    assert sizes == [30, 30, 1]


async def test_no_ids_no_call(rc, api):
    assert await rc.restapi().account().extension().message_store().batch([]) == []
    assert len(api.calls) == 0


async def test_what_follows_the_id(rc, api):
    entries = [(f"https://x/account/1/extension/{id}/presence", 200) for id in (7, 8)]
    content = multipart(entries, [{"a": 7}, {"a": 8}])
    route = api.get("/restapi/v1.0/account/~/extension/7,8/presence").respond(207, content=content)
    results = await rc.restapi().account().extension.batch([7, 8], suffix="/presence")
    assert [result.body for result in results] == [{"a": 7}, {"a": 8}]
    assert route.called


@pytest.mark.parametrize(
    ("entries", "bodies", "expected"),
    [
        # In another order: the href says which is which.
        ([("x/2", 200), ("x/1", 200)], [{"b": 2}, {"b": 1}], [("1", 200, {"b": 1}), ("2", 200, {"b": 2})]),
        # No href: the order.
        ([(None, 200), (None, 404)], [{"b": 1}, MISSING], [("1", 200, {"b": 1}), ("2", 404, None)]),
        # Only what succeeded has a body.
        ([("x/1", 404), ("x/2", 200)], [{"b": 2}], [("1", 404, None), ("2", 200, {"b": 2})]),
        # Nothing for one of them.
        ([("x/2", 200)], [{"b": 2}], [("1", 0, None), ("2", 200, {"b": 2})]),
        # No JSON, and no content.
        ([("x/1", 200), ("x/2", 204)], ["<html>", ""], [("1", 200, None), ("2", 204, None)]),
    ],
)
async def test_answers_of_other_shapes(rc, api, entries, bodies, expected):
    api.get(f"{STORE}/1,2").respond(207, content=multipart(entries, bodies))
    results = await rc.restapi().account().extension().message_store().batch([1, 2])
    assert [(result.id, result.status, result.body) for result in results] == expected
    failed = [result for result in results if result.body is None and result.status != 204]
    assert all(isinstance(result.error, (RestError, NotJSON)) for result in failed)
    assert all(result.error is None for result in results if result not in failed)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"--B\r\n\r\n[]\r\n--B--", b"--B\r\n\r\n{}\r\n--B--"])
async def test_an_answer_that_is_not_that_of_a_batch(rc, api, content):
    api.get(f"{STORE}/1,2").respond(207, content=content)
    with pytest.raises(NotJSON):
        await rc.restapi().account().extension().message_store().batch([1, 2])


@pytest.mark.parametrize("ids", [[1], [1, 2]])
@pytest.mark.parametrize("status", [401, 408, 429, 500])
async def test_a_call_that_fails_as_a_whole(rc, api, grants, status, ids):
    api.get(path__startswith=STORE).respond(status)
    with pytest.raises(RestError):
        await rc.restapi().account().extension().message_store().batch(ids)


async def test_wrong_ids(rc):
    for ids in ("123", b"1", 7, None, [""], [".."], ["1,2"], [None], [1.5], [True]):
        with pytest.raises(ConfigurationError, match="id"):
            await rc.restapi().account().extension().message_store().batch(ids)


async def test_a_wrong_suffix(rc):
    for suffix in ("presence", 7, None):
        with pytest.raises(ConfigurationError, match="suffix"):
            await rc.restapi().account().extension.batch([1], suffix=suffix)


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
@pytest.mark.parametrize("preamble", ["", "\r\n", "\n \n"])
def test_parts(eol, preamble):
    """With either line end, with and without a line before them; a line of JSON is never taken for a delimiter."""
    content = multipart(
        [("x/1", 200)], [{"a": "--Boundary_20_32057915_1351669531796"}], eol=eol, preamble=preamble, pretty=True
    )
    listed, part = read_parts(content)
    assert listed.json()["response"][0]["status"] == 200
    assert part.json() == {"a": "--Boundary_20_32057915_1351669531796"}
    assert part.content_type == "application/json"


def test_a_boundary_that_begins_another_line():
    content = b"--B\r\nA: b\r\n\r\n--Bx\r\n--B\r\n\r\nlast"
    assert [part.content for part in read_parts(content)] == [b"--Bx", b"last"]
