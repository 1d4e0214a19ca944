"""Take the picture of the console that is in the README: a program that is away, while messages come for it.

    .venv/bin/python docs/console/shoot.py

It needs Debian's packages chromium and chromium-driver, and the extras `gateway` and `browser`.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import anyio
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from rcex_ws import RingCentral, WebSocketExtension
from rcex_ws.gateway import Gateway

PICTURE = Path(__file__).parents[1] / "images/console.png"
FILTERS = [
    "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS",
    "/restapi/v1.0/account/~/extension/~/message-store",
    "/restapi/v1.0/account/~/extension/~/presence",
]


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description="Take the picture of the console that is in the README.")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1000, help="0 for the whole page")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("picture", nargs="?", type=Path, default=PICTURE)
    wanted = parser.parse_args()
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    with Gateway(port=8080, ws_port=8081, nodes=2) as gateway:
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            resize(driver, wanted.width, wanted.height or 1000)
            scheme = {"name": "prefers-color-scheme", "value": "dark" if wanted.dark else "light"}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            driver.get(gateway.server)
            anyio.run(live, gateway)
            time.sleep(0.5)  # the page is told
            if not wanted.height:
                resize(driver, wanted.width, driver.execute_script("return document.documentElement.scrollHeight"))
            wanted.picture.parent.mkdir(exist_ok=True)
            driver.save_screenshot(str(wanted.picture))
        finally:
            driver.quit()
    Image.open(wanted.picture).convert("RGB").quantize(256).save(wanted.picture, optimize=True)


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """Make the page this large, in pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


async def live(gateway: Gateway) -> None:
    """Let Ada be away, by a lost network, while Bob writes to her."""
    app = {"client_id": gateway.client_id, "client_secret": gateway.client_secret}
    async with RingCentral(server=gateway.server, **app) as bob, RingCentral(server=gateway.server, **app) as ada:
        await bob.authorize(jwt=gateway.users[1].jwt)
        await ada.authorize(jwt=gateway.jwt)
        extension = WebSocketExtension(rest_over_websocket=True)
        await ada.install_extension(extension)
        await extension.subscribe(FILTERS)
        await ada.get("/restapi/v1.0/account/~/extension/~")
        gateway.refuse("wstoken", 503, times=None, retry_after=60)
        gateway.refuse("upgrade", 503, times=None, retry_after=60)
        gateway.cut()
        for text in ("Are you there?", "I have called you twice.", "Call me back."):
            note = {"text": text, "to": [{"extensionNumber": "101"}]}
            await bob.post("/restapi/v1.0/account/~/extension/~/company-pager", json=note)
        await extension.detach()


if __name__ == "__main__":
    main()
