"""Options are data: what an argument may be is declared by its type, and looked at in one way. Pure.

types.py        what public signatures are written with, beside the types of `typing`
arguments.py    `checked` looks at arguments before anything of a function runs, `check_fields` at a class of options
constraints.py  turns a declared type into a check; functions.py tells functions apart, urls.py reads URLs
names.py        the names of the JavaScript original
refusals.py     what a refusal says

Types are read as they are, not as the text of annotations. Every refusal is a `ConfigurationError`: the argument, what
is expected, the type of what was given, and its value if it cannot be a secret.
"""

from rcex_ws.options.arguments import check_fields, check_handler, checked, options_of, trimmed
from rcex_ws.options.constraints import Constraint, Rule, required_constraint
from rcex_ws.options.names import NamesOfJavaScript
from rcex_ws.options.refusals import refusal
from rcex_ws.options.types import (
    LONGEST,
    Bytes,
    CloseCode,
    Count,
    Credential,
    EventFilter,
    FilePath,
    HeaderName,
    HeaderText,
    HeaderValue,
    Label,
    Name,
    Number,
    Password,
    Port,
    Seconds,
    ServerUrl,
    Status,
    Url,
    Wait,
    WebSocketUrl,
)

__all__ = [
    "LONGEST",
    "Bytes",
    "CloseCode",
    "Constraint",
    "Count",
    "Credential",
    "EventFilter",
    "FilePath",
    "HeaderName",
    "HeaderText",
    "HeaderValue",
    "Label",
    "Name",
    "NamesOfJavaScript",
    "Number",
    "Password",
    "Port",
    "Rule",
    "Seconds",
    "ServerUrl",
    "Status",
    "Url",
    "Wait",
    "WebSocketUrl",
    "check_fields",
    "check_handler",
    "checked",
    "options_of",
    "refusal",
    "required_constraint",
    "trimmed",
]
