"""Holds answers against what the OpenAPI document declares: the status, the media type, the form of the body."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Union

import msgspec

from rcex_ws.gateway.api.application import AREAS
from rcex_ws.gateway.api.openapi import ErrorAnswer, json_types, openapi_document
from rcex_ws.gateway.api.operation import RestOperation
from rcex_ws.gateway.call import RestAnswer

OPERATIONS = [operation for area in AREAS for operation in area]
RATE_HEADERS = {"x-rate-limit-group", "x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-window"}


@cache
def document() -> dict[str, Any]:
    return openapi_document(OPERATIONS)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], RestOperation]]:
    return [(one.method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one.path))), one) for one in OPERATIONS]


@cache
def _decoder(operation: RestOperation) -> msgspec.json.Decoder[Any]:
    """Return what reads a body of the declared type and refuses any other."""
    return msgspec.json.Decoder(Union[json_types(operation)])  # noqa: UP007


def check_declared(method: str, path: str, answer: RestAnswer) -> None:
    """Fail if the document does not declare an answer to one of its operations."""
    operation = next((one for verb, pattern, one in _patterns() if verb == method and pattern.fullmatch(path)), None)
    if operation is None:
        return
    where = f"{method} {operation.path}: {answer.status}"
    answers = document()["paths"][operation.path][method.lower()]["responses"]
    declared = answers.get(str(answer.status)) or answers.get(f"{answer.status // 100}XX")
    assert declared is not None, f"{where} is not declared"
    if "$ref" in declared:
        declared = document()["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    kinds = declared.get("content", {})
    if not kinds or media_type != "application/json":
        assert "*/*" in kinds or not answer.body, f"{where} is declared without {media_type}"
        return
    assert kinds.keys() & {"application/json", "*/*"}, f"{where} is not declared as JSON"
    try:
        if answer.status >= 400:
            msgspec.json.decode(answer.body, type=ErrorAnswer)
        elif "application/json" in kinds:
            _decoder(operation).decode(answer.body)
    except msgspec.ValidationError as error:
        raise AssertionError(
            f"{where} has another body than is declared: {error}: {json.loads(answer.body)}"
        ) from error
    if answer.status not in (401, 503):  # refused before the limits are asked
        assert answer.headers.keys() >= RATE_HEADERS, where
