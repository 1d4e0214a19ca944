"""Questions without an answer. Pure."""

from __future__ import annotations

from rcex_ws.wsg.questions import Questions


def test_an_answer_settles_its_question_and_all_before_it():
    questions = Questions(0.0)
    for number in range(1, 5):
        questions.sent(f"h{number}", float(number))
    assert questions.settle("h2") == 2.0
    assert questions.settle("h1") is None  # its answer would prove less
    assert questions.settle("h4") == 4.0
    assert questions.settle("h3") is None


def test_what_was_never_asked_is_no_answer():
    questions = Questions(5.0)
    assert questions.settle("r1") is None
    assert questions.last_sent_at == 5.0
    questions.sent("r1", 6.0)
    assert questions.last_sent_at == 6.0
    assert questions.settle("") is None
    assert questions.settle("r1") == 6.0
