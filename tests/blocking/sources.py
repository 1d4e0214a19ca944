"""From which async classes the generated modules of `rcex_ws.blocking` are made; generate.py writes them."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ATTRIBUTES", "BLOCKING_TYPES", "ORIGINS", "RENAMED", "SOURCES", "Source"]

#: Async methods that have another name where they block.
RENAMED = {"aclose": "close", "aiter_bytes": "iter_bytes", "aread": "read"}
#: Types that have a blocking counterpart, and the module it is in.
BLOCKING_TYPES = {
    "Callback": "callbacks",
    "Predicate": "callbacks",
    "PathBuilder": "paths",
    "Subscription": "subscription",
    "Link": "link",
    "StreamedResponse": "streamed",
}


@dataclass(frozen=True)
class Source:
    """What one module is generated from.

    Attributes:
        module: where the async class is.
        name: the async class.
        to: the module to write.
        becomes: the name of the blocking class.
        base: its base class: the module and the name.
        inner: the async class whose objects it wraps, if the base class does not say so.
        omit: public methods that are not for applications, or are written by hand.
        attributes: public attributes of an object, with their types.
        writable: those that can be set.
        of: whether async methods and events return such objects, which are then wrapped.
    """

    module: str
    name: str
    to: str
    becomes: str
    base: tuple[str, str] | None = None
    inner: str = ""
    omit: frozenset[str] = frozenset()
    attributes: dict[str, str] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()
    of: bool = False


SOURCES = (
    Source(
        *("rcex_ws.rest.session_methods", "SessionMethods", "session_methods", "BlockingSessionMethods"),
        inner="rcex_ws.rest.RingCentral",
        attributes={"server": "str", "client_id": "str | None"},
    ),
    Source(
        *("rcex_ws.rest.methods", "ClientMethods", "methods", "BlockingClientMethods"),
        base=("session_methods", "BlockingSessionMethods"),
    ),
    Source(
        *("rcex_ws.rest.path_methods", "PathMethods", "path_methods", "BlockingPathMethods"),
        base=("methods", "BlockingClientMethods"),
    ),
    Source(
        *("rcex_ws.rest.client", "RingCentral", "client_options", "BlockingClientOptions"),
        base=("path_methods", "BlockingPathMethods"),
        inner="rcex_ws.rest.RingCentral",
        omit=frozenset({"install_extension", "aclose"}),
        attributes={"proxy": "ProxyChoice", "user_agent": "str"},
    ),
    Source(
        *("rcex_ws.rest.paths", "PathBuilder", "path_calls", "BlockingPathCalls"),
        inner="rcex_ws.rest.PathBuilder",
    ),
    Source(
        *("rcex_ws.rest.https", "StreamedResponse", "streamed", "StreamedResponse"),
        inner="rcex_ws.rest.https.StreamedResponse",
        omit=frozenset({"abandon", "read_error_body"}),
        attributes={"via": "Via", "status_code": "int", "headers": "Headers"},
        of=True,
    ),
    Source(
        *("rcex_ws.wsg.event_methods", "EventMethods", "event_methods", "BlockingEventMethods"),
        inner="rcex_ws.wsg.WebSocketExtension",
        omit=frozenset({"on_event"}),
    ),
    Source(
        *("rcex_ws.wsg.extension", "WebSocketExtension", "extension_methods", "BlockingExtensionMethods"),
        base=("event_methods", "BlockingEventMethods"),
        omit=frozenset({"install", "takes", "transport", "on_gap"}),
        attributes={"name": "str", "enabled": "bool"},
        writable=frozenset({"enabled"}),
    ),
    Source(
        *("rcex_ws.wsg.subscription", "Subscription", "subscription_methods", "BlockingSubscriptionMethods"),
        inner="rcex_ws.wsg.Subscription",
        omit=frozenset(
            # for its owner, and an attribute
            {"queue", "has_callback", "activate", "ignore", "claim", "end", "drained", "run_callback", "event_filters"}
        ),
        attributes={
            "event_filters": "tuple[str, ...]",
            "info": "SubscriptionInfo | None",
            "state": "SubscriptionState",
            "error": "Exception | None",
        },
    ),
    Source(
        *("rcex_ws.connection.link", "Link", "link", "Link"),
        inner="rcex_ws.connection.Link",
        omit=frozenset(
            # for the supervisor
            {"withdraw_requests", "last_inbound", "begin_close", "do_soon", "lose", "send_heartbeat"}
            | {"heartbeat_answered", "close", "run"}
        ),
        attributes={
            "id": "int",
            "opened_at": "datetime",
            "was_ready": "bool",
            "loss": "Loss | None",
            "round_trip": "float | None",
        },
        of=True,
    ),
)
#: Types of attributes, which the module of the class does not import.
ORIGINS = {"Via": "rcex_ws.rest.message", "Loss": "rcex_ws.connection.loss"}
#: What the docstring of the class does not say.
ATTRIBUTES = {
    "event_filters": "The filters, as requested; `update` changes them.",
    "client_id": "Id of the application.",
    "proxy": "The argument of that name.",
    "enabled": "Whether calls use it; while False they go by HTTPS.",
    "via": "How it came.",
    "status_code": "The HTTP status.",
    "headers": "The headers.",
}
