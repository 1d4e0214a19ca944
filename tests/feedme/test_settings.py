"""The options of `FeedmeClient`: defaults, bounds, and errors that name them."""

from __future__ import annotations

import math
import ssl
from typing import Any

import pytest

from rcex_ws.errors import ConfigurationError
from rcex_ws.feedme.client import FeedmeClient
from rcex_ws.feedme.errors import InvalidArgument
from rcex_ws.feedme.settings import FeedmeSettings
from tests.feedme.scripted import Script

URL = "ws://localhost/"

#: Options in seconds or times, each with values at its bounds and beyond them.
VALID: dict[str, list[Any]] = {
    "open_timeout": [0.5, 30],
    "connect_timeout": [0, 0.5, 10, 1000],
    "connect_retry": [-1, -0.5, 0, 30],
    "connect_retry_backoff": [0, 5],
    "connect_retry_max": [5, 1000],
    "connect_retry_max_attempts": [0, 1],
    "reconnect": [True, False],
    "action_timeout": [0, 0.1],
    "feed_timeout": [0, 0.1],
    "reopen_max_attempts": [-1, 0, 5],
    "reopen_trailing": [0, 60],
}
INVALID: dict[str, list[Any]] = {
    "open_timeout": [0, -1, None],
    "connect_timeout": [-1, None, "10", math.nan, math.inf, True],
    "connect_retry": [None, "5", math.nan, -math.inf, math.inf, [1]],
    "connect_retry_backoff": [-0.1, None, math.nan],
    "connect_retry_max": [-1, None, 4.9, math.nan],
    "connect_retry_max_attempts": [-1, 0.5, None, "1"],
    "reconnect": [None, 1, "yes"],
    "action_timeout": [-1, None, math.nan],
    "feed_timeout": [-1, None, "1"],
    "reopen_max_attempts": [0.5, None, "1", math.inf],
    "reopen_trailing": [-1, None, math.nan],
    "max_size": [0, -1, None, 1.5],
    "max_pending": [0, -1],
    "max_pending_bytes": [0, None],
    "close_timeout": [0, -1, None],
    "heartbeat_interval": [0, -1],
    "heartbeat_timeout": [0, None],
    "transport": [7, "ws"],
    "trace": [7],
    "headers": [{"a": 1}, {"bad name": "x"}, {"a": "x\r\n"}, 7],
    "ssl_context": [True],
}


def test_the_defaults_are_those_of_the_original_in_seconds() -> None:
    settings = FeedmeSettings(URL)
    assert (settings.connect_timeout, settings.action_timeout, settings.feed_timeout) == (10, 10, 10)
    assert (settings.connect_retry, settings.connect_retry_backoff, settings.connect_retry_max) == (5, 5, 30)
    assert (settings.connect_retry_max_attempts, settings.reconnect) == (0, True)
    assert (settings.reopen_max_attempts, settings.reopen_trailing) == (3, 60)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALID.items() for value in values])
def test_a_valid_value_is_accepted(name: str, value: Any) -> None:
    assert getattr(FeedmeSettings(URL, **{name: value}), name) == value
    FeedmeClient(URL, **{name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INVALID.items() for value in values])
def test_an_invalid_value_is_refused_by_name(name: str, value: Any) -> None:
    url = None if name == "transport" else URL
    with pytest.raises(InvalidArgument, match=name):
        FeedmeClient(url, **{name: value})


@pytest.mark.parametrize("url", ["http://x/", "x", "", 7, "ws://", "ws://x:99999/"])
def test_an_address_that_is_none_is_refused_without_showing_it(url: Any) -> None:
    with pytest.raises(InvalidArgument, match="url"):
        FeedmeClient(url)


def test_there_is_an_address_or_a_transport_and_not_both() -> None:
    with pytest.raises(InvalidArgument, match="transport"):
        FeedmeClient()
    with pytest.raises(InvalidArgument, match="transport"):
        FeedmeClient(URL, transport=Script())


def test_an_unknown_option_is_refused() -> None:
    options: dict[str, Any] = {"connectTimeoutMs": 10}
    with pytest.raises((TypeError, ConfigurationError), match="connectTimeoutMs"):
        FeedmeClient(URL, **options)


def test_the_maximum_is_at_least_the_first_delay() -> None:
    with pytest.raises(InvalidArgument, match="connect_retry_max"):
        FeedmeSettings(URL, connect_retry=31)
    with pytest.raises(InvalidArgument, match="connect_retry_max"):
        FeedmeSettings(URL, connect_retry=1, connect_retry_max=0.5)
    FeedmeSettings(URL, connect_retry=31, connect_retry_max=31)
    FeedmeSettings(URL, connect_retry=-1, connect_retry_max=0)


def test_delays_grow_up_to_the_maximum() -> None:
    settings = FeedmeSettings(URL)
    assert [settings.retry_delay(failures) for failures in range(1, 9)] == [5, 10, 15, 20, 25, 30, 30, 30]
    once = FeedmeSettings(URL, connect_retry=-1)
    assert once.retry_delay(1) == 0


def test_only_the_first_retry_comes_at_once_whatever_the_options() -> None:
    settings = FeedmeSettings(URL, connect_retry=0, connect_retry_backoff=0, connect_retry_max=0)
    assert [settings.retry_delay(failures) for failures in (1, 2, 3)] == [0, 0.1, 0.1]


def test_nothing_secret_is_shown() -> None:
    settings = FeedmeSettings(
        "ws://localhost/?token=SECRET", headers={"Authorization": "SECRET"}, proxy="http://u:SECRET@h"
    )
    assert "SECRET" not in repr(settings)


@pytest.mark.parametrize(
    "option", [{"headers": {"A": "b"}}, {"proxy": "http://h:1"}, {"ssl_context": ssl.create_default_context()}]
)
def test_what_only_a_url_has_is_refused_beside_a_transport(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=f"{next(iter(option))}: only a connection to a url has it"):
        FeedmeClient(transport=Script(), **option)
