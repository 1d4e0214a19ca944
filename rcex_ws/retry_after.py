"""The header Retry-After, which both an HTTP answer and a refused WebSocket upgrade may bear. Pure."""

from __future__ import annotations

import math

__all__ = ["parse_retry_after"]


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Return the seconds that a Retry-After asks to wait, or None when it says nothing usable.

    Args:
        value: seconds or a date (RFC 9110, 10.2.3).
        now: wall-clock seconds since the epoch, for the date.
    """
    value = value.strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime  # brings in all of `email`

        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
