"""Whom an order means that names nobody, and what it says of a name that nobody has."""

from __future__ import annotations

import asyncio

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.gateway import GatewayApp
from rcex_ws.gateway.seed import Seed, SeedUser, apply_seed


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


def seeded(runner: asyncio.Runner, *numbers: str) -> GatewayApp:
    async def make() -> GatewayApp:
        return GatewayApp()

    app = runner.run(make())
    apply_seed(app.core, Seed(users=[SeedUser(extension=one, name=f"User {one}") for one in numbers]))
    return app


def test_the_first_and_the_second_user_are_meant_whatever_their_numbers(runner) -> None:
    app = seeded(runner, "7", "8", "9")
    first, second, _ = app.core.people.extensions
    assert app.receive_post("hi")["creatorId"] == second.id
    app.ring()
    app.pick_up()
    app.watch_lines(["9"])
    (call,) = app.core.calls.live()
    assert [party.extension_id for party in call.parties][-2:] == [first.id, second.id]
    assert app.core.presence.watched(first.id).lines


def test_one_user_alone_hears_that_there_is_no_second(runner) -> None:
    app = seeded(runner, "7")
    with pytest.raises(ConfigurationError, match=r"^from_extension: there is no second extension; there are 7$"):
        app.receive_post("hi")
