"""Reading the fields of an event: what is missing or of a wrong type becomes one error that names it.

Values never stand in the error: they may be what somebody wrote in private.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, cast

from rcex_ws.slack.store.errors import DataStoreError

__all__ = ["Fields", "copy_json"]

#: Far above what Slack sends, far below where recursion ends.
_MAX_DEPTH = 100

#: Needs no copy, nor a call to find that out: most of what an event holds.
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Fields:
    """One JSON object of an event.

    Args:
        data: the object; anything but a dict is refused.
        event_type: names the event in errors.
        path: where the object stands in the event, with dots.

    Attributes:
        data: the object itself.

    Raises:
        DataStoreError: `data` is no dict.
    """

    __slots__ = ("_path", "data", "event_type")

    def __init__(self, data: Any, event_type: str, path: str = "") -> None:
        self.event_type = event_type
        self._path = path
        if not isinstance(data, dict):
            self._refuse(path, f"expected an object, got {type(data).__name__}")
        self.data: dict[str, Any] = data

    def key(self, name: str) -> str:
        """Give an id or a timestamp: printable ASCII, never empty."""
        value = self.text(name)
        if not value or not value.isascii() or not value.isprintable():
            self._refuse(self._at(name), "expected an id or a timestamp")
        return value

    def optional_key(self, name: str) -> str | None:
        """Give an id or a timestamp, None when it is absent or null."""
        return None if self.data.get(name) is None else self.key(name)

    def text(self, name: str) -> str:
        """Give a string."""
        value = self.data.get(name)
        if not isinstance(value, str):
            self._refuse(self._at(name), f"expected a string, got {type(self.present(name)).__name__}")
        return value

    def optional_text(self, name: str) -> str | None:
        """Give a string, None when it is absent or null."""
        value = self.data.get(name)
        return value if value is None or isinstance(value, str) else self.text(name)

    def number(self, name: str) -> int:
        """Give an integer."""
        value = self.present(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(self._at(name), f"expected an integer, got {type(value).__name__}")
        return value

    def nested(self, name: str) -> Fields:
        """Give a nested object."""
        return Fields(self.present(name), self.event_type, self._at(name))

    def optional_nested(self, name: str) -> Fields | None:
        """Give a nested object, None when it is absent or null."""
        return None if self.data.get(name) is None else self.nested(name)

    def each(self, name: str) -> Iterator[Fields]:
        """Give the objects of a list; nothing when it is absent or null."""
        for index, item in enumerate(self._list(name)):
            yield Fields(item, self.event_type, f"{self._at(name)}.{index}")

    def keys(self, name: str) -> list[str]:
        """Give a list of ids, each once, in order; empty when it is absent or null."""
        items = self._list(name)
        for item in items:
            if not isinstance(item, str) or not item.isascii() or not item.isprintable():
                self._refuse(self._at(name), "expected a list of ids")
        return list(dict.fromkeys(cast("list[str]", items)))

    def present(self, name: str) -> Any:
        """Give a value of any type, null too."""
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
    """Copy an event: its handlers may change the object they were given, the model must not change with it.

    Args:
        value: what is copied.
        event_type: names the event in errors.
        depth: how deep it stands in the event.

    Raises:
        DataStoreError: there is something in it that JSON cannot have.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if depth == _MAX_DEPTH:
        raise DataStoreError(f"{event_type}: nested deeper than {_MAX_DEPTH} levels", event_type=event_type)
    if isinstance(value, dict):
        copied: dict[str, Any] = {}
        for key, item in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise DataStoreError(f"{event_type}: a key is no string", event_type=event_type)
            copied[key] = item if type(item) in _PLAIN else copy_json(item, event_type, depth + 1)
        return copied
    if isinstance(value, (list, tuple)):
        return [copy_json(item, event_type, depth + 1) for item in cast("list[object]", value)]
    raise DataStoreError(f"{event_type}: JSON has no {type(value).__name__}", event_type=event_type)
