"""The page docs/rest-extensions.md cannot go stale: its snippets are run, its tables compared with the code."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from rcex_ws.rest import (
    CallCounts,
    DebugExtension,
    EventsExtension,
    LoginRefused,
    RateLimitExtension,
    RestEvents,
    RetryExtension,
)

PAGE = (Path(__file__).parents[3] / "docs/rest-extensions.md").read_text()
LOGIN, PROGRAM, READY = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(REFUSAL,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def column(section, first):
    """Return the names in the first column of a table."""
    part = PAGE.partition(f" {section}\n")[2]
    rows = re.search(rf"^\| {first} \|.*\n\|[- |]+\|\n((?:\|.*\|\n)+)", part, re.MULTILINE)
    return [name for row in rows[1].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


@pytest.mark.parametrize("kind", [RetryExtension, RateLimitExtension, DebugExtension, EventsExtension])
def test_every_option_is_on_the_page(kind):
    options = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    assert sorted(column(kind.__name__, "option")) == sorted(options)


def test_every_event_is_on_the_page_with_its_arguments():
    assert column("EventsExtension", "event") == list(RestEvents)


def test_every_counter_is_on_the_page():
    names = column("Is the application ready for production?", "member")
    assert sorted(names) == sorted(CallCounts.__struct_fields__)


def test_the_program_runs():
    ran = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "answered: GET /restapi/v1.0/account/~/extension/~ 200" in ran.stdout
    assert "errors: 0.0 429: 0" in ran.stdout
    assert "#1 GET /restapi/v1.0/account/~/extension/~\n#1 200 in " in ran.stderr


async def test_the_login_and_the_check_for_production(make_client, grants):
    async def visit(page):
        return "CODE", dict(parse_qsl(urlsplit(page).query))["state"]

    scope = {"rc": make_client(client_secret=None), "visit": visit}
    exec(f"async def fragment():\n{textwrap.indent(LOGIN + READY, '    ')}\n    return token, ready", scope)
    token, ready = await scope["fragment"]()
    assert (token.access_token, ready) == ("ACCESS-1", True)


async def test_the_refusal_reads_as_the_page_says(make_client, api):
    body = {
        "error": "unauthorized_client",
        "errors": [{"errorCode": "OAU-251", "message": "Unauthorized for this grant type"}],
    }
    api.post("/restapi/oauth/token").mock(return_value=httpx.Response(400, json=body))
    with pytest.raises(LoginRefused) as refused:
        await make_client().authorize(jwt="J")
    assert str(refused.value) == " ".join(REFUSAL.split())
