"""The console of the gateway: what a client does is seen at once, and a command given on the page is carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from rcex_ws import RestError, RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"
INJECTED = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
ROWS = "return [...document.querySelectorAll('#entries li:not([hidden])')].map((row) => row.textContent)"
ORDER = """
    const form = document.querySelector(`[data-command="${arguments[0]}"]`);
    for (const [name, value] of Object.entries(arguments[1])) form.elements[name].value = value;
    form.querySelector("button").click();
"""


class Console:
    """The page, in a tab.

    Args:
        driver: the browser.
        url: the address of the gateway.
    """

    def __init__(self, driver: WebDriver, url: str) -> None:
        self.driver = driver
        driver.get(url)

    def text(self, where: str) -> str:
        """Return the text of an element, "" as long as it is not there."""
        found: str = self.driver.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", where)
        return found

    def rows(self) -> list[str]:
        found: list[str] = self.driver.execute_script(ROWS)
        return found

    def has_row(self, *words: str) -> bool:
        return any(all(word in row for word in words) for row in self.rows())

    def command(self, name: str, **fields: str) -> None:
        self.driver.execute_script(ORDER, name, fields)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(nodes=2) as gateway:
        yield gateway


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@contextmanager
def program(portal: BlockingPortal, gateway: Gateway) -> Iterator[tuple[RingCentral, WebSocketExtension]]:
    """Run a client that has subscribed to its messages."""
    rc = RingCentral(server=gateway.server, client_id=gateway.client_id, client_secret=gateway.client_secret)
    extension = WebSocketExtension(rest_over_websocket=True, reconnect_delays=lambda _: 0.5)

    async def start() -> None:
        await rc.authorize(jwt=gateway.jwt)
        await rc.install_extension(extension)
        await extension.subscribe([MESSAGES], lambda _: None)

    portal.call(start)
    try:
        yield rc, extension
    finally:
        portal.call(rc.aclose)


def test_a_client_is_cut_off_and_its_buffer_fills_and_it_recovers(
    driver: WebDriver, wait: Callable[..., Any], gateway: Gateway, portal: BlockingPortal
) -> None:
    console = Console(driver, gateway.server)
    wait(lambda: console.text("#link") == "live", "the page is not live")
    wait(lambda: "Nobody is connected." in console.text("#sessions"), "nor that nobody is there")
    with program(portal, gateway) as (_, extension):
        wait(lambda: "connection #1" in console.text("#sessions"), "the session is not shown")
        wait(lambda: "message-store" in console.text("#sessions .filters"), "nor its filters")
        wait(lambda: console.has_row("connect", "#1"), "nor that it has connected")
        wait(lambda: console.has_row("→ frame", "POST /restapi/v1.0/subscription"), "nor its frames")

        console.command("refuse", where="wstoken", status="503", times="")
        console.command("refuse", where="upgrade", status="503", times="1000")
        wait(lambda: "upgrade, 1000 times" in console.text("#faults"), "the fault is not shown")
        console.command("cut")
        wait(lambda: console.text('[data-command="cut"] output') == "1", "the cut is not confirmed")
        wait(lambda: "away" in console.text("#sessions"), "the loss is not shown")
        gateway.notify(MESSAGES, {"changes": []})
        gateway.notify(MESSAGES, {"changes": []})
        wait(lambda: "buffered: 2 of 100" in console.text("#sessions"), "the buffer is not shown")
        assert "s left to recover" in console.text("#sessions")

        console.command("clear_faults")
        wait(lambda: "None." in console.text("#faults"), "the faults are still there")
        wait(lambda: console.has_row("recovered", "replayed=2"), "it does not recover")
        wait(lambda: "away" not in console.text("#sessions"), "it is still shown as lost")
        assert portal.call(extension.request, "GET", MESSAGES).via == "websocket"
    wait(lambda: "Nobody is connected." in console.text("#sessions"), "the end is not shown")


def test_what_is_shown_can_be_chosen_and_stopped(
    driver: WebDriver, wait: Callable[..., Any], gateway: Gateway, portal: BlockingPortal
) -> None:
    console = Console(driver, gateway.server)
    wait(lambda: console.text("#link") == "live", "the page is not live")
    with program(portal, gateway):
        wait(lambda: console.has_row("← frame"), "no frame is shown")
        driver.execute_script("document.getElementById('frames').click()")
        assert not console.has_row("frame")
        driver.execute_script("""
            const of = document.getElementById('of');
            of.value = 'http';
            of.dispatchEvent(new Event('change'));
        """)
        assert all("http" in row for row in console.rows())
        assert console.has_row("wstoken")
        driver.execute_script("document.getElementById('pause').click()")
        before = console.rows()
        console.command("notify", event=MESSAGES, body='{"a": 1}')
        wait(lambda: console.text('[data-command="notify"] output'), "the command is not answered")
        assert console.rows() == before


def test_what_a_client_sends_is_never_taken_as_html(
    driver: WebDriver, wait: Callable[..., Any], gateway: Gateway, portal: BlockingPortal
) -> None:
    console = Console(driver, gateway.server)
    wait(lambda: console.text("#link") == "live", "the page is not live")
    with program(portal, gateway) as (_, extension):
        note = {"text": INJECTED, "to": [{"extensionNumber": "101"}]}
        portal.call(lambda: extension.request("POST", MESSAGES.replace("message-store", "company-pager"), json=note))
        portal.call(lambda: extension.subscribe([f"{MESSAGES}?type=<b>{INJECTED}"]))
        gateway.refuse("upgrade", error_code=INJECTED)
        wait(lambda: "onerror" in console.text("#entries") and "<b>" in console.text("#sessions"), "it is not shown")
        wait(lambda: "onerror" in console.text("#faults"), "nor in the faults")
    assert driver.execute_script("return window.hacked") is None
    assert driver.execute_script("return document.querySelectorAll('main img, main script, main b b').length") == 0


def test_credentials_are_shown_when_asked_for_and_a_wrong_command_is_explained(
    driver: WebDriver, wait: Callable[..., Any], gateway: Gateway
) -> None:
    console = Console(driver, gateway.server)
    assert gateway.jwt not in driver.page_source
    driver.execute_script("document.getElementById('credentials').click()")
    wait(lambda: f"RINGCENTRAL_JWT={gateway.jwt}" in console.text("#env-text"), "the credentials are not shown")
    driver.execute_script("document.getElementById('credentials').click()")
    assert console.text("#env-text") == ""
    console.command("cut", code="99")
    wait(lambda: "code" in console.text('[data-command="cut"] output'), "the refusal is not explained")
    (logged,) = driver.get_log("browser")
    assert "400" in logged["message"]


def test_the_page_finds_a_gateway_that_was_started_again(driver: WebDriver, wait: Callable[..., Any]) -> None:
    with Gateway() as first:
        port = int(first.server.rpartition(":")[2])
        console = Console(driver, first.server)
        wait(lambda: console.text("#link") == "live", "the page is not live")
    wait(lambda: console.text("#link") == "not reachable", "the end is not shown")
    with Gateway(port=port) as second:
        wait(lambda: console.text("#link") == "live", "the page does not come back")
        second.refuse("upgrade")
        second.cut()
        console.command("cut")
        wait(lambda: "refuse upgrade" in console.text("#faults"), "the page shows the old gateway")


def test_what_is_not_there_is_shown_and_a_gateway_that_has_ended_is_told(
    driver: WebDriver, wait: Callable[..., Any], portal: BlockingPortal
) -> None:
    with Gateway() as gateway:
        console = Console(driver, gateway.server)
        wait(lambda: console.text("#link") == "live", "the page is not live")
        with program(portal, gateway) as (rc, _):

            def ask_for(name: str) -> None:
                with pytest.raises(RestError, match="404"):
                    portal.call(rc.get, f"/restapi/v1.0/account/~/{name}")
                wait(lambda: console.has_row("request", f"/{name} → 404"), "the request is not shown")

            ask_for("sites")
            wait(lambda: "GET /restapi/v1.0/account/~/sites" in console.text("#misses"), "it is no near miss")
            ask_for("sights")
    # The second one was to be looked up a moment later. An error of that fails the test in the end.
    wait(lambda: console.text("#link") == "not reachable", "the end is not shown")
    driver.execute_script("document.getElementById('credentials').click()")
    wait(lambda: console.text("#env-text") == "the gateway is not reachable", "nor why there are no credentials")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(
    driver: WebDriver, wait: Callable[..., Any], gateway: Gateway, width: int
) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    gateway.notify(f"{MESSAGES}/{'x.' * 150}", {})
    gateway.refuse("GET /" + "y." * 150)
    console = Console(driver, gateway.server)
    wait(lambda: "y.y." in console.text("#faults") and console.has_row("unmatched"), "it is not shown")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("command", "row"), [("receive_sms", "message-store"), ("ring", "telephony"), ("receive_post", "posts")]
)
def test_something_for_oneself(
    driver: WebDriver, wait: Callable[..., Any], gateway: Gateway, command: str, row: str
) -> None:
    if not hasattr(gateway, command):
        pytest.skip(f"there is no {command}")
    console = Console(driver, gateway.server)
    console.command(command)
    wait(
        lambda: "tone-good" in driver.page_source.partition(f'data-command="{command}"')[2].partition("</form>")[0], row
    )
