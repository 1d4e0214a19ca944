"""What goes wrong at the server: refusals by the application, lost clients, bad messages.

::

    Refusal                         raised by a handler; .error_code, .error_data
    FeedmeError
    ├── ClientLost
    │   ├── HandshakeTimedOut       HANDSHAKE_TIMEOUT
    │   ├── ClientFailure           FAILURE              .close_code, .close_reason
    │   ├── ServerStopping          STOPPING
    │   └── ClientTooSlow           TOO_SLOW
    └── BadClientMessage                                 .client_message, .problem
        ├── InvalidClientMessage    INVALID_MESSAGE      .detail
        └── UnexpectedClientMessage UNEXPECTED_MESSAGE
"""

from __future__ import annotations

from typing import Any

from rcex_ws.errors import RcexError
from rcex_ws.feedme.arguments import json_object, text_argument
from rcex_ws.feedme.errors import FeedmeError

__all__ = [
    "BadClientMessage",
    "ClientFailure",
    "ClientLost",
    "ClientTooSlow",
    "HandshakeTimedOut",
    "InvalidClientMessage",
    "Refusal",
    "ServerStopping",
    "UnexpectedClientMessage",
]


class Refusal(RcexError):
    """Raised by a handler to refuse the client's request.

    Args:
        error_code: the application's error code.
        error_data: a JSON object with more about it.

    Raises:
        InvalidArgument: the code is not a text, or JSON cannot express the data.
    """

    def __init__(self, error_code: str, error_data: Any = None) -> None:
        super().__init__(f"refused with the error {error_code!r}")
        self.error_code: str = text_argument("error_code", error_code)
        self.error_data = json_object("error_data", {} if error_data is None else error_data)


class ClientLost(FeedmeError):
    """A client's connection has ended, and the application did not ask for that."""

    code = "CLIENT_LOST"


class HandshakeTimedOut(ClientLost):
    """There was no handshake that the server accepted in time."""

    code = "HANDSHAKE_TIMEOUT"


class ClientFailure(ClientLost):
    """The client left, or the network failed.

    Attributes:
        close_code: the close code of the WebSocket; None if the connection ended without one.
        close_reason: the text sent with the code.
    """

    code = "FAILURE"

    def __init__(self, text: str, close_code: int | None = None, close_reason: str = "") -> None:
        super().__init__(text)
        self.close_code = close_code
        self.close_reason = close_reason


class ServerStopping(ClientLost):
    """The server was closed."""

    code = "STOPPING"


class ClientTooSlow(ClientLost):
    """The client did not read fast enough what was sent to it."""

    code = "TOO_SLOW"


class BadClientMessage(FeedmeError):
    """A message that the client should not have sent; it was answered by a ViolationResponse.

    Attributes:
        client_message: the text of the message.
        problem: what the client was told.
    """

    code = "BAD_CLIENT_MESSAGE"

    def __init__(self, problem: str, client_message: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.client_message = client_message


class InvalidClientMessage(BadClientMessage):
    """A message that is not JSON, or not a message of the protocol.

    Attributes:
        detail: what exactly is wrong with it.
    """

    code = "INVALID_MESSAGE"

    def __init__(self, problem: str, client_message: str, detail: str) -> None:
        super().__init__(problem, client_message)
        self.detail = detail


class UnexpectedClientMessage(BadClientMessage):
    """A message that the state of the conversation does not allow."""

    code = "UNEXPECTED_MESSAGE"
