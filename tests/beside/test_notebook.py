"""A notebook: cells with top-level await in a kernel (ipykernel), which is interrupted and started again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rcex_ws.gateway import Gateway
from tests.demo.conftest import account_of

TIME_LIMIT = 30.0

IMPORTS = """
import os
from rcex_ws import FileSessionStore, FileTokenStore, RingCentral, WebSocketExtension

EXTENSION = "/restapi/v1.0/account/~/extension/~"
"""
CONNECT = """
rc = RingCentral(
    server=os.environ["RINGCENTRAL_SERVER_URL"],
    client_id=os.environ["RINGCENTRAL_CLIENT_ID"],
    client_secret=os.environ["RINGCENTRAL_CLIENT_SECRET"],
    token_store=FileTokenStore("token.json"),
)
await rc.authorize(jwt=os.environ["RINGCENTRAL_JWT"])
ws_ext = WebSocketExtension(rest_over_websocket=True, session_store=FileSessionStore("session.json"))
await rc.install_extension(ws_ext)
ws_ext.state
"""
SUBSCRIBE = """
subscription = await ws_ext.subscribe([f"{EXTENSION}/message-store"])
ws_ext.last_recovery and ws_ext.last_recovery.outcome
"""
WAIT = """
async for notification in subscription:
    break
notification.body["changes"][0]["type"]
"""
CALL = "(await rc.get(EXTENSION)).via"


class CellFailed(Exception):
    """What a cell raised: the name of the exception, and its text."""


class Notebook:
    """A kernel, and the client that runs cells in it.

    Args:
        folder: where it runs.
        environment: of the kernel.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        from jupyter_client.manager import KernelManager  # not above: it may be missing

        self.printed = ""
        self._kernel = KernelManager(kernel_name="python3")
        self._kernel.start_kernel(cwd=str(folder), env=environment, extra_arguments=["--HistoryManager.enabled=False"])
        self._client = self._kernel.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIME_LIMIT)

    def run(self, code: str) -> str:
        """Run a cell; give its value as the notebook shows it."""
        return self.result(self._send(code))

    def begin(self, code: str) -> str:
        """Send a cell, and return when it has printed something: before that nothing of it can be interrupted."""
        cell = self._send(code)
        while self._next_output(cell)["msg_type"] != "stream":
            pass
        return cell

    def result(self, cell: str) -> str:
        """Wait for the end of a cell; give its value."""
        value = ""
        while True:
            message = self._next_output(cell)
            content = message["content"]
            match message["msg_type"]:
                case "execute_result":
                    value = content["data"]["text/plain"]
                case "stream":
                    self.printed += content["text"]
                case "error":
                    raise CellFailed(content["ename"], content["evalue"])
                case "status" if content["execution_state"] == "idle":
                    return value

    def interrupt(self) -> None:
        self._kernel.interrupt_kernel()

    def restart(self) -> None:
        self._kernel.restart_kernel()
        self._client.wait_for_ready(timeout=TIME_LIMIT)

    def end(self) -> None:
        self._client.stop_channels()
        self._kernel.shutdown_kernel()

    def _send(self, code: str) -> str:
        return str(self._client.execute(code, stop_on_error=False))

    def _next_output(self, cell: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = self._client.get_iopub_msg(timeout=TIME_LIMIT)
            if message["parent_header"].get("msg_id") == cell:
                return message


@pytest.fixture
def notebook(tmp_path: Path, gateway: Gateway, need: Callable[[bool, str, str], None]) -> Iterator[Notebook]:
    here = all(find_spec(name) for name in ("ipykernel", "jupyter_client"))
    need(here, "a notebook's kernel", "pip install ipykernel jupyter_client")
    settings = {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    notebook = Notebook(tmp_path, {**os.environ, **account_of(gateway), **settings})
    yield notebook
    notebook.end()


def test_cells(notebook: Notebook, gateway: Gateway) -> None:
    notebook.run(IMPORTS)
    assert "READY" in notebook.run(CONNECT)
    assert notebook.run(SUBSCRIBE) == ""
    assert notebook.run(CALL) == "'websocket'"
    gateway.receive_sms()  # between two cells
    assert notebook.run(WAIT) == "'SMS'"

    # A cell that waits is interrupted; the client lives on, with its place in the stream of events.
    cell = notebook.begin(f'print("waiting"){WAIT}')
    notebook.interrupt()
    with pytest.raises(CellFailed, match=r"KeyboardInterrupt|CancelledError"):
        notebook.result(cell)
    assert notebook.run(CALL) == "'websocket'"
    gateway.receive_fax()
    assert notebook.run(WAIT) == "'Fax'"

    # So it does when no cell runs, or one that blocks the loop, as notebooks do.
    notebook.interrupt()
    cell = notebook.begin('import time\nprint("sleeping")\ntime.sleep(60)')
    notebook.interrupt()
    with pytest.raises(CellFailed, match="KeyboardInterrupt"):
        notebook.result(cell)
    assert notebook.run(CALL) == "'websocket'"

    # The connection is kept between the cells, and comes back between them.
    gateway.cut()
    gateway.receive_sms()
    assert notebook.run(WAIT) == "'SMS'"

    # What belongs into a program, where no loop runs yet, says so.
    with pytest.raises(CellFailed, match=r"RuntimeError.*[Aa]lready running asyncio in this thread"):
        notebook.run("import anyio\nanyio.run(rc.get, EXTENSION)")
    assert notebook.run(CALL) == "'websocket'"

    # The cell that connects is run once more, as everybody does: the old client is in the way, and is named.
    with pytest.raises(CellFailed, match=r"session\.json is in use by .* another extension"):
        notebook.run(CONNECT)

    notebook.run("await rc.aclose()")
    assert "Traceback" not in notebook.printed


def test_a_kernel_that_is_started_again_continues(notebook: Notebook, gateway: Gateway) -> None:
    for cell in (IMPORTS, CONNECT, SUBSCRIBE):
        notebook.run(cell)
    notebook.run("await rc.aclose()")  # in order, and again
    gateway.receive_sms()
    notebook.run(CONNECT)
    assert "recovered" in notebook.run(SUBSCRIBE)
    assert notebook.run(WAIT) == "'SMS'"
    notebook.restart()
    gateway.receive_fax()
    notebook.run(IMPORTS)
    notebook.run(CONNECT)
    assert "recovered" in notebook.run(SUBSCRIBE)
    assert notebook.run(WAIT) == "'Fax'"
    assert [entry["kind"] for entry in gateway.log()].count("token") == 1


def test_the_blocking_client(notebook: Notebook, gateway: Gateway) -> None:
    notebook.run(IMPORTS)
    cells = (CONNECT + SUBSCRIBE).replace("await ", "")
    notebook.run(f"from rcex_ws.blocking import RingCentral, WebSocketExtension\n{cells}")
    assert notebook.run(CALL.replace("await ", "")) == "'websocket'"
    cell = notebook.begin('print("waiting")\nsubscription.next()')
    notebook.interrupt()
    with pytest.raises(CellFailed, match="KeyboardInterrupt"):
        notebook.result(cell)
    gateway.receive_fax()
    assert notebook.run("subscription.next(timeout=20).body['changes'][0]['type']") == "'Fax'"
    with pytest.raises(CellFailed, match=r"ConfigurationError.*running event loop"):
        notebook.run("async def main():\n    rc.get(EXTENSION)\nawait main()")
    notebook.run("rc.close()")
    assert notebook.printed == ""
