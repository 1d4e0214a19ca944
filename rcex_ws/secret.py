"""What must not be shown: credentials in passing, and fields that hold them. Pure.

Nothing here encrypts. It keeps tokens out of what people print and send on: a repr, a rich repr, and tracebacks that
show local variables. Whatever serialises (JSON, pickle, a header, an f-string) gives the true value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, SupportsIndex, TypeVar, cast, get_type_hints, overload

from msgspec import Meta, Struct

__all__ = ["SECRET", "HiddenFields", "Secret", "SecretBytes", "SecretDict", "hide", "plain", "redact"]

T = TypeVar("T")

_NAME = (
    rb"[\w-]*(?:token|secret|password|passwd|assertion|authorization|credential|cookie|verifier|jwt|(?:api|access|auth)"
    rb"[_-]?key)[\w-]*"
)
_VALUE = rb'(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|\[[^\]]*(?:\]|$)|\{[^}]*(?:\}|$)|-?\d[\d.eE+-]*)'
#: A member of JSON with such a name; where a frame is cut, its value has no end.
_MEMBER = re.compile(rb'("' + _NAME + rb'"\s*:\s*)' + _VALUE, re.IGNORECASE)
#: The same in JSON that is a text of JSON.
_INNER = re.compile(rb'(\\+"' + _NAME + rb'\\+"\s*:\s*\\+")[^"\\]*', re.IGNORECASE)
#: The same in a query or form, also inside of a text, and the bearer of a header.
_FIELD = re.compile(rb"((?:^|[?&\"'\s])(?:" + _NAME + rb"|wsc|code)=)[^&\"'\s]*", re.IGNORECASE)
_BEARER = re.compile(rb"\b(Bearer|Basic)\s+[\w+/=.~-]+", re.IGNORECASE)

#: Marks a field of a `HiddenFields`: `Annotated[str, SECRET]`.
SECRET = Meta(extra={"secret": True})


class Secret(str):
    """Be a text that its repr does not show, nor that of a part of it; else it is a str like any other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, key: SupportsIndex | slice) -> Secret:
        return Secret(super().__getitem__(key))  # rich cuts long texts before it shows them

    def __reduce__(self) -> tuple[Any, ...]:
        return Secret, (str(self),)


class SecretBytes(bytes):
    """Be bytes that their repr does not show, likewise."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> SecretBytes: ...
    def __getitem__(self, key: SupportsIndex | slice) -> int | SecretBytes:
        return SecretBytes(super().__getitem__(key)) if isinstance(key, slice) else super().__getitem__(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return SecretBytes, (bytes(self),)


class SecretDict(dict[str, Any]):
    """Be a dict that its repr does not show; else it is a dict like any other."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "{'***': '***'}"


def hide(value: T) -> T:
    """Give a text or a dict as one that its repr does not show; anything else as it is."""
    if isinstance(value, str):
        return cast("T", Secret(value))
    return cast("T", SecretDict(cast("dict[str, Any]", value))) if type(value) is dict else value


def plain(text: T) -> T:
    """Give a `Secret` as the plain text that is stored and encoded; anything else as it is."""
    return cast("T", str(text)) if isinstance(text, Secret) else text


class HiddenFields(Struct, frozen=True):
    """Be a Struct whose repr does not show the fields that are marked with `SECRET`.

    The fields themselves stay plain: msgspec encodes no subclass of str. A dataclass has `field(repr=False)`.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        values = ((name, secret, getattr(self, name)) for name, secret in _fields(type(self)).items())
        return [(name, Secret() if secret and value is not None else value) for name, secret, value in values]


@cache
def _fields(kind: type) -> Mapping[str, bool]:
    """Tell for each field whether it is a secret."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: SECRET in getattr(hint, "__metadata__", ()) for name, hint in hints.items() if name[0] != "_"}


def redact(data: bytes) -> str:
    """Show a message, whole or cut, without the credentials in it: by the names of members, fields and headers."""
    data = _INNER.sub(rb"\1***", _MEMBER.sub(rb'\1"***"', data))
    return _BEARER.sub(rb"\1 ***", _FIELD.sub(rb"\1***", data)).decode(errors="replace")
