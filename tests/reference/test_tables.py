"""The tables that are drawn from the code: what is not described is refused, and what is said is true."""

from __future__ import annotations

import inspect
import sys
from enum import StrEnum
from typing import ClassVar

import pytest

import rcex_ws
from rcex_ws import Events, RcexError, WebSocketExtension
from tests.reference.tables import NotDescribed, errors, events, options, retryable, table


class Described:
    """A class.

    Args:
        first: in two
            lines, with a | in it.
        second: one line.

    Raises:
        ValueError: never.
    """

    def __init__(self, first: float = 3.0, *, second: str | None = None, **_: object) -> None: ...


class Undescribed(Described):
    """A class with one more.

    Args:
        first: told.
    """


class Signal(StrEnum):
    ON = "on"  #: it is on


class Wrong(RcexError): ...


class FinalAfterAll(rcex_ws.RestError):
    """Decides for itself."""

    def __init__(self) -> None:
        self.retryable = False


class Waits(RcexError):
    """Says so once for all."""

    retryable: ClassVar[bool] = True  # type: ignore[misc]


def test_options_come_from_the_signature_and_the_docstring() -> None:
    assert table(options(f"{__name__}.Described")).splitlines()[2:] == [
        "| `first` | `3` | in two lines, with a \\| in it. |",
        "| `second` | `None` | one line. |",
    ]
    rows = options("rcex_ws.WebSocketExtension")[1:]
    assert len(rows) == len(inspect.signature(WebSocketExtension).parameters)
    assert {row[0]: row[1] for row in rows}["`heartbeat_timeout`"] == "`10`"


def test_events_come_from_the_enum_and_its_comments() -> None:
    rows = events("rcex_ws.Events")[1:]
    assert [row[0] for row in rows] == [f"`{event}`" for event in Events]
    assert rows[0][1:3] == ("`AUTO_RECOVER_SUCCESS`", "`ws`")


def test_errors_stand_below_what_they_are_a_kind_of() -> None:
    rows = errors("rcex_ws")[1:]
    public = {name for name in rcex_ws.__all__ if _is_error(getattr(rcex_ws, name))}
    assert {row[0].split("`")[1] for row in rows} == public
    depths = {row[0].split("`")[1]: row[0].count("&emsp;") for row in rows}
    assert (depths["RcexError"], depths["ConnectFailed"], depths["ConnectTimeout"]) == (0, 1, 2)


def _is_error(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, RcexError)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RcexError, "no retry"),
        (rcex_ws.TransportError, "retry"),
        (rcex_ws.RestError, "it depends"),
        (rcex_ws.LoginRefused, "no retry"),
        (rcex_ws.UpgradeRefused, "it depends"),
        (FinalAfterAll, "no retry"),
        (Waits, "retry"),
    ],
)
def test_whether_trying_again_helps(error: type[RcexError], told: str) -> None:
    assert retryable(error) == told


def test_what_is_not_described_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotDescribed, match="Undescribed does not describe second"):
        options(f"{__name__}.Undescribed")
    with pytest.raises(NotDescribed, match=r"Signal\.ON has no comment that begins with the arguments"):
        events(f"{__name__}.Signal")
    monkeypatch.setattr(sys.modules[__name__], "__all__", ["Wrong"], raising=False)
    with pytest.raises(NotDescribed, match="Wrong has no docstring"):
        errors(__name__)
