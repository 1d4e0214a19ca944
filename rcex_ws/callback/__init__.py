"""The callback client: a handler with six callbacks, kept connected to any WebSocket server.

handler.py    what its users write: a handler, the results of its methods, the reasons they hear
client.py     what runs a handler over the network
settings.py   pure: its options, checked once
driver.py     its part of the engine: where to connect, what comes goes to the mailbox, the handler decides
callbacks.py  run the callbacks one at a time and in order; knows no network
mailbox.py    what waits for that
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
