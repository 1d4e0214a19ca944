"""One soak: a server, and the lives of a client one after the other, until the plan is over and all is calm."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from oracle.client import FileJournal
from oracle.damage import spoil_files
from oracle.journal import LifeEnded, Struck
from oracle.processes import DidNotEnd, Program
from oracle.schedule import Act, Kind, make_schedule
from oracle.world import CALM

__all__ = ["Course", "Options", "run_lives"]

#: An orderly end may take close_timeout and the application's own way out.
_STOP_WITHIN = 20.0
#: How many lives may begin before anything else is done to them.
_KNOWN_TO_BEGIN = 0.8
#: A client on a busy machine begins in so many seconds.
_BEGINS_WITHIN = 20.0
#: A server ends by itself when asked, or is killed.
_SERVER_WITHIN = 5.0
#: A run is short and has to meet much, so more happens than at its pace alone.
_BUSTLE = 4.0
#: How often a client that ended by itself is looked for.
_GLANCE = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """What a soak is made of.

    Attributes:
        seed: decides about everything that is chance here.
        seconds: until faults stop.
        settle: seconds of calm after that, before the orderly end.
        loop: asyncio, uvloop or trio.
        kinds: faults of the server and of the application, as `oracle.faults` names them.
        acts: what is done to the processes.
        pace: by what the times of server and application are multiplied.
        recovery_timeout: the server's, in seconds.
        folder: takes journals, logs and stores.
    """

    seed: int
    seconds: float
    settle: float
    loop: str
    kinds: Collection[str]
    acts: Collection[Kind]
    pace: float
    recovery_timeout: float
    folder: Path

    @property
    def faults(self) -> str:
        """The kinds as the programs take them."""
        return ",".join(sorted(self.kinds))

    @property
    def client_journal(self) -> Path:
        """Of all lives."""
        return self.folder / "client.jsonl"

    @property
    def samples(self) -> Path:
        """Of what the lives held."""
        return self.folder / "client.jsonl.samples"

    @property
    def server_journal(self) -> Path:
        """Of all lives of the server."""
        return self.folder / "server.jsonl"


@dataclass(slots=True)
class Course:
    """How it went.

    Attributes:
        lives: how many the client had.
        acts: what was done to the processes, counted.
        wrong: what went wrong with the processes themselves, in words for people.
    """

    lives: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class _Lives:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._rng = random.Random(f"lives {options.seed}")
        self._damage = random.Random(f"{options.seed}/damage")
        self._server = Program("oracle.server", options.folder / "server.log")
        self._client = Program("oracle.client", options.folder / "client.log")
        self._journal = FileJournal(options.client_journal)
        self._faults = FileJournal(options.server_journal)
        self._access: dict[str, str] = {}
        self._port = 0
        self._began = 0.0
        self._state = options.folder / "state"
        self._schedule = make_schedule(
            options.seed, options.seconds, options.acts, recovery_timeout=options.recovery_timeout
        )
        self._ends = sum(act.kind in {"stop", "kill"} for act in self._schedule)
        self.course = Course()

    def run(self) -> None:
        try:
            self._start_server()
            self._began = time.monotonic()
            self._start_client()
            self._wait_begun()
            for act in self._schedule:
                self._wait_until(act.at)
                self._do(act)
            self._wait_until(self._options.seconds)
            self._be_calm()
            self._wait_begun()
            self._wait_until(self._now() + self._options.settle)
            self._stop_client()
            if not self._server.running:
                self.course.wrong.append(f"the server died, with {self._server.returncode}: the oracle is at fault")
            self._server.stop(_SERVER_WITHIN)
        finally:
            self._client.kill()
            self._server.kill()

    def _do(self, act: Act) -> None:
        self.course.acts[act.kind] += 1
        self._faults.put(Struck(kind=act.kind, where="server" if act.kind == "restart" else "client"))
        match act.kind:
            case "stop":
                self._stop_client()
            case "kill":
                self._client.kill()
                self._journal.put(LifeEnded(life=self.course.lives, how="kill"))
            case "suspend":
                self._client.suspend(True)
            case "restart":
                self._end_server()
        self._wait_until(self._now() + act.away, alone=act.kind != "restart")
        match act.kind:
            case "stop" | "kill":
                for struck in spoil_files(self._state, self._options.kinds, self._damage):
                    self._faults.put(struck)
                self._start_client()
                if self._rng.random() < _KNOWN_TO_BEGIN:
                    self._wait_begun()
            case "suspend":
                self._client.suspend(False)
                self._faults.put(Struck(kind="awake", where="client"))
            case "restart":
                self._start_server()

    def _be_calm(self) -> None:
        """Let no fault strike from now on."""
        self._server.signal(signal.SIGUSR1)
        (self._state / CALM).touch()

    def _wait_begun(self) -> None:
        """Wait for a client that has just been started; that time does not count."""
        since = time.monotonic()
        begun = b'"is":"life-began","life":%d,' % self.course.lives
        while time.monotonic() - since < _BEGINS_WITHIN and self._client.running:
            if begun in self._options.client_journal.read_bytes():
                break
            time.sleep(_GLANCE)
        self._began += time.monotonic() - since

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _wait_until(self, after: float, *, alone: bool = False) -> None:
        """Wait until so many seconds after the begin; start a client that ended by itself again, unless it is away."""
        while (left := after - self._now()) > 0:
            time.sleep(min(left, _GLANCE))
            if not alone and not self._client.running:
                self._ended()
                self._start_client()

    def _ended(self) -> None:
        """See to a life that ended by itself: an application whose extension has FAILED does so, in order."""
        code = self._client.returncode
        if code == -signal.SIGTERM:  # it had not yet come to where it listens to that
            self._journal.put(LifeEnded(life=self.course.lives, how="kill"))
        elif code:
            self.course.wrong.append(f"life {self.course.lives} of the client died by itself, with {code}")
            self._journal.put(LifeEnded(life=self.course.lives, how="died"))
        self._client.kill()

    def _start_client(self) -> None:
        self.course.lives += 1
        options, access = self._options, self._access
        self._client.start(
            [
                *("--server", access["server"], "--jwt", access["jwt"]),
                *("--client-id", access["client_id"], "--client-secret", access["client_secret"]),
                *("--loop", options.loop, "--seed", str(options.seed), "--life", str(self.course.lives)),
                *("--journal", str(options.client_journal), "--state", str(self._state)),
                *("--faults", options.faults, "--pace", str(options.pace)),
                *(["--last"] if self.course.lives > self._ends else []),
            ]
        )

    def _stop_client(self) -> None:
        try:
            self._client.stop(_STOP_WITHIN)
        except DidNotEnd as error:
            self.course.wrong.append(f"life {self.course.lives}: {error}")
            self._journal.put(LifeEnded(life=self.course.lives, how="kill"))
        else:
            self._ended()

    def _start_server(self) -> None:
        options = self._options
        self._server.start(
            [
                *("--port", str(self._port), "--seed", str(options.seed), "--faults", options.faults),
                *("--journal", str(options.server_journal), "--pace", str(options.pace)),
                *("--recovery-timeout", str(options.recovery_timeout), "--bustle", str(_BUSTLE)),
            ]
        )
        self._access = json.loads(self._server.first_line())
        self._port = int(self._access["server"].rpartition(":")[2])

    def _end_server(self) -> None:
        """As often by a signal that it can write a last word at as by one that it cannot."""
        if self._rng.random() < 0.5:
            self._server.kill()
        else:
            self._server.stop(_SERVER_WITHIN)


def run_lives(options: Options) -> Course:
    """Run one soak in a fresh folder."""
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    lives = _Lives(options)
    lives.run()
    return lives.course
