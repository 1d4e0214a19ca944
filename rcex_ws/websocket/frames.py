"""The frames of RFC 6455, as an application sees them. One that could not be sent cannot be made."""

from __future__ import annotations

from msgspec import Struct

from rcex_ws.errors import ConfigurationError

__all__ = ["Binary", "CloseFrame", "Frame", "Ping", "Pong", "Sendable", "Text"]

_CONTROL_LIMIT = 125  # RFC 6455, section 5.5
_CODE_SIZE = 2


class Text(Struct, frozen=True, gc=False):
    """Carry text.

    Raises:
        ConfigurationError: `data` has a lone surrogate, so that it has no UTF-8.
    """

    data: str

    def __post_init__(self) -> None:
        _encode("Text.data", self.data)


class Binary(Struct, frozen=True, gc=False):
    """Carry bytes."""

    data: bytes


class Ping(Struct, frozen=True, gc=False):
    """Ask for a pong with the same data.

    Raises:
        ConfigurationError: `data` is longer than 125 bytes.
    """

    data: bytes = b""

    def __post_init__(self) -> None:
        _check_size("Ping.data", len(self.data), _CONTROL_LIMIT)


class Pong(Struct, frozen=True, gc=False):
    """Answer a ping, or give a sign of life unasked.

    Raises:
        ConfigurationError: `data` is longer than 125 bytes.
    """

    data: bytes = b""

    def __post_init__(self) -> None:
        _check_size("Pong.data", len(self.data), _CONTROL_LIMIT)


class CloseFrame(Struct, frozen=True, gc=False):
    """Begin or answer the closing handshake.

    Args:
        code: 1000 to 4999. One that came without a code is given as 1000.
        reason: at most 123 bytes of UTF-8.

    Raises:
        ConfigurationError: code or reason cannot be sent.
    """

    code: int = 1000
    reason: str = ""

    def __post_init__(self) -> None:
        if not 1000 <= self.code < 5000:
            raise ConfigurationError(f"CloseFrame.code must be between 1000 and 4999, not {self.code}")
        _check_size("CloseFrame.reason", len(_encode("CloseFrame.reason", self.reason)), _CONTROL_LIMIT - _CODE_SIZE)


#: What leaves the WebSocket open; a close frame is sent by closing.
Sendable = Text | Binary | Ping | Pong

Frame = Sendable | CloseFrame


def _encode(field: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise ConfigurationError(f"{field} cannot be sent as UTF-8: {exc.reason}") from None


def _check_size(field: str, size: int, limit: int) -> None:
    if size > limit:
        raise ConfigurationError(f"{field} must have at most {limit} bytes, not {size}")
