"""docs/cli.md: what is generated is up to date, and its examples run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from rcex_ws.cli.app import run
from rcex_ws.cli.exits import ExitCode
from rcex_ws.gateway import Gateway
from tests.cli.conftest import Background
from tests.cli.page import PAGE, rendered

EXAMPLES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def test_what_is_generated_is_up_to_date() -> None:
    assert rendered(PAGE.read_text()) == PAGE.read_text(), "run `make generate`"


def test_the_examples_do_what_they_say(at_gateway: Gateway) -> None:
    examples = [one for one in EXAMPLES if not one.startswith(("rcex-ws listen", "rcex-ws doctor"))]
    assert {one: run(shlex.split(one)[1:]) for one in examples} == dict.fromkeys(examples, ExitCode.DONE)


def test_the_examples_of_listening_run_until_they_are_ended(
    at_gateway: Gateway, listening: Callable[..., Background]
) -> None:
    for example in EXAMPLES:
        if example.startswith("rcex-ws listen"):
            words = shlex.split(example.partition(" | ")[0])[2:]
            words = [{"jq .body": "cat", "3600": "0.05", "100": "1"}.get(word, word) for word in words]
            command = listening(*words, *(() if "--count" in words else ("--count", "1")))
            at_gateway.receive_sms()
            assert command.wait() == ExitCode.DONE, example
