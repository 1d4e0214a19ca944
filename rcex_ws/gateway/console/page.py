"""The page of the console, made from page.html and from the signatures of the commands. Pure.

A new command is on the page without a word here: its docstring says what it does, its parameters become fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["fields_of", "page_of"]

_GROUPS = {
    "GatewayApp": "Connections and nodes, at once",
    "FaultCommands": "Faults of what comes next",
}
"""The headings of the commands of these classes; all others are what other people do."""
_PEOPLE = "What others do"
_LABELS = {
    "receive_fax": "Send yourself a fax",
    "receive_post": "Send yourself a post",
    "receive_sms": "Send yourself an SMS",
    "receive_voicemail": "Leave yourself a voicemail",
    "ring": "Call yourself",
}
"""What their buttons say instead of their names."""
_SAMPLES = {"text": "Hello from the console", "message_text": "Hello from the console"}
"""What is in a field at first."""
_HINTS = {
    "where": "POST /restapi/oauth/wstoken",
    "event": "/restapi/v1.0/account/~/extension/~/presence",
    "body": '{"presenceStatus": "Busy"}',
    "data": "not JSON at all",
}
"""What a field that must be filled in may have."""


def page_of(commands: Sequence[Callable[..., Any]], host: str) -> str:
    """Return the page.

    Args:
        commands: what can be done.
        host: the address by which the browser has come.
    """
    groups: dict[str, list[Callable[..., Any]]] = {_PEOPLE: [], **{name: [] for name in _GROUPS.values()}}
    for one in commands:
        groups[_GROUPS.get(one.__qualname__.partition(".")[0], _PEOPLE)].append(one)
    forms = "".join(_group(name, members) for name, members in groups.items() if members)
    return _template().substitute(host=escape(host), commands=forms)


def fields_of(command: Callable[..., Any]) -> Iterator[tuple[str, str, tuple[str, ...], bool, Any]]:
    """Yield name, kind, choices, whether it must be given, and default of each parameter of a command.

    The kind is "text", "flag", "choice" (one of the choices), "json", or "any" (JSON if it is, otherwise a text).
    """
    hints = get_type_hints(command)
    for name, parameter in inspect.signature(command).parameters.items():
        is_needed = parameter.default is parameter.empty
        kind, choices = _kind(tuple(_alternatives(hints.get(name, Any))))
        yield name, kind, choices, is_needed, None if is_needed else parameter.default


def _alternatives(hint: Any) -> Iterator[Any]:
    """Yield the types of a union, without what is annotated to them and without None."""
    if get_origin(hint) is Annotated:
        yield from _alternatives(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from _alternatives(one)
    elif hint is not type(None):
        yield hint


def _kind(types: tuple[Any, ...]) -> tuple[str, tuple[str, ...]]:
    if types == (bool,):
        return "flag", ()
    if types == (str,):
        return "text", ()
    if types and all(get_origin(one) is Literal for one in types):
        return "choice", tuple(str(value) for one in types for value in get_args(one))
    if types and all(get_origin(one) in (dict, list, tuple) or one in (dict, list) for one in types):
        return "json", ()
    return "any", ()


def _group(name: str, commands: Iterable[Callable[..., Any]]) -> str:
    forms = "".join(map(_form, commands))
    return f'<section class="commands"><h3>{escape(name)}</h3>{forms}</section>'


def _form(command: Callable[..., Any]) -> str:
    name = command.__name__
    does, _, _ = (inspect.getdoc(command) or "").partition("\n")
    fields = [_field(name, *field) for field in fields_of(command)]
    needs_some = any(needed for *_, needed, _ in fields_of(command))
    more = ""
    if fields:
        is_open = " open" if needs_some and name in _LABELS else ""
        more = f"<details{is_open}><summary>Options</summary><div class=fields>{''.join(fields)}</div></details>"
    label = escape(_LABELS.get(name, name.replace("_", " ")))
    return (
        f'<form class="command" data-command="{escape(name)}"><button>{label}</button>'
        f"<p>{escape(does)}</p>{more}<output></output></form>"
    )


def _field(command: str, name: str, kind: str, choices: tuple[str, ...], is_needed: bool, default: Any) -> str:
    field_id = escape(f"{command}-{name}")
    common = f'id="{field_id}" name="{escape(name)}" data-kind="{kind}"{" required" if is_needed else ""}'
    if kind == "flag":
        entry = f'<input type="checkbox" {common}{" checked" if default else ""}>'
    elif kind == "choice":
        empty = "" if default in choices else "<option></option>"
        options = "".join(f"<option{' selected' if one == default else ''}>{escape(one)}</option>" for one in choices)
        entry = f"<select {common}>{empty}{options}</select>"
    else:
        hint = _HINTS.get(name, "") if is_needed or default in (None, "") else str(default)
        value = _SAMPLES.get(name, "") if is_needed else ""
        words = f'placeholder="{escape(hint)}" value="{escape(value)}" autocomplete="off" spellcheck="false"'
        entry = f"<input {common} {words}>"
    return f'<label for="{field_id}">{escape(name.strip("_").replace("_", " "))}</label>{entry}'


@cache
def _template() -> Template:
    return Template(Path(__file__).with_name("page.html").read_text("utf-8"))
