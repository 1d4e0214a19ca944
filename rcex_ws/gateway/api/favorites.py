"""Favorites: the colleagues whose presence a user watches (RingCentral's API reference, "Favorites")."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea

__all__ = ["area"]

area = RestArea("Favorites", permission="ReadContacts")

_FAVORITES = f"{EXTENSION}/favorite"
_EVENT = "/restapi/v1.0/account/~/extension/~/favorite"


class FavoriteItem(Struct, rename="camel"):
    """One favorite."""

    extension_id: Annotated[str, Meta(min_length=1, max_length=64)]


class FavoriteList(Struct):
    """All favorites of a user."""

    records: Annotated[list[FavoriteItem], Meta(max_length=100)]


@area.get(_FAVORITES)
def list_favorites(ask: Ask[None, None]) -> Json:
    """List the favorites of the caller."""
    one = ask.own_extension
    records = [
        {"id": number, "extensionId": other, "accountId": ACCOUNT_ID}
        for number, other in enumerate(ask.core.presence.watched(one.id).favorites, 1)
    ]
    return {"uri": f"{ask.server}{one.uri}/favorite", "records": records}


@area.put(_FAVORITES, permission="Contacts")
def write_favorites(ask: Ask[None, FavoriteList]) -> Json:
    """Replace the favorites of the caller; contacts that are no extensions are not kept."""
    one = ask.own_extension
    named = [ask.find_extension(item.extension_id).id for item in ask.body.records]
    ask.core.presence.watched(one.id).favorites = list(dict.fromkeys(named))
    ask.core.publish(_EVENT, {"extensionId": one.id, "ownerId": one.id}, one)
    return list_favorites(Ask(ask.core, ask.path, None, None, ask.request))
