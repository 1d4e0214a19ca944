"""The page docs/blocking.md cannot go stale: its programs run."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from rcex_ws import wsg
from rcex_ws.gateway import Gateway

PAGE = (Path(__file__).parents[2] / "docs/blocking.md").read_text()
SCRIPT, CALLBACKS, NOTEBOOK = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MESSAGES = "/restapi/v1.0/account/~/extension/~/message-store"


@pytest.fixture(autouse=True)
def environment(server: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the programs read."""
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", server.server)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_ID", server.client_id)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_SECRET", server.client_secret)
    monkeypatch.setenv("RINGCENTRAL_JWT", server.jwt)


@pytest.fixture
def subscribed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call a function once the program has subscribed."""

    def when(function: Callable[[], object]) -> None:
        subscribe = wsg.WebSocketExtension.subscribe

        async def subscribe_and_tell(*args: Any, **options: Any) -> wsg.Subscription:
            subscription = await subscribe(*args, **options)
            threading.Thread(target=function).start()
            return subscription

        monkeypatch.setattr(wsg.WebSocketExtension, "subscribe", subscribe_and_tell)

    return when


def test_the_script(
    server: Gateway, subscribed: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    scope: dict[str, Any] = {}

    def send() -> None:
        server.notify(MESSAGES, {"changes": [{"type": "SMS", "newCount": 1}]})
        server.notify(MESSAGES, {})  # which ends it: there are no changes

    subscribed(send)
    with pytest.raises(KeyError, match="changes"):
        exec(SCRIPT, scope)
    assert "got [{'type': 'SMS', 'newCount': 1}]" in capsys.readouterr().out
    assert str(scope["ws_ext"].state) == "closed"


def test_the_program_with_callbacks(
    server: Gateway, subscribed: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def send() -> None:
        server.notify("/restapi/v1.0/account/~/extension/~/presence", {})
        server.notify(MESSAGES, {})

    subscribed(send)
    exec(CALLBACKS, {})
    assert re.fullmatch(r"presence, in events_\d\nmessage, in events_\d\n", capsys.readouterr().out)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_notebook(server: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a loop, as the kernel runs it."""
    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    scope: dict[str, Any] = {}
    exec(NOTEBOOK, scope)
    server.notify(MESSAGES, {"number": 1})
    with anyio.fail_after(10):
        while not scope["received"]:
            await anyio.sleep(0.005)
    assert scope["received"][0].body == {"number": 1}
    exec("rc.close()", scope)
