"""`DebugExtension`: shows calls, answers and errors, without secrets. The counterpart of @rc-ex/debug."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, cast
from urllib.parse import urlencode

from rcex_ws.errors import RcexError
from rcex_ws.loop import now
from rcex_ws.options import NamesOfJavaScript, checked
from rcex_ws.rest.errors import RestError
from rcex_ws.rest.extension import Extension
from rcex_ws.rest.message import UNSET, Request, Response, Send
from rcex_ws.rest.outgoing import encode_json
from rcex_ws.rest.url import build_url
from rcex_ws.secret import redact

__all__ = ["DebugExtension", "LoggingAction"]

logger = logging.getLogger("rcex_ws.rest")

LoggingAction = Callable[[str], None]
"""Called with one message of several lines; must neither wait nor block."""

#: Bytes of a body that are shown.
_MAX_BODY = 8192


def print_to_stderr(message: str) -> None:
    """Show a message whether logging is configured or not."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - whoever installs the extension requests it


class DebugExtension(NamesOfJavaScript, Extension):
    """Shows each call, and its answer or error, with numbers that tell which belong together.

    Tokens, secrets and passwords are replaced, wherever their names stand: in queries, headers, forms and JSON. What
    people write to each other is shown. The calls of a login and streams do not pass extensions, so they are not.

    Args:
        logging_action: gets each message; by default they are written to stderr.

    Raises:
        ConfigurationError: `logging_action` is not a function.
    """

    @checked
    def __init__(self, *, logging_action: LoggingAction = print_to_stderr) -> None:
        self._show = logging_action
        self._numbers = count(1)
        self._failed = False

    async def handle(self, request: Request, call_next: Send) -> Response:
        """Send a call, and show it and what becomes of it."""
        number, started = next(self._numbers), now()
        self._tell(f"#{number} {_head_of(request)}", request.headers, _body_of(request))
        try:
            response = await call_next(request)
        except RestError as error:
            self._tell_answer(number, started, error.response)
            raise
        except RcexError as error:
            self._tell(f"#{number} {type(error).__name__} after {now() - started:.3f} s: {error}", {}, b"")
            raise
        self._tell_answer(number, started, response)
        return response

    def _tell_answer(self, number: int, started: float, response: Response) -> None:
        head = f"#{number} {response.status_code} in {now() - started:.3f} s by {response.via}"
        self._tell(head, response.headers, _shown(response.content, response.content_type))

    def _tell(self, head: str, headers: Mapping[str, str], body: bytes) -> None:
        lines = [head.encode(errors="replace")]
        if headers:
            lines.append(json.dumps(dict(headers)).encode())
        if body:
            lines.append(body)
        try:
            self._show("\n".join(map(redact, lines)))
        except Exception:
            if not self._failed:  # once is enough to know, and the call goes on
                logger.exception("logging_action raised")
            self._failed = True


def _head_of(request: Request) -> str:
    return f"{request.method} {build_url('', request.path, request.params)}"


def _body_of(request: Request) -> bytes:
    if request.files is not None:
        pairs = cast("Any", request.files.items() if isinstance(request.files, Mapping) else request.files)
        return f"<files: {', '.join(str(name) for name, _ in pairs)}>".encode()
    if request.json is not UNSET:
        return _cut(encode_json(request.json))
    if request.data is not None:
        return _cut(urlencode(cast("Mapping[str, str]", request.data), doseq=True).encode())
    if request.content is None:
        return b""
    if isinstance(request.content, str):
        return _cut(request.content.encode(errors="replace"))
    return _shown(request.content, (request.header("Content-Type") or "").lower())


def _shown(content: bytes, content_type: str) -> bytes:
    if not content or "json" in content_type or "urlencoded" in content_type or content_type.startswith("text/"):
        return _cut(content)
    return f"<{len(content)} bytes of {content_type or 'unknown type'}>".encode(errors="replace")


def _cut(content: bytes) -> bytes:
    return content if len(content) <= _MAX_BODY else content[:_MAX_BODY] + b" ..."
