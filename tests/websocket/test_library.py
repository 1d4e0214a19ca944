"""Only the documented API of `websockets` is used, name by name, and nothing private of any dependency."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rcex_ws

ROOT = Path(rcex_ws.__file__).parent

#: From the reference of websockets: "Sans-I/O - Client" and "- Server", "Data structures", "Extensions", "Exceptions",
#: "Types".
IMPORTED = {
    "websockets.client.ClientProtocol",
    "websockets.datastructures.Headers",
    "websockets.extensions.permessage_deflate.ClientPerMessageDeflateFactory",
    "websockets.extensions.permessage_deflate.ServerPerMessageDeflateFactory",
    "websockets.frames.Frame",
    "websockets.frames.Opcode",
    "websockets.http11.Request",
    "websockets.http11.Response",
    "websockets.protocol.State",
    "websockets.server.ServerProtocol",
    "websockets.typing.Subprotocol",
    "websockets.uri.parse_uri",
}

#: The documented methods and attributes of a protocol.
OF_A_PROTOCOL = {
    "accept",
    "close_code",
    "close_exc",
    "close_expected",
    "close_reason",
    "connect",
    "data_to_send",
    "events_received",
    "fail",
    "handshake_exc",
    "id",
    "logger",
    "receive_data",
    "receive_eof",
    "reject",
    "select_subprotocol",
    "send_binary",
    "send_close",
    "send_continuation",
    "send_ping",
    "send_pong",
    "send_request",
    "send_response",
    "send_text",
    "state",
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield str(path.relative_to(ROOT.parent)), ast.parse(path.read_text())


def test_what_is_imported_of_websockets_is_documented() -> None:
    found: set[str] = set()
    for where, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "websockets":
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                assert not [alias for alias in node.names if alias.name.startswith("websockets")], where
    assert found == IMPORTED


def test_what_is_used_of_a_protocol_is_documented() -> None:
    found: set[str] = set()
    for where, tree in trees():
        if Path(where).name not in ("codec.py", "handshake.py", "server_handshake.py"):
            continue  # there, `protocol` is one of asyncio
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in ("protocol", "_protocol"):
                    found.add(node.attr)
    assert found
    assert found <= OF_A_PROTOCOL


@pytest.fixture(scope="module")
def own_names() -> set[str]:
    """All private names that this library defines."""
    names: set[str] = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return names


def test_no_private_attribute_of_a_dependency_is_used(own_names: set[str]) -> None:
    used = {
        f"{where}:{node.lineno} {node.attr}"
        for where, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
        and node.attr not in own_names | {"_replace"}  # public in named tuples
    }
    assert used == set()
