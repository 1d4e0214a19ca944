"""Lists page by page, in each style of RingCentral's; no list leads to another host or in a circle."""

from __future__ import annotations

import gc
import itertools
import json
from typing import ClassVar

import httpx
import pytest

from rcex_ws import NotJSON, RestError
from rcex_ws.rest import PRODUCTION, PagingError, Response
from rcex_ws.rest.paging import Pages, Records, records_of

PATH = "/restapi/v1.0/account/~/extension"


async def read_all(rc, *, at_most):
    count = 0
    async for _ in rc.restapi().account().extension.list_all():
        count += 1
        assert count <= at_most


def by_uri(base, pages):
    """Answer as most of /restapi does: the URI of the next page has the whole query."""

    def answer(request):
        number = int(request.url.params.get("page", 1))
        per_page = request.url.params.get("perPage", "100")
        navigation = {"firstPage": {"uri": f"{base}{PATH}?page=1&perPage={per_page}"}}
        if number < len(pages):
            navigation["nextPage"] = {"uri": f"{base}{PATH}?page={number + 1}&perPage={per_page}"}
        paging = {"page": number, "perPage": int(per_page), "totalPages": len(pages)}
        return httpx.Response(200, json={"records": pages[number - 1], "paging": paging, "navigation": navigation})

    return answer


@pytest.mark.parametrize("base", [PRODUCTION, ""])
async def test_by_the_uri_of_the_next_page(rc, api, base):
    answer = by_uri(base, [[1, 2], [], [3]])
    route = api.get(PATH).mock(side_effect=answer)
    records = rc.restapi().account().extension.list_all(params={"perPage": 2}, headers={"X-Mine": "1"})
    assert [record async for record in records] == [1, 2, 3]
    assert [call.request.url.query for call in route.calls] == [b"perPage=2", b"page=2&perPage=2", b"page=3&perPage=2"]
    assert {call.request.headers["X-Mine"] for call in route.calls} == {"1"}
    assert {call.request.headers["Authorization"] for call in route.calls} == {"Bearer ACCESS-0"}


async def test_another_host_of_ringcentrals_may_have_the_next_page():
    class Client:
        server = PRODUCTION
        paths: ClassVar[list[str]] = []

        async def request(self, method, path, **options):
            self.paths.append(path)
            uri = "https://media.ringcentral.com/x?page=2"
            more = {"navigation": {"nextPage": {"uri": uri}}} if path == PATH else {}
            return Response(200, {}, json.dumps({"records": [path]} | more).encode())

    assert [page["records"] async for page in Pages(Client(), PATH, {})] == [[path] for path in Client.paths]
    assert Client.paths == [PATH, "https://media.ringcentral.com/x?page=2"]


@pytest.mark.parametrize("place", ["navigation", "paging"])
async def test_by_the_token_of_the_next_page(rc, api, place):
    tokens = {None: "T=2", "T=2": "T3", "T3": None}

    def answer(request):
        given = request.url.params.get("pageToken")
        more = {"prevPageToken": "T0"} | ({"nextPageToken": tokens[given]} if tokens[given] else {})
        return httpx.Response(200, json={"records": [given, request.url.params["recordCount"]], place: more})

    route = api.get("/team-messaging/v1/chats/7/posts").mock(side_effect=answer)
    posts = rc.team_messaging().v1().chats(7).posts()
    assert [one async for one in posts.list_all(params={"recordCount": 1})] == [None, "1", "T=2", "1", "T3", "1"]
    assert route.call_count == 3


async def test_by_numbers_alone(rc, api):
    def answer(request):
        number = int(request.url.params.get("page", 1))
        return httpx.Response(200, json={"records": [number], "paging": {"page": number, "totalPages": 3}})

    api.get("/restapi/v1.0/account/~/directory/entries").mock(side_effect=answer)
    entries = rc.restapi().account().directory().entries()
    assert [record async for record in entries.list_all(params={"page": 2})] == [2, 3]


async def test_by_scims_start_index(rc, api):
    users = [{"id": str(number)} for number in range(5)]

    def answer(request):
        start, count = int(request.url.params.get("startIndex", 1)), int(request.url.params["count"])
        found = users[start - 1 : start - 1 + count]
        page = {"schemas": ["S"], "totalResults": 5, "startIndex": start, "itemsPerPage": len(found)}
        return httpx.Response(200, json=page | {"Resources": found})

    route = api.get("/scim/v2/Users").mock(side_effect=answer)
    assert [user async for user in rc.scim().Users().list_all(params={"count": 2})] == users
    assert [call.request.url.params.get("startIndex") for call in route.calls] == [None, "3", "5"]


async def test_pages_are_given_as_they_are(rc, api):
    api.get(PATH).mock(side_effect=by_uri(PRODUCTION, [[1], [2]]))
    pages = [page async for page in rc.restapi().account().extension.pages()]
    assert [page["records"] for page in pages] == [[1], [2]]
    assert pages[0]["paging"]["totalPages"] == 2


async def test_it_is_lazy_and_can_be_left(rc, api):
    """Nothing is left open: on trio, a generator left halfway would be warned about, and warnings are errors here."""
    route = api.get(PATH).mock(side_effect=by_uri(PRODUCTION, [[1, 2], [3]]))
    records = rc.restapi().account().extension.list_all()
    assert route.call_count == 0
    async for record in records:
        if record == 2:
            break
    assert route.call_count == 1
    del records
    gc.collect()


async def test_an_error_leaves_it_before_the_page(rc, api):
    answer = by_uri(PRODUCTION, [[1], [2]])
    replies = iter([answer, lambda _: httpx.Response(503), answer])
    api.get(PATH).mock(side_effect=lambda request: next(replies)(request))
    records = rc.restapi().account().extension.list_all()
    assert await anext(records) == 1
    with pytest.raises(RestError):
        await anext(records)
    assert [record async for record in records] == [2]


ELSEWHERE = [
    "https://evil.example/restapi/v1.0/account/~/extension?page=2",
    "http://platform.ringcentral.com/restapi/v1.0/x",
    "https://platform.ringcentral.com@evil.example/x",
    "https://platform.ringcentral.com.evil.example/x",
    "//evil.example/x",
    "ftp://platform.ringcentral.com/x",
    "https://platform.ringcentral.com/a b",
    "/restapi/../x",
    ["/x"],
]


async def test_no_page_of_another_host(rc, api):
    for count, uri in enumerate(ELSEWHERE, 1):
        api.get(PATH).respond(json={"records": [1], "navigation": {"nextPage": {"uri": uri}}})
        records = rc.restapi().account().extension.list_all()
        assert await anext(records) == 1
        with pytest.raises(PagingError, match="not on the server") as caught:
            await anext(records)
        assert [record async for record in records] == []
        assert len(api.calls) == count
        assert not caught.value.retryable


@pytest.mark.parametrize(
    "page",
    [
        {"records": [1], "navigation": {"nextPage": {"uri": PATH}}},
        {"records": [1], "navigation": {"nextPage": {"uri": f"{PRODUCTION}{PATH}?page=2"}}},
        {"records": [1], "navigation": {"nextPageToken": "T"}},
        {"records": [1], "paging": {"nextPageToken": "T"}},
        {"records": [1], "paging": {"page": 1, "totalPages": 3}},
        {"Resources": [1], "startIndex": 1, "totalResults": 3},
    ],
)
async def test_no_page_twice(rc, api, page):
    route = api.get(PATH).respond(json=page)
    with pytest.raises(PagingError, match="has come before"):
        await read_all(rc, at_most=2)
    assert route.call_count <= 2


async def test_a_circle_of_many_pages_is_noticed(rc, api):
    tokens = itertools.cycle(["A", "B", "C"])
    page = {"records": [1]}
    api.get(PATH).mock(
        side_effect=lambda _: httpx.Response(200, json=page | {"navigation": {"nextPageToken": next(tokens)}})
    )
    with pytest.raises(PagingError):
        await read_all(rc, at_most=4)


async def test_a_list_of_empty_pages_ends():
    class Endless:
        count = 0

        async def __anext__(self):
            self.count += 1
            return {"records": []}

    pages = Endless()
    with pytest.raises(PagingError, match="no end"):
        await anext(Records(pages))
    assert pages.count == 1000


@pytest.mark.parametrize(
    ("page", "records"),
    [
        ({"records": [1], "groups": [2]}, [1]),
        ({"meetings": [1], "paging": {}}, [1]),
        ({"Resources": [1], "schemas": ["S"]}, [1]),
        ({"totalResults": 0, "schemas": ["S"]}, []),
        ({"navigation": {}}, []),
        ({"paging": {"page": 1}}, []),
        ({"records": None, "paging": None}, []),
    ],
)
def test_the_records_of_a_page(page, records):
    assert records_of(page) == records


@pytest.mark.parametrize("page", [{"id": 1}, {"a": [1], "b": [2]}])
def test_what_is_no_page(page):
    with pytest.raises(NotJSON):
        records_of(page)


async def test_an_answer_that_is_no_page(rc, api):
    for content in (b"[1]", b"7", b"", b"<html>"):
        api.get(PATH).respond(200, content=content)
        with pytest.raises(NotJSON):
            await anext(rc.restapi().account().extension.list_all())
