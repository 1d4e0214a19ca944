"""The path builder: `rc.restapi().account().extension().get()`.

One generic class serves every path of the API; made by `RingCentral.restapi` and `RingCentral.path`. Pure but for the
verbs, which go the client's whole way.
"""

from __future__ import annotations

import re
from typing import Any, Unpack
from urllib.parse import quote

from rcex_ws.errors import UnknownName
from rcex_ws.rest.core import CoreClient
from rcex_ws.rest.message import Options, Response
from rcex_ws.rest.outgoing import check_segment

__all__ = ["PathBuilder"]

# Called without an id these mean the one that is logged in (RingCentral API reference).
_CURRENT = frozenset({"account", "extension"})


class PathBuilder:
    """Build one path, a segment per attribute, and call it.

    `builder.message_store(id)` appends "/message-store/id"; `account()` and `extension()` without an id append "~".
    The verbs return decoded JSON, the bytes of any other content, or None where there is no content; take `rc.get` and
    its sisters for status and headers.

    Args:
        rc: sends the calls.
        path: the path so far.
    """

    __slots__ = ("_path", "_rc")

    def __init__(self, rc: CoreClient, path: str) -> None:
        self._rc = rc
        self._path = path

    def __getattr__(self, name: str) -> PathBuilder:
        if name.startswith("_"):  # what copy, pickle and shells look for is no segment
            raise AttributeError(name)
        if not name.islower() and name[0].islower():  # SCIM's names begin with a capital: Users, ServiceProviderConfig
            snake_case = re.sub("[A-Z]+", lambda capitals: f"_{capitals[0].lower()}", name)
            raise UnknownName(
                f'{name}: this segment is called {snake_case} here; rc.path("/...") takes any path as it is'
            )
        return PathBuilder(self._rc, f"{self._path}/{name.replace('_', '-')}")

    def __call__(self, id: str | int | None = None) -> PathBuilder:
        """Append an id.

        Args:
            id: quoted where needed; None appends "~" after account and extension, else nothing.

        Raises:
            ConfigurationError: it is no id: neither text nor a whole number, empty, `.` or `..`.
        """
        if id is None:
            if self._path.rpartition("/")[2] not in _CURRENT:
                return self
            id = "~"
        return PathBuilder(self._rc, f"{self._path}/{quote(check_segment(id), safe='~,')}")

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"<PathBuilder {self._path}>"

    async def get(self, **options: Unpack[Options]) -> Any:
        """Read; options and errors as in `RingCentral.request`, the result as above."""
        return _decoded(await self._rc.request("GET", self._path, **options))

    async def post(self, **options: Unpack[Options]) -> Any:
        """Create; options and errors as in `RingCentral.request`, the result as above."""
        return _decoded(await self._rc.request("POST", self._path, **options))

    async def put(self, **options: Unpack[Options]) -> Any:
        """Replace; options and errors as in `RingCentral.request`, the result as above."""
        return _decoded(await self._rc.request("PUT", self._path, **options))

    async def patch(self, **options: Unpack[Options]) -> Any:
        """Change in part; options and errors as in `RingCentral.request`, the result as above."""
        return _decoded(await self._rc.request("PATCH", self._path, **options))

    async def delete(self, **options: Unpack[Options]) -> Any:
        """Delete; options and errors as in `RingCentral.request`, the result as above."""
        return _decoded(await self._rc.request("DELETE", self._path, **options))


def _decoded(response: Response) -> Any:
    if not response.content:
        return None
    kind = response.content_type
    # Answers over the WebSocket may come without headers, and then are JSON.
    if not kind or kind == "application/json" or kind.endswith("+json"):
        return response.json()
    return response.content
