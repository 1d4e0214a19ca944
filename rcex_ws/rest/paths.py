"""The path builder: `rc.restapi().account().extension().get()`.

One generic class serves every path of the API; made by `RingCentral.restapi` and `RingCentral.path`. Its HTTP methods
send calls through the client; the rest is pure.
"""

from __future__ import annotations

import re
from typing import Any, Unpack
from urllib.parse import quote

from rcex_ws.errors import UnknownName
from rcex_ws.rest.message import Options, Response
from rcex_ws.rest.methods import ClientMethods
from rcex_ws.rest.outgoing import check_segment

__all__ = ["PathBuilder"]

# Called without an id, these mean those of the user who is logged in (RingCentral API reference).
_CURRENT = frozenset({"account", "extension"})


class PathBuilder:
    """Builder of a path, one segment per attribute, with a method for each HTTP method.

    `builder.message_store(id)` appends "/message-store/id"; `account()` and `extension()` without an id append "~".
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
        if not name.islower() and name[0].islower():  # SCIM has capitalized names: Users, ServiceProviderConfig
            snake_case = re.sub("[A-Z]+", lambda capitals: f"_{capitals[0].lower()}", name)
            raise UnknownName(
                f'{name}: this segment is called {snake_case} here; rc.path("/...") takes any path as it is'
            )
        return PathBuilder(self._rc, f"{self._path}/{name.replace('_', '-')}")

    def __call__(self, id: str | int | None = None) -> PathBuilder:
        """Append an id.

        Args:
            id: text or integer, quoted where needed; None appends "~" after account and extension, else nothing.

        Raises:
            ConfigurationError: the id is neither text nor an integer, or it is empty, `.` or `..`.
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
        """Send a GET; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("GET", self._path, **options))

    async def post(self, **options: Unpack[Options]) -> Any:
        """Send a POST; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("POST", self._path, **options))

    async def put(self, **options: Unpack[Options]) -> Any:
        """Send a PUT; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("PUT", self._path, **options))

    async def patch(self, **options: Unpack[Options]) -> Any:
        """Send a PATCH; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("PATCH", self._path, **options))

    async def delete(self, **options: Unpack[Options]) -> Any:
        """Send a DELETE; options and errors as in `RingCentral.request`."""
        return _decoded(await self._rc.request("DELETE", self._path, **options))


def _decoded(response: Response) -> Any:
    if not response.content:
        return None
    kind = response.content_type
    # Answers by WebSocket may lack headers; they are JSON.
    if not kind or kind == "application/json" or kind.endswith("+json"):
        return response.json()
    return response.content
