"""The people of the one account: its extensions, each a user with credentials and a phone number. No I/O.

Read by every area of the REST API, and by the logins.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field

from rcex_ws.gateway.account.numbers import same_number

__all__ = ["ACCOUNT_ID", "ExtensionDirectory", "ExtensionRecord"]

ACCOUNT_ID = "37439510"

_API = "/restapi/v1.0"


@dataclass(frozen=True, slots=True)
class ExtensionRecord:
    """One extension, that is one user, with their credentials."""

    id: str
    number: str
    name: str
    phone_number: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    jwt: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The path of the extension."""
        return f"{_API}/account/{ACCOUNT_ID}/extension/{self.id}"


class ExtensionDirectory:
    """The extensions of the account.

    Args:
        jwt: the JWT credential of the first extension; None generates one.
        second_jwt: that of the second extension, likewise.
    """

    def __init__(self, jwt: str | None = None, second_jwt: str | None = None) -> None:
        self.extensions = [
            _extension("62264425016", "101", "Ada Ring", "+16505550101", jwt),
            _extension("62264425017", "102", "Bob Central", "+16505550102", second_jwt),
        ]

    @property
    def first(self) -> ExtensionRecord:
        """The first extension."""
        return self.extensions[0]

    def by_id(self, text: str) -> ExtensionRecord | None:
        """Return the extension with this id or extension number."""
        return next((one for one in self.extensions if text in (one.id, one.number)), None)

    def by_phone(self, number: str) -> ExtensionRecord | None:
        """Return the extension with this phone number, however it is written."""
        return next((one for one in self.extensions if same_number(one.phone_number, number)), None)

    def by_jwt(self, jwt: str) -> ExtensionRecord | None:
        """Return the extension with this JWT credential."""
        return next((one for one in self.extensions if secrets.compare_digest(one.jwt.encode(), jwt.encode())), None)

    def by_password(self, username: str, password: str) -> ExtensionRecord | None:
        """Return the extension with this user name and password."""
        return next((one for one in self.extensions if (one.username, one.password) == (username, password)), None)


def _extension(extension_id: str, number: str, name: str, phone_number: str, jwt: str | None) -> ExtensionRecord:
    username = f"{name.split()[0].lower()}@gateway.invalid"
    password = secrets.token_urlsafe(12)
    return ExtensionRecord(extension_id, number, name, phone_number, username, password, jwt or _jwt(extension_id))


def _jwt(subject: str) -> str:
    """Return a credential that looks like RingCentral's; it is only compared as a whole, its signature is random."""
    parts = (
        json.dumps({"alg": "RS256", "typ": "JWT"}).encode(),
        json.dumps({"sub": subject, "jti": secrets.token_hex(8)}).encode(),
        secrets.token_bytes(32),
    )
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
