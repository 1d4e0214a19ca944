"""What becomes of a client that Slack refuses: each published error of rtm.connect and rtm.start, and what is shown."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from rcex_ws.connection import State
from rcex_ws.slack import SlackApiError
from rcex_ws.slack.refusals import REFUSALS
from rcex_ws.testing import FakeSlack

#: Slack's pages of the two methods, `unknown_method`, and the two more that its own clients know.
FINAL = [
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "user_removed_from_team",
    "team_disabled",
    "not_allowed_token_type",
    "missing_scope",
    "no_permission",
    "access_denied",
    "ekm_access_denied",
    "team_access_not_granted",
    "enterprise_is_restricted",
    "two_factor_setup_required",
    "rtm_connect_required",
    "method_deprecated",
    "deprecated_endpoint",
    "unknown_method",
    "invalid_arguments",
    "invalid_arg_name",
    "invalid_array_arg",
    "invalid_charset",
    "invalid_form_data",
    "invalid_post_type",
    "missing_post_type",
]
PASSING = [
    "accesslimited",
    "fatal_error",
    "internal_error",
    "migration_in_progress",
    "org_login_required",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
]


def test_k1_the_table_has_every_published_error_and_one_sentence_for_each() -> None:
    assert {code: refusal.final for code, refusal in REFUSALS.items()} == {
        code: code in FINAL for code in (*FINAL, *PASSING)
    }
    assert len(REFUSALS) == 35
    for refusal in REFUSALS.values():
        assert refusal.advice.count(". ") == 0
        assert refusal.advice.endswith(".")


@pytest.mark.parametrize("code", FINAL)
async def test_k1_a_final_refusal_ends_start(make_client: Any, slack: FakeSlack, told: Any, code: str) -> None:
    slack.fail(error=code)
    client = make_client()
    with pytest.raises(SlackApiError, match=f"rtm.connect: Slack answered '{code}'") as caught:
        await client.start()
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert caught.value.advice
    assert str(caught.value).endswith(caught.value.advice)
    assert told.names == ["connecting", "unable_to_rtm_start", "disconnect"]
    assert told.of("disconnect") == [(f"{code} is not recoverable", caught.value)]
    assert client.state is State.CLOSED
    assert len(slack.calls) == 1


@pytest.mark.parametrize("code", FINAL)
async def test_k1_a_final_refusal_ends_a_running_client(client: Any, slack: FakeSlack, told: Any, code: str) -> None:
    slack.fail(error=code)
    told.clear()
    slack.cut()
    with pytest.raises(SlackApiError, match=code) as caught:
        await client.wait_closed()
    assert client.state is State.FAILED
    assert told.names[-4:] == ["attempting_reconnect", "connecting", "unable_to_rtm_start", "disconnect"]
    assert told.of("disconnect") == [(f"{code} is not recoverable", caught.value)]
    assert len(slack.calls) == 2


@pytest.mark.parametrize("code", [*PASSING, "an_error_of_next_year"])
async def test_k1_what_passes_is_tried_again(make_client: Any, slack: FakeSlack, told: Any, code: str) -> None:
    slack.fail(error=code, retry_after=0)
    await make_client().start()
    ((error,),) = told.of("unable_to_rtm_start")
    assert (error.code, error.retryable, error.advice is None) == (code, True, code not in PASSING)
    assert slack.connections_total == 1


async def test_k1_a_rate_limit_that_came_as_an_answer_is_waited_for(
    make_client: Any, slack: FakeSlack, told: Any, ms: float
) -> None:
    slack.fail(error="ratelimited", retry_after=300 * ms)
    await make_client().start()
    first, second = slack.calls
    assert second.time - first.time >= 290 * ms
    slack.fail(error="ratelimited")
    told.clear()
    slack.cut()
    ((error,),) = [await told.wait("unable_to_rtm_start")]
    assert error.retry_after == 60


async def test_k1_what_slack_says_of_scopes_is_shown(make_client: Any, slack: FakeSlack) -> None:
    answer = {
        "ok": False,
        "error": "missing_scope",
        "needed": "rtm:stream",
        "provided": "identify,bot",
        "warning": "superfluous_charset",
    }
    slack.fail(body=json.dumps(answer))
    with pytest.raises(SlackApiError) as caught:
        await make_client().start()
    error = caught.value
    assert (error.needed, error.provided, error.warning) == ("rtm:stream", "identify,bot", "superfluous_charset")
    assert "(needed: rtm:stream; provided: identify,bot; warning: superfluous_charset). Add the" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.needed, again.retryable) == (str(error), "rtm:stream", False)


@pytest.mark.parametrize(
    "said", ["x" * 10_000, "one\ntwo\x1b[31m", ["bot", 7, "client"], {"scope": "bot"}, 7, None, ""]
)
async def test_k1_a_message_stays_short_and_on_one_line_whatever_slack_says(
    make_client: Any, slack: FakeSlack, said: object
) -> None:
    slack.fail(body=json.dumps({"ok": False, "error": "missing_scope", "needed": said}))
    with pytest.raises(SlackApiError) as caught:
        await make_client().start()
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()
    shown = ", ".join(one for one in said if isinstance(one, str)) if isinstance(said, list) else said
    assert caught.value.needed == (shown if isinstance(shown, str) and shown else None)


async def test_k1_what_another_method_refuses_is_final_unless_it_is_known_to_pass(
    client: Any, slack: FakeSlack
) -> None:
    with pytest.raises(SlackApiError, match="message_not_found") as caught:
        await client.update_message("1.0", "C0GENERAL", "new")
    assert not caught.value.retryable
    slack.fail("chat.update", "internal_error")
    with pytest.raises(SlackApiError, match="internal_error") as caught:
        await client.update_message("1.0", "C0GENERAL", "new")
    assert caught.value.retryable
