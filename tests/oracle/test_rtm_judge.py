"""The judge of the RTM oracle: silent about a clean run, and not about any broken promise."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.lines import Escaped, Finished, Lagged, LeftOver, Line
from oracle.rtm import records as r
from oracle.rtm.history import History
from oracle.rtm.judge import judge
from oracle.rtm.mutants import MUTANTS, Mutant, survivors
from oracle.rtm.summary import figures

#: Connections, their users, and the servers that they are connected to.
PLACES = {"ann-a.1": ("ann", "A1"), "cat-a.1": ("cat", "A1"), "cat-b.1": ("cat", "B1"), "bob-b.1": ("bob", "B1")}
#: When the last round begins.
LAST = 40.0
END = 45.0


def hear(stream: str, n: int, user: str, at: float, *, without: str = "") -> list[Line]:
    """Let an event come to all connections that it is for."""
    return [
        r.Heard(conn=conn, stream=stream, n=n, user=user, at=at)
        for conn, (whose, server) in PLACES.items()
        if conn != without and (user == whose or (not user and stream.startswith(server)))
    ]


def published(stream: str, n: int, user: str, at: float, *, how: str = "wait", without: str = "") -> list[Line]:
    took = sum(whose == user for whose, _ in PLACES.values())
    return [
        r.Publishing(stream=stream, n=n, user=user, how=how, at=at),
        r.Published(stream=stream, n=n, took=None if how == "no-wait" else took, at=at + 0.02),
        *hear(stream, n, user, at + 0.03, without=without),
    ]


def emitted(stream: str, n: int, at: float, *, without: str = "") -> list[Line]:
    clients = [conn for conn, (_, server) in PLACES.items() if stream.startswith(server)]
    return [
        r.Emitting(stream=stream, n=n, at=at),
        r.Emitted(stream=stream, n=n, clients=clients, count=len(clients), at=at),
        *hear(stream, n, "", at + 0.01, without=without),
    ]


def gap(since: float, until: float, at: float, conn: str = "cat-a.1", **details: Any) -> r.Gapped:
    options: dict[str, Any] = {"certain": False, "published": True, "reason": "x", **details}
    return r.Gapped(conn=conn, since=since, until=until, at=at, **options)


def run() -> list[Line]:
    """Write the journals of a run in which Redis lost an event for cat-a, and that was told."""
    lines: list[Line] = []
    for who in ("A1", "B1"):
        lines += [r.Serving(who=who, id=f"id-{who}", at=0.1), r.Stopping(who=who, at=END), Finished(at=END + 0.1)]
        lines += [r.Died(who=who, code=0, at=END + 0.2)]
    lines += [r.Stopping(who="clients", at=END), Finished(at=END + 0.1), r.Died(who="clients", code=0, at=END + 0.2)]
    for conn, (user, who) in PLACES.items():
        lines += [
            r.Began(conn=conn, user=user, at=0.5),
            r.Joined(who=who, client=conn, conn=conn, resumed=False, at=0.6),
            r.Opened(conn=conn, at=0.6),
            r.Ending(conn=conn, at=END),
            r.Ended(conn=conn, at=END + 0.1),
        ]
    at = 1.0
    for n in range(1, 7):
        for user in ("ann", "bob", "cat"):
            at += 0.1
            lines += published("A1/wait", 3 * n + len(user) + ord(user[0]), user, at)
            lines += published("B1/no-wait", 3 * n + ord(user[0]), user, at, how="no-wait")
            lines += published("ann-a.1/wait", 3 * n + ord(user[0]), user, at, how="client")
        lines += emitted("A1/emit", n, at)
    lines += [
        r.Struck(fault="redis-forget", target="redis", at=10.0),
        r.Healed(fault="redis-forget", target="redis", at=11),
    ]
    lines += [*published("A1/wait", 1000, "cat", 10.0, without="cat-a.1"), gap(9.9, 11.1, 11.1, certain=True)]
    lines += published("A1/wait", 1001, "cat", 12.0)
    lines += [r.Calm(at=30.0), r.Settled(seconds=0.5, at=30.5), r.LastRound(at=LAST)]
    for n, user in enumerate(("ann", "bob", "cat"), 1):
        lines += published("A1/last", n, user, LAST + n / 10)
    lines += emitted("B1/last-emit", 1, LAST + 0.5)
    for who in ("A1", "B1"):
        for user, counts in {"ann": {"id-A1": 1}, "bob": {"id-B1": 1}, "cat": {"id-A1": 1, "id-B1": 1}}.items():
            lines.append(r.Present(who=who, user=user, counts=counts, at=LAST + 2))
        lines.append(r.Counted(who=who, count=4, at=LAST + 2))
    return sorted(lines, key=lambda line: line.at)


RUN = run()


def kinds(*added: Line, without: object = None) -> set[str]:
    lines = [line for line in RUN if line is not without] + list(added)
    return {violation.kind for violation in judge(lines)}


def test_a_clean_run() -> None:
    assert judge(RUN) == []


def test_a_run_in_a_few_words() -> None:
    told = figures(RUN)
    assert "1 in gaps; gaps 1 certain published; sessions 4 new, 0 resumed" in told
    assert "faults 1 redis-forget" in told


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_is_found(mutant: Mutant) -> None:
    spoilt = mutant.spoil(list(RUN), History(RUN))
    assert spoilt is not None, "the run has nothing to spoil"
    assert mutant.rule in {violation.kind for violation in judge(spoilt)}


def test_a_mutant_that_lives_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert survivors(RUN) == []
    harmless = Mutant("spoil nothing", "lost", lambda lines, _: lines)
    monkeypatch.setattr("oracle.rtm.mutants.MUTANTS", (harmless,))
    assert [violation.what for violation in survivors(RUN)] == ["spoil nothing"]


@pytest.mark.parametrize(
    ("kind", "added"),
    [
        ("lost", published("B1/wait", 5, "cat", 10.5, without="cat-b.1")),
        ("lost", emitted("A1/emit", 50, 20.0, without="ann-a.1")),
        ("late gap", [*published("B1/wait", 5, "cat", 10.5, without="cat-b.1"), gap(10.4, 11.1, 35.0, "cat-b.1")]),
        ("bounds", [gap(11.1, 10.0, 11.2)]),
        ("bounds", [gap(10.0, 13.0, 11.2)]),
        ("endless", [gap(-5.0, 11.0, 11.2)]),
        ("endless", [r.Lost(conn="cat-a.1", why="dropped", at=20.0), gap(0.8, 20.5, 20.5)]),
        ("no cause", [gap(25.0, 25.5, 25.5)]),
        (
            "needless",
            [
                r.Struck(fault="rst", target="cat-b", at=25),
                r.Healed(fault="rst", target="cat-b", at=25),
                gap(25, 25.5, 25.5, "cat-b.1"),
            ],
        ),
        (
            "needless",
            [
                r.Struck(fault="kill", target="B", at=25),
                r.Healed(fault="kill", target="B", at=26),
                gap(25, 26, 26, "cat-b.1"),
            ],
        ),
        ("untrue", [gap(10.95, 11.0, 11.1, certain=True)]),
        ("not in time", [r.Asking(who="A1", key="k", what="call", within=1, at=5), r.Asked(who="A1", key="k", at=9)]),
        ("never settled", [r.Asking(who="A1", key="k", what="call", within=1, at=5)]),
        ("never settled", [r.Publishing(stream="A1/wait", n=7, user="ann", how="wait", at=5)]),
        (
            "not in time",
            [
                r.Publishing(stream="A1/x", n=7, user="ann", how="wait", at=5),
                r.Published(stream="A1/x", n=7, error="BrokerUnavailable: x", at=14),
            ],
        ),
        (
            "odd error",
            [
                r.Publishing(stream="A1/x", n=7, user="ann", how="wait", at=5),
                r.Published(stream="A1/x", n=7, error="KeyError: x", at=5),
            ],
        ),
        ("odd error", [r.Told(who="A1", event="error", what="KeyError: x", at=5)]),
        ("odd error", [r.Told(who="A1", event="broker_lost", at=25)]),
        ("odd error", [r.Erred(conn="cat-a.1", name="KeyError", what="x", at=5)]),
        (
            "count",
            [
                r.Publishing(stream="A1/last", n=9, user="nobody", how="wait", at=LAST + 1),
                r.Published(stream="A1/last", n=9, took=1, at=LAST + 1),
            ],
        ),
        (
            "last round",
            [
                r.Publishing(stream="A1/last", n=9, user="nobody", how="wait", at=LAST + 1),
                r.Published(stream="A1/last", n=9, error="BrokerUnavailable: x", at=LAST + 1),
            ],
        ),
        ("presence", [r.Counted(who="A1", count=5, at=LAST + 2)]),
        ("presence", [r.Present(who="A1", user="ann", counts={"id-A0": 1}, at=LAST + 2)]),
        ("no recovery", [r.Settled(seconds=20, wrong="cat-a is waiting", at=30)]),
        ("after the end", hear("A1/wait", 1001, "cat", END + 0.3)),
        ("escaped", [Escaped(where="loop", error="x", at=5)]),
        ("left over", [LeftOver(life=0, what=["task: x"], at=END)]),
        ("process", [r.Died(who="A1", code=1, at=END)]),
    ],
)
def test_what_is_added_is_found(kind: str, added: list[Line]) -> None:
    assert kind in kinds(*added)


def two(first: int, second: int, stream: str, *, error: str = "", how: str = "wait") -> set[str]:
    """Publish 2001 and then 2002 to ann, and let them come in some order."""
    lines: list[Line] = []
    for place, n in enumerate((2001, 2002)):
        lines += [
            r.Publishing(stream=stream, n=n, user="ann", how=how, at=20 + place),
            r.Published(stream=stream, n=n, error=error, at=20.5 + place),
        ]
    heard = [r.Heard(conn="ann-a.1", stream=stream, n=n, user="ann", at=22.0) for n in (first, second)]
    heard[1].at += 0.1
    return kinds(*lines, *heard)


@pytest.mark.parametrize(
    ("stream", "how", "error", "found"),
    [
        ("B1/wait", "wait", "", {"order"}),
        ("B1/wait", "wait", "BrokerUnavailable: x", {"order"}),
        ("B1/any-order", "wait", "", {"order"}),
        ("B1/any-order", "wait", "BrokerUnavailable: x", set()),
        ("ann-a.1/wait", "client", "", {"order"}),
        ("ann-a.1/wait", "client", "RequestLost: x", set()),
    ],
)
def test_order(stream: str, how: str, error: str, found: set[str]) -> None:
    assert two(2001, 2002, stream, error=error, how=how) == set()
    assert two(2002, 2001, stream, error=error, how=how) == found


def test_what_was_not_acknowledged_may_come_once_or_not_at_all() -> None:
    raised = [
        r.Publishing(stream="A1/x", n=1, user="ann", how="wait", at=9.0),
        r.Published(stream="A1/x", n=1, error="BrokerUnavailable: x", at=10.2),
    ]
    assert kinds(*raised) == set()
    assert kinds(*raised, *hear("A1/x", 1, "ann", 11.0)) == set()
    assert kinds(*raised, *hear("A1/x", 1, "ann", 11.0), *hear("A1/x", 1, "ann", 11.1)) == {"twice"}


def test_each_error_that_a_server_tells_stands_for_one_event() -> None:
    events = [
        line
        for n in (1, 2)
        for line in (
            r.Publishing(stream="A1/x", n=n, user="ann", how="no-wait", at=10.0 + n / 10),
            r.Published(stream="A1/x", n=n, at=10.0 + n / 10),
        )
    ]
    error = r.Told(who="A1", event="error", what="BrokerUnavailable: x", at=13.0)
    again = r.Told(who="A1", event="error", what="BrokerUnavailable: x", at=13.1)
    assert kinds(*events) == {"lost"}
    assert kinds(*events, error) == {"lost"}
    assert kinds(*events, error, again) == set()


def test_a_client_that_was_moved_is_none_of_the_server_any_more() -> None:
    lost = emitted("A1/emit", 50, 20.0, without="ann-a.1")
    left = r.Left(who="A1", client="ann-a.1", conn="ann-a.1", why="ClientGone: 1012: service restart", at=19.9)
    assert kinds(*lost, left) == set()


def test_a_gap_of_what_one_server_sends_covers_nothing_that_was_published() -> None:
    lost = published("B1/wait", 5, "bob", 10.5, without="bob-b.1")
    assert kinds(*lost, gap(10.4, 11.1, 11.1, "bob-b.1")) == set()
    assert kinds(*lost, gap(10.4, 11.1, 11.1, "bob-b.1", published=False)) == {"lost"}


def test_a_busy_machine_stretches_a_bound() -> None:
    late = [r.Asking(who="A1", key="k", what="call", within=1, at=5), r.Asked(who="A1", key="k", at=8)]
    assert kinds(*late, Lagged(seconds=1.5, at=7)) == set()
