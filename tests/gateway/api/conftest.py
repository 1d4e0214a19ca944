"""A gateway without sockets, and users of it: each request is one call of its front door, in the test's own thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from rcex_ws.gateway.app import GatewayApp
from rcex_ws.gateway.call import RestAnswer, RestCall
from rcex_ws.gateway.options import GatewayOptions
from tests.gateway.api.declared import check_declared

SERVER = "http://gateway.test"


class Events:
    """A WebSocket session that keeps the notifications sent to it."""

    id = 1

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def deliver(self, frame: Any) -> None:
        self.all.append(frame.body)

    def supersede(self) -> None:
        raise AssertionError("nobody else uses this session")

    def take(self) -> list[dict[str, Any]]:
        """Return the notifications so far, and forget them."""
        taken, self.all = self.all, []
        return taken


class Person:
    """One user of the gateway, who is logged in.

    Args:
        gateway: the gateway.
        runner: runs its requests.
        number: which user, counted from 1.
    """

    def __init__(self, gateway: GatewayApp, runner: asyncio.Runner, number: int) -> None:
        self.gateway = gateway
        self.extension = gateway.core.people.extensions[number - 1]
        self.login = gateway.core.oauth.log_in(self.extension, SERVER)
        self._runner = runner

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> RestAnswer:
        """Send a request and return the answer, which must be declared; a body that is not bytes is sent as JSON."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"authorization": f"Bearer {self.login.access_token}", "content-type": "application/json"}
        call = RestCall(method, path, urlencode(query, doseq=True), given | (headers or {}), content, SERVER)
        answer = self._runner.run(self.gateway.app.answer(call))
        assert answer is not None
        check_declared(method, path, answer)
        return answer

    def json(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a request that must succeed, and return the decoded answer; None if it is empty."""
        answer = self.ask(method, path, body, **query)
        assert answer.status < 300, answer.body
        return json.loads(answer.body) if answer.body else None

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str]:
        """Send a request that must be refused, and return the status and RingCentral's error code."""
        answer = self.ask(method, path, body, **query)
        assert answer.status >= 400, answer.body
        return answer.status, json.loads(answer.body)["errorCode"]

    def subscribe(self, *filters: str) -> Events:
        """Return what this user is notified of from now on."""
        core, events = self.gateway.core, Events()
        session = core.sessions.open(self.login, events).session
        core.sessions.bind(session, core.subscriptions.create(self.extension, list(filters)))
        return events


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    """Options of the gateway; a test may override them."""
    return {}


@pytest.fixture
def app(runner: asyncio.Runner, gateway_options: dict[str, Any]) -> GatewayApp:
    async def make() -> GatewayApp:
        return GatewayApp(GatewayOptions(**gateway_options))

    return runner.run(make())


@pytest.fixture
def ada(app: GatewayApp, runner: asyncio.Runner) -> Person:
    """Return the first user."""
    return Person(app, runner, 1)


@pytest.fixture
def bob(app: GatewayApp, runner: asyncio.Runner) -> Person:
    """Return the second user."""
    return Person(app, runner, 2)
