"""Draw the diagrams of docs/: `python docs/diagrams/draw.py`, where the package is installed.

The layers are read from pyproject.toml and the states from the code, and written to .dot files; the other .dot files
are written by hand. Graphviz (`apt-get install graphviz fonts-liberation`) draws each as an .svg. Neither the build of
the docs nor the tests need it: `tests/test_architecture.py` compares what is checked in with the code.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

from rcex_ws.connection import DeliveryQueue, State
from rcex_ws.connection.status import TRANSITIONS
from rcex_ws.wsg import Notification, Subscription, SubscriptionInfo, SubscriptionState

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]

# Boxes are filled, so that they can be read on a light page and on a dark one; what stands beside them has a tone
# between the two.
STYLE: Final = """\
  graph [bgcolor="transparent", fontname="Arial", fontsize=10, fontcolor="#748699", color="#8593a3", pad=0.1]
  node [shape=box, style="filled,rounded", fillcolor="#e6eef7", color="#6b86a8", fontname="Arial", fontsize=10,
    fontcolor="#16202c", margin="0.12,0.06", height=0.3]
  edge [color="#7d8b9c", fontname="Arial", fontsize=9, fontcolor="#748699", arrowsize=0.7]
"""

#: Where the boxes of the layers say more than the name.
PURPOSE: Final = {
    "rcex_ws.cli": "the command line",
    "rcex_ws.testing": "fixtures, fakes, fault proxy, virtual time",
    "rcex_ws.blocking": "the same without await",
    "rcex_ws.gateway": "a local RingCentral, with faults",
    "rcex_ws.wsg": "RingCentral's WebSocket",
    "rcex_ws.slack": "Slack RTM",
    "rcex_ws.callback": "six callbacks",
    "rcex_ws.feedme": "feeds with state, both sides",
    "rcex_ws.rtm": "events, server and client",
    "rcex_ws.connection": "one resilient connection; no protocol",
    "rcex_ws.rest": "REST client, login, extensions",
    "rcex_ws.serving": "a running server of WebSockets",
    "rcex_ws.broker": "logs and members, for several servers",
    "rcex_ws.websocket": "one WebSocket; no reconnecting",
    "rcex_ws.files": "private files",
    "rcex_ws.emitter": "lifecycle events",
    "rcex_ws.caller": "which task or thread calls",
    "rcex_ws.handlers": "calls the application",
    "rcex_ws.schedule": "the wait before the next attempt",
    "rcex_ws.tasks": "who owns a task",
    "rcex_ws.home": "one loop, one thread",
    "rcex_ws.trace": "steps, for the operator",
    "rcex_ws.options": "checks of arguments",
    "rcex_ws.errors": "the one tree of errors",
}

#: What leads from one state of a client to another. The states FAILED and CLOSED are explained below the drawing.
WHY: Final = {
    (State.IDLE, State.CONNECTING): "started",
    (State.CONNECTING, State.READY): "handshake done,<br/>subscribed",
    (State.CONNECTING, State.WAITING): "attempt failed",
    (State.WAITING, State.CONNECTING): "delay over,<br/>or asked for",
    (State.READY, State.WAITING): "lost",
    (State.READY, State.CONNECTING): "lost, while its<br/>successor is opened",
}

_FILL: Final = {"good": "#dcefdc", "bad": "#f6dcdc", "end": "#e2e5e9"}


def layers() -> list[str]:
    """Return the layers of the house, the uppermost first, as pyproject.toml has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return cast("list[str]", next(contract["layers"] for contract in contracts if contract["type"] == "layers"))


def draw_layers() -> str:
    """Return the drawing of the layers."""
    lines = [_head("layers", 'ranksep=0.22\n  node [shape=plain, style="", margin=0]')]
    for layer in layers():
        cells = "".join(_cell(name) for name in layer.split(" | "))
        lines.append(f'  "{layer}" [label=<<table border="0" cellborder="1" cellspacing="6"><tr>{cells}</tr></table>>]')
    lines += [f'  "{upper}" -> "{lower}"' for upper, lower in pairwise(layers())]
    return _whole(lines)


def client_edges() -> set[tuple[str, str]]:
    """Return which state of a client may follow which."""
    return {(before.name, after.name) for before, afters in TRANSITIONS.items() for after in afters}


def draw_client() -> str:
    """Return the drawing of the states of a client."""
    fills = {State.READY: "good", State.FAILED: "bad", State.CLOSED: "end"}
    lines = [_head("client", "nodesep=0.7 ranksep=0.55")]
    lines += [f"  {state.name} {_filled(fills.get(state))}" for state in State]
    lines.append("  {rank=same READY WAITING}\n  {rank=same FAILED CLOSED}")
    for before in State:
        for after in sorted(TRANSITIONS[before], key=list(State).index):
            ends = after in (State.FAILED, State.CLOSED)
            label = '[style=dashed, color="#a3adb8"]' if ends else f"[label={_spaced(WHY[before, after])}]"
            lines.append(f"  {before.name} -> {after.name} {label}")
    return _whole(lines)


def subscription_edges() -> set[tuple[str, str]]:
    """Return which state of a subscription may follow which, by calling what changes it from each state."""
    edges: set[tuple[str, str]] = set()
    reached, new = {SubscriptionState.PENDING}, [SubscriptionState.PENDING]
    ends = [state for state in SubscriptionState if state not in (SubscriptionState.PENDING, SubscriptionState.ACTIVE)]
    while new:
        before = new.pop()
        for change in (_activate, *(_ending(state) for state in ends)):
            subscription = _subscription(before)
            change(subscription)
            if subscription.state is not before:
                edges.add((before.name, subscription.state.name))
            if subscription.state not in reached:
                reached.add(subscription.state)
                new.append(subscription.state)
    return edges


def draw_subscription() -> str:
    """Return the drawing of the states of a subscription."""
    fills = {SubscriptionState.ACTIVE: "good", SubscriptionState.FAILED: "bad"}
    others = dict.fromkeys(("REPLACED", "REVOKED", "CLOSED"), "end")
    lines = [_head("subscription", "nodesep=0.3 ranksep=0.45")]
    lines += [f"  {state.name} {_filled(fills.get(state) or others.get(state.name))}" for state in SubscriptionState]
    names = [state.name for state in SubscriptionState]
    for before, after in sorted(subscription_edges(), key=lambda edge: (names.index(edge[0]), names.index(edge[1]))):
        lines.append(f"  {before} -> {after}{_subscription_label(before, after)}")
    return _whole(lines)


#: The drawings that are made from the code; the others are written by hand.
GENERATED: Final[Mapping[str, Callable[[], str]]] = {
    "layers": draw_layers,
    "client": draw_client,
    "subscription": draw_subscription,
}


def source_mark(dot: str) -> str:
    """Return the comment by which an .svg tells which .dot it was drawn from."""
    return f"<!-- drawn from {hashlib.sha256(dot.encode()).hexdigest()} -->"


def main() -> None:
    """Write the .dot files that are made from the code, and draw all."""
    for name, draw in GENERATED.items():
        (HERE / f"{name}.dot").write_text(draw())
    for path in sorted(HERE.glob("*.dot")):
        svg = subprocess.run(["dot", "-Tsvg", path], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
        svg = re.sub(r"<!-- Generated by graphviz.*?-->", source_mark(path.read_text()), svg, count=1, flags=re.DOTALL)
        svg = svg.replace('font-family="Arial"', 'font-family="Arial,Helvetica,sans-serif"')
        path.with_suffix(".svg").write_text(svg)


def _head(name: str, attributes: str) -> str:
    return f"// Made by draw.py from the code; do not edit.\ndigraph {name} {{\n{STYLE}  {attributes}"


def _whole(lines: Iterable[str]) -> str:
    return "\n".join([*lines, "}", ""])


def _cell(name: str) -> str:
    short = name.removeprefix("rcex_ws.")
    folder = (ROOT / name.replace(".", "/")).is_dir()
    text = f"<b>{short}/</b>" if folder else short
    purpose = PURPOSE.get(name)
    if purpose is not None:
        text += f'<br/><font point-size="9">{purpose}</font>'
    fill, border = ("#e6eef7", "#6b86a8") if folder else ("#eceae4", "#9a9483")
    return f'<td bgcolor="{fill}" color="{border}" style="rounded" cellpadding="5">{text}</td>'


def _spaced(label: str) -> str:
    """Return a label with room around it, so that it does not touch its edge."""
    return f'<<table border="0" cellpadding="4"><tr><td>{label}</td></tr></table>>'


def _filled(fill: str | None) -> str:
    return "" if fill is None else f'[fillcolor="{_FILL[fill]}"]'


def _subscription_label(before: str, after: str) -> str:
    return f" [label={_spaced('the server said yes')}]" if (before, after) == ("PENDING", "ACTIVE") else ""


def _subscription(state: SubscriptionState) -> Subscription:
    queue: DeliveryQueue[Notification] = DeliveryQueue(max_items=1, max_bytes=1, on_overflow=lambda *_: None)
    subscription = Subscription(cast("Any", None), (), queue)
    subscription.state = state
    return subscription


def _activate(subscription: Subscription) -> None:
    if subscription.state in (SubscriptionState.PENDING, SubscriptionState.ACTIVE):  # the server answers no other
        subscription.activate(cast("SubscriptionInfo | None", None), ())


def _ending(state: SubscriptionState) -> Callable[[Subscription], None]:
    return lambda subscription: subscription.end(state)


if __name__ == "__main__":
    main()
