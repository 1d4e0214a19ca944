"""The rate gate: pure with `now` passed in, and its wait."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.errors import RateLimited
from rcex_ws.rest import Headers, RateGate

A, B = "/restapi/v1.0/account/1/sms", "/restapi/v1.0/account/2/fax"


def limits(group="medium", *, remaining=5, window=60, **more):
    return Headers(
        {"X-Rate-Limit-Group": group, "X-Rate-Limit-Remaining": str(remaining), "X-Rate-Limit-Window": str(window)}
        | {name.replace("_", "-"): value for name, value in more.items()}
    )


def test_open_until_told():
    gate = RateGate()
    assert gate.delay("GET", A, now=0) == 0
    gate.note("GET", A, 200, limits(), now=0)
    assert gate.delay("GET", A, now=0) == 0


def test_429_closes_the_whole_group_for_retry_after():
    gate = RateGate()
    gate.note("POST", A, 200, limits(), now=0)
    gate.note("POST", B, 200, limits(), now=0)
    gate.note("GET", B, 200, limits("light"), now=0)
    gate.note("POST", A, 429, limits(retry_after="7"), now=10)
    assert gate.delay("POST", B, now=12) == 5
    assert gate.delay("POST", A, now=17) == 0
    assert gate.delay("GET", B, now=12) == 0  # another group


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        (limits(window=20), 20),
        (Headers({}), 30),  # some other limit was hit: 30 s or later (developer guide)
        (Headers({"X-Rate-Limit-Window": "odd"}), 30),
        (limits(window=20, retry_after="odd"), 20),
        (limits(window=20, retry_after="0"), 0),
    ],
)
def test_429_without_retry_after(headers, delay):
    gate = RateGate()
    gate.note("GET", A, 429, headers, now=100)
    assert gate.delay("GET", A, now=100) == delay


def test_an_unknown_group_closes_its_path_template_only():
    gate = RateGate()
    gate.note("GET", A, 429, Headers({}), now=0)
    assert gate.delay("GET", A.replace("1/", "999/"), now=0) == 30
    assert gate.delay("POST", A, now=0) == 0
    assert gate.delay("GET", B, now=0) == 0


def test_a_learned_group_is_used_by_a_429_without_headers():
    gate = RateGate()
    gate.note("GET", A, 200, limits(), now=0)
    gate.note("GET", B, 200, limits(), now=0)
    gate.note("GET", A, 429, Headers({}), now=0)
    assert gate.delay("GET", B, now=0) == 30


def test_a_group_learned_later_does_not_reopen_a_path():
    gate = RateGate()
    gate.note("GET", A, 429, Headers({}), now=0)
    gate.note("GET", A, 200, limits(), now=1)
    assert gate.delay("GET", A, now=1) == 29


def test_nothing_remaining_holds_until_the_window_ends():
    gate = RateGate()
    gate.note("GET", A, 200, limits(remaining=1), now=100)
    gate.note("GET", A, 200, limits(remaining=0), now=130)
    assert gate.delay("GET", A, now=130) == 30
    gate.note("GET", A, 200, limits(remaining=0), now=161)  # a new window
    assert gate.delay("GET", A, now=161) == 60


def test_a_later_shorter_answer_does_not_open_the_gate():
    gate = RateGate()
    gate.note("GET", A, 429, limits(retry_after="50"), now=0)
    gate.note("GET", A, 429, limits(retry_after="1"), now=0)
    assert gate.delay("GET", A, now=0) == 50


def test_known_paths_are_bounded():
    gate = RateGate()
    gate.note("GET", A, 200, limits(), now=0)
    for number in range(1100):
        gate.note(
            "GET",
            f"/x/{'w' * (number % 30)}/{chr(97 + number % 26)}{number % 7 * 'y'}{number // 26 * 'z'}"[:90],
            200,
            limits(),
            now=0,
        )
    gate.note("GET", B, 429, limits(), now=0)
    assert gate.delay("GET", B, now=0) == 60


async def test_wait_ends_when_the_gate_opens(ms):
    gate = RateGate()
    start = anyio.current_time()
    gate.note("GET", A, 429, limits(retry_after=str(50 * ms)), now=start)
    await gate.wait("GET", A, deadline=start + 60)
    assert anyio.current_time() >= start + 50 * ms


async def test_wait_is_bounded_by_the_deadline():
    gate = RateGate()
    gate.note("GET", A, 429, limits(retry_after="40"), now=anyio.current_time())
    with anyio.fail_after(1), pytest.raises(RateLimited, match=r"/restapi/v1\.0/account/\*/sms") as caught:
        await gate.wait("GET", A, deadline=anyio.current_time() + 30)
    assert 39 < caught.value.retry_after <= 40
    assert caught.value.retryable


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.sampled_from([200, 404, 429, 500]),
            st.sampled_from(["", "light", "medium"]),
            st.sampled_from(["", "0", "1", "odd"]),
            st.sampled_from(["", "0", "7", "60", "-5", "nan", "inf", "odd"]),
        ),
        max_size=20,
    )
)
def test_whatever_the_answers_say_the_gate_opens_in_the_end(answers):
    gate, now = RateGate(), 0.0
    for pause, status, group, remaining, number in answers:
        now += pause
        headers = Headers(
            {
                "X-Rate-Limit-Group": group,
                "X-Rate-Limit-Remaining": remaining,
                "X-Rate-Limit-Window": number,
                "Retry-After": number,
            }
        )
        before = gate.delay("GET", A, now=now)
        gate.note("GET", A, status, headers, now=now)
        delay = gate.delay("GET", A, now=now)
        if not group:  # no answer reopens what an earlier one has closed
            assert delay >= before
        assert 0 <= delay <= 60.001
        assert gate.delay("GET", A, now=now + 60.001) == 0
