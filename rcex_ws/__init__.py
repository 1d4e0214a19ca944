"""A WebSocket that survives everything, for RingCentral-style REST clients.

Each name is imported when it is first used, so that a program which needs one part of the package, such as the help of
the command line, does not wait for the others.
"""

from typing import TYPE_CHECKING

from rcex_ws.lazy import lazy_names

if TYPE_CHECKING:
    from rcex_ws.connection import Link, Loss, LossKind, Reason, State, StateReason
    from rcex_ws.errors import (
        BadFrame,
        ConfigurationError,
        ConnectFailed,
        ConnectTimeout,
        NotConnected,
        NotJSON,
        RateLimited,
        RcexError,
        RequestLost,
        RequestTimeout,
        ResponseTooLarge,
        SlowConsumer,
        SubscriptionEnded,
        TransportError,
        UpgradeRefused,
        WrongEventLoop,
    )
    from rcex_ws.rest import (
        PRODUCTION,
        SANDBOX,
        BatchResult,
        DebugExtension,
        EventsExtension,
        Extension,
        FileTokenStore,
        LoginRefused,
        PagingError,
        RateLimitExtension,
        Request,
        Response,
        RestError,
        RestEvents,
        RestStats,
        RetryExtension,
        RingCentral,
        Token,
        TokenStore,
    )
    from rcex_ws.trace import Phase, Step, TraceEvent
    from rcex_ws.wsg import (
        ConnectionDetails,
        Events,
        FileSessionStore,
        Gap,
        Notification,
        Outcome,
        Recovery,
        SessionStore,
        SessionUnreadable,
        Stats,
        Subscription,
        SubscriptionInfo,
        SubscriptionState,
        WebSocketExtension,
        Wsc,
    )
else:
    __getattr__ = lazy_names(
        __name__,
        {
            name: home
            for home, names in {
                ".connection": "Link Loss LossKind Reason State StateReason",
                ".errors": (
                    "BadFrame ConfigurationError ConnectFailed ConnectTimeout NotConnected NotJSON RateLimited "
                    "RcexError RequestLost RequestTimeout ResponseTooLarge SlowConsumer SubscriptionEnded "
                    "TransportError UpgradeRefused WrongEventLoop"
                ),
                ".rest": (
                    "PRODUCTION SANDBOX BatchResult DebugExtension EventsExtension Extension FileTokenStore "
                    "LoginRefused PagingError RateLimitExtension Request Response RestError RestEvents "
                    "RestStats RetryExtension RingCentral Token TokenStore"
                ),
                ".trace": "Phase Step TraceEvent",
                ".wsg": (
                    "ConnectionDetails Events FileSessionStore Gap Notification Outcome Recovery SessionStore "
                    "SessionUnreadable Stats Subscription SubscriptionInfo SubscriptionState WebSocketExtension "
                    "Wsc"
                ),
            }.items()
            for name in names.split()
        },
        elsewhere={
            "ClosedException": "RequestLost, or NotConnected",
            "ConnectionException": "ConnectFailed",
            "RestException": "RestError",
            "TimeoutException": "RequestTimeout",
        },
    )


def __dir__() -> list[str]:
    """List the public names, also those that nobody has used yet."""
    return __all__


__all__ = [
    "PRODUCTION",
    "SANDBOX",
    "BadFrame",
    "BatchResult",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionDetails",
    "DebugExtension",
    "Events",
    "EventsExtension",
    "Extension",
    "FileSessionStore",
    "FileTokenStore",
    "Gap",
    "Link",
    "LoginRefused",
    "Loss",
    "LossKind",
    "NotConnected",
    "NotJSON",
    "Notification",
    "Outcome",
    "PagingError",
    "Phase",
    "RateLimitExtension",
    "RateLimited",
    "RcexError",
    "Reason",
    "Recovery",
    "Request",
    "RequestLost",
    "RequestTimeout",
    "Response",
    "ResponseTooLarge",
    "RestError",
    "RestEvents",
    "RestStats",
    "RetryExtension",
    "RingCentral",
    "SessionStore",
    "SessionUnreadable",
    "SlowConsumer",
    "State",
    "StateReason",
    "Stats",
    "Step",
    "Subscription",
    "SubscriptionEnded",
    "SubscriptionInfo",
    "SubscriptionState",
    "Token",
    "TokenStore",
    "TraceEvent",
    "TransportError",
    "UpgradeRefused",
    "WebSocketExtension",
    "WrongEventLoop",
    "Wsc",
]
