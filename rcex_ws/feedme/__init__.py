"""Feedme: copies of a server's data, moved by actions and deltas and checked by a hash. The client and the server.

Stands on connection/ and websocket/. The protocol, its three dialects and what differs from the original packages is
described in docs/feedme.md.

client.py           `FeedmeClient`: checks arguments; core.py: the state behind it, which has one owner
feed.py             `Feed`, which the application holds; changes.py: its changes as an iterator
feed_core.py        what one `Feed` desires, and was told last
shared_feed.py      a feed of the server, as the client sees it, shared by any number of `Feed` objects
feeds.py            the table of these feeds
driver.py           the retries of one `connect`; conversation.py: one connection
actions.py          actions, and how each one settles
events.py           the names of events
timers.py, reopening.py     timers, and how often to reopen a feed
settings.py, arguments.py   options, and checks of arguments
transport.py        the interface for transports of the application; transport_socket.py: how they are used
server/             `FeedmeServer` and `LiveFeed`; memory.py: a transport within the process
messages.py, codec.py   pure: the messages of both sides, and how they are decoded and encoded
deltas.py, operations.py, values.py, canonical.py, text.py, digest.py   pure: feed data, its changes and its hash
errors.py           the errors, with the codes of the original
"""

from rcex_ws.feedme.actions import ActionCall, ActionCallback
from rcex_ws.feedme.changes import Changes, FeedChange
from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.core import ClientState
from rcex_ws.feedme.deltas import Delta, DeltaError, apply_deltas
from rcex_ws.feedme.digest import feed_md5
from rcex_ws.feedme.errors import (
    BadFeedAction,
    BadServerMessage,
    Destroyed,
    Disconnected,
    FeedmeError,
    HandshakeRejected,
    InvalidArgument,
    InvalidDelta,
    InvalidFeedState,
    InvalidHash,
    InvalidMessage,
    InvalidState,
    Rejected,
    Terminated,
    TimedOut,
    TransportFailure,
    TransportFault,
    UnexpectedMessage,
)
from rcex_ws.feedme.events import Events, FeedEvents
from rcex_ws.feedme.feed import Feed
from rcex_ws.feedme.feed_core import FeedState
from rcex_ws.feedme.messages import Dialect
from rcex_ws.feedme.server import (
    BadClientMessage,
    ClientFailure,
    ClientLost,
    ClientTooSlow,
    ConnectedClient,
    Draft,
    DraftList,
    FeedmeServer,
    HandshakeTimedOut,
    InvalidClientMessage,
    LiveFeed,
    Refusal,
    ServerEvents,
    ServerStopping,
    UnexpectedClientMessage,
)
from rcex_ws.feedme.transport import Transport, TransportState
from rcex_ws.feedme.values import FrozenDict, FrozenList, NotExpressible, freeze

__all__ = [
    "ActionCall",
    "ActionCallback",
    "BadClientMessage",
    "BadFeedAction",
    "BadServerMessage",
    "Changes",
    "ClientFailure",
    "ClientLost",
    "ClientState",
    "ClientTooSlow",
    "ConnectedClient",
    "Delta",
    "DeltaError",
    "Destroyed",
    "Dialect",
    "Disconnected",
    "Draft",
    "DraftList",
    "Events",
    "Feed",
    "FeedChange",
    "FeedEvents",
    "FeedState",
    "FeedmeClient",
    "FeedmeError",
    "FeedmeServer",
    "FrozenDict",
    "FrozenList",
    "HandshakeRejected",
    "HandshakeTimedOut",
    "InvalidArgument",
    "InvalidClientMessage",
    "InvalidDelta",
    "InvalidFeedState",
    "InvalidHash",
    "InvalidMessage",
    "InvalidState",
    "LiveFeed",
    "NotExpressible",
    "Refusal",
    "Rejected",
    "ServerEvents",
    "ServerStopping",
    "Terminated",
    "TimedOut",
    "Transport",
    "TransportFailure",
    "TransportFault",
    "TransportState",
    "UnexpectedClientMessage",
    "UnexpectedMessage",
    "apply_deltas",
    "feed_md5",
    "freeze",
]
