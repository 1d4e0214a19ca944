"""The dependencies: no floor admits a version with a published vulnerability, and peers are locked."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]

#: The first version without known vulnerabilities, and the advisories about earlier ones.
SAFE = {
    "h11": ("0.16", "CVE-2025-43859: chunked bodies were read leniently"),
    "idna": ("3.15", "CVE-2026-45409: long names took quadratic time"),
    "starlette": ("1.3.1", "GHSA-82w8-qh3p-5jfq: the limits of forms were ignored; GHSA-jp82-jpqv-5vv3: a forged host"),
    "pytest": ("9.0.3", "CVE-2025-71176: its temporary folders could be taken over"),
}


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
#: What is installed by another name than it is imported by.
MODULES = {"python-dotenv": "dotenv", "python-socks": "python_socks"}


def requirements() -> list[Requirement]:
    sets = [*PROJECT["optional-dependencies"].values(), *PYPROJECT["dependency-groups"].values()]
    listed = [*PROJECT["dependencies"], *(one for group in sets for one in group)]
    return [Requirement(one) for one in listed if isinstance(one, str)]


def rows(heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading of docs/dependencies.md, without its head."""
    page = (ROOT / "docs/dependencies.md").read_text()
    lines = page.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]


def imported_by() -> dict[str, set[str]]:
    """Return the folders of the package, or modules beside them, that import each top-level module."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "rcex_ws").rglob("*.py"):
        for name in re.findall(r"^ *(?:from ([a-z]\w*)[\w.]* import |import (\w+))", path.read_text(), re.MULTILINE):
            found["".join(name)].add(path.relative_to(ROOT / "rcex_ws").parts[0])
    return found


@pytest.mark.parametrize("name", SAFE)
def test_d1_no_floor_admits_a_vulnerable_version(name: str) -> None:
    found = [one for one in requirements() if one.name == name]
    assert found
    for one in found:
        (floor,) = (Version(part.version) for part in one.specifier if part.operator == ">=")
        assert floor >= Version(SAFE[name][0])


def test_d1_every_dependency_has_a_floor_and_httpx_a_cap() -> None:
    for one in requirements():
        assert any(part.operator == ">=" for part in one.specifier), one.name
        assert one.name != "httpx" or "1.0" not in one.specifier


def test_the_page_names_every_dependency_and_every_extra() -> None:
    assert [row[0] for row in rows("Always")] == [Requirement(one).name for one in PROJECT["dependencies"]]
    extras = PROJECT["optional-dependencies"].items()
    wanted = sorted((extra, Requirement(one).name) for extra, listed in extras for one in listed)
    assert sorted((row[0], row[1]) for row in rows("By extra")) == wanted


def test_the_page_says_who_imports_what() -> None:
    imports = imported_by()
    for name, _, users, *_ in [*rows("Always"), *(row[1:] for row in rows("By extra"))]:
        found = imports[MODULES.get(name, name)]
        if users.startswith(("all", "nearly all")):
            assert len(found) > 10, name
        else:
            assert set(re.findall(r"[\w.]+", users)) == (found or {"nothing", "here"}), name


def test_the_page_says_under_which_licence_each_is() -> None:
    for name, licence, *_ in [*rows("Always"), *(row[1:] for row in rows("By extra"))]:
        told = metadata(name)
        assert (told["License-Expression"] or told["License"]) == licence, name


def test_nothing_is_imported_that_is_no_dependency() -> None:
    known = {MODULES.get(one.name, one.name) for one in requirements()}
    foreign = set(imported_by()) - set(sys.stdlib_module_names) - {"rcex_ws"}
    assert foreign <= known | {"opentelemetry", "typing_extensions"}, foreign - known


def test_d1_the_peers_from_npm_are_locked_and_name_no_registry() -> None:
    manifests = sorted((ROOT / "tests/peers").glob("*/package.json"))
    assert manifests
    for manifest in manifests:
        wanted = json.loads(manifest.read_text())
        pinned = [*wanted["dependencies"].values(), *wanted.get("overrides", {}).values()]
        assert all(re.fullmatch(r"\d[\w.-]*", version) for version in pinned)
        packages = json.loads(manifest.with_name("package-lock.json").read_text())["packages"]
        for name, package in packages.items():
            if name:
                assert package["integrity"].startswith("sha"), name
                assert "resolved" not in package, name
    assert "npm ci --ignore-scripts" in (ROOT / "tests/peers/setup.sh").read_text()


def test_d1_the_peers_from_pypi_are_locked_by_hashes() -> None:
    files = sorted((ROOT / "tests/peers").rglob("requirements*.txt"))
    files = [file for file in files if ".venv" not in str(file)]
    assert files
    for file in files:
        lines = file.read_text().replace("\\\n", " ").splitlines()
        packages = [line for line in lines if line.strip() and not line.lstrip().startswith(("#", "-"))]
        assert packages
        assert [line for line in packages if "--hash=sha256:" not in line or "==" not in line] == []
        assert "://" not in "\n".join(packages)
