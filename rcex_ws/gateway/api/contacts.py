"""The address book of the caller: contacts, favorites apart, and what has changed since a sync token."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from rcex_ws.gateway.account.contacts import StoredContact
from rcex_ws.gateway.api.operation import EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, PositiveNumber, page_of
from rcex_ws.gateway.clock import iso
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_CONTACTS = f"{EXTENSION}/address-book/contact"
_ONE = f"{_CONTACTS}/{{contactId}}"
_LARGEST = 2**13
"""Characters of one contact."""
_PHONES = ("homePhone", "homePhone2", "businessPhone", "businessPhone2", "mobilePhone", "companyPhone", "otherPhone")

Text: TypeAlias = Annotated[str, Meta(max_length=1000)] | UnsetType
Address: TypeAlias = dict[str, Annotated[str, Meta(max_length=1000)]] | UnsetType

SortKey: TypeAlias = Literal["FirstName", "LastName", "Company"]

area = RestArea("Contacts", permission="Contacts")


class ContactMembers(Struct, rename="camel"):
    """The members of a contact, as in RingCentral's API reference."""

    first_name: Text = UNSET
    last_name: Text = UNSET
    middle_name: Text = UNSET
    nick_name: Text = UNSET
    company: Text = UNSET
    job_title: Text = UNSET
    email: Text = UNSET
    email2: Text = UNSET
    email3: Text = UNSET
    birthday: Text = UNSET
    web_page: Text = UNSET
    notes: Text = UNSET
    home_phone: Text = UNSET
    home_phone2: Text = UNSET
    business_phone: Text = UNSET
    business_phone2: Text = UNSET
    mobile_phone: Text = UNSET
    business_fax: Text = UNSET
    company_phone: Text = UNSET
    assistant_phone: Text = UNSET
    car_phone: Text = UNSET
    other_phone: Text = UNSET
    other_fax: Text = UNSET
    callback_phone: Text = UNSET
    business_address: Address = UNSET
    home_address: Address = UNSET
    other_address: Address = UNSET


class ContactsQuery(PagedQuery):
    """Which contacts to list."""

    starts_with: str = ""
    sort_by: list[SortKey] = field(default_factory=list[SortKey])
    phone_number: list[str] = field(default_factory=list[str])


class ContactSyncQuery(Struct, rename="camel"):
    """What to synchronise."""

    sync_type: Literal["FSync", "ISync"] = "FSync"
    sync_token: str = ""
    per_page: PositiveNumber = 250
    page_id: PositiveNumber = 1


@area.get(_CONTACTS, permission="ReadContacts")
def list_contacts(ask: Ask[ContactsQuery, None]) -> Json:
    """List the contacts of the caller."""
    owner, query = ask.own_extension, ask.query
    found = [
        one
        for one in ask.core.contacts.of(owner)
        if _begins(one, query.starts_with.lower())
        and (not query.phone_number or any(one.facts.get(name) in query.phone_number for name in _PHONES))
    ]
    for key in reversed(query.sort_by):
        found.sort(key=partial(_text, name=key[0].lower() + key[1:]))
    return page_of(ask, f"{ask.server}{owner.uri}/address-book/contact", [_body(ask, one) for one in found])


@area.post(_CONTACTS)
def add_contact(ask: Ask[None, ContactMembers]) -> Json:
    """Add a contact."""
    return _body(ask, ask.core.contacts.add(ask.own_extension, _members(ask)))


@area.get(_ONE, permission="ReadContacts")
def read_contact(ask: Ask[None, None]) -> Json:
    """Read a contact."""
    return _body(ask, _contact(ask))


@area.put(_ONE)
def replace_contact(ask: Ask[None, ContactMembers]) -> Json:
    """Replace the members of a contact."""
    one = _contact(ask)
    ask.core.contacts.change(one, _members(ask), whole=True)
    return _body(ask, one)


@area.patch(_ONE)
def change_contact(ask: Ask[None, ContactMembers]) -> Json:
    """Change members of a contact."""
    one = _contact(ask)
    ask.core.contacts.change(one, _members(ask), whole=False)
    return _body(ask, one)


@area.delete(_ONE)
def delete_contact(ask: Ask[None, None]) -> None:
    """Delete a contact."""
    ask.core.contacts.delete(_contact(ask))


@area.get(f"{EXTENSION}/address-book-sync", permission="ReadContacts")
def sync_contacts(ask: Ask[ContactSyncQuery, None]) -> Json:
    """Read all contacts, or those that were changed since a sync token."""
    owner, query, book = ask.own_extension, ask.query, ask.core.contacts
    is_full = query.sync_type == "FSync"
    if not is_full and not (query.sync_token.isdecimal() and len(query.sync_token) <= 18):
        raise Problem(400, "CMN-101", "Parameter [syncToken] value is invalid")
    changed = list(book.of(owner)) if is_full else book.since(owner, int(query.sync_token))
    first = (query.page_id - 1) * query.per_page
    records = [_body(ask, one) for one in changed[first : first + query.per_page]]
    more = {"nextPageId": query.page_id + 1} if first + query.per_page < len(changed) else {}
    token = {"syncType": query.sync_type, "syncToken": str(book.version), "syncTime": iso(ask.core.clock.wall())}
    return {"uri": f"{ask.server}{owner.uri}/address-book-sync", "records": records, "syncInfo": token, **more}


def _members(ask: Ask[None, ContactMembers]) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(ask.body)
    if len(str(members)) > _LARGEST:
        raise Problem(400, "CMN-101", "The members of the contact are too long")
    return members


def _begins(one: StoredContact, text: str) -> bool:
    return any(_text(one, name).startswith(text) for name in ("firstName", "lastName", "company"))


def _text(one: StoredContact, name: str) -> str:
    return str(one.facts.get(name, "")).lower()


def _contact(ask: Ask[Any, Any]) -> StoredContact:
    one = ask.core.contacts.get(ask.own_extension, ask.path["contactId"])
    if one is None:
        raise Problem(404, "CMN-102", "Resource for parameter [contactId] is not found")
    return one


def _body(ask: Ask[Any, Any], one: StoredContact) -> dict[str, Any]:
    uri = f"{ask.server}{ask.own_extension.uri}/address-book/contact/{one.id}"
    return {"uri": uri, "id": one.id, "availability": "Deleted" if one.is_deleted else "Alive", **one.facts}
