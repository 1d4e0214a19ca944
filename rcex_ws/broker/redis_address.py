"""The address of a Redis, as a URL says it. Pure; no error, repr or log of it shows the password."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote, urlsplit

from rcex_ws.options import Rule
from rcex_ws.readers import read_digits
from rcex_ws.secret import SECRET, HiddenFields

__all__ = ["RedisAddress", "RedisUrl"]

_DEFAULT_PORT = 6379


class RedisAddress(HiddenFields, frozen=True):
    """The parts of a URL.

    Attributes:
        host: resolved for each connection, so that a failover by address works.
        port: its port.
        db: the number of the database.
        tls: whether the connection uses TLS.
        username: of the ACL, None for the default user.
        password: its password, None without a login.
    """

    host: str
    port: int
    db: int
    tls: bool
    username: str | None
    password: Annotated[str | None, SECRET]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def read(cls, url: str) -> RedisAddress:
        """Return the parts of a URL that has no fault."""
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or _DEFAULT_PORT,
            db=read_digits(parts.path.strip("/") or "0") or 0,
            tls=parts.scheme.lower() == "rediss",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


def redis_fault(url: str) -> str | None:
    """Return what is wrong with a URL, or None; the words quote nothing of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no valid URL"
    if parts.scheme.lower() not in ("redis", "rediss"):
        return "it does not begin with redis:// or rediss://"
    if not url.isprintable() or " " in url:
        return "it has a space or a control character"
    if parts.query or parts.fragment:
        return "it has a query or a fragment; these options are arguments"
    if port == 0:
        return "its port is 0"
    if read_digits(parts.path.strip("/") or "0") is None:
        return "its path is not the number of a database, such as /0"
    if parts.username and not parts.password:
        return "it has a user name and no password"
    return None


RedisUrl = Annotated[str, Rule("a URL such as redis://localhost:6379/0 or rediss://host", redis_fault, secret=True)]
