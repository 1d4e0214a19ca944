"""What was asked that is not there: paths, methods and event filters that are not served, with the closest that are.

Filled by `api/application.py`, read through `Gateway.near_misses()` and `GET /_gateway/near_misses`. A test that passes
although its program has got 404 is the commonest way to believe in a fake too much.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from rcex_ws.gateway.journal import Journal, redacted

__all__ = ["SUBSCRIBE", "NearMisses"]

SUBSCRIBE = "SUBSCRIBE"
"""What stands for the method if an event filter is asked for."""

_MOST = 1000
"""Different requests; the oldest are dropped first."""
_LONGEST = 200
_PARAMETER = re.compile(r"\{\w+\}")
_ID = re.compile(r"(?<=/)(?:~|[0-9][0-9,]*|[0-9a-f]{8}-[0-9a-f-]+)(?=/|$)")
_ALIKE = 0.6
"""How alike two paths must be, from 0 to 1, to be called close."""


class NearMisses:
    """Requests for what is not there, each counted.

    Args:
        journal: the log, which gets one entry for each request when it is made first.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._served: dict[str, list[tuple[str, str]]] = {}
        self._all: dict[tuple[str, str], dict[str, Any]] = {}

    def serve(self, operations: Iterable[tuple[str, str]]) -> None:
        """Say what is there: methods and paths, with their parameters in braces."""
        for method, path in operations:
            self._served.setdefault(_PARAMETER.sub("~", path), []).append((method, path))

    def add(self, method: str, path: str, why: str) -> None:
        """Count a request.

        Args:
            method: its method, or `SUBSCRIBE`.
            path: its path.
            why: "path", "method" or "filter", whichever is not there.
        """
        shown = redacted(_ID.sub("~", path))[:_LONGEST]
        known = self._all.get((method, shown))
        if known is not None:
            known["count"] += 1
            return
        miss = {"method": method, "path": shown, "missing": why, "closest": self._closest(method, shown), "count": 1}
        self._all[method, shown] = miss
        while len(self._all) > _MOST:
            del self._all[next(iter(self._all))]
        self._journal.add("near_miss", method=method, path=shown, missing=why, closest=miss["closest"])

    def entries(self) -> list[dict[str, Any]]:
        """Return all requests, each with its count and what is closest to it, the oldest first."""
        return [dict(miss) for miss in self._all.values()]

    def clear(self) -> None:
        """Forget all requests."""
        self._all.clear()

    def _closest(self, method: str, path: str) -> str | None:
        of_its_kind = {
            shown: served
            for shown, all_served in self._served.items()
            if (served := [one for one in all_served if (one[0] == SUBSCRIBE) == (method == SUBSCRIBE)])
        }
        found = difflib.get_close_matches(path, of_its_kind, n=1, cutoff=_ALIKE)
        if not found:
            return None
        served = of_its_kind[found[0]]
        return " ".join(next((one for one in served if one[0] == method), served[0]))
