"""Hide credentials: values that do not show in a repr, and the redaction of messages. Pure.

Nothing here encrypts. It keeps tokens out of what people print and forward: a repr, a rich repr, and tracebacks with
local variables. Serialising (JSON, pickle, a header, an f-string) yields the real value.
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
    rb"(?:[\w-]*(?:token|secret|password|passwd|passcode|pwd|assertion|authorization|credential|cookie|verifier|jwt|"
    rb"(?:api|access|auth|encryption|private|signing)[_-]?key)[\w-]*|(?:ivr_?)?pin)"
)
_VALUE = rb'(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|\[[^\]]*(?:\]|$)|\{[^}]*(?:\}|$)|-?\d[\d.eE+-]*)'
#: A JSON member with such a name; in a truncated frame its value may be incomplete.
_MEMBER = re.compile(rb'("' + _NAME + rb'"\s*:\s*)' + _VALUE, re.IGNORECASE)
#: The same in JSON embedded in a JSON string.
_INNER = re.compile(rb'(\\+"' + _NAME + rb'\\+"\s*:\s*\\+")[^"\\]*', re.IGNORECASE)
#: The same in a query or form, also inside a text, and credentials of an Authorization header.
_FIELD = re.compile(rb"((?:^|[?&\"'\s])(?:" + _NAME + rb"|wsc|code)=)[^&\"'\s]*", re.IGNORECASE)
_BEARER = re.compile(rb"\b(Bearer|Basic)\s+[\w+/=.~-]+", re.IGNORECASE)

#: Marks a field of a `HiddenFields`: `Annotated[str, SECRET]`.
SECRET = Meta(extra={"secret": True})


class Secret(str):
    """A str whose repr, and that of its slices, is hidden."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, key: SupportsIndex | slice) -> Secret:
        return Secret(super().__getitem__(key))  # rich truncates long texts before showing them

    def __reduce__(self) -> tuple[Any, ...]:
        return Secret, (str(self),)


class SecretBytes(bytes):
    """Bytes whose repr, and that of their slices, is hidden."""

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
    """A dict whose repr is hidden."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "{'***': '***'}"


def hide(value: T) -> T:
    """Convert a str or a dict to one whose repr is hidden; return anything else unchanged."""
    if isinstance(value, str):
        return cast("T", Secret(value))
    return cast("T", SecretDict(cast("dict[str, Any]", value))) if type(value) is dict else value


def plain(text: T) -> T:
    """Convert a `Secret` to a plain str, for storing and encoding; return anything else unchanged."""
    return cast("T", str(text)) if isinstance(text, Secret) else text


class HiddenFields(Struct, frozen=True):
    """A Struct whose repr hides the fields marked with `SECRET`.

    The fields keep plain values, as msgspec encodes no subclass of str. Dataclasses use `field(repr=False)` instead.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        values = ((name, secret, getattr(self, name)) for name, secret in _fields(type(self)).items())
        return [(name, Secret() if secret and value is not None else value) for name, secret, value in values]


@cache
def _fields(kind: type) -> Mapping[str, bool]:
    """Return whether each field is a secret, by name."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: SECRET in getattr(hint, "__metadata__", ()) for name, hint in hints.items() if name[0] != "_"}


def redact(data: bytes) -> str:
    """Decode a message, complete or truncated, with the credentials in it replaced: found by their names."""
    data = _INNER.sub(rb"\1***", _MEMBER.sub(rb'\1"***"', data))
    return _BEARER.sub(rb"\1 ***", _FIELD.sub(rb"\1***", data)).decode(errors="replace")
