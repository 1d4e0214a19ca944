"""Random documents and changes of them, as JSON allows them and JavaScript reads them."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from rcex_ws.feedme.deltas import Delta, Operation

#: Characters that are sorted, escaped or joined in special ways.
CHARACTERS = 'a0 "\\/\n\x1f\x7fé\u2028\ud83d\ude00\udfff\uffee\U0001f600'

texts = st.text(st.sampled_from(CHARACTERS), max_size=4)
numbers = st.one_of(
    st.integers(-20, 20),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e-4, 1e-4),
    st.sampled_from(
        [-0.0, 1e-6, 1e-7, 1e20, 1e21, 5e-324, 2**53, 2**53 + 1, 123456789012345680000, 1.7976931348623157e308]
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(texts, inner, max_size=5)),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, max_size=8)


@st.composite
def changes(draw: st.DrawFn, data: Any) -> Delta:
    """Draw a delta for data: most of them fit, not all."""
    path: list[str | int] = []
    here = data
    while isinstance(here, dict | list) and here and draw(st.integers(0, 3)):
        path.append(draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here)))))
        here = here[path[-1]]
    if not draw(st.integers(0, 3)):
        path.append(draw(st.sampled_from(["a", "toString", "", 0, 1, len(here) if isinstance(here, list) else 2])))
    if isinstance(here, bool):
        fitting = ["Toggle"]
    elif isinstance(here, str):
        fitting = ["Prepend", "Append"]
    elif isinstance(here, int | float):
        fitting = ["Increment", "Decrement"]
    elif isinstance(here, list):
        fitting = ["DeleteValue", "InsertFirst", "InsertLast", "DeleteFirst", "DeleteLast"]
    else:
        fitting = ["DeleteValue"]
    if path and isinstance(path[-1], int):
        fitting += ["InsertBefore", "InsertAfter"]
    operation = draw(
        st.sampled_from([*fitting, *fitting, "Set", "Set", "Delete", draw(st.sampled_from(get_args(Operation)))])
    )
    if operation in ("Delete", "Toggle", "DeleteFirst", "DeleteLast"):
        return Delta(operation, tuple(path))
    if operation in ("Prepend", "Append"):
        return Delta(operation, tuple(path), draw(texts))
    if operation in ("Increment", "Decrement"):
        return Delta(operation, tuple(path), draw(numbers))
    if operation == "DeleteValue" and isinstance(here, dict | list) and here:
        return Delta(
            operation, tuple(path), draw(st.sampled_from(list(here.values() if isinstance(here, dict) else here)))
        )
    return Delta(operation, tuple(path), draw(values))
