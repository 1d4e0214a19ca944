"""What the demo programs share: where to run, who tells what happened, and who waits for events.

Programs to be copied use `run`, which gives them an account; nothing of the library needs this file.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from rcex_ws import ConnectFailed, Events, Notification, RcexError, RingCentral, TransportError, WebSocketExtension

if TYPE_CHECKING:
    from rcex_ws.gateway import Gateway

EXTENSION = "/restapi/v1.0/account/~/extension/~"
MESSAGES = f"{EXTENSION}/message-store"

# Seconds until the server has seen a loss that it did not cause. What it writes before that is gone for good: the
# protocol has no acknowledgements, so the library can only say that something may be missing.
UNTIL_SEEN = 0.5

_VARIABLES = ("RINGCENTRAL_SERVER_URL", "RINGCENTRAL_CLIENT_ID", "RINGCENTRAL_CLIENT_SECRET", "RINGCENTRAL_JWT")


@dataclass(frozen=True)
class Place:
    """Where the demo runs: an account at RingCentral, or the local gateway.

    Attributes:
        server: the URL of the REST API.
        client_id: of the application.
        client_secret: of the application.
        jwt: the user's credential.
        source: who named it: ".env", "the environment" or "a local gateway".
        gateway: the local gateway, which can be told to fail; None at RingCentral.
        fax_to: a number that may be sent a fax; None if there is none.
    """

    server: str
    client_id: str
    client_secret: str = field(repr=False)
    jwt: str = field(repr=False)
    source: str
    gateway: Gateway | None = None
    fax_to: str | None = None

    def __str__(self) -> str:
        """Say where that is."""
        return f"{self.server}, from {self.source}" if self.gateway is None else f"{self.source}, {self.server}"

    def client(self, **options: Any) -> RingCentral:
        """Make a REST client for this place; the options are those of `RingCentral`."""
        return RingCentral(
            server=self.server, client_id=self.client_id, client_secret=self.client_secret, app_name="demo", **options
        )

    def advice(self, error: Exception) -> str:
        """Say what may have caused an error."""
        # A gateway of the shell is reached by http, RingCentral by https.
        of_a_gateway = self.source == ".env" and self.server.startswith("http:")
        if of_a_gateway and isinstance(error, (TransportError, ConnectFailed)):
            return "\nIs the gateway of .env still running? Else remove .env."
        return ""

    def environment(self) -> dict[str, str]:
        """Give the environment with which another process runs at the same place."""
        values = (self.server, self.client_id, self.client_secret, self.jwt)
        return {**os.environ, **dict(zip(_VARIABLES, values, strict=True))}


@contextmanager
def find_place() -> Generator[Place]:
    """Take the account that the environment or the file .env names; without one, start a local gateway."""
    source = "the environment" if _VARIABLES[0] in os.environ else ".env"
    _read_env_file(Path(".env"))
    given = [os.environ.get(name) for name in _VARIABLES]
    if not any(given):
        from rcex_ws.gateway import Gateway  # not above: with an account nobody needs its extra

        with Gateway() as gateway:
            account = (gateway.server, gateway.client_id, gateway.client_secret, gateway.jwt)
            yield Place(*account, "a local gateway", gateway, fax_to="+16505550100")
        return
    missing = [name for name, value in zip(_VARIABLES, given, strict=True) if not value]
    if missing:
        sys.exit(f"not set: {', '.join(missing)} (set all four, or none to use a local gateway)")
    server, client_id, client_secret, jwt = (str(value) for value in given)
    yield Place(server, client_id, client_secret, jwt, source, fax_to=os.environ.get("RINGCENTRAL_FAX_TO") or None)


def _read_env_file(path: Path) -> None:
    """Add the RINGCENTRAL_... lines of a file to the environment; what is set there already wins."""
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.startswith("RINGCENTRAL_"):
            os.environ.setdefault(name.strip(), value.strip().strip("\"'"))


def run(main: Callable[[Place], Awaitable[None]], *orders: str) -> None:
    """Run a program until it ends or Ctrl-C stops it, and say in one line what went wrong.

    Args:
        main: the program; it is given its account.
        orders: to the local gateway, which make something happen: each a name, and its arguments as JSON.
    """
    with find_place() as place, errors_in_one_line(place):
        print(f"Using {place}", flush=True)
        if place.gateway is not None:
            print("Open that address in a browser to make something happen, or give an order; Ctrl-C ends it:")
            for name, _, arguments in (order.partition(" ") for order in orders):
                print(f"    curl {place.server}/_gateway/{name} -d '{arguments or '{}'}'", flush=True)
        anyio.run(main, place)


@contextmanager
def errors_in_one_line(place: Place) -> Generator[None]:
    """Say in one line what went wrong, or that Ctrl-C ended it, and exit."""
    failures: list[str] = []
    try:
        yield
    except* KeyboardInterrupt:
        print("stopped")
    except* RcexError as failed:  # alone, or of several tasks
        failures = [f"{type(error).__name__}: {error}{place.advice(error)}" for error in failed.exceptions]
    if failures:
        sys.exit("\n".join(failures))


class Report:
    """Tell where the demo runs and what happens, with the time, and remember what did not hold.

    Args:
        place: where it runs.
    """

    def __init__(self, place: Place) -> None:
        self.failures: list[str] = []
        self._began = time.monotonic()
        self._place = place
        print(f"Using {place}", flush=True)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def title(self, text: str) -> None:
        """Begin a chapter."""
        print(f"\n{text}", flush=True)

    def say(self, text: str) -> None:
        """Tell one thing."""
        print(f"{self.seconds:6.2f} s  {text}", flush=True)

    def check(self, holds: bool, promise: str) -> None:
        """Tell whether a promise holds."""
        self.say(f"[{'ok' if holds else 'FAILED'}] {promise}")
        if not holds:
            self.failures.append(promise)

    def broken_off(self, error: Exception) -> None:
        """Tell what ended the demo before its end."""
        self.check(False, f"{type(error).__name__}: {error}")
        if advice := self._place.advice(error):
            self.say(advice.strip())

    def end(self, summary: str) -> int:
        """Sum up and give the exit code."""
        if self.failures:
            print(f"\nFAILED after {self.seconds:.1f} s. This did not hold: {'; '.join(self.failures)}")
            return 1
        print(f"\nOK after {self.seconds:.1f} s. {summary}")
        return 0


class Heard:
    """Collect the notifications and events of an extension; wait for those still to come."""

    def __init__(self, ws_ext: WebSocketExtension) -> None:
        self.notifications: list[Notification] = []
        self.events: list[tuple[str, Any]] = []
        self._changed = anyio.Event()
        for event in Events:
            ws_ext.on(event, partial(self._on_event, event))

    def on_notification(self, notification: Notification) -> None:
        """Be the callback of the subscription."""
        self.notifications.append(notification)
        self._wake()

    @property
    def message_ids(self) -> list[int]:
        """The messages that the notifications told of, in the order of their arrival."""
        return [number for notification in self.notifications for number in new_message_ids(notification)]

    def of(self, event: str) -> list[Any]:
        """Give what came with each event of this name."""
        return [value for name, value in self.events if name == event]

    async def message(self, message_id: int, *, within: float = 20.0) -> None:
        """Wait until a notification has told of a message.

        Raises:
            TimeoutError: none did.
        """
        with limit(within, f"no notification told of message {message_id}"):
            while message_id not in self.message_ids:
                await self._changed.wait()

    async def event(self, event: str, *, after: int = 0, within: float = 20.0) -> Any:
        """Wait until an event has come more than `after` times, and give what came with it.

        Raises:
            TimeoutError: it did not.
        """
        with limit(within, f"the event {event} did not come"):
            while len(self.of(event)) <= after:
                await self._changed.wait()
        return self.of(event)[after]

    def _on_event(self, event: str, value: Any) -> None:
        self.events.append((event, value))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@contextmanager
def limit(seconds: float, otherwise: str) -> Generator[None]:
    """Bound a wait.

    Args:
        seconds: how long it may take.
        otherwise: what to say if it takes longer.

    Raises:
        TimeoutError: it took longer.
    """
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise TimeoutError(f"{otherwise} within {seconds:g} s")


def new_message_ids(notification: Notification) -> list[int]:
    """Give the ids of the new messages that a notification of the message store tells of."""
    return [number for change in notification.body["changes"] for number in change.get("newMessageIds", ())]


class Note(NamedTuple):
    """Name a message that was sent.

    Attributes:
        id: the message's.
        via: which way the call went, "websocket" or "https".
    """

    id: int
    via: str


async def send_notes(rc: RingCentral, texts: Sequence[str]) -> list[Note]:
    """Send pager messages to oneself, one after the other."""
    me = {"extensionNumber": (await rc.restapi().account().extension().get())["extensionNumber"]}
    notes: list[Note] = []
    for text in texts:
        answer = await rc.post(f"{EXTENSION}/company-pager", json={"from": me, "to": [me], "text": text})
        notes.append(Note(answer.json()["id"], answer.via))
    return notes
