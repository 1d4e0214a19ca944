"""The one error tree; every error says whether a retry can help.

::

    RcexError                       .retryable
    ├── ConfigurationError          a wrong argument: names the field and says what to do
    │   └── UnknownName             an argument or attribute of the JavaScript original, named differently here
    ├── NotJSON                     the body of a response is not JSON
    ├── BadFrame                    a frame from the server cannot be decoded
    ├── WrongEventLoop              a call from another event loop, thread or process than the client's
    ├── TransportError              no response: network, TLS, proxy, time-out; .sent  (retryable, but see there)
    │   └── RequestTimeout          no response within the time-out
    ├── ResponseTooLarge            the body of a response exceeds `max_response_bytes`
    ├── RateLimited                 the rate gate stays closed beyond the call's time-out (retryable)
    ├── RestError                   a non-2xx response                                 (rcex_ws.rest)
    │   └── LoginRefused            OAuth refused the credentials, grant or permission (rcex_ws.rest)
    ├── LoginUnfinished             no code came from the login page                   (rcex_ws.cli)
    ├── PagingError                 a list leads to another host, or in a circle       (rcex_ws.rest)
    ├── ConnectFailed               one attempt to open a WebSocket failed
    │   ├── ConnectTimeout          the attempt took too long
    │   └── UpgradeRefused          the server answered the upgrade with an HTTP status
    ├── NotConnected                the call needs a connection, and there is none     (retryable)
    ├── RequestLost                 the connection was lost before the response arrived; .sent
    ├── SessionUnreadable           the stored session cannot be read                  (rcex_ws.wsg)
    ├── SlowConsumer                notifications are dropped because the consumer is too slow (an event, not raised)
    ├── UnroutedEvent               no handler of `on_event` wants a notification (an event) (rcex_ws.wsg)
    ├── SlackApiError               a Web API method answered {"ok": false}            (rcex_ws.slack)
    ├── SlackHttpError              a response that is not one of the Web API          (rcex_ws.slack, retryable)
    ├── MessageRejected             Slack rejected a message                           (rcex_ws.slack)
    ├── DataStoreError              the data store cannot apply an event               (rcex_ws.slack)
    ├── BrokerError                 a broker cannot do what was asked for              (rcex_ws.broker)
    │   ├── BrokerUnavailable       Redis cannot be reached or did not answer; .sent   (rcex_ws.broker, retryable)
    │   └── BrokerFull              too much waits for Redis already                   (rcex_ws.broker, retryable)
    ├── FeedmeError                 the errors of Feedme                               (rcex_ws.feedme)
    ├── RtmError                    the errors of RTM                                  (rcex_ws.rtm)
    ├── BrokerError                 what connects several servers has failed           (rcex_ws.broker)
    └── SubscriptionEnded           the subscription was replaced, revoked or has failed

Errors with a response live in `rcex_ws.rest`, which defines responses; those of one protocol live in its folder. No
message contains a token or secret. All errors survive `copy` and `pickle` with their attributes.
"""

from __future__ import annotations

from typing import Any


class RcexError(Exception):
    """Base class of every error that this library raises.

    Attributes:
        retryable: whether the same call can succeed later without a change by the caller.
        retry_after: minimum wait in seconds that the server asked for, or None.
    """

    retryable: bool = False
    retry_after: float | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with `args`, which holds only the message; our constructors need more.
        return _remake, (type(self), self.args), vars(self)


class ConfigurationError(RcexError, ValueError):
    """A wrong argument; the message names the field and says what to do."""


class NotJSON(RcexError, ValueError):
    """The body of a response is not JSON, or does not have the expected shape."""


class BadFrame(RcexError):
    """A frame from the server, or the body of one, cannot be decoded.

    The connection survives it: a client emits it as an event (`error`, in Slack's `client_error`) and keeps reading.
    """


class UnknownName(ConfigurationError, TypeError, AttributeError):
    """A name of the JavaScript original; the message says what it is called here."""


class WrongEventLoop(RcexError, RuntimeError):
    """A call from another event loop, thread or process than the client's; the message says what to do."""


class TransportError(RcexError):
    """No response arrived: network, TLS, proxy or time-out.

    Retryable, except for a POST or PATCH that was sent: the server may have executed it, and would do so again.

    Args:
        sent: False if the request certainly never reached the server, so that repeating it is safe.
    """

    retryable = True

    def __init__(self, message: str = "", *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class RequestTimeout(TransportError, TimeoutError):
    """No response arrived within the call's time-out."""


class ResponseTooLarge(RcexError):
    """The body of a response exceeds the client's limit; `stream` has none."""


class RateLimited(RcexError):
    """The server's rate limit blocks this call for longer than its time-out.

    Args:
        retry_after: seconds until calls are allowed again.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConnectFailed(RcexError):
    """One attempt to open a WebSocket failed.

    Args:
        retryable: False if the same attempt can never succeed (a bad URI).
        upgrade_sent: whether the server may have received the upgrade request.
    """

    retryable = True

    def __init__(self, message: str, *, retryable: bool = True, upgrade_sent: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.upgrade_sent = upgrade_sent


class ConnectTimeout(ConnectFailed, TimeoutError):
    """One attempt to open a WebSocket took too long."""


class UpgradeRefused(ConnectFailed):
    """The server answered the upgrade with an HTTP status other than 101.

    Args:
        status: the HTTP status.
        retry_after: seconds of the Retry-After header, or None.
    """

    def __init__(self, status: int, *, retry_after: float | None = None) -> None:
        super().__init__(f"the server refused the WebSocket upgrade with HTTP {status}", upgrade_sent=True)
        self.status = status
        self.retry_after = retry_after


class NotConnected(RcexError):
    """The call needs a connection, and there is none."""

    retryable = True


class RequestLost(RcexError):
    """The connection was lost before the response arrived.

    Args:
        sent: False if the request certainly never left this process, so that repeating it is safe.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent
        self.retryable = not sent


class SubscriptionEnded(RcexError):
    """The subscription was replaced, revoked or has failed; subscribe again."""


class SlowConsumer(RcexError):
    """Notifications are being dropped; emitted as `error`, never raised. Their period follows as a gap."""


def _remake(kind: type[RcexError], args: tuple[Any, ...]) -> RcexError:
    """Create an error without calling its constructor; pickle and copy then set the attributes."""
    error = kind.__new__(kind, *args)
    error.args = args  # a TimeoutError whose class has a constructor of its own does not keep them
    return error
