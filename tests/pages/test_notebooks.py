"""docs/notebooks.md, cell by cell, in a kernel of Jupyter."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rcex_ws.gateway import Gateway
from tests.pages.walk import TIME_LIMIT, blocks, until

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

# jupyter_client runs its own event loop for blocking calls, and never closes that.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONNECT, SUBSCRIBE, LOOK, UNTIL_STOP, GO_ON, TASK, CANCEL, CLOSE = (
    block.code for block in blocks("notebooks") if block.language == "python"
)


class Notebook:
    """A kernel, and a person who runs cells."""

    def __init__(self, kernel: KernelManager, client: BlockingKernelClient) -> None:
        self._kernel = kernel
        self._client = client

    def run(self, code: str, meanwhile: Callable[[], object] = lambda: None) -> tuple[str, list[str]]:
        """Run a cell; return its status and what stands under it.

        Args:
            code: of the cell.
            meanwhile: called once, in a thread, when something stands under it.
        """
        under: list[str] = []
        person = threading.Thread(target=meanwhile)

        def on_message(message: dict[str, Any]) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    under.extend(content["text"].splitlines())
                    if person.ident is None:
                        person.start()
                case "execute_result":
                    under.append(content["data"]["text/plain"])
                case "error":
                    under.append(content["ename"])

        answer = self._client.execute_interactive(code, timeout=TIME_LIMIT, output_hook=on_message)
        return answer["content"]["status"], under

    def interrupt(self) -> None:
        """Choose Interrupt in the menu."""
        self._kernel.interrupt_kernel()


@pytest.fixture
def notebook(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[..., None]
) -> Iterator[Notebook]:
    need(importlib.util.find_spec("ipykernel") is not None, "ipykernel", "install it from the registry")
    from jupyter_client.manager import KernelManager

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    kernel = KernelManager()
    kernel.start_kernel(
        env={
            **os.environ,
            "RINGCENTRAL_SERVER_URL": gateway.server,
            "RINGCENTRAL_CLIENT_ID": gateway.client_id,
            "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
            "RINGCENTRAL_JWT": gateway.jwt,
        }
    )
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIME_LIMIT)
        yield Notebook(kernel, client)
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
        kernel.cleanup_resources()


def test_the_cells_in_their_order(notebook: Notebook, gateway: Gateway) -> None:
    assert notebook.run(CONNECT) == ("ok", ["'Ada Ring'"])
    status, (shown,) = notebook.run(SUBSCRIBE)
    assert status == "ok"
    assert shown.endswith(" active>")
    gateway.receive_sms("one")
    until(lambda: notebook.run(LOOK)[1] == ["['one']"], lambda: str(notebook.run(LOOK)))

    def write() -> None:
        for text in ("two", "stop", "three"):
            gateway.receive_sms(text)

    assert notebook.run(UNTIL_STOP, write) == ("ok", ["listening", "two", "stop"])

    def interrupt() -> None:
        gateway.receive_sms("four")
        notebook.interrupt()
        gateway.receive_sms("five")  # it wakes the event loop

    status, under = notebook.run(GO_ON, interrupt)
    assert status == "error"
    assert under[0] == "three"
    assert under[-1] == "CancelledError"
    assert notebook.run("print(ws_ext.state, subscription.state)") == ("ok", ["ready active"])
    assert notebook.run(TASK) == ("ok", [])
    gateway.receive_sms("six")
    until(lambda: "'six'" in str(notebook.run(LOOK)), lambda: str(notebook.run(LOOK)))
    assert notebook.run(CANCEL) == ("ok", ["True"])
    assert notebook.run(CLOSE) == ("ok", [])
    assert notebook.run("print(ws_ext.state)") == ("ok", ["closed"])
