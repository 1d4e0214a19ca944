"""ONE resilient WebSocket: open, keep alive, lose, back off, reopen. Knows no protocol.

link.py        what belongs to one connection: reader, writer, heartbeat, how it ended
supervisor.py  what happens next: schedule, attempts
life.py        what belongs to one life of a client, from start to close
driver.py      what a protocol brings, and the states
requests.py    requests that wait for an answer
delivery.py    the bounded queue before the user's code
outbox.py      what waits to be written
events.py      lifecycle events
websocket_client.py, websocket_settings.py, websocket_driver.py   the callback client, and its part of the engine
websocket_handler.py, callbacks.py, mailbox.py   what its users write, and what runs that
dedupe.py, options.py   pure: what came before, whether an option can work
schedule.py, heartbeat.py   pure: when to try again, whether a link is alive
"""

from importlib import import_module
from typing import TYPE_CHECKING

from rcex_ws.connection.dedupe import Seen
from rcex_ws.connection.delivery import DeliveryQueue, Overflow
from rcex_ws.connection.driver import Driver, State
from rcex_ws.connection.events import EventEmitter, Unsubscriber, being_cancelled, call
from rcex_ws.connection.heartbeat import AnswerHeartbeat, Heartbeat
from rcex_ws.connection.life import Life
from rcex_ws.connection.link import Conversation, Link, Loss, LossKind, utc_now
from rcex_ws.connection.options import check_options
from rcex_ws.connection.requests import Pending, RequestTable
from rcex_ws.connection.schedule import ReconnectDelays, default_delays
from rcex_ws.connection.supervisor import Supervisor
from rcex_ws.websocket.endpoint import Endpoint, Opener, open_websocket
from rcex_ws.websocket.frames import Binary, CloseFrame, Frame, Ping, Pong, Text

if TYPE_CHECKING:
    from rcex_ws.connection.websocket_client import WebSocketClient
    from rcex_ws.connection.websocket_handler import (
        KEEPALIVE_TIMEOUT,
        NORMAL,
        REMOTE,
        CallbackClient,
        Close,
        Ok,
        Once,
        Reconnect,
        Reply,
        WebSocketHandler,
    )
    from rcex_ws.connection.websocket_settings import NextUrl, WebSocketOptions

__all__ = [
    "KEEPALIVE_TIMEOUT",
    "NORMAL",
    "REMOTE",
    "AnswerHeartbeat",
    "Binary",
    "CallbackClient",
    "Close",
    "CloseFrame",
    "Conversation",
    "DeliveryQueue",
    "Driver",
    "Endpoint",
    "EventEmitter",
    "Frame",
    "Heartbeat",
    "Life",
    "Link",
    "Loss",
    "LossKind",
    "NextUrl",
    "Ok",
    "Once",
    "Opener",
    "Overflow",
    "Pending",
    "Ping",
    "Pong",
    "Reconnect",
    "ReconnectDelays",
    "Reply",
    "RequestTable",
    "Seen",
    "State",
    "Supervisor",
    "Text",
    "Unsubscriber",
    "WebSocketClient",
    "WebSocketHandler",
    "WebSocketOptions",
    "being_cancelled",
    "call",
    "check_options",
    "default_delays",
    "open_websocket",
    "utc_now",
]

#: The callback client is loaded when it is first asked for: the other protocols do without.
_HOMES = {
    "websocket_client": ("WebSocketClient",),
    "websocket_handler": (
        "KEEPALIVE_TIMEOUT",
        "NORMAL",
        "REMOTE",
        "CallbackClient",
        "Close",
        "Ok",
        "Once",
        "Reconnect",
        "Reply",
        "WebSocketHandler",
    ),
    "websocket_settings": ("NextUrl", "WebSocketOptions"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
