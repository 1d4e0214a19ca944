"""A headless Chromium with a profile of its own, driven by selenium, and pages for it.

`make check` runs this folder. It needs Debian's packages chromium and chromium-driver, and the extra `browser`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIME_LIMIT = 15.0


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[WebDriver]:
    """A browser; what goes wrong in its pages fails the test, but for connections that fail."""
    _need(shutil.which("chromium"), "chromium (Debian's package of that name)")
    _need(shutil.which("chromedriver"), "chromedriver (Debian's package chromium-driver)")
    _need(importlib.util.find_spec("selenium"), "selenium (the extra `browser`)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # `clean_environment` has removed the proxies from os.environ; HOME is where Debian's start script writes to.
    service = Service(shutil.which("chromedriver"), env={**os.environ, "HOME": str(tmp_path)})
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(TIME_LIMIT)
        driver.set_script_timeout(TIME_LIMIT)
        yield driver
        logged = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert [line for line in logged if "WebSocket connection to" not in line and "net::ERR_" not in line] == []
    finally:
        driver.quit()


@pytest.fixture
def wait() -> Callable[..., Any]:
    """Wait until a condition holds, and give what it returned; a page that is being drawn anew does not count."""

    def wait(condition: Callable[[], Any], what: str = "the condition never came") -> Any:
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

        deadline = time.monotonic() + TIME_LIMIT
        while True:
            try:
                value = condition()
            except (NoSuchElementException, StaleElementReferenceException):
                value = None
            if value:
                return value
            assert time.monotonic() < deadline, what
            time.sleep(0.05)

    return wait


def _need(present: object, what: str) -> None:
    if not present:
        if os.environ.get("RCEX_REQUIRE_PEERS") == "1":
            pytest.fail(f"{what} is missing")
        pytest.skip(f"{what} is missing")
