"""Where paths begin."""

from __future__ import annotations

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.rest import RingCentral

rc_ = RingCentral()


@pytest.mark.parametrize(
    ("builder", "path"),
    [
        (rc_.restapi(), "/restapi/v1.0"),
        (rc_.restapi("v2"), "/restapi/v2"),
        (rc_.restapi(None), "/restapi"),
        (rc_.scim(), "/scim/v2"),
        (rc_.scim(None), "/scim"),
        (rc_.team_messaging().v1().chats("7").posts(), "/team-messaging/v1/chats/7/posts"),
        (rc_.rcvideo().v1(), "/rcvideo/v1"),
        (rc_.webinar().configuration().v1(), "/webinar/configuration/v1"),
        (rc_.analytics(), "/analytics"),
        (rc_.ai().ringsense(), "/ai/ringsense"),
        (rc_.cx().social_messaging().v1(), "/cx/social-messaging/v1"),
        (rc_.well_known().openid_configuration(), "/.well-known/openid-configuration"),
        (rc_.path("/a/b/"), "/a/b"),
    ],
)
def test_roots(builder, path):
    assert str(builder) == path


@pytest.mark.parametrize("version", ["", 2, b"v1.0"])
def test_a_version_is_text(version):
    for root in (rc_.restapi, rc_.scim):
        with pytest.raises(ConfigurationError, match="version"):
            root(version)


async def test_a_root_is_a_path_like_any_other(rc, api):
    api.get("/.well-known/openid-configuration").respond(json={"issuer": "x"})
    assert await rc.well_known().openid_configuration().get() == {"issuer": "x"}
