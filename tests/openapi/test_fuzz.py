"""The document of the REST API, judged by the programs of others: it is valid, and requests made from it are answered
as it says.

`make check` runs this folder. It needs the extra `openapi`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from rcex_ws.gateway import Gateway
from rcex_ws.gateway.api.application import AREAS

SECONDS = 30
"""For the edges of each parameter and member first, then for what is made up at random, again and again."""
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXTENSION = "/restapi/v1.0/account/~/extension/~"


@pytest.fixture(autouse=True)
def _needs_the_extra() -> None:
    if importlib.util.find_spec("schemathesis") is None or importlib.util.find_spec("openapi_spec_validator") is None:
        if os.environ.get("RCEX_REQUIRE_PEERS") == "1":
            pytest.fail("schemathesis or openapi-spec-validator is missing (the extra `openapi`)")
        pytest.skip("schemathesis or openapi-spec-validator is missing (the extra `openapi`)")


def test_the_document_is_valid() -> None:
    import openapi_spec_validator

    with Gateway() as gateway:
        openapi_spec_validator.validate(httpx.get(f"{gateway.server}/openapi.json").json())


def test_made_up_requests_are_answered_as_the_document_says(tmp_path: Path) -> None:
    with Gateway(max_oauth_sessions=1000) as gateway:
        token = log_in(gateway)
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.server}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}"),
            *("--phases", "coverage,fuzzing", "--checks", ",".join(CHECKS)),
            *("--seed", "1", "--max-time", str(SECONDS), "--max-examples", "5"),
            *("--warnings", "off", "--no-color", "--suppress-health-check", "all", "--request-timeout", "10"),
        ]
        environment = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.openapi.hooks",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=55)
        journal = gateway.log()
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    operations = sum(1 for area in AREAS for _ in area)
    assert f"Tested: {operations}\n" in done.stdout
    answered = {(one["method"], one["status"] // 100) for one in journal if one["kind"] == "request"}
    assert {("GET", 2), ("GET", 4), ("POST", 2), ("POST", 4)} <= answered, "the requests do not get anywhere"


def log_in(gateway: Gateway) -> str:
    """Return an access token of a user who has a message."""
    form = {"grant_type": JWT_GRANT, "assertion": gateway.jwt}
    with httpx.Client(base_url=gateway.server) as http:
        answer = http.post("/restapi/oauth/token", data=form, auth=(gateway.client_id, gateway.client_secret))
        token = answer.raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        message = {"text": "hello", "to": [{"extensionNumber": "101"}]}
        http.post(f"{EXTENSION}/company-pager", json=message).raise_for_status()
    return str(token)
