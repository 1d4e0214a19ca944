"""The account itself: its data, its phone numbers and devices, and what the caller and the application may do."""

from __future__ import annotations

from typing import Any

from msgspec import field

from rcex_ws.gateway.account.people import ACCOUNT_ID, MAIN_NUMBER, ExtensionRecord
from rcex_ws.gateway.api.operation import ACCOUNT, EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.api.people import extension_body
from rcex_ws.gateway.problem import Problem

__all__ = ["area", "own_permissions"]

_COUNTRY = {"id": "1", "name": "United States", "isoCode": "US", "callingCode": "1"}
_COMPANY = "Local Company"
_USER_FEATURES = ["SmsSender", "MmsSender", "InternationalSmsSender", "CallerId"]
_SERVICE_FEATURES = ("SMS", "MMS", "Presence", "VoipCalling", "InternationalCalling", "Pager", "Fax", "RCTeams")

area = RestArea("Account", permission="ReadAccounts")
own_permissions = RestArea("User Permissions")


class NumbersQuery(PagedQuery):
    """Which phone numbers to list."""

    usage_type: list[str] = field(default_factory=list[str])
    type: list[str] = field(default_factory=list[str])
    status: list[str] = field(default_factory=list[str])


class PermissionQuery(PagedQuery):
    """Which permission to check."""

    permission_id: str = ""


@area.get(ACCOUNT)
def read_account(ask: Ask[None, None]) -> Json:
    """Read the account."""
    return {
        "uri": _uri(ask),
        "id": int(ACCOUNT_ID),
        "mainNumber": MAIN_NUMBER,
        "status": "Confirmed",
        "setupWizardState": "Completed",
        "operator": _reference(ask, ask.core.people.first),
        "serviceInfo": _service(ask),
        "regionalSettings": extension_body(ask, ask.core.people.first)["regionalSettings"],
    }


@area.get(f"{ACCOUNT}/service-info")
def read_service_info(ask: Ask[None, None]) -> Json:
    """Read what the account has bought."""
    return _service(ask)


@area.get(f"{ACCOUNT}/business-address")
def read_business_address(ask: Ask[None, None]) -> Json:
    """Read the name and the address of the company."""
    return {"uri": f"{_uri(ask)}/business-address", **_company(ask)}


@area.get(f"{ACCOUNT}/company-info")
def read_company_info(ask: Ask[None, None]) -> Json:
    """Read the name, the address and the main number of the company."""
    return {"uri": f"{_uri(ask)}/company-info", **_company(ask), "mainNumber": MAIN_NUMBER}


@area.get(f"{ACCOUNT}/phone-number")
def list_account_numbers(ask: Ask[NumbersQuery, None]) -> Json:
    """List the phone numbers of the account."""
    numbers = [_number(ask, MAIN_NUMBER, None, "MainCompanyNumber", 0)]
    for one in ask.core.people.extensions:
        numbers += _numbers_of(ask, one)
    return page_of(ask, f"{_uri(ask)}/phone-number", _wanted(ask.query, numbers))


@area.get(f"{ACCOUNT}/phone-number/{{phoneNumberId}}")
def read_account_number(ask: Ask[None, None]) -> Json:
    """Read a phone number of the account."""
    numbers = [_number(ask, MAIN_NUMBER, None, "MainCompanyNumber", 0)]
    for one in ask.core.people.extensions:
        numbers += _numbers_of(ask, one)
    found = next((one for one in numbers if str(one["id"]) == ask.path["phoneNumberId"]), None)
    if found is None:
        raise Problem(404, "CMN-102", "Resource for parameter [phoneNumberId] is not found")
    return found


@area.get(f"{EXTENSION}/phone-number")
def list_own_numbers(ask: Ask[NumbersQuery, None]) -> Json:
    """List the phone numbers that an extension may use."""
    one = ask.extension
    numbers = [*_numbers_of(ask, one), _number(ask, MAIN_NUMBER, None, "MainCompanyNumber", 0)]
    return page_of(ask, f"{ask.server}{one.uri}/phone-number", _wanted(ask.query, numbers))


@area.get(f"{ACCOUNT}/device")
def list_devices(ask: Ask[PagedQuery, None]) -> Json:
    """List the phones of the account."""
    return page_of(ask, f"{_uri(ask)}/device", [_device(ask, one) for one in ask.core.people.extensions])


@area.get(f"{EXTENSION}/device")
def list_own_devices(ask: Ask[PagedQuery, None]) -> Json:
    """List the phones of an extension."""
    one = ask.extension
    return page_of(ask, f"{ask.server}{one.uri}/device", [_device(ask, one)])


@own_permissions.get(f"{EXTENSION}/authz-profile")
def read_own_permissions(ask: Ask[None, None]) -> Json:
    """Read what the caller may do."""
    uri = f"{ask.server}{ask.own_extension.uri}/authz-profile"
    return {"uri": uri, "permissions": [_permission(ask, name) for name in ask.login.app.scope]}


@own_permissions.get(f"{EXTENSION}/authz-profile/check")
def check_own_permission(ask: Ask[PermissionQuery, None]) -> Json:
    """Check whether the caller may do something."""
    uri, name = f"{ask.server}{ask.own_extension.uri}/authz-profile/check", ask.query.permission_id
    found = name in ask.login.app.scope
    return {"uri": uri, "successful": found, **({"details": _permission(ask, name)} if found else {})}


@area.get("/restapi/v1.0/client-info", permission="ReadClientInfo")
def read_client(ask: Ask[None, None]) -> Json:
    """Read what is known of the client."""
    agent = ask.request.headers.get("user-agent", "")
    app = ask.login.app
    client = {"detected": bool(agent), "userAgent": agent, "appId": app.client_id, "appName": app.name}
    return {"uri": f"{ask.server}/restapi/v1.0/client-info", "client": client}


def _uri(ask: Ask[Any, Any]) -> str:
    return f"{ask.server}/restapi/v1.0/account/{ACCOUNT_ID}"


def _service(ask: Ask[Any, Any]) -> dict[str, Any]:
    return {
        "uri": f"{_uri(ask)}/service-info",
        "servicePlan": {"id": "1", "name": "Local", "edition": "Enterprise"},
        "brand": {"id": "1210", "name": "RingCentral", "homeCountry": _COUNTRY},
        "contractedCountry": _COUNTRY,
        "limits": {"freeSoftPhoneLinesPerExtension": 1, "maxMonitoredExtensionsPerUser": 100},
        "serviceFeatures": [{"featureName": name, "enabled": True} for name in _SERVICE_FEATURES],
    }


def _company(ask: Ask[Any, Any]) -> dict[str, Any]:
    address = {"country": "United States", "state": "CA", "city": "Belmont", "street": "20 Davis Drive", "zip": "94002"}
    email = ask.core.people.first.contact_body()["email"]
    return {"company": _COMPANY, "email": email, "businessAddress": address, "mainSiteName": "Main Site"}


def _reference(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, Any]:
    return {"uri": f"{ask.server}{one.uri}", "id": int(one.id), "extensionNumber": one.number}


def _numbers_of(ask: Ask[Any, Any], one: ExtensionRecord) -> list[dict[str, Any]]:
    return [_number(ask, text, one, "DirectNumber", place) for place, text in enumerate(one.phone_numbers)]


def _number(ask: Ask[Any, Any], text: str, one: ExtensionRecord | None, usage: str, place: int) -> dict[str, Any]:
    number_id = int(text.lstrip("+") or 0)
    return {
        "uri": f"{_uri(ask)}/phone-number/{number_id}",
        "id": number_id,
        "phoneNumber": text,
        "usageType": usage,
        "type": "VoiceFax",
        "paymentType": "Local",
        "status": "Normal",
        "primary": place == 0,
        "country": _COUNTRY,
        "features": ["CallerId"] if one is None else list(_USER_FEATURES),
        **({} if one is None else {"extension": _reference(ask, one)}),
    }


def _wanted(query: NumbersQuery, numbers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asked = {"usageType": query.usage_type, "type": query.type, "status": query.status}
    return [one for one in numbers if all(not values or one[name] in values for name, values in asked.items())]


def _device(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, Any]:
    return {
        "uri": f"{_uri(ask)}/device/{one.id}",
        "id": one.id,
        "type": "SoftPhone",
        "name": f"Phone of {one.name}",
        "status": "Online",
        "extension": _reference(ask, one),
        "phoneLines": [],
    }


def _permission(ask: Ask[Any, Any], name: str) -> dict[str, Any]:
    uri = f"{ask.server}/restapi/v1.0/dictionary/permission/{name}"
    return {"permission": {"uri": uri, "id": name}, "scopes": ["Self"]}
