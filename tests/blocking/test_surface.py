"""The blocking classes have what the async ones have: the same names, arguments and documentation, and little else."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from rcex_ws import ConfigurationError, blocking, connection, rest, wsg
from rcex_ws.gateway import Gateway
from rcex_ws.rest.https import StreamedResponse
from tests.blocking.generate import FOLDER, generate
from tests.blocking.sources import RENAMED, SOURCES, Source
from tests.signatures.examples import TAKEN, reason_to_skip
from tests.signatures.legal import VALUES, illegal
from tests.signatures.signatures import signatures
from tests.signatures.walk import right_arguments

_FOR_THE_CLIENT = "an extension has it for the client that it is installed in"
_FOR_EXTENSIONS = "extensions have it, which run in the loop"
_FOR_THE_OWNER = "the extension has it for itself"

#: By async class: its blocking class, and the public names that this leaves out, each with the reason.
LEFT_OUT: dict[type, tuple[type, dict[str, str]]] = {
    rest.RingCentral: (blocking.RingCentral, dict.fromkeys(("home", "tasks", "gate"), _FOR_EXTENSIONS)),
    wsg.WebSocketExtension: (
        blocking.WebSocketExtension,
        dict.fromkeys(("install", "takes", "transport", "handle", "keeps_deadline", "client"), _FOR_THE_CLIENT)
        | {
            "open_socket": "for tests in virtual time",
            "event_emitter": "it belongs to the loop; `on` attaches handlers and gives what detaches them",
        },
    ),
    rest.EventsExtension: (
        blocking.EventsExtension,
        dict.fromkeys(
            ("install", "takes", "transport", "handle", "keeps_deadline", "client", "aclose"), _FOR_THE_CLIENT
        )
        | {"event_emitter": "it belongs to the loop; `on` attaches handlers and gives what detaches them"},
    ),
    wsg.Subscription: (
        blocking.Subscription,
        dict.fromkeys(
            ("queue", "has_callback", "activate", "ignore", "claim", "claimed", "end", "drained", "run_callback"),
            _FOR_THE_OWNER,
        ),
    ),
    rest.PathBuilder: (blocking.PathBuilder, {}),
    StreamedResponse: (blocking.StreamedResponse, dict.fromkeys(("abandon", "read_error_body"), _FOR_THE_OWNER)),
    connection.Link: (
        blocking.Link,
        dict.fromkeys(
            (
                *("withdraw_requests", "last_inbound", "begin_close", "do_soon", "lose", "send_heartbeat"),
                *("heartbeat_answered", "close", "run", "send", "monitor"),
            ),
            _FOR_THE_OWNER,
        ),
    ),
}
#: What blocking classes have besides.
ADDED = {blocking.Subscription: {"next"}}
#: Arguments that blocking constructors have besides.
ADDED_ARGUMENTS = {blocking.WebSocketExtension: {"executor"}, blocking.EventsExtension: {"executor"}}

PAIRS = [(ours, theirs, set(left_out)) for ours, (theirs, left_out) in LEFT_OUT.items()]


def public(names: Any) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def attributes(kind: type) -> set[str]:
    """Return the names that the methods of an async class set: `self.name = ...`."""
    sources = [inspect.getsource(base) for base in kind.__mro__ if base.__module__.startswith("rcex_ws")]
    set_there = [target for one in sources for node in ast.walk(ast.parse(one)) for target in targets(node)]
    found = [node for node in set_there if isinstance(node, ast.Attribute)]
    return public({node.attr for node in found if ast.unparse(node.value) == "self"})


def targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [one for target in node.targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [node.target] if isinstance(node, ast.AnnAssign) else []


@pytest.mark.parametrize(("there", "here", "left_out"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_public_name_is_there_and_no_other(there: type, here: type, left_out: set[str]) -> None:
    names = public(dir(there)) | attributes(there)
    assert left_out <= names
    assert public(dir(here)) == {RENAMED.get(name, name) for name in names - left_out} | ADDED.get(here, set())


@pytest.mark.parametrize(("there", "here", "left_out"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_every_method_has_the_same_arguments(there: type, here: type, left_out: set[str]) -> None:
    compared = 0
    for name in public(dir(there)) - left_out:
        theirs, blocks = getattr(there, name), getattr(here, RENAMED.get(name, name))
        if inspect.isroutine(theirs):
            assert arguments(blocks) == arguments(theirs), name
            compared += 1
        else:
            assert type(blocks) is type(theirs) or isinstance(blocks, property), name
            assert getattr(blocks, "fset", None) is None or getattr(theirs, "fset", 0) is not None, name
    assert compared


@pytest.mark.parametrize("there", [rest.RingCentral, wsg.WebSocketExtension, rest.EventsExtension])
def test_every_constructor_has_the_same_arguments(there: type) -> None:
    here = LEFT_OUT[there][0]
    added = ADDED_ARGUMENTS.get(here, set())
    assert {name: one for name, one in arguments(here).items() if name not in added} == arguments(there)
    assert added <= set(arguments(here))


def arguments(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    found = inspect.signature(function).parameters
    return {name: (one.kind, one.default) for name, one in found.items() if name != "self"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.to)
def test_a_generated_module_is_what_the_code_gives(source: Source) -> None:
    """Compared without the order of imports, which ruff sees to."""
    written, generated = ((FOLDER / f"{source.to}.py").read_text(), generate(source))
    assert shape(written) == shape(generated), "run `make generate`"


def shape(text: str) -> list[str]:
    body = ast.parse(text).body
    imports = {
        f"{getattr(node, 'module', '')}.{one.name}"
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for one in node.names
    }
    rest_of = [ast.dump(node) for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return [*sorted(imports), *rest_of]


def test_a_wrong_argument_is_named() -> None:
    """One wrong value for each argument: that the async methods refuse all of them is tested in tests/signatures."""
    rc = blocking.RingCentral(server="http://127.0.0.1:9")
    here = {rest.RingCentral: rc, rest.PathBuilder: rc.restapi(), wsg.WebSocketExtension: blocking.WebSocketExtension()}
    refused = 0
    for signature in signatures():
        if signature.owner not in here or reason_to_skip(signature.name) is not None:
            continue
        on = here[signature.owner] if signature.bound else type(here[signature.owner])
        called = getattr(on, RENAMED.get(signature.attribute, signature.attribute), None) if signature.attribute else on
        for argument in signature.arguments if called is not None else ():
            wrong = [
                value
                for label, value in VALUES.items()
                if illegal(argument.hint, value) and (signature.name, argument.name, label) not in TAKEN
            ]
            for value in wrong[:1]:
                with pytest.raises(ConfigurationError, match=rf"\b{argument.name}\b"):
                    call(called, right_arguments(signature) | {argument.name: value})
                refused += 1
    assert refused > 100


def call(function: Any, arguments: dict[str, Any]) -> None:
    result = function(**arguments)
    if isinstance(result, AbstractContextManager) and not isinstance(result, blocking.RingCentral):
        with result:
            pass


def test_no_word_of_the_async_client_is_left() -> None:
    for source in SOURCES:
        text = (FOLDER / f"{source.to}.py").read_text()
        assert "await " not in text.replace("facade_of(await ", "").replace("facade_of(\n                await ", "")
        assert "async with" not in text


def test_objects_are_those_of_the_async_client(server: Gateway) -> None:
    with blocking.RingCentral(server=server.server) as rc:
        assert repr(rc) == f"<blocking RingCentral {server.server}>"
        assert repr(rc.restapi().account()) == "<blocking PathBuilder /restapi/v1.0/account/~>"
        assert str(rc.restapi()["a b"].c_d("e")) == "/restapi/v1.0/a%20b/c-d/e"
