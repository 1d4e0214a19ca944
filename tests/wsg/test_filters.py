"""Filters, dedupe: the pure parts of the way in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcex_ws.wsg import filters
from rcex_ws.wsg.filters import FilterIndex, same_filters

A = "/restapi/v1.0/account"

#: RingCentral's guide, "Event filter index", and its pages on call queues, threads, RingSense and webinars.
DOCUMENTED = [
    f"{A}/~/extension/~/message-store/instant?type=SMS",
    f"{A}/~/a2p-sms/batches",
    f"{A}/~/a2p-sms/batches/812",
    f"{A}/~/a2p-sms/messages",
    f"{A}/~/a2p-sms/opt-outs",
    f"{A}/~/extension/~/fax?direction=Inbound",
    f"{A}/~/extension/~/message-store",
    f"{A}/~/extension/~/voicemail",
    f"{A}/~/phone-number?usageType=ContactCenterNumber",
    f"{A}/~/telephony/sessions",
    f"{A}/~/presence",
    f"{A}/~/extension/~/telephony/sessions",
    f"{A}/~/extension/~/presence/dnd",
    f"{A}/~/extension/~/presence",
    f"{A}/~/extension/~/presence/line/presence",
    f"{A}/~/extension/~/presence/line",
    f"{A}/~/call-queues/77/presence",
    "/team-messaging/v1/posts",
    "/team-messaging/v1/groups",
    f"{A}/~/directory/entries",
    f"{A}/~/device/9/emergency-address",
    f"{A}/~/extension/~/favorite",
    f"{A}/~/extension/~/grant",
    f"{A}/~/extension/~",
    f"{A}/~/extension",
    f"{A}/~/message-threads/sync",
    f"{A}/~/message-threads/entries/sync",
    "/ai/ringsense/v1/public/accounts/~/domains/pbx/insights",
    "/webinar/configuration/v1/company/sessions",
    "/webinar/registration/v1/company/sessions/registrants",
    "/restapi/v1.0/subscription/~?threshold=60&interval=15",
]


@pytest.mark.parametrize("filter_", DOCUMENTED)
def test_a_filter_can_cause_what_echoes_it(filter_: str) -> None:
    resolved = filter_.replace("/~", "/1", 1).replace("/~", "/2")
    for event in (filter_, resolved, resolved.partition("?")[0], resolved + "/", resolved.upper()):
        assert FilterIndex([filter_]).can_cause(event), event
        assert FilterIndex([event]).can_cause(filter_), event


@pytest.mark.parametrize(
    ("filter_", "event"),
    [
        # whose: `~` is anybody, and an account-wide filter is about each extension, whichever of both an event names
        (f"{A}/~/extension/~/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/1/extension/2/presence", f"{A}/~/extension/~/presence"),
        (f"{A}/1/extension/2/presence", f"{A}/~/extension/2/presence"),
        (f"{A}/~/extension/2/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/+/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/~/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/2/presence", f"{A}/1/presence"),
        (f"{A}/1/telephony/sessions", f"{A}/1/extension/2/telephony/sessions"),
        (f"{A}/~/extension", f"{A}/1/extension/2"),
        # the query selects by the body, or asks for a richer one
        (f"{A}/~/extension/~/message-store?type=Fax", f"{A}/1/extension/2/message-store"),
        (f"{A}/~/extension/~/message-store", f"{A}/1/extension/2/message-store?type=Fax&direction=Inbound"),
        (f"{A}/~/extension/~/presence?sipData=true", f"{A}/1/extension/2/presence?sipData=false"),
        # what is written otherwise
        (f"{A}/~/extension/2/presence", f"{A}/1/extension/2/presence/"),
        (f"{A}/~/extension/2/presence", "/restapi/v1.1/account/1/extension/2/presence"),
        (f"{A}/~/extension/2/presence", "/restapi/v2/accounts/1/extensions/2/presence"),
        (f"{A}/~/extension/2/presence", "/account/1/extension/2/presence"),
        (f"{A}/~/extension/2/presence", "https://platform.ringcentral.com/restapi/v1.0/account/1/extension/2/presence"),
        (f"{A}/~/extension/2/presence", "platform.ringcentral.com/restapi/v1.0/account/1/extension/2/presence"),
        (f"{A}/~/extension/2/presence", "//restapi//v1.0/account//1/extension/2//presence"),
        (f"{A}/~/extension/2/presence", "/RestAPI/V1.0/Account/1/Extension/2/Presence"),
        (f"{A}/~/extension/2/presence", "/restapi/v1.0/account/1/extension/2/pre%73ence"),
        (f"{A}/~/extension/2/presence", "%2Frestapi%2Fv1.0%2Faccount%2F1%2Fextension%2F2%2Fpresence%3FsipData=true"),
        (f"{A}/%7E/extension/%257E/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/02/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/2 /presence", f"{A}/1/extension/2/presence;v=1"),
        # the same by another name, or as a part of it
        ("/restapi/v1.0/glip/posts", "/team-messaging/v1/posts"),
        ("/restapi/v1.0/glip/groups", "/team-messaging/v1/chats"),
        ("/team-messaging/v1/teams", "/team-messaging/v1/conversations"),
        ("/team-messaging/v1/posts", "/team-messaging/v1/chats/17/posts"),
        ("/proxy/team-messaging/v1/chats/17/posts", "/team-messaging/v1/chats"),
        (f"/proxy{A}/~/extension/~/presence/dnd", f"{A}/1/extension/2/presence"),
        ("https://example.com/team-messaging/v1/posts", "/team-messaging/v1/posts"),
        ("https://example.com/webinar/runtime/v1/state", "/webinar/runtime/v1/state"),
        (f"{A}/~/extension/~/message-store", f"{A}/1/extension/2/message-store/instant"),
        (f"{A}/~/extension/~/message-store?type=Fax", f"{A}/1/extension/2/fax"),
        (f"{A}/~/extension/~/voicemail", f"{A}/1/extension/2/message-store?type=VoiceMail"),
        (f"{A}/~/extension/~/presence", f"{A}/1/extension/2/presence/line/presence"),
        (f"{A}/~/extension/~/favorite/presence", f"{A}/1/extension/2/presence"),
        (f"{A}/~/telephony/sessions", f"{A}/1/telephony/sessions/s-a6ab1c17f29ez17c"),
        (f"{A}/~/sessions", f"{A}/1/telephony/sessions/s-a6ab1c17f29ez17c"),
        (f"{A}/~/a2p-sms/batches/812", f"{A}/1/a2p-sms/batches"),
        # an extension that watches others
        (f"{A}/~/extension/3/presence/line", f"{A}/1/extension/2/presence/line"),
        (f"{A}/~/extension/3/favorite/presence", f"{A}/1/extension/2/presence"),
        # nobody knows what these are about
        ("/", f"{A}/1/extension/2/presence"),
        (f"{A}/~", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/~/presence", ""),
        (f"{A}/~/extension/~/presence", "/~/7"),
        (f"{A}/~/extension/~/presence", "/%252525252570resence"),
    ],
)
def test_in_doubt_a_filter_can_cause_an_event(filter_: str, event: str) -> None:
    assert FilterIndex([filter_]).can_cause(event)


@pytest.mark.parametrize(
    ("filter_", "event"),
    [
        (f"{A}/~/extension/~/message-store", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/2/presence", f"{A}/1/extension/3/presence"),
        (f"{A}/~/extension/2/presence", f"{A}/1/extension/3/presence?sipData=true"),
        (f"{A}/~/extension/2/presence", f"{A}/1/extension/3/presence?full=100%25"),
        (f"{A}/~/extension/2/message-store/instant", f"{A}/1/extension/3/message-store"),
        (f"{A}/1/extension/2/presence", f"{A}/2/extension/2/presence"),
        (f"{A}/1/presence", f"{A}/2/extension/2/presence"),
        (f"{A}/~/extension", f"{A}/1/extension/2/presence"),
        (f"{A}/~/extension/~", f"{A}/1/extension/2/presence"),
        ("/team-messaging/v1/posts", "/team-messaging/v1/chats"),
        ("/restapi/v1.0/glip/posts", f"{A}/1/extension/2/message-store"),
        (f"{A}/~/telephony/sessions", f"{A}/1/presence"),
        ("/restapi/v1.0/subscription/~?threshold=60", f"{A}/1/extension/2/presence"),
    ],
)
def test_what_certainly_differs_is_not_caused(filter_: str, event: str) -> None:
    assert not FilterIndex([filter_]).can_cause(event)


def test_no_filter_causes_nothing() -> None:
    for event in ("", "/", f"{A}/1/extension/2/presence"):
        assert not FilterIndex([]).can_cause(event)


# -- against an oracle ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Path:
    """What a path means; None stands for anybody."""

    words: tuple[str, ...]
    account: str | None
    extension: str | None

    def may_cause(self, event: Path) -> bool:
        """Say it slowly."""
        ends, others = {self.words[0], self.words[-1]}, {event.words[0], event.words[-1]}
        whose = [(self.account, event.account), (self.extension, event.extension)]
        return bool(ends & others) and all(None in pair or len(set(pair)) == 1 for pair in whose)


@dataclass(frozen=True)
class Written:
    """A path in one of the ways to write it."""

    meant: Path
    text: str


#: What is written, and what it means.
RESOURCES = {
    "presence": ("presence",),
    "presence/dnd": ("presence", "dnd"),
    "telephony/sessions": ("telephony", "sessions"),
    "telephony/sessions/s-a1b2": ("telephony", "sessions"),
    "message-store": ("messages",),
    "message-store/instant": ("messages",),
    "fax": ("messages",),
    "a2p-sms/batches": ("a2p-sms", "batches"),
    "a2p-sms/batches/77": ("a2p-sms", "batches"),
    "call-queues/5/presence": ("call-queues", "presence"),
    "": ("extension",),
}
NOBODYS = {
    "/team-messaging/v1/posts": ("posts",),
    "/restapi/v1.0/glip/posts": ("posts",),
    "/team-messaging/v1/chats": ("chats",),
    "/restapi/v1.0/glip/groups": ("chats",),
    "/team-messaging/v1/chats/9/posts": ("chats", "posts"),
}
QUERIES = ["", "?", "?type=SMS", "?a=1&b=/account/9/x", "#?", ";v=1"]


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Write something that is known to mean one thing."""
    account = draw(st.sampled_from([None, "1", "2"]))
    extension = draw(st.sampled_from([None, "7", "77", "1"]))
    resource = draw(st.sampled_from([*RESOURCES, *NOBODYS]))
    if resource in NOBODYS:
        text, meant = resource, Path(NOBODYS[resource], None, None)
    else:
        account_id = account or draw(st.sampled_from(["~", "+", "{accountId}"]))
        text = draw(st.sampled_from([f"{A}/", "/account/", "/restapi/v1.1/accounts/"])) + account_id
        if extension is not None or not resource or draw(st.booleans()):
            text += "/extension/" + (extension or draw(st.sampled_from(["~", "+", "-1"])))
        text, meant = f"{text}/{resource}", Path(RESOURCES[resource], account, extension)
    disguise: Callable[[str], str] = draw(
        st.sampled_from(
            [
                str,
                str.upper,
                lambda text: text.replace("/", "//"),
                lambda text: text + "/",
                lambda text: "https://rc.example:8443" + text,
                lambda text: "rc.example" + text if text.startswith("/restapi") else text,
                lambda text: quote(text, safe=""),
                lambda text: quote(quote(text, safe=""), safe=""),
                lambda text: "".join(f"%{ord(letter):02x}" if letter.isalpha() else letter for letter in text),
            ]
        )
    )
    return Written(meant, disguise(text) + draw(st.sampled_from(QUERIES)))


@given(st.lists(written(), max_size=4), st.lists(written(), min_size=1, max_size=4))
@settings(max_examples=500)
def test_the_index_finds_what_the_slow_way_finds(given_: list[Written], events: list[Written]) -> None:
    index = FilterIndex([filter_.text for filter_ in given_])
    for event in events:
        slowly = any(filter_.meant.may_cause(event.meant) for filter_ in given_)
        assert index.can_cause(event.text) is slowly, event


@given(st.lists(written(), min_size=1, max_size=4), st.lists(st.text(max_size=10) | written(), max_size=3), written())
def test_more_filters_cause_no_less(one: list[Written], more: list[Written | str], event: Written) -> None:
    texts = [filter_.text for filter_ in one]
    others = [filter_ if isinstance(filter_, str) else filter_.text for filter_ in more]
    if FilterIndex(texts).can_cause(event.text):
        assert FilterIndex([*texts, *others]).can_cause(event.text)


@given(st.text(), st.text())
def test_whatever_comes_is_answered(filter_: str, event: str) -> None:
    assert FilterIndex([filter_]).can_cause(event) is FilterIndex([event]).can_cause(filter_)
    assert FilterIndex([filter_]).can_cause(filter_)


# -- what it costs -------------------------------------------------------------------------------------------------


@contextmanager
def steps() -> Iterator[list[int]]:
    """Count the steps of Python's machine in the module: exact, unlike time."""
    count = [0]
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != filters.__file__:
            return None
        frame.f_trace_opcodes = True
        count[0] += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)


def many(number: int) -> list[str]:
    return [f"{A}/~/extension/{extension}/presence?sipData=true" for extension in range(1, number + 1)]


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize(
    ("event", "caused"), [("extension/3/presence", True), ("extension/99999/presence", False), ("fax", False)]
)
def test_a_question_costs_the_same_whatever_the_number_of_filters(event: str, caused: bool, seen_before: bool) -> None:
    cost = set[int]()
    for number in (10, 10_000):
        index = FilterIndex(many(number))
        filters._subject_again.cache_clear()
        if seen_before:
            index.can_cause(f"{A}/1/{event}")
        with steps() as counted:
            assert index.can_cause(f"{A}/1/{event}") is caused
        cost.add(counted[0])
    assert len(cost) == 1
    assert 10 < cost.pop() < (200 if seen_before else 2000)


def test_ten_thousand_different_events_do_not_push_each_other_out_at_a_price() -> None:
    """An event that is not remembered is read anew, once for each question, and no filter with it."""
    index = FilterIndex(many(10_000))
    events = [f"{A}/1/extension/{extension}/presence" for extension in range(10_000)]
    filters._subject_again.cache_clear()
    for _ in range(2):
        for event in events:
            index.can_cause(event)
    info = filters._subject_again.cache_info()
    assert info.misses <= 2 * len(events)
    assert info.currsize <= 1024


def test_a_long_event_is_answered_and_not_remembered() -> None:
    filters._subject_again.cache_clear()
    assert FilterIndex([f"{A}/~/presence"]).can_cause(f"{A}/1/presence?x={'x' * 100_000}")
    assert filters._subject_again.cache_info().currsize == 0


def test_comparing_costs_in_proportion_and_nothing_where_all_are_equal() -> None:
    def cost(number: int, change: Callable[[list[str]], list[str]], same: bool) -> int:
        one = many(number)
        with steps() as counted:
            assert same_filters(one, change(one), owner_id="3") is same
        return counted[0]

    for change, same in ((lambda one: one[:-1], False), (lambda one: [*one[:-1], one[-1] + "&a=1"], False)):
        assert cost(2000, change, same) < 2.1 * cost(1000, change, same)
    assert cost(10, lambda one: one[::-1], True) == cost(10_000, lambda one: one[::-1], True)


# -- whether two sets are the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([f"{A}/~/x", f"{A}/~/y"], [f"{A}/~/y", f"{A}/~/x"], True),
        ([f"{A}/~/extension/~/x"], [f"{A}/1/extension/2/x"], False),
        ([f"{A}/~/x"], [f"{A}/~/x", f"{A}/~/y"], False),
        ([f"{A}/~/x?a=1"], [f"{A}/~/x"], False),
        ([f"{A}/~/x?a=1&b=2"], [f"{A}/~/x?b=2&a=1"], True),
        ([], [f"{A}/~/x"], False),
    ],
)
def test_same_filters(one, other, same):
    assert same_filters(one, other) is same
    assert same_filters(other, one) is same


@pytest.mark.parametrize(
    ("resolved", "same"),
    [
        (f"{A}/1/extension/2/presence", True),
        (f"{A}/1/extension/3/presence", False),
        (f"{A}/1/extension/~/presence", True),
        (f"{A}/1/extension/2/presence/line", False),
    ],
)
def test_the_tilde_stands_for_the_extension_that_is_logged_in_only(resolved, same):
    assert same_filters([f"{A}/~/extension/~/presence"], [resolved], owner_id="2") is same
