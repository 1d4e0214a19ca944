"""Request and Response, which middlewares and transports pass along.

Our own plain objects, so that answers by WebSocket and by HTTPS look the same; used all over `rcex_ws.rest` and
`rcex_ws.wsg`. One Response is made per answer, so it is small and decodes nothing until asked.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypedDict

from msgspec import UNSET

from rcex_ws.errors import NotJSON
from rcex_ws.headers import check_headers
from rcex_ws.loop import now
from rcex_ws.options import LONGEST, NamesOfJavaScript
from rcex_ws.readers import printable, read_json
from rcex_ws.rest.headers import Headers
from rcex_ws.rest.outgoing import (
    METHODS,
    check_body,
    check_method,
    check_params,
    check_progress,
    check_timeout,
    encoded_path,
    path_text,
)

__all__ = ["UNSET", "Files", "Options", "Params", "Progress", "Request", "Response", "Send", "Via"]

Scalar: TypeAlias = str | int | float | bool | None
Params: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]
# As in httpx: {name: file} or [(name, file)]; a file is bytes, str, an open file, a path or a tuple (filename, file,
# type).
Files: TypeAlias = Mapping[str, Any] | Sequence[tuple[str, Any]]
# Called with the bytes done so far and in all, which is None if nobody knows.
Progress: TypeAlias = Callable[[int, int | None], object]
Via: TypeAlias = Literal["https", "websocket"]

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class Options(TypedDict, total=False):
    """Keyword options of one call, the same for every method; see `Request` for their meaning."""

    params: Params | None
    json: Any
    data: Mapping[str, Any] | None
    files: Files | None
    content: bytes | str | None
    headers: dict[str, str]
    timeout: float
    progress: Progress | None


@dataclass(slots=True, repr=False, eq=False)
class Request:
    """One call; a middleware may modify it before passing it on.

    Raises:
        ConfigurationError: an argument cannot be sent; the message names it.

    Attributes:
        method: HTTP method in upper case.
        path: "/restapi/..." on the client's server, or an absolute http(s) URL.
        params: query parameters; None values are skipped, sequences repeat the name.
        json: JSON body; UNSET for none (None is JSON's null); with `files` it becomes the first part.
        data: form fields.
        files: parts of a multipart body: form-data, or mixed with a header Content-Type of multipart/mixed.
        content: body as bytes or text.
        headers: headers in addition to the client's own.
        timeout: seconds for the whole call, including the wait at the rate gate; `math.inf` for no limit.
        progress: called while files are sent, with the bytes so far and in all; it begins again when the call does.
        deadline: end of the time-out on the event loop's clock; set each time the call leaves the middlewares.
        times_sent: how often it has left the middlewares; 0 if there are none.
    """

    method: str
    path: str
    params: Params | None = None
    json: Any = UNSET
    data: Mapping[str, Any] | None = None
    files: Files | None = None
    content: bytes | str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    timeout: float = 60.0
    progress: Progress | None = None
    deadline: float = field(default=math.inf, init=False)
    times_sent: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.check()
        self.method = self.method.upper()

    def check(self) -> None:
        """Raise if the call cannot be sent, by whichever transport; encode a path that is not ASCII.

        Raises:
            ConfigurationError: an argument is invalid; the message names it and quotes nothing that may be secret.
        """
        # Runs once or twice per call, so a usual argument costs one comparison and no function call.
        method, path, timeout = self.method, self.path, self.timeout
        if type(method) is not str or method not in METHODS:
            check_method(method)
        self.path = encoded_path(path if type(path) is str else path_text(path))
        if type(timeout) is not float or not 0.0 < timeout <= LONGEST:
            check_timeout(timeout)
        if (headers := self.headers) or type(headers) is not dict:
            check_headers(headers)
        if self.progress is not None:
            check_progress(self.progress, files=self.files)
        if self.params is not None:
            check_params("params", self.params)
        if self.data is not None or self.files is not None or self.content is not None:
            check_body(json=self.json, data=self.data, files=self.files, content=self.content)

    def start_clock(self) -> None:
        """Start the time-out."""
        self.deadline = now() + self.timeout

    def header(self, name: str) -> str | None:
        """Return the header of that name, ignoring case; None if there is none."""
        name = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == name), None)

    @property
    def accept(self) -> str:
        """The media types that the caller accepts; "*/*" by default."""
        return self.header("Accept") or "*/*"

    @property
    def idempotent(self) -> bool:
        """Whether sending the call twice has the same effect as sending it once."""
        return self.method in _IDEMPOTENT

    @property
    def harmless_twice(self) -> bool:
        """Whether sending the call twice does no harm, even if it is not idempotent: a login, a subscription."""
        return self.idempotent or self.path.startswith(("/restapi/oauth/", "/restapi/v1.0/subscription"))

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"  # a query or a header may hold a secret

    def __repr__(self) -> str:
        return f"<Request {self}>"


class Response(NamesOfJavaScript):
    """One answer, with the attribute names of httpx.

    Args:
        status_code: HTTP status code.
        headers: headers as received; lookups ignore case.
        content: body.
        via: transport that brought the answer.
    """

    __slots__ = ("content", "headers", "status_code", "via")

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes, via: Via = "https") -> None:
        self.status_code: int = status_code
        self.headers: Headers = Headers(headers)
        self.content: bytes = content
        self.via: Via = via

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "" if the answer has none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text, in the charset of the answer, else UTF-8."""
        from email.message import Message  # here, for it imports all of `email`

        parsed = Message()
        parsed["Content-Type"] = self.headers.get("Content-Type", "")
        try:
            return self.content.decode(parsed.get_content_charset("utf-8"), errors="replace")
        except (LookupError, ValueError):  # an unknown charset, or one that supports no replacement, such as idna
            return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Decode the body.

        Raises:
            NotJSON: the body is empty or not JSON.
        """
        try:
            return read_json(self.content)
        except NotJSON:
            raise NotJSON(f"the answer {self.describe()} is no JSON") from None

    def describe(self) -> str:
        """Return a description that quotes nothing of the body: "200 (5120 bytes, text/html)"."""
        content_type = printable(self.content_type) or "no content type"
        return f"{self.status_code} ({len(self.content)} bytes, {content_type})"

    def __reduce__(self) -> tuple[Any, ...]:  # older pickle protocols do not copy slots
        return Response, (self.status_code, dict(self.headers), self.content, self.via)

    def __repr__(self) -> str:
        return f"<Response {self.status_code}, {len(self.content)} bytes via {self.via}>"


Send: TypeAlias = Callable[[Request], Awaitable[Response]]
