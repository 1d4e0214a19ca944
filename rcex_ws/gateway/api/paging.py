"""One page of a list, with the members `navigation` and `paging` of RingCentral's lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlencode

from msgspec import Meta, Struct

from rcex_ws.gateway.api.operation import Ask, Json

__all__ = ["PagedQuery", "PositiveNumber", "page_of"]

PositiveNumber: TypeAlias = Annotated[int, Meta(ge=1, le=10**9)]


class PagedQuery(Struct, rename="camel"):
    """Which page of a list to return."""

    page: PositiveNumber = 1
    per_page: PositiveNumber = 100


def page_of(
    ask: Ask[PagedQuery, None], uri: str, found: Sequence[Any], body: Callable[[Any], Any] | None = None
) -> Json:
    """Return the page of a list that the query asks for.

    Args:
        ask: the request.
        uri: the absolute URI of the list.
        found: all members of the list.
        body: returns the JSON form of a member, None if they have it already.
    """
    page, size = ask.query.page, ask.query.per_page
    first = (page - 1) * size
    records = found[first : first + size]
    pages = -(-len(found) // size)
    paging = {"page": page, "perPage": size, "totalPages": pages, "totalElements": len(found)}
    if records:
        paging |= {"pageStart": first, "pageEnd": first + len(records) - 1}
    others = [
        (name, value) for name, value in ask.request.query_params.multi_items() if name not in ("page", "perPage")
    ]

    def at(number: int) -> dict[str, str]:
        return {"uri": f"{uri}?{urlencode([*others, ('page', number), ('perPage', size)])}"}

    navigation = {"firstPage": at(1), "lastPage": at(max(pages, 1))}
    if page < pages:
        navigation["nextPage"] = at(page + 1)
    if 1 < page <= pages:
        navigation["previousPage"] = at(page - 1)
    return {
        "uri": at(page)["uri"],
        "records": list(records) if body is None else [body(one) for one in records],
        "navigation": navigation,
        "paging": paging,
    }
