"""Happy eyeballs (RFC 8305): try the addresses of a host in staggered order; the first to connect wins.

On trio `trio.open_tcp_stream` does it; this is for asyncio and uvloop, and for SOCKS on all loops.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any, Final, Protocol, TypeVar, cast

import anyio

from rcex_ws.errors import ConnectFailed

__all__ = ["AddressInfo", "connect_first", "interleave", "resolve"]

#: Seconds before the next address is tried alongside.
_DELAY: Final = 0.25

#: A result of getaddrinfo: family, type, protocol, canonical name, address.
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class _Closable(Protocol):
    def close(self) -> None: ...


S = TypeVar("S", bound=_Closable)


async def resolve(host: str, port: int) -> Sequence[AddressInfo]:
    """Resolve a host name.

    Raises:
        OSError: the host has no address.
    """
    with suppress(socket.gaierror):  # an IP address needs no thread
        return cast(
            "list[AddressInfo]", socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        )
    return list(interleave(cast("list[AddressInfo]", await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM))))


def interleave(infos: Sequence[AddressInfo]) -> Iterator[AddressInfo]:
    """Alternate between the address families, starting with the one that the system prefers."""
    preferred = [info for info in infos if info[0] == infos[0][0]]
    others = [info for info in infos if info[0] != infos[0][0]]
    return (info for info in chain.from_iterable(zip_longest(preferred, others)) if info is not None)


async def connect_first(infos: Sequence[AddressInfo], connect: Callable[[AddressInfo], Awaitable[S]]) -> S:
    """Connect to the first address that answers; no other attempt is left running.

    Args:
        infos: the addresses, in order.
        connect: connects to one address; must clean up when it fails or is cancelled.

    Raises:
        ConnectFailed: from `connect`, for one of the addresses.
        OSError: from `connect`; for several addresses, its cause is the group of their errors.
    """
    if len(infos) == 1:
        return await connect(infos[0])
    errors: list[OSError] = []
    refusals: list[ConnectFailed] = []
    winners: list[S] = []

    async def attempt(info: AddressInfo, failed: anyio.Event) -> None:
        try:
            connected = await connect(info)
        except ConnectFailed as exc:
            refusals.append(exc)
            failed.set()
        except OSError as exc:
            errors.append(exc)
            failed.set()
        else:
            winners.append(connected)
            group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for info in infos:
                failed = anyio.Event()
                group.start_soon(attempt, info, failed)
                with anyio.move_on_after(_DELAY):
                    await failed.wait()
    except BaseException:
        for winner in winners:
            winner.close()
        raise
    if winners:
        for loser in winners[1:]:  # connected in the same iteration of the loop
            loser.close()
        return winners[0]
    if refusals:
        raise refusals[0]
    raise OSError("no address answers") from ExceptionGroup("no address answers", errors)
