"""The pytest fixtures of the package; pytest loads this module through the entry point `rcex_ws`.

Every pytest run in an environment with this package imports it, so it imports nothing but pytest: the gateway, its web
framework and the network code are imported by the fixtures that need them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rcex_ws.gateway import Gateway
    from rcex_ws.testing import FakeSlack, FaultProxy


@pytest.fixture
def gateway_options() -> dict[str, Any]:
    """Return the options of the `gateway` fixture; override it in tests that need other than the defaults."""
    return {}


@pytest.fixture
def gateway(gateway_options: dict[str, Any]) -> Iterator[Gateway]:
    """Run a local RingCentral for one test, in its own thread; for sync and async tests."""
    from rcex_ws.gateway import Gateway

    with Gateway(**gateway_options) as gateway:
        yield gateway


@pytest.fixture
def proxied_gateway(gateway_options: dict[str, Any]) -> Iterator[tuple[Gateway, FaultProxy]]:
    """Run a local RingCentral whose WebSocket is reached through a `FaultProxy`; yield both."""
    from rcex_ws.testing import proxied_gateway

    with proxied_gateway(**gateway_options) as both:
        yield both


@pytest.fixture
def fault_proxy() -> Iterator[Callable[[str], FaultProxy]]:
    """Yield a function that starts a `FaultProxy` for a URL's host and port; all stop with the test."""
    from rcex_ws.testing import FaultProxy

    with ExitStack() as stack:
        yield lambda url: stack.enter_context(FaultProxy.to(url))


@pytest.fixture
def fake_slack() -> Iterator[FakeSlack]:
    """Run a local Slack for one test, in its own thread; for sync and async tests."""
    from rcex_ws.testing import FakeSlack

    with FakeSlack() as slack:
        yield slack
