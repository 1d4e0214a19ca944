"""Applications and what they may do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.account.apps import PERMISSIONS, AppRecord
from rcex_ws.gateway.api.application import AREAS
from rcex_ws.gateway.app import GatewayApp
from rcex_ws.gateway.call import RestAnswer, RestCall
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.problem import Problem

SERVER = "http://gateway.test"
EXTENSION = "/restapi/v1.0/account/~/extension/~"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def made(runner: asyncio.Runner, *permissions: str, **options: Any) -> GatewayApp:
    async def make() -> GatewayApp:
        return GatewayApp(GatewayOptions(permissions=permissions, **options))

    return runner.run(make())


def asked(
    runner: asyncio.Runner, app: GatewayApp, method: str, path: str, *, of: AppRecord | None = None
) -> RestAnswer:
    login = app.core.oauth.log_in(app.core.people.first, SERVER, of)
    headers = {"authorization": f"Bearer {login.access_token}"}
    answer = runner.run(app.app.answer(RestCall(method, path, "", headers, b"", SERVER)))
    assert answer is not None
    return answer


def test_what_an_application_may_not_do_is_refused_in_ringcentrals_words(runner) -> None:
    app = made(runner, "ReadPresence")
    assert asked(runner, app, "GET", f"{EXTENSION}/presence").status == 200
    answer = asked(runner, app, "GET", f"{EXTENSION}/message-store")
    body = json.loads(answer.body)
    text = "In order to call this API endpoint, application needs to have [ReadMessages] permission"
    assert answer.status == 403
    assert body == {
        "errorCode": "InsufficientPermissions",
        "message": text,
        "permissionName": "ReadMessages",
        "errors": [{"errorCode": "CMN-401", "message": text, "permissionName": "ReadMessages"}],
    }
    assert asked(runner, app, "POST", "/restapi/oauth/wstoken").status == 403


def test_another_application_has_its_own_permissions_logins_and_subscriptions(runner) -> None:
    app = made(runner, "ReadPresence")
    other = AppRecord("other", "", permissions=["ReadMessages"])
    app.core.apps.apps.append(other)
    assert asked(runner, app, "GET", f"{EXTENSION}/message-store", of=other).status == 200
    assert asked(runner, app, "GET", f"{EXTENSION}/presence", of=other).status == 403
    ada = app.core.people.first
    mine = app.core.subscriptions.create(ada, [f"{EXTENSION}/presence"], app=app.core.apps.first)
    assert app.core.subscriptions.of(ada, other) == []
    assert app.core.subscriptions.of(ada, app.core.apps.first) == [mine]
    with pytest.raises(Problem, match="CMN-102"):
        app.core.subscriptions.get(ada, mine.id, other)
    login = app.core.oauth.log_in(ada, SERVER, other)
    with pytest.raises(Problem, match="OAU-210"):
        app.core.oauth.refresh(login.refresh_token)
    assert app.core.oauth.revoke(login.access_token) is None
    assert app.core.oauth.refresh(login.refresh_token, other) is login
    assert app.core.oauth.revoke(login.access_token, other) is login


@pytest.mark.parametrize(
    ("event_filter", "permission"),
    [
        (f"{EXTENSION}/message-store?type=SMS", "ReadMessages"),
        (f"{EXTENSION}/message-store/instant?type=SMS", "ReadMessages"),
        (f"{EXTENSION}/voicemail", "ReadMessages"),
        (f"{EXTENSION}/presence?detailedTelephonyState=true", "ReadPresence"),
        (f"{EXTENSION}/telephony/sessions", "CallControl"),
        ("/restapi/v1.0/account/~/telephony/sessions", "CallControl"),
        ("/team-messaging/v1/posts", "TeamMessaging"),
        ("/restapi/v1.0/glip/posts", "TeamMessaging"),
        (EXTENSION, "ReadAccounts"),
        ("/restapi/v1.0/account/~/extension", "ReadAccounts"),
        ("/restapi/v1.0/account/~/directory/entries", "ReadAccounts"),
    ],
)
def test_each_filter_needs_a_permission_of_its_own(runner, event_filter, permission) -> None:
    core = made(runner, permission).core
    assert core.subscriptions.create(core.people.first, [event_filter], app=core.apps.first)
    poor = AppRecord("poor", "", permissions=[one for one in PERMISSIONS if one != permission])
    with pytest.raises(Problem, match=rf"CMN-401.*\[{permission}\]"):
        core.subscriptions.create(core.people.first, [event_filter], app=poor)


class OwnSocket:
    """A WebSocket that calls come over, and whose frames nobody reads."""

    id = 1

    def __init__(self, app: GatewayApp) -> None:
        login = app.core.oauth.log_in(app.core.people.first, SERVER)
        self.session = app.core.sessions.open(login, self).session

    def deliver(self, frame: object) -> None: ...

    def supersede(self) -> None: ...


def test_a_websocket_subscription_needs_the_permission_for_its_transport(runner) -> None:
    app = made(runner, "ReadPresence")
    body = [{"eventFilters": [f"{EXTENSION}/presence"], "deliveryMode": {"transportType": "WebSocket"}}]
    meta = {"method": "POST", "path": "/restapi/v1.0/subscription"}
    answer = runner.run(app.app.answer(RestCall.from_frame(meta, body, OwnSocket(app))))
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["errorCode"]) == (403, "SUB-528")
    app.core.apps.first.permissions = ["ReadPresence", "WebSocketsSubscriptions"]
    answer = runner.run(app.app.answer(RestCall.from_frame(meta, body, OwnSocket(app))))
    assert answer is not None
    assert answer.status == 200


def test_every_operation_needs_a_permission_that_exists() -> None:
    needed = {operation.permission for area in AREAS for operation in area} - {None}
    assert needed <= set(PERMISSIONS)


def test_an_unknown_permission_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"^permissions: there is no 'ReadMesages'; there are A2PSMS, "):
        GatewayOptions(permissions=("ReadMesages",))


def test_each_application_has_its_own_rate_limit(runner) -> None:
    app = made(runner, "ReadAccounts", rate_limits={"light": 1})
    other = AppRecord("other", "")
    app.core.apps.apps.append(other)
    statuses = [asked(runner, app, "GET", EXTENSION, of=one).status for one in (None, other, None)]
    assert statuses == [200, 200, 429]
