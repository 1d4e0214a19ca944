"""The server of the Feedme protocol.

server.py        `FeedmeServer`, which the application holds: handlers, feeds
settings.py      its options
service.py       serves one client: its WebSocket, its heartbeat, why it ended
conversation.py  receives a client's messages, has them handled, responds
conversation_state.py    which messages are allowed now (pure)
client.py        a connected client, as the application gets to know it
core.py          what all clients share
handlers.py      the handlers of the application, by name
channel.py       who has which feed open, and sending to them
runtime.py       a running server: its clients, and its closing
live_feed.py     feeds whose data the server holds
draft.py         its data, to be changed like dicts and lists (pure)
recorder.py      records what is done to them, as deltas (pure)
memory.py        connections within the process, for tests of an application
events.py        the events of the server, in order
errors.py        refusals, lost clients, bad messages
"""

from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.draft import Draft, DraftList
from rcex_ws.feedme.server.errors import (
    BadClientMessage,
    ClientFailure,
    ClientLost,
    ClientTooSlow,
    HandshakeTimedOut,
    InvalidClientMessage,
    Refusal,
    ServerStopping,
    UnexpectedClientMessage,
)
from rcex_ws.feedme.server.events import ServerEvents
from rcex_ws.feedme.server.live_feed import LiveFeed
from rcex_ws.feedme.server.server import FeedmeServer

__all__ = [
    "BadClientMessage",
    "ClientFailure",
    "ClientLost",
    "ClientTooSlow",
    "ConnectedClient",
    "Draft",
    "DraftList",
    "FeedmeServer",
    "HandshakeTimedOut",
    "InvalidClientMessage",
    "LiveFeed",
    "Refusal",
    "ServerEvents",
    "ServerStopping",
    "UnexpectedClientMessage",
]
