"""The dictionaries of RingCentral: cover pages of faxes, countries, states, time zones, languages, permissions.

A few entries of each, with the ids that RingCentral's API reference has in its examples.
"""

from __future__ import annotations

from typing import Any

from rcex_ws.gateway.account.apps import PERMISSIONS
from rcex_ws.gateway.api.operation import Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_HOME = "/restapi/v1.0/dictionary"

_ENTRIES: dict[str, list[dict[str, Any]]] = {
    "country": [
        {"id": "1", "name": "United States", "isoCode": "US", "callingCode": "1"},
        {"id": "39", "name": "Canada", "isoCode": "CA", "callingCode": "1"},
        {"id": "75", "name": "France", "isoCode": "FR", "callingCode": "33"},
        {"id": "82", "name": "Germany", "isoCode": "DE", "callingCode": "49"},
        {"id": "224", "name": "United Kingdom", "isoCode": "GB", "callingCode": "44"},
    ],
    "state": [
        {"id": "17", "name": "California", "isoCode": "CA"},
        {"id": "45", "name": "New York", "isoCode": "NY"},
        {"id": "57", "name": "Texas", "isoCode": "TX"},
    ],
    "timezone": [
        {"id": "1", "name": "GMT", "description": "Greenwich Mean Time", "bias": "0"},
        {"id": "51", "name": "US/Eastern", "description": "Eastern Time (US & Canada)", "bias": "-300"},
        {"id": "58", "name": "US/Pacific", "description": "Pacific Time (US & Canada)", "bias": "-480"},
    ],
    "language": [
        {"id": "1033", "name": "English (United States)", "localeCode": "en-US", "isoCode": "en"},
        {"id": "2057", "name": "English (United Kingdom)", "localeCode": "en-GB", "isoCode": "en"},
        {"id": "1031", "name": "German (Germany)", "localeCode": "de-DE", "isoCode": "de"},
        {"id": "1036", "name": "French (France)", "localeCode": "fr-FR", "isoCode": "fr"},
    ],
    "permission": [{"id": name, "displayName": name, "assignable": True} for name in PERMISSIONS],
}
_COVER_PAGES = ("None", "Ancient", "Birthday", "Blank", "Clasmod", "Classic", "Confidential", "Contempo", "Elegant")

area = RestArea("Dictionary")


@area.get(f"{_HOME}/fax-cover-page")
def list_cover_pages(ask: Ask[PagedQuery, None]) -> Json:
    """List the cover pages of faxes."""
    pages = [{"id": str(number), "name": name} for number, name in enumerate(_COVER_PAGES)]
    return page_of(ask, f"{ask.server}{_HOME}/fax-cover-page", pages)


@area.get(f"{_HOME}/{{dictionaryName}}")
def list_dictionary(ask: Ask[PagedQuery, None]) -> Json:
    """List the entries of a dictionary: country, state, timezone, language or permission."""
    name = ask.path["dictionaryName"]
    return page_of(ask, f"{ask.server}{_HOME}/{name}", [_entry(ask, name, one) for one in _dictionary(ask)])


@area.get(f"{_HOME}/{{dictionaryName}}/{{entryId}}")
def read_dictionary_entry(ask: Ask[None, None]) -> Json:
    """Read an entry of a dictionary."""
    found = next((one for one in _dictionary(ask) if one["id"] == ask.path["entryId"]), None)
    if found is None:
        raise Problem(404, "CMN-102", "Resource for parameter [entryId] is not found")
    return _entry(ask, ask.path["dictionaryName"], found)


def _dictionary(ask: Ask[Any, None]) -> list[dict[str, Any]]:
    entries = _ENTRIES.get(ask.path["dictionaryName"])
    if entries is None:
        raise Problem(404, "CMN-102", "Resource is not found")
    return entries


def _entry(ask: Ask[Any, None], name: str, one: dict[str, Any]) -> dict[str, Any]:
    return {"uri": f"{ask.server}{_HOME}/{name}/{one['id']}", **one}
