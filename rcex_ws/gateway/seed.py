"""The seed file of a gateway: who is there at its first start, in TOML.

Read by `server.py` and, through it, by the command line's `--seed`. A mistake in it is refused with its line, as
nobody finds one in a file of fifty users otherwise.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NoReturn

import msgspec

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway.account.apps import PERMISSIONS, AppRecord
from rcex_ws.gateway.account.messages import MessageText
from rcex_ws.gateway.account.numbers import e164
from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.notices.messages import conversation_of, party_of

__all__ = ["Seed", "apply_seed", "read_seed"]

_WHERE = re.compile(r"^(.*?)(?: - at `\$\.?(.*?)`)?$", re.DOTALL)
_FIELD = re.compile(r"field `([^`]*)`")
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")
_PHONE = re.compile(r"\+?[0-9]{3,15}")
_ID = re.compile(r"[1-9][0-9]{0,14}")
"""A number in JSON, of which JavaScript reads 15 digits."""
_EXTENSION = re.compile(r"[0-9]{1,10}")


class SeedUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user of the account."""

    name: str
    extension: str
    email: str | None = None
    phone_numbers: list[str] = []
    jwt: str | None = None
    password: str | None = None
    admin: bool = False
    type: str = "User"
    id: str | None = None


class SeedApp(msgspec.Struct, forbid_unknown_fields=True):
    """An application."""

    client_id: str
    client_secret: str = ""
    name: str = "Local application"
    permissions: list[str] | None = None
    redirect_uris: list[str] = []


class SeedContact(msgspec.Struct, forbid_unknown_fields=True):
    """A personal contact of a user."""

    owner: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    company: str = ""
    business_phone: str = ""
    mobile_phone: str = ""


class SeedMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A text message that is in the store of a user."""

    owner: str
    other: str
    text: str
    direction: Literal["Inbound", "Outbound"] = "Inbound"


class Seed(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a seed file; without users or applications the gateway has those that it has without a seed."""

    users: list[SeedUser] = []
    apps: list[SeedApp] = []
    contacts: list[SeedContact] = []
    messages: list[SeedMessage] = []


def read_seed(path: Path) -> Seed:
    """Return the content of a seed file.

    Raises:
        ConfigurationError: it cannot be read, or has a mistake; the message names the file, the line and what is
            expected there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"seed: cannot read {path}: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"seed: {path} is not UTF-8") from exc

    def refuse(place: str, why: str) -> NoReturn:
        raise ConfigurationError(f"seed: {path}, line {_line_of(text, place)}: {place or 'the file'}: {why}")

    try:
        seed = msgspec.convert(tomllib.loads(text), Seed)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError(f"seed: {path} is not TOML: {exc}") from exc
    except msgspec.ValidationError as exc:
        what, place = _split(str(exc))
        name = _FIELD.search(what)
        if name and "unknown" in what:
            place = f"{place}.{name[1]}" if place else name[1]
            what = "there is no such key"
        refuse(place, what[0].lower() + what[1:])
    _check(seed, refuse)
    return seed


def apply_seed(core: GatewayCore, seed: Seed) -> None:
    """Put what a seed has into a gateway that has just been made.

    Args:
        core: the state of the gateway.
        seed: the content of a seed file.
    """
    if seed.users:
        core.people.clear()
    for user in seed.users:
        core.people.add(
            user.name,
            user.extension,
            user.phone_numbers[0] if user.phone_numbers else "",
            extension_id=user.id,
            email=user.email,
            password=user.password,
            jwt=user.jwt,
            kind=user.type,
            is_admin=user.admin,
            other_numbers=user.phone_numbers[1:],
        )
    if seed.apps:
        core.apps.apps = [
            AppRecord(one.client_id, one.client_secret, one.name, one.permissions, one.redirect_uris)
            for one in seed.apps
        ]
    for contact in seed.contacts:
        facts = {
            "firstName": contact.first_name,
            "lastName": contact.last_name,
            "email": contact.email,
            "company": contact.company,
            "businessPhone": contact.business_phone,
            "mobilePhone": contact.mobile_phone,
        }
        owner = core.people.by_id(contact.owner)
        if owner is not None:
            core.contacts.add(owner, {name: value for name, value in facts.items() if value})
    for message in seed.messages:
        _add_message(core, message)


def _add_message(core: GatewayCore, message: SeedMessage) -> None:
    owner = core.people.by_id(message.owner)
    if owner is None:
        return
    ends = [party_of(core, message.other), party_of(core, owner.phone_number)]
    sender, receiver = ends if message.direction == "Inbound" else reversed(ends)
    conversation = conversation_of(filter(None, (one.phone_number for one in ends)))
    text = MessageText(type="SMS", sender=sender, to=[receiver], subject=message.text, conversation_id=conversation)
    core.messages.add(owner.id, message.direction, text)


def _check(seed: Seed, refuse: Callable[[str, str], NoReturn]) -> None:
    """Refuse values that no type can describe: numbers that are none, what is there twice, what refers to nothing."""
    for number, user in enumerate(seed.users):
        place = f"users[{number}]"
        if not user.name.strip():
            refuse(f"{place}.name", "expected a name")
        if not _EXTENSION.fullmatch(user.extension):
            refuse(f"{place}.extension", f'expected an extension number such as "101", not {user.extension!r}')
        if user.id is not None and not _ID.fullmatch(user.id):
            refuse(f"{place}.id", 'expected up to 15 digits, such as "62264425016"')
        for phone in user.phone_numbers:
            if not _PHONE.fullmatch(phone):
                refuse(f"{place}.phone_numbers", f'expected numbers such as "+16505550101", not {phone!r}')
    for number, app in enumerate(seed.apps):
        for permission in app.permissions or ():
            if permission not in PERMISSIONS:
                known = ", ".join(PERMISSIONS)
                refuse(f"apps[{number}].permissions", f"there is no {permission!r}; there are {known}")
    _refuse_twice("users", "extension", [user.extension for user in seed.users], refuse)
    _refuse_twice("users", "id", [user.id for user in seed.users], refuse)
    _refuse_twice("users", "jwt", [user.jwt for user in seed.users], refuse)
    numbers: dict[str, str] = {}
    for number, user in enumerate(seed.users):
        for phone in user.phone_numbers:
            if numbers.setdefault(e164(phone) or phone, user.extension) != user.extension:
                refuse(f"users[{number}].phone_numbers", f"{phone} is another user's already, in a table above")
    _refuse_twice("apps", "client_id", [app.client_id for app in seed.apps], refuse)
    known_numbers = {user.extension for user in seed.users} or {"101", "102"}
    owners = [(f"contacts[{number}]", one.owner) for number, one in enumerate(seed.contacts)]
    owners += [(f"messages[{number}]", one.owner) for number, one in enumerate(seed.messages)]
    for place, owner in owners:
        if owner not in known_numbers:
            refuse(f"{place}.owner", f"expected the extension number of a user, not {owner!r}")
    for number, message in enumerate(seed.messages):
        if not _PHONE.fullmatch(message.other):
            refuse(f"messages[{number}].other", f'expected a number such as "+16505550101", not {message.other!r}')


def _split(complaint: str) -> tuple[str, str]:
    """Return what msgspec complains of, and the place of it."""
    found = _WHERE.match(complaint)
    return (found[1], found[2] or "") if found else (complaint, "")


def _refuse_twice(table: str, key: str, values: Iterable[str | None], refuse: Callable[[str, str], NoReturn]) -> None:
    seen: set[Any] = set()
    for number, value in enumerate(values):
        if value is not None and value in seen:
            refuse(f"{table}[{number}].{key}", "it is there already, in a table above")
        seen.add(value)


def _line_of(text: str, place: str) -> int:
    """Return the line of a place such as `users[1].phone_numbers[0]`, that of its table if the key is not there."""
    steps = _STEP.findall(place)
    lines = text.splitlines()
    if not steps:
        return 1
    table, index = steps[0]
    heads = [number for number, line in enumerate(lines) if re.match(rf"\s*\[\[?\s*{table}\s*\]", line)]
    plain = [number for number, line in enumerate(lines) if re.match(rf"\s*{table}\s*=", line)]
    if int(index or 0) >= len(heads):
        return (plain or [0])[0] + 1
    start = heads[int(index or 0)]
    if len(steps) > 1:
        for number in range(start + 1, len(lines)):
            if lines[number].lstrip().startswith("["):
                break
            if re.match(rf"\s*\"?{steps[1][0]}\"?\s*=", lines[number]):
                return number + 1
    return start + 1
