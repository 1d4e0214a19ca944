"""The people of the one account: its extensions, each a user with credentials and phone numbers. No I/O.

Read by every area of the REST API, and by the logins.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from rcex_ws.gateway.account.numbers import same_number

__all__ = ["ACCOUNT_ID", "MAIN_NUMBER", "ExtensionDirectory", "ExtensionRecord"]

ACCOUNT_ID = "37439510"
MAIN_NUMBER = "+16505550100"

_API = "/restapi/v1.0"
_FIRST_ID = 62264425016
_NAMES = ("firstName", "lastName")


@dataclass(slots=True, eq=False)
class ExtensionRecord:
    """One extension, that is one user, with their credentials.

    Args:
        id: the extension's id.
        number: its extension number.
        name: the user's name.
        phone_number: their phone number in E.164, which sends and gets texts, calls and faxes.
        username: their e-mail address, with which they log in.
        password: their password.
        jwt: their JWT credential.
        kind: RingCentral's type of the extension.
        is_admin: whether the user administers the account, so may use and change other extensions.
        other_numbers: more phone numbers of theirs.
        contact: members of their contact besides the name and the e-mail address.
        settings: members of the extension that a client has changed: `status`, `regionalSettings` and others.
    """

    id: str
    number: str
    name: str
    phone_number: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    jwt: str = field(repr=False)
    kind: str = "User"
    is_admin: bool = False
    other_numbers: list[str] = field(default_factory=list[str])
    contact: dict[str, Any] = field(default_factory=dict[str, Any])
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def uri(self) -> str:
        """The path of the extension."""
        return f"{_API}/account/{ACCOUNT_ID}/extension/{self.id}"

    @property
    def first_name(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    @property
    def last_name(self) -> str:
        """The name without its first word."""
        return self.name.partition(" ")[2]

    @property
    def phone_numbers(self) -> list[str]:
        """All phone numbers, the one that sends first."""
        return [*([self.phone_number] if self.phone_number else []), *self.other_numbers]

    def contact_body(self) -> dict[str, Any]:
        """Return the contact in its JSON form."""
        names = {"firstName": self.first_name, "lastName": self.last_name, "email": self.username}
        return names | self.contact

    def change_contact(self, changes: Mapping[str, Any]) -> None:
        """Change members of the contact; those that are not named stay."""
        names = [
            str(changes.get(name, old)) for name, old in zip(_NAMES, (self.first_name, self.last_name), strict=True)
        ]
        self.name = " ".join(filter(None, names))
        self.contact |= {name: value for name, value in changes.items() if name not in _NAMES}


class ExtensionDirectory:
    """The extensions of the account.

    Args:
        jwt: the JWT credential of the first extension; None generates one.
        second_jwt: that of the second extension, likewise.
    """

    def __init__(self, jwt: str | None = None, second_jwt: str | None = None) -> None:
        self.extensions: list[ExtensionRecord] = []
        self._last_id = 0
        """The highest so far: whoever comes after a removed user must not get that one's messages."""
        self.add("Ada Ring", "101", "+16505550101", jwt=jwt, is_admin=True)
        self.add("Bob Central", "102", "+16505550102", jwt=second_jwt)

    @property
    def first(self) -> ExtensionRecord:
        """The first extension."""
        return self.extensions[0]

    def add(
        self,
        name: str,
        number: str,
        phone_number: str,
        *,
        extension_id: str | None = None,
        email: str | None = None,
        password: str | None = None,
        jwt: str | None = None,
        **more: Any,
    ) -> ExtensionRecord:
        """Add an extension; an id and credentials that are not given are generated.

        Args:
            name: the user's name.
            number: the extension number.
            phone_number: the phone number.
            extension_id: the id.
            email: the e-mail address, with which the user logs in.
            password: the password.
            jwt: the JWT credential.
            more: other fields of `ExtensionRecord`.
        """
        own = extension_id or str(max(self._last_id + 1, _FIRST_ID))
        self._last_id = max(self._last_id, int(own))
        record = ExtensionRecord(
            own,
            number,
            name,
            phone_number,
            email or f"{name.split()[0].lower()}@gateway.invalid",
            password or secrets.token_urlsafe(12),
            jwt or _jwt(own),
            **more,
        )
        self.extensions.append(record)
        return record

    def by_id(self, text: str) -> ExtensionRecord | None:
        """Return the extension with this id or extension number."""
        return next((one for one in self.extensions if text in (one.id, one.number)), None)

    def by_phone(self, number: str) -> ExtensionRecord | None:
        """Return the extension with this phone number, however it is written."""
        found = (one for one in self.extensions if any(same_number(phone, number) for phone in one.phone_numbers))
        return next(found, None)

    def by_jwt(self, jwt: str) -> ExtensionRecord | None:
        """Return the extension with this JWT credential."""
        return next((one for one in self.extensions if secrets.compare_digest(one.jwt.encode(), jwt.encode())), None)

    def by_password(self, username: str, password: str, number: str = "") -> ExtensionRecord | None:
        """Return the extension with this user name and password.

        Args:
            username: the e-mail address, or a phone number: the user's, or with an extension number the company's.
            password: the password.
            number: the extension number; SDKs also write it into the user name, behind an asterisk.
        """
        name, _, written = username.partition("*")
        number = number or written
        for one in self.extensions:
            phones = (*one.phone_numbers, MAIN_NUMBER) if number else one.phone_numbers
            is_named = name == one.username or any(same_number(phone, name) for phone in phones)
            if is_named and number in ("", one.number) and one.password == password:
                return one
        return None

    def clear(self) -> None:
        """Remove all extensions, of which nobody has heard yet."""
        self.extensions.clear()
        self._last_id = 0

    def dump(self) -> dict[str, Any]:
        """Return all extensions, with their credentials, as JSON-ready data."""
        return {"last_id": self._last_id, "extensions": [asdict(one) for one in self.extensions]}

    def load(self, saved: dict[str, Any]) -> None:
        """Replace all extensions by those that `dump` has returned."""
        self._last_id = int(saved["last_id"])
        self.extensions = msgspec.convert(saved["extensions"], list[ExtensionRecord])
        if not self.extensions:
            raise ValueError("there is no user")


def _jwt(subject: str) -> str:
    """Return a credential that looks like RingCentral's; it is only compared as a whole, its signature is random."""
    parts = (
        json.dumps({"alg": "RS256", "typ": "JWT"}).encode(),
        json.dumps({"sub": subject, "jti": secrets.token_hex(8)}).encode(),
        secrets.token_bytes(32),
    )
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
