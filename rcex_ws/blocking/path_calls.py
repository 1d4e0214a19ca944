"""Generated from `rcex_ws.rest.paths.PathBuilder` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Unpack

import rcex_ws.rest
from rcex_ws.blocking.facade import Facade
from rcex_ws.blocking.iteration import Iteration
from rcex_ws.blocking.loop_thread import run, run_sync
from rcex_ws.options import FilePath, keywords_only
from rcex_ws.rest.batch import BatchResult
from rcex_ws.rest.message import Options

__all__ = ["BlockingPathCalls"]


class BlockingPathCalls(Facade[rcex_ws.rest.PathBuilder]):
    """Builder of a path, one segment per attribute, with a method for each HTTP method."""

    @keywords_only
    def get(self, **options: Unpack[Options]) -> Any:
        """Send a GET; options and errors as in `RingCentral.request`."""
        return run(lambda: self._inner.get(**options))

    @keywords_only
    def post(self, **options: Unpack[Options]) -> Any:
        """Send a POST; options and errors as in `RingCentral.request`."""
        return run(lambda: self._inner.post(**options))

    @keywords_only
    def put(self, **options: Unpack[Options]) -> Any:
        """Send a PUT; options and errors as in `RingCentral.request`."""
        return run(lambda: self._inner.put(**options))

    @keywords_only
    def patch(self, **options: Unpack[Options]) -> Any:
        """Send a PATCH; options and errors as in `RingCentral.request`."""
        return run(lambda: self._inner.patch(**options))

    @keywords_only
    def delete(self, **options: Unpack[Options]) -> Any:
        """Send a DELETE; options and errors as in `RingCentral.request`."""
        return run(lambda: self._inner.delete(**options))

    def list_all(self, **options: Unpack[Options]) -> Iterator[Any]:
        """Iterate over the records of all pages of a list: `for message in ....message_store().list_all()`.

        A page is requested when its first record is; leave the loop whenever you like.

        Args:
            **options: params (perPage, for instance), headers, timeout; as in `RingCentral.request`.

        Raises:
            PagingError: the server leads to another host or to a page that has come before.
            NotJSON: an answer is not a page of a list.
            RcexError: as in `RingCentral.send`, for each page.
        """
        return Iteration(run_sync(lambda: self._inner.list_all(**options)))

    def pages(self, **options: Unpack[Options]) -> Iterator[dict[str, Any]]:
        """Iterate over the pages of a list, each as decoded JSON; arguments and errors as in `list_all`."""
        return Iteration(run_sync(lambda: self._inner.pages(**options)))

    def batch(self, ids: Iterable[str | int], *, suffix: str = "", **options: Unpack[Options]) -> list[BatchResult]:
        """Get many resources by their ids, 30 in one call: `....message_store().batch([id, id])`.

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
        return run(lambda: self._inner.batch(ids, suffix=suffix, **options))

    def download_to(self, to: FilePath, **options: Unpack[Options]) -> Path:
        """Write what is at this path to a file; arguments and errors as in `RingCentral.download`."""
        return run(lambda: self._inner.download_to(to, **options))
