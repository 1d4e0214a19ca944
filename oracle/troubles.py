"""What a troublesome application does besides: it aborts, recovers by hand, connects anew, and looks how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from oracle import journal as j
from rcex_ws import RcexError, State

if TYPE_CHECKING:
    from oracle.application import _Application

__all__ = ["Troubles"]

# Where the application recovers by hand, it looks so often whether there is need, in seconds.
LOOK = 5.0
# And so soon at the latest, however little happens.
LONGEST_LOOK = 60.0


class Troubles:
    """Make trouble until the calm; recover by hand beyond it.

    Args:
        application: whose client, extension and journal are used.
    """

    def __init__(self, application: _Application) -> None:
        self._app = application
        self._rng = application.new_rng("troubles")

    def start(self, tasks: TaskGroup) -> None:
        """Begin; all ends with the group."""
        kinds = self._app.plan.kinds
        tasks.start_soon(self._keep_looking)
        if "abort" in kinds:
            tasks.start_soon(self._keep_aborting)
        if "recover" in kinds or not self._app.plan.options.get("auto_recover", True):
            tasks.start_soon(self._keep_recovering)

    def abort(self) -> None:
        """Abort the connection, if there is one."""
        if (ws := self._app.ext.ws) is not None:
            self._app.journal.put(j.Struck("abort", "client"))
            ws.abort()

    async def connect(self) -> None:
        """Revoke, if the extension is not closed, and connect anew; then nothing is subscribed."""
        if self._app.ext.state not in {State.CLOSED, State.IDLE, State.FAILED}:
            await self._app.ext.revoke()
        await self._app.ext.connect()

    async def _keep_aborting(self) -> None:
        while not self._app.world.calm():
            await anyio.sleep(self._app.plan.between(self._rng.expovariate(1 / 150)))
            if not self._app.world.calm():
                self.abort()

    async def _keep_recovering(self) -> None:
        by_hand = not self._app.plan.options.get("auto_recover", True)
        while by_hand or not self._app.world.calm():
            pause = self._rng.choice((0.1, 1.0, LOOK, 3 * LOOK)) * self._rng.random()
            await anyio.sleep(min(self._app.plan.between(pause), self._app.plan.paced(LONGEST_LOOK)))
            if self._app.ext.ws is None:
                await self._app.acts.some_time(self._recover)

    async def _recover(self) -> None:
        try:
            await self._app.ext.recover()
        except RcexError as error:
            state = str(self._app.ext.state)
            self._app.journal.put(j.Told(self._app.life, "recover", repr(error)[:200], state))
        except Exception as error:  # noqa: BLE001 - whatever comes is written down, and judged
            self._app.escaped("recover", error)

    async def _keep_looking(self) -> None:
        while not self._app.world.calm():
            await anyio.sleep(min(self._app.plan.between(15.0), self._app.plan.paced(10 * LONGEST_LOOK)))
            if not self._app.acts.changing:
                subscription = self._app.ext.subscription
                state = "" if subscription is None else str(subscription.state)
                claimed, disabled = self._app.claimed()
                self._app.journal.put(j.Stands(self._app.life, str(self._app.ext.state), state, claimed, disabled))
