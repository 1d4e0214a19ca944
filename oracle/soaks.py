"""The soaks of `make check`, three at a time, since they mostly wait: `python -m oracle.soaks`.

Their seeds never change, so that each run plans the same faults; `make soak SEED=random` looks further. What each
prints follows when it has ended; the exit status is 1 when one has failed.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

__all__ = ["SOAKS", "main"]

SOAKS = (
    "oracle.soak --seed 1 --seconds 40 --loop asyncio",
    "oracle.soak --seed 2 --seconds 40 --loop trio",
    "oracle.rtm.soak --seed 1 --seconds 12 --loop uvloop --faults holding --mutants",
    "oracle.rtm.soak --seed 2 --seconds 15 --loop trio --faults holding",
    "oracle.slack.soak --seed 1 --seconds 15 --loop uvloop --faults holding",
    "oracle.callback.soak --seed 1 --seconds 15 --loop trio --faults holding",
)
AT_A_TIME = 3


def main() -> int:
    """Run them, and say by the exit status whether all is well."""
    failed = False
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for ended in as_completed([pool.submit(_run, soak) for soak in SOAKS]):
            soak, status, said = ended.result()
            failed = failed or status != 0
            print(f"python -m {soak}\n{said}", flush=True)
            if status:
                print(f"FAILED, exit status {status}: python -m {soak}", flush=True)
    return int(failed)


def _run(soak: str) -> tuple[str, int, str]:
    command = [sys.executable, "-m", *soak.split()]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return soak, done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main())
