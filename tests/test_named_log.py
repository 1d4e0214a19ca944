"""A log whose lines carry a client's name and the caller's position."""

from __future__ import annotations

import logging

import pytest

from rcex_ws.named_log import NamedLog

LOGGER = logging.getLogger("rcex_ws.test_named_log")


def _exception(log: NamedLog, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("it raised %s", 1)


WRITES = {
    "debug": lambda log, _: log.debug("%d %s", 1, "a"),
    "info": lambda log, _: log.info("100 percent"),
    "warning": lambda log, _: log.warning("%r", "b"),
    "error": lambda log, _: log.error("bad", exc_info=ValueError("boom")),
    "log": lambda log, _: log.log(logging.CRITICAL, "%s", "c"),
    "exception": _exception,
}
LINES = {
    "debug": (logging.DEBUG, "5% off: 1 a"),
    "info": (logging.INFO, "5% off: 100 percent"),
    "warning": (logging.WARNING, "5% off: 'b'"),
    "error": (logging.ERROR, "5% off: bad"),
    "log": (logging.CRITICAL, "5% off: c"),
    "exception": (logging.ERROR, "5% off: it raised 1"),
}


@pytest.mark.parametrize("method", WRITES)
def test_a_line_has_the_name_its_level_and_its_place(caplog: pytest.LogCaptureFixture, method: str) -> None:
    caplog.set_level(logging.DEBUG, LOGGER.name)
    log = NamedLog(logging.getLogger("rcex_ws.other"), "5% off").of(LOGGER)
    WRITES[method](log, caplog)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == LINES[method]
    assert (record.name, record.pathname) == (LOGGER.name, __file__)
    assert (record.exc_info is not None) == (method in ("error", "exception"))


def test_what_is_not_wanted_is_not_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER.name)
    log = NamedLog(LOGGER, "x")
    assert (log.isEnabledFor(logging.DEBUG), log.isEnabledFor(logging.INFO)) == (False, True)
    log.debug("nothing")
    assert caplog.records == []
