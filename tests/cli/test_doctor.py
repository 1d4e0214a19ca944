from __future__ import annotations

import json
from pathlib import Path

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.cli.doctor import doctor
from rcex_ws.cli.doctor_socket import DoctorTimes
from rcex_ws.gateway import Gateway


def write_env(gateway: Gateway, **others: str) -> None:
    values = {
        "SERVER_URL": gateway.server,
        "CLIENT_ID": gateway.client_id,
        "CLIENT_SECRET": gateway.client_secret,
        "JWT": gateway.jwt,
    }
    Path(".env").write_text("".join(f"RINGCENTRAL_{name}={value}\n" for name, value in (values | others).items()))


async def test_missing_credentials_are_the_first_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert await doctor() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failed     0.00 s  credentials: RINGCENTRAL_CLIENT_ID and RINGCENTRAL_JWT: missing")
    assert "rcex-ws gateway" in lines[0]
    assert len(lines) == 1


async def test_a_failure_is_told_with_advice_and_by_the_exit_code(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    write_env(gateway, JWT="wrong")
    assert await doctor(json=True) == 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["step"] for result in results if result["verdict"] == "failed"] == ["login"]
    assert "the JWT has expired" in results[-1]["advice"]


async def test_a_wrong_time_out_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout: expected seconds above 0"):
        await doctor(timeout=0)


async def test_success_is_zero(
    gateway: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = DoctorTimes(heartbeat_interval=0.02, reconnect_delay=0.01)
    monkeypatch.setattr("rcex_ws.cli.doctor.DoctorTimes", lambda timeout: quick)
    write_env(gateway)
    assert await doctor() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok         0.00 s  credentials: ")
    assert lines[0].endswith("SERVER_URL, CLIENT_ID, CLIENT_SECRET, JWT from .env")
    assert lines[-1].endswith("clean-up: the subscription is deleted")
