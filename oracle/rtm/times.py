"""The times of all processes, in seconds: those of a service, made short."""

from __future__ import annotations

from typing import Any

#: Of each client.
CLIENT: dict[str, Any] = {
    "open_timeout": 20.0,
    "attempt_timeout": 2.0,
    "call_timeout": 4.0,
    "close_timeout": 3.0,
    "heartbeat_interval": 1.0,
    "heartbeat_timeout": 1.5,
}
#: Of each server.
SERVER: dict[str, Any] = {
    "auth_timeout": 2.0,
    "resume_window": 6.0,
    "publish_timeout": 3.0,
    "count_timeout": 0.5,
    "heartbeat_interval": 1.0,
    "heartbeat_timeout": 1.5,
    "close_timeout": 3.0,
}
#: Of the broker, where a server is given one; else it has its own, which are longer.
BROKER: dict[str, Any] = {"time_to_live": 2.0, "command_timeout": 1.0}


def client_delays(failures: int) -> float:
    """Return how long a client waits after the n-th failure in a row."""
    return min(0.05 * 2.0**failures, 0.8)


def broker_delays(failures: int) -> float:
    """Return how long a broker does."""
    return min(0.1 * 2.0**failures, 1.0)
