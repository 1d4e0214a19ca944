"""What a driver does that leaves a decision to the default."""

from __future__ import annotations

import pytest

from rcex_ws.connection import Driver, Loss, LossKind
from rcex_ws.errors import ConfigurationError, ConnectFailed, NotConnected


async def test_it_reconnects_as_the_schedule_says_unless_trying_again_cannot_help() -> None:
    driver = Driver()
    assert await driver.next_delay(Loss(LossKind.DROPPED), 3.0) == 3.0
    assert await driver.next_delay(ConnectFailed("no connection"), 3.0) == 3.0
    fatal = ConnectFailed("an address that can never work", retryable=False)
    with pytest.raises(ConnectFailed) as caught:
        await driver.next_delay(fatal, 3.0)
    assert caught.value is fatal


async def test_it_logs_a_mistake_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    error = ConfigurationError("reconnect_delays: no number")
    error.__cause__ = cause = ValueError("why")
    Driver().on_misconfigured(error)
    Driver().on_failed(NotConnected("the end"))
    (record,) = caplog.records
    assert record.getMessage() == str(error)
    assert record.exc_info is not None
    assert record.exc_info[1] is cause
