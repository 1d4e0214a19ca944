"""The pages as a reader has them: found by the search, fit for a phone, light and dark, and for a language model."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "docs/_build"
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
SMALLEST_TEXT = 14  # CSS pixels, of what is read; code and captions have two less
SMALLEST_DRAWING = 0.8  # of the size that it was drawn in, else its words are too small
LEAST_CONTRAST = 4.5  # WCAG 2.1, AA

#: What is looked for, and a page that has to be among the first results.
FOUND_ON = {
    "autoRecoverFailed": "events.html",
    "heartbeat_timeout": "options.html",
    "RequestLost": "api.html",
    "fail_recovery": "faults.html",
    "SIGTERM": "service.html",
}
#: Where the results of a search lead, once it is over.
RESULTS = """
const over = /found|match/.test(document.querySelector("#search-results p")?.textContent);
return over && [...document.querySelectorAll("#search-results li a")].map(a => a.getAttribute("href"));
"""
#: What is wrong with a page on a small screen.
FAULTS = """
const faults = [], width = innerWidth, say = (what, e) => faults.push(what + ": " + e.outerHTML.slice(0, 120));
const moves = e => {  // inside a box that scrolls and is itself on the screen
  for (let box = e.parentElement; box !== document.body; box = box.parentElement)
    if (/auto|scroll/.test(getComputedStyle(box).overflowX) && box.getBoundingClientRect().right <= width + 1)
      return true;
};
const root = document.documentElement;
if (root.scrollWidth > width) faults.push("the page is " + root.scrollWidth + " wide");
for (const e of document.querySelectorAll("article *")) {
  const box = e.getBoundingClientRect();
  if (box.width && box.height && box.right > width + 1 && !moves(e)) say("leaves the screen", e);
}
for (const e of document.querySelectorAll("article pre, article table"))
  if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible" && !moves(e)) say("is cut", e);
for (const e of document.querySelectorAll("article p, article li, article td, article pre, article dt")) {
  const least = e.closest("pre, table, dl, .caption, .admonition") ? arguments[0] - 2 : arguments[0];
  if (e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < least) say("is small", e);
}
for (const e of document.querySelectorAll("article img")) {
  if (!e.complete || !e.naturalWidth) say("is missing", e);
  if (/[.]svg$/.test(e.src) && e.width < e.naturalWidth * arguments[1]) say("is shrunk to " + e.width, e);
}
return faults;
"""
#: The contrast of a paragraph with what is behind it.
CONTRAST = """
const light = colour => {
  const linear = c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const [r, g, b] = colour.match(/[\\d.]+/g).map(n => linear(n / 255));
  return .2126 * r + .7152 * g + .0722 * b;
};
const behind = e => {
  for (; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!/, 0[)]$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const all = [...document.querySelectorAll("article p, article pre span, article td, article a, article code")];
return all.filter(e => e.textContent.trim()).map(e => {
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
  return [(a + .05) / (b + .05), e.outerHTML.slice(0, 120)];
});
"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the pages; they are built anew where they are older than what they are made of."""
    for module in ("sphinx", "furo", "myst_parser"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is missing (the extra `docs`)")
    command = (sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "--jobs=2", "docs", str(BUILT))
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert built.returncode == 0, built.stderr
    handler = functools.partial(Quiet, directory=str(BUILT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.timeout(180)
def test_pages_fit_a_phone(site: str, driver: WebDriver) -> None:
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    faults = {}
    for page in PAGES:
        driver.get(f"{site}/{page}.html")
        faults[page] = driver.execute_script(FAULTS, SMALLEST_TEXT, SMALLEST_DRAWING)
    assert {page: found for page, found in faults.items() if found} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_read_in_the_light_and_in_the_dark(site: str, driver: WebDriver, scheme: str) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    for page in ("index", "events", "options", "architecture"):
        driver.get(f"{site}/{page}.html")
        pale = [found for found in driver.execute_script(CONTRAST) if found[0] < LEAST_CONTRAST]
        assert pale == [], page
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (scheme == "dark")


def test_the_search_finds_the_page(site: str, driver: WebDriver, wait: Callable[..., Any]) -> None:
    for query, page in FOUND_ON.items():
        driver.get(f"{site}/search.html?q={query}")
        found = wait(lambda: driver.execute_script(RESULTS), f"the search for {query} has found nothing")
        assert page in [re.split("[?#]", target)[0] for target in found[:5]], query


def test_language_models_get_a_map_and_every_page(site: str) -> None:
    index = (BUILT / "llms.txt").read_text()
    assert re.match(r"# rcex_ws\n\n> rcex_ws keeps .*\n\n## Tutorial\n\n- \[", index)
    links = re.findall(r"^- \[.+\]\((\S+)\): \S", index, re.MULTILINE)
    assert sorted(target.partition(".")[0] for target in links) == [
        page for page in PAGES if page != "index" and not page.startswith("api-")
    ]
    full = (BUILT / "llms-full.txt").read_text()
    for target in links:
        text = (BUILT / target).read_text()
        assert target.endswith(".html") or text in full
        assert target.endswith(".html") or not re.search(r"^```\{|\{(class|attr|meth)\}`", text, re.MULTILINE), target
    assert "| `heartbeat_timeout` | `10` |" in (BUILT / "options.md").read_text()


def test_generated_tables_fit_a_phone_and_lead_to_the_details(site: str) -> None:
    """In the files they are plain Markdown; docs/_ext/generated.py adds this."""
    assert '<table class="stacked ' in (BUILT / "options.html").read_text()
    assert 'href="api.html#rcex_ws.LoginRefused"' in (BUILT / "errors.html").read_text()
    assert 'href="#rcex_ws.feedme.FrozenDict"' in (BUILT / "api-feedme.html").read_text()
