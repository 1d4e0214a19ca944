"""The session: which token is token_offered, how an outage is judged, when notifications may be missing. Pure."""

from __future__ import annotations

import pytest

from rcex_ws import ConnectionDetails, Loss, LossKind, Outcome, Wsc
from rcex_ws.wsg.completeness import OpenGap
from rcex_ws.wsg.session import GapCause, LastEnd, Outage, Session, gap_after_outage

SUCCESS = ConnectionDetails(recovery_state="Successful")
FAILURE = ConnectionDetails(recovery_state="Failed", recovery_error_code="WSG-1003")


def lost(kind: LossKind = LossKind.DROPPED) -> Session:
    session = Session(Wsc("token", 3))
    session.begin_outage(Outage(lost_at=100.0, loss=Loss(kind)))
    return session


def conclude(session: Session):
    return session.conclude(110.0, seconds_away=None)


def test_no_token_is_offered_on_a_first_connection():
    assert Session().token_to_offer(0.0) is None


def test_the_token_is_offered_within_the_window_counted_from_the_loss():
    assert lost().token_to_offer(100.0 + 180.0) == "token"
    late = lost()
    assert late.token_to_offer(100.0 + 180.1) is None
    late.on_details(ConnectionDetails(), Wsc("new", 1), token_offered=False)
    recovery, cause = conclude(late)
    assert recovery.outcome is Outcome.WINDOW_EXCEEDED
    assert cause.certain


def test_a_refused_token_is_not_offered_again_even_if_the_next_attempt_dies():
    session = lost()
    session.token_to_offer(101.0)
    session.decide(Outcome.UNREADABLE, "WSG-400")
    assert session.token_to_offer(102.0) is None
    session.on_details(ConnectionDetails(), Wsc("new", 1), token_offered=False)
    recovery, cause = conclude(session)
    assert (recovery.outcome, recovery.error_code, recovery.attempts) == (Outcome.UNREADABLE, "WSG-400", 2)
    assert cause.certain


def test_the_first_refusal_stays_though_the_empty_session_is_recovered_later():
    session = lost()
    session.token_to_offer(101.0)
    session.on_details(FAILURE, Wsc("new", 1), token_offered=True)
    session.token_to_offer(102.0)  # the new session was lost before its subscription was made
    session.on_details(SUCCESS, Wsc("newer", 1), token_offered=True)
    recovery, cause = conclude(session)
    assert recovery.outcome is Outcome.REFUSED
    assert cause.certain


@pytest.mark.parametrize(
    ("kind", "doubtful"),
    [
        (LossKind.DROPPED, True),
        (LossKind.SILENT, True),
        (LossKind.ABORTED, True),
        (LossKind.CLOSED, False),
        (LossKind.REFUSED, False),
    ],
)
def test_a_successful_recovery_does_not_prove_that_nothing_is_missing(kind, doubtful):
    session = lost(kind)
    session.token_to_offer(101.0)
    session.on_details(SUCCESS, Wsc("new", 1), token_offered=True)
    assert session.recovered
    recovery, cause = conclude(session)
    assert recovery.outage == 10.0
    assert (cause is not None) is doubtful
    if cause is not None:
        assert not cause.certain


def test_a_recovery_attempt_that_died_after_its_upgrade_is_a_possible_gap():
    session = lost(LossKind.CLOSED)
    session.token_to_offer(101.0)
    session.note_replay_cut()
    session.token_to_offer(102.0)
    session.on_details(SUCCESS, Wsc("new", 1), token_offered=True)
    recovery, cause = conclude(session)
    assert recovery.attempts == 2
    assert cause is not None
    assert not cause.certain


@pytest.mark.parametrize("last_end", LastEnd)
def test_a_restart_without_a_clean_mark_is_a_possible_gap(last_end):
    session = Session(Wsc("token", 1))
    session.begin_outage(Outage(lost_at=None, last_end=last_end))
    session.token_to_offer(101.0)
    session.on_details(SUCCESS, Wsc("new", 1), token_offered=True)
    _, cause = conclude(session)
    assert (cause is None) is (last_end is LastEnd.CLEAN)
    assert cause is None or not cause.certain


def test_a_server_that_never_gave_a_token():
    session = Session()
    session.begin_outage(Outage(lost_at=100.0, loss=Loss(LossKind.CLOSED)))
    assert session.token_to_offer(101.0) is None
    session.on_details(ConnectionDetails(), None, token_offered=False)
    recovery, cause = conclude(session)
    assert recovery.outcome is Outcome.REFUSED
    assert cause.certain


def test_the_window_is_counted_from_the_loss():
    session = lost()
    session.details = ConnectionDetails(recovery_timeout=90)
    assert session.seconds_left(100.0) == 90.0
    session.token_to_offer(130.0)
    assert session.seconds_left(150.0) == 40.0
    assert session.seconds_left(200.0) == -10.0


def test_after_a_restart_the_window_ends_no_later_than_counted_from_the_first_attempt():
    session = Session(Wsc("token", 1))
    session.begin_outage(Outage(lost_at=None, last_end=LastEnd.CLEAN))
    session.token_to_offer(50.0)
    session.token_to_offer(60.0)
    assert session.seconds_left(70.0) == 160.0


@pytest.mark.parametrize("session", [Session(), Session(Wsc("token", 1)), lost()], ids=["new", "connected", "refused"])
def test_there_is_no_window_without_a_session_to_recover(session):
    if session.outage is not None:
        session.on_details(FAILURE, Wsc("of a new session", 1), token_offered=True)
    assert session.seconds_left(101.0) == 0.0


def test_only_newer_tokens_are_kept():
    session = Session(Wsc("a", 5))
    assert not session.offer_wsc(Wsc("old", 4))
    assert session.offer_wsc(Wsc("b", 6))
    session.on_details(ConnectionDetails(), Wsc("c", 1), token_offered=False)
    assert session.wsc == Wsc("c", 1)


def test_a_frame_that_cannot_be_read_is_a_certain_gap_and_is_not_replayed_for_ever():
    session = lost(LossKind.UNREADABLE)
    assert session.token_to_offer(101.0) == "token"
    session.on_details(SUCCESS, Wsc("new", 1), token_offered=True)
    recovery, cause = conclude(session)
    assert recovery.outcome is Outcome.RECOVERED
    assert cause.certain
    session.begin_outage(Outage(lost_at=111.0, loss=Loss(LossKind.UNREADABLE, 1009)))
    assert session.token_to_offer(112.0) is None
    session.on_details(ConnectionDetails(), Wsc("newer", 1), token_offered=False)
    recovery, cause = conclude(session)
    assert (recovery.outcome, recovery.error_code) == (Outcome.UNREADABLE, "1009")
    assert cause.certain


@pytest.mark.parametrize(
    ("outage", "clean"),
    [
        (None, True),
        (Outage(lost_at=None, last_end=LastEnd.CLEAN), True),
        (Outage(lost_at=None, last_end=LastEnd.KILLED), False),
        (Outage(lost_at=None, last_end=LastEnd.UNKNOWN), False),
        (Outage(lost_at=1.0, loss=Loss(LossKind.CLOSED)), True),
        (Outage(lost_at=1.0, loss=Loss(LossKind.CLOSED), replay_cut=True), False),
        (Outage(lost_at=1.0, loss=Loss(LossKind.CLOSED), token_offered=True), False),
        (Outage(lost_at=1.0, loss=Loss(LossKind.DROPPED)), False),
        (Outage(lost_at=1.0, loss=Loss(LossKind.ABORTED)), False),
    ],
)
def test_a_clean_mark_is_only_given_when_nothing_can_be_missing(outage, clean):
    session = Session(Wsc("token", 1))
    if outage is not None:
        session.begin_outage(outage)
    assert session.may_be_marked_clean is clean


@pytest.mark.parametrize(
    ("certain_before", "cause", "certain", "reason"),
    [
        (False, None, None, None),
        (False, GapCause("why", certain=False), False, "why"),
        (False, GapCause("why", certain=True), True, "why"),
        (True, GapCause("why", certain=False), True, "why"),
        (True, None, True, "the last process had lost notifications"),
    ],
)
def test_what_is_reported_after_an_outage(certain_before, cause, certain, reason):
    missing = gap_after_outage(OpenGap(5.0, certain=certain_before, reason="before"), cause)
    assert missing == (None if certain is None else OpenGap(5.0, certain=certain, reason=reason))


def test_without_an_outage_there_is_nothing_to_conclude():
    session = Session(Wsc("token", 3))
    session.note_replay_cut()
    assert session.outage is None
    assert session.conclude(110.0, seconds_away=None) is None


def test_an_outage_without_a_verdict_is_no_recovery():
    session = lost()
    assert session.conclude(110.0, seconds_away=None) is None
    assert session.last_recovery is None
