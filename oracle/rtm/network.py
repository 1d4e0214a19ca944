"""The network: a road from each client to a server, and a link from each server to Redis, through proxies that fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from oracle.rtm.faults import CONNECTIONS, SERVERS, VISITOR
from rcex_ws.testing import FaultProxy

__all__ = ["Network", "Road"]

#: Where a road leads while there is no server: nobody listens there.
_NOWHERE = "ws://127.0.0.1:1/"


class Road:
    """The way of one client, whose address stays the same, to one of the servers.

    It has two lanes, one of which is open, so that a connection can be left half-open on the other one.

    Args:
        server: where it leads at first, by name.
    """

    def __init__(self, server: str) -> None:
        self.home = server
        self.server = server
        self.front = FaultProxy("127.0.0.1", 1)
        self._lanes = [FaultProxy("127.0.0.1", 1), FaultProxy("127.0.0.1", 1)]

    @property
    def proxies(self) -> Iterable[FaultProxy]:
        """All parts of it."""
        return (self.front, *self._lanes)

    @property
    def url(self) -> str:
        """The address for the client."""
        return f"ws://{self.front.host}:{self.front.port}/"

    def lead_to(self, url: str) -> None:
        """Lead new connections to a server."""
        for lane in self._lanes:
            lane.retarget(url)
        self._open()

    def change_lanes(self) -> FaultProxy:
        """Freeze the open lane, have new connections take the other one, and return the frozen one."""
        frozen = self._lanes[0]
        frozen.freeze()
        self._lanes.reverse()
        self._open()
        return frozen

    def _open(self) -> None:
        lane = self._lanes[0]
        self.front.retarget(f"ws://{lane.host}:{lane.port}/")


class Network:
    """All roads and links.

    Args:
        redis: the port of Redis; None without.

    Attributes:
        roads: by connection.
        links: by server.
    """

    def __init__(self, redis: int | None) -> None:
        self.roads = {place: Road(server) for place, (_, server) in CONNECTIONS.items()}
        self.roads[VISITOR] = Road("A")
        self.links = {server: FaultProxy("127.0.0.1", redis) for server in SERVERS} if redis else {}
        self._urls: dict[str, str] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let all proxies listen."""
        with ExitStack() as stack:
            for proxy in (*self.links.values(), *(proxy for road in self.roads.values() for proxy in road.proxies)):
                stack.enter_context(proxy)
            for road in self.roads.values():
                road.lead_to(_NOWHERE)
            yield

    def set_url(self, server: str, url: str) -> None:
        """Say where a server listens, "" when it does not."""
        self._urls[server] = url
        for road in self.roads.values():
            if road.server == server:
                road.lead_to(url or _NOWHERE)

    def move(self, place: str, server: str) -> None:
        """Have new connections of a client go to this server."""
        road = self.roads[place]
        road.server = server
        road.lead_to(self._urls.get(server) or _NOWHERE)

    def heal(self) -> None:
        """End all that still lasts."""
        for road in self.roads.values():
            for proxy in road.proxies:
                _heal(proxy)
        for link in self.links.values():
            _heal(link)


def _heal(proxy: FaultProxy) -> None:
    proxy.thaw()
    proxy.delay(0.0)
    proxy.accept()
