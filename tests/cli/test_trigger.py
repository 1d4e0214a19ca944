from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
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


@pytest.mark.parametrize(
    ("tokens", "refusal"),
    [
        (["sms", "--from", "abc"], "rcex-ws: --from: 'abc' is"),
        (["post", "--chat", "nowhere"], "rcex-ws: --chat: "),
        (["command", "cut", "code"], "rcex-ws: arguments: 'code' is not of the form NAME=VALUE"),
        (["command", "cut", "code=99"], "rcex-ws: code: expected None or a close code"),
        (["command", "no-such"], "rcex-ws: 'no_such' is not a command; `rcex-ws trigger command` lists them"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_given(
    at_gateway: Gateway, capsys: pytest.CaptureFixture[str], tokens: list[str], refusal: str
) -> None:
    assert run(["trigger", *tokens]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith(refusal)


def test_any_command_is_sent_with_json_or_text(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    path = "/restapi/v1.0/account/~"
    assert run(["trigger", "command", "refuse", f"where=GET {path}", "status=418"]) == ExitCode.DONE
    assert httpx.get(at_gateway.server + path).status_code == 418
    assert run(["trigger", "command", "receive-sms", "text=Hi"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["subject"] == "Hi"


def test_without_a_name_all_commands_are_listed(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trigger", "command"]) == ExitCode.DONE
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert {"cut", "fail-recovery", "receive-fax", "ring"} <= listed


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
