"""What most tests of found failures get: a server made by hand, and a record of what the application is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.found.peer import Peer
from tests.told import Told


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def told() -> Told:
    return Told()
