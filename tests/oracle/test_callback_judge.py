"""The judge of the callback oracle: silent about a clean run, and not about any broken promise."""

import copy

import pytest

from oracle.callback.judge import judge
from oracle.callback.records import (
    Attempt,
    Began,
    Broken,
    Called,
    Closing,
    Gave,
    Gone,
    Got,
    Informed,
    Opened,
    Probed,
    Returned,
    Sending,
    Stopped,
    Stopping,
    Struck,
    Wrote,
)
from oracle.lines import Escaped, Finished

SERVER = [
    Attempt(life=1, number=0, how="ok", at=0.1),
    Opened(conn=1, life=1, at=0.1),
    Wrote(conn=1, n=1, at=0.2),
    Wrote(conn=1, n=2, at=0.3),
    Got(conn=1, life=1, key="K1-1", at=0.4),
    Got(conn=1, life=1, key="K1-2", at=0.5),
    Closing(conn=1, code=1001, at=0.6),
    Gone(conn=1, life=1, how="closed", code=1001, at=0.7),
    Attempt(life=1, number=0, how="ok", at=1.0),
    Opened(conn=2, life=1, at=1.0),
    Wrote(conn=2, n=1, at=1.1),
    Got(conn=2, life=1, key="K1-3", at=1.2),
    Gone(conn=2, life=1, how="closed", code=1000, at=1.6),
]


def call(at, name, state, gives="Ok", ref=None, what="", **gave):
    return [
        Called(life=1, name=name, state=state, ref=ref, what=what, at=at),
        Gave(life=1, name=name, result=gives, state=state + 1, at=at + 0.01, **gave),
    ]


PROGRAM = [
    Began(life=1, options={}, at=0.0),
    *call(0.05, "init", 0),
    *call(0.15, "onconnect", 1, ref=5),
    *call(0.25, "websocket_handle", 2, ref=5, what="text 1:1"),
    *call(0.32, "websocket_handle", 3, ref=5, what="binary 1:2"),
    Sending(life=1, key="K1-1", how="cast", at=0.35),
    Sending(life=1, key="K1-2", how="cast", at=0.45),
    Informed(life=1, k=1, at=0.46),
    *call(0.47, "websocket_info", 4, ref=5, what="1"),
    *call(0.62, "websocket_handle", 5, ref=5, what="close 1001 c1"),
    *call(0.65, "ondisconnect", 6, gives="Reconnect", what="remote", delay=0.3),
    *call(1.05, "onconnect", 7, ref=6),
    *call(1.11, "websocket_handle", 8, ref=6, what="pong 2:1"),
    Sending(life=1, key="K1-3", how="cast", at=1.15),
    Stopping(life=1, how="stop", at=1.5),
    *call(1.61, "websocket_terminate", 9, what="normal"),
    Stopped(life=1, seconds=0.1, at=1.63),
    Returned(life=1, how="returned", what="normal", at=1.64),
    Finished(at=1.7),
]


def kinds(server, program):
    ordered = (sorted(lines, key=lambda line: line.at) for lines in (server, program))
    return {violation.kind for violation in judge(*ordered)}


def change(lines, at, /, **changes):
    """Change the line of that moment, or take it away."""
    changed = copy.deepcopy(lines)
    line = next(line for line in changed if line.at == at)
    if not changes:
        changed.remove(line)
    for name, value in changes.items():
        setattr(line, name, value)
    return changed


def test_a_clean_run():
    assert kinds(SERVER, PROGRAM) == set()


@pytest.mark.parametrize(
    ("kind", "server", "program"),
    [
        ("sent twice", [Got(conn=2, life=1, key="K1-1", at=1.3)], []),
        ("sent what nobody gave", [Got(conn=2, life=1, key="K1-8", at=1.3)], []),
        ("against a protocol", [Broken(conn=1, rule="x", at=1)], []),
        ("a frame is missing", [Wrote(conn=1, n=3, at=0.55)], []),
        ("a message is missing", [], [Sending(life=1, key="K1-0", how="cast", at=0.2)]),
        ("a message is missing", [], [Sending(life=1, key="K1-4", how="cast", at=1.4)]),
        ("after the end", [Attempt(life=1, number=0, how="ok", at=2.0)], []),
        ("illegal sequence", [], call(1.9, "ondisconnect", 10)),
        ("illegal sequence", [], call(1.4, "init", 9)),
        ("illegal sequence", [], call(0.9, "websocket_handle", 7, ref=5, what="text 1:3")),
        (
            "two callbacks at a time",
            [],
            [Called(life=1, name="websocket_info", state=2, what="SlowConsumer", at=0.155)],
        ),
        ("info lost", [], [Informed(life=1, k=2, at=0.8)]),
        ("odd info", [], call(0.9, "websocket_info", 7, what="who?")),
        ("stop not bounded", [], [Stopped(life=1, seconds=3.0, at=1.63)]),
        ("no recovery", [], [Probed(life=1, echoed=False, seconds=8, at=1.4)]),
        ("escaped: log", [], [Escaped(where="log", error="x", at=1)]),
        ("never ended", [], [Began(life=2, options={}, at=1.65)]),
        ("result not honoured", [], call(1.2, "websocket_info", 9, gives="raise", ref=6, what="SlowConsumer")),
    ],
)
def test_what_is_added_is_found(kind, server, program):
    assert kind in kinds(SERVER + server, PROGRAM + program)


@pytest.mark.parametrize(
    ("kind", "at", "changes"),
    [
        ("wrong state", 0.25, {"state": 7}),
        ("a frame is missing", 0.25, {"what": "text 1:2"}),
        ("delivered twice", 0.32, {"what": "text 1:1"}),
        ("two connections under one ref", 0.32, {"what": "text 2:2"}),
        ("wrong close code", 0.62, {"what": "close 1000 c1"}),
        ("illegal sequence", 1.05, {"ref": 5}),
        ("illegal sequence", 0.47, {"ref": 6}),
        ("info out of order", 0.47, {"what": "2"}),
        ("too early", 0.66, {"delay": 0.5}),
        ("result not honoured", 0.66, {"result": "Close", "what": "enough"}),
        ("run told otherwise", 1.64, {"what": "enough"}),
        ("ended for no reason", 1.5, {"at": 9.0}),
    ],
)
def test_what_is_changed_is_found(kind, at, changes):
    assert kind in kinds(SERVER, change(PROGRAM, at, **changes))


@pytest.mark.parametrize(
    ("kind", "at", "changes"),
    [
        ("untrue: remote", 0.7, {"how": "fin"}),
        ("sent out of order", 0.5, {"at": 0.39, "key": "K1-2"}),
    ],
)
def test_what_the_server_saw_otherwise_is_found(kind, at, changes):
    server = change(SERVER, at, **changes)
    server = change(server, 0.6) if kind == "untrue: remote" else change(server, 0.4, at=0.52)
    program = change(PROGRAM, 0.45, at=0.36)
    assert kind in kinds(server, program)


def test_a_healthy_connection_is_not_lost():
    server = change(change(SERVER, 0.6), 0.7, how="broken")
    program = change(change(PROGRAM, 0.62), 0.63)
    program = change(change(program, 0.65, what="TransportError: lost", state=5), 0.66, state=7)
    assert kinds(server, program) == {"lost a healthy connection"}
    assert kinds([*server, Struck(fault="rst", conn=1, at=0.6)], program) == set()


def test_a_reconnection_that_does_not_come():
    program = [line for line in PROGRAM if not 1.0 < line.at < 1.2]
    program = change(change(program, 1.61, state=7, at=4.0), 1.62, at=4.01)
    program = change(change(program, 1.5, at=3.9), 1.64, at=4.1)
    assert "too late" in kinds(SERVER[:8], change(change(program, 1.7, at=4.2), 1.63))
