"""What docs/blocking.md says for Django runs there: a view, called by several threads, and a management command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway

PAGE = (Path(__file__).parents[2] / "docs/blocking.md").read_text()
FILES = dict(re.findall(r"^```python\n# (shop/\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"

SETTINGS = """
from pathlib import Path
import os
BASE_DIR = Path(__file__).parent
INSTALLED_APPS = ["shop"]
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "test"
USE_TZ = True
ROOT_URLCONF = "urls"
globals().update({name: value for name, value in os.environ.items() if name.startswith("RINGCENTRAL_")})
"""
URLS = """
from django.urls import path
from shop.views import messages
urlpatterns = [path("messages", messages)]
"""
CALLS_THE_VIEW = """
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from django.test import Client
with ThreadPoolExecutor(4) as threads:
    print({answer.status_code for answer in threads.map(lambda _: Client().get("/messages"), range(12))})
print(Client().get("/messages").json())
from shop.ringcentral import rc
print(rc.stats.calls)
rc.close()
print(Client().get("/messages").status_code)
"""


@pytest.fixture
def environment(gateway: Gateway, tmp_path: Path, need: Callable[..., None]) -> dict[str, str]:
    """Write the project; return the environment of its processes."""
    try:
        import django  # noqa: F401  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        need(False, "Django", "pip install django")
    for name, text in {**FILES, "settings.py": SETTINGS, "urls.py": URLS}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for package in ("shop", "shop/management", "shop/management/commands"):
        (tmp_path / package / "__init__.py").touch()
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "DJANGO_SETTINGS_MODULE": "settings",
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }


def test_the_files_of_the_page() -> None:
    assert sorted(FILES) == ["shop/management/commands/listen.py", "shop/ringcentral.py", "shop/views.py"]


def test_the_view_is_called_by_many_threads(environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", CALLS_THE_VIEW]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.stdout.splitlines()[0] == "{200}", ended.stderr
    assert ended.stdout.splitlines()[1] == "{'messages': []}"
    assert ended.stdout.splitlines()[-1] == "503"


def test_the_command_receives_events_until_it_is_terminated(environment: dict[str, str], gateway: Gateway) -> None:
    command = [sys.executable, "-u", "-m", "django", "listen"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not gateway.notify(MESSAGES, {}):  # nobody has subscribed yet
        time.sleep(0.02)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("received /restapi/v1.0/account/")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
