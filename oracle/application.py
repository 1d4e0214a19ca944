"""One life of a random application on the public API of `rcex_ws`, which writes down all that it sees.

It runs on anyio, so that it serves the simulation and real processes alike: `await live(world, journal, plan)` returns
when the life has ended in order. A kill comes from outside.
"""

from __future__ import annotations

import random
from typing import Any, Protocol

import anyio

from oracle import journal as j
from oracle.acts import Acts, Raised
from oracle.lifeplan import LifePlan
from oracle.troubles import Troubles
from rcex_ws import Events, Gap, RcexError, RingCentral, State, SubscriptionState, WebSocketExtension

__all__ = ["World", "live"]

# A handler that is to close from inside may wait so long for an event.
PATIENCE = 60.0


class World(Protocol):
    """What surrounds a life; whoever runs it brings one.

    Attributes:
        jwt: the credential.
        has_store: there are a session store and a token store, kept from life to life.
        stop: when set, the life ends in order.
        filters: what the application wanted last, as a program's own settings: kept from life to life.
    """

    jwt: str
    has_store: bool
    stop: anyio.Event
    filters: list[str]

    def calm(self) -> bool:
        """Say whether the plan is over: the application changes nothing more and sits still."""
        ...

    async def until_calm(self) -> None:
        """Wait until it is."""
        ...

    def make_client(self) -> RingCentral:
        """Make the client, with its token store."""
        ...

    def make_extension(self, **options: Any) -> WebSocketExtension:
        """Make the extension, with its session store."""
        ...


async def live(world: World, journal: j.Journal, plan: LifePlan) -> None:
    """Live one life, to its end in order."""
    await _Application(world, journal, plan).run()


class _Application:
    def __init__(self, world: World, journal: j.Journal, plan: LifePlan) -> None:
        self.world = world
        self.journal = journal
        self.plan = plan
        self.rng = random.Random(f"application {plan.seed}")
        self.life = plan.number
        self.over = anyio.Event()
        self._inside_left = plan.inside_after
        self._closes = 0
        self._ends = self.new_rng("ends")
        self._hooks = self.new_rng("hooks")
        self._asked = anyio.Event()
        self._installed: bool | None = None
        self.hooked = anyio.Event()
        hook = {"on_gap": self._hook} if plan.hook else {}
        self.rc = world.make_client()
        self.ext = world.make_extension(start_in_background=plan.background, **plan.options, **hook)
        self.acts = Acts(self)
        self.troubles = Troubles(self)
        for event in Events:
            self.ext.on(event, self._listener(event))

    async def run(self) -> None:
        self.journal.put(j.LifeBegan(self.life, self.world.has_store, {**self.plan.options, "end": self.plan.end}))
        how = "failed"
        async with anyio.create_task_group() as work:
            self._work = work
            work.start_soon(self._until_stopped, work.cancel_scope)
            if await self._begin():
                how = self.plan.end
                async with anyio.create_task_group() as acts:
                    self.acts.start(acts)
                    self.troubles.start(acts)
            await anyio.sleep_forever()
        if self.world.calm():
            self._settled()
        await self._end()
        await self.acts.iterators.read_out()
        self.journal.put(j.LifeEnded(self.life, how, self._leftovers()))

    async def _begin(self) -> bool:
        """Log in and install, as long as trying again can help."""
        while self._installed is None:
            if self._closes:  # from inside, while it began
                return False
            await self.acts.some_time(self._install)
        return self._installed

    async def _install(self) -> None:
        """Try once; None is left when it is to be tried again, as after a cancellation."""
        try:
            if self.rc.token is None:
                await self.rc.authorize(jwt=self.world.jwt)
            await self.rc.install_extension(self.ext)
        except RcexError as error:
            self._told("begin", repr(error))
            if not error.retryable:
                self._installed = False
                return
            await anyio.sleep(getattr(error, "retry_after", None) or self.plan.paced(self.rng.uniform(1, 10)))
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            self.escaped("begin", error)
            self._installed = False
        else:
            self._installed = True

    async def _until_stopped(self, scope: anyio.CancelScope) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._wait, self.world.stop, tasks.cancel_scope)
            tasks.start_soon(self._wait, self.over, tasks.cancel_scope)
        if self.plan.inside and not self.over.is_set():
            self._asked.set()
            if "abort" in self.plan.kinds:
                self.troubles.abort()
            with anyio.move_on_after(self.plan.paced(PATIENCE)):
                await self.over.wait()
        scope.cancel()

    @staticmethod
    async def _wait(event: anyio.Event, scope: anyio.CancelScope) -> None:
        await event.wait()
        scope.cancel()

    # The end.

    async def _end(self) -> None:
        what = self.plan.end
        if what == "twice":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.close, "aclose", "twice")
                tasks.start_soon(self.close, "aclose", "twice")
        elif what == "crowd":
            await self._close_in_a_crowd()
        elif not self.over.is_set():
            await self.close(what, "outside")
        else:  # closed from inside; a program may take its time until it leaves, and nothing may happen meanwhile
            await anyio.sleep(self.plan.paced(self._ends.choice((0.0, 1.0, 30.0, 60.0))))
        await self.close("aclose", "after")

    async def close(self, what: str, whence: str) -> None:
        """Close by detach, revoke or aclose, and write down how long it took."""
        self._closes += 1
        number = self._closes
        timeout = float(self.plan.options.get("close_timeout", 5.0))
        self.journal.put(j.Closing(self.life, number, what, whence, timeout))
        how, text = "returned", ""
        try:
            await {"detach": self.ext.detach, "revoke": self.ext.revoke, "aclose": self.rc.aclose}[what]()
        except RcexError as error:
            how, text = "error", repr(error)
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            how, text = "error", repr(error)
            self.escaped(what, error)
        except BaseException:  # a cancellation, also as a group of several
            how = "cancelled"
            raise
        finally:
            self.journal.put(j.ClosingDone(self.life, number, how, str(self.ext.state), text))

    async def _close_in_a_crowd(self) -> None:
        async def close(what: str, after: float) -> None:
            await anyio.sleep(self.plan.paced(after))
            await self.close(what, "crowd")

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                what = self._ends.choice(("detach", "aclose", "aclose", "revoke"))
                tasks.start_soon(close, what, self._ends.choice((0.0, 0.001, 0.3)) * self._ends.random())

    async def close_from_inside(self, whence: str) -> None:
        """Close from a handler, or from a task that it begins, if this is the place for it."""
        if self.plan.inside != whence or self.world.calm():
            return
        self._inside_left -= 1
        if self._inside_left >= 0 and not self._asked.is_set():
            return
        if self._inside_left > -1000:
            self._inside_left = -1000
            if self.plan.inside_task:
                self._work.start_soon(self._close_inside, f"a task of {whence}")
                return
            if self.plan.end == "crowd":
                self._work.start_soon(self._close_inside, "crowd")
            await self._close_inside(whence)

    async def _close_inside(self, whence: str) -> None:
        try:
            await self.close(self.plan.end if self.plan.end in {"detach", "revoke"} else "aclose", whence)
        finally:
            self.over.set()

    def _settled(self) -> None:
        subscription = self.ext.subscription
        state = "" if subscription is None else str(subscription.state)
        claimed, disabled = self.claimed()
        self.journal.put(
            j.Settled(self.life, str(self.ext.state), str(self.ext.state_reason), claimed, disabled, state)
        )

    @staticmethod
    def _leftovers() -> list[str]:
        """Name the tasks that are left, on asyncio; trio's runner would complain by itself."""
        return []

    # What is seen.

    def new_rng(self, name: str) -> random.Random:
        """Give chance of its own to a part, so that it changes no other."""
        return random.Random(f"{name} {self.plan.seed}")

    def claimed(self) -> tuple[list[str], list[str]]:
        """Give the filters that the extension says to have, and those the server did not grant."""
        subscription = self.ext.subscription
        if subscription is None or subscription.state not in {SubscriptionState.ACTIVE, SubscriptionState.PENDING}:
            return [], []
        info = subscription.info
        if info is None and subscription.state is SubscriptionState.PENDING:
            return [], []  # it has never been in force
        disabled = [] if info is None else [str(_filter_of(one)) for one in info.disabled_filters]
        return list(subscription.event_filters), disabled

    def escaped(self, where: str, error: BaseException) -> None:
        """Write down an exception of a kind that may not come."""
        self.journal.put(j.Escaped(self.life, where, repr(error)))

    def _told(self, event: str, detail: str) -> None:
        self.journal.put(j.Told(self.life, event, detail[:200], str(self.ext.state)))
        # What is in force may end without a change by the application; that counts from when it is told, also while a
        # change is under way that may bring another.
        seen = self.claimed()
        if seen != self.acts.seen and not (self.acts.changing and seen[0]):
            self.acts.seen = seen
            self.journal.put(j.Changed(self.life, 0, "seen", "", *seen))

    def _listener(self, event: Events) -> Any:
        async def listen(detail: object) -> None:
            if isinstance(detail, Gap):
                self._gap("event", detail)
            # Connections are numbered through a process; what differs from run to run is left out.
            wordy = event in {Events.DISCONNECTED, Events.ERROR, Events.AUTO_RECOVER_ERROR}
            text = repr(detail) if wordy else ""
            self._told(str(event), text)
            if self.ext.state is State.FAILED and event is Events.ERROR:
                self.over.set()
            await self.close_from_inside(str(event))

        return listen

    async def _hook(self, gap: Gap) -> None:
        self._gap("hook", gap)
        self.hooked.set()
        self.hooked = anyio.Event()
        how = "cancelled"
        try:
            await self.close_from_inside("hook")
            if "raise" in self.plan.kinds and not self.world.calm() and self._hooks.random() < 0.3:
                how = "raised"
                raise Raised("in the hook")
            if "slow-handler" in self.plan.kinds and not self.world.calm() and self.rng.random() < 0.3:
                await anyio.sleep(self.plan.paced(self.rng.choice((0.5, 10.0, 100.0))))
            how = "returned"
        finally:
            since = None if gap.since is None else gap.since.timestamp()
            self.journal.put(j.HookDone(self.life, how, since, gap.until.timestamp(), gap.certain))

    def _gap(self, how: str, gap: Gap) -> None:
        since = None if gap.since is None else gap.since.timestamp()
        self.journal.put(j.GapTold(self.life, how, since, gap.until.timestamp(), gap.certain, gap.reason))


def _filter_of(disabled: object) -> object:
    """Give the filter of one entry of `disabled_filters`, whatever shape it has."""
    if isinstance(disabled, dict):
        return disabled.get("filter", "")
    return getattr(disabled, "filter", disabled)
