"""The command line as a shell runs it: in pipes, ended by signals, as a job in the background."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rcex_ws.gateway import Gateway

IN_ORDER = ["subscribe", "unsubscribe", "lost", "revoke"]
LISTEN = f"exec {sys.executable} -m rcex_ws.cli listen message-store"


@contextmanager
def shell(gateway: Gateway, command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command that listens, and go on once it does."""
    environment = {
        **os.environ,
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT": gateway.jwt,
    }
    with subprocess.Popen(
        ["/bin/sh", "-c", command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("listening to ")
        yield process
        if process.poll() is None:
            process.kill()


def test_head_ends_it_quietly_right_after_its_line(gateway: Gateway) -> None:
    with shell(gateway, f"({LISTEN}) | head -1") as process:
        gateway.receive_sms()
        out, err = process.communicate(timeout=20)
    assert json.loads(out)["kind"] == "notification"
    assert err == ""


@pytest.mark.parametrize(
    ("number", "code", "before"),
    [
        (signal.SIGINT, 130, ""),
        (signal.SIGTERM, 143, ""),
        (signal.SIGTERM, 143, "trap '' INT; "),  # so does a shell to its background jobs
    ],
)
def test_a_signal_ends_it_in_order(number: signal.Signals, code: int, before: str, gateway: Gateway) -> None:
    with shell(gateway, before + LISTEN) as process:
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == code
    assert [one["kind"] for one in gateway.log() if one["kind"] in IN_ORDER] == IN_ORDER
