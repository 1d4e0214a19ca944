"""Errors leave the process they were raised in: process pools, task queues and test runners pickle and copy them."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import httpx
import pytest

import rcex_ws
import rcex_ws.rtm.server
from rcex_ws import feedme, rtm
from rcex_ws.broker import BrokerError, BrokerFull, BrokerRefused, BrokerUnavailable
from rcex_ws.broker.redis_errors import CommandRefused, ScriptForgotten
from rcex_ws.cli.loopback import LoginUnfinished
from rcex_ws.errors import (
    BadFrame,
    ConfigurationError,
    ConnectFailed,
    ConnectTimeout,
    NotConnected,
    RateLimited,
    RcexError,
    RequestLost,
    RequestTimeout,
    ResponseTooLarge,
    SlowConsumer,
    SubscriptionEnded,
    TransportError,
    UnknownName,
    UpgradeRefused,
    WrongEventLoop,
)
from rcex_ws.feedme.codec import NotAMessage
from rcex_ws.feedme.deltas import DeltaError, MalformedDelta
from rcex_ws.files import Unreadable
from rcex_ws.rest import LoginRefused, NotJSON, PagingError, Response, RestError
from rcex_ws.rest.headers import Headers
from rcex_ws.slack import errors as slack
from rcex_ws.slack.store.errors import DataStoreError
from rcex_ws.wsg.router import UnroutedEvent
from rcex_ws.wsg.store import SessionUnreadable

BODY = b'{"errorCode":"CMN-301","message":"Too fast"}'


def answer(status: int = 429) -> Response:
    headers = httpx.Headers({"retry-after": "7", "X-Rate-Limit-Group": "light"})  # what HTTPS gives
    return Response(status, headers, BODY, "https")


#: One of each, with every attribute set to something else than its default.
EXAMPLES = [
    RcexError("plain"),
    ConfigurationError("server: expected a URL"),
    UnknownName("clientId: this argument is called client_id here"),
    TransportError("no route"),
    RequestTimeout("no answer within 3 s"),
    RateLimited("closed for 4 s", retry_after=4.0),
    ResponseTooLarge("too large"),
    Unreadable("token_store: x is unreadable"),
    ConnectFailed("a bad URI", retryable=False, upgrade_sent=True),
    ConnectTimeout("no connection within 10 s", upgrade_sent=True),
    UpgradeRefused(503, retry_after=9.0),
    NotConnected("the WebSocket is not connected"),
    WrongEventLoop("this client belongs to another event loop; make one per loop"),
    RequestLost("lost", sent=True),
    SubscriptionEnded("replaced"),
    SessionUnreadable("session_store: session.json is unreadable"),
    SlowConsumer("12 notifications were dropped"),
    UnroutedEvent("no handler of on_event() wants the event /a"),
    NotJSON("the answer 200 is no JSON"),
    RestError(answer(), method="GET", path="/restapi/v1.0/x?secret=1"),
    PagingError("GET /a: the server leads back to a page that was had before"),
    LoginRefused(answer(401), method="POST", path="/restapi/oauth/token"),
    LoginUnfinished("nobody came back from the login page within 300 s"),
    BadFrame("an empty frame"),
    slack.SlackApiError("rtm.connect", "invalid_auth", {"ok": False, "error": "invalid_auth", "a": [1]}),
    slack.SlackHttpError("rtm.connect", 503, "HTTP 503", retry_after=30.0),
    slack.MessageRejected(2, "message text is missing", {"ok": False, "error": {"code": 2}}),
    DataStoreError("locked", event_type="message", field="channel.id", retryable=True),
]

#: Those of Feedme; the texts of many say nothing but why.
EXAMPLES += [
    feedme.NotExpressible("a set cannot be expressed in JSON"),
    DeltaError("Set at ['a']: there is no member 'a'"),
    MalformedDelta("there is no operation 'Sett'"),
    NotAMessage({"MessageType": 1}, schema_violation="no message"),
    feedme.Rejected("NO", feedme.freeze({"why": [1]})),
    feedme.Terminated("OVER", feedme.freeze({"why": [1]})),
    feedme.TransportFailure(TransportError("cut")),
    feedme.BadServerMessage("why", {"MessageType": "x"}),
    feedme.InvalidMessage("text", parse_error="no JSON"),
    feedme.UnexpectedMessage("why", {"MessageType": "x"}),
    feedme.InvalidDelta({"MessageType": "x"}, "there is no member"),
    feedme.InvalidHash("why", {"MessageType": "x"}),
    feedme.Refusal("NO", {"why": 1}),
    feedme.ClientFailure("why", 1006, "gone"),
    feedme.BadClientMessage("Invalid JSON.", "text"),
    feedme.InvalidClientMessage("Invalid JSON.", "text", "line 1"),
    feedme.UnexpectedClientMessage("Handshake required.", "text"),
    rtm.RemoteError({"why": 1}),
    rtm.server.ClientGone("gone", 1006, by_server=True),
    *(
        kind("why")
        for kind in (
            rtm.RtmError,
            rtm.AuthenticationRefused,
            rtm.QueueFull,
            rtm.NoUsers,
            feedme.FeedmeError,
            feedme.InvalidArgument,
            feedme.InvalidState,
            feedme.InvalidFeedState,
            feedme.Destroyed,
            feedme.TimedOut,
            feedme.Disconnected,
            feedme.BadFeedAction,
            feedme.HandshakeRejected,
            feedme.TransportFault,
            feedme.ClientLost,
            feedme.HandshakeTimedOut,
            feedme.ServerStopping,
            feedme.ClientTooSlow,
        )
    ),
]

EXAMPLES += [
    kind("Redis at h:6379 did not answer in time", sent=True)
    for kind in (BrokerRefused, BrokerUnavailable, CommandRefused, ScriptForgotten)
]
EXAMPLES += [BrokerError("no"), BrokerFull("too much waits")]

WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


def facts(value: object) -> object:
    """Make what has no equality of its own comparable."""
    if isinstance(value, Response):
        return value.status_code, dict(value.headers), value.content, value.json(), value.via
    return (type(value), str(value)) if isinstance(value, RcexError) else value


def all_of(error: RcexError) -> dict[str, object]:
    """Return all that a user can read of an error."""
    names = {name for name in dir(error) if not name.startswith("__")}
    values = {name: getattr(error, name, None) for name in names}  # OSError lists some that it lacks
    return {name: facts(value) for name, value in values.items() if not callable(value)}


def kinds(base: type[RcexError] = RcexError) -> Iterator[type[RcexError]]:
    yield base
    for kind in base.__subclasses__():
        if kind.__module__.startswith("rcex_ws"):
            yield from kinds(kind)


def test_e5_every_error_of_the_tree_has_an_example() -> None:
    for info in pkgutil.walk_packages(rcex_ws.__path__, "rcex_ws."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
    assert set(kinds()) == {type(error) for error in EXAMPLES}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_e5_an_error_survives_pickle_and_copy(error: RcexError, way: str) -> None:
    twin = WAYS[way](error)
    assert twin is not error
    assert type(twin) is type(error)
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
    assert all_of(twin) == all_of(error)
    assert vars(twin).keys() == vars(error).keys()  # nothing gets in that was not in the object


@pytest.mark.parametrize("way", WAYS)
def test_e5_an_error_survives_it_twice(way: str) -> None:
    error = RestError(answer(), method="GET", path="/x")
    twin = WAYS[way](WAYS[way](error))
    assert all_of(twin) == all_of(error)
    assert twin.response.headers["RETRY-AFTER"] == "7"


@pytest.mark.parametrize("way", WAYS)
def test_e5_what_an_error_holds_survives_alone(way: str) -> None:
    assert facts(WAYS[way](answer())) == facts(answer())
    headers = WAYS[way](Headers({"Retry-After": "7"}))
    assert (type(headers), headers["retry-after"]) == (Headers, "7")


def test_e5_notes_stay_and_a_copy_has_its_own_attributes() -> None:
    error = RateLimited("closed", retry_after=1.0)
    error.add_note("while syncing")
    twin = copy.copy(error)
    twin.retry_after = 2.0
    assert error.retry_after == 1.0
    assert twin.__notes__ == ["while syncing"]


def fail() -> None:
    raise RestError(Response(429, {"Retry-After": "7"}, BODY), method="GET", path="/x")


def test_e5_a_process_pool_hands_the_error_over() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, pytest.raises(RestError) as caught:
        pool.submit(fail).result()
    assert (caught.value.error_code, caught.value.retry_after, caught.value.retryable) == ("CMN-301", 7.0, True)
