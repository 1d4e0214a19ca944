"""The OpenAPI 3.1 document of the REST API, derived from what the handlers' annotations say. Pure.

Made by `application.py` when `GET /openapi.json` is asked for the first time. The names of the extensions with which it
tells permissions and rate groups, `x-app-permission` and `x-throttling-group`, are those of RingCentral's own document.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct
from starlette.responses import Response

from rcex_ws.gateway.account.people import ACCOUNT_ID
from rcex_ws.gateway.api.operation import RestOperation
from rcex_ws.gateway.front import needs_login
from rcex_ws.gateway.limits import group_of
from rcex_ws.version import __version__

__all__ = ["ErrorAnswer", "json_types", "openapi_document"]

_PARAMETER = re.compile(r"\{(\w+)\}")
_REFERENCE = "#/components/schemas/{name}"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_KNOWN_PARAMETERS = {
    "accountId": ("The account; `~` is the caller's.", ["~", ACCOUNT_ID]),
    "extensionId": ("The extension, by its id or its number; `~` is the caller's.", ["~"]),
}
_RATE_HEADERS = {
    "X-Rate-Limit-Group": ("The rate group of the operation.", "string"),
    "X-Rate-Limit-Limit": ("Requests allowed in one window.", "integer"),
    "X-Rate-Limit-Remaining": ("Requests left in the window.", "integer"),
    "X-Rate-Limit-Window": ("Length of the window in seconds.", "number"),
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds until trying again can help.", "schema": {"type": "number"}},
}


class ErrorEntry(Struct, rename="camel"):
    """One error."""

    error_code: str
    message: str


class ErrorAnswer(ErrorEntry, rename="camel"):
    """What every error is answered with; the first entry of `errors` is repeated at the top."""

    errors: list[ErrorEntry]


def openapi_document(operations: Iterable[RestOperation]) -> dict[str, Any]:
    """Return the OpenAPI document of these operations."""
    schemas = _Schemas()
    error = {_JSON: {"schema": schemas.of(ErrorAnswer)}}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    rate_headers = {
        name: {"description": text, "schema": {"type": kind}} for name, (text, kind) in _RATE_HEADERS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rcex_ws.gateway, a local RingCentral",
            "version": __version__,
            "description": "The part of RingCentral's REST API that the local RingCentral serves.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "headers": rate_headers,
            "responses": {
                "Error": {"description": "The request is refused.", "headers": _limits(), "content": error},
                "TooMany": {
                    "description": "Too many requests in this rate group.",
                    "headers": _limits() | _RETRY_AFTER,
                    "content": error,
                },
                "Unavailable": {
                    "description": "No node is there, or a fault was ordered.",
                    "headers": _limits() | _RETRY_AFTER,
                    "content": error,
                },
            },
            "schemas": schemas.all,
        },
    }


def json_types(operation: RestOperation) -> tuple[Any, ...]:
    """Return the types of the answers of an operation that become JSON, of which there may be none."""
    return tuple(one for one in _answer_types(operation) if one is not type(None) and not _is_response(one))


class _Schemas:
    """The JSON schemas of types, those of Structs under their names.

    Attributes:
        all: the schemas by name.
    """

    def __init__(self) -> None:
        self.all: dict[str, Any] = {}

    def of(self, wanted: Any) -> dict[str, Any]:
        """Return the schema of a type, perhaps a reference."""
        (schema,), more = msgspec.json.schema_components([wanted], ref_template=_REFERENCE)
        self.all |= more
        return schema

    def members_of(self, wanted: Any) -> dict[str, Any]:
        """Return the schema of a Struct itself, which is not kept under its name."""
        (_,), more = msgspec.json.schema_components([wanted], ref_template=_REFERENCE)
        schema: dict[str, Any] = more.pop(wanted.__name__)
        self.all |= more
        return schema


def _described(operation: RestOperation, schemas: _Schemas) -> dict[str, Any]:
    _, _, description = (inspect.getdoc(operation.handler) or "").partition("\n")
    found: dict[str, Any] = {
        "operationId": _camel(operation.handler.__name__),
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-throttling-group": group_of(operation.method, operation.path).capitalize(),
        "responses": _answers(operation, schemas),
    }
    if description.strip():
        found["description"] = description.strip()
    if operation.permission:
        found["x-app-permission"] = operation.permission
    if needs_login(operation.path):
        found["security"] = [{"bearer": []}]
    parameters = [*map(_path_parameter, _PARAMETER.findall(operation.path)), *_query(operation.query, schemas)]
    if parameters:
        found["parameters"] = parameters
    if operation.body is not None:
        found["requestBody"] = _body(operation, schemas)
    return found


def _path_parameter(name: str) -> dict[str, Any]:
    description, examples = _KNOWN_PARAMETERS.get(name, ("", []))
    found: dict[str, Any] = {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    if description:
        found["description"] = description
    if examples:
        found["examples"] = {str(number): {"value": one} for number, one in enumerate(examples, 1)}
    return found


def _query(query: Any, schemas: _Schemas) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = schemas.members_of(query)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": member}
        for name, member in schema["properties"].items()
    ]


def _body(operation: RestOperation, schemas: _Schemas) -> dict[str, Any]:
    if operation.body is bytes:
        return {"content": {kind: {"schema": _raw(kind)} for kind in operation.consumes}, "required": True}
    schema = schemas.of(operation.body)
    named = schemas.all.get(getattr(operation.body, "__name__", ""), {})
    return {
        "content": {kind: {"schema": schema} for kind in operation.consumes},
        "required": bool(named.get("required")),
    }


def _raw(media_type: str) -> dict[str, Any]:
    """Return the schema of a body whose handler takes it apart."""
    if media_type == _FORM or media_type.startswith("multipart/form"):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    return {}


def _answers(operation: RestOperation, schemas: _Schemas) -> dict[str, Any]:
    types = _answer_types(operation)
    found: dict[str, Any] = {}
    kinds = [schemas.of(one) for one in json_types(operation)]
    if kinds:
        schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        found[str(operation.status)] = _answer("The answer.", {_JSON: {"schema": schema}})
    if type(None) in types:
        found["204"] = _answer("It is done.")
    if any(map(_is_response, types)):
        found["2XX"] = _answer("The answer, in a form of its own.", {"*/*": {}})
        found["3XX"] = _answer("Where to go on.")
    return found | {
        "429": {"$ref": "#/components/responses/TooMany"},
        "4XX": {"$ref": "#/components/responses/Error"},
        "503": {"$ref": "#/components/responses/Unavailable"},
    }


def _answer_types(operation: RestOperation) -> tuple[Any, ...]:
    answer = operation.answer
    return get_args(answer) if get_origin(answer) in (Union, UnionType) else (answer,)


def _answer(description: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"description": description, "headers": _limits()}
    return found if content is None else found | {"content": content}


def _limits() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}


def _is_response(one: Any) -> bool:
    return inspect.isclass(one) and issubclass(one, Response)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
