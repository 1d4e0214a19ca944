"""The options of a client are checked once, by their types."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Count, Seconds, check_fields


@dataclass
class Options:
    timeout: Seconds = 1.0
    keepalive: Seconds | None = None
    number: Count = 1
    flag: bool = True

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize("value", [None, 1, 0.5])
def test_seconds_or_none(value: float | None) -> None:
    assert Options(keepalive=value).keepalive == value


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), True, "10"])
def test_what_is_no_time_is_named(value: float) -> None:
    with pytest.raises(ConfigurationError, match=r"^keepalive: expected None or seconds above 0"):
        Options(keepalive=value)
    with pytest.raises(ConfigurationError, match=r"^timeout: expected seconds above 0"):
        Options(timeout=value)


def test_none_is_no_time_where_there_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout: "):
        Options(timeout=None)  # type: ignore[arg-type]
