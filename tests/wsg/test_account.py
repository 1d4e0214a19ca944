"""Calls about a whole login: their answers page by page, and answers that make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rcex_ws import BadFrame, Response, RestError
from rcex_ws.wsg import account


class Client:
    """A client whose answers are given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def send(self, request: Any, *, transport: Any = None) -> Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        response = answer if isinstance(answer, Response) else Response(200, {}, json.dumps(answer).encode())
        if not response.is_success:
            raise RestError(response, method=request.method, path=request.path)
        return response


async def test_extensions_come_page_by_page():
    pages = [{"records": [{"id": number}], "paging": {"totalPages": 2}} for number in (1, 2)]
    client = Client(*pages)
    filters = await account.filters_of_all_extensions(client, ["/presence", "fax"], 5)
    assert [one.rpartition("/extension/")[2] for one in filters] == ["1/presence", "1/fax", "2/presence", "2/fax"]
    assert [one.params["page"] for one in client.asked] == [1, 2]


@pytest.mark.parametrize(
    "answer",
    [
        {"records": [{"id": 1}], "paging": {"totalPages": 10**9}},
        {"records": [{"name": "x"}]},
        {"nothing": 1},
    ],
)
async def test_a_list_of_extensions_that_makes_no_sense(answer):
    with pytest.raises(BadFrame):
        await account.filters_of_all_extensions(Client(answer), ["presence"], 5)


async def test_a_page_without_records_is_the_last():
    client = Client({"records": [], "paging": {"totalPages": 9}})
    assert await account.filters_of_all_extensions(client, ["presence"], 5) == []


async def test_a_list_of_subscriptions_that_makes_no_sense():
    with pytest.raises(BadFrame):
        await account.read_subscriptions(Client({"records": [{"id": []}]}), 5)


async def test_a_refused_deletion_is_told():
    with pytest.raises(RestError):
        await account.delete_subscription(Client(Response(403, {}, b"")), "abc", 5)
    await account.delete_subscription(Client(Response(404, {}, b"")), "abc", 5)
