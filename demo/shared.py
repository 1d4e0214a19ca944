"""What the demo programs share: an account to run on, a report of what happens, and waiting for events.

Programs to be copied use only `run`, which gives them an account; the library itself does not need this file.
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
class Account:
    """The account that a demo uses: one at RingCentral, or one of the local gateway.

    Attributes:
        server: the URL of the REST API.
        client_id: of the application.
        client_secret: of the application.
        jwt: the user's credential.
        source: where it comes from: ".env", "the environment" or "a local gateway".
        gateway: the local gateway, which can be told to fail; None at RingCentral.
        fax_to: a number that faxes may be sent to, or None.
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
        """Make a REST client for this account; the options are those of `RingCentral`."""
        return RingCentral(
            server=self.server, client_id=self.client_id, client_secret=self.client_secret, app_name="demo", **options
        )

    def advice(self, error: Exception) -> str:
        """Say what may have caused an error."""
        # A gateway of the shell is reached by http, RingCentral by https.
        of_a_gateway = self.source == ".env" and self.server.startswith("http:")
        if of_a_gateway and isinstance(error, (TransportError, ConnectFailed)):
            return "\nIs the gateway that .env names still running? If not, remove .env."
        return ""

    def environment(self) -> dict[str, str]:
        """Return the environment with which another process uses the same account."""
        values = (self.server, self.client_id, self.client_secret, self.jwt)
        return {**os.environ, **dict(zip(_VARIABLES, values, strict=True))}


@contextmanager
def find_account() -> Generator[Account]:
    """Use the account that the environment or the file .env names; without one, start a local gateway."""
    source = "the environment" if _VARIABLES[0] in os.environ else ".env"
    _read_env_file(Path(".env"))
    given = [os.environ.get(name) for name in _VARIABLES]
    if not any(given):
        from rcex_ws.gateway import Gateway  # not above: with an account nobody needs its extra

        with Gateway() as gateway:
            login = (gateway.server, gateway.client_id, gateway.client_secret, gateway.jwt)
            yield Account(*login, "a local gateway", gateway, fax_to="+16505550100")
        return
    missing = [name for name, value in zip(_VARIABLES, given, strict=True) if not value]
    if missing:
        sys.exit(f"not set: {', '.join(missing)} (set all four, or none to use a local gateway)")
    server, client_id, client_secret, jwt = (str(value) for value in given)
    yield Account(server, client_id, client_secret, jwt, source, fax_to=os.environ.get("RINGCENTRAL_FAX_TO") or None)


def _read_env_file(path: Path) -> None:
    """Add the RINGCENTRAL_... lines of a file to the environment; what is set there already wins."""
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.startswith("RINGCENTRAL_"):
            os.environ.setdefault(name.strip(), value.strip().strip("\"'"))


def run(main: Callable[[Account], Awaitable[None]], *commands: str) -> None:
    """Run a program until it ends or Ctrl-C stops it, and say in one line what went wrong.

    Args:
        main: the program; it is given its account.
        commands: for the local gateway, to make something happen: each a name, and its arguments as JSON.
    """
    with find_account() as account, errors_in_one_line(account):
        print(f"Using {account}", flush=True)
        if account.gateway is not None:
            print("To make something happen, open that address in a browser, or run a command below. Stop with Ctrl-C.")
            for name, _, arguments in (command.partition(" ") for command in commands):
                print(f"    curl {account.server}/_gateway/{name} -d '{arguments or '{}'}'", flush=True)
        anyio.run(main, account)


@contextmanager
def errors_in_one_line(account: Account) -> Generator[None]:
    """Say in one line what went wrong, or that Ctrl-C ended it, and exit."""
    failures: list[str] = []
    try:
        yield
    except* KeyboardInterrupt:
        print("stopped")
    except* RcexError as failed:  # alone, or of several tasks
        failures = [f"{type(error).__name__}: {error}{account.advice(error)}" for error in failed.exceptions]
    if failures:
        sys.exit("\n".join(failures))


class Report:
    """Print what happens, with the time, and remember which promises were not kept.

    Args:
        account: where it runs.
    """

    def __init__(self, account: Account) -> None:
        self.failures: list[str] = []
        self._began = time.monotonic()
        self._account = account
        print(f"Using {account}", flush=True)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def title(self, text: str) -> None:
        """Print a heading."""
        print(f"\n{text}", flush=True)

    def say(self, text: str) -> None:
        """Print one line."""
        print(f"{self.seconds:6.2f} s  {text}", flush=True)

    def check(self, holds: bool, promise: str) -> None:
        """Print whether a promise was kept."""
        self.say(f"[{'ok' if holds else 'FAILED'}] {promise}")
        if not holds:
            self.failures.append(promise)

    def broken_off(self, error: Exception) -> None:
        """Print what broke off the demo."""
        self.check(False, f"{type(error).__name__}: {error}")
        if advice := self._account.advice(error):
            self.say(advice.strip())

    def end(self, summary: str) -> int:
        """Print the summary and return the exit code."""
        if self.failures:
            print(f"\nFAILED after {self.seconds:.1f} s. Not kept: {'; '.join(self.failures)}")
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
        """Collect a notification; the callback of the subscription."""
        self.notifications.append(notification)
        self._wake()

    @property
    def message_ids(self) -> list[int]:
        """The ids of the messages that were notified, in order of arrival."""
        return [number for notification in self.notifications for number in new_message_ids(notification)]

    def of(self, event: str) -> list[Any]:
        """Return what came with each event of this name."""
        return [value for name, value in self.events if name == event]

    async def message(self, message_id: int, *, within: float = 20.0) -> None:
        """Wait for the notification of a message.

        Raises:
            TimeoutError: there was none.
        """
        with limit(within, f"there was no notification of message {message_id}"):
            while message_id not in self.message_ids:
                await self._changed.wait()

    async def event(self, event: str, *, after: int = 0, within: float = 20.0) -> Any:
        """Wait until an event has come more than `after` times, and return what came with it.

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
    """Return the ids of the new messages in a notification of the message store."""
    return [number for change in notification.body["changes"] for number in change.get("newMessageIds", ())]


class Note(NamedTuple):
    """A message that was sent.

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
