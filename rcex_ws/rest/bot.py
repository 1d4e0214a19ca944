"""The session of a bot, which has a static token: it never expires, is not refreshed, and needs no application.

Made by `rcex_ws.rest.client` in place of `Auth`. RingCentral gives such a token to a private bot when it is added to an
account, and takes it back when the bot is removed (developer guide, "Team Messaging bots", "Authorization").
"""

from __future__ import annotations

from typing import NoReturn

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest import oauth
from rcex_ws.rest.auth import Auth
from rcex_ws.rest.errors import LoginRefused, RestError
from rcex_ws.rest.message import Response
from rcex_ws.rest.token import Token

__all__ = ["BotAuth", "token_of_bot"]

_REFUSED = (
    "the token of the bot is not valid: the bot was removed or reinstalled, or the token belongs to another server;"
    " copy the new one from the Developer Console"
)


class BotAuth(Auth):
    """The session of a bot, which begins and ends in the Developer Console."""

    async def authorize(self, grant: oauth.Grant | None, *, force: bool) -> Token:
        """Return the token of the bot.

        Raises:
            ConfigurationError: there is something else to log in with.
        """
        if grant is not None or force:
            raise ConfigurationError("bot_token: this client is a bot, which does not log in; make another client")
        return self._require_token()

    def can_renew(self, token: Token) -> bool:
        """Return False: there is only one token."""
        return False

    async def renew(self, stale: Token) -> NoReturn:
        """Refuse to renew the token.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("bot_token: the token of a bot never expires, and cannot be refreshed")

    async def revoke(self) -> NoReturn:
        """Refuse to end the session, which could not be begun again.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("bot_token: the token of a bot is not revoked here; remove the bot from the account")

    def rejected(self, response: Response, *, method: str, path: str) -> RestError:
        """Return an error that trying again cannot help."""
        return LoginRefused(response, method=method, path=path, hint=_REFUSED)


def token_of_bot(bot_token: str, *, server: str) -> Token:
    """Return the session of a bot; a salted hash tells its stored WebSocket session from that of another bot."""
    import hashlib  # here, for it loads OpenSSL

    digest = hashlib.sha256(f"{server}\n{bot_token}".encode()).hexdigest()
    return Token(access_token=bot_token, login=f"bot:{digest}")
