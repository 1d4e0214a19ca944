"""Queries and bodies of requests, decoded into the types that a handler names. The one door for what clients send.

Used by `operation.py` alone; handlers name `Upload`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from rcex_ws.gateway.call import json_body
from rcex_ws.gateway.multipart import Part, boundary_of, read_form
from rcex_ws.gateway.problem import Problem

__all__ = ["Upload", "object_in", "read_body", "read_query"]

_PLACE = re.compile(r"`\$\.?([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_LONGEST_VALUE = 2**16

_Sent = TypeVar("_Sent", covariant=True)


@dataclass(frozen=True, slots=True)
class Upload(Generic[_Sent]):
    """A body that is a JSON object, or a multipart one with that object and files.

    In the multipart form the object is a part of the type application/json, or has a form field for each member.

    Attributes:
        sent: the object, of the type that the handler's annotation names.
        files: the files.
    """

    sent: _Sent
    files: list[Part]


def read_query(sent: QueryParams, wanted: Any) -> Any:
    """Return the query as a value of this type; unknown parameters are ignored, as at RingCentral.

    Args:
        sent: the query of a request.
        wanted: a Struct type, whose list members take a parameter that is repeated; None for no query.

    Raises:
        Problem: 400 CMN-101 that names the parameter.
    """
    if wanted is None:
        return None
    if any(len(value) > _LONGEST_VALUE for value in sent.values()):
        raise Problem(400, "CMN-101", "A parameter of the query is too long")
    given = {
        name: sent.getlist(name) if is_list else sent[name]
        for name, is_list in _members(wanted).items()
        if name in sent
    }
    return _convert(given, wanted, strict=False)


def object_in(wanted: Any) -> Any:
    """Return the type of the JSON object in a body of this type: that in an `Upload`, otherwise the type itself."""
    return get_args(wanted)[0] if get_origin(wanted) is Upload else wanted


async def read_body(request: Request, wanted: Any, consumes: Collection[str]) -> Any:
    """Return the body as a value of this type.

    Args:
        request: the request.
        wanted: a Struct type or `dict[str, Any]` for a JSON object, `bytes` for the raw body, `Upload` of a Struct type
            for one that may come with files, None for no body.
        consumes: the media types of the body.

    Raises:
        Problem: 400 CMN-100 if it is not a JSON object, 400 CMN-101 that names an invalid member, 415
            CMN-115 for JSON where only multipart is taken.
    """
    if wanted is None:
        return None
    if wanted is bytes:
        return await request.body()
    if (of_object := object_in(wanted)) is not wanted:
        return await _read_upload(request, of_object, takes_json="application/json" in consumes)
    return _convert(await json_body(request), wanted, strict=True)


async def _read_upload(request: Request, wanted: Any, *, takes_json: bool) -> Upload[Any]:
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None and not takes_json:
        raise Problem(415, "CMN-115", "The request is sent as multipart/form-data or multipart/mixed")
    if boundary is None:
        return Upload(_convert(await json_body(request), wanted, strict=True), [])
    form = read_form(await request.body(), boundary)
    return Upload(_convert(form.members, wanted, strict=False), form.files)


@cache
def _members(wanted: Any) -> dict[str, bool]:
    """Return the names of a Struct's members in a query, and whether each is a list."""
    info = msgspec.inspect.type_info(wanted)
    if not isinstance(info, msgspec.inspect.StructType):
        raise TypeError(f"a query is a Struct, not {wanted}")
    lists = (msgspec.inspect.ListType, msgspec.inspect.SetType, msgspec.inspect.VarTupleType)
    return {
        field.encode_name: any(isinstance(one, lists) for one in _alternatives(field.type)) for field in info.fields
    }


def _alternatives(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _convert(given: Any, wanted: Any, *, strict: bool) -> Any:
    try:
        return msgspec.convert(given, wanted, strict=strict)
    except msgspec.ValidationError as error:
        raise Problem(400, "CMN-101", f"Parameter [{_name_of(str(error))}] value is invalid") from error


def _name_of(complaint: str) -> str:
    """Return the name of the member that msgspec complains of."""
    place, missing = _PLACE.search(complaint), _MISSING.search(complaint)
    return ".".join(part for part in (place and place[1], missing and missing[1]) if part) or "body"
