"""The map in `rcex_ws/wsg/__init__.py` names each file of the folder, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import rcex_ws.wsg


def test_the_map_is_complete_and_up_to_date():
    named = re.findall(r"\b\w+\.py\b", rcex_ws.wsg.__doc__ or "")
    files = {path.name for path in Path(rcex_ws.wsg.__file__).parent.glob("*.py")} - {"__init__.py"}
    assert sorted(named) == sorted(files)
