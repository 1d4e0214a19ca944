"""The page docs/slack.md cannot go stale: its tables and names match the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from rcex_ws import WebSocketExtension
from rcex_ws.rest.client import RingCentral
from rcex_ws.slack import Events, MessageOutcome, RTMClient
from rcex_ws.slack.refusals import REFUSALS

PAGE = (Path(__file__).parents[2] / "docs/slack.md").read_text()
OPTIONS = set(inspect.signature(RTMClient).parameters)


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def column(heading: str, number: int) -> list[str]:
    rows = [line for line in section(heading).splitlines() if line.startswith("| ") and "---" not in line][1:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")][number] for row in rows]


def test_the_table_of_events_is_complete():
    assert sorted(cell.strip("`") for cell in column("Events", 0)) == sorted(Events)


def test_the_lifecycle_names_events_and_states_there_are():
    text = section("Lifecycle")
    assert set(re.findall(r"^[A-Z]+(?= )", text, re.MULTILINE)) == {
        "IDLE",
        "CONNECTING",
        "READY",
        "WAITING",
        "FAILED",
        "CLOSED",
    }
    drawn = set(re.findall(r"^[A-Z ]{12} ([a-z_]+)", text, re.MULTILINE))
    assert drawn <= {str(event) for event in Events}


def test_the_page_tells_of_every_refusal_whether_it_is_final():
    told = {}
    for row in section("When Slack refuses").splitlines():
        if row.startswith(("| final", "| passing")):
            told |= dict.fromkeys(re.findall(r"`(\w+)`", row), row.startswith("| final"))
    assert told == {code: refusal.final for code, refusal in REFUSALS.items()}


def test_every_outcome_is_told():
    for outcome in MessageOutcome:
        assert f"MessageOutcome.{outcome.name}" in section("What becomes of a message")


def test_every_name_of_the_packages_has_one_here():
    for cell in column("Names of the JavaScript packages", 2):
        for name in re.findall(r"`(\w+)[^`]*`", cell):
            assert name in OPTIONS or hasattr(RTMClient, name) or name in set(Events) or name in ("the", "type"), name


def test_the_options_that_mean_the_same_exist_on_both_sides():
    text = section("For users of RingCentral's extension").strip().split("\n\n")[-1]
    others = {*inspect.signature(WebSocketExtension).parameters, *inspect.signature(RingCentral).parameters}
    names = set(re.findall(r"`(\w+)`", text))
    assert len(names) == 10
    assert names <= OPTIONS & others


def test_every_option_is_named():
    told = set(re.findall(r"\w+", PAGE))
    assert {name for name in OPTIONS if name not in told} == set()


def test_k3_the_page_says_who_can_use_it() -> None:
    text = section("Who can use it")
    assert "classic apps" in text
    assert "`not_allowed_token_type`" in text
    assert "Tier 1" in text
