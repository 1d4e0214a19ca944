"""The rules of the gateway without sockets and event loop, on a clock that the test advances."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rcex_ws.gateway.core import GatewayCore
from rcex_ws.gateway.faults import Faults, RefusalFault
from rcex_ws.gateway.filters import EventFilter, best_match, resolve
from rcex_ws.gateway.lifetime import Due, Lifetime
from rcex_ws.gateway.limits import RateLimits, group_of
from rcex_ws.gateway.options import GatewayOptions
from rcex_ws.gateway.problem import Problem
from rcex_ws.gateway.sessions import MalformedWsc
from rcex_ws.gateway.subscriptions import LIFE

STORE = "/restapi/v1.0/account/~/extension/~/message-store"


class Time:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Link:
    """A connection that records the frames sent to it."""

    def __init__(self, number=1):
        self.id = number
        self.frames = []
        self.superseded = False

    def deliver(self, frame):
        self.frames.append(frame)

    def supersede(self):
        self.superseded = True


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def core(time):
    return GatewayCore(GatewayOptions(recovery_buffer_size=3), time)


@pytest.fixture
def login(core):
    return core.oauth.log_in(core.people.first)


def subscribed(core, login):
    link = Link()
    session = core.sessions.open(login, link).session
    core.sessions.bind(session, core.subscriptions.create(login.owner, [STORE]))
    return session, link


def test_recovery_to_the_last_moment_of_its_window(core, login, time):
    session, link = subscribed(core, login)
    core.sessions.lose(link)
    time.now += 179.9
    assert core.sessions.open(login, Link(), session.token).recovery == {"recoveryState": "Successful"}


def test_recovery_after_its_window(core, login, time):
    session, link = subscribed(core, login)
    core.sessions.lose(link)
    time.now += 180
    opening = core.sessions.open(login, Link(), session.token)
    assert opening.recovery == {"recoveryState": "Failed", "recoveryErrorCode": "WSG-1005"}
    assert opening.session is not session


def test_failed_recovery_gives_up_what_was_missed(core, login):
    session, link = subscribed(core, login)
    core.sessions.lose(link)
    core.publish(STORE, {})
    core.sessions.open(login, Link(), session.token, fail_with="WSG-1003")
    core.publish(STORE, {})
    assert not session.buffer
    assert core.journal.entries()[-1]["state"] == "dropped"


def test_recovery_by_a_stranger_harms_nobody(core, login):
    session, link = subscribed(core, login)
    core.sessions.lose(link)
    core.publish(STORE, {"n": 1})
    stranger = core.oauth.log_in(core.people.extensions[1])
    assert core.sessions.open(stranger, Link(), session.token).recovery["recoveryErrorCode"] == "WSG-1003"
    assert [frame.body["body"] for frame in core.sessions.open(login, Link(), session.token).replay] == [{"n": 1}]


def test_every_wsc_ever_given_names_its_session(core, login):
    session, link = subscribed(core, login)
    first = session.token
    core.sessions.renew_wsc(session)
    core.sessions.lose(link)
    assert core.sessions.open(login, Link(), first).session is session


def test_no_buffer_drops_at_once(time):
    core = GatewayCore(GatewayOptions(recovery_buffer_size=0), time)
    session, link = subscribed(core, core.oauth.log_in(core.people.first))
    core.sessions.lose(link)
    core.publish(STORE, {})
    assert [entry["state"] for entry in core.journal.entries()] == ["buffered", "dropped"]
    assert not session.buffer


def test_subscription_outlives_its_connection_for_a_day(core, login, time):
    session, link = subscribed(core, login)
    one = core.subscriptions.find(session.subscription_id)
    time.now += 10 * LIFE
    assert core.subscriptions.body(one, "")["expiresIn"] == LIFE  # renewed while the connection lives
    core.sessions.lose(link)
    time.now += LIFE - 1
    assert core.subscriptions.get(login.owner, one.id) is one
    time.now += 1
    with pytest.raises(Problem, match="CMN-102"):
        core.subscriptions.get(login.owner, one.id)


def test_refresh_grace_ends(core, login, time):
    spent = login.refresh_token
    assert core.oauth.refresh(spent) is login
    time.now += 9.9
    assert core.oauth.refresh(spent) is login
    time.now += 0.1
    with pytest.raises(Problem, match="400 OAU-210"):
        core.oauth.refresh(spent)


def test_refresh_token_expires_after_a_week(core, login, time):
    time.now += 604800
    with pytest.raises(Problem, match="400 OAU-210"):
        core.oauth.refresh(login.refresh_token)


@pytest.mark.parametrize(
    ("wanted", "event", "taken"),
    [
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/a", "/a?type=SMS", True),
        ("/a?type=SMS", "/a?type=SMS&direction=Inbound", True),
        ("/a?type=SMS&type=Fax", "/a?type=Fax", True),
        ("/a?type=SMS", "/a?type=Fax", False),
        ("/a?type=SMS", "/a", False),
        ("/a?detailedTelephonyState=true&sipData=true", "/a", True),
        ("/a/instant", "/a", False),
        ("/b", "/a", False),
    ],
)
def test_filters_match_by_path_and_subset_of_the_query(wanted, event, taken):
    assert EventFilter(wanted).matches(EventFilter(event)) is taken


def test_most_specific_filter_wins():
    plain, detailed = EventFilter("/a"), EventFilter("/a?detailedTelephonyState=true")
    assert best_match([plain, detailed], EventFilter("/a")) is detailed
    assert best_match([plain], EventFilter("/b")) is None


def test_tilde_is_resolved_and_nothing_else():
    text = resolve("/restapi/v1.0/account/~/extension/~/presence/?q=~", "1", "2").text
    assert text == "/restapi/v1.0/account/1/extension/2/presence?q=~"
    assert resolve("/restapi/v1.0/account/9/extension/8", "1", "2").text == "/restapi/v1.0/account/9/extension/8"


def test_deadlines_of_a_connection():
    life = Lifetime(GatewayOptions(ping_interval=30, pong_timeout=10, idle_timeout=100, absolute_timeout=200), 0)
    assert life.next_deadline() == 30
    assert life.due(29.9) is Due.NOTHING
    assert life.due(30) is Due.PING
    assert life.next_deadline() == 40
    life.on_pong()
    assert life.due(60) is Due.PING
    assert life.due(70) is Due.NO_PONG
    life.on_pong()
    life.on_message(95)
    assert life.due(100) is Due.PING
    life.on_pong()
    assert life.due(194.9) is Due.PING
    assert life.due(195) is Due.IDLE
    assert life.due(200) is Due.TOO_OLD


def test_second_ping_does_not_put_off_the_deadline_of_the_first():
    life = Lifetime(GatewayOptions(ping_interval=4, pong_timeout=10), 0)
    assert [life.due(now) for now in (4, 8, 12)] == [Due.PING] * 3
    assert life.due(14) is Due.NO_PONG


def test_sliding_window():
    limits = RateLimits({"light": 2}, 60)
    assert [limits.check("light", "me", now).remaining for now in (0, 30)] == [1, 0]
    assert limits.check("light", "you", 30).retry_after is None
    assert limits.check("light", "me", 60).retry_after is None  # the first one has left the window
    assert limits.check("light", "me", 61).retry_after == 60
    assert limits.check("light", "me", 120).retry_after == 60  # in the penalty, which starts again
    assert limits.check("light", "me", 180).retry_after is None


@pytest.mark.parametrize(
    ("method", "path", "group"),
    [
        ("POST", "/restapi/oauth/wstoken", "auth"),
        ("POST", "/restapi/v1.0/account/~/extension/~/fax", "heavy"),
        ("GET", "/restapi/v1.0/subscription", "light"),
        ("POST", "/restapi/v1.0/subscription/1/renew", "light"),
        ("POST", "/restapi/v1.0/subscription", "medium"),
        ("GET", "/restapi/v1.0/account/~/extension/~/call-log", "heavy"),
        ("GET", "/restapi/v1.0/account/~/extension/~/call-log/1", "heavy"),
        ("GET", "/restapi/v1.0/account/~/presence", "heavy"),
        ("GET", "/restapi/v1.0/account/~/extension/~/presence", "light"),
        ("POST", "/restapi/v1.0/account/~/telephony/sessions/s-1/parties/p-1/hold", "light"),
        ("GET", "/team-messaging/v1/chats/1/posts", "medium"),
        ("GET", "/nowhere", "light"),
    ],
)
def test_rate_groups(method, path, group):
    assert group_of(method, path) == group


def test_faults_are_used_up_in_order():
    faults = Faults()
    for status in (503, 429):
        faults.add(
            RefusalFault(where="wstoken", times=1, status=status, retry_after=None, error_code=None, message=None)
        )
    place = "POST /restapi/oauth/wstoken"
    assert faults.take(RefusalFault, "POST /restapi/oauth/token") is None
    assert [faults.take(RefusalFault, place).status for _ in range(2)] == [503, 429]
    assert faults.take(RefusalFault, place) is None


class NothingLost(RuleBasedStateMachine):
    """Whatever happens to one session, each notification is delivered once and in order, or recorded as dropped."""

    def __init__(self):
        super().__init__()
        self.time = Time()
        self.core = GatewayCore(GatewayOptions(recovery_buffer_size=3, recovery_timeout=60), self.time)
        self.login = self.core.oauth.log_in(self.core.people.first)
        self.session, self.link = subscribed(self.core, self.login)
        self.connected = True
        self.published = []
        self.received = []
        self.given_up = []

    def collect(self):
        self.received += [frame.body["uuid"] for frame in self.link.frames]
        self.link.frames.clear()

    @rule()
    def publish(self):
        self.published += self.core.publish(STORE, {})
        self.collect()

    @precondition(lambda self: self.connected)
    @rule()
    def lose(self):
        assert self.core.sessions.lose(self.link)
        assert not self.core.sessions.lose(self.link)
        self.connected = False

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def wait(self, seconds):
        self.time.now += seconds

    @rule()
    def recover(self):
        expected = self.connected or self.core.sessions.can_recover(self.session)
        former, self.link = self.link, Link(self.link.id + 1)
        opening = self.core.sessions.open(self.login, self.link, self.session.token)
        assert (opening.recovery["recoveryState"] == "Successful") is expected
        assert former.superseded is self.connected
        self.received += [frame.body["uuid"] for frame in opening.replay]
        self.given_up += [frame.body["uuid"] for frame in opening.given_up]
        self.connected = True
        if not expected:
            self.session = opening.session
            self.core.sessions.bind(self.session, self.core.subscriptions.of(self.login.owner)[0])

    @rule()
    def garbage(self):
        with pytest.raises(MalformedWsc):
            self.core.sessions.open(self.login, Link(), "garbage")

    @invariant()
    def received_once_and_in_order(self):
        assert self.received == sorted(set(self.received), key=int)

    @invariant()
    def each_is_somewhere(self):
        dropped = [entry["uuid"] for entry in self.core.journal.entries() if entry.get("state") == "dropped"]
        held = [frame.body["uuid"] for frame in self.session.buffer]
        assert sorted([*self.received, *dropped, *held, *self.given_up]) == sorted(self.published)

    @invariant()
    def buffer_is_bounded(self):
        assert len(self.session.buffer) <= 3


NothingLost.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestNothingLost = NothingLost.TestCase


def test_no_credential_gets_into_the_log_or_a_warning(core, caplog):
    core.publish_on_command(f"/{'x' * 64}", {})
    core.journal.add("webhook_refused", address="http://me:hush@127.0.0.1/a?b=c@d")
    assert ("x" * 64 in caplog.text, "/***" in caplog.text) == (False, True)
    assert [entry.get("address") for entry in core.journal.entries()] == [None, "http://***@127.0.0.1/a?b=c@d"]


def test_the_limits_of_users_are_bounded(monkeypatch):
    monkeypatch.setattr("rcex_ws.gateway.limits._MOST_BUCKETS", 2)
    limits = RateLimits({"light": 1}, 60)
    for who in ("a", "b", "c"):
        limits.check("light", who, 0)
    assert [limits.check("light", who, 0).retry_after for who in ("c", "b", "a")] == [60, 60, None]
