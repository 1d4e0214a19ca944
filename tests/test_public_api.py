"""What users can import is what public_api.txt says, so that each addition and each break is seen in a diff."""

from __future__ import annotations

import textwrap
from difflib import unified_diff
from pathlib import Path

from tests.public_api import LISTING, PublicAPI

ADVICE = """\
the public names or their signatures have changed. If you mean it: `make generate` writes the listing anew; then say in
CHANGELOG.md, under Unreleased, what users notice."""


def test_the_public_names_and_signatures_are_those_of_the_listing() -> None:
    listed = LISTING.read_text().splitlines()
    changes = "\n".join(unified_diff(listed, PublicAPI().text.splitlines(), "listed", "found", n=1, lineterm=""))
    assert not changes, f"{ADVICE}\n{changes}"


def test_a_listing_has_what_a_caller_can_rely_on(tmp_path: Path) -> None:
    package = tmp_path / "rcex_ws"
    (package / "testing").mkdir(parents=True)
    (package / "testing/__init__.py").touch()
    (package / "testing/pytest_plugin.py").write_text("def gateway() -> Gateway: ...\n")
    (package / "options").mkdir()
    (package / "options/__init__.py").write_text("__all__ = ['internal']\ninternal = 1\n")
    (package / "inner.py").write_text(
        textwrap.dedent("""
            from dataclasses import dataclass

            class Base:
                def inherited(self, one, /, *more: int, last: str = "x") -> None: ...
                def _private(self): ...

            @dataclass(kw_only=True)
            class Settings:
                timeout: Seconds = 30.0

            class Client(Base):
                size: int = 3

                @options_of(Settings)
                def __init__(self, settings: Settings) -> None:
                    self.name = settings.name

                @property
                def state(self) -> State: ...
        """)
    )
    (package / "__init__.py").write_text(
        "from rcex_ws.inner import Client\n__all__ = ['Client', 'leave']\nasync def leave() -> None: ...\n"
    )
    assert PublicAPI(tmp_path).text == textwrap.dedent("""\
        # rcex_ws
        class rcex_ws.Client(Base)
            __init__(*, timeout: Seconds = 30.0)
            def inherited(one, /, *more: int, last: str = 'x') -> None
            name
            size: int = 3
            state: State (read-only)
        async def rcex_ws.leave() -> None

        # rcex_ws.testing.pytest_plugin
        fixture gateway: Gateway
    """)
