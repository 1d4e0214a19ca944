"""What users see of a subscription: read from a dict of an earlier process, or of the server."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from rcex_ws import ConfigurationError, Notification, SubscriptionInfo
from rcex_ws.errors import UnknownName
from rcex_ws.wsg.frames import Envelope


@pytest.mark.parametrize("id_", ["7", 7], ids=["text", "number"])
def test_an_id_may_be_a_number(id_: Any) -> None:
    info = SubscriptionInfo.from_dict({"id": id_, "eventFilters": ["/a"]})
    assert (info.id, info.event_filters) == ("7", ("/a",))
    assert SubscriptionInfo.from_dict(info.to_dict()) == info


@pytest.mark.parametrize("info", [{}, {"id": None, "eventFilters": []}, {"id": "7", "eventFilters": 5}])
def test_anything_else_is_refused(info: Any) -> None:
    with pytest.raises((ConfigurationError, TypeError, ValueError)):
        SubscriptionInfo.from_dict(info)


@pytest.mark.parametrize(("name", "ours"), [("subscriptionId", "subscription_id"), ("ownerId", "owner_id")])
def test_a_member_of_a_notification_has_our_name_in_the_error(name: str, ours: str) -> None:
    notification = Notification("u", "/a", 0.0, Envelope("/a"), Raw(b"{}"), 0.0)
    with pytest.raises(UnknownName, match=rf"^{name}: Notification has this as {ours}$"):
        getattr(notification, name)
    with pytest.raises(UnknownName, match=rf"^\['{name}'\]: .* attributes here"):
        notification[name]  # type: ignore[index]
