"""The judge of the Slack oracle: silent about a clean run, and not about any broken promise."""

import copy

import pytest

from oracle.lines import Escaped, Finished, Lagged, LeftOver
from oracle.slack.judge import judge
from oracle.slack.records import (
    Answered,
    Began,
    Broken,
    Called,
    Closing,
    Ended,
    Ending,
    Gone,
    Greeted,
    Happened,
    Heard,
    Opened,
    Probed,
    Pushed,
    Raised,
    Seen,
    Sending,
    Settled,
    Started,
)

SERVER = [
    Called(method="rtm.connect", life=1, how="ok", at=0.1),
    Opened(conn=1, life=1, at=0.2),
    Greeted(conn=1, life=1, at=0.2),
    Pushed(conn=1, life=1, n=1, at=0.3),
    Pushed(conn=1, life=1, n=2, at=0.4),
    Pushed(conn=1, life=1, n=3, at=0.5),
    Seen(conn=1, life=1, id=1, kind="message", key="K1-1", how="done", ts="7", at=1.0),
    Answered(conn=1, life=1, id=1, how="ok", ts="7", at=1.0),
    Seen(conn=1, life=1, id=2, kind="message", key="K1-2", how="rejected", at=1.1),
    Answered(conn=1, life=1, id=2, how="error", at=1.1),
    Closing(conn=1, code=1001, at=3.0),
    Gone(conn=1, life=1, how="closed", at=3.1),
]
BOT = [
    Began(life=1, options={}, at=0.0),
    Happened(life=1, event="connecting", at=0.1),
    Happened(life=1, event="authenticated", at=0.1),
    Happened(life=1, event="ws_opening", at=0.1),
    Happened(life=1, event="ws_opened", at=0.2),
    Happened(life=1, event="open", at=0.2),
    Started(life=1, seconds=0.3, at=0.3),
    Heard(life=1, n=1, at=0.3),
    Heard(life=1, n=2, at=0.4),
    Heard(life=1, n=3, at=0.5),
    Sending(life=1, key="K1-1", kind="message", how="await", at=0.9),
    Settled(life=1, key="K1-1", via="await", how="acknowledged", id=1, ts="7", at=1.0),
    Sending(life=1, key="K1-2", kind="message", how="await", at=1.0),
    Settled(life=1, key="K1-2", via="await", how="MessageRejected", code=2, at=1.2),
    Sending(life=1, key="K1-3", kind="message", how="await", at=1.3),
    Settled(life=1, key="K1-3", via="await", how="NotConnected", at=1.3),
    Raised(life=1, at=1.4),
    Happened(life=1, event="client_error", what="Boom: message", at=1.4),
    Happened(life=1, event="ws_close", what="1001 c1", at=3.1),
    Probed(life=1, how="acknowledged", seconds=0.1, at=3.2),
    Ending(life=1, how="aclose", at=3.3),
    Happened(life=1, event="disconnect", at=3.3),
    Ended(life=1, seconds=0.1, at=3.4),
    Finished(at=3.5),
]


def kinds(server, bot):
    ordered = (sorted(lines, key=lambda line: line.at) for lines in (server, bot))
    return {violation.kind for violation in judge(*ordered)}


def test_a_clean_run():
    assert kinds(SERVER, BOT) == set()


@pytest.mark.parametrize(
    ("kind", "server", "bot"),
    [
        ("delivered twice", [], [Heard(life=1, n=1, at=0.6)]),
        ("delivered to another life", [], [Heard(life=1, n=9, at=0.6)]),
        ("an event is missing", [Pushed(conn=1, life=1, n=0, at=0.25)], []),
        ("an event is missing", [Pushed(conn=1, life=1, n=4, at=2.9)], []),
        ("sent twice", [Seen(conn=1, life=1, id=9, kind="message", key="K1-1", how="done", at=1.2)], []),
        ("untrue: not sent", [Seen(conn=1, life=1, id=3, kind="message", key="K1-3", how="done", at=1.4)], []),
        ("out of order", [Seen(conn=1, life=1, id=0, kind="message", key="K1-9", how="done", at=0.9)], []),
        ("never settled", [], [Sending(life=1, key="K1-4", kind="message", how="await", at=1)]),
        (
            "settled in two ways",
            [],
            [Settled(life=1, key="K1-1", via="await", how="RequestLost", sent=True, at=2)],
        ),
        ("against a protocol", [Broken(conn=1, rule="x", at=1)], []),
        ("Retry-After not kept", [Called(method="rtm.connect", life=1, how="rtm-429", at=0.05)], []),
        ("lifecycle", [], [Happened(life=1, event="open", at=0.25)]),
        ("lifecycle", [], [Happened(life=1, event="disconnect", at=2)]),
        ("odd client_error", [], [Happened(life=1, event="client_error", what="KeyError: x", at=2)]),
        ("client_error lost", [], [Raised(life=1, at=1.5)]),
        ("after the end", [], [Happened(life=1, event="connecting", at=3.45)]),
        ("close not bounded", [], [Ended(life=1, seconds=3, at=3.4)]),
        ("start not bounded", [], [Started(life=1, seconds=9, at=0.3)]),
        ("start failed oddly", [], [Started(life=1, seconds=0, error="KeyError: x", at=0.3)]),
        ("no recovery", [], [Probed(life=1, how="RequestTimeout", seconds=8, at=3.2)]),
        ("escaped: loop", [], [Escaped(where="loop", error="x", at=1)]),
        ("left over", [], [LeftOver(life=1, what=["task: x"], at=3.5)]),
        ("never ended", [], [Began(life=2, options={}, at=3.4), Started(life=2, seconds=0, at=3.4)]),
    ],
)
def test_what_is_added_is_found(kind, server, bot):
    assert kind in kinds(SERVER + server, BOT + bot)


def outcome(**changes):
    changed = copy.deepcopy(BOT)
    settled = next(line for line in changed if isinstance(line, Settled) and line.key == "K1-1")
    for name, value in changes.items():
        setattr(settled, name, value)
    return changed


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("untrue: acknowledged", {"ts": "8"}),
        ("untrue: acknowledged", {"id": 2}),
        ("assumed for no reason", {"how": "assumed"}),
        ("untrue: written", {"how": "written"}),
        ("untrue: rejected", {"how": "MessageRejected", "code": 2}),
        ("untrue: not sent", {"how": "RequestLost", "sent": False}),
        ("odd outcome", {"how": "KeyError"}),
        ("hung past its time-out", {"at": 5.0}),
        ("answer not taken", {"how": "RequestTimeout", "at": 2.9}),
    ],
)
def test_an_outcome_that_is_not_true(kind, changes):
    assert kind in kinds(SERVER, outcome(**changes))


def test_what_was_lost_may_have_been_sent():
    unanswered = [line for line in SERVER if not isinstance(line, Answered) or line.id != 1]
    assert kinds(unanswered, outcome(how="RequestLost", sent=True, id=0, ts="")) == set()


def test_a_busy_machine_stretches_a_bound():
    late = outcome(how="RequestTimeout", id=0, ts="", at=5.0)
    unanswered = [line for line in SERVER if not isinstance(line, Answered) or line.id != 1]
    assert kinds(unanswered, [*late, Lagged(seconds=0.9, at=2.5)]) == set()


def test_nothing_finished():
    assert kinds(SERVER, BOT[:-1]) == {"did not finish"}


def two_connections(heard):
    server = [
        Pushed(conn=1, life=1, n=1, at=0.3),
        Greeted(conn=1, life=1, at=0.1),
        Greeted(conn=2, life=1, at=0.4),
        Pushed(conn=1, life=1, n=2, at=0.5),
        Pushed(conn=2, life=1, n=2, at=0.5),
        Pushed(conn=2, life=1, n=3, at=0.6),
        Gone(conn=1, life=1, how="closed", at=0.7),
    ]
    bot = [Heard(life=1, n=n, at=1 + number / 100) for number, n in enumerate(heard)]
    return kinds(server, [*bot, Finished(at=2)])


@pytest.mark.parametrize("heard", [[1, 2, 3], [2, 1, 3], [2, 3, 1], [1]])
def test_two_connections_may_overtake_each_other(heard):
    assert two_connections(heard) == set()


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        ([1, 2, 3, 2], "delivered twice"),
        ([1, 3, 2], "delivered out of order"),
        ([1, 3], "an event is missing"),
        ([2, 3], "a gap at a takeover"),
    ],
)
def test_events_of_two_connections(heard, kind):
    assert two_connections(heard) == {kind}
