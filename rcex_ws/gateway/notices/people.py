"""Tells subscribers of extensions that were added, changed or removed.

Used by the areas of the REST API that change one. Sources: RingCentral's API reference, "Extension List Event",
"Extension Info Event" and "Company Directory Event"; the last has no published body that says more than what to read.
"""

from __future__ import annotations

from typing import Literal

from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.core import GatewayCore

__all__ = ["tell_of_extension"]

_ACCOUNT = "/restapi/v1.0/account/~"


def tell_of_extension(
    core: GatewayCore, one: ExtensionRecord, event_type: Literal["Create", "Update", "Delete"], *hints: str
) -> None:
    """Publish the events of a changed extension.

    Args:
        core: the state of the gateway.
        one: the extension.
        event_type: what has become of it.
        hints: which parts of it have changed, such as "ExtensionInfo" or "ProfileImage".
    """
    change = {"extensionId": one.id, "eventType": event_type, **({"hints": list(hints)} if hints else {})}
    core.publish(f"{_ACCOUNT}/extension", {"extensions": [change]}, one)
    core.publish(f"{_ACCOUNT}/extension/~", change, one)
    core.publish(f"{_ACCOUNT}/directory/entries", {"entries": [{"id": one.id, "eventType": event_type}]}, one)
