"""The errors: the codes of the original, in the one tree of the library."""

from __future__ import annotations

import pytest

from rcex_ws.errors import BadFrame, ConfigurationError, NotConnected, RcexError, RequestTimeout
from rcex_ws.feedme import errors

BY_CODE: dict[str, type[errors.FeedmeError]] = {
    "INVALID_ARGUMENT": errors.InvalidArgument,
    "INVALID_STATE": errors.InvalidState,
    "INVALID_FEED_STATE": errors.InvalidFeedState,
    "TIMEOUT": errors.TimedOut,
    "NOT_CONNECTED": errors.Disconnected,
    "REJECTED": errors.Rejected,
    "TERMINATED": errors.Terminated,
    "BAD_FEED_ACTION": errors.BadFeedAction,
    "HANDSHAKE_REJECTED": errors.HandshakeRejected,
    "TRANSPORT_FAILURE": errors.TransportFailure,
    "TRANSPORT_ERROR": errors.TransportFault,
    "INVALID_MESSAGE": errors.InvalidMessage,
    "UNEXPECTED_MESSAGE": errors.UnexpectedMessage,
    "INVALID_DELTA": errors.InvalidDelta,
    "INVALID_HASH": errors.InvalidHash,
    "DESTROYED": errors.Destroyed,
}


@pytest.mark.parametrize("code", BY_CODE)
def test_each_code_of_the_original_is_a_class_in_the_one_tree(code: str) -> None:
    kind = BY_CODE[code]
    assert kind.code == code
    assert issubclass(kind, errors.FeedmeError)
    assert issubclass(kind, RcexError)


def test_the_text_begins_with_the_code_as_in_the_original() -> None:
    samples = [
        errors.InvalidState("why"),
        errors.Rejected("NO", {}),
        errors.Terminated("GONE", {}),
        errors.TransportFailure(OSError("why")),
        errors.InvalidMessage("{", parse_error="why"),
        errors.InvalidMessage({}, schema_violation="why"),
        errors.InvalidDelta({}, "why"),
        errors.InvalidHash("why", {}),
    ]
    for error in samples:
        assert str(error).split(":")[0] == error.code


def test_what_the_server_said_is_in_the_error() -> None:
    rejected = errors.Rejected("NO", {"a": 1})
    assert (rejected.server_error_code, rejected.server_error_data) == ("NO", {"a": 1})
    assert "NO" in str(rejected)
    invalid = errors.InvalidMessage("{", parse_error="early end")
    assert (invalid.server_message, invalid.parse_error, invalid.schema_violation) == ("{", "early end", None)
    delta = errors.InvalidDelta({"a": 1}, "no such member")
    assert (delta.server_message, delta.delta_violation) == ({"a": 1}, "no such member")
    cause = OSError("cable")
    assert errors.TransportFailure(cause).transport_error is cause


def test_they_are_caught_as_the_errors_of_the_library_that_mean_the_same() -> None:
    assert issubclass(errors.InvalidArgument, ConfigurationError)
    assert issubclass(errors.TimedOut, RequestTimeout)
    assert issubclass(errors.Disconnected, NotConnected)
    assert issubclass(errors.Terminated, errors.Rejected)
    for kind in (errors.InvalidMessage, errors.UnexpectedMessage, errors.InvalidDelta, errors.InvalidHash):
        assert issubclass(kind, errors.BadServerMessage)
        assert issubclass(kind, BadFrame)


def test_each_says_whether_trying_again_can_help() -> None:
    retryable = {code for code, kind in BY_CODE.items() if kind.retryable}
    assert retryable == {"TIMEOUT", "NOT_CONNECTED", "BAD_FEED_ACTION", "TRANSPORT_FAILURE"}
