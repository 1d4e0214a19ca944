"""What the server and the client write down, one JSON line a record, and what the judge reads.

Who writes what:

* The server (`oracle.server`) writes what it knew and when: events made, written, buffered, dropped; filters in force;
  calls done; connections; faults.
* The client writes what an application can see through the public API of `rcex_ws`, and nothing else. The program is
  `oracle.application.live(world, journal, plan)`: one life of a random application. It runs on anyio, so it serves
  the simulation (trio, virtual clock) and real processes alike. Whoever runs it brings a `World`: where the server is,
  the stores, an HTTP client or None, and the extension's class. Whoever kills it writes `LifeEnded(how="kill")` on its
  behalf, at the moment of the kill, into the same journal.

Every record has `at`: seconds on one clock that both programs read and nothing steps. In real processes of one machine
that is `time.monotonic()`, in the simulation the virtual clock. `ServerBegan.clock - ServerBegan.at` turns it into the
server's own time, in which a Gap speaks. The server's journal goes on over its restarts, in one file or several.

The client must record, in this order of importance: each notification at the first line of its handler (`Handled`);
each gap when it is told; each subscribe, update or revoke before the call and after it (`Changing`, `Changed`); each
call before and after; each close before and after; lifecycle events and states; what escaped; what was left over. A
record is flushed before the program goes on, so that a kill loses none that the application has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["Journal", "Record", "read_journal"]


class Record(Struct, tag_field="is", tag=True, omit_defaults=True, kw_only=True):
    """One line. `at` is set by the journal."""

    at: float = 0.0


# What the server writes.


class ServerBegan(Record, tag="server-began"):
    """A server's life began; `clock` is its own time, seconds since the epoch. It knows nothing of lives before."""

    clock: float
    seed: int = 0
    faults: list[str] = []
    options: dict[str, Any] = {}


class Made(Record, tag="made"):
    """The world made event `n` on `topic`, whether anybody subscribed or not."""

    n: int
    topic: str
    uuid: str


class Written(Record, tag="written"):
    """Event `n` was written to a connection. `how`: live, replay, or again (a duplicate by plan)."""

    n: int
    conn: int
    session: int
    sub: str
    how: str = "live"


class Buffered(Record, tag="buffered"):
    """Event `n` was kept for a session whose connection the server knows to be gone."""

    n: int
    session: int
    sub: str


class Dropped(Record, tag="dropped"):
    """Event `n` left a buffer unsent. `why`: full, forgotten, cut, restart."""

    n: int
    session: int
    why: str


class InForce(Record, tag="in-force"):
    """The filters a session has from now on; none: it has no subscription. `by`: POST, PUT, DELETE, forgotten..."""

    session: int
    by: str
    sub: str = ""
    filters: list[str] = []
    disabled: list[str] = []


class ConnOpened(Record, tag="conn-opened"):
    """A WebSocket got its ConnectionDetails. `recovery`: Successful, Failed, or none when no wsc was sent."""

    conn: int
    session: int
    oauth: int
    recovery: str = ""
    code: str = ""
    replayed: int = 0


class ConnEnded(Record, tag="conn-ended"):
    """The server learned that a WebSocket is gone. `how`: rst, fin, close, error, replaced, idle, ping..."""

    conn: int
    session: int
    how: str
    by_plan: bool = False


class SessionLost(Record, tag="session-lost"):
    """A session was forgotten, with its subscription. `why`: timeout, failed, oauth, restart."""

    session: int
    why: str


class Heard(Record, tag="heard"):
    """Something arrived at the server. `what`: upgrade, heartbeat, "POST /path", ...; `answered`: False if ignored."""

    what: str
    conn: int = 0
    via: str = ""
    call: str = ""
    answered: bool = True


class Done(Record, tag="done"):
    """A call of the application was carried out: the `times`-th time for this `call`."""

    call: str
    method: str
    via: str
    times: int


class Struck(Record, tag="struck"):
    """A fault of the plan struck. `where`: a connection, token, wstoken, upgrade, subscription, ..."""

    kind: str
    where: str = ""
    conn: int = 0
    detail: str = ""


class Stored(Record, tag="stored"):
    """The session store keeps again what it is given, after it has failed. Only the simulation writes this."""


class Calm(Record, tag="calm"):
    """The plan is over: from now on no fault strikes, and what was frozen or slow is so no more."""


class ServerEnded(Record, tag="server-ended"):
    """A server's life ended. `subscriptions`: those it still knows, as session:id:filters."""

    how: str
    subscriptions: list[str] = []


# What the client writes.


class LifeBegan(Record, tag="life-began"):
    """A client process began. `store`: it has a session and a token store; `options`: of the extension."""

    life: int
    store: bool = False
    options: dict[str, Any] = {}


class LifeEnded(Record, tag="life-ended"):
    """It ended. `how`: kill, detach, revoke, aclose, failed. `tasks`: names of tasks that were left over."""

    life: int
    how: str
    tasks: list[str] = []


class Changing(Record, tag="changing"):
    """A subscribe, update or revoke was called; `op` is its number in this life, `consumer` that of its handler."""

    life: int
    op: int
    what: str
    consumer: int
    filters: list[str] = []


class Changed(Record, tag="changed"):
    """It came back. `how`: returned, error, cancelled. `claimed`: the filters that the extension now says to have.

    With `op` 0 and `how` "seen" nothing was called: the claim changed by itself. `claimed` is
    `ws_ext.subscription.event_filters`, empty when there is no active subscription; `disabled` are the filters that the
    server's description names as not granted. `before` is the state of the subscription that there was before.
    `iterator` is the number of the iterator that a subscribe returned, 0 for none.
    """

    life: int
    op: int
    how: str
    error: str = ""
    claimed: list[str] = []
    disabled: list[str] = []
    before: str = ""
    iterator: int = 0


class Handled(Record, tag="handled"):
    """A handler was called with event `n`; or the iterator of this number gave it."""

    life: int
    n: int
    uuid: str
    consumer: int
    iterator: int = 0


class Iterating(Record, tag="iterating"):
    """A Subscription without a callback is iterated from now on, under a number of its own in this life.

    `consumer` is the number of the subscribe that saw it first, which need not be the one that made it; 0 for none.
    """

    life: int
    iterator: int
    consumer: int


class IteratorEnded(Record, tag="iterator-ended"):
    """It was read to its end."""

    life: int
    iterator: int


class Unread(Record, tag="unread"):
    """Event `n` was found waiting for an iterator that nobody had read to its end when all was closed."""

    life: int
    n: int
    iterator: int


class HandlerDone(Record, tag="handler-done"):
    """A handler came back, raised, or was cancelled, from event `n`."""

    life: int
    n: int
    consumer: int
    how: str = "returned"


class GapTold(Record, tag="gap"):
    """A gap was told, by `how`: event or hook. `since` and `until` in seconds since the epoch."""

    life: int
    how: str
    since: float | None
    until: float
    certain: bool
    reason: str


class HookDone(Record, tag="hook-done"):
    """The hook came back from a gap, raised, or was cancelled."""

    life: int
    how: str = "returned"
    since: float | None = None
    until: float = 0.0
    certain: bool = False


class Told(Record, tag="told"):
    """A lifecycle event came."""

    life: int
    event: str
    detail: str = ""
    state: str = ""


class CallBegan(Record, tag="call-began"):
    """A REST call was made. `way`: rc (`rc.request`) or ws (`ws_ext.request`)."""

    life: int
    call: str
    method: str
    way: str = "rc"


class CallEnded(Record, tag="call-ended"):
    """It ended. `how`: returned, error, cancelled. `via`: https or websocket. `sent`: as the error says, if it does."""

    life: int
    call: str
    how: str
    via: str = ""
    status: int = 0
    error: str = ""
    sent: bool | None = None


class Closing(Record, tag="closing"):
    """A close was called. `what`: detach, revoke, aclose; `whence`: outside, handler, lifecycle, twice, ..."""

    life: int
    close: int
    what: str
    whence: str
    timeout: float


class ClosingDone(Record, tag="closing-done"):
    """It came back. `state` is the extension's state then."""

    life: int
    close: int
    how: str
    state: str
    error: str = ""


class Settled(Record, tag="settled"):
    """The application sat still for a while after the plan was over; this is how the extension then stands."""

    life: int
    state: str
    reason: str = ""
    claimed: list[str] = []
    disabled: list[str] = []
    subscription: str = ""


class Stands(Record, tag="stands"):
    """How the extension stands at a moment at which no change is under way; as in `Settled`."""

    life: int
    state: str
    subscription: str = ""
    claimed: list[str] = []
    disabled: list[str] = []


class Escaped(Record, tag="escaped"):
    """An exception came out where none may: to the loop, out of a task, or of a kind that is no RcexError."""

    life: int
    where: str
    error: str


class Sent(Record, tag="sent"):
    """The client's side of the network was used: connect, write or read. Only the simulation can write this."""

    life: int
    what: str


ServerRecord = (
    ServerBegan
    | Made
    | Written
    | Buffered
    | Dropped
    | InForce
    | ConnOpened
    | ConnEnded
    | SessionLost
    | Heard
    | Done
    | Struck
    | Stored
    | Calm
    | ServerEnded
)
ClientRecord = (
    LifeBegan
    | LifeEnded
    | Changing
    | Changed
    | Handled
    | Iterating
    | IteratorEnded
    | Unread
    | HandlerDone
    | GapTold
    | HookDone
    | Told
    | CallBegan
    | CallEnded
    | Closing
    | ClosingDone
    | Settled
    | Stands
    | Escaped
    | Sent
)
AnyRecord = ServerRecord | ClientRecord

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class Journal:
    """Stamp records and hand them on, as lines.

    Args:
        clock: gives `at`.
        write: takes one line with its end; None to keep records in memory only.
    """

    def __init__(self, clock: Callable[[], float], write: Callable[[bytes], object] | None = None) -> None:
        self.records: list[Record] = []
        self.closed = False
        self._clock = clock
        self._write = write

    def put(self, record: Record) -> None:
        """Write one record, now; do nothing once closed: the dead write nothing."""
        if self.closed:
            return
        record.at = self._clock()
        if self._write is None:
            self.records.append(record)
        else:
            self._write(_encoder.encode(record) + b"\n")

    def lines(self) -> Iterator[bytes]:
        """Give the kept records as lines."""
        for record in self.records:
            yield _encoder.encode(record) + b"\n"


def read_journal(lines: Iterable[bytes]) -> list[AnyRecord]:
    """Read lines; a last line that a kill cut short is left out."""
    return [_decoder.decode(line) for line in lines if line.endswith(b"\n")]
