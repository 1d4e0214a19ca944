"""What is in the wheel and in the sdist, and what they say of themselves."""

from __future__ import annotations

import subprocess
import tomllib
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import rcex_ws
from rcex_ws.version import __version__

from .conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def metadata(files_of_wheel: dict[str, bytes]) -> Message:
    return message_from_bytes(files_of_wheel[f"rcex_ws-{__version__}.dist-info/METADATA"])


def sources(folder: Path) -> set[str]:
    """Return the files of a folder that git knows, or would, as paths from the root."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    return set(subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())


def test_the_wheel_has_the_package_and_nothing_else(files_of_wheel: dict[str, bytes]) -> None:
    inside = {name for name in files_of_wheel if not name.startswith(f"rcex_ws-{__version__}.dist-info/")}
    assert inside == sources(Path("rcex_ws"))
    assert "rcex_ws/py.typed" in inside


def test_the_wheel_has_the_licence_and_the_plugin(files_of_wheel: dict[str, bytes], metadata: Message) -> None:
    about = f"rcex_ws-{__version__}.dist-info"
    assert files_of_wheel[f"{about}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert b"[pytest11]\nrcex_ws = rcex_ws.testing.pytest_plugin" in files_of_wheel[f"{about}/entry_points.txt"]
    assert metadata["License-Expression"] == "MIT"


def test_the_version_stands_in_one_place_and_is_the_same_everywhere(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert {path.name for path in ROOT.glob("dist/*")} == {
        f"rcex_ws-{__version__}.tar.gz",
        f"rcex_ws-{__version__}-py3-none-any.whl",
    }


def test_the_extras_are_those_for_users_and_name_no_tool_of_ours(metadata: Message) -> None:
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["project"]["optional-dependencies"])
    needed = {Requirement(one).name for one in metadata.get_all("Requires-Dist", [])}
    assert not needed & {"pytest", "hypothesis", "sphinx", "ruff", "mypy", "build", "twine"}


def test_the_links_are_what_people_look_for(metadata: Message) -> None:
    links = dict(one.split(", ", 1) for one in metadata.get_all("Project-URL", []))
    assert set(links) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(link.startswith(links["Homepage"]) for link in links.values())


def test_the_classifiers_name_the_pythons_that_ci_runs(metadata: Message) -> None:
    prefix = "Programming Language :: Python :: 3."
    named = {one.removeprefix(prefix) for one in metadata.get_all("Classifier", []) if one.startswith(prefix)}
    rows = (ROOT / "tests/matrix/run.sh").read_text().partition("rows=(python")[2].partition(")")[0].split()
    others = {row.rpartition(".")[2] for row in ("python" + " ".join(rows)).split() if row.startswith("python3.")}
    assert named == others | {metadata["Requires-Python"].removeprefix(">=3.")}


def test_the_sdist_has_all_that_the_tests_read(sdist: Path) -> None:
    inside = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    only_for_git = {name for name in sources(ROOT) if name.startswith(".")}
    assert inside - {"PKG-INFO", ".gitignore"} == sources(ROOT) - only_for_git


def test_what_was_built_is_this_checkout(files_of_wheel: dict[str, bytes]) -> None:
    assert Path(rcex_ws.__file__).parent == ROOT / "rcex_ws"
    code = {name: data for name, data in files_of_wheel.items() if name.endswith(".py")}
    assert [name for name, data in code.items() if data != (ROOT / name).read_bytes()] == []
