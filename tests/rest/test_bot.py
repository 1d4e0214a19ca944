"""A bot: calls with its static token, and nothing that it could log in or renew with."""

from __future__ import annotations

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.rest import FileTokenStore, LoginRefused, RingCentral
from rcex_ws.rest.bot import token_of_bot

PATH = "/restapi/v1.0/account/~"


@pytest.fixture
def bot(make_client):
    return make_client(client_id=None, client_secret=None, bot_token=" BOT-TOKEN\n")


async def test_a_bot_calls_without_application_and_without_login(bot, api, grants):
    route = api.get(PATH).respond(204)
    await bot.get(PATH)
    assert route.calls.last.request.headers["Authorization"] == "Bearer BOT-TOKEN"
    assert await bot.authorize() is bot.token
    assert bot.token.expires_at is None
    assert grants.call_count == 0


@pytest.mark.parametrize("how", ["get", "stream"])
async def test_a_rejected_token_is_final_and_says_what_to_do(bot, api, how):
    async def stream(path):
        async with bot.stream("GET", path):
            pass

    route = api.get(PATH).respond(401, json={"errorCode": "OAU-213", "message": "Token not found"})
    with pytest.raises(LoginRefused, match=r"401: OAU-213: Token not found; the token of the bot is not valid") as told:
        await {"get": bot.get, "stream": stream}[how](PATH)
    assert not told.value.retryable
    assert "BOT-TOKEN" not in str(told.value) + repr(told.value)
    assert route.call_count == 1


async def test_the_401_of_another_token_says_nothing_about_bots(bot, api):
    api.get(PATH).respond(401)
    with pytest.raises(Exception, match="401") as told:
        await bot.get(PATH, headers={"Authorization": "Bearer X"})
    assert not isinstance(told.value, LoginRefused)


@pytest.mark.parametrize("what", ["refresh", "revoke", "authorize(jwt)", "authorize(force)"])
async def test_a_bot_neither_logs_in_nor_out(bot, grants, what):
    calls = {
        "refresh": bot.refresh,
        "revoke": bot.revoke,
        "authorize(jwt)": lambda: bot.authorize(jwt="J"),
        "authorize(force)": lambda: bot.authorize(force=True),
    }
    with pytest.raises(ConfigurationError, match=r"^bot_token: "):
        await calls[what]()
    assert grants.call_count == 0
    assert bot.token is not None


def test_a_bot_has_one_token_and_keeps_none(token, tmp_path):
    with pytest.raises(ConfigurationError, match=r"^bot_token: .*so token cannot"):
        RingCentral(bot_token="B", token=token)
    with pytest.raises(ConfigurationError, match=r"^bot_token: .*so token_store cannot"):
        RingCentral(bot_token="B", token_store=FileTokenStore(tmp_path / "token"))


def test_stored_sessions_of_two_bots_have_different_owners():
    one, same, other, elsewhere = (
        token_of_bot(text, server=server).login
        for text, server in (("A", "https://a"), ("A", "https://a"), ("B", "https://a"), ("A", "https://b"))
    )
    assert one == same
    assert len({one, other, elsewhere}) == 3
    assert "BOT-TOKEN" not in repr(token_of_bot("BOT-TOKEN", server="https://a"))
