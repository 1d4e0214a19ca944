"""What `make package` has built in dist/, and an environment away from the checkout into which it was installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = "cli,gateway,trio"


@dataclass
class Installed:
    """An environment with the wheel, and an empty folder to run programs in."""

    python: Path
    folder: Path

    def run(self, *command: str) -> str:
        """Run a program of the environment and return what it prints; it inherits no path to the checkout."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "RCEX_"))}
        environment = keep | {"PATH": f"{self.python.parent}:{os.environ['PATH']}"}
        program = str(self.python.with_name(command[0]))
        result = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=50
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


@pytest.fixture(scope="session")
def wheel() -> Path:
    (found,) = ROOT.glob("dist/*.whl")
    return found


@pytest.fixture(scope="session")
def files_of_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    (found,) = ROOT.glob("dist/*.tar.gz")
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(found) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    assert not folder.is_relative_to(ROOT)
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, "venv"], cwd=folder, check=True)
    python = folder / "venv/bin/python"
    subprocess.run([*uv, "pip", "install", "--python", python, f"{wheel}[{EXTRAS}]", "pytest"], cwd=folder, check=True)
    (folder / "empty").mkdir()
    return Installed(python, folder / "empty")
