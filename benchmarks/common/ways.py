"""How bytes go between the server and the contenders: plain, compressed, or encrypted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from benchmarks.common.process import COMPRESSION

__all__ = ["DEFLATE", "PLAIN", "Way", "over_tls"]


@dataclass(frozen=True, slots=True)
class Way:
    """One of them.

    Attributes:
        name: in the report.
        server: arguments of the server.
        environment: of the contenders, besides what they inherit.
    """

    name: str
    server: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


PLAIN = Way("plain")
DEFLATE = Way("deflate", ("--deflate",), {COMPRESSION: "deflate"})


@contextlib.contextmanager
def over_tls() -> Generator[Way]:
    """Give the way over https and wss, with an authority of its own that the contenders trust as the system's."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        trusted, certificate = Path(folder, "authority.pem"), Path(folder, "server.pem")
        authority.cert_pem.write_to_path(trusted)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        yield Way("TLS", ("--certificate", str(certificate)), {"SSL_CERT_FILE": str(trusted)})
