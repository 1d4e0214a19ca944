"""What all clients of one server share."""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.feedme.messages import ActionRevelation, Dialect, FeedAction, FeedKey
from rcex_ws.feedme.server.channel import FeedChannels
from rcex_ws.feedme.server.dispatcher import Dispatcher
from rcex_ws.feedme.server.events import ServerEventQueue
from rcex_ws.feedme.server.handlers import FeedmeHandlers
from rcex_ws.feedme.server.live_feed import LiveFeed
from rcex_ws.feedme.server.settings import FeedmeServerSettings
from rcex_ws.loop import now
from rcex_ws.websocket.socket import ignore

__all__ = ["ServerCore"]


class ServerCore:
    """The shared parts of one server.

    Args:
        settings: the options.
        events: the queue of events.

    Attributes:
        settings: as given.
        events: as given.
        handlers: the handlers of the application.
        channels: who has which feed open.
        live_feeds: the feeds whose data the server holds.
        dispatcher: runs the handlers.
        notification: the class of the messages that reveal an action, in the dialect of this server.
        clock: the clock of the event loop.
        check_home: raises if the caller runs in another event loop than the server.
    """

    def __init__(self, settings: FeedmeServerSettings, events: ServerEventQueue) -> None:
        self.settings = settings
        self.events = events
        self.handlers = FeedmeHandlers()
        self.channels = FeedChannels(lambda: self.clock())
        self.live_feeds: dict[FeedKey, LiveFeed] = {}
        self.dispatcher = Dispatcher(events.report)
        self.notification: type[FeedAction] = (
            FeedAction if settings.dialect == Dialect.SPECIFICATION else ActionRevelation
        )
        self.clock: Callable[[], float] = now  # until the server knows its loop
        self.check_home: Callable[[], object] = ignore  # likewise
