"""Every public signature refuses what it cannot take: at once, by an error of the tree that names the argument."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import pytest

from rcex_ws import options
from tests.signatures.examples import SKIPPED, TAKEN, reason_to_skip
from tests.signatures.legal import VALUES, WRONG_BY_RULE, illegal
from tests.signatures.signatures import signatures
from tests.signatures.walk import Attempt, attempt, attempts

FOUND = signatures()
ATTEMPTS = list(attempts())


@pytest.mark.timeout(300)
async def test_every_wrong_value_of_every_public_signature_is_refused() -> None:
    poor = [f"{one}: {why}" for one in ATTEMPTS if (why := await attempt(one)) is not None]
    assert not poor


def test_the_walk_comes_by_everything() -> None:
    """So that it cannot be green because it walks nowhere."""
    walked = Counter(one.signature.name.rpartition(".")[0] for one in ATTEMPTS)
    for owner in (
        "rest.methods.ClientMethods",
        "wsg.extension.WebSocketExtension",
        "slack.client.RTMClient",
        "slack.bot",
    ):
        assert walked[f"rcex_ws.{owner}"] > 100
    assert walked["rcex_ws.rest.client.RingCentral"] > 25
    assert walked["rcex_ws.rest.path_methods.PathMethods"] > 25
    assert len(ATTEMPTS) > 10_000


def test_each_exception_is_needed() -> None:
    names = {signature.name for signature in FOUND if signature.arguments}
    for key in SKIPPED:
        assert any(name == key or (key.endswith(".") and name.startswith(key)) for name in names), key
    arguments = {(signature.name, argument.name) for signature in FOUND for argument in signature.arguments}
    assert {key[:2] for key in TAKEN} <= arguments


def test_the_judge_knows_every_rule() -> None:
    """A rule that it does not know would never be walked against."""
    rules = {
        rule.expects
        for alias in vars(options).values()
        for rule in getattr(alias, "__metadata__", ())
        if isinstance(rule, options.Rule)
    }
    assert rules - {"a text"} <= set(WRONG_BY_RULE)


@pytest.mark.parametrize(
    ("hint", "right", "wrong"),
    [
        (options.Seconds, ["0.5"], ["0", "-1", "nan", "inf", "1e308", "True", "text", "None"]),
        (options.Wait, ["0", "0.5"], ["-1", "nan", "-inf"]),
        (options.Count | None, ["None"], ["0", "0.5", "True", "10**400"]),
        (str, ["text", "empty"], ["bytes", "None", "[]"]),
        (options.FilePath, ["text"], ["empty", "null character", "bytes"]),
    ],
)
def test_the_judge_itself(hint: Any, right: list[str], wrong: list[str]) -> None:
    assert not [label for label in right if illegal(hint, VALUES[label])]
    assert not [label for label in wrong if not illegal(hint, VALUES[label])]


async def test_the_walk_sees_what_is_poor() -> None:
    """Each kind of a poor answer, on a signature that is none of ours."""
    from rcex_ws import ConfigurationError, NotConnected
    from tests.signatures.signatures import Argument, Signature

    def accepts(seconds: float) -> None: ...

    def foreign(seconds: float) -> None:
        raise TypeError("seconds")

    def retryable(seconds: float) -> None:
        raise NotConnected("seconds")

    def nameless(seconds: float) -> None:
        raise ConfigurationError("no")

    def good(seconds: float) -> None:
        raise ConfigurationError("seconds: no")

    async def idle() -> None: ...

    async def leaves(seconds: float) -> None:
        idle()
        raise ConfigurationError("seconds: no")

    expected = {
        accepts: "it is accepted",
        foreign: "TypeError is not of the tree",
        retryable: "NotConnected says that trying again can help",
        nameless: "ConfigurationError does not name the argument",
        leaves: "coroutine 'test_the_walk_sees_what_is_poor.<locals>.idle' was never awaited",
        good: None,
    }
    for function, why in expected.items():
        argument = Argument("seconds", inspect.Parameter.POSITIONAL_OR_KEYWORD, float, required=True)
        told = await attempt(Attempt(Signature("f", None, "", False, function, (argument,)), argument, "text"))
        assert told == why if why is None else str(told).startswith(why)


def test_reasons_are_given_for_what_is_skipped() -> None:
    assert all(reason_to_skip(name) for name in SKIPPED if not name.endswith("."))
