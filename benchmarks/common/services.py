"""A service of one or more servers, with the clients that it has: its CPU for each event, and how long these take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.common.process import Contender, Sample
from benchmarks.common.serving import AT_ONCE

__all__ = ["Service"]


class Service:
    """One of them. The servers listen once it is made.

    Args:
        name: of the group of its clients.
        servers: its processes.
        audience: has the clients.
        redis: what connects the servers; None if nothing does.
        dialect: what the clients speak.
        sessions: whether they want to resume.

    Attributes:
        clients: how many have connected.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[Contender],
        audience: Contender,
        redis: str | None = None,
        *,
        dialect: str = "rtm",
        sessions: bool = False,
    ) -> None:
        self._name = name
        self._servers = servers
        self._audience = audience
        self._has_users = redis is not None
        self._client = {"dialect": dialect, "users": self._has_users, "sessions": sessions}
        self.clients = 0
        how = {} if redis is None else {"redis": redis}
        self._ports = [server.do("listen", group=name, **how)["port"] for server in servers]

    def gather(self, clients: int) -> Sample:
        """Let so many clients more connect; count them and their memory."""
        before = self._use(memory=True)
        sample = self._audience.do("gather", group=self._name, ports=self._ports, clients=clients, **self._client)
        self.clients += clients
        return {**sample, **self._since(before, memory=True)}

    def emit(self, times: int, size: int, at_once: int = AT_ONCE) -> Sample:
        """Send so many events to all clients, a few at a time."""
        before, heard = self._use(), list[Sample]()
        for sent in range(0, times, at_once):
            batch = min(at_once, times - sent)
            self._audience.tell("listen", group=self._name, events=batch * self.clients)
            self._servers[0].do("emit", group=self._name, times=batch, size=size)
            heard.append(self._audience.hear())
        return {**_together(heard), "count": times * self.clients, **self._since(before)}

    def publish(self, count: int, **how: Any) -> Sample:
        """Have each server publish so many events, to one user after the other."""
        before, events = self._use(), count * len(self._servers)
        self._audience.tell("listen", group=self._name, events=events)
        for server in self._servers:
            server.tell("publish", group=self._name, count=count, users=self.clients, **how)
        for server in self._servers:
            server.hear()
        return {**self._audience.hear(), "count": events, **self._since(before)}

    def _use(self, *, memory: bool = False) -> Sample:
        used = [server.do("usage", memory=memory) for server in self._servers]
        return {what: sum(one[what] for one in used) for what in ("cpu", "bytes")}

    def _since(self, before: Sample, *, memory: bool = False) -> Sample:
        return {what: used - before[what] for what, used in self._use(memory=memory).items()}


def _together(heard: Sequence[Sample]) -> Sample:
    """Return the mean of what was heard."""
    return {what: sum(one[what] for one in heard) / len(heard) for what in ("p50", "p99", "seconds", "audience_cpu")}
