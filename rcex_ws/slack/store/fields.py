"""Checked access to the fields of an event: a missing field, or one of the wrong type, raises an error that names it.

Errors never contain values, which may be what somebody wrote in private.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, cast

from rcex_ws.slack.store.errors import DataStoreError

__all__ = ["Fields", "copy_json"]

#: Far more than Slack sends, and far less than the recursion limit.
_MAX_DEPTH = 100

#: Types of most values in an event, which need no copy, nor a call to find that out.
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Fields:
    """The fields of one JSON object of an event. Each method raises `DataStoreError` for what is not as expected.

    Args:
        data: the object.
        event_type: the name of the event, for errors.
        path: dotted path of the object in the event.

    Attributes:
        data: as given.

    Raises:
        DataStoreError: `data` is not a dict.
    """

    __slots__ = ("_path", "data", "event_type")

    def __init__(self, data: Any, event_type: str, path: str = "") -> None:
        self.event_type: str = event_type
        self._path = path
        if not isinstance(data, dict):
            self._refuse(path, f"expected an object, got {type(data).__name__}")
        self.data: dict[str, Any] = data

    def key(self, name: str) -> str:
        """Return an id or a timestamp: printable ASCII, never empty."""
        value = self.text(name)
        if not value or not value.isascii() or not value.isprintable():
            self._refuse(self._at(name), "expected an id or a timestamp")
        return value

    def optional_key(self, name: str) -> str | None:
        """Return an id or a timestamp; None if it is absent or null."""
        return None if self.data.get(name) is None else self.key(name)

    def text(self, name: str) -> str:
        """Return a string."""
        value = self.data.get(name)
        if not isinstance(value, str):
            self._refuse(self._at(name), f"expected a string, got {type(self.present(name)).__name__}")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a string; None if it is absent or null."""
        value = self.data.get(name)
        return value if value is None or isinstance(value, str) else self.text(name)

    def number(self, name: str) -> int:
        """Return an integer."""
        value = self.present(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(self._at(name), f"expected an integer, got {type(value).__name__}")
        return value

    def nested(self, name: str) -> Fields:
        """Return a nested object."""
        return Fields(self.present(name), self.event_type, self._at(name))

    def optional_nested(self, name: str) -> Fields | None:
        """Return a nested object; None if it is absent or null."""
        return None if self.data.get(name) is None else self.nested(name)

    def each(self, name: str) -> Iterator[Fields]:
        """Yield the objects of a list; none if it is absent or null."""
        for index, item in enumerate(self._list(name)):
            yield Fields(item, self.event_type, f"{self._at(name)}.{index}")

    def keys(self, name: str) -> list[str]:
        """Return a list of ids, without duplicates, in order; empty if it is absent or null."""
        items = self._list(name)
        for item in items:
            if not isinstance(item, str) or not item.isascii() or not item.isprintable():
                self._refuse(self._at(name), "expected a list of ids")
        return list(dict.fromkeys(cast("list[str]", items)))

    def present(self, name: str) -> Any:
        """Return a value of any type, including null."""
        if name not in self.data:
            self._refuse(self._at(name), "is missing")
        return self.data[name]

    def _list(self, name: str) -> list[object]:
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._refuse(self._at(name), f"expected a list, got {type(value).__name__}")
        return cast("list[object]", value)

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _refuse(self, field: str, why: str) -> NoReturn:
        where = f"field {field!r}: " if field else ""
        raise DataStoreError(f"{self.event_type}: {where}{why}", event_type=self.event_type, field=field or None)


def copy_json(value: object, event_type: str, depth: int = 0) -> Any:
    """Return a deep copy of an event, so that the model stays as it is when a handler changes the event.

    Args:
        value: the value to copy.
        event_type: the name of the event, for errors.
        depth: how deeply the value is nested in the event.

    Raises:
        DataStoreError: it contains something that JSON cannot represent, or is nested too deeply.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if depth == _MAX_DEPTH:
        raise DataStoreError(f"{event_type}: nested deeper than {_MAX_DEPTH} levels", event_type=event_type)
    if isinstance(value, dict):
        copied: dict[str, Any] = {}
        for key, item in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise DataStoreError(f"{event_type}: a key is not a string", event_type=event_type)
            copied[key] = item if type(item) in _PLAIN else copy_json(item, event_type, depth + 1)
        return copied
    if isinstance(value, (list, tuple)):
        return [copy_json(item, event_type, depth + 1) for item in cast("list[object]", value)]
    raise DataStoreError(f"{event_type}: JSON has no {type(value).__name__}", event_type=event_type)
