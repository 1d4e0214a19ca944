"""The calls for a subscription, and answers that cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rcex_ws import BadFrame, RestError
from rcex_ws.rest import Response
from rcex_ws.wsg.subscription_api import SubscriptionApi
from rcex_ws.wsg.subscription_machine import Call

POST = Call("POST", None, ("/a",))


class Server:
    """Answer each call in the same way, and record it."""

    def __init__(self, body: object = None, status: int = 200) -> None:
        self.calls: list[tuple[str, str]] = []
        self.response = Response(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    async def __call__(self, method: str, path: str, body: Any = None) -> Response:
        self.calls.append((method, path))
        if self.response.status_code >= 400:
            raise RestError(self.response, method=method, path=path)
        return self.response


async def test_a_subscription_is_read_from_the_answer() -> None:
    server = Server({"id": 7, "eventFilters": ["/a"]})
    info = await SubscriptionApi(server).make(POST)
    assert info is not None
    assert (info.id, info.event_filters) == ("7", ("/a",))
    assert server.calls == [("POST", "/restapi/v1.0/subscription")]


@pytest.mark.parametrize("id_", ["", "a/../b", "a?b", "\u00e9 "])
async def test_an_id_that_cannot_stand_in_a_path_is_refused(id_: str) -> None:
    with pytest.raises(BadFrame, match=r"^the answer to a subscription call has an id that cannot stand in a path$"):
        await SubscriptionApi(Server({"id": id_, "eventFilters": ["/a"]})).make(POST)


@pytest.mark.parametrize("body", [None, [], {"eventFilters": ["/a"]}])
async def test_an_answer_that_is_no_subscription_is_refused(body: object) -> None:
    with pytest.raises(BadFrame, match=r"^the answer to a subscription call cannot be read: "):
        await SubscriptionApi(Server(body)).make(POST)


async def test_deleting_what_is_not_there_is_no_error_but_a_refusal_is() -> None:
    delete = Call("DELETE", "7")
    assert await SubscriptionApi(Server(status=204)).make(delete) is None
    assert await SubscriptionApi(Server(status=404)).make(delete) is None
    with pytest.raises(RestError):
        await SubscriptionApi(Server(status=403)).make(delete)
