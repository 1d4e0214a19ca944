"""The path builder: `rc.restapi().account().extension().get()`, without `await`."""

from __future__ import annotations

from rcex_ws import rest
from rcex_ws.blocking.path_calls import BlockingPathCalls

__all__ = ["PathBuilder"]


class PathBuilder(BlockingPathCalls):
    """Builder of a path, one segment per attribute, with a method for each HTTP method.

    It builds as `rcex_ws.rest.PathBuilder` does: `builder.message_store(id)` appends "/message-store/id".

    Args:
        inner: the async builder.
        client: the client it calls, which is not collected as long as there is a path of it.
    """

    def __init__(self, inner: rest.PathBuilder, client: object) -> None:
        super().__init__(inner)
        self._client = client

    def __getattr__(self, name: str) -> PathBuilder:
        if name.startswith("_"):  # looked up by copy, pickle and shells
            raise AttributeError(name)
        return PathBuilder(getattr(self._inner, name), self._client)

    def __getitem__(self, segment: str) -> PathBuilder:
        """Append a segment as it is, quoted where needed.

        Raises:
            ConfigurationError: it is not text, or it is empty, `.` or `..`.
        """
        return PathBuilder(self._inner[segment], self._client)

    def __call__(self, id: str | int | None = None) -> PathBuilder:
        """Append an id; None appends "~" after account and extension, else nothing.

        Raises:
            ConfigurationError: the id is neither text nor an integer, or it is empty, `.` or `..`.
        """
        return PathBuilder(self._inner(id), self._client)

    def __str__(self) -> str:
        return str(self._inner)
