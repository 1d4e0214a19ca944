"""`rcex-ws trigger`: make something happen at the local gateway, as the buttons of its console do."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal, TypeAlias, cast

import httpx
from cyclopts import Parameter

from rcex_ws.cli.credentials import load_credentials
from rcex_ws.cli.output import pretty, write
from rcex_ws.errors import ConfigurationError, TransportError
from rcex_ws.readers import printable

__all__ = ["call", "post", "sms"]

_Sender: TypeAlias = Annotated[str | None, Parameter(name="--from", show_default=False)]
_Receiver: TypeAlias = Annotated[str | None, Parameter(name="--to", show_default=False)]
_Step: TypeAlias = Literal["answer", "hold", "unhold", "park", "record", "miss", "hang-up"]


def sms(text: str = "Hello", /, *, sender: _Sender = None, receiver: _Receiver = None) -> None:
    """Send a user a text message.

    Args:
        text: the text.
        sender: the phone number it comes from.
        receiver: the phone number of the user; by default the first user's.
    """
    with _gateway() as gateway:
        _command(gateway, "receive_sms", text=text, from_number=sender, to_number=receiver)


def call(
    *, sender: _Sender = None, receiver: _Receiver = None, then: Annotated[Sequence[_Step], Parameter()] = ()
) -> None:
    """Call a user.

    Args:
        sender: the caller: a phone number, or the number of another extension.
        receiver: the number of the extension to call; by default the first user's.
        then: what happens next; can be repeated, as in "--then answer --then hang-up".
    """
    with _gateway() as gateway:
        _command(gateway, "ring", from_number=sender, to_extension=receiver)
        for step in then:
            _command(gateway, step.replace("-", "_"))


def post(
    text: str = "Hello", /, *, sender: _Sender = None, receiver: _Receiver = None, chat: str | None = None
) -> None:
    """Write a post in team messaging.

    Args:
        text: the text.
        sender: the number of the extension that writes; by default the second user's.
        receiver: the number of the extension to write to; by default the first user's.
        chat: the id of a chat to write to instead.
    """
    with _gateway() as gateway:
        _command(gateway, "receive_post", text=text, from_extension=sender, to=receiver, chat_id=chat)


@contextmanager
def _gateway() -> Generator[httpx.Client]:
    """Yield a client for the local gateway.

    Raises:
        ConfigurationError: the server is not a local gateway: it might be RingCentral, where nothing may be triggered.
        TransportError: it does not answer.
    """
    server = load_credentials(login=False).server
    with httpx.Client(base_url=server, timeout=10, trust_env=False) as gateway:
        about = _answer(gateway, "GET", "/_gateway")
        if "commands" not in about:
            raise ConfigurationError(
                f"RINGCENTRAL_SERVER_URL: {server} is not a local gateway, and things can be triggered only "
                "there; `rcex-ws gateway --env-file .env` starts one"
            )
        yield gateway


def _command(gateway: httpx.Client, command: str, **members: str | None) -> None:
    given = {name: value for name, value in members.items() if value is not None}
    answer = _answer(gateway, "POST", f"/_gateway/{command}", given)
    if "result" not in answer:
        raise ConfigurationError(f"{command}: {printable(answer.get('message', 'the gateway refused it'))}")
    if answer["result"] is not None:
        write(pretty(answer["result"]))


def _answer(gateway: httpx.Client, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Send one request; return the object in the answer, an empty one if there is none."""
    try:
        response = gateway.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise TransportError(f"{gateway.base_url} does not answer ({error})", sent=False) from None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
