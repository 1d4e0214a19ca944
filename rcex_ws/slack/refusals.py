"""What the refusals of rtm.connect and rtm.start mean: whether a retry can succeed, and what to do. Pure.

The codes are those of the error tables on Slack's pages for the two methods, as of November 2026 (32 codes, most of
them common to every method; docs.slack.dev/reference/methods/rtm.connect and rtm.start); `unknown_method`, the answer
of a server that lacks the method; and the two others after which `@slack/client` 3.16.0 and `@slack/rtm-api` do not
retry. Slack says that its tables are incomplete: a code that is not here counts as temporary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["REFUSALS", "SlackRefusal", "is_retryable"]


@dataclass(frozen=True, slots=True)
class SlackRefusal:
    """What one of Slack's error codes means.

    Attributes:
        final: whether the same call will fail until somebody changes something.
        advice: what to do, in one sentence.
    """

    final: bool
    advice: str


def _final(advice: str) -> SlackRefusal:
    return SlackRefusal(final=True, advice=advice)


def _temporary(advice: str) -> SlackRefusal:
    return SlackRefusal(final=False, advice=advice)


_OUR_REQUEST = "Slack received a damaged request: check what is in between, such as a proxy or your own HTTP client."

REFUSALS: Mapping[str, SlackRefusal] = MappingProxyType(
    {
        # The token
        "not_authed": _final("The call had no token: pass one to the client, and check that no proxy drops headers."),
        "invalid_auth": _final("Pass a valid token to the client, and call from an address that the workspace allows."),
        "account_inactive": _final("The user or the workspace of this token is gone: install the app again."),
        "token_revoked": _final("The app was removed or the token revoked: install the app again for a new token."),
        "token_expired": _final("The token has expired: get a new one; RTM needs a token that does not expire."),
        "user_removed_from_team": _final("The user of this token left the workspace: install the app as another user."),
        "team_disabled": _final("The workspace is disabled: its owners have to restore it."),
        # Who may use RTM
        "not_allowed_token_type": _final(
            "RTM takes tokens of classic apps only, and new ones cannot be made: use Socket Mode or the Events API."
        ),
        "missing_scope": _final("Add the needed scope to the app, and install it again for a new token."),
        "no_permission": _final("The token may not do this: check the scopes of the app and install it again."),
        "access_denied": _final("Access is denied: ask an administrator of the workspace."),
        "ekm_access_denied": _final("Administrators have suspended posting for this workspace: ask them."),
        "team_access_not_granted": _final("The token has no access to this workspace: install the app there."),
        "enterprise_is_restricted": _final("An Enterprise organisation may not call this: use a workspace token."),
        "two_factor_setup_required": _final("The user of this token has to set up two-factor authentication first."),
        # The method
        "rtm_connect_required": _final("Slack has retired rtm.start: use start_method='rtm.connect'."),
        "method_deprecated": _final("Slack has retired this method: for rtm.start use start_method='rtm.connect'."),
        "deprecated_endpoint": _final("Slack has retired this address: check api_url and start_method."),
        "unknown_method": _final("There is no such method: check api_url and the method's name."),
        # The request
        "invalid_arguments": _final("Check the options that were given to start()."),
        "invalid_arg_name": _final("Check the names of the options that were given to start()."),
        "invalid_array_arg": _final("Pass texts, numbers and booleans as options, not lists."),
        "invalid_charset": _final(_OUR_REQUEST),
        "invalid_form_data": _final(_OUR_REQUEST),
        "invalid_post_type": _final(_OUR_REQUEST),
        "missing_post_type": _final(_OUR_REQUEST),
        # Temporary
        "accesslimited": _temporary("Slack does not accept calls from this network now: try another one, or later."),
        "fatal_error": _temporary("Slack has failed: try again later."),
        "internal_error": _temporary("Slack has failed: try again later."),
        "migration_in_progress": _temporary("The workspace moves to another server: try again later."),
        "org_login_required": _temporary("The workspace moves to an Enterprise organisation: try again later."),
        "ratelimited": _temporary("Too many calls: try again when Slack allows; it promises one connect a minute."),
        "request_timeout": _temporary("The request did not arrive whole: try again later."),
        "service_unavailable": _temporary("Slack is not available: try again later."),
        "team_added_to_org": _temporary("The workspace moves to an Enterprise organisation: try again later."),
    }
)


def is_retryable(method: str, code: str) -> bool:
    """Return whether the same call can succeed later without a change by the caller.

    Unknown codes of rtm.connect and rtm.start are retryable: giving up on a temporary refusal costs more than another
    attempt. Those of other methods are not: there are hundreds of them, they are about the arguments
    (`channel_not_found`), and nothing calls these methods again by itself.

    Args:
        method: the name of the method, such as "rtm.connect".
        code: Slack's error code.
    """
    known = REFUSALS.get(code)
    return method.startswith("rtm.") if known is None else not known.final
