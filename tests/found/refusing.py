"""What the tests of wrong inputs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rcex_ws import ConfigurationError
from rcex_ws.gateway import Gateway

__all__ = ["FILTER", "SECRET", "credentials", "refused"]

FILTER = "/restapi/v1.0/account/~/extension/~/message-store"
SECRET = "top-" + "secret"


def credentials(gateway: Gateway) -> dict[str, Any]:
    return {"server": gateway.server, "client_id": gateway.client_id, "client_secret": gateway.client_secret}


def refused(make: Callable[[], object], argument: str) -> str:
    """Check how a call is refused, and give the message."""
    with pytest.raises(ConfigurationError, match=rf"^{argument}: ") as caught:
        make()
    assert not caught.value.retryable
    return str(caught.value)
