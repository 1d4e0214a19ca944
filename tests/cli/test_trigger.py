from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode
from rcex_ws.gateway import Gateway


def test_a_text_message_comes(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trigger", "sms", "Are you there?", "--from", "+14155550100"]) == ExitCode.DONE
    message = json.loads(capsys.readouterr().out)
    assert (message["subject"], message["from"]["phoneNumber"]) == ("Are you there?", "+14155550100")


def test_somebody_calls_and_is_answered(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trigger", "call", "--to", "102", "--then", "answer", "--then", "hang-up"]) == ExitCode.DONE
    session, *rest = capsys.readouterr().out.splitlines()
    assert json.loads(session).startswith("s-")
    assert rest == []


def test_somebody_writes_a_post(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trigger", "post", "Hi", "--from", "102"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["text"] == "Hi"


def test_what_the_gateway_refuses_is_told(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trigger", "call", "--to", "999"]) == ExitCode.USAGE
    assert "there is no extension '999'; there are 101, 102" in capsys.readouterr().err


@pytest.fixture
def another_server() -> Iterator[str]:
    """Serve something that is no gateway."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b'{"errorCode": "CMN-102"}')

        def log_message(self, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        thread.join()


def test_a_server_that_is_no_local_gateway_is_left_alone(
    another_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", another_server)
    monkeypatch.setenv("RINGCENTRAL_CLIENT_ID", "bot")
    assert run(["trigger", "sms"]) == ExitCode.USAGE
    assert f"{another_server} is not a local gateway" in capsys.readouterr().err
