"""The data store: a model of the team that follows the events. Called by the Slack client for each event, and by users.

The rules stand in `rules`; a subclass only says where the tables are.
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

#: How long somebody counts as typing after the last event that said so.
TYPING_SECONDS = 5.0


class DataStore(Queries):
    """Follow the events of a team and answer questions about it.

    Another place for the model - a database of your own - is a subclass with `read`, `write`, `aclose` and a class
    like `Tables`.

    Args:
        clock: seconds that never go back; typing expires by it.
    """

    @checked
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rules: dict[str, Rule] = dict(RULES)
        self._typing: dict[str, dict[str, float]] = {}  # conversation -> user -> until when

    @abstractmethod
    async def write(self, work: Callable[[Tables], T]) -> T:
        """Run work that changes tables: when it raises, nothing has changed. Give its result."""

    @abstractmethod
    async def aclose(self) -> None:
        """Free what the store holds."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @checked
    def register(self, event_type: Name, rule: Rule) -> Rule | None:
        """Let this store follow an event type by a rule of yours, instead of the one it has.

        Args:
            event_type: the type, or "message::subtype"; "message" is for messages whose subtype has no rule.
            rule: called with the `StoreChange` and the event's `Fields`, in a worker thread if the store uses one. An
                exception is raised by `apply`, and the change is undone.

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
        """Take the answer of rtm.start or rtm.connect; see `rules.cache_start` for what it replaces.

        Raises:
            DataStoreError: something in it is missing or of a wrong type; the model is what it was.
        """
        name = "rtm.start" if "users" in answer else "rtm.connect"

        def work(tables: Tables) -> None:
            cache_start(StoreChange(tables, self_id=None, team_id=None), Fields(copy_json(answer, name), name))

        await self.write(work)
        self._typing.clear()

    async def apply(self, event: Mapping[str, Any], *, self_id: str | None = None, team_id: str | None = None) -> None:
        """Apply one event; an event without a rule changes nothing.

        Args:
            event: as it came; it may be changed afterwards.
            self_id: who we are; without it, who `cache_start` said.
            team_id: where we are, likewise.

        Raises:
            DataStoreError: a field is missing or of a wrong type; the model is what it was.
        """
        # Called for each event, so it does not go through `checked`.
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
        """Give the ids of those who type in a conversation now, who began first coming first."""
        now = self._clock()
        typing = {user: until for user, until in self._typing.get(conversation_id, {}).items() if until > now}
        if typing:
            self._typing[conversation_id] = typing
        else:
            self._typing.pop(conversation_id, None)
        return list(typing)

    @checked
    async def set(self, kind: Kind, record: Mapping[str, Any]) -> None:
        """Keep a record instead of what was known under its id; a conversation begins its history anew.

        Raises:
            DataStoreError: a property is missing or of a wrong type.
        """
        await self._change(f"set {kind}", lambda change, fields: change.set(kind, fields), record)

    @checked
    async def upsert(self, kind: Kind, record: Mapping[str, Any]) -> None:
        """Merge a record into what is known under its id, property by property.

        Raises:
            DataStoreError: a property is missing or of a wrong type.
        """
        await self._change(f"upsert {kind}", lambda change, fields: change.upsert(kind, fields), record)

    @checked
    async def upsert_all(self, records: Collection[tuple[Kind, Mapping[str, Any]]]) -> None:
        """Merge many records, all of them or none; see `upsert`.

        Raises:
            DataStoreError: a property of one is missing or of a wrong type.
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
        """Forget a record, and a conversation's messages with it; nothing when it is not known."""
        await self.write(lambda tables: StoreChange(tables, self_id=None, team_id=None).remove(kind, id_))

    async def clear(self) -> None:
        """Forget everything."""
        await self.write(lambda tables: tables.clear())
        self._typing.clear()

    async def _change(self, name: str, rule: Rule, record: Mapping[str, Any]) -> None:
        fields = Fields(copy_json(record, name), name)
        await self.write(lambda tables: rule(StoreChange(tables, self_id=None, team_id=None), fields))


_ID = required_constraint(str | None)
_WORK = required_constraint(Callable[[Tables], bool])
_WAITS_OR_YIELDS = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


def check_work(work: Callable[[Tables], object]) -> None:
    """Refuse what cannot run on tables: it must not wait. Called for each event, so a function is looked at closely.

    Raises:
        ConfigurationError: it is no function, or an async one.
    """
    code = getattr(work, "__code__", None)
    if (code is None or code.co_flags & _WAITS_OR_YIELDS) and not _WORK.admits(work):
        raise refusal("work", _WORK, work)


def _update_note(tables: Tables, name: str, value: str | None) -> str | None:
    """Remember who or where we are; give what was said last."""
    noted = tables.note(name)
    if value is None or value == noted:
        return noted
    tables.set_note(name, value)
    return value
