"""What the servers, the clients and the soak write down; one journal each, on one clock."""

from __future__ import annotations

from oracle.lines import Escaped, Finished, Lagged, LeftOver, Line

# What both kinds of processes write.


class Publishing(Line):
    """An event is given to `publish`.

    `stream` and `n` name it: in a stream of a server's, and not in one of a client's, calls go out in the order of `n`.
    `how`: wait, no-wait, client.
    """

    stream: str
    n: int
    user: str
    how: str


class Published(Line):
    """`publish` came back: with how many have taken it, or with an error. `sent` is that of the error."""

    stream: str
    n: int
    took: int | None = None
    error: str = ""
    sent: bool | None = None


class Asking(Line):
    """Something else is waited for, with so many seconds at most. `who` is a server's life or a connection."""

    who: str
    key: str
    what: str
    within: float


class Asked(Line):
    """It came back; `error` is empty if it did its work."""

    who: str
    key: str
    error: str = ""


class Logged(Line):
    """The library logged a warning or an error."""

    who: str
    level: str
    text: str


# What a server writes; `who` is its name and the number of its life: "A2".


class Serving(Line):
    """It listens. `id` is what presence calls it; `alone` if what was published ends with it."""

    who: str
    id: str
    alone: bool = False


class Joined(Line):
    """A client came, or came back to its session. `client` is its id, `conn` its name."""

    who: str
    client: str
    conn: str
    resumed: bool


class Left(Line):
    """A client is gone, maybe for a while only."""

    who: str
    client: str
    conn: str
    why: str


class Emitting(Line):
    """An event goes to the clients of one server."""

    stream: str
    n: int


class Emitted(Line):
    """It was given to these clients, by id, of whom so many were connected."""

    stream: str
    n: int
    clients: list[str]
    count: int


class Told(Line):
    """An event of the server itself: broker_lost, broker_ready, error."""

    who: str
    event: str
    what: str = ""


class Present(Line):
    """What presence says of a user: connections by the ids of servers."""

    who: str
    user: str
    counts: dict[str, int]


class Counted(Line):
    """How many clients `count` says there are."""

    who: str
    count: int


# What the clients write; `conn` is the name of a connection and the number of its life: "ann-a.1".


class Began(Line):
    """A client is started."""

    conn: str
    user: str


class Opened(Line):
    """It is connected."""

    conn: str


class Lost(Line):
    """A connection has ended."""

    conn: str
    why: str


class Erred(Line):
    """Its event `error`; `name` is the class of the error."""

    conn: str
    name: str
    what: str


class Gapped(Line):
    """It was told that events may be missing between two moments, on the clock of the journals."""

    conn: str
    since: float
    until: float
    certain: bool
    published: bool
    reason: str


class Heard(Line):
    """An event came to the callback. `user` is whom it was meant for, "" for one that was emitted."""

    conn: str
    stream: str
    n: int
    user: str


class Ending(Line):
    """A client is about to be closed."""

    conn: str


class Ended(Line):
    """It is closed."""

    conn: str


# What the soak writes.


class Struck(Line):
    """A fault begins. `target`: a server, a connection without its life, or redis."""

    fault: str
    target: str


class Healed(Line):
    """It is over."""

    fault: str
    target: str


class Calm(Line):
    """No fault begins from now on, and all are over."""


class Settled(Line):
    """All are connected again, and presence is true; or it took too long: `wrong` says what is not."""

    seconds: float
    wrong: str = ""


class LastRound(Line):
    """All servers and clients publish once more: what is published from now on has to come to all, at once."""


class Stopping(Line):
    """A process is asked to end."""

    who: str


class Died(Line):
    """A process ended, by itself or because it was asked to."""

    who: str
    code: int


class Killed(Line):
    """A process was killed by the soak."""

    who: str


KINDS: tuple[type[Line], ...] = (
    *(Publishing, Published, Asking, Asked, Logged, Serving, Joined, Left, Emitting, Emitted, Told, Present, Counted),
    *(Began, Opened, Lost, Erred, Gapped, Heard, Ending, Ended),
    *(Struck, Healed, Calm, Settled, LastRound, Stopping, Died, Killed),
    *(Escaped, LeftOver, Lagged, Finished),
)
