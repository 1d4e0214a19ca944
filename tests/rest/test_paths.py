"""The path builder."""

from __future__ import annotations

import copy

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.errors import UnknownName
from rcex_ws.rest import NotJSON, RestError, RingCentral

rc_ = RingCentral()


@pytest.mark.parametrize(
    ("builder", "path"),
    [
        (rc_.restapi(), "/restapi/v1.0"),
        (rc_.restapi(None), "/restapi"),
        (rc_.restapi("v2").accounts("1").sms_registration_brands(), "/restapi/v2/accounts/1/sms-registration-brands"),
        (rc_.restapi().account().extension(), "/restapi/v1.0/account/~/extension/~"),
        (rc_.restapi().account(12).extension("34"), "/restapi/v1.0/account/12/extension/34"),
        (rc_.restapi().account().extension, "/restapi/v1.0/account/~/extension"),
        (
            rc_.restapi().account().extension().message_store(5).content(6),
            "/restapi/v1.0/account/~/extension/~/message-store/5/content/6",
        ),
        (rc_.restapi().account().extension().company_pager(), "/restapi/v1.0/account/~/extension/~/company-pager"),
        (rc_.restapi().account().presence("1,2"), "/restapi/v1.0/account/~/presence/1,2"),
        (rc_.path("/team-messaging/v1").chats("a/b ?").posts(), "/team-messaging/v1/chats/a%2Fb%20%3F/posts"),
        (rc_.path("/scim/v2/").Users("7"), "/scim/v2/Users/7"),
        (rc_.scim().Users()[".search"], "/scim/v2/Users/.search"),
        (rc_.scim().ServiceProviderConfig(), "/scim/v2/ServiceProviderConfig"),
        (rc_.path("/x").from_.import_().get_(1).list_all_, "/x/from/import/get/1/list-all"),
        (rc_.path("/x")["snake_case"]["camelCase"]["2fa"]["a/b"], "/x/snake_case/camelCase/2fa/a%2Fb"),
        (rc_.restapi(None).v2().accounts().extensions(), "/restapi/v2/accounts/~/extensions/~"),
        (rc_.restapi(None).v2().accounts, "/restapi/v2/accounts"),
        (rc_.analytics().calls().v1().accounts().timeline(), "/analytics/calls/v1/accounts/timeline"),
        (rc_.rcvideo().v2().account().extension().bridges(), "/rcvideo/v2/account/~/extension/~/bridges"),
    ],
)
def test_path(builder, path):
    assert str(builder) == path
    assert repr(builder) == f"<PathBuilder {path}>"


def test_private_names_are_no_segments():
    builder = rc_.restapi()
    assert not hasattr(builder, "_x")
    assert not hasattr(builder, "__iter__")
    assert str(copy.copy(builder)) == str(builder)


@pytest.mark.parametrize("segment", ["", ".", "..", "\ud800", 0, None, slice(1), b"a"])
def test_a_segment_in_brackets_is_text_and_leads_nowhere_else(segment):
    with pytest.raises(ConfigurationError):
        rc_.path("/x")[segment]


def test_a_builder_is_no_endless_sequence():
    with pytest.raises(ConfigurationError):
        list(rc_.path("/x"))


def test_the_name_of_the_javascript_sdk_is_answered_with_ours():
    with pytest.raises(UnknownName, match=r"called message_store here; \['messageStore'\] takes it as it is"):
        rc_.restapi().messageStore()


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
async def test_verbs(rc, api, verb):
    route = api.request(verb, "/restapi/v1.0/account/~", params={"a": "true"}).respond(json={"id": 1})
    options = {} if verb == "get" else {"json": {"b": 2}}
    builder = rc.restapi().account()
    assert await getattr(builder, verb)(params={"a": True}, headers={"X": "y"}, **options) == {"id": 1}
    request = route.calls.last.request
    assert request.headers["X"] == "y"
    assert request.content == (b"" if verb == "get" else b'{"b":2}')


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"status_code": 204}, None),
        ({"status_code": 200}, None),
        ({"json": [1]}, [1]),
        ({"content": b"[1]"}, [1]),
        ({"content": b"[1]", "content_type": "application/scim+json;charset=utf-8"}, [1]),
        ({"content": b"\x89PNG", "content_type": "image/png"}, b"\x89PNG"),
        ({"content": b"hello", "content_type": "text/plain"}, b"hello"),
    ],
)
async def test_results(rc, api, answer, result):
    api.get("/restapi/v1.0/x").respond(**answer)
    assert await rc.restapi().x.get() == result


async def test_errors(rc, api):
    api.get("/restapi/v1.0/x").respond(404, json={"errorCode": "CMN-102"})
    with pytest.raises(RestError, match="CMN-102"):
        await rc.restapi().x.get()
    api.get("/restapi/v1.0/x").respond(200, content=b"<html>", content_type="application/json")
    with pytest.raises(NotJSON):
        await rc.restapi().x.get()
