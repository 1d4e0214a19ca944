"""The callback client: a handler with six callbacks, kept connected to any WebSocket server.

Used by applications, by Slack's `Bot`, and by `rcex_ws.testing`, whose stub runs handlers without a network. Of the
other folders it may import connection/ and websocket/ only.

handler.py    what an application implements: a handler, the results of its callbacks, the reasons passed to them
client.py     `WebSocketClient`, which runs a handler over the network
settings.py   its options, checked once; pure
driver.py     connects it to the supervisor: endpoint, inbound frames to the mailbox, the handler's decisions
callbacks.py  runs the callbacks one at a time and in order; independent of the network
mailbox.py    the items that are queued for them
"""

from rcex_ws.callback.client import WebSocketClient
from rcex_ws.callback.handler import (
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
from rcex_ws.callback.settings import NextUrl, WebSocketOptions
from rcex_ws.websocket.frames import Binary, CloseFrame, Frame, Ping, Pong, Text

__all__ = [
    "KEEPALIVE_TIMEOUT",
    "NORMAL",
    "REMOTE",
    "Binary",
    "CallbackClient",
    "Close",
    "CloseFrame",
    "Frame",
    "NextUrl",
    "Ok",
    "Once",
    "Ping",
    "Pong",
    "Reconnect",
    "Reply",
    "Text",
    "WebSocketClient",
    "WebSocketHandler",
    "WebSocketOptions",
]
