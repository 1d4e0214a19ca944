"""The company directory: who is in the account, for those who look for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.api.operation import ACCOUNT, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PositiveNumber
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_ENTRIES = f"{ACCOUNT}/directory/entries"

SearchField: TypeAlias = Literal[
    "firstName", "lastName", "extensionNumber", "phoneNumber", "email", "jobTitle", "department", "customFieldValue"
]
_USUAL: tuple[SearchField, ...] = ("firstName", "lastName", "extensionNumber", "phoneNumber", "email")
"""Where RingCentral looks if the request does not say."""

area = RestArea("Directory", permission="ReadAccounts")


class EntriesQuery(Struct, rename="camel"):
    """Which entries to list."""

    page: PositiveNumber = 1
    per_page: PositiveNumber = 1000
    type: str | None = None


class EntrySearch(Struct, rename="camel"):
    """Whom to look for."""

    search_string: str = ""
    search_fields: list[SearchField] = []
    extension_type: str | None = None
    extension_types: list[str] = []
    page: PositiveNumber = 1
    per_page: PositiveNumber = 100


@area.get(_ENTRIES)
def list_entries(ask: Ask[EntriesQuery, None]) -> Json:
    """List the company directory."""
    query = ask.query
    found = [one for one in ask.core.people.extensions if query.type in (None, one.kind)]
    return _page(ask, found, query.page, query.per_page)


@area.post(f"{_ENTRIES}/search")
def search_entries(ask: Ask[None, EntrySearch]) -> Json:
    """Search the company directory."""
    wanted = ask.body
    kinds = {*wanted.extension_types, *([wanted.extension_type] if wanted.extension_type else [])}
    fields = wanted.search_fields or _USUAL
    words = wanted.search_string.lower().split()
    found = [
        one
        for one in ask.core.people.extensions
        if (not kinds or one.kind in kinds) and all(_has(one, fields, word) for word in words)
    ]
    return _page(ask, found, wanted.page, wanted.per_page)


@area.get(f"{_ENTRIES}/{{entryId}}")
def read_entry(ask: Ask[None, None]) -> Json:
    """Read an entry of the company directory."""
    one = ask.core.people.by_id(ask.path["entryId"])
    if one is None:
        raise Problem(404, "CMN-102", "Resource for parameter [entryId] is not found")
    return _entry(ask, one)


def _has(one: ExtensionRecord, fields: Sequence[SearchField], word: str) -> bool:
    texts = {
        "firstName": [one.first_name],
        "lastName": [one.last_name],
        "extensionNumber": [one.number],
        "phoneNumber": one.phone_numbers,
        "email": [one.contact_body()["email"]],
        "jobTitle": [str(one.contact.get("jobTitle", ""))],
        "department": [str(one.contact.get("department", ""))],
    }
    return any(word in text.lower() for field in fields for text in texts.get(field, ()))


def _page(ask: Ask[Any, Any], found: list[ExtensionRecord], page: int, size: int) -> dict[str, Any]:
    first = (page - 1) * size
    return {
        "uri": f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/directory/entries",
        "records": [_entry(ask, one) for one in found[first : first + size]],
        "paging": {
            "page": page,
            "perPage": size,
            "totalPages": -(-len(found) // size),
            "totalElements": len(found),
        },
    }


def _entry(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, Any]:
    contact = one.contact_body()
    return {
        "id": one.id,
        "type": one.kind,
        "status": one.settings.get("status", "Enabled"),
        "account": {"id": ACCOUNT_ID},
        "firstName": one.first_name,
        "lastName": one.last_name,
        "name": one.name,
        "email": contact["email"],
        "extensionNumber": one.number,
        "phoneNumbers": [
            {"phoneNumber": number, "type": "VoiceFax", "usageType": "DirectNumber"} for number in one.phone_numbers
        ],
        "profileImage": {"uri": f"{ask.server}{one.uri}/profile-image"},
        **{name: contact[name] for name in ("jobTitle", "department") if name in contact},
    }
