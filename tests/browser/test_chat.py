"""demo/chat_web as people use it: several users in several tabs, lost connections, a server that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rcex_ws.testing import FaultProxy
from tests.redis_server import RedisServer, redis_is_installed

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

PROGRAM = Path(__file__).parents[2] / "demo/chat_web/app.py"
INJECTED = "<img src=x onerror=\"window.hacked=1\"> <b>bold</b> & 'co'"


class Server:
    """A process of the application.

    Attributes:
        process: the process.
        url: the address of the page.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running(*options: str, port: int = 0) -> Iterator[Server]:
    """Run the application."""
    command = [sys.executable, "-W", "error", str(PROGRAM), f"--port={port}", *options]
    environment = {**os.environ, "CHAT_SECRET": "the same at all servers"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


class Tab:
    """A tab in which a user is logged in.

    Args:
        driver: the browser.
        wait: waits for a condition.
        url: the address of the page.
        name: of the user.
    """

    def __init__(self, driver: WebDriver, wait: Callable[..., Any], url: str, name: str) -> None:
        driver.switch_to.new_window("tab")
        self._driver = driver
        self._wait = wait
        self._handle = driver.current_window_handle
        driver.get(url)
        wait(lambda: driver.execute_script(CLICK, "#names button", name), f"there is no button for {name}")
        wait(lambda: self.state == "", f"{name} does not come in")

    @property
    def driver(self) -> WebDriver:
        """The browser, with this tab in front."""
        self._driver.switch_to.window(self._handle)
        return self._driver

    @property
    def state(self) -> str | None:
        """What the page says of its connection; "" if there is one, None if nobody is logged in."""
        return self.driver.execute_script(
            "const chat = document.getElementById('chat');"
            "return chat.hidden || !('state' in chat.dataset) ? null : document.getElementById('state').textContent"
        )

    @property
    def messages(self) -> list[str]:
        """The messages on the screen; those that the server has not taken yet begin with "..."."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('.message')].map((message) =>"
            "(message.classList.contains('pending') ? '...' : '') + message.querySelector('.text').textContent)"
        )

    @property
    def people(self) -> list[str]:
        """What the list of conversations says: name, hint and number of unread messages; "-" for who is away."""
        return self.driver.execute_script(PEOPLE)

    def open(self, name: str) -> None:
        """Open the conversation with a user, or with everyone."""
        self._wait(lambda: self.driver.execute_script(CLICK, "#conversations button", name))

    def say(self, text: str) -> None:
        """Type a message and send it."""
        self.driver.find_element("id", "text").send_keys(f"{text}\n")

    def sees(self, *messages: str) -> None:
        """Wait until exactly these messages are on the screen."""
        self._wait(lambda: self.messages == [*messages], f"{messages} never came")

    def lists(self, *people: str) -> None:
        """Wait until the list of conversations says this."""
        self._wait(lambda: self.people == [*people], f"{people} never came")


PEOPLE = """
    return [...document.querySelectorAll("#conversations li")].map((line) => {
        const words = [...line.querySelectorAll(".name, .hint, .badge")].map((part) => part.textContent).join(" ");
        return line.className === "away" ? `-${words}` : words;
    });
"""
CLICK = """
    const [selector, name] = arguments;
    const found = [...document.querySelectorAll(selector)].find(
        (button) => button.querySelector(".name").textContent.toLowerCase() === name);
    found?.click();
    return Boolean(found);
"""
#: Keep a page from doing anything later, such as connecting again by itself, and allow it again.
NEVER_LATER = "window.later = setTimeout; setTimeout = () => 0;"
LATER = "setTimeout = later;"

LogIn = Callable[[str, str], Tab]


@pytest.fixture
def log_in(driver: WebDriver, wait: Callable[..., Any]) -> LogIn:
    """Log a user in, in a new tab."""
    return lambda url, name: Tab(driver, wait, url, name)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def test_three_users_and_one_of_them_twice(server: Server, log_in: LogIn) -> None:
    ann, ben, cleo = (log_in(server.url, name) for name in ("ann", "ben", "cleo"))
    second = log_in(server.url, "ann")
    ann.lists("Everyone", "ann you, 2 tabs", "ben", "cleo", "-dan")
    ann.say("Hello all")
    for tab in (ann, ben, cleo, second):
        tab.sees("Hello all")

    ben.open("ann")
    ben.say("Just for you")
    ben.sees("Just for you")
    for tab in (ann, second):
        tab.lists("Everyone", "ann you, 2 tabs", "ben 1", "cleo", "-dan")
        tab.open("ben")
        tab.sees("Just for you")
        tab.lists("Everyone", "ann you, 2 tabs", "ben", "cleo", "-dan")
    second.say("Thanks, Ben")
    for tab in (ann, ben, second):
        tab.sees("Just for you", "Thanks, Ben")
    cleo.sees("Hello all")
    cleo.lists("Everyone", "ann", "ben", "cleo you", "-dan")

    cleo.driver.refresh()  # the page asks for what was said
    cleo.sees("Hello all")
    second.driver.close()
    ann.lists("Everyone", "ann you", "ben", "cleo", "-dan")


def test_what_people_type_is_text(server: Server, log_in: LogIn) -> None:
    ann, ben = log_in(server.url, "ann"), log_in(server.url, "ben")
    ann.say(INJECTED)
    for tab in (ann, ben):
        tab.sees(INJECTED)
        assert tab.driver.execute_script("return document.querySelectorAll('img, b').length") == 0
        assert tab.driver.execute_script("return window.hacked === undefined")


def test_a_cut_connection(server: Server, log_in: LogIn, wait: Callable[..., Any]) -> None:
    with FaultProxy.to(server.url) as network:
        ann, ben = log_in(network.url(server.url), "ann"), log_in(server.url, "ben")
        ben.open("ann")
        ben.say("Psst")
        ann.lists("Everyone", "ann you", "ben 1", "-cleo", "-dan")
        ben.open("everyone")
        ann.say("One")
        ben.sees("One")
        ann.driver.execute_script(NEVER_LATER)  # nothing but the click can bring it back
        network.refuse()
        network.cut()
        wait(lambda: "Offline: the connection was lost. Trying again in" in (ann.state or ""))
        ben.lists("Everyone", "-ann", "ben you", "-cleo", "-dan")
        ben.say("Two")
        ben.sees("One", "Two")
        ann.say("Three")
        ann.sees("One", "...Three")
        network.accept()
        ann.driver.find_element("id", "again").click()
        for tab in (ann, ben):
            wait(lambda tab=tab: sorted(tab.messages) == ["One", "Three", "Two"], "they never came")
        wait(lambda: ann.state == "")
        ann.driver.execute_script(LATER)
        network.cut()  # without a click it comes back as well
        ben.say("Four")
        wait(lambda: ann.messages[-1] == "Four" and ann.state == "")
        assert len(ann.messages) == 4
        ann.lists("Everyone", "ann you", "ben 1", "-cleo", "-dan")  # what it had got before counts once


def test_a_wrong_token(server: Server, log_in: LogIn, wait: Callable[..., Any]) -> None:
    ann = log_in(server.url, "ann")
    forged = '{"name": "ben", "token": "ben.0123456789abcdef"}'
    ann.driver.execute_script("sessionStorage.setItem('chat', arguments[0]); location.reload()", forged)
    wait(lambda: ann.driver.find_element("id", "why").is_displayed())
    assert ann.driver.find_element("id", "why").text == (
        "This login is not valid here (any more). Please log in again."
    )
    assert not ann.driver.find_element("id", "chat").is_displayed()
    wait(lambda: ann.driver.execute_script(CLICK, "#names button", "ben"))
    ann.lists("Everyone", "-ann", "ben you", "-cleo", "-dan")


def test_one_of_two_servers_is_killed(
    log_in: LogIn, wait: Callable[..., Any], need: Callable[[bool, str], None]
) -> None:
    need(redis_is_installed(), "redis-server (Debian's package of that name)")
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        first, second = (stack.enter_context(running(f"--redis={redis.url}")) for _ in range(2))
        balancer = stack.enter_context(FaultProxy.to(first.url))
        ann, ben = log_in(balancer.url(first.url), "ann"), log_in(second.url, "ben")
        ann.lists("Everyone", "ann you", "ben", "-cleo", "-dan")
        ann.say("From the first server")
        ben.sees("From the first server")
        first.kill()
        ben.say("While ann was away")
        wait(lambda: "Offline" in (ann.state or ""))
        balancer.retarget(second.url)
        ann.sees("From the first server", "While ann was away")
        ann.say("From the second server")
        for tab in (ann, ben):
            tab.sees("From the first server", "While ann was away", "From the second server")
        ann.lists("Everyone", "ann you", "ben", "-cleo", "-dan")
