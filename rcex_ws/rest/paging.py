"""Lists page by page: where the next page is, and the records of a page.

Used by `rcex_ws.rest.paths`. The styles of paging are those in the answers of @rc-ex/core 1.8.6, generated from
RingCentral's OpenAPI description: `navigation.nextPage.uri`; `nextPageToken` in `navigation` (team messaging) or in
`paging` (A2P SMS, video, webinar), given back as `pageToken`; `paging` with page and totalPages alone (directory,
address book); SCIM's startIndex (RFC 7644, 3.4.2.4). The iterators are objects and no generators: one that is left
halfway leaves nothing open, so trio has nothing to warn about.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast

from rcex_ws.address import may_have_token
from rcex_ws.errors import ConfigurationError, NotJSON
from rcex_ws.rest.errors import PagingError
from rcex_ws.rest.message import Options, Params, Request
from rcex_ws.rest.methods import ClientMethods
from rcex_ws.rest.outgoing import encoded_path
from rcex_ws.rest.url import build_url, path_of

__all__ = ["Pages", "Records", "records_of"]

#: So many pages without a record may follow each other: a filter may leave some empty, but hardly so many.
_MOST_EMPTY: Final = 1000

#: A page to get: its path or URL, and its query parameters.
_Place = tuple[str, Params | None]


class Pages(AsyncIterator[dict[str, Any]]):
    """Iterator over the pages of a list. After an error it is still before the page that it could not get.

    Args:
        rc: client that sends the calls.
        path: path of the list.
        options: options of each call; the parameters go with the first, and on as far as the server does not set them.
    """

    def __init__(self, rc: ClientMethods, path: str, options: Options) -> None:
        if options.get("headers") is None:
            options["headers"] = {}
        Request("GET", path, **options)  # refuses wrong options at once, not when the first page is wanted
        self._rc = rc
        self._options = options
        self._next: _Place | PagingError | None = (path, options.pop("params", None))
        self._seen: set[str] = set()

    async def __anext__(self) -> dict[str, Any]:
        if self._next is None:
            raise StopAsyncIteration
        if isinstance(self._next, PagingError):  # told after the page that leads astray, whose records are good
            error, self._next = self._next, None
            raise error
        path, params = self._next
        # A copy: what is called takes the options apart.
        options = cast("Options", {**self._options, "params": params})
        response = await self._rc.request("GET", path, **options)
        page = response.json()
        if not isinstance(page, dict):
            raise NotJSON(f"GET {path_of(path)}: the answer is no page of a list")
        page = cast("dict[str, Any]", page)
        self._seen.add(build_url("", path, params))
        self._next = self._after(page, path, params)
        return page

    def _after(self, page: Mapping[str, Any], path: str, params: Params | None) -> _Place | PagingError | None:
        try:
            place = _next_place(page, path, params, self._rc.server)
        except PagingError as exc:
            return exc
        if place is not None and build_url("", *place) in self._seen:
            return PagingError(f"GET {path_of(path)}: the server leads back to a page that has come before")
        return place


class Records(AsyncIterator[Any]):
    """Iterator over the records of all pages.

    Args:
        pages: the pages.
    """

    def __init__(self, pages: AsyncIterator[dict[str, Any]]) -> None:
        self._pages = pages
        self._records: list[Any] = []  # of the page at hand, the next one last

    async def __anext__(self) -> Any:
        empty = 0
        while not self._records:
            if empty >= _MOST_EMPTY:
                raise PagingError(f"{empty} pages in a row have no record; the list has no end")
            self._records = records_of(await anext(self._pages))[::-1]
            empty += 1
        return self._records.pop()


def records_of(page: Mapping[str, Any]) -> list[Any]:
    """Return the records of a page: `records`, SCIM's `Resources`, or the only list there is, such as `meetings`.

    Raises:
        NotJSON: it is no page of a list.
    """
    for name in ("records", "Resources"):
        if isinstance(page.get(name), list):
            return cast("list[Any]", page[name])
    if "totalResults" in page:  # SCIM's page without results, which has a list of schemas
        return []
    lists = [cast("list[object]", value) for value in page.values() if isinstance(value, list)]
    if len(lists) == 1:
        return lists[0]
    if not lists and ("paging" in page or "navigation" in page):
        return []
    raise NotJSON("the answer is no page of a list, or has several lists; pages() gives it as it is")


def _next_place(page: Mapping[str, Any], path: str, params: Params | None, server: str) -> _Place | None:
    """Return where the page after this one is; None if this is the last.

    Raises:
        PagingError: it is not on the client's server.
    """
    navigation, paging = _object(page.get("navigation")), _object(page.get("paging"))
    if uri := _object(navigation.get("nextPage")).get("uri"):
        return _checked(uri, path, server), None
    if token := navigation.get("nextPageToken") or paging.get("nextPageToken"):
        return path, {**(params or {}), "pageToken": str(token)}
    number, total = paging.get("page"), paging.get("totalPages")
    # Where there is a navigation object, and only there, a missing nextPage means the last page.
    if not navigation and isinstance(number, int) and isinstance(total, int) and number < total:
        return path, {**(params or {}), "page": number + 1}
    start, results, found = page.get("startIndex"), page.get("totalResults"), page.get("Resources")
    if isinstance(start, int) and isinstance(results, int) and isinstance(found, list) and found:
        start += len(cast("list[object]", found))
        return (path, {**(params or {}), "startIndex": start}) if start <= results else None
    return None


def _checked(uri: object, path: str, server: str) -> str:
    """Return the URI of the next page if it is one of the client's server, or of another host of RingCentral's."""
    try:
        text = encoded_path(uri) if isinstance(uri, str) else ""
    except ConfigurationError:
        text = ""
    local = text.startswith("/") and not text.startswith("//")
    if not local and not (text and may_have_token(server, text)):
        raise PagingError(f"GET {path_of(path)}: the next page is not on the server, and the token stays there")
    return text


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
