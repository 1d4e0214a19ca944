"""A board that shows who of the account is on the phone, live.

    python demo/presence_board.py

It subscribes to every user of the account at once, and reads all presences again when changes may have been missed.
"""

import sys

from shared import Account, run

try:
    from rich.live import Live
    from rich.table import Table
except ModuleNotFoundError:
    sys.exit("needs another package: .venv/bin/python -m pip install rich")

from rcex_ws import Events, Gap, RingCentral, WebSocketExtension

COLOURS = {"NoCall": "green", "Ringing": "yellow", "CallConnected": "red", "OnHold": "magenta"}


class Board:
    """Who is there, and what they do.

    Args:
        names: the name of each extension, by its id.
        rc: reads the presences.
        live: shows the table.
    """

    def __init__(self, names: dict[str, str], rc: RingCentral, live: Live) -> None:
        self._names = names
        self._rc = rc
        self._live = live
        self._rows: dict[str, dict[str, str]] = {}
        self.note = "connected"

    async def read(self, gap: Gap | None = None) -> None:
        """Read all presences: at the start, and when some may have been missed."""
        answer = await self._rc.get("/restapi/v1.0/account/~/presence", params={"perPage": 1000})
        for record in answer.json()["records"]:
            self._rows[str(record["extension"]["id"])] = record
        self.show()

    def changed(self, notification) -> None:
        """Take one change over."""
        self._rows.setdefault(str(notification.body["extensionId"]), {}).update(notification.body)
        self.show()

    def tell(self, note: str) -> None:
        """Show another state of the connection."""
        self.note = note
        self.show()

    def show(self) -> None:
        """Draw the table."""
        table = Table("who", "phone", "presence", "do not disturb", title="Presence", caption=self.note)
        for extension_id, row in sorted(self._rows.items(), key=lambda item: self._names.get(item[0], item[0])):
            phone = row.get("telephonyStatus", "?")
            cells = (row.get("presenceStatus", "?"), row.get("dndStatus", "?"))
            colour = COLOURS.get(phone, "white")
            table.add_row(self._names.get(extension_id, extension_id), f"[{colour}]{phone}[/]", *cells)
        self._live.update(table, refresh=True)


async def main(account: Account) -> None:
    """Run until it is stopped."""
    async with account.client() as rc:
        await rc.authorize(jwt=account.jwt)
        people = await rc.get("/restapi/v1.0/account/~/extension", params={"perPage": 1000})
        names = {str(one["id"]): one["name"] for one in people.json()["records"]}
        with Live(auto_refresh=False) as live:
            board = Board(names, rc, live)
            ws_ext = WebSocketExtension(on_gap=board.read)
            ws_ext.on(Events.DISCONNECTED, lambda reason: board.tell("not connected"))
            ws_ext.on(Events.CONNECTION_READY, lambda ws: board.tell("connected"))
            await rc.install_extension(ws_ext)
            await ws_ext.subscribe_all_extensions(["presence?detailedTelephonyState=true"], board.changed)
            await board.read()
            await ws_ext.wait_closed()


if __name__ == "__main__":
    run(main, "ring")
