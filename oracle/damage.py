"""What may have become of a file between two lives of a process."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from pathlib import Path

from oracle.journal import Struck

__all__ = ["spoil", "spoil_files"]

#: Files in the folder of a process's state, by the kind of fault that damages them.
_FILES = {"damage-session": "session.json", "damage-token": "token.json"}


def spoil(data: bytes, dice: random.Random, *, missing: bool = False) -> tuple[str, bytes | None]:
    """Give what is left of a file, and in which way it was damaged.

    Args:
        data: what was in it.
        dice: choose the damage.
        missing: it may be gone altogether.
    """
    how = dice.choice(("truncated", "empty", "garbage", "old", *(("missing",) if missing else ())))
    if how == "truncated":
        return how, data[: dice.randrange(1, max(2, len(data)))]
    if how == "missing":
        return how, None
    return how, {"empty": b"", "garbage": dice.randbytes(40), "old": b'{"version":0,"session":{}}'}[how]


def spoil_files(folder: Path, kinds: Collection[str], dice: random.Random) -> Iterator[Struck]:
    """Damage the stores of a process that is not running, now and then, and say what was done."""
    for kind, name in _FILES.items():
        file = folder / name
        if kind in kinds and dice.random() < 0.3 and file.exists() and (data := file.read_bytes()):
            how, left = spoil(data, dice, missing=kind == "damage-token")
            if left is None:
                file.unlink()
            else:
                file.write_bytes(left)
            yield Struck(kind=kind, where="store", detail=how)
