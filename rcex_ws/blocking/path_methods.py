"""Generated from `rcex_ws.rest.path_methods.PathMethods` by `python -m tests.blocking.generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from rcex_ws.blocking.loop_thread import run
from rcex_ws.blocking.methods import BlockingClientMethods
from rcex_ws.blocking.paths import PathBuilder
from rcex_ws.options import FilePath, Name
from rcex_ws.rest.message import Options

__all__ = ["BlockingPathMethods"]


class BlockingPathMethods(BlockingClientMethods):
    """Client whose paths are built attribute by attribute."""

    def restapi(self, version: Name | None = "v1.0") -> PathBuilder:
        """Start a path with /restapi and the version; None leaves the version out."""
        return PathBuilder(self._inner.restapi(version), self)

    def scim(self, version: Name | None = "v2") -> PathBuilder:
        """Start a path with /scim and the version; None leaves the version out."""
        return PathBuilder(self._inner.scim(version), self)

    def team_messaging(self) -> PathBuilder:
        """Start a path with /team-messaging; go on with `.v1()`."""
        return PathBuilder(self._inner.team_messaging(), self)

    def rcvideo(self) -> PathBuilder:
        """Start a path with /rcvideo; go on with `.v1()` or `.v2()`."""
        return PathBuilder(self._inner.rcvideo(), self)

    def webinar(self) -> PathBuilder:
        """Start a path with /webinar; go on with `.configuration().v1()` and the like."""
        return PathBuilder(self._inner.webinar(), self)

    def analytics(self) -> PathBuilder:
        """Start a path with /analytics; go on with `.calls().v1()`."""
        return PathBuilder(self._inner.analytics(), self)

    def ai(self) -> PathBuilder:
        """Start a path with /ai; go on with `.ringsense().v1()` and the like."""
        return PathBuilder(self._inner.ai(), self)

    def cx(self) -> PathBuilder:
        """Start a path with /cx, the APIs of customer engagement products."""
        return PathBuilder(self._inner.cx(), self)

    def well_known(self) -> PathBuilder:
        """Start a path with /.well-known; go on with `.openid_configuration()`."""
        return PathBuilder(self._inner.well_known(), self)

    def path(self, path: Name) -> PathBuilder:
        """Start a path with any prefix: `rc.path("/team-messaging/v1").chats(id).posts().get()`."""
        return PathBuilder(self._inner.path(path), self)

    def download(self, path: str, *, to: FilePath, **options: Unpack[Options]) -> Path:
        """Write what is at a path or URI, such as that of an attachment, to a file.

        The body is written as it arrives, to a temporary file beside `to`, which takes its place once all has come;
        after a failure nothing is left. The time-out applies until the headers have come, then to each read.

        Args:
            path: "/restapi/..." or an absolute http(s) URL; other hosts than RingCentral's never receive the token.
            to: the file; one that exists is replaced, and keeps its permissions.
            **options: params, headers, timeout; progress(done, total) gets the bytes so far and in all, None if the
                server does not say.

        Returns:
            The path of the file.

        Raises:
            ConfigurationError: an argument is invalid, such as a folder that does not exist.
            RestError: an answer other than 2xx.
            TransportError: the connection was lost, or fewer or more bytes came than the server had said.
            OSError: the file cannot be written.
        """
        return run(lambda: self._inner.download(path, to=to, **options))
