"""The topics that a node follows over Redis: subscribed, read up to the end, then live, and read again after a loss."""

from __future__ import annotations

from collections.abc import Iterable

from rcex_ws.broker.interface import BrokerUnavailable, Entry, Hole, Reader
from rcex_ws.broker.positions import LogPart, Missing, Packet, Reading, read_packet
from rcex_ws.broker.redis_session import RedisSession, Settings
from rcex_ws.errors import ConfigurationError
from rcex_ws.loop import Signal, now

__all__ = ["Topics"]

#: How many topics are subscribed to, or read, in one go.
_TOPICS_AT_ONCE = 100


class _Topic:
    """One topic.

    Attributes:
        name: its name.
        reader: gets its entries.
        reading: how far that is.
        begun: the position after which it began; None until Redis could be asked.
        late: whether `follow` did not wait that long.
        ended: whether it is followed no more.
        subscribed: whether Redis sends its entries, on the present connection.
        held: what came while the log is being read; None when nothing needs to be read.
        known_at: until when nothing can be missing that was sent, by the loop's clock; while it is not live.
        settled: set when it has begun or ended.
    """

    __slots__ = ("begun", "ended", "held", "known_at", "late", "name", "reader", "reading", "settled", "subscribed")

    def __init__(self, name: str, reader: Reader) -> None:
        self.name = name
        self.reader = reader
        self.reading = Reading(None)
        self.begun: str | None = None
        self.late = self.ended = self.subscribed = False
        self.held: list[Packet] | None = []
        self.known_at = now()
        self.settled = Signal()

    def hand_on(self, found: Iterable[Entry | Missing]) -> None:
        """Tell the reader, which may end it meanwhile."""
        for one in found:
            if self.ended:
                return
            if isinstance(one, Entry):
                self.reader.on_entry(one)
            else:
                self.reader.on_hole(one.hole, one.position)

    def read_again(self) -> None:
        """Read the log once more, from where the reader is."""
        position = self.reading.position
        if position is not None:
            self.reading = Reading(str(position))


class Topics:
    """All that a node follows.

    Args:
        settings: of the broker.

    Attributes:
        caught_up: set once all that was followed when the session began is live.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics: dict[str, _Topic] = {}
        self._channels: dict[bytes, _Topic] = {}
        self._to_read: dict[_Topic, None] = {}  # in order
        self._more = Signal()
        self._session: RedisSession | None = None
        self.caught_up = Signal()

    async def follow(self, name: str, reader: Reader) -> str:
        """Follow a topic; see `Broker.follow`."""
        if name in self._topics:
            raise ConfigurationError("topic: this node follows it already; unfollow it first")
        topic = self._topics[name] = _Topic(name, reader)
        self._channels[self._channel(name)] = topic
        self._read(topic)
        try:
            return await self._begun(topic)
        except BrokerUnavailable:
            topic.late = True
            raise
        except BaseException:
            self.unfollow(name)
            raise

    def unfollow(self, name: str) -> None:
        """Follow a topic no more; see `Broker.unfollow`."""
        topic = self._topics.pop(name, None)
        if topic is None:
            return
        topic.ended = True
        self._to_read.pop(topic, None)
        del self._channels[self._channel(name)]
        topic.settled.set()
        if self._session is not None and topic.subscribed:
            try:
                self._session.feed.post(b"UNSUBSCRIBE", self._channel(name))
            except BrokerUnavailable as exc:
                self._session.fail(exc)

    async def wait_live(self, name: str) -> None:
        """Wait until the reader of a topic, if it has one, has got what the log held when the session began.

        Who reads the log itself would be ahead of it otherwise, maybe beyond a hole of which it is still to be told.

        Raises:
            BrokerUnavailable: that took too long.
        """
        deadline = now() + self._settings.command_timeout
        while (topic := self._topics.get(name)) is not None and topic.held is not None:
            if now() >= deadline:
                raise BrokerUnavailable("Redis did not answer in time")
            await self._progress.wait(until=deadline)

    def begin(self, session: RedisSession) -> None:
        """Begin a session: all is subscribed to and read from where it was."""
        self._session = session
        for topic in self._topics.values():
            topic.read_again()
            self._read(topic)

    def end(self, proven_at: float) -> None:
        """End the session.

        Args:
            proven_at: when it was last known to work, by the loop's clock.
        """
        self._session = None
        self._to_read.clear()
        for topic in self._topics.values():
            if topic.held is None:
                topic.known_at = proven_at
            topic.subscribed, topic.held = False, []

    def on_message(self, channel: bytes, message: bytes) -> None:
        """Handle what Redis sends for a topic."""
        topic = self._channels.get(channel)
        if topic is None:
            return
        packet = read_packet(message)
        if topic.held is not None:
            topic.held.append(packet)
        elif (entries := topic.reading.take_live(packet)) is not None:
            topic.hand_on(entries)
        else:
            self._fall_back(topic, [packet])

    async def run(self, session: RedisSession) -> None:
        """Subscribe and read whenever it is needed.

        Raises:
            BrokerUnavailable: the session is lost.
        """
        while True:
            if not self._to_read:
                self.caught_up.set()
                self._more = Signal()
                await self._more.wait()
            some = [topic for topic, _ in zip(self._to_read, range(_TOPICS_AT_ONCE), strict=False)]
            new = [topic for topic in some if not topic.subscribed]
            if new:
                for topic in new:
                    topic.subscribed = True
                session.feed.post(b"SUBSCRIBE", *(self._channel(topic.name) for topic in new))
                await session.feed.call(b"PING")  # its answer follows the subscriptions
            some = [topic for topic in some if not topic.ended]
            parts = await session.read_all([(topic.name, topic.reading.after) for topic in some])
            for topic, part in zip(some, parts, strict=True):
                self._take(topic, part)

    async def _begun(self, topic: _Topic) -> str:
        """Wait until a topic is followed, and return the position after which it begins.

        Raises:
            BrokerUnavailable: that took too long, or it was unfollowed.
        """
        deadline = now() + self._settings.command_timeout
        while topic.begun is None:
            if topic.ended:
                raise BrokerUnavailable("the topic was unfollowed meanwhile")
            if now() >= deadline:
                raise BrokerUnavailable("Redis did not answer in time")
            await topic.settled.wait(until=deadline)
        return topic.begun

    def _channel(self, name: str) -> bytes:
        return self._settings.names.channel("topic", name).encode()

    def _read(self, topic: _Topic) -> None:
        self._to_read[topic] = None
        self._more.set()

    def _take(self, topic: _Topic, part: LogPart) -> None:
        """Take a part of a log, and go live when it was the last."""
        doubtful = now() - topic.known_at > self._settings.max_age - self._settings.command_timeout
        taken = None if topic.ended else topic.reading.take(part, doubtful=doubtful)
        if taken is None:
            return
        if topic.begun is None:
            topic.begun = str(topic.reading.position)
            topic.settled.set()
            if topic.late:
                hole = Hole(certain=False, reason="the topic could not be followed in time")
                topic.hand_on((Missing(hole, topic.begun),))
        topic.hand_on(taken)
        if part.complete:
            self._go_live(topic)

    def _go_live(self, topic: _Topic) -> None:
        """Hand on what came meanwhile."""
        self._to_read.pop(topic, None)
        held, topic.held = topic.held or [], None
        for place, packet in enumerate(held):
            entries = topic.reading.take_live(packet)
            if entries is None:
                self._fall_back(topic, held[place:])
                return
            topic.hand_on(entries)

    def _fall_back(self, topic: _Topic, held: list[Packet]) -> None:
        """Read the log, since what came does not follow what the reader has."""
        topic.held, topic.known_at = held, now()
        topic.read_again()
        self._read(topic)
