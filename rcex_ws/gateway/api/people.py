"""Extensions."""

from __future__ import annotations

from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea

__all__ = ["area"]

area = RestArea("Accounts", permission="ReadAccounts")


@area.get(EXTENSION)
def read_extension(ask: Ask[None, None]) -> Json:
    """Read an extension."""
    one = ask.extension
    first, _, last = one.name.partition(" ")
    return {
        "uri": f"{ask.server}{one.uri}",
        "id": int(one.id),
        "extensionNumber": one.number,
        "name": one.name,
        "type": "User",
        "status": "Enabled",
        "account": {"id": ACCOUNT_ID, "uri": f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}"},
        "contact": {"firstName": first, "lastName": last, "email": one.username},
    }
