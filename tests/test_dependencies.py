"""The dependencies: no floor admits a version with a published vulnerability, and peers are locked."""

from __future__ import annotations

import json
import re
import tomllib
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


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for group in project["optional-dependencies"].values() for one in group]
    return [Requirement(one) for one in [*project["dependencies"], *extras] if not one.startswith("rcex_ws[")]


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
