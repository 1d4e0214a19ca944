"""The root of the one error tree; every error says whether trying again can help.

::

    RcexError                       .retryable
    ├── ConfigurationError          a wrong argument: names the field and says what to do
    │   └── UnknownName             an argument or attribute of the JavaScript original, called otherwise here
    ├── NotJSON                     the body of an answer is no JSON
    ├── BadFrame                    a frame from the server cannot be read
    ├── WrongEventLoop              a call from another event loop, thread or process than the client's
    ├── TransportError              no answer came: network, TLS, proxy, time-out      (retryable)
    │   └── RequestTimeout          the answer did not come in time
    ├── ResponseTooLarge            the body of an answer is larger than `max_response_bytes`
    ├── RateLimited                 a closed rate gate would outlast the call's time-out (retryable)
    ├── RestError                   a non-2xx answer                                   (rcex_ws.rest)
    │   └── LoginRefused            OAuth said no: credentials, grant or permission    (rcex_ws.rest)
    ├── ConnectFailed               one attempt to open a WebSocket failed
    │   └── UpgradeRefused          the server answered the upgrade with an HTTP status
    ├── NotConnected                a connection is needed and there is none           (retryable)
    ├── RequestLost                 the connection went before the answer came; .sent
    ├── SessionUnreadable           what a session store keeps cannot be read         (rcex_ws.wsg)
    ├── SlowConsumer                notifications are dropped because nobody takes them in time (an event, not raised)
    ├── SlackApiError               a Web API method answered {"ok": false}            (rcex_ws.slack)
    ├── SlackHttpError              an answer that is none of the Web API's            (rcex_ws.slack, retryable)
    ├── MessageRejected             Slack refused a message                            (rcex_ws.slack)
    ├── DataStoreError              the data store cannot take an event                (rcex_ws.slack)
    └── SubscriptionEnded           the subscription was replaced, revoked or has failed

Errors that carry an answer live in `rcex_ws.rest`, which knows what an answer is, those of a protocol in its folder. No
token or secret ever stands in a message. All of them survive `copy` and `pickle` with their attributes.
"""

from __future__ import annotations

from typing import Any


class RcexError(Exception):
    """Be the base of every error this library raises.

    Attributes:
        retryable: whether the same call can succeed later without a change by the caller.
        retry_after: seconds the server asked to wait at least, or None.
    """

    retryable: bool = False
    retry_after: float | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # Python's way is to call the class with `args`, the message alone, which is not what our constructors take.
        return _remake, (type(self), self.args), vars(self)


class ConfigurationError(RcexError, ValueError):
    """Report a wrong argument; the message names the field and says what to do."""


class NotJSON(RcexError, ValueError):
    """Report that the body of an answer is no JSON, or none of the expected shape."""


class BadFrame(RcexError):
    """A frame from the server that cannot be read, or whose body cannot be.

    The connection survives it: a client reports it by an event (`error`, Slack's `client_error`) and reads on.
    """


class UnknownName(ConfigurationError, TypeError, AttributeError):
    """Report a name of the JavaScript original; the message says what it is called here."""


class WrongEventLoop(RcexError, RuntimeError):
    """Report a call from another event loop, thread or process than the client's; the message says what to do."""


class TransportError(RcexError):
    """Report that no answer came: network, TLS, proxy or time-out."""

    retryable = True


class RequestTimeout(TransportError, TimeoutError):
    """Report that the answer did not come within the call's time-out."""


class ResponseTooLarge(RcexError):
    """Report that the body of an answer is larger than the client takes; `stream` takes any."""


class RateLimited(RcexError):
    """Report that the server's rate limit closes this call for longer than its time-out.

    Args:
        retry_after: seconds until the gate opens.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConnectFailed(RcexError):
    """Report that one attempt to open a WebSocket failed.

    Args:
        retryable: False where the same attempt can never succeed (a bad URI).
        upgrade_sent: whether the server may have seen the upgrade request.
    """

    retryable = True

    def __init__(self, message: str, *, retryable: bool = True, upgrade_sent: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.upgrade_sent = upgrade_sent


class UpgradeRefused(ConnectFailed):
    """Report that the server answered the upgrade with an HTTP status other than 101.

    Args:
        status: the HTTP status.
        retry_after: seconds from the Retry-After header, or None.
    """

    def __init__(self, status: int, *, retry_after: float | None = None) -> None:
        super().__init__(f"the server refused the WebSocket upgrade with HTTP {status}", upgrade_sent=True)
        self.status = status
        self.retry_after = retry_after


class NotConnected(RcexError):
    """Report that the call needs a connection and there is none."""

    retryable = True


class RequestLost(RcexError):
    """Report that the connection went before the answer came.

    Args:
        sent: False when the request certainly never left this process, so that repeating it is safe.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent
        self.retryable = not sent


class SubscriptionEnded(RcexError):
    """Report that the subscription was replaced, revoked or has failed; subscribe again."""


class SlowConsumer(RcexError):
    """Report, by the event `error`, that notifications are dropped; their period follows as a gap."""


def _remake(kind: type[RcexError], args: tuple[Any, ...]) -> RcexError:
    """Make an error without its constructor; pickle and copy then set the attributes."""
    return kind.__new__(kind, *args)
