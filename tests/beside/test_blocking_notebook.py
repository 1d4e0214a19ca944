"""What docs/blocking.md says of notebooks holds in a kernel: a cell waits, Interrupt ends that, a coroutine may not."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rcex_ws.gateway import Gateway

PAGE = (Path(__file__).parents[2] / "docs/blocking.md").read_text()
CELL = re.findall(r"^```python\n(.*?)^```$", PAGE.partition("## In a notebook")[2], re.MULTILINE | re.DOTALL)[0]

#: Runs cells one after the other, and prints how each ended. Apart, since the client of Jupyter warns of this and that.
RUNS_CELLS = """
import sys, threading
from jupyter_client.manager import KernelManager
kernel = KernelManager(kernel_name="python3")
kernel.start_kernel()
client = kernel.client()
client.start_channels()
client.wait_for_ready(timeout=30)
def show(message):
    content = message["content"]
    print(content.get("ename") or content.get("text", ""), end="", flush=True)
    if content.get("text") == "waits\\n":
        kernel.interrupt_kernel()
for cell in sys.stdin.read().split("# ----"):
    print(client.execute_interactive(cell, timeout=30, output_hook=show)["content"]["status"], flush=True)
client.stop_channels()
kernel.shutdown_kernel(now=True)
"""
CELLS = [
    "import asyncio; asyncio.get_running_loop(); print('in a loop')",
    CELL,
    "print(rc.get('/restapi/v1.0/account/~/extension/~').status_code)",
    "subscription = ws_ext.subscribe(['/restapi/v1.0/account/~/extension/~/presence'])\nprint('waits', flush=True)\n"
    "for notification in subscription: pass",
    "async def call(): rc.get('/x')\nawait call()",
    "rc.close(); print(ws_ext.state)",
]


def test_a_real_kernel(gateway: Gateway, need: Callable[..., None]) -> None:
    for package in ("ipykernel", "jupyter_client"):
        need(importlib.util.find_spec(package) is not None, package, f"pip install {package}")
    credentials = {
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }
    ended = subprocess.run(
        [sys.executable, "-c", RUNS_CELLS],
        input="# ----".join(CELLS),
        env=os.environ | credentials,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout.split() == [
        *("in", "a", "loop", "ok"),
        "ok",
        *("200", "ok"),
        *("waits", "KeyboardInterrupterror"),
        "ConfigurationErrorerror",
        *("closed", "ok"),
    ], ended.stderr
