"""Checks of the arguments of a call before anything is sent, by whichever transport. Pure.

`Request` runs them when it is made and again after the middlewares. HTTPS would encode, drop or refuse some values in
its own way, and the WebSocket would send them; they are checked here so that both behave the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from os import PathLike
from typing import Any, NoReturn, cast
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import UNSET

from rcex_ws.address import encode_path
from rcex_ws.errors import ConfigurationError
from rcex_ws.headers import check_headers, is_token
from rcex_ws.options import Seconds, refusal, required_constraint
from rcex_ws.options.functions import accepts, is_sync_function
from rcex_ws.readers import is_text
from rcex_ws.secret import Secret, plain

__all__ = [
    "METHODS",
    "check_body",
    "check_method",
    "check_params",
    "check_progress",
    "check_segment",
    "check_timeout",
    "encode_json",
    "encoded_path",
    "path_text",
]

#: Spaces and control characters are not allowed in URLs; a `#` starts a fragment, which is never sent.
_NOT_IN_PATHS = re.compile(r"[\x00-\x20\x7f\\#]")

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

#: Python refuses to print integers of some thousand digits.
_MAX_BITS = 4096


def _enc_hook(value: object) -> object:
    if isinstance(value, Secret):
        return plain(value)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_encode = msgspec.json.Encoder(enc_hook=_enc_hook).encode

_FILES_SHAPE = "expected {name: file} or [(name, file)]"
_QUERY_VALUES = "text, numbers, True, False or None, or a list of these"


def encode_json(value: object) -> bytes:
    """Encode the JSON body of a call.

    Raises:
        ConfigurationError: the value cannot be represented in JSON.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError, msgspec.MsgspecError) as exc:
        raise ConfigurationError(f"json: cannot be encoded as JSON: {exc}") from None


def check_segment(id: object) -> str:
    """Return an id as text for a path; `.` and `..` would lead to another path.

    Raises:
        ConfigurationError: it is neither text nor an integer, or it is empty, `.`, `..`, or has a lone surrogate.
    """
    if not isinstance(id, (str, int)) or isinstance(id, bool):
        _refuse("id", "expected text or a whole number", id)
    text = str(id)
    if text in {"", ".", ".."} or not is_text(text):
        raise ConfigurationError(f"id: {text!r} cannot be a segment of a path")
    return text


@lru_cache(maxsize=1024)
def encoded_path(path: str) -> str:
    """Return the path of a call as it is sent, in ASCII.

    Raises:
        ConfigurationError: it is neither a path nor an http(s) URL, or would lead to another place than it shows.
    """
    if not path.startswith(("/", "https://", "http://")):
        raise ConfigurationError("path: expected one that begins with a slash, or an absolute http(s) URL")
    if _NOT_IN_PATHS.search(path) or not is_text(path):
        raise ConfigurationError("path: has a space, `#`, backslash, control or half character; encode it, as in %20")
    local = path.partition("?")[0]
    if not path.startswith("/"):
        try:
            parts = urlsplit(path)
            well_formed = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        except ValueError:
            well_formed = False
        if not well_formed:  # parsers disagree on the host of such URLs
            raise ConfigurationError("path: is a URL with user info or without a plain host name and port")
    if not {".", ".."}.isdisjoint(unquote(segment) for segment in local.split("/")):
        raise ConfigurationError("path: has `.` or `..` as a segment, which would lead elsewhere")
    return encode_path(path)


def path_text(path: object) -> str:
    """Return a path as plain `str`; it may be a subclass, such as a member of an enum.

    Raises:
        ConfigurationError: it is not text.
    """
    if not isinstance(path, str):
        _refuse("path", "expected a path such as /restapi/v1.0/account/~", path)
    return str.__str__(path)  # not every transport accepts a subclass


def check_method(method: object) -> None:
    """Raise if the value is not an HTTP method.

    Raises:
        ConfigurationError: it is not one.
    """
    if not is_token(method):
        _refuse("method", "expected a method such as GET", method)


def check_timeout(timeout: object) -> None:
    """Raise if the value is not a positive number of seconds.

    Raises:
        ConfigurationError: it is not one.
    """
    if not _SECONDS.admits(timeout):
        raise refusal("timeout", _SECONDS, timeout)


_SECONDS = required_constraint(Seconds)


def check_params(argument: str, params: object) -> None:
    """Raise if the value cannot be sent as a query or as form fields.

    Args:
        argument: name of the argument, for the message.
        params: value of the argument.

    Raises:
        ConfigurationError: a member is invalid; the message names it.
    """
    if not isinstance(params, Mapping):
        _refuse(argument, "expected a dict of names and values", params)
    for name, value in cast("Mapping[object, object]", params).items():
        if not isinstance(name, str) or not is_text(name):
            _refuse(argument, "a name must be text", name)
        many = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else (value,)
        for one in many:
            if not isinstance(one, (str, int, float)) and one is not None:
                hint = "; write a time as text, with .isoformat()" if hasattr(one, "isoformat") else ""
                _refuse(argument, f"{name}: expected {_QUERY_VALUES}{hint}", one)
            if (isinstance(one, float) and one - one != 0) or (isinstance(one, str) and not is_text(one)):
                raise ConfigurationError(f"{argument}: {name}: is not a number, or has half a character in it")
            if isinstance(one, int) and one.bit_length() > _MAX_BITS:
                raise ConfigurationError(f"{argument}: {name}: has too many digits")


def check_progress(progress: object, *, files: object = ()) -> None:
    """Raise if the value cannot be called with the bytes done and in all.

    Args:
        progress: the caller's function; None for none.
        files: the files whose sending it is to follow; None if there are none.

    Raises:
        ConfigurationError: it is not such a function, or there is nothing to follow.
    """
    if progress is None:
        return
    if not is_sync_function(progress) or not accepts(progress, 2):
        _refuse("progress", "expected a function that is not async and takes the bytes done and in all", progress)
    if files is None:
        raise ConfigurationError("progress: is for a call with files=, or for download()")


def check_body(*, json: object, data: object, files: object, content: object) -> None:
    """Raise if the body cannot be sent, or if there is more than one.

    Args:
        json: JSON body; UNSET for none.
        data: form fields; with `files` they are parts.
        files: parts of a multipart body.
        content: body as bytes or text.

    Raises:
        ConfigurationError: an argument is invalid; the message names it.
    """
    if files is not None:
        _check_files(files)
    if content is not None and not isinstance(content, (str, bytes)):
        _refuse("content", "expected bytes or text", content)
    if data is not None:
        _check_data(data)
    given = [name for name, value in (("data", data), ("content", content)) if value is not None]
    if json is not UNSET:
        given.append("json")
    if content is not None and files is not None:
        given.append("files")
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(sorted(given))}: a call has one body; pass one of them")


def _check_data(data: object) -> None:
    if not isinstance(data, Mapping):
        _refuse("data", "expected a dict of form fields; for a ready body there is content=", data)
    fields = cast("Mapping[object, object]", data)
    check_params("data", {name: value for name, value in fields.items() if not isinstance(value, bytes)})


def _check_files(files: object) -> None:
    if isinstance(files, Mapping):
        files = list(cast("Mapping[object, object]", files).items())
    if not isinstance(files, (list, tuple)):
        _refuse("files", _FILES_SHAPE, files)
    for pair in cast("Sequence[Any]", files):
        if not _is_tuple(pair, 2) or not isinstance(pair[0], str):
            _refuse("files", _FILES_SHAPE, pair)
        name, file = pair
        if _is_tuple(file, 2, 3, 4):  # (filename, file, type, headers), as in httpx
            _check_part_headers(name, *file[2:])
            file = file[1]
        if not isinstance(file, (str, bytes, PathLike)) and not hasattr(file, "read"):
            _refuse("files", f"{name}: expected bytes, text, an open file, a path, or (filename, file, type)", file)


def _check_part_headers(name: str, content_type: object = None, headers: object = None) -> None:
    """Refuse what would end the head of a part early, so that the rest would be taken for its content."""
    check_headers({} if headers is None else headers, name=f"files: {name}")
    if content_type is not None:
        check_headers({"Content-Type": content_type}, name=f"files: {name}")


def _is_tuple(value: object, *lengths: int) -> bool:
    return isinstance(value, tuple) and len(cast("tuple[object, ...]", value)) in lengths


def _refuse(argument: str, expected: str, value: object) -> NoReturn:
    raise ConfigurationError(f"{argument}: {expected}, but it is of type {type(value).__name__}")
