"""The frames of RFC 6455 as an application sees them. Constructing one that could not be sent raises."""

from __future__ import annotations

from msgspec import Struct

from rcex_ws.errors import ConfigurationError

__all__ = ["Binary", "CloseFrame", "Frame", "Ping", "Pong", "Sendable", "Text"]

_CONTROL_LIMIT = 125  # RFC 6455, section 5.5
_CODE_SIZE = 2


class Text(Struct, frozen=True, gc=False):
    """A text message.

    Raises:
        ConfigurationError: `data` has a lone surrogate, which UTF-8 cannot encode.
    """

    data: str

    def __post_init__(self) -> None:
        _encode("Text.data", self.data)


class Binary(Struct, frozen=True, gc=False):
    """A binary message."""

    data: bytes


class Ping(Struct, frozen=True, gc=False):
    """A ping, which the peer answers by a pong with the same data.

    Raises:
        ConfigurationError: `data` is longer than 125 bytes.
    """

    data: bytes = b""

    def __post_init__(self) -> None:
        _check_size("Ping.data", len(self.data), _CONTROL_LIMIT)


class Pong(Struct, frozen=True, gc=False):
    """A pong, in response to a ping or unsolicited.

    Raises:
        ConfigurationError: `data` is longer than 125 bytes.
    """

    data: bytes = b""

    def __post_init__(self) -> None:
        _check_size("Pong.data", len(self.data), _CONTROL_LIMIT)


class CloseFrame(Struct, frozen=True, gc=False):
    """A close frame, which starts or completes the closing handshake.

    Args:
        code: 1000 to 4999; 1000 if a received frame has none.
        reason: at most 123 bytes of UTF-8.

    Raises:
        ConfigurationError: the code or the reason cannot be sent.
    """

    code: int = 1000
    reason: str = ""

    def __post_init__(self) -> None:
        if not 1000 <= self.code < 5000:
            raise ConfigurationError(f"CloseFrame.code must be between 1000 and 4999, not {self.code}")
        _check_size("CloseFrame.reason", len(_encode("CloseFrame.reason", self.reason)), _CONTROL_LIMIT - _CODE_SIZE)


#: All but the close frame, which is sent by closing the WebSocket.
Sendable = Text | Binary | Ping | Pong

Frame = Sendable | CloseFrame
"""What a WebSocket carries: a `Text`, `Binary`, `Ping`, `Pong` or `CloseFrame`."""


def _encode(field: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise ConfigurationError(f"{field} cannot be sent as UTF-8: {exc.reason}") from None


def _check_size(field: str, size: int, limit: int) -> None:
    if size > limit:
        raise ConfigurationError(f"{field} must have at most {limit} bytes, not {size}")
