"""The limit of open files."""

from __future__ import annotations

import resource

__all__ = ["allow_many_files"]


def allow_many_files() -> None:
    """Raise the limit as far as the system lets us: a thousand connections need more than the usual 1024."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
