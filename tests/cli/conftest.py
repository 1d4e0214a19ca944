"""What the commands are tested with: an empty folder, a home without a stored login, and one TLS context for all."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

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
        monkeypatch.setattr(ssl, "create_default_context", lambda: _CONTEXT)
