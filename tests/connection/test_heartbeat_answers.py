"""A heartbeat for which only answers are signs of life. Pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rcex_ws.connection.heartbeat import AnswerHeartbeat, Beat

INTERVAL, TIMEOUT = 30.0, 10.0


def test_traffic_proves_nothing() -> None:
    heartbeat = AnswerHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    heartbeat.last_inbound = 29.0
    assert heartbeat.wake_at(0.0) == 30.0
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.last_inbound = 35.0
    assert heartbeat.poll(39.9) is Beat.WAIT
    assert heartbeat.poll(40.0) is Beat.LOST


def test_an_answer_does() -> None:
    heartbeat = AnswerHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.record_answer(30.0)
    assert heartbeat.poll(40.0) is Beat.WAIT
    assert heartbeat.wake_at(40.0) == 60.0, "one interval after the question"
    assert heartbeat.poll(60.0) is Beat.SEND


def test_an_answer_to_an_older_question_is_none() -> None:
    heartbeat = AnswerHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.record_answer(29.0)
    assert heartbeat.poll(40.0) is Beat.LOST


def test_what_was_sent_delays_the_question() -> None:
    heartbeat = AnswerHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    heartbeat.record_sent(25.0)
    assert heartbeat.poll(30.0) is Beat.WAIT
    assert heartbeat.wake_at(30.0) == 55.0
    assert heartbeat.poll(55.0) is Beat.SEND


def test_what_was_sent_does_not_delay_the_judgement() -> None:
    heartbeat = AnswerHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    heartbeat.record_sent(39.0)
    assert heartbeat.poll(40.0) is Beat.LOST


def test_asking_anew_gives_the_whole_timeout_again() -> None:
    heartbeat = AnswerHeartbeat(INTERVAL, TIMEOUT, now=0.0)
    assert heartbeat.poll(30.0) is Beat.SEND
    assert heartbeat.force(1000.0) is Beat.SEND
    assert heartbeat.poll(1009.0) is Beat.WAIT
    assert heartbeat.poll(1010.0) is Beat.LOST


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_a_peer_that_answers_every_question_lives(
    interval: float, timeout: float, steps: list[tuple[bool, bool]]
) -> None:
    heartbeat, now = AnswerHeartbeat(interval, timeout, now=0.0), 0.0
    for sends, traffic in steps:
        if sends:
            heartbeat.record_sent(now)
        wake = heartbeat.wake_at(now)
        assert wake > now, "polling again at once would be a hot loop"
        now = wake
        if traffic:
            heartbeat.last_inbound = now
        beat = heartbeat.poll(now)
        assert beat is not Beat.LOST
        if beat is Beat.SEND:
            heartbeat.record_answer(now)


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.lists(st.floats(0, 300), max_size=30))
def test_a_peer_that_answers_nothing_is_lost_in_time(interval: float, timeout: float, traffic: list[float]) -> None:
    heartbeat, now = AnswerHeartbeat(interval, timeout, now=0.0), 0.0
    while True:
        heartbeat.last_inbound = max([at for at in traffic if at <= now], default=0.0)
        now = heartbeat.wake_at(now)
        if heartbeat.poll(now) is Beat.LOST:
            break
        assert now <= interval + timeout + 1e-6
