"""The address books of the account: the contacts of each extension, and what has changed since when. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rcex_ws.gateway.account.people import ExtensionRecord

__all__ = ["AddressBook", "StoredContact"]

_MOST_CONTACTS = 10_000
"""Of all extensions together, deleted ones included; the oldest are dropped first."""


class StoredContact(msgspec.Struct):
    """One contact, or what is left of a deleted one.

    Attributes:
        id: its id.
        owner: the id of the extension that it belongs to.
        facts: its JSON members besides the id and the URI.
        version: rises with each change in any address book.
        is_deleted: whether it was deleted.
    """

    id: int
    owner: str
    facts: dict[str, Any]
    version: int
    is_deleted: bool = False


class AddressBook:
    """The contacts of all extensions."""

    def __init__(self) -> None:
        self._all: dict[int, StoredContact] = {}
        self._last = 0

    @property
    def version(self) -> int:
        """The version of the last change."""
        return self._last

    def of(self, owner: ExtensionRecord) -> Iterator[StoredContact]:
        """Yield the contacts of an extension that are not deleted, oldest first."""
        return (one for one in self._all.values() if one.owner == owner.id and not one.is_deleted)

    def since(self, owner: ExtensionRecord, version: int) -> list[StoredContact]:
        """Return the contacts of an extension that were changed after this version, deleted ones included."""
        return [one for one in self._all.values() if one.owner == owner.id and one.version > version]

    def get(self, owner: ExtensionRecord, text: str) -> StoredContact | None:
        """Return the contact of an extension with this id."""
        return next((one for one in self.of(owner) if str(one.id) == text), None)

    def add(self, owner: ExtensionRecord, facts: Mapping[str, Any]) -> StoredContact:
        """Add a contact with these members."""
        self._last += 1
        one = StoredContact(self._last, owner.id, dict(facts), self._last)
        self._all[one.id] = one
        while len(self._all) > _MOST_CONTACTS:
            del self._all[next(iter(self._all))]
        return one

    def change(self, one: StoredContact, facts: Mapping[str, Any], *, whole: bool) -> None:
        """Change members of a contact.

        Args:
            one: the contact.
            facts: the new members.
            whole: whether members that are not given are removed.
        """
        one.facts = dict(facts) if whole else {**one.facts, **facts}
        self._touch(one)

    def delete(self, one: StoredContact) -> None:
        """Delete a contact, of which only the fact of its deletion is kept."""
        one.facts, one.is_deleted = {}, True
        self._touch(one)

    def dump(self) -> dict[str, Any]:
        """Return all contacts as JSON-ready data."""
        return {"last": self._last, "contacts": msgspec.to_builtins(list(self._all.values()))}

    def load(self, saved: dict[str, Any]) -> None:
        """Replace all contacts by those that `dump` has returned."""
        self._all = {one.id: one for one in msgspec.convert(saved["contacts"], list[StoredContact])}
        self._last = int(saved["last"])

    def _touch(self, one: StoredContact) -> None:
        self._last += 1
        one.version = self._last
