"""How calls are handled: forwarded all, by rules, and with which caller id. Kept and told, but not obeyed by calls."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from rcex_ws.gateway.account.people import ExtensionRecord
from rcex_ws.gateway.api.operation import ACCOUNT, EXTENSION, Ask, Json, RestArea
from rcex_ws.gateway.api.paging import PagedQuery, page_of
from rcex_ws.gateway.api.people import changeable
from rcex_ws.gateway.notices.people import tell_of_extension
from rcex_ws.gateway.problem import Problem

__all__ = ["area"]

_FORWARD = "forward-all-calls"
_CALLER_ID = "caller-id"
_RULES = "answering-rule"
_RULE = f"{EXTENSION}/{_RULES}/{{ruleId}}"
_BUILT_IN = {
    "business-hours-rule": ("BusinessHours", "Business hours"),
    "after-hours-rule": ("AfterHours", "After hours"),
}
_MOST_RULES = 100

area = RestArea("Call handling", permission="EditExtensions")

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class ForwardAllCalls(Struct):
    """Whether all calls are forwarded."""

    enabled: bool


class CallerIdChange(Struct, rename="camel"):
    """Which numbers are shown to those who are called; members that are not given stay."""

    by_device: list[dict[str, Any]] | UnsetType = UNSET
    by_feature: list[dict[str, Any]] | UnsetType = UNSET
    extension_name_for_outbound_calls: bool | UnsetType = UNSET
    extension_number_for_internal_calls: bool | UnsetType = UNSET


class NewRule(Struct, rename="camel"):
    """A rule to add."""

    name: Name
    type: Name = "Custom"
    enabled: bool = True
    call_handling_action: Name = "ForwardCalls"


class RuleChange(Struct, rename="camel"):
    """New members of a rule; those that are not given stay."""

    name: Name | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    call_handling_action: Name | UnsetType = UNSET


@area.get(f"{ACCOUNT}/{_FORWARD}", permission="ReadAccounts")
def read_company_forwarding(ask: Ask[None, None]) -> Json:
    """Read whether all calls of the company are forwarded."""
    return ask.core.settings.get("account", _FORWARD, {"enabled": False})


@area.patch(f"{ACCOUNT}/{_FORWARD}", permission="EditAccounts")
def change_company_forwarding(ask: Ask[None, ForwardAllCalls]) -> Json:
    """Switch the forwarding of all calls of the company on or off."""
    if not ask.caller.is_admin:
        raise Problem(403, "CMN-408", "User permission [EditCompanyAnsweringRules] is required")
    ask.core.settings.change("account", _FORWARD, {"enabled": ask.body.enabled})
    return ask.core.settings.get("account", _FORWARD, {})


@area.get(f"{EXTENSION}/{_FORWARD}", permission="ReadAccounts")
def read_forwarding(ask: Ask[None, None]) -> Json:
    """Read whether all calls of an extension are forwarded."""
    return ask.core.settings.get(ask.extension.id, _FORWARD, {"enabled": False})


@area.patch(f"{EXTENSION}/{_FORWARD}")
def change_forwarding(ask: Ask[None, ForwardAllCalls]) -> Json:
    """Switch the forwarding of all calls of an extension on or off."""
    one = changeable(ask)
    ask.core.settings.change(one.id, _FORWARD, {"enabled": ask.body.enabled})
    tell_of_extension(ask.core, one, "Update", "AnsweringRules")
    return ask.core.settings.get(one.id, _FORWARD, {})


@area.get(f"{EXTENSION}/{_CALLER_ID}", permission="ReadAccounts")
def read_caller_id(ask: Ask[None, None]) -> Json:
    """Read which numbers are shown to those whom an extension calls."""
    return _caller_id(ask, ask.extension)


@area.put(f"{EXTENSION}/{_CALLER_ID}")
def change_caller_id(ask: Ask[None, CallerIdChange]) -> Json:
    """Change which numbers are shown to those whom an extension calls."""
    one = changeable(ask)
    ask.core.settings.change(one.id, _CALLER_ID, msgspec.to_builtins(ask.body))
    tell_of_extension(ask.core, one, "Update", "ExtensionInfo")
    return _caller_id(ask, one)


@area.get(f"{EXTENSION}/{_RULES}", permission="ReadAccounts")
def list_rules(ask: Ask[PagedQuery, None]) -> Json:
    """List the answering rules of an extension."""
    one = ask.extension
    found = [_rule_body(ask, one, rule_id, rule) for rule_id, rule in _rules(ask, one).items()]
    return page_of(ask, f"{ask.server}{one.uri}/{_RULES}", found)


@area.post(f"{EXTENSION}/{_RULES}")
def add_rule(ask: Ask[None, NewRule]) -> Json:
    """Add an answering rule."""
    one = changeable(ask)
    rules = _rules(ask, one)
    if len(rules) >= _MOST_RULES:
        raise Problem(403, "CMN-405", "The extension has no room for another rule")
    rule_id, rule = ask.core.media.new_id(), msgspec.to_builtins(ask.body)
    _keep(ask, one, rules | {rule_id: rule})
    return _rule_body(ask, one, rule_id, rule)


@area.get(_RULE, permission="ReadAccounts")
def read_rule(ask: Ask[None, None]) -> Json:
    """Read an answering rule."""
    one = ask.extension
    return _rule_body(ask, one, ask.path["ruleId"], _rule(ask, one))


@area.put(_RULE)
def change_rule(ask: Ask[None, RuleChange]) -> Json:
    """Change an answering rule."""
    one, rule_id = changeable(ask), ask.path["ruleId"]
    rule = _rule(ask, one) | msgspec.to_builtins(ask.body)
    _keep(ask, one, _rules(ask, one) | {rule_id: rule})
    return _rule_body(ask, one, rule_id, rule)


@area.delete(_RULE)
def delete_rule(ask: Ask[None, None]) -> None:
    """Remove an answering rule."""
    one, rule_id = changeable(ask), ask.path["ruleId"]
    _rule(ask, one)
    if rule_id in _BUILT_IN:
        raise Problem(403, "CMN-405", "This rule cannot be removed")
    _keep(ask, one, {name: rule for name, rule in _rules(ask, one).items() if name != rule_id})


def _caller_id(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, Any]:
    number = {"phoneNumber": one.phone_number} if one.phone_number else {}
    shown = {"type": "PhoneNumber", "phoneInfo": number}
    features = ("RingOut", "RingMe", "CallFlip", "FaxNumber", "AdditionalSoftphone", "Alternate")
    default = {
        "byDevice": [],
        "byFeature": [{"feature": feature, "callerId": shown} for feature in features],
        "extensionNameForOutboundCalls": True,
        "extensionNumberForInternalCalls": True,
    }
    uri = f"{ask.server}{one.uri}/{_CALLER_ID}"
    return {"uri": uri, **ask.core.settings.get(one.id, _CALLER_ID, default)}


def _rules(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, dict[str, Any]]:
    built_in = {
        name: {"name": title, "type": kind, "enabled": True, "callHandlingAction": "ForwardCalls"}
        for name, (kind, title) in _BUILT_IN.items()
    }
    kept = ask.core.settings.get(one.id, _RULES, {"rules": built_in})
    return dict(kept["rules"])


def _rule(ask: Ask[Any, Any], one: ExtensionRecord) -> dict[str, Any]:
    rule = _rules(ask, one).get(ask.path["ruleId"])
    if rule is None:
        raise Problem(404, "CMN-102", "Resource for parameter [ruleId] is not found")
    return rule


def _keep(ask: Ask[Any, Any], one: ExtensionRecord, rules: dict[str, dict[str, Any]]) -> None:
    ask.core.settings.change(one.id, _RULES, {"rules": rules})
    tell_of_extension(ask.core, one, "Update", "AnsweringRules")


def _rule_body(ask: Ask[Any, Any], one: ExtensionRecord, rule_id: str, rule: dict[str, Any]) -> dict[str, Any]:
    uri = f"{ask.server}{one.uri}/{_RULES}/{rule_id}"
    return {"uri": uri, "id": rule_id, **rule, "extension": {"id": int(one.id), "uri": f"{ask.server}{one.uri}"}}
