"""The base of the data stores. Called by the Slack clients for each event, and by applications.

The rules are in `rules`; a subclass only provides the tables.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import TracebackType
from typing import Any, Self, TypeVar

from rcex_ws.options import Name, checked, refusal, required_constraint
from rcex_ws.slack.store.change import StoreChange
from rcex_ws.slack.store.fields import Fields, copy_json
from rcex_ws.slack.store.queries import Queries
from rcex_ws.slack.store.rules import RULES, Rule, cache_start, rule_name
from rcex_ws.slack.store.tables import Kind, Tables

__all__ = ["TYPING_SECONDS", "DataStore", "check_work"]

T = TypeVar("T")

#: Seconds for which a user counts as typing after the last user_typing event.
TYPING_SECONDS = 5.0


class DataStore(Queries):
    """A model of a team that follows its events, and can be queried.

    To keep the model elsewhere - in a database of your own - write a subclass with `read`, `write` and `aclose`, and a
    class that implements `Tables`.

    Args:
        clock: returns seconds that never go back; typing expires by it.
    """

    @checked
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rules: dict[str, Rule] = dict(RULES)
        self._typing: dict[str, dict[str, float]] = {}  # conversation -> user -> when it expires

    @abstractmethod
    async def write(self, work: Callable[[Tables], T]) -> T:
        """Run work that changes tables, and return its result; if it raises, nothing has changed."""

    @abstractmethod
    async def aclose(self) -> None:
        """Release the resources of the store."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @checked
    def register(self, event_type: Name, rule: Rule) -> Rule | None:
        """Register a rule for an event type, in this store, instead of its present one.

        Args:
            event_type: the type, or "message::subtype"; "message" is for messages whose subtype has no rule.
            rule: called with the `StoreChange` and the event's `Fields`, in a worker thread if the store uses one. What
                it raises is raised by `apply`, and the change is undone.

        Returns:
            The former rule, which yours may call; None if there was none.

        Raises:
            ConfigurationError: the rule is a coroutine function; a change must not wait.
        """
        former = self._rules.get(event_type)
        self._rules[event_type] = rule
        return former

    @checked
    async def cache_start(self, answer: Mapping[str, Any]) -> None:
        """Apply the answer to rtm.start or rtm.connect; see `rules.cache_start` for what it replaces.

        Raises:
            DataStoreError: a field is missing or of the wrong type; the model is unchanged.
        """
        name = "rtm.start" if "users" in answer else "rtm.connect"

        def work(tables: Tables) -> None:
            cache_start(StoreChange(tables, self_id=None, team_id=None), Fields(copy_json(answer, name), name))

        await self.write(work)
        self._typing.clear()

    async def apply(self, event: Mapping[str, Any], *, self_id: str | None = None, team_id: str | None = None) -> None:
        """Apply one event; an event without a rule changes nothing.

        Args:
            event: the event as received; the caller may change it afterwards.
            self_id: the id of our own user; None for that of `cache_start`.
            team_id: the id of the team; None for that of `cache_start`.

        Raises:
            DataStoreError: a field is missing or of the wrong type; the model is unchanged.
        """
        # Called for each event, so it is cheaper than `checked`.
        if not isinstance(self_id, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("self_id", _ID, self_id)
        if not isinstance(team_id, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refusal("team_id", _ID, team_id)
        fields = Fields(event, "event")
        name = rule_name(fields)
        rule = None if name is None else self._rules.get(name)
        if rule is None and name is not None and name.startswith("message::"):
            rule = self._rules.get("message")
        if name is None or rule is None:
            return
        fields = Fields(copy_json(event, name), name)

        def work(tables: Tables) -> StoreChange:
            change = StoreChange(
                tables, self_id=_update_note(tables, "self", self_id), team_id=_update_note(tables, "team", team_id)
            )
            rule(change, fields)
            return change

        for conversation, user in (await self.write(work)).typing:
            self._typing.setdefault(conversation, {})[user] = self._clock() + TYPING_SECONDS

    @checked
    async def typing_users(self, conversation_id: Name) -> list[str]:
        """Return the ids of the users who are typing in a conversation, in the order in which they started."""
        now = self._clock()
        typing = {user: until for user, until in self._typing.get(conversation_id, {}).items() if until > now}
        if typing:
            self._typing[conversation_id] = typing
        else:
            self._typing.pop(conversation_id, None)
        return list(typing)

    @checked
    async def set(self, kind: Kind, record: Mapping[str, Any]) -> None:
        """Replace the record with this id, or add it; the history of a conversation is cleared.

        Raises:
            DataStoreError: a property is missing or of the wrong type.
        """
        await self._change(f"set {kind}", lambda change, fields: change.set(kind, fields), record)

    @checked
    async def upsert(self, kind: Kind, record: Mapping[str, Any]) -> None:
        """Merge a record into the one with its id, property by property, or add it.

        Raises:
            DataStoreError: a property is missing or of the wrong type.
        """
        await self._change(f"upsert {kind}", lambda change, fields: change.upsert(kind, fields), record)

    @checked
    async def upsert_all(self, records: Collection[tuple[Kind, Mapping[str, Any]]]) -> None:
        """Merge many records, all of them or none; see `upsert`.

        Raises:
            DataStoreError: a property of one is missing or of the wrong type.
        """
        merged = list[tuple[Kind, Fields]]()
        for kind, record in records:
            name = f"upsert {kind}"
            merged.append((kind, Fields(copy_json(record, name), name)))

        def work(tables: Tables) -> None:
            change = StoreChange(tables, self_id=None, team_id=None)
            for kind, fields in merged:
                change.upsert(kind, fields)

        await self.write(work)

    @checked
    async def remove(self, kind: Kind, id_: Name) -> None:
        """Remove a record, and the messages of a conversation with it, if it is known."""
        await self.write(lambda tables: StoreChange(tables, self_id=None, team_id=None).remove(kind, id_))

    async def clear(self) -> None:
        """Remove everything."""
        await self.write(lambda tables: tables.clear())
        self._typing.clear()

    async def _change(self, name: str, rule: Rule, record: Mapping[str, Any]) -> None:
        fields = Fields(copy_json(record, name), name)
        await self.write(lambda tables: rule(StoreChange(tables, self_id=None, team_id=None), fields))


_ID = required_constraint(str | None)
_WORK = required_constraint(Callable[[Tables], bool])
_WAITS_OR_YIELDS = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


def check_work(work: Callable[[Tables], object]) -> None:
    """Check that work can run on tables without waiting. Called for each event, so plain functions are recognised fast.

    Raises:
        ConfigurationError: it is not a function, or an async one or a generator.
    """
    code = getattr(work, "__code__", None)
    if (code is None or code.co_flags & _WAITS_OR_YIELDS) and not _WORK.admits(work):
        raise refusal("work", _WORK, work)


def _update_note(tables: Tables, name: str, value: str | None) -> str | None:
    """Store a note ("self" or "team") unless the value is None; return its current value."""
    noted = tables.note(name)
    if value is None or value == noted:
        return noted
    tables.set_note(name, value)
    return value
