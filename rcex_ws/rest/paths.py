"""The path builder: `rc.restapi().account().extension().get()`.

One generic class serves every path of the API; made by `RingCentral.restapi` and `RingCentral.path`. Its HTTP methods
send calls through the client; the rest is pure.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final, Unpack
from urllib.parse import quote

from rcex_ws.errors import UnknownName
from rcex_ws.options import FilePath, Name, keywords_only, refusal, required_constraint
from rcex_ws.rest.batch import BatchResult, get_batch
from rcex_ws.rest.download import download
from rcex_ws.rest.message import Options, Response
from rcex_ws.rest.methods import ClientMethods
from rcex_ws.rest.outgoing import check_segment
from rcex_ws.rest.paging import Pages, Records

__all__ = ["CURRENT", "PathBuilder"]

#: Segments that get "~" when called without an id, each with the beginning that its path must have. "~" means the
#: account or extension of the user who is logged in (RingCentral API reference). From the default arguments in the
#: path classes of @rc-ex/core 1.8.6, generated from RingCentral's OpenAPI description; `account` and `extension` under
#: /rcvideo have no default there, and the API reference has "~" for them.
CURRENT: Final = {
    "account": "/",
    "extension": "/",
    "accounts": "/restapi/v2/",
    "extensions": "/restapi/v2/",
}


class PathBuilder:
    """Builder of a path, one segment per attribute, with a method for each HTTP method.

    `builder.message_store(id)` appends "/message-store/id": underscores become hyphens, capitals stay (SCIM's
    `Users`). A name with an underscore at its end stands for the one without, which is a keyword of Python or a method
    here: `from_`, `get_`. `builder[".search"]` appends any segment as it is. `account()` and `extension()` without an
    id append "~", and so do `accounts()` and `extensions()` under /restapi/v2.

    The HTTP methods return decoded JSON, the bytes of any other content, or None if there is no content; `rc.get` and
    the like return status and headers, too.

    Args:
        rc: client that sends the calls.
        path: the path so far.
    """

    __slots__ = ("_path", "_rc")

    def __init__(self, rc: ClientMethods, path: str) -> None:
        self._rc = rc
        self._path = path

    def __getattr__(self, name: str) -> PathBuilder:
        if name.startswith("_"):  # looked up by copy, pickle and shells
            raise AttributeError(name)
        if name == "list":
            raise UnknownName(
                "list: get(params=...) reads a page of a list here, and list_all() the records of all its pages; "
                "['list'] takes it as it is"
            )
        if not name.islower() and name[0].islower():  # SCIM has capitalized names: Users, ServiceProviderConfig
            snake_case = re.sub("[A-Z]+", lambda capitals: f"_{capitals[0].lower()}", name)
            raise UnknownName(
                f'{name}: this segment is called {snake_case} here; [{name!r}] takes it as it is, and rc.path("/...") '
                "any path"
            )
        return PathBuilder(self._rc, f"{self._path}/{name.removesuffix('_').replace('_', '-')}")

    def __getitem__(self, segment: str) -> PathBuilder:
        """Append a segment as it is, quoted where needed.

        Raises:
            ConfigurationError: it is not text, or it is empty, `.` or `..`.
        """
        if not isinstance(segment, str):  # pyright: ignore[reportUnnecessaryIsInstance] - nor can it be iterated over
            raise refusal("segment", _NAME, segment)
        return PathBuilder(self._rc, f"{self._path}/{quote(check_segment(segment), safe='~,')}")

    def __call__(self, id: str | int | None = None) -> PathBuilder:
        """Append an id.

        Args:
            id: text or integer, quoted where needed; None appends "~" after account and extension (and, under
                /restapi/v2, accounts and extensions), else nothing.

        Raises:
            ConfigurationError: the id is neither text nor an integer, or it is empty, `.` or `..`.
        """
        if id is None:
            beginning = CURRENT.get(self._path.rpartition("/")[2])
            if beginning is None or not self._path.startswith(beginning):
                return self
            id = "~"
        return PathBuilder(self._rc, f"{self._path}/{quote(check_segment(id), safe='~,')}")

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"<PathBuilder {self._path}>"

    @keywords_only
    async def get(self, **options: Unpack[Options]) -> Any:
        """Send a GET; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("GET", self._path, **options))

    @keywords_only
    async def post(self, **options: Unpack[Options]) -> Any:
        """Send a POST; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("POST", self._path, **options))

    @keywords_only
    async def put(self, **options: Unpack[Options]) -> Any:
        """Send a PUT; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("PUT", self._path, **options))

    @keywords_only
    async def patch(self, **options: Unpack[Options]) -> Any:
        """Send a PATCH; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("PATCH", self._path, **options))

    @keywords_only
    async def delete(self, **options: Unpack[Options]) -> Any:
        """Send a DELETE; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("DELETE", self._path, **options))

    def list_all(self, **options: Unpack[Options]) -> AsyncIterator[Any]:
        """Iterate over the records of all pages of a list: `async for message in ....message_store().list_all()`.

        A page is requested when its first record is; leave the loop whenever you like.

        Args:
            **options: params (perPage, for instance), headers, timeout; as in `RingCentral.request`.

        Raises:
            PagingError: the server leads to another host or to a page that has come before.
            NotJSON: an answer is not a page of a list.
            RcexError: as in `RingCentral.send`, for each page.
        """
        return Records(self.pages(**options))

    def pages(self, **options: Unpack[Options]) -> AsyncIterator[dict[str, Any]]:
        """Iterate over the pages of a list, each as decoded JSON; arguments and errors as in `list_all`."""
        return Pages(self._rc, self._path, options)

    async def batch(
        self, ids: Iterable[str | int], *, suffix: str = "", **options: Unpack[Options]
    ) -> list[BatchResult]:
        """Get many resources by their ids, 30 in one call: `await ....message_store().batch([id, id])`.

        Args:
            ids: ids of the resources; one that is repeated is asked for once.
            suffix: what follows the id in the path: `account().extension.batch(ids, suffix="/presence")`.
            **options: params, headers, timeout for each call; as in `RingCentral.request`.

        Returns:
            A result for each id, in their order; one that failed has an `error`, the others are not affected.

        Raises:
            ConfigurationError: an id cannot be one.
            RcexError: as in `RingCentral.send`, when a call as a whole fails.
        """
        return await get_batch(self._rc, self._path, ids, suffix, options)

    async def download_to(self, to: FilePath, **options: Unpack[Options]) -> Path:
        """Write what is at this path to a file; arguments and errors as in `RingCentral.download`."""
        return await download(self._rc, self._path, to, options)


def _decoded(response: Response) -> Any:
    if not response.content:
        return None
    kind = response.content_type
    # Answers by WebSocket may lack headers; they are JSON.
    if not kind or kind == "application/json" or kind.endswith("+json"):
        return response.json()
    return response.content


_NAME = required_constraint(Name)
