from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode
from rcex_ws.gateway import Gateway

OWN = "/restapi/v1.0/account/~/extension/~"


def note(text: str) -> str:
    return json.dumps({"from": {"extensionNumber": "101"}, "to": [{"extensionNumber": "102"}], "text": text})


def test_the_body_of_the_answer_is_printed_as_it_came(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "get", OWN]) == ExitCode.DONE
    told = capsys.readouterr()
    assert json.loads(told.out)["extensionNumber"] == "101"
    assert "\n" not in told.out
    assert told.err == ""


def test_verbose_says_which_way_it_went(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    at_gateway.receive_sms("one")
    at_gateway.receive_fax()
    assert run(["call", "GET", "message-store", "-q", "messageType=SMS", "-w", "-v"]) == ExitCode.DONE
    told = capsys.readouterr()
    assert [one["type"] for one in json.loads(told.out)["records"]] == ["SMS"]
    assert told.err.startswith("> GET /restapi/v1.0/account/~/extension/~/message-store\n< 200 OK by websocket in 0.")
    assert "RCRequestId: " in told.err


@pytest.mark.parametrize("way", ["text", "file", "stdin"])
def test_a_body_is_a_text_a_file_or_what_comes_on_stdin(
    way: str, at_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("body.json").write_text(note("from a file"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(note("from stdin").encode())))
    option = {"text": ["--data", note("from a text")], "file": ["-d", "@body.json"], "stdin": ["-d", "-"]}[way]
    assert run(["call", "POST", "company-pager", *option]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["subject"].endswith(way)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--data", "{"], "--data: not JSON"),
        (["-d", "@missing.json"], "No such file or directory: 'missing.json'"),
        (["-q", "name"], "--query: 'name' is not of the form NAME=VALUE"),
        (["-H", "secret"], "--header: one is not of the form NAME:VALUE"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    options: list[str], complaint: str, at_gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["call", "POST", OWN, *options]) == ExitCode.USAGE
    assert complaint in capsys.readouterr().err
    assert at_gateway.log() == []


def test_a_refusal_is_told_with_what_the_server_says(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["call", "GET", f"{OWN}/message-store/1", "-v"]) == ExitCode.FAILED
    told = capsys.readouterr()
    assert "< 404 Not Found by https in " in told.err
    assert told.err.splitlines()[-1].startswith("rcex-ws: GET /restapi/v1.0/account/~/extension/~/message-store/1 was")
    assert told.out == ""


def test_what_is_no_json_goes_to_a_file(at_gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    fax = at_gateway.receive_fax()
    content = fax["attachments"][0]["uri"]
    assert run(["call", "GET", content, "-o", "fax.pdf", "-v"]) == ExitCode.DONE
    assert Path("fax.pdf").read_bytes().startswith(b"%PDF")
    assert capsys.readouterr().err.startswith("< by https in ")


def test_the_answer_of_a_post_goes_to_a_file_too(at_gateway: Gateway) -> None:
    assert run(["call", "POST", "company-pager", "--data", note("x"), "-o", "answer.json"]) == ExitCode.DONE
    assert json.loads(Path("answer.json").read_text())["subject"] == "x"


def test_on_a_terminal_json_is_indented_and_a_file_must_be_named_for_the_rest(
    at_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(["call", "GET", OWN]) == ExitCode.DONE
    assert '\n  "extensionNumber": "101",\n' in capsys.readouterr().out
    assert run(["call", "GET", at_gateway.receive_fax()["attachments"][0]["uri"]]) == ExitCode.USAGE
    assert "bytes of application/pdf; name a file with -o" in capsys.readouterr().err


def test_without_a_server_it_says_to_try_later(
    at_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", "http://127.0.0.1:9")
    assert run(["call", "GET", OWN]) == ExitCode.TRY_LATER
    assert "try again later" in capsys.readouterr().err
