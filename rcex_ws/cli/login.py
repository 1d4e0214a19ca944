"""`rcex-ws login`: log in by the login page or by a JWT, and keep the session for later commands; `rcex-ws logout`.

The login page sends the browser back to a server on this machine, which runs until it has come: authorization code
with PKCE (RFC 7636) on a loopback address (RFC 8252). The session is kept by `FileTokenStore`, whose file is created
with mode 0600 and then moved into place, so that nobody else can read it at any moment.
"""

from __future__ import annotations

import getpass
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread

from rcex_ws.cli.credentials import Credentials, load_credentials, load_stored_login, stored_login_path
from rcex_ws.cli.loopback import LoginUnfinished, Loopback
from rcex_ws.cli.output import say
from rcex_ws.cli.signals import until_signal
from rcex_ws.errors import ConfigurationError
from rcex_ws.options import Port, Seconds, checked
from rcex_ws.rest import FileTokenStore, Token

__all__ = ["log_in_by_browser", "log_in_by_jwt", "log_out", "login", "logout"]

Show = Callable[[str], object]
"""Shows a line to the user."""

DEFAULT_PORT = 8765


@checked
def login(
    *,
    jwt: bool = False,
    no_browser: bool = False,
    port: Port = DEFAULT_PORT,
    timeout: Seconds = 300.0,
    env_file: Path | None = None,
) -> int:
    """Log in, and keep the session for later commands.

    Without `--jwt` the login page is opened in a browser. The address to which it sends the browser back,
    `http://127.0.0.1:8765/callback`, must be registered for the application in RingCentral's Developer Console.

    Args:
        jwt: log in by a JWT instead: RINGCENTRAL_JWT, or else a line from stdin, or what is typed at a prompt.
        no_browser: only print the address of the login page; open no browser.
        port: the port of the address to which the login page sends the browser back; 0 for any free one.
        timeout: seconds to wait for the browser.
        env_file: a file with credentials to read instead of `.env`.

    Raises:
        RcexError: the login failed; nothing is stored.
    """
    credentials = load_credentials(env_file, login=False)
    if jwt:  # read before there is a loop, which could not be ended while it waits for a key
        by_jwt = replace(credentials, jwt=credentials.jwt or _read_jwt())
        log_in = partial(log_in_by_jwt, by_jwt)
    else:
        open_page = None if no_browser else webbrowser.open
        log_in = partial(log_in_by_browser, credentials, port=port, open_page=open_page, timeout=timeout, show=say)

    async def log_in_and_confirm() -> int:
        token = await log_in()
        say(f"Logged in at {token.server}. The session is kept in {stored_login_path()}.")
        return 0

    return cast("int", anyio.run(until_signal, log_in_and_confirm))  # that of the command, or of the signal


async def logout() -> int:
    """End the session that `rcex-ws login` stored, here and at the server."""
    was_logged_in = await log_out()
    say("Logged out." if was_logged_in else "There is no stored login.")
    return 0


async def log_in_by_jwt(credentials: Credentials) -> Token:
    """Log in by a JWT and store the session.

    Args:
        credentials: those of the application, with the JWT.

    Raises:
        RcexError: the login failed.
    """
    async with _storing(credentials).client() as rc:
        await rc.authorize(jwt=credentials.jwt, force=True)
    return await _stored()


async def log_in_by_browser(
    credentials: Credentials,
    *,
    port: int,
    open_page: Callable[[str], object] | None,
    timeout: float,
    show: Show,
) -> Token:
    """Log in by the login page and store the session.

    Args:
        credentials: those of the application.
        port: the port to which the browser is sent back; 0 for any free one.
        open_page: opens the login page; None if the user does.
        timeout: seconds to wait for the browser.
        show: shows the address of the login page.

    Raises:
        ConfigurationError: the port cannot be used, or the session cannot be stored.
        LoginRefused: the server refused the code.
        LoginUnfinished: the user denied the access, or did not come back in time.
    """
    async with _storing(credentials).client() as rc, await Loopback.listen(port) as loopback:
        page = rc.authorize_uri(redirect_uri=loopback.redirect_uri, state=loopback.state, pkce=True)
        show(f"Log in at this address:\n{page}")
        with anyio.move_on_after(timeout):
            async with anyio.create_task_group() as group:
                if open_page is not None:
                    group.start_soon(_open_page, open_page, page)
                await loopback.serve(lambda code: rc.authorize(code=code, state=loopback.state))
                group.cancel_scope.cancel()
    if loopback.failure is not None:
        raise loopback.failure
    if rc.token is None:
        raise LoginUnfinished(f"nobody came back from the login page within {timeout:g} s")
    return await _stored()


async def log_out() -> bool:
    """End the stored session and forget it; return whether there was one.

    Raises:
        RcexError: the server did not confirm; it is forgotten all the same.
    """
    token = await FileTokenStore(stored_login_path()).load()
    credentials = None if token is None else load_stored_login()
    if credentials is None:
        return False
    async with credentials.client(token=token) as rc:
        await rc.revoke()
    return True


async def _open_page(open_page: Callable[[str], object], page: str) -> None:
    """Open a page beside the server: a browser in the terminal runs until the user leaves it."""
    await anyio.to_thread.run_sync(open_page, page, abandon_on_cancel=True)


def _storing(credentials: Credentials) -> Credentials:
    return replace(credentials, token_path=stored_login_path())


async def _stored() -> Token:
    """Return the session that was stored just now: a client goes on without, and says so in its log only."""
    token = await FileTokenStore(stored_login_path()).load()
    if token is None:
        raise ConfigurationError(f"the session could not be stored in {stored_login_path()}")
    return token


def _read_jwt() -> str:
    """Read a JWT without showing it; it is no argument, as other users can read those."""
    typed = getpass.getpass("JWT: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise ConfigurationError("jwt: there is none: set RINGCENTRAL_JWT, pipe it into the command, or type it")
    return typed.strip()
