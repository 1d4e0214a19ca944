from __future__ import annotations

import json

import pytest

from rcex_ws.cli.doctor_report import JsonReport, LineReport, TerminalReport
from rcex_ws.cli.doctor_steps import DoctorStep, StepResult, StepVerdict

GOOD = StepResult(DoctorStep.LOGIN, StepVerdict.OK, 0.123, "by JWT")
BAD = StepResult(DoctorStep.SUBSCRIBE, StepVerdict.FAILED, 1.0, "SUB-505 [bold]\x1b[31m", "delete some")


def test_lines() -> None:
    written: list[str] = []
    with LineReport(written.append) as report:
        report.show(GOOD)
        report.show(BAD)
    assert "".join(written).splitlines() == [
        "ok         0.12 s  login: by JWT",
        "failed     1.00 s  subscribe: SUB-505 [bold]\\x1b[31m",
        "                   delete some",
    ]


def test_json_lines() -> None:
    written: list[str] = []
    with JsonReport(written.append) as report:
        report.show(BAD)
    assert json.loads("".join(written)) == {
        "step": "subscribe",
        "verdict": "failed",
        "seconds": 1.0,
        "detail": "SUB-505 [bold]\x1b[31m",
        "advice": "delete some",
    }
    assert written[0].endswith("}\n")


def test_a_terminal_gets_no_markup_of_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalReport() as report:
        report.show(GOOD)
        report.show(BAD)
    shown = capsys.readouterr().out
    assert "login: by JWT" in shown
    assert "SUB-505 [bold]\\x1b[31m" in shown
    assert "delete some" in shown
