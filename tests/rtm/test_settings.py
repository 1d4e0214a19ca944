"""Options and arguments of a client, checked by name."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from rcex_ws.errors import ConfigurationError, UnknownName
from rcex_ws.rtm import RtmClient
from rcex_ws.secret import Secret


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "http://rtm.example/"),
        ("url", 5),
        ("authentication", lambda _: 1),
        ("authentication", object()),
        ("authentication", {"token": "\ud800"}),
        ("reconnect", 1),
        ("reconnect_delays", 5),
        ("resume", None),
        ("open_timeout", 0),
        ("attempt_timeout", float("inf")),
        ("call_timeout", "60"),
        ("close_timeout", -1),
        ("heartbeat_interval", 0),
        ("heartbeat_timeout", None),
        ("headers", {"a b": "c"}),
        ("proxy", "ftp://proxy.example"),
        ("ssl_context", True),
        ("max_size", 0),
        ("max_pending", 1.5),
        ("max_pending_bytes", 0),
        ("max_queue", -1),
        ("trace", 5),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_wrong_options_are_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{option}: "):
        RtmClient(**{"url": "ws://rtm.example/", option: value})


def test_the_header_of_the_protocol_is_not_an_option() -> None:
    with pytest.raises(ConfigurationError, match="headers: Rtm-Session belongs to the protocol"):
        RtmClient("ws://rtm.example/", headers={"RTM-session": "new"})


@pytest.mark.parametrize("authentication", [None, "a", Secret("b"), 5, {"token": "t"}, ["a"], False])
def test_any_json_value_authenticates(authentication: Any) -> None:
    RtmClient("wss://rtm.example/rtm?x=1", authentication=authentication, headers={"X-App": "a"})


def test_the_signature_is_that_of_the_options() -> None:
    parameters = inspect.signature(RtmClient).parameters
    assert next(iter(parameters)) == "url"
    assert parameters["max_queue"].default == 10_000
    with pytest.raises(TypeError, match="RtmClient"):
        RtmClient()  # type: ignore[call-arg]


def test_names_of_the_original_client_are_answered_with_a_hint() -> None:
    client: Any = RtmClient("ws://rtm.example/")
    with pytest.raises(UnknownName, match="callWait: RtmClient has this as call_wait"):
        client.callWait("f")
    with pytest.raises(UnknownName, match="maxQueue: this argument is called max_queue here"):
        RtmClient("ws://rtm.example/", maxQueue=5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "ours"), [("CallWait", "call_wait"), ("Call", "call"), ("SubscribePush", "subscribe_push")]
)
def test_names_of_version_2_begin_with_a_capital_and_are_answered_likewise(name: str, ours: str) -> None:
    client: Any = RtmClient("ws://rtm.example/")
    with pytest.raises(UnknownName, match=f"^{name}: RtmClient has this as {ours}$"):
        getattr(client, name)


def test_no_secret_shows_in_a_repr_or_an_error() -> None:
    client = RtmClient("ws://rtm.example/?token=hidden", authentication={"token": "hidden"}, headers={"X": "hidden"})
    assert "hidden" not in repr(client)
    assert "hidden" not in repr(client._settings)
    with pytest.raises(ConfigurationError) as caught:
        RtmClient("hidden://rtm.example/")
    assert "hidden" not in str(caught.value)
