"""One conversation of a server without a network, a clock or tasks: the test completes each call of a handler."""

from __future__ import annotations

import json
from typing import Any

from rcex_ws.connection import EventEmitter
from rcex_ws.feedme.messages import feed_key
from rcex_ws.feedme.server.client import ConnectedClient
from rcex_ws.feedme.server.conversation import ServerConversation
from rcex_ws.feedme.server.core import ServerCore
from rcex_ws.feedme.server.events import ServerEventQueue, ServerEvents
from rcex_ws.feedme.server.live_feed import LiveFeed
from rcex_ws.feedme.server.settings import FeedmeServerSettings
from rcex_ws.feedme.values import freeze
from rcex_ws.serving import HandlerCall
from rcex_ws.websocket.server_handshake import UpgradeRequest


class Conversing:
    """A conversation; stands for its peer and for the dispatcher of its server.

    Attributes:
        now: what the clock says.
        calls: the calls of handlers that wait, in order.
        sent: all messages from the server.
    """

    def __init__(self, **options: Any) -> None:
        self.now = 1000.0
        self.calls: list[HandlerCall] = []
        self.sent: list[dict[str, Any]] = []
        self.core = ServerCore(FeedmeServerSettings(**options), ServerEventQueue(EventEmitter(events=ServerEvents)))
        self.core.clock = lambda: self.now
        self.core.dispatcher = self  # type: ignore[assignment]
        self.client = ConnectedClient("c", UpgradeRequest("/", {}), lambda: None, list)
        self.conversation = ServerConversation(self.core, self.client, self)  # type: ignore[arg-type]

    def live_feed(self, name: str, args: dict[str, str], data: dict[str, Any]) -> LiveFeed:
        return self.core.live_feeds.make(feed_key(name, args), name, args, data)

    def terminate(self, name: str, args: dict[str, str]) -> int:
        """Terminate a feed of this client; return whether it was open or opening, as a number."""
        return self.conversation.terminate("OVER", freeze({}), feed_key(name, args))

    def ask(self, *messages: Any) -> list[dict[str, Any]]:
        """Let the client send messages; return what it receives meanwhile."""
        begin = len(self.sent)
        for message in messages:
            self.conversation.receive((message if isinstance(message, str) else json.dumps(message)).encode())
        return self.sent[begin:]

    # -- it acts as the dispatcher and as the peer

    def put(self, call: HandlerCall) -> None:
        self.calls.append(call)

    def send(self, messages: Any) -> bool:
        self.sent += map(json.loads, messages)
        return True

    def send_shared(self, shared: Any) -> bool:
        return self.send(shared.messages)
