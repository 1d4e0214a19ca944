"""What the driver asks the REST API for: a token for the WebSocket, and the time."""

from __future__ import annotations

import json

import pytest

from rcex_ws import Events, Extension, Response


class Answers(Extension):
    """Answer the requests for a path in place of the server."""

    def __init__(self, path, body):
        self.path, self.body = path, body

    async def handle(self, request, call_next):
        if request.path == self.path:
            return Response(200, {"Content-Type": "application/json"}, json.dumps(self.body).encode())
        return await call_next(request)


@pytest.mark.parametrize("token", [None, ""])
async def test_an_answer_without_a_token_is_a_failed_attempt(rc, make_ext, told, token):
    answers = Answers("/restapi/oauth/wstoken", {"uri": "wss://example.com/ws", "ws_access_token": token})
    await rc.install_extension(answers)
    await rc.install_extension(make_ext(start_in_background=True))
    error = await told.wait(Events.AUTO_RECOVER_ERROR)
    assert str(error).startswith("/restapi/oauth/wstoken answered ")
    assert error.retryable


async def test_a_refusal_tells_the_time_too(ext, gateway, requests):
    gateway.refuse("GET /restapi/v1.0", 503)
    gateway.clear_log()
    await ext._runtime._driver.ask_the_time()
    assert [(entry["method"], entry["status"]) for entry in requests("/restapi/v1.0")] == [("GET", 503)]
