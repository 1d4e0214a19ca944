"""Telling JSON shapes apart where a client's body is read: typed answers instead of casts all over. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

__all__ = ["as_array", "as_object"]


def as_object(value: object) -> dict[str, Any] | None:
    """Return a JSON object, None for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[Any] | None:
    """Return a JSON array, None for anything else."""
    return list(cast("Iterable[Any]", value)) if isinstance(value, list) else None
