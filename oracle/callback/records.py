"""What the server and the program with the handler write down."""

from __future__ import annotations

from typing import Any

from oracle.lines import Escaped, Finished, Lagged, LeftOver, Line

# What the server writes.


class Attempt(Line):
    """An upgrade was asked for; `how`: ok, or the name of the fault. `number` is 0 without `next_url`."""

    life: int
    number: int
    how: str


class Opened(Line):
    """A WebSocket was opened."""

    conn: int
    life: int


class Wrote(Line):
    """Frame `n` of a connection is written."""

    conn: int
    n: int


class Closing(Line):
    """A close frame is written, with "c<conn>" as its reason."""

    conn: int
    code: int


class Struck(Line):
    """A fault; `conn` 0 for one of the whole server or of the client's process."""

    fault: str
    conn: int = 0


class Got(Line):
    """A message of the client arrived."""

    conn: int
    life: int
    key: str


class Gone(Line):
    """A connection ended for the server. `how`: closed (the client sent a close frame), fin, broken, cut, violation."""

    conn: int
    life: int
    how: str
    code: int | None = None


class Broken(Line):
    """The client broke a rule of HTTP or of RFC 6455."""

    conn: int
    rule: str


class Calm(Line):
    """No fault begins from now on."""


# What the program writes.


class Began(Line):
    """A life of a client, until `run` comes back."""

    life: int
    options: dict[str, Any]


class Called(Line):
    """A callback is called. `what`: the frame, the message, or the reason."""

    life: int
    name: str
    state: int
    ref: int | None = None
    what: str = ""


class Gave(Line):
    """It gave this. `result`: Ok, Once, Reply, Close, Reconnect, raise, wrong."""

    life: int
    name: str
    result: str
    state: int
    what: str = ""
    delay: float | None = None


class Sending(Line):
    """A message is given away. `how`: cast or reply."""

    life: int
    key: str
    how: str


class Informed(Line):
    """Message `k` was given to `info`."""

    life: int
    k: int


class Stopping(Line):
    """The program ends the life. `how`: stop, inside (a callback), cancel."""

    life: int
    how: str


class Stopped(Line):
    """`stop` came back."""

    life: int
    seconds: float


class Returned(Line):
    """`run` came back. `how`: returned, raised, cancelled."""

    life: int
    how: str
    what: str = ""


class Probed(Line):
    """After the calm the server was asked for an echo; `echoed` tells whether it came, after so many seconds."""

    life: int
    echoed: bool
    seconds: float


SERVER = (Attempt, Opened, Wrote, Closing, Struck, Got, Gone, Broken, Calm)
PROGRAM = (
    *(Began, Called, Gave, Sending, Informed, Stopping, Stopped, Returned, Probed),
    *(Escaped, LeftOver, Lagged, Finished),
)
