from __future__ import annotations

import json

import pytest

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    ConnectTimeout,
    LoginRefused,
    RequestTimeout,
    RestError,
    TransportError,
    UpgradeRefused,
)
from rcex_ws.cli.doctor_advice import advice_for, advice_for_error
from rcex_ws.cli.doctor_steps import DoctorStep
from rcex_ws.rest import Response


def refused(status: int, code: str = "", *, kind: type[RestError] = RestError) -> RestError:
    body = json.dumps({"errors": [{"errorCode": code, "message": "No."}]}).encode()
    return kind(Response(status, {}, body), method="POST", path="/restapi/oauth/wstoken")


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (DoctorStep.LOGIN, refused(400, "OAU-251", kind=LoginRefused), "choose it in the Developer Console"),
        (DoctorStep.LOGIN, refused(401, kind=LoginRefused), "check RINGCENTRAL_CLIENT_ID"),
        (DoctorStep.LOGIN, refused(429, "CMN-301"), "wait a minute"),
        (DoctorStep.WSTOKEN, refused(403, "CMN-401"), "WebSocketsSubscriptions"),
        (DoctorStep.WSTOKEN, refused(503), "try again later"),
        (DoctorStep.WSTOKEN, refused(429), "wait a minute"),
        (DoctorStep.WSTOKEN, refused(400), "support"),
        (DoctorStep.SUBSCRIBE, refused(403, "CMN-401"), "ReadMessages"),
        (DoctorStep.SUBSCRIBE, refused(403, "SUB-505"), "rcex-ws subscriptions rm"),
        (DoctorStep.SUBSCRIBE, refused(403, "SUB-528"), "WebSocketsSubscriptions"),
        (DoctorStep.UPGRADE, UpgradeRefused(403), "Upgrade: websocket"),
        (DoctorStep.UPGRADE, UpgradeRefused(503), "try again later"),
        (DoctorStep.UPGRADE, UpgradeRefused(429), "wait a minute"),
        (DoctorStep.UPGRADE, ConnectFailed("the proxy p:1 wants a login (HTTP 407)"), "percent-encoded"),
        (DoctorStep.UPGRADE, ConnectFailed("no TLS: TLS: certificate verify failed"), "SSL_CERT_FILE"),
        (DoctorStep.NOTIFICATION, refused(403, "CMN-401"), "InternalMessages"),
        (DoctorStep.LOGIN, RequestTimeout("no answer within 15 s"), "--timeout 60"),
        (DoctorStep.WSTOKEN, ConnectFailed("no connection within 15 s"), "--timeout 60"),
        (
            DoctorStep.WSTOKEN,
            ConnectFailed("/x answered 200, which cannot be read: no JSON"),
            "captive portal",
        ),
        (DoctorStep.RECOVERY, ConnectTimeout("no new connection"), "--timeout 60"),
        (DoctorStep.DETAILS, ConnectFailed("lost before it was ready: refused WSG-1"), "refused to begin a session"),
        (DoctorStep.DETAILS, ConnectTimeout("no connection within 15 s"), "nothing came through"),
        (DoctorStep.CONNECTION, TransportError("Connection refused"), "is it still running"),
    ],
)
def test_what_to_do_depends_on_the_step_and_the_error(step: DoctorStep, error: Exception, words: str) -> None:
    assert words in advice_for_error(step, error)


def test_an_error_that_says_what_to_do_gets_no_more_advice() -> None:
    assert advice_for_error(DoctorStep.ADDRESS, ConfigurationError("HTTPS_PROXY must be a URL")) == ""


@pytest.mark.parametrize("step", DoctorStep)
def test_there_is_advice_for_each_step(step: DoctorStep) -> None:
    assert advice_for(step)
