"""`rcex-ws trigger`: make something happen at the local gateway, as the buttons of its console do."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, cast

import httpx
from cyclopts import Parameter

from rcex_ws.cli.credentials import load_credentials
from rcex_ws.cli.output import pretty, write
from rcex_ws.errors import ConfigurationError, NotJSON, TransportError
from rcex_ws.readers import printable, read_json

__all__ = ["call", "command", "post", "sms"]

_Sender: TypeAlias = Annotated[str | None, Parameter(name="--from", show_default=False)]
_Receiver: TypeAlias = Annotated[str | None, Parameter(name="--to", show_default=False)]
#: The options here, by the arguments of the gateway's commands.
_OPTIONS: Final = {
    "from_number": "--from",
    "from_extension": "--from",
    "to_number": "--to",
    "to_extension": "--to",
    "to": "--to",
    "chat_id": "--chat",
}
_Step: TypeAlias = Literal["answer", "hold", "unhold", "park", "record", "miss", "hang-up"]


def sms(text: str = "Hello", /, *, sender: _Sender = None, receiver: _Receiver = None) -> None:
    """Send a user a text message.

    Args:
        text: the text.
        sender: the phone number it comes from.
        receiver: the phone number of the user; by default the first user's.
    """
    with _gateway() as gateway:
        _send(gateway, "receive_sms", {"text": text, "from_number": sender, "to_number": receiver})


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
        _send(gateway, "ring", {"from_number": sender, "to_extension": receiver})
        for step in then:
            _send(gateway, step.replace("-", "_"), {})


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
        _send(gateway, "receive_post", {"text": text, "from_extension": sender, "to": receiver, "chat_id": chat})


def command(name: str | None = None, /, *arguments: str) -> None:
    """Send any command of the local gateway, such as `cut`; without a name, list them.

    Args:
        name: the command, such as "cut" or "fail-recovery".
        arguments: its arguments, each as NAME=VALUE, such as "code=1011"; a value is JSON, or else a text.
    """
    pairs = [one.partition("=") for one in arguments]
    wrong = next((one for one, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise ConfigurationError(f"arguments: {printable(wrong)!r} is not of the form NAME=VALUE")
    with _gateway() as gateway:
        if name is None:
            for one, does in gateway.commands.items():
                write(f"{one.replace('_', '-'):<22} {printable(does)}")
        else:
            _send(gateway, name.replace("-", "_"), {key.replace("-", "_"): _value(text) for key, _, text in pairs})


def _value(text: str) -> Any:
    try:
        return read_json(text.encode())
    except NotJSON:
        return text


class _LocalGateway(NamedTuple):
    http: httpx.Client
    commands: dict[str, str]
    """What each command does, by its name."""


@contextmanager
def _gateway() -> Generator[_LocalGateway]:
    """Yield the local gateway.

    Raises:
        ConfigurationError: the server is not a local gateway: it might be RingCentral, where nothing may be triggered.
        TransportError: it does not answer.
    """
    server = load_credentials(login=False).server
    with httpx.Client(base_url=server, timeout=10, trust_env=False) as http:
        commands: Any = _answer(http, "GET", "/_gateway").get("commands")
        if not isinstance(commands, dict):
            raise ConfigurationError(
                f"RINGCENTRAL_SERVER_URL: {server} is not a local gateway, and things can be triggered only "
                "there; `rcex-ws gateway --env-file .env` starts one"
            )
        described = cast("dict[str, dict[str, str]]", commands).items()
        yield _LocalGateway(http, {path.rpartition("/")[2]: about["does"] for path, about in described})


def _send(gateway: _LocalGateway, name: str, members: Mapping[str, Any]) -> None:
    """Send a command and print its result.

    Raises:
        ConfigurationError: there is no such command, or an argument is wrong.
    """
    if name not in gateway.commands:
        raise ConfigurationError(f"{printable(name)!r} is not a command; `rcex-ws trigger command` lists them")
    given = {member: value for member, value in members.items() if value is not None}
    answer = _answer(gateway.http, "POST", f"/_gateway/{name}", given)
    if "result" not in answer:
        refusal = str(answer.get("message", "the gateway refused it")).removeprefix(f"{name}: ")
        member, colon, reason = refusal.partition(": ")
        raise ConfigurationError(printable(f"{_OPTIONS.get(member, member)}{colon}{reason}"))
    if answer["result"] is not None:
        write(pretty(answer["result"]))


def _answer(http: httpx.Client, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Send one request; return the object in the answer, an empty one if there is none."""
    try:
        response = http.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise TransportError(f"{http.base_url} does not answer ({error})", sent=False) from None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
