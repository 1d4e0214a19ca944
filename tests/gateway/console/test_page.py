"""The page: a form for each command, made from its signature, and nothing that anybody could have put in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from rcex_ws.gateway.commands.command import commands_of
from rcex_ws.gateway.console.page import fields_of, page_of
from rcex_ws.options import Count, Status, Wait


class PeopleCommands:
    def receive_sms(self, text: str, to: str = "<101>") -> None:
        """Receive an <b>SMS</b> & "more"."""


def sample(
    where: str,
    status: Status | Literal["hang", "rst"] = 503,
    *,
    wait: Wait | None = None,
    strip: Literal["headers", "body"] | None = None,
    drop: bool = False,
    notify: dict[str, Any] | None = None,
    data: str | bytes | Sequence[str | bytes] = "",
    people: list[str] | None = None,
    times: Count = 1,
) -> None:
    """Do something."""


@pytest.fixture
def receive_sms() -> Any:
    command = PeopleCommands().receive_sms
    command.__func__.__qualname__ = "PeopleCommands.receive_sms"
    return command


def test_what_fields_take_follows_from_the_types():
    assert {name: (kind, choices, needed) for name, kind, choices, needed, _ in fields_of(sample)} == {
        "where": ("text", (), True),
        "status": ("any", (), False),
        "wait": ("any", (), False),
        "strip": ("choice", ("headers", "body"), False),
        "drop": ("flag", (), False),
        "notify": ("json", (), False),
        "data": ("any", (), False),
        "people": ("json", (), False),
        "times": ("any", (), False),
    }


def test_each_command_has_a_form_with_a_field_for_each_parameter(app):
    commands = [*commands_of(app)]
    page = page_of(commands, "127.0.0.1:8080")
    forms = dict(re.findall(r'<form class="command" data-command="(\w+)">(.*?)</form>', page))
    assert forms.keys() == {one.__name__ for one in commands}
    for one in commands:
        fields = re.findall(r'<(?:input|select)[^>]* name="(\w+)"', forms[one.__name__])
        assert fields == list(inspect.signature(one).parameters), one.__name__
        labels = re.findall(r'<label for="([\w-]+)"', forms[one.__name__])
        assert labels == [f"{one.__name__}-{name}" for name in fields]


def test_what_people_do_comes_first_and_can_be_sent_at_once(app, receive_sms):
    page = page_of([*commands_of(app), receive_sms], "127.0.0.1:8080")
    assert page.index("Send yourself an SMS") < page.index('data-command="cut"')
    assert 'value="Hello from the console"' in page
    assert "What others do" not in page_of([app.cut, app.refuse], "127.0.0.1:8080")


def test_nothing_is_taken_as_html(receive_sms):
    page = page_of([receive_sms], "\"><script>alert('x')</script>")
    assert "<script>" not in page
    assert "<b>SMS" not in page
    assert "&lt;b&gt;SMS&lt;/b&gt; &amp; &quot;more&quot;." in page
    assert 'placeholder="&lt;101&gt;"' in page


def test_it_brings_nothing_from_elsewhere_and_nothing_inline(app):
    page = page_of([*commands_of(app)], "127.0.0.1:8080")
    assert re.findall(r"(?:src|href|action)=\"(?![/#]|data:)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", page) == []


def test_it_is_read_aloud_in_sense(app):
    page = page_of([*commands_of(app)], "127.0.0.1:8080")
    ids = re.findall(r'\sid="([\w-]+)"', page)
    assert len(ids) == len(set(ids))
    named = re.findall(r'(?:aria-labelledby|aria-controls|for)="([\w-]+)"', page)
    assert named
    assert set(named) <= set(ids)
    assert '<html lang="en">' in page
