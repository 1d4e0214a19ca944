"""The store in dicts: the fastest one, which ends with the process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from rcex_ws.options import Count, checked
from rcex_ws.slack.store.base import DataStore, check_work
from rcex_ws.slack.store.tables import CONVERSATION_KINDS, KINDS, Field, Kind, Tables, field_of, is_unread

__all__ = ["MemoryDataStore", "MemoryTables"]

T = TypeVar("T")
_Record = dict[str, Any]


class MemoryDataStore(DataStore):
    """A data store in memory.

    Args:
        max_history: most messages kept per conversation; the oldest are dropped, and do not count as unread any more.
        clock: returns seconds that never go back; typing expires by it.
    """

    @checked
    def __init__(self, *, max_history: Count = 1000, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._tables = MemoryTables(max_history)

    async def read(self, work: Callable[[Tables], T]) -> T:
        """Run the work at once: nothing else runs until it returns."""
        check_work(work)
        return work(self._tables)

    async def write(self, work: Callable[[Tables], T]) -> T:
        """Run the work at once; undo its steps if it raises."""
        check_work(work)
        try:
            return work(self._tables)
        except BaseException:
            self._tables.undo()
            raise
        finally:
            self._tables.settle()

    async def aclose(self) -> None:
        """Do nothing: the model can still be used."""


class MemoryTables:
    """Tables in dicts, with an undo journal of the steps since the last `settle`.

    Args:
        max_history: most messages per conversation.
    """

    def __init__(self, max_history: int) -> None:
        self._max_history = max_history
        self._notes: dict[str, str] = {}
        self._records: dict[Kind, dict[str, _Record]] = {kind: {} for kind in KINDS}
        # Dropping the first entry of a plain dict gets slower with each one dropped.
        self._history: dict[str, OrderedDict[str, _Record]] = {}
        # Value -> id. Built by the first search, discarded when a record is added, removed, or changes that field.
        self._index: dict[tuple[Kind, Field], dict[str, str]] = {}
        self._undo: list[Callable[[], object]] = []

    def undo(self) -> None:
        """Undo all steps since the last `settle`, the last one first."""
        while self._undo:
            self._undo.pop()()
        self._index.clear()

    def settle(self) -> None:
        """Make the steps final."""
        self._undo.clear()

    def note(self, name: str) -> str | None:
        """See `Tables`."""
        return self._notes.get(name)

    def set_note(self, name: str, value: str) -> None:
        """See `Tables`."""
        self._replace_notes({**self._notes, name: value})

    def get(self, kind: Kind, id_: str) -> _Record | None:
        """See `Tables`."""
        return self._records[kind].get(id_)

    def find(self, kind: Kind, field: Field, value: str) -> _Record | None:
        """See `Tables`."""
        index = self._index.get((kind, field))
        if index is None:
            index = self._index[kind, field] = {}
            for id_, record in self._records[kind].items():
                found_by = field_of(record, field)
                if found_by is not None:
                    index.setdefault(found_by, id_)
        return self._records[kind].get(index.get(value, ""))

    def all(self, kind: Kind) -> list[_Record]:
        """See `Tables`."""
        return list(self._records[kind].values())

    def kind_of(self, conversation_id: str) -> Kind | None:
        """See `Tables`."""
        for kind in CONVERSATION_KINDS:
            if conversation_id in self._records[kind]:
                return kind
        return None

    def put(self, kind: Kind, id_: str, record: _Record) -> None:
        """See `Tables`."""
        records = self._records[kind]
        former = records.get(id_)
        for indexed, field in list(self._index):
            if indexed == kind and (former is None or field_of(former, field) != field_of(record, field)):
                del self._index[indexed, field]
        if former is not None:
            self._undo.append(lambda: records.__setitem__(id_, former))
        else:
            self._undo.append(lambda: records.pop(id_))
        records[id_] = record

    def delete(self, kind: Kind, id_: str) -> None:
        """See `Tables`."""
        before = self._records[kind]
        self._undo.append(lambda: self._records.__setitem__(kind, before))
        self._records[kind] = {key: record for key, record in before.items() if key != id_}
        self._index.clear()

    def delete_all(self, kind: Kind) -> None:
        """See `Tables`."""
        before = self._records[kind]
        self._undo.append(lambda: self._records.__setitem__(kind, before))
        self._records[kind] = {}
        self._index.clear()
        if kind in CONVERSATION_KINDS:
            for id_ in before:
                self.forget(id_)

    def clear(self) -> None:
        """See `Tables`."""
        records, history = self._records, self._history
        self._undo.append(lambda: self._restore(records, history))
        self._records, self._history = {kind: {} for kind in KINDS}, {}
        self._index.clear()
        self._replace_notes({})

    def messages(self, conversation_id: str) -> list[_Record]:
        """See `Tables`."""
        return list(self._history_of(conversation_id).values())

    def message(self, conversation_id: str, ts: str) -> _Record | None:
        """See `Tables`."""
        return self._history_of(conversation_id).get(ts)

    def count_unread(self, conversation_id: str, last_read: str, self_id: str | None) -> int:
        """See `Tables`."""
        history = self._history_of(conversation_id)
        return sum(is_unread(message, last_read, self_id) for message in history.values())

    def append(self, conversation_id: str, message: _Record) -> None:
        """See `Tables`."""
        history = self._history.get(conversation_id)
        if history is None:
            history = self._history[conversation_id] = OrderedDict()
        ts = message["ts"]
        if ts in history:
            return
        history[ts] = message
        oldest = history.popitem(last=False) if len(history) > self._max_history else None
        self._undo.append(lambda: _undo_append(history, ts, oldest))

    def replace(self, conversation_id: str, message: _Record) -> None:
        """See `Tables`."""
        history, ts = self._history_of(conversation_id), message["ts"]
        if ts in history:
            former = history[ts]
            self._undo.append(lambda: history.__setitem__(ts, former))
            history[ts] = message

    def remove(self, conversation_id: str, ts: str) -> None:
        """See `Tables`."""
        history = self._history_of(conversation_id)
        if ts in history:
            rest = OrderedDict((key, message) for key, message in history.items() if key != ts)
            self._replace_history(conversation_id, rest)

    def forget(self, conversation_id: str) -> None:
        """See `Tables`."""
        self._replace_history(conversation_id, OrderedDict())

    def _history_of(self, conversation_id: str) -> OrderedDict[str, _Record]:
        return self._history.get(conversation_id) or OrderedDict()

    def _replace_notes(self, notes: dict[str, str]) -> None:
        former = self._notes
        self._undo.append(lambda: setattr(self, "_notes", former))
        self._notes = notes

    def _replace_history(self, conversation_id: str, history: OrderedDict[str, _Record]) -> None:
        former = self._history.pop(conversation_id, None)
        self._undo.append(lambda: self._put_history(conversation_id, former))
        self._put_history(conversation_id, history or None)

    def _put_history(self, conversation_id: str, history: OrderedDict[str, _Record] | None) -> None:
        if history is None:
            self._history.pop(conversation_id, None)
        else:
            self._history[conversation_id] = history

    def _restore(self, records: dict[Kind, dict[str, _Record]], history: dict[str, OrderedDict[str, _Record]]) -> None:
        self._records, self._history = records, history


def _undo_append(history: OrderedDict[str, _Record], ts: str, oldest: tuple[str, _Record] | None) -> None:
    del history[ts]
    if oldest is not None:
        history[oldest[0]] = oldest[1]
        history.move_to_end(oldest[0], last=False)
