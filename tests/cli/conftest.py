"""What the commands are tested with: an empty folder, a home without a stored login, and one TLS context for all.

And a local gateway in the environment, with commands that run in the background.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rcex_ws.cli.app import run
from rcex_ws.gateway import Gateway

_CONTEXT = ssl.create_default_context()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in an empty folder, and keep `.env` and the login of the developer out."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(autouse=True)
def one_ssl_context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the system's certificates once, which takes 30 ms, not for each client."""
    if "tls_peer" not in request.fixturenames:
        monkeypatch.setattr(ssl, "create_default_context", lambda **_options: _CONTEXT)


@dataclass
class Background:
    """A command that runs in a thread of its own."""

    tokens: tuple[str, ...]
    code: int | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        def work() -> None:
            self.code = run(self.tokens)

        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def wait(self) -> int | None:
        """Wait for its end and return its exit code."""
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.code


@pytest.fixture
def at_gateway(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Have the environment of the local gateway."""
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", gateway.server)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_ID", gateway.client_id)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_SECRET", gateway.client_secret)
    monkeypatch.setenv("RINGCENTRAL_JWT", gateway.jwt)
    return gateway


@pytest.fixture
def listening(at_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Background]:
    """Start `listen` with these arguments and return once it is subscribed."""
    told = threading.Event()

    def say(text: str) -> None:
        if text.startswith("listening"):
            told.set()

    monkeypatch.setattr("rcex_ws.cli.listen.say", say)

    def start(*tokens: str) -> Background:
        told.clear()
        command = Background(("listen", *tokens))
        assert told.wait(20)
        return command

    return start
