"""Calls about more than the one subscription: those of the whole login, and the extensions of the account.

Used by `EventMethods`; sent by the client, over HTTPS or the socket as it likes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from rcex_ws.errors import BadFrame, ConfigurationError, NotJSON
from rcex_ws.readers import encodable, is_id, read_struct
from rcex_ws.rest import CoreClient, Request, RestError
from rcex_ws.wsg.models import SubscriptionInfo

__all__ = ["delete_subscription", "filters_of_all_extensions", "own_extension_id", "read_subscriptions"]

_EXTENSIONS = "/restapi/v1.0/account/~/extension"
_SUBSCRIPTIONS = "/restapi/v1.0/subscription"
_PER_PAGE = 1000
"""The most that RingCentral returns on a page (API reference, "List Extensions")."""
_MOST_PAGES = 1000


class _Extension(Struct):
    id: str | int


class _Paging(Struct, rename="camel", frozen=True):
    total_pages: int = 1


class _Page(Struct):
    records: list[_Extension]
    paging: _Paging = _Paging()


class _Subscriptions(Struct):
    records: list[dict[str, Any]]


async def own_extension_id(rc: CoreClient, timeout: float) -> str:
    """Return the id of the extension that is logged in.

    Raises:
        RcexError: it could not be read.
    """
    response = await rc.send(Request("GET", f"{_EXTENSIONS}/~", timeout=timeout))
    return str(_read(response.content, _Extension, "the own extension").id)


async def filters_of_all_extensions(rc: CoreClient, endings: Collection[str], timeout: float) -> list[str]:
    """Return event filters for all enabled users of the account, page by page.

    Args:
        rc: the client.
        endings: what comes after the extension in each filter, such as "presence?detailedTelephonyState=true".
        timeout: seconds for each page.

    Raises:
        RcexError: a page could not be read.
    """
    filters: list[str] = []
    for number in range(1, _MOST_PAGES + 1):
        query: dict[str, str | int] = {"type": "User", "status": "Enabled", "page": number, "perPage": _PER_PAGE}
        response = await rc.send(Request("GET", _EXTENSIONS, params=query, timeout=timeout))
        page = _read(response.content, _Page, "the list of extensions")
        filters += [f"{_EXTENSIONS}/{one.id}/{ending.lstrip('/')}" for one in page.records for ending in endings]
        if number >= page.paging.total_pages or not page.records:
            return filters
    raise BadFrame(f"the list of extensions does not end after {_MOST_PAGES} pages")


async def read_subscriptions(rc: CoreClient, timeout: float) -> list[SubscriptionInfo]:
    """Return all subscriptions of the user and the application, webhooks included.

    Raises:
        RcexError: they could not be read.
    """
    response = await rc.send(Request("GET", _SUBSCRIPTIONS, timeout=timeout))
    records = _read(response.content, _Subscriptions, "the list of subscriptions").records
    try:
        return [SubscriptionInfo.from_dict(encodable(record)) for record in records]
    except (TypeError, ValueError) as exc:
        raise BadFrame(f"a subscription of the list cannot be read: {exc}") from exc


async def delete_subscription(rc: CoreClient, subscription_id: str, timeout: float) -> None:
    """Delete a subscription; one that is gone already is no error.

    Raises:
        RcexError: the server refused, or was not reached.
    """
    if not is_id(subscription_id):
        raise ConfigurationError("subscription: its id cannot stand in a path")
    try:
        await rc.send(Request("DELETE", f"{_SUBSCRIPTIONS}/{subscription_id}", timeout=timeout))
    except RestError as exc:
        if exc.status_code != 404:
            raise


def _read(content: bytes, kind: type[Any], what: str) -> Any:
    try:
        return read_struct(content, kind)
    except NotJSON as exc:
        raise BadFrame(f"{what} cannot be read: {exc}") from exc
