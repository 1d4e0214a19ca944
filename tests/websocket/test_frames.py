"""The frames of an application: what RFC 6455 cannot carry is refused when a frame is made. Pure."""

from __future__ import annotations

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.websocket.frames import CloseFrame, Ping, Pong, Text


@pytest.mark.parametrize("kind", [Ping, Pong])
def test_control_data_has_at_most_125_bytes(kind: type[Ping] | type[Pong]) -> None:
    assert len(kind(b"x" * 125).data) == 125
    with pytest.raises(ConfigurationError, match=r"must have at most 125 bytes, not 126$"):
        kind(b"x" * 126)


@pytest.mark.parametrize("code", [999, 5000])
def test_a_close_code_has_four_digits_up_to_4999(code: int) -> None:
    assert (CloseFrame(1000).code, CloseFrame(4999).code) == (1000, 4999)
    with pytest.raises(ConfigurationError, match=f"^CloseFrame.code must be between 1000 and 4999, not {code}$"):
        CloseFrame(code)


def test_a_close_reason_has_at_most_123_bytes() -> None:
    assert CloseFrame(1000, "x" * 123).reason == "x" * 123
    with pytest.raises(ConfigurationError, match=r"^CloseFrame.reason must have at most 123 bytes, not 124$"):
        CloseFrame(1000, "\u00e9" * 62)


def test_a_lone_surrogate_cannot_be_sent() -> None:
    for make, field in ((Text, "Text.data"), (lambda text: CloseFrame(1000, text), "CloseFrame.reason")):
        with pytest.raises(ConfigurationError, match=f"^{field} cannot be sent as UTF-8: "):
            make("\ud800")
