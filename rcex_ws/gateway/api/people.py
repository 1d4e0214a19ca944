"""Extensions: read, listed, changed, added and removed. Each change is told to who has subscribed to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from starlette.responses import Response

from rcex_ws.gateway.account.people import ACCOUNT_ID, ExtensionRecord
from rcex_ws.gateway.api.batch import read_batch
from rcex_ws.gateway.api.operation import ACCOUNT, EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.notices.people import tell_of_extension
from rcex_ws.gateway.problem import Problem

__all__ = ["area", "changeable", "extension_body"]

_MOST_EXTENSIONS = 1000
_LARGEST = 2**16
"""Characters of what a client may set for one extension."""

ExtensionStatus: TypeAlias = Literal["Enabled", "Disabled", "Frozen", "NotActivated", "Unassigned"]
ShortText: TypeAlias = Annotated[str, Meta(max_length=1000)]
Digits: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{1,10}$")]

area = RestArea("Extensions", permission="ReadAccounts")


class ExtensionsQuery(PagedQuery):
    """Which extensions to list."""

    extension_number: str | None = None
    email: str | None = None
    status: list[str] = field(default_factory=list[str])
    type: list[str] = field(default_factory=list[str])


class ContactChange(Struct, rename="camel"):
    """New members of a user's contact; those that are not given stay."""

    first_name: ShortText | UnsetType = UNSET
    last_name: ShortText | UnsetType = UNSET
    company: ShortText | UnsetType = UNSET
    job_title: ShortText | UnsetType = UNSET
    email: ShortText | UnsetType = UNSET
    business_phone: ShortText | UnsetType = UNSET
    mobile_phone: ShortText | UnsetType = UNSET
    department: ShortText | UnsetType = UNSET
    email_as_login_name: bool | UnsetType = UNSET
    business_address: dict[str, ShortText] | UnsetType = UNSET


class ExtensionMembers(Struct, rename="camel"):
    """New members of an extension; those that are not given stay."""

    contact: ContactChange | UnsetType = UNSET
    status: ExtensionStatus | UnsetType = UNSET
    extension_number: Digits | UnsetType = UNSET
    regional_settings: dict[str, Any] | UnsetType = UNSET
    setup_wizard_state: Literal["NotStarted", "Incomplete", "Completed"] | UnsetType = UNSET
    hidden: bool | UnsetType = UNSET


class NewExtension(Struct, rename="camel"):
    """An extension to add."""

    contact: ContactChange
    extension_number: Digits | None = None
    type: ShortText = "User"
    status: ExtensionStatus = "Enabled"


@area.get(f"{ACCOUNT}/extension")
def list_extensions(ask: Ask[ExtensionsQuery, None]) -> Json:
    """List the extensions of the account."""
    query = ask.query
    found = [
        body
        for body in (extension_body(ask, one) for one in ask.core.people.extensions)
        if (query.extension_number is None or body["extensionNumber"] == query.extension_number)
        and (query.email is None or body["contact"].get("email") == query.email)
        and (not query.status or body["status"] in query.status)
        and (not query.type or body["type"] in query.type)
    ]
    return page_of(ask, f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/extension", found)


@area.post(f"{ACCOUNT}/extension", permission="EditAccounts")
def add_extension(ask: Ask[None, NewExtension]) -> Json:
    """Add an extension, with a user who may log in."""
    people, wanted = ask.core.people, ask.body
    _refuse_unless_admin(ask)
    if len(people.extensions) >= _MOST_EXTENSIONS:
        raise Problem(403, "CMN-405", "The account has no room for another extension")
    number = wanted.extension_number or str(max(int(one.number) for one in people.extensions) + 1)
    if people.by_id(number) is not None:
        raise Problem(400, "CMN-101", "Parameter [extensionNumber] value is invalid")
    contact = _short(msgspec.to_builtins(wanted.contact))
    name = " ".join(filter(None, (contact.get("firstName", ""), contact.get("lastName", "")))).strip()
    one = people.add(name or "New User", number, "", email=contact.get("email"), kind=wanted.type)
    one.change_contact(contact)
    one.settings["status"] = wanted.status
    tell_of_extension(ask.core, one, "Create")
    return extension_body(ask, one)


@area.get(EXTENSION)
def read_extension(ask: Ask[None, None]) -> Response:
    """Read an extension, or several."""
    base = f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}/extension"
    return read_batch(ask.path["extensionId"], base, lambda one: extension_body(ask, ask.find_extension(one)))


@area.put(EXTENSION, permission="EditExtensions")
def change_extension(ask: Ask[None, ExtensionMembers]) -> Json:
    """Change an extension: the caller's own, or as administrator any."""
    one, changes = changeable(ask), _short(msgspec.to_builtins(ask.body))
    number = changes.pop("extensionNumber", one.number)
    if number != one.number and ask.core.people.by_id(number) is not None:
        raise Problem(400, "CMN-101", "Parameter [extensionNumber] value is invalid")
    one.number = number
    one.change_contact(changes.pop("contact", {}))
    one.settings |= changes
    tell_of_extension(ask.core, one, "Update", "ExtensionInfo")
    return extension_body(ask, one)


@area.delete(EXTENSION, permission="EditAccounts")
def delete_extension(ask: Ask[None, None]) -> None:
    """Remove an extension, and end the logins of its user; nobody can remove their own."""
    _refuse_unless_admin(ask)
    one = ask.extension
    if one is ask.caller:
        raise Problem(403, "CMN-408", "The extension of the caller cannot be removed")
    tell_of_extension(ask.core, one, "Delete")
    ask.core.people.extensions.remove(one)
    ask.core.presence.forget(one.id)
    for subscription in ask.core.subscriptions.of(one):
        ask.core.subscriptions.delete(subscription)
    ask.core.oauth.end_all(one)
    ask.core.on_login_ended()


def extension_body(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, Any]:
    """Return the JSON form of an extension."""
    uri = f"{ask.server}{one.uri}"
    permissions = {"admin": {"enabled": one.is_admin}, "internationalCalling": {"enabled": False}}
    return {
        "uri": uri,
        "id": int(one.id),
        "extensionNumber": one.number,
        "name": one.name,
        "type": one.kind,
        "status": "Enabled",
        "setupWizardState": "Completed",
        "hidden": False,
        "account": {"id": ACCOUNT_ID, "uri": f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}"},
        "contact": one.contact_body(),
        "permissions": permissions,
        "profileImage": {"uri": f"{uri}/profile-image"},
        "regionalSettings": {
            "timezone": {"id": "58", "name": "US/Pacific", "bias": "-480"},
            "homeCountry": {"id": "1", "name": "United States", "isoCode": "US", "callingCode": "1"},
            "language": {"id": "1033", "name": "English (United States)", "localeCode": "en-US"},
            "timeFormat": "12h",
        },
        "serviceFeatures": [{"featureName": name, "enabled": True} for name in ("SMS", "Presence", "VoipCalling")],
        **one.settings,
    }


def changeable(ask: Ask[Any, Any]) -> ExtensionRecord:
    """Return the extension named in the path, which the caller must be allowed to change.

    Raises:
        Problem: 404 CMN-102 for an unknown extension, 403 CMN-404 for that of another user, unless the caller is an
            administrator.
    """
    return ask.extension if ask.caller.is_admin else ask.own_extension


def _short(members: dict[str, Any]) -> dict[str, Any]:
    if len(str(members)) > _LARGEST:
        raise Problem(400, "CMN-101", "The members of the extension are too long")
    return members


def _refuse_unless_admin(ask: Ask[Any, Any]) -> None:
    if not ask.caller.is_admin:
        text = "In order to call this API endpoint, user needs to have [EditAccounts] permission for requested resource"
        raise Problem(403, "CMN-408", text, permissionName="EditAccounts")
