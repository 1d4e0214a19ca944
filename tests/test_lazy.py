"""Names that a package imports when they are first used."""

from __future__ import annotations

import sys

import pytest

from rcex_ws.lazy import lazy_names


def test_a_name_comes_from_its_module() -> None:
    load = lazy_names("email", {"Message": ".message"})
    from email.message import Message

    assert load("Message") is Message


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'email' has no attribute 'Nonsense'"):
        lazy_names("email", {"Message": ".message"})("Nonsense")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rcex_ws.gateway.server", None)
    load = lazy_names("rcex_ws.gateway", {"Gateway": ".server"}, extra={"rcex_ws"}, advice="install it")
    with pytest.raises(ModuleNotFoundError, match="install it") as caught:
        load("Gateway")
    assert caught.value.name == "rcex_ws.gateway.server"


def test_another_missing_module_is_not_blamed_on_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rcex_ws.gateway.server", None)
    load = lazy_names("rcex_ws.gateway", {"Gateway": ".server"}, extra={"starlette"}, advice="install it")
    with pytest.raises(ModuleNotFoundError, match=r"rcex_ws\.gateway\.server"):
        load("Gateway")
