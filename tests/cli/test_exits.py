from __future__ import annotations

import pytest

from rcex_ws import (
    ConfigurationError,
    ConnectFailed,
    LoginRefused,
    RateLimited,
    RequestLost,
    RequestTimeout,
    Response,
    RestError,
    TransportError,
)
from rcex_ws.cli.exits import ExitCode, code_of, complaint_of


def answered(status: int, kind: type[RestError] = RestError) -> RestError:
    return kind(Response(status, {}, b"{}"), method="GET", path="/restapi/v1.0")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("path: wrong"), ExitCode.USAGE),
        (FileNotFoundError(2, "No such file", "x"), ExitCode.USAGE),
        (ModuleNotFoundError("pip install it"), ExitCode.USAGE),
        (answered(404), ExitCode.FAILED),
        (answered(503), ExitCode.FAILED),
        (answered(400, LoginRefused), ExitCode.LOGIN_REFUSED),
        (TransportError("no answer"), ExitCode.TRY_LATER),
        (RequestTimeout("no answer"), ExitCode.TRY_LATER),
        (ConnectFailed("refused"), ExitCode.TRY_LATER),
        (ConnectFailed("a bad address", retryable=False), ExitCode.FAILED),
        (RateLimited("closed", retry_after=60), ExitCode.TRY_LATER),
        (RequestLost("lost", sent=True), ExitCode.FAILED),
        (ZeroDivisionError(), ExitCode.BUG),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (BrokenPipeError(32, "Broken pipe"), ExitCode.DONE),
    ],
)
def test_each_error_has_its_code(error: BaseException, code: ExitCode) -> None:
    assert code_of(error) is code


def test_what_is_said_is_one_line_that_says_what_to_do() -> None:
    assert complaint_of(ConfigurationError("path:\n wrong"), ExitCode.USAGE) == "path: wrong"
    assert "rcex-ws doctor" in complaint_of(TransportError("no answer"), ExitCode.TRY_LATER)
    assert "--debug" in complaint_of(ZeroDivisionError(), ExitCode.BUG)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError()])
def test_nothing_is_said_about_what_the_user_did(error: BaseException) -> None:
    assert complaint_of(error, code_of(error)) == ""
