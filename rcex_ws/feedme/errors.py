"""The errors of Feedme, with the codes of the original; they hang in the tree of `rcex_ws.errors`.

::

    FeedmeError                     .code
    ├── InvalidArgument             INVALID_ARGUMENT     also a ConfigurationError
    ├── InvalidState                INVALID_STATE
    ├── InvalidFeedState            INVALID_FEED_STATE
    ├── Destroyed                   DESTROYED
    ├── TimedOut                    TIMEOUT              also a RequestTimeout    (retryable)
    ├── Disconnected                NOT_CONNECTED        also a NotConnected      (retryable)
    ├── Rejected                    REJECTED             .server_error_code, .server_error_data
    │   └── Terminated              TERMINATED
    ├── BadFeedAction               BAD_FEED_ACTION                               (retryable)
    ├── HandshakeRejected           HANDSHAKE_REJECTED
    ├── TransportFailure            TRANSPORT_FAILURE    .transport_error         (retryable)
    ├── TransportFault              TRANSPORT_ERROR
    └── BadServerMessage            also a BadFrame      .server_message
        ├── InvalidMessage          INVALID_MESSAGE      .parse_error, .schema_violation
        ├── UnexpectedMessage       UNEXPECTED_MESSAGE
        ├── InvalidDelta            INVALID_DELTA        .delta_violation
        └── InvalidHash             INVALID_HASH

The text of each begins with its code, as in the original.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rcex_ws.errors import BadFrame, ConfigurationError, NotConnected, RcexError, RequestTimeout

__all__ = [
    "BadFeedAction",
    "BadServerMessage",
    "Destroyed",
    "Disconnected",
    "FeedmeError",
    "HandshakeRejected",
    "InvalidArgument",
    "InvalidDelta",
    "InvalidFeedState",
    "InvalidHash",
    "InvalidMessage",
    "InvalidState",
    "Rejected",
    "Terminated",
    "TimedOut",
    "TransportFailure",
    "TransportFault",
    "UnexpectedMessage",
]


class FeedmeError(RcexError):
    """Base class of the errors of Feedme.

    Attributes:
        code: what the original calls the error.
    """

    code: ClassVar[str] = "FEEDME_ERROR"

    def __init__(self, text: str) -> None:
        super().__init__(f"{self.code}: {text}")


class InvalidArgument(FeedmeError, ConfigurationError):
    """An argument is invalid; the text names it."""

    code = "INVALID_ARGUMENT"


class InvalidState(FeedmeError):
    """The client's state does not allow the call."""

    code = "INVALID_STATE"


class InvalidFeedState(FeedmeError):
    """The feed's state does not allow the call."""

    code = "INVALID_FEED_STATE"


class Destroyed(FeedmeError):
    """The client or the feed was destroyed."""

    code = "DESTROYED"


class TimedOut(FeedmeError, RequestTimeout):
    """The server did not answer in time."""

    code = "TIMEOUT"


class Disconnected(FeedmeError, NotConnected):
    """The client is not connected, or its connection was lost before the answer came."""

    code = "NOT_CONNECTED"


class Rejected(FeedmeError):
    """The server rejected an action or the opening of a feed.

    Attributes:
        server_error_code: the application's error code.
        server_error_data: the application's error data, a read-only JSON object.
    """

    code = "REJECTED"
    _what: ClassVar[str] = "the server answered with the error"

    def __init__(self, server_error_code: str, server_error_data: Any) -> None:
        super().__init__(f"{self._what} {server_error_code!r}")
        self.server_error_code = server_error_code
        self.server_error_data = server_error_data


class Terminated(Rejected):
    """The server closed an open feed."""

    code = "TERMINATED"
    _what = "the server closed the feed with the error"


class BadFeedAction(FeedmeError):
    """A notification could not be applied to the feed data, or gave other data than the server has."""

    code = "BAD_FEED_ACTION"
    retryable = True


class HandshakeRejected(FeedmeError):
    """The server does not speak this version of the protocol, or refuses the client; it cannot say which."""

    code = "HANDSHAKE_REJECTED"


class TransportFailure(FeedmeError):
    """The connection could not be opened, or was lost.

    Attributes:
        transport_error: what the transport reported.
    """

    code = "TRANSPORT_FAILURE"
    retryable = True

    def __init__(self, transport_error: Exception) -> None:
        super().__init__(str(transport_error))
        self.transport_error = transport_error


class TransportFault(FeedmeError):
    """A transport of the application breaks the rules of `Transport`; the text says which."""

    code = "TRANSPORT_ERROR"


class BadServerMessage(FeedmeError, BadFrame):
    """A message that the server should not have sent.

    Attributes:
        server_message: the message: its text if it could not be decoded, otherwise its members.
    """

    code = "BAD_SERVER_MESSAGE"

    def __init__(self, text: str, server_message: Any) -> None:
        super().__init__(text)
        self.server_message = server_message


class InvalidMessage(BadServerMessage):
    """A message that is not JSON, or not a message of the protocol.

    Attributes:
        parse_error: why it is not JSON; None if it is.
        schema_violation: why it is not a message of the protocol; None if it is not even JSON.
    """

    code = "INVALID_MESSAGE"

    def __init__(
        self, server_message: Any, *, parse_error: str | None = None, schema_violation: str | None = None
    ) -> None:
        super().__init__(parse_error or schema_violation or "", server_message)
        self.parse_error = parse_error
        self.schema_violation = schema_violation


class UnexpectedMessage(BadServerMessage):
    """A message that the state of the conversation does not allow."""

    code = "UNEXPECTED_MESSAGE"


class InvalidDelta(BadServerMessage):
    """A notification with a delta that does not fit the feed data.

    Attributes:
        delta_violation: why it does not fit.
    """

    code = "INVALID_DELTA"

    def __init__(self, server_message: Any, delta_violation: str) -> None:
        super().__init__(delta_violation, server_message)
        self.delta_violation = delta_violation


class InvalidHash(BadServerMessage):
    """A notification whose hash does not fit the feed data that its deltas lead to."""

    code = "INVALID_HASH"
