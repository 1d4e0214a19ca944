"""docs/service.md, docs/containers.md, docs/replicas.md: the files of deploy/, as far as they run without Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from rcex_ws.gateway import Gateway
from tests.pages.walk import ROOT, TIME_LIMIT, Program, blocks, until

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
UNIT = (ROOT / "deploy/bot.service").read_text()
SERVICE = ROOT / "demo/service.py"


@pytest.fixture
def settings(gateway: Gateway, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "jwt").write_text(gateway.jwt)
    return {
        "RINGCENTRAL_SERVER_URL": gateway.server,
        "RINGCENTRAL_CLIENT_ID": gateway.client_id,
        "RINGCENTRAL_CLIENT_SECRET": gateway.client_secret,
        "RINGCENTRAL_JWT_FILE": str(tmp_path / "jwt"),
        "STATE_DIR": str(tmp_path / "state"),
        "HEALTH_PORT": "0",
    }


def health(program: Program, path: str) -> httpx.Response | None:
    """Ask for its health; None while nobody answers."""
    port = re.search(r"tells its health on port (\d+)", program.output)
    return httpx.get(f"http://127.0.0.1:{port[1]}{path}") if port else None


def is_ready(program: Program) -> bool:
    assert program.process.poll() is None, program.output
    answer = health(program, "/ready")
    return answer is not None and answer.status_code == 200


def settings_of(name: str) -> list[str]:
    """Return the values that the unit has for a name."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


class TestSystemd:
    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
    def test_systemd_finds_nothing_wrong_in_the_unit(self, tmp_path: Path) -> None:
        (tmp_path / "bot.service").write_text(UNIT.replace("/opt/bot/.venv/bin/python", sys.executable))
        command = ("systemd-analyze", "verify", str(tmp_path / "bot.service"))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
        assert (ended.returncode, ended.stdout + ended.stderr) == (
            0,
            "",
        )  # it complains of what it ignores, and ends by 0

    def test_the_unit_gives_what_the_template_asks_for(self) -> None:
        asked = set(re.findall(r'(?:setting\(|environ\.get\()"(\w+)"', SERVICE.read_text()))
        given = {one.partition("=")[0] for line in settings_of("Environment") for one in shlex.split(line)}
        told = re.search(r"^# (.*)\nEnvironmentFile=", UNIT, re.MULTILINE)
        assert told is not None
        assert given | set(re.findall(r"[A-Z_]{3,}", told[1])) == asked
        assert "SOMEBODY_HAS_TO_ACT = 0, 75, 78" in SERVICE.read_text()
        assert settings_of("RestartPreventExitStatus") == ["78"]

    def test_the_commands_put_the_files_where_the_unit_looks_for_them(self) -> None:
        (commands,) = (block.code for block in blocks("service") if block.heading == "Under systemd")
        assert f"useradd --system {settings_of('User')[0]}\n" in commands
        looked_for = [*shlex.split(settings_of("ExecStart")[0])[1:], *settings_of("EnvironmentFile")]
        assert all(f" {path}\n" in commands for path in looked_for)
        assert re.findall(r" \.\./rcex_ws(?:/(\S+))?\s", commands) == ["", "deploy/bot.service"]


class TestImage:
    def test_what_is_copied_is_there(self) -> None:
        sources = [
            source
            for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
            for source in line.split()[:-1]
        ]
        assert sources == ["pyproject.toml", "README.md", "LICENSE", "rcex_ws", "demo/service.py"]
        assert all((ROOT / source).exists() for source in sources)

    def test_the_page_agrees_with_the_image(self) -> None:
        compose, kubernetes = (block.code for block in blocks("containers") if block.language == "yaml")
        (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
        (port,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
        (state,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
        assert f"runAsUser: {user}, fsGroup: {user}" in kubernetes
        assert kubernetes.count(f"port: {port}") == 2
        assert f"mountPath: {state}}}" in kubernetes
        assert f'["state:{state}"]' in compose
        assert "dockerfile: deploy/Dockerfile" in compose
        assert f"HEALTH_PORT={port}" in DOCKERFILE
        assert f"STATE_DIR={state} " in DOCKERFILE

    def test_the_health_check_answers_beside_the_service(self, settings: dict[str, str], tmp_path: Path) -> None:
        (check,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
        python, *arguments = json.loads(check)
        assert python == "/venv/bin/python"
        with Program(tmp_path, sys.executable, str(SERVICE), environment=settings) as program:
            until(lambda: is_ready(program), lambda: program.output)
            port = re.search(r"tells its health on port (\d+)", program.output)
            assert port is not None
            asked = [argument.replace(":8080/", f":{port[1]}/") for argument in arguments]
            assert subprocess.run([sys.executable, *asked], timeout=TIME_LIMIT, check=False).returncode == 0
            assert program.end(signal.SIGTERM) == 0
            ended = subprocess.run([sys.executable, *asked], capture_output=True, timeout=TIME_LIMIT, check=False)
            assert ended.returncode == 1

    @pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
    def test_as_process_1_it_ends_by_sigterm(self, settings: dict[str, str], tmp_path: Path) -> None:
        assert '\nCMD ["/venv/bin/python", "/app/service.py"]\n' in DOCKERFILE
        inside = ("unshare", "--pid", "--fork", "--kill-child", sys.executable, str(SERVICE))
        with Program(tmp_path, *inside, environment=settings) as program:
            until(lambda: is_ready(program), lambda: program.output)
            outer = program.process.pid
            (child,) = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
            assert re.search(r"^NSpid:\t\d+\t1$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
            os.kill(int(child), signal.SIGTERM)
            assert program.process.wait(TIME_LIMIT) == 0
            assert program.output.splitlines()[-1].endswith("service: closed")


def test_the_second_replica_takes_over(gateway: Gateway, settings: dict[str, str], tmp_path: Path) -> None:
    line, commands = (block.code for block in blocks("replicas") if block.language in {"python", "sh"})
    assert "wait=365 * 86_400" in line
    assert "STANDBY = 365 * 86_400" in SERVICE.read_text()
    assert commands.count("python demo/service.py &\n") == 2
    run = (sys.executable, str(SERVICE))
    with Program(tmp_path, *run, environment=settings) as first:
        until(lambda: is_ready(first), lambda: first.output)
        with Program(tmp_path, *run, environment=settings) as second:
            until(lambda: health(second, "/live"), lambda: second.output)
            answers = [health(second, path) for path in ("/live", "/ready")]
            assert [answer and answer.status_code for answer in answers] == [200, 503]
            assert first.end(signal.SIGTERM) == 0
            gateway.receive_sms("in between")
            until(lambda: '"newCount": 1' in second.output, lambda: second.output)
            assert is_ready(second)
            assert "gap" not in second.output
            assert second.end(signal.SIGTERM) == 0
