"""What all clients of one server share."""

from __future__ import annotations

from collections.abc import Callable

from rcex_ws.feedme.messages import ActionRevelation, Dialect, FeedAction
from rcex_ws.feedme.server.channel import FeedChannels
from rcex_ws.feedme.server.errors import Refusal
from rcex_ws.feedme.server.events import ServerEventQueue
from rcex_ws.feedme.server.handlers import FeedmeHandlers
from rcex_ws.feedme.server.live_feed import LiveFeeds
from rcex_ws.feedme.server.settings import FeedmeServerSettings
from rcex_ws.home import Home
from rcex_ws.loop import now
from rcex_ws.serving import Dispatcher

__all__ = ["ServerCore"]


class ServerCore:
    """The shared parts of one server.

    Args:
        settings: the options.
        events: the queue of events.

    Attributes:
        settings: as given.
        events: as given.
        home: the event loop of the server.
        started: whether the server was started; before that it has no event loop.
        handlers: the handlers of the application.
        channels: who has which feed open.
        live_feeds: the feeds whose data the server holds.
        dispatcher: runs the handlers.
        notification: the class of the messages that reveal an action, in the dialect of this server.
        clock: the clock of the event loop.
    """

    def __init__(self, settings: FeedmeServerSettings, events: ServerEventQueue) -> None:
        self.settings = settings
        self.events = events
        self.home = Home("this server")
        self.started = False
        self.handlers = FeedmeHandlers()
        self.channels = FeedChannels(lambda: self.clock())
        self.dispatcher = Dispatcher(events.report, refusal=Refusal)
        self.notification: type[FeedAction] = (
            FeedAction if settings.dialect == Dialect.SPECIFICATION else ActionRevelation
        )
        self.live_feeds = LiveFeeds(self.channels, self.notification, self.check_home)
        self.clock: Callable[[], float] = now  # until the server knows its loop

    def check_home(self) -> None:
        """Check that the caller runs in the server's event loop; before the start there is none.

        Raises:
            WrongEventLoop: it does not.
        """
        if self.started:
            self.home.check()
