"""Positions in a log of Redis, what a follower is sent of it, and what a part that was read shows. Pure.

An entry's id is Redis's own, `<ms>-<seq>`: it grows within a log. A position is `<epoch>-<ms>-<seq>`. The epoch is a
random text that Redis keeps, and that a node replaces when Redis was restarted or has lost data: within one epoch
nothing is lost but what is told to be trimmed. Every entry keeps its epoch and the id of the entry that it follows, so
that a hole shows wherever one begins to read.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rcex_ws.broker.interface import Entry, Hole
from rcex_ws.readers import read_digits

__all__ = ["START", "LogEntry", "LogPart", "Missing", "Packet", "Position", "Reading", "is_after", "read_packet"]

#: The id before the first entry of a log.
START = "0-0"

_RESTARTED = "Redis was restarted or has lost data"
_FOREIGN = "the position is not one of this log"
_TRIMMED = "the log no longer has all entries"
_BACK = "Redis no longer has entries that it had"
_AWAY = "the node was away for longer than entries are kept"


class Position(Struct, frozen=True):
    """A place in a log.

    Attributes:
        epoch: of the log.
        id: of the entry.
    """

    epoch: str
    id: str

    def __str__(self) -> str:
        return f"{self.epoch}-{self.id}"

    @classmethod
    def read(cls, text: str) -> Position | None:
        """Return the position that a text says, None if it says none."""
        epoch, _, rest = text.partition("-")
        return cls(epoch, rest) if _key(rest) is not None else None


class LogEntry(Struct, frozen=True, gc=False):
    """An entry as the log keeps it.

    Attributes:
        id: of the entry.
        epoch: in which it was appended.
        previous: the id of the entry that it follows; `START` if the log was empty.
        data: as appended.
    """

    id: str
    epoch: str
    previous: str
    data: bytes


class LogPart(Struct, frozen=True):
    """What Redis answers when a log is read.

    Attributes:
        epoch: the present one.
        last: the id of the last entry; empty if there is no log.
        last_epoch: the epoch in which that was appended.
        oldest: an id: what was appended after it has not expired.
        entries: at most as many as were asked for.
        complete: whether they reach up to the last.
    """

    epoch: str
    last: str
    last_epoch: str
    oldest: str
    entries: Sequence[LogEntry]
    complete: bool


class Packet(Struct, frozen=True):
    """What a follower is sent: entries that were appended together.

    Attributes:
        epoch: the present one.
        previous: the id of the entry that the first one follows.
        entries: id and data of each.
    """

    epoch: str
    previous: str
    entries: Sequence[tuple[str, bytes]]


def read_packet(message: bytes) -> Packet:
    """Decode what the script `append` has published."""
    head, _, data = message.partition(b"\n")
    epoch, previous, *words = head.decode().split(" ")
    if len(words) == 2:
        return Packet(epoch, previous, ((words[0], data),))
    entries: list[tuple[str, bytes]] = []
    start = 0
    for id_, size in zip(words[::2], words[1::2], strict=True):
        end = start + (read_digits(size) or 0)
        entries.append((id_, data[start:end]))
        start = end
    return Packet(epoch, previous, entries)


class Missing(Struct, frozen=True):
    """A hole, and where it is.

    Attributes:
        hole: what is known of it.
        position: the position after it.
    """

    hole: Hole
    position: str


class Reading:
    """Reads a log from a position up to its end, in parts; then says what comes live.

    Args:
        after: the position; None for the end of the log.

    Attributes:
        position: from where another reading can go on; None before the first part, or if `after` is no position.
        after: the id after which Redis is to be asked; empty to learn the end alone.
    """

    def __init__(self, after: str | None) -> None:
        self.position = None if after is None else Position.read(after)
        self.after = START if self.position is None else self.position.id
        if after is None:
            self.after = ""
        self._restarted = False  # and that is to be told before the first entry that was appended since
        self._diverged = False  # what is older than that restart is not what the reader knows, or is known

    def take(self, part: LogPart, *, doubtful: bool = False) -> Sequence[Entry | Missing] | None:
        """Take what Redis answered.

        Args:
            part: the answer.
            doubtful: whether a log that begins anew may have hidden another one: the reader was away for that long.

        Returns:
            The next entries, and what is missing before, among or after them; None to ask once more.
        """
        known, epoch = self.position, part.epoch
        if not self.after:
            self.position = Position(epoch, part.last or START)
            self.after = self.position.id
            return ()
        if known is not None and known.epoch != epoch:
            self._restarted = True
            if not self._diverged and _has_diverged(known, part):
                self._diverged, self.after = True, START
                return None
        found: list[Entry | Missing] = []
        opening = None if self._diverged else self._opening_hole(known, part, doubtful)
        if opening is not None:
            start = part.entries[0].previous if part.entries else part.last or START
            found.append(Missing(opening, f"{epoch}-{start}"))
        for entry in part.entries:
            if self._restarted and entry.epoch == epoch:
                found.append(self._restart(epoch, entry.previous))
            if not self._diverged:
                found.append(Entry(f"{epoch}-{entry.id}", entry.data))
        if part.entries:
            self.after = part.entries[-1].id
        elif part.last or known is None or known.epoch != epoch:
            self.after = part.last or START
        if self._restarted and part.complete:
            found.append(self._restart(epoch, self.after))
        if not self._restarted:
            self.position = Position(epoch, self.after)
        elif known is not None and not self._diverged:
            self.position = Position(known.epoch, self.after)  # so that the restart is not forgotten
        return found

    def _restart(self, epoch: str, previous: str) -> Missing:
        """Return the hole that a restart of Redis has left."""
        self._restarted = self._diverged = False
        return Missing(Hole(certain=False, reason=_RESTARTED), f"{epoch}-{previous}")

    def take_live(self, packet: Packet) -> Sequence[Entry] | None:
        """Take what was sent live, after all was read.

        Returns:
            What is new of it; None if it does not follow, so that the log has to be read.
        """
        known, entries = self.position, packet.entries
        if known is None or packet.epoch != known.epoch:
            return None
        if packet.previous != known.id:
            previous, entries = packet.previous, list(entries)
            while entries and not is_after(entries[0][0], known.id):
                previous, _ = entries.pop(0)
            if not entries:
                return ()
            if previous not in (known.id, START):  # START: the log has expired meanwhile, as nothing was appended
                return None
        self.position = Position(known.epoch, entries[-1][0])
        return [Entry(f"{known.epoch}-{id_}", data) for id_, data in entries]

    def _opening_hole(self, known: Position | None, part: LogPart, doubtful: bool) -> Hole | None:
        """Return what is missing between a position and the first entry that follows it, or the end."""
        if known is None:
            return Hole(certain=False, reason=_FOREIGN)
        first = part.entries[0].previous if part.entries else None
        if first is not None and is_after(first, known.id):
            return Hole(certain=True, reason=_TRIMMED)
        if known.epoch != part.epoch:
            return None
        if first == START or not part.last:  # all before has expired, unless it was deleted or evicted
            if is_after(known.id, part.oldest):
                return Hole(certain=False, reason=_BACK)
            return Hole(certain=False, reason=_AWAY) if doubtful else None
        if known.id in (first, part.last):
            return None
        return Hole(certain=False, reason=_BACK)


def _has_diverged(known: Position, part: LogPart) -> bool:
    """Return whether Redis has lost the end of a log, and has then appended entries under ids that it had used.

    What is new has the present epoch then, wherever it stands.
    """
    if part.entries:
        return is_after(known.id, part.entries[0].previous)
    return part.last_epoch == part.epoch


def is_after(id_: str, other: str) -> bool:
    """Return whether an id comes after another."""
    return (_key(id_) or (0, 0)) > (_key(other) or (0, 0))


def _key(id_: str) -> tuple[int, int] | None:
    ms, dash, seq = id_.partition("-")
    first, second = read_digits(ms), read_digits(seq)
    return None if not dash or first is None or second is None else (first, second)
