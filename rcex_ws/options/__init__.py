"""Check arguments and options at run time against their declared types. Pure.

arguments.py    `checked` for a function, `check_fields` for a class of options, `options_of` for a constructor
types.py        annotated types for public signatures, such as `Seconds`
constraints.py  compiles a type into a check, with functions.py (kinds of functions) and urls.py (valid URLs)
refusals.py     the `ConfigurationError` that every failed check raises
names.py        hints for names of the JavaScript original

The message of a refusal has the argument's name, what is expected, the type that was given, and the value unless it may
be a secret.
"""

from rcex_ws.options.arguments import check_fields, check_handler, checked, keywords_only, options_of, trimmed
from rcex_ws.options.constraints import Constraint, Rule, required_constraint
from rcex_ws.options.names import AttributesOfJavaScript, EnumOfJavaScript, NamesOfJavaScript, check_argument
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
    "AttributesOfJavaScript",
    "Bytes",
    "CloseCode",
    "Constraint",
    "Count",
    "Credential",
    "EnumOfJavaScript",
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
    "check_argument",
    "check_fields",
    "check_handler",
    "checked",
    "keywords_only",
    "options_of",
    "refusal",
    "required_constraint",
    "trimmed",
]
