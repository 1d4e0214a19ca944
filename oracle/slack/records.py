"""What the fake Slack and the bot write down."""

from __future__ import annotations

from typing import Any

from oracle.lines import Escaped, Finished, Lagged, LeftOver, Line

# What the server writes.


class Called(Line):
    """A method of the Web API was called; `how` it went: ok, or the name of the fault."""

    method: str
    life: int
    how: str
    key: str = ""


class Opened(Line):
    """A WebSocket was opened."""

    conn: int
    life: int


class Greeted(Line):
    """A hello is written to it."""

    conn: int
    life: int


class Seen(Line):
    """A frame of the client arrived. `how`: done, rejected, noted (needs no answer), ignored (the link is given up)."""

    conn: int
    life: int
    id: int
    kind: str
    key: str
    how: str
    ts: str = ""


class Answered(Line):
    """An answer to message `id` is written to `conn`. `how`: ok, error, replay, or other (to an id that is unknown)."""

    conn: int
    life: int
    id: int
    how: str
    ts: str = ""


class Pushed(Line):
    """Event `n` is written to a connection."""

    conn: int
    life: int
    n: int


class Closing(Line):
    """A close frame is written to a connection, with "c<conn>" as its reason."""

    conn: int
    code: int


class Struck(Line):
    """A fault; `conn` 0 for one of the whole server."""

    fault: str
    conn: int = 0


class Gone(Line):
    """A connection ended for the server. `how`: closed (close frame of the client), fin, broken, violation."""

    conn: int
    life: int
    how: str


class Broken(Line):
    """The client broke a rule of HTTP, of RFC 6455 or of Slack."""

    conn: int
    rule: str


class Calm(Line):
    """No fault begins from now on."""


# What the bot writes.


class Began(Line):
    """A life of the client: from one `start` to its end."""

    life: int
    options: dict[str, Any]


class Started(Line):
    """`start` came back after so many seconds; `error` is empty if it did its work."""

    life: int
    seconds: float
    error: str = ""


class Sending(Line):
    """A message is given away. `how`: await, callback, forget, handler, cancel."""

    life: int
    key: str
    kind: str
    how: str
    id: int = 0


class Settled(Line):
    """A message got its outcome, or was refused by the call itself (`via` raise).

    `how`: acknowledged, assumed, written, or the name of the error; "open" when nothing came after the end.
    """

    life: int
    key: str
    via: str
    how: str
    id: int = 0
    sent: bool | None = None
    code: int | None = None
    ts: str = ""


class StoppedWaiting(Line):
    """The bot stopped waiting for a message; `queued` if the client was not connected when it was given away."""

    life: int
    key: str
    queued: bool


class Updating(Line):
    """`update_message` is called."""

    life: int
    key: str


class Updated(Line):
    """It came back; `error` is empty if it gave an answer."""

    life: int
    key: str
    error: str = ""


class Waited(Line):
    """`wait_closed` came back."""

    life: int
    error: str = ""


class Heard(Line):
    """An event of the team arrived in the handler of `slack_event`."""

    life: int
    n: int


class Happened(Line):
    """A lifecycle event."""

    life: int
    event: str
    what: str = ""


class Raised(Line):
    """A handler of the bot raises, on purpose."""

    life: int


class Ending(Line):
    """The bot ends a life. `how`: aclose, handler, cancel, twice."""

    life: int
    how: str


class Ended(Line):
    """It has ended after so many seconds."""

    life: int
    seconds: float
    error: str = ""


class Probed(Line):
    """After the calm a message was tried until Slack had it; `how` is empty if it never had."""

    life: int
    how: str
    seconds: float


class Logged(Line):
    """The library logged a warning or an error."""

    life: int
    level: str
    text: str


SERVER = (Called, Opened, Greeted, Seen, Answered, Pushed, Closing, Struck, Gone, Broken, Calm)
BOT = (
    *(
        Began,
        Started,
        Sending,
        Settled,
        StoppedWaiting,
        Updating,
        Updated,
        Waited,
        Heard,
        Happened,
        Raised,
        Ending,
        Ended,
        Probed,
        Logged,
    ),
    *(Escaped, LeftOver, Lagged, Finished),
)
