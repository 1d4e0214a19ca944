"""Credentials of the command line: where they are found, and a client that is logged in with them.

Each of the four values is taken from the first place that has it:

1. the environment: RINGCENTRAL_SERVER_URL, RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET, RINGCENTRAL_JWT;
2. `.env` in the current directory, or the file that is named: lines as python-dotenv reads them, without the
   substitution of `${...}`, which a secret may contain;
3. the login that `rcex-ws login` has stored: its server and application.

An empty value counts as none. The stored login is used if it belongs to that server and application, else the JWT.
Called by every command that talks to a server.
"""

from __future__ import annotations

import logging
import os
import ssl
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import anyio

from rcex_ws.address import check_server
from rcex_ws.errors import ConfigurationError, RcexError
from rcex_ws.files import OAUTH_TOKEN, StateFile, Unreadable
from rcex_ws.options import FilePath, checked, trimmed
from rcex_ws.rest import PRODUCTION, FileTokenStore, LoginRefused, RingCentral, Token
from rcex_ws.secret import hide
from rcex_ws.version import __version__

__all__ = ["Credentials", "load_credentials", "load_stored_login", "open_client", "stored_login_path"]

logger = logging.getLogger("rcex_ws.cli")

_SERVER = "RINGCENTRAL_SERVER_URL"
_CLIENT_ID = "RINGCENTRAL_CLIENT_ID"
_CLIENT_SECRET = "RINGCENTRAL_CLIENT_SECRET"  # noqa: S105 - the name of a variable
_JWT = "RINGCENTRAL_JWT"
_NAMES = (_SERVER, _CLIENT_ID, _CLIENT_SECRET, _JWT)

#: Seconds for ending a login when a command ends, even by Ctrl-C.
_LOGOUT_TIMEOUT = 3.0

_ENVIRONMENT = "the environment"
_STORED = "the stored login"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a command logs in with; the repr shows no secret.

    Attributes:
        server: URL of the API.
        client_id: id of the application.
        client_secret: secret of the application; None for a public client.
        jwt: JWT credential of the user, or None.
        token_path: the file of the stored login, if it belongs to this server and application; else None.
        sources: where each value came from, by the name of its variable, for people.
    """

    server: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    jwt: str | None = field(default=None, repr=False)
    token_path: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict[str, str])

    def client(self, *, token: Token | None = None, ssl_context: ssl.SSLContext | None = None) -> RingCentral:
        """Return a new client; it keeps its session in the stored login, if there is one.

        Args:
            token: an existing session; None for a client that is not logged in yet.
            ssl_context: one that there is already, as making one takes 30 ms; None makes one when it is needed.
        """
        return RingCentral(
            server=self.server,
            client_id=self.client_id,
            client_secret=self.client_secret,
            token=token,
            token_store=None if self.token_path is None else FileTokenStore(self.token_path),
            ssl_context=ssl_context,
            app_name="rcex-ws",
            app_version=__version__,
        )

    async def log_in(self, rc: RingCentral) -> Token:
        """Log a client of these credentials in: by the stored login, else by the JWT.

        Raises:
            LoginRefused: the stored login has ended, or the server refuses the JWT.
            RcexError: as in `RingCentral.authorize`.
        """
        if self.token_path is None:
            return await rc.authorize(jwt=self.jwt)
        try:
            return await rc.authorize()  # without the JWT: that of another user would replace the stored login
        except LoginRefused as exc:
            raise LoginRefused(
                exc.response,
                method="POST",
                path="/restapi/oauth/token",
                hint="the stored login has ended: run `rcex-ws login` again, or `rcex-ws logout` to go by the JWT",
            ) from exc


@checked
def load_credentials(env_file: FilePath | None = None, *, login: bool = True) -> Credentials:
    """Find the credentials; see this module for the places and their order.

    Args:
        env_file: a file to read instead of `.env` in the current directory; it must exist.
        login: whether there must be a way to log in: a stored login, or a JWT.

    Raises:
        ConfigurationError: something is missing or invalid; the message names the variable and says what to do.
    """
    found, sources = _read_places(env_file)
    path = stored_login_path()
    stored = _stored_login(path, must_be_readable=login)
    if stored is not None and not _belongs(stored, found):
        stored = None
    if stored is not None:
        for name, value in ((_SERVER, stored.server), (_CLIENT_ID, stored.client_id)):
            if value is not None and name not in found:
                found[name], sources[name] = value, _STORED
    missing = [name for name in (_CLIENT_ID,) if name not in found]
    if login and stored is None and _JWT not in found:
        missing.append(_JWT)
    if missing:
        raise ConfigurationError(_missing(missing, env_file))
    if _SERVER not in found:
        found[_SERVER], sources[_SERVER] = PRODUCTION, "the default"
    return Credentials(
        server=check_server(found[_SERVER], name=_SERVER),
        client_id=found[_CLIENT_ID],
        client_secret=hide(found.get(_CLIENT_SECRET)),
        jwt=hide(found.get(_JWT)),
        token_path=None if stored is None else path,
        sources=sources,
    )


def load_stored_login() -> Credentials | None:
    """Return the credentials of the stored login, whatever the environment says; None if there is none.

    The secret of its application is not stored; it is taken from the environment or `.env`, if they name no other one.
    """
    path = stored_login_path()
    stored = _stored_login(path, must_be_readable=False)
    if stored is None:
        return None
    found, _ = _read_places(None)
    is_its_secret = found.get(_CLIENT_ID) in (None, stored.client_id)
    return Credentials(
        server=stored.server or PRODUCTION,
        client_id=stored.client_id or "",
        client_secret=hide(found.get(_CLIENT_SECRET)) if is_its_secret else None,
        token_path=path,
    )


@asynccontextmanager
async def open_client(
    credentials: Credentials, *, ssl_context: ssl.SSLContext | None = None
) -> AsyncGenerator[RingCentral]:
    """Yield a client that is logged in, and close it; use with `async with`.

    A login by JWT ends with the block: RingCentral keeps five for each user and application, and one more ends the
    oldest, which may be that of a bot.

    Args:
        credentials: from `load_credentials`.
        ssl_context: as in `Credentials.client`.

    Raises:
        RcexError: the login fails, as in `Credentials.log_in`.
    """
    rc = credentials.client(ssl_context=ssl_context)
    try:
        async with rc:
            await credentials.log_in(rc)
            yield rc
    finally:
        if credentials.token_path is None and rc.token is not None:
            with anyio.move_on_after(_LOGOUT_TIMEOUT, shield=True):
                await _end_login(credentials, rc.token, rc.ssl_context)


async def _end_login(credentials: Credentials, token: Token, ssl_context: ssl.SSLContext) -> None:
    """End a login after its client was closed: closing deletes subscriptions, for which the login is needed."""
    async with credentials.client(token=token, ssl_context=ssl_context) as rc:
        try:
            await rc.revoke()
        except RcexError as exc:
            logger.warning("the login by JWT was not ended, it ends by itself: %s", exc)


def stored_login_path() -> Path:
    r"""Return the file in which `rcex-ws login` stores the session: where the platform keeps the state of programs.

    It is `$XDG_STATE_HOME/rcex-ws/login.json` (`~/.local/state` by default), on macOS `~/Library/Application
    Support/rcex-ws/login.json`, on Windows `%LOCALAPPDATA%\rcex-ws\login.json`.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
        default = Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = ""
        default = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_STATE_HOME", "")
        default = Path.home() / ".local" / "state"
    # A relative path is to be ignored, says the specification of XDG_STATE_HOME.
    return (Path(base) if os.path.isabs(base) else default) / "rcex-ws" / "login.json"


def _read_places(env_file: FilePath | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values of environment and file, and where each came from, by variable."""
    path = Path(".env" if env_file is None else env_file)
    places = ((_ENVIRONMENT, os.environ), (str(path), _read_env_file(path, must_exist=env_file is not None)))
    found: dict[str, str] = {}
    sources: dict[str, str] = {}
    for place, values in places:
        for name in _NAMES:
            value = trimmed(name, values.get(name))
            if value and name not in found:
                found[name], sources[name] = value, place
    return found, sources


def _read_env_file(path: Path, *, must_exist: bool) -> Mapping[str, str | None]:
    from dotenv import dotenv_values  # here, as `--help` needs none of it

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(f"env_file: there is no file {path}") from None
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"env_file: {path} cannot be read: {why}") from None  # the text may have a secret
    return dotenv_values(stream=StringIO(text), interpolate=False)


def _stored_login(path: Path, *, must_be_readable: bool) -> Token | None:
    """Return the stored login; None if there is none.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    if not path.exists():  # `open` would create its folder
        return None
    file = StateFile(path, what="the stored login", kind=OAUTH_TOKEN)
    file.open()
    try:
        return file.load(Token)
    except Unreadable as exc:
        if not must_be_readable:  # a new login takes its place
            return None
        raise ConfigurationError(f"{exc}: run `rcex-ws login` again") from None


def _belongs(stored: Token, found: Mapping[str, str]) -> bool:
    """Return whether a stored login is of the server and application that were found, as far as they were."""
    server, client_id = found.get(_SERVER), found.get(_CLIENT_ID)
    return (server is None or server.rstrip("/") == stored.server) and client_id in (None, stored.client_id)


def _missing(names: list[str], env_file: FilePath | None) -> str:
    advice = f"set {'it' if len(names) == 1 else 'them'} in the environment or in {env_file or '.env'}"
    if _JWT in names:
        advice += f", or {'instead of the JWT' if len(names) > 1 else 'instead'} run `rcex-ws login`"
    return (
        f"{' and '.join(names)}: missing; {advice}. RingCentral's Developer Console shows them for your application. "
        "No account? `rcex-ws gateway --env-file .env` starts a local RingCentral"
    )
