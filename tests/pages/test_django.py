"""What docs/django.md says runs there: views called by several threads, the command, and the page's own tests."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rcex_ws.gateway import Gateway

PAGE = (Path(__file__).parents[2] / "docs/django.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {text.split()[1]: text for text in BLOCKS if text.startswith("# shop/")}
SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
INSTALLED_APPS = ["shop"]
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "test"
USE_TZ = True
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
"""
URLS = """
from django.urls import path
from shop.views import messages, send
urlpatterns = [path("messages", messages), path("send", send)]
"""
CALLS_THE_VIEWS = """
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from django.test import Client
with ThreadPoolExecutor(4) as threads:
    print({answer.status_code for answer in threads.map(lambda _: Client().get("/messages"), range(12))})
print(Client().get("/messages").json())
print(Client().post("/send", {"from": "+1", "to": "+2", "text": "x"}).status_code)
from shop.ringcentral import ringcentral
ringcentral().close()
print(Client().get("/messages").status_code)
"""


class Site:
    """The project of the page, and programs in it."""

    def __init__(self, folder: Path, gateway: Gateway) -> None:
        self.folder = folder
        for name, text in {**FILES, "settings.py": SETTINGS + "".join(settings()), "urls.py": URLS}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for package in ("shop", "shop/management", "shop/management/commands"):
            (folder / package / "__init__.py").touch()
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
            "DJANGO_SETTINGS_MODULE": "settings",
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT": gateway.jwt,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            told, _ = process.communicate(timeout=50)
        return process.returncode, told

    def texts(self) -> list[str]:
        with sqlite3.connect(self.folder / "db.sqlite3") as database:
            return [text for (text,) in database.execute("SELECT text FROM shop_message ORDER BY id")]


def settings() -> list[str]:
    """Return what the page adds to settings.py."""
    return [text for text in BLOCKS if not text.startswith("# shop/")]


@pytest.fixture
def site(gateway: Gateway, tmp_path: Path, need: Callable[..., None]) -> Site:
    try:
        import django  # noqa: F401  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        need(False, "Django", "pip install django")
    return Site(tmp_path, gateway)


def test_the_views_are_called_by_many_threads(site: Site) -> None:
    code, told = site.run("-c", CALLS_THE_VIEWS)
    assert code == 0, told
    lines = [line for line in told.splitlines() if line[0] in "{25"]
    assert lines == ["{200}", "{'messages': []}", "502", "502"]


def test_the_tests_of_the_page(site: Site) -> None:
    code, told = site.run("-m", "django", "test")
    assert code == 0, told
    assert "Ran 2 tests" in told


def until_listening(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line == "listening\n":
            return


def test_the_command_stores_what_comes_and_what_came_while_it_was_away(site: Site, gateway: Gateway) -> None:
    assert site.run("-m", "django", "migrate", "--run-syncdb")[0] == 0
    with site.start("-m", "django", "listen") as process:
        until_listening(process)
        gateway.receive_sms("one")
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
    assert process.returncode == 0, told
    gateway.receive_sms("two")
    with site.start("-m", "django", "listen") as process:
        until_listening(process)
        process.kill()
        process.communicate()
    gateway.receive_sms("three")
    gateway.fail_recovery()
    with site.start("-m", "django", "listen") as process:
        until_listening(process)
        gateway.receive_sms("four")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=20)
    assert process.returncode == 0, told
    assert site.texts() == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    ("code", "setting"), [(78, {"RINGCENTRAL_JWT": "wrong"}), (75, {"RINGCENTRAL_SERVER_URL": "http://127.0.0.1:9"})]
)
def test_a_refused_login_and_an_outage_have_exit_codes_of_their_own(
    site: Site, code: int, setting: dict[str, str]
) -> None:
    site.environment |= setting
    assert site.run("-m", "django", "listen")[0] == code
