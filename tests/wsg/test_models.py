"""What users see of a subscription: read from a dict of an earlier process, or of the server."""

from __future__ import annotations

from typing import Any

import pytest

from rcex_ws import ConfigurationError, SubscriptionInfo


@pytest.mark.parametrize("id_", ["7", 7], ids=["text", "number"])
def test_an_id_may_be_a_number(id_: Any) -> None:
    info = SubscriptionInfo.from_dict({"id": id_, "eventFilters": ["/a"]})
    assert (info.id, info.event_filters) == ("7", ("/a",))
    assert SubscriptionInfo.from_dict(info.to_dict()) == info


@pytest.mark.parametrize("info", [{}, {"id": None, "eventFilters": []}, {"id": "7", "eventFilters": 5}])
def test_anything_else_is_refused(info: Any) -> None:
    with pytest.raises((ConfigurationError, TypeError, ValueError)):
        SubscriptionInfo.from_dict(info)
