"""Webhooks: the handshake, deliveries, and what becomes of an address that fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from rcex_ws.gateway import webhooks
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.options import GatewayOptions

SUBSCRIPTION = "/restapi/v1.0/subscription"
EXTENSION = "/restapi/v1.0/account/~/extension/~"
HOOK = "http://127.0.0.1:9/hook"


class Receiver:
    """The program at the address of a webhook."""

    def __init__(self) -> None:
        self.status = 200
        self.echo: Callable[[str], dict[str, str]] = lambda token: {"Validation-Token": token}
        self.fails: type[httpx.TransportError] | None = None
        self.got: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        if self.fails is not None:
            raise self.fails("on command")
        token = request.headers.get("validation-token")
        return httpx.Response(self.status, headers={} if token is None else self.echo(token))

    def events(self) -> list[dict[str, object]]:
        return [json.loads(one.content) for one in self.got if one.content]


@pytest.fixture
def receiver(app, monkeypatch):
    receiver = Receiver()
    app.core.webhooks.transport = httpx.MockTransport(receiver.answer)
    monkeypatch.setattr(webhooks, "_RETRY_DELAYS", (0.0, 0.0))
    return receiver


def wanted(**more):
    mode = {"transportType": "WebHook", "address": HOOK, "verificationToken": "sesame"} | more
    return {"eventFilters": [EXTENSION], "deliveryMode": mode, "expiresIn": 600}


def settle(runner, app):
    """Deliver all that is queued."""

    async def run() -> None:
        task = asyncio.create_task(app.run())
        while app.core.webhooks._pending:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    runner.run(run())


def kinds(app):
    return [entry["state"] for entry in app.log() if entry["kind"] == "webhook"]


def test_an_address_gets_what_it_has_subscribed_to(ada, app, runner, receiver):
    one = ada.json("POST", SUBSCRIPTION, wanted())
    assert one["status"] == "Active"
    assert one["deliveryMode"] == {"transportType": "WebHook", "encryption": False, "address": HOOK}
    assert 595 <= one["expiresIn"] <= 600
    ada.json("PUT", EXTENSION, {"contact": {"lastName": "Lovelace"}})
    ada.json("PUT", EXTENSION, {"contact": {"lastName": "Byron"}})
    settle(runner, app)
    handshake, first, second = receiver.got
    assert "validation-token" in handshake.headers
    assert not handshake.content
    assert first.headers["verification-token"] == "sesame"
    assert [event["subscriptionId"] for event in receiver.events()] == [one["id"], one["id"]]
    body = json.loads(second.content)
    assert body["event"] == ada.extension.uri
    assert body["body"]["eventType"] == "Update"
    assert kinds(app) == ["delivered", "delivered"]


@pytest.mark.parametrize(
    ("status", "echo", "code"),
    [
        (500, {}, "SUB-522"),
        (302, {"Location": "http://127.0.0.1/"}, "SUB-522"),
        (200, {}, "SUB-520"),
        (200, {"Validation-Token": "another"}, "SUB-525"),
    ],
)
def test_an_address_that_does_not_answer_as_it_should_is_refused(ada, receiver, status, echo, code):
    receiver.status, receiver.echo = status, lambda token: echo
    assert ada.refused("POST", SUBSCRIPTION, wanted()) == (400, code)
    assert ada.json("GET", SUBSCRIPTION)["records"] == []


def test_an_address_that_does_not_answer_is_refused(ada, receiver):
    receiver.fails = httpx.ConnectError
    assert ada.refused("POST", SUBSCRIPTION, wanted()) == (400, "SUB-521")


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "",
        "x",
        5,
        None,
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://localhost.example/",
        "file:///etc/passwd",
    ],
)
def test_only_addresses_of_this_machine_are_posted_to(ada, receiver, address):
    assert ada.refused("POST", SUBSCRIPTION, wanted(address=address)) == (400, "CMN-101")
    assert receiver.got == []


@pytest.mark.parametrize("address", ["http://localhost:5000/x", "https://[::1]:5000/", "http://127.1.2.3/"])
def test_every_address_of_this_machine_is_good(ada, receiver, address):
    assert ada.json("POST", SUBSCRIPTION, wanted(address=address))["deliveryMode"]["address"] == address


@pytest.mark.parametrize("life", [0, -1, True, "600", 10**10])
def test_a_life_that_is_none_is_refused(ada, receiver, life):
    assert ada.refused("POST", SUBSCRIPTION, wanted() | {"expiresIn": life}) == (400, "CMN-101")


def test_an_address_that_fails_is_given_up_until_it_is_renewed(ada, app, runner, receiver):
    one = ada.json("POST", SUBSCRIPTION, wanted())
    path = f"{SUBSCRIPTION}/{one['id']}"
    receiver.status = 503
    ada.json("PUT", EXTENSION, {})
    settle(runner, app)
    assert len(receiver.events()) == 3
    given_up = ada.json("GET", path)
    assert given_up["status"] == "Blacklisted"
    assert given_up["blacklistedData"]["reason"] == "HTTP status is 503"
    ada.json("PUT", EXTENSION, {})
    settle(runner, app)
    assert len(receiver.events()) == 3
    assert ada.refused("POST", f"{path}/renew") == (400, "SUB-522")
    receiver.status = 200
    assert ada.json("POST", f"{path}/renew")["status"] == "Active"
    ada.json("PUT", EXTENSION, {})
    settle(runner, app)
    assert kinds(app) == ["blacklisted", "delivered"]


def test_it_is_changed_and_deleted(ada, bob, app, runner, receiver):
    one = ada.json("POST", SUBSCRIPTION, wanted())
    path = f"{SUBSCRIPTION}/{one['id']}"
    handshakes = len(receiver.got)
    changed = ada.json("PUT", path, {"eventFilters": [f"{EXTENSION}/presence"], "expiresIn": 60})
    assert changed["eventFilters"] == [f"{ada.extension.uri}/presence"]
    assert changed["expiresIn"] <= 60
    assert len(receiver.got) == handshakes
    moved = ada.json("PUT", path, {"deliveryMode": {"transportType": "WebHook", "address": f"{HOOK}/2"}})
    assert moved["deliveryMode"]["address"] == f"{HOOK}/2"
    assert bob.refused("GET", path) == (404, "CMN-102")
    assert [listed["id"] for listed in ada.json("GET", SUBSCRIPTION)["records"]] == [one["id"]]
    assert ada.json("DELETE", path) is None
    ada.json("PUT", EXTENSION, {})
    settle(runner, app)
    assert receiver.events() == []


def test_it_needs_a_permission_of_its_own(ada, app, receiver):
    app.core.apps.first.permissions = ["ReadAccounts"]
    assert ada.refused("POST", SUBSCRIPTION, wanted()) == (403, "SUB-528")
    assert receiver.got == []


def test_it_outlives_a_restart(ada, app, receiver):
    one = ada.json("POST", SUBSCRIPTION, wanted())
    other = GatewayCore(GatewayOptions(), lambda: 5.0)
    for name, part in app.core.parts.items():
        other.parts[name].load(part.dump())
    (kept,) = other.subscriptions.live()
    assert (kept.id, kept.hook.address, kept.hook.verification_token) == (one["id"], HOOK, "sesame")
    assert 590 < other.subscriptions.body(kept, "")["expiresIn"] <= 600


def posted(app):
    """Return the uuids of the notifications that a webhook should get."""
    return [entry["uuid"] for entry in app.log() if entry["kind"] == "notification"]


def fates(app):
    """Return what has become of each notification, in order."""
    return [(entry["uuid"], entry["state"]) for entry in app.log() if entry["kind"] == "webhook"]


@pytest.mark.parametrize(
    ("end", "first"), [("deleted", "dropped"), ("blacklisted", "blacklisted"), ("stopped", "dropped")]
)
def test_what_still_waits_when_a_webhook_ends_is_logged_as_dropped(ada, app, runner, receiver, end, first):
    sent = ada.json("POST", SUBSCRIPTION, wanted())
    for _ in range(3):
        app.notify(EXTENSION, {})
    if end == "blacklisted":
        receiver.status = 500
    if end == "deleted":
        ada.json("DELETE", f"{SUBSCRIPTION}/{sent['id']}")
    if end == "stopped":
        app.core.webhooks.transport = httpx.MockTransport(lambda _: asyncio.sleep(60))

        async def run_shortly() -> None:
            task = asyncio.create_task(app.run())
            for _ in range(20):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        runner.run(run_shortly())
    else:
        settle(runner, app)
    assert fates(app) == list(zip(posted(app), [first, "dropped", "dropped"], strict=True))


def test_what_is_under_way_while_the_oldest_are_dropped_is_delivered_once_and_the_others_too(
    ada, app, runner, monkeypatch
):
    monkeypatch.setattr(webhooks, "_MOST_PENDING", 2)
    got = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.content:
            got.append(json.loads(request.content)["uuid"])
            if len(got) == 1:  # while this one is under way, too many come
                for _ in range(3):
                    app.notify(EXTENSION, {})
        return httpx.Response(200, headers={"Validation-Token": request.headers.get("validation-token", "")})

    app.core.webhooks.transport = httpx.MockTransport(answer)
    ada.json("POST", SUBSCRIPTION, wanted())
    app.notify(EXTENSION, {})
    settle(runner, app)
    first, second, third, fourth = posted(app)
    assert got == [first, third, fourth]
    assert fates(app) == [(second, "dropped"), *((one, "delivered") for one in (first, third, fourth))]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_webhook_that_is_deleted_during_the_handshake_is_not_found(ada, app, runner, receiver, method):
    one = ada.json("POST", SUBSCRIPTION, wanted())
    receiver.status = 500
    app.notify(EXTENSION, {})
    settle(runner, app)
    receiver.status = 200

    def echo_late(token: str) -> dict[str, str]:
        app.core.subscriptions.delete(app.core.subscriptions.find(one["id"]))
        return {"Validation-Token": token}

    receiver.echo = echo_late
    path = f"{SUBSCRIPTION}/{one['id']}" + ("/renew" if method == "POST" else "")
    assert ada.refused(method, path) == (404, "CMN-102")
