"""A run in a few words: one that has met nothing proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from oracle.lines import Line
from oracle.rtm.history import History
from oracle.rtm.judge_events import failed_unheard, missing
from oracle.rtm.judge_gaps import was_idle
from oracle.rtm.records import Settled

__all__ = ["figures"]


def figures(lines: Sequence[Line]) -> str:
    """Count events, deliveries, gaps and faults."""
    history = History(lines)
    failed = failed_unheard(history)
    events = history.events.values()
    connections = history.connections.values()
    heard = sum(len(connection.heard) for connection in connections)
    absent = sum(1 for connection in connections for _ in missing(history, connection, failed))
    raised = sum(bool(event.error) for event in events) + len(failed)
    gaps: Counter[str] = Counter()
    for connection in connections:
        for gap in connection.gaps:
            kind = f"{'certain' if gap.certain else 'possible'} {'published' if gap.published else 'own'}"
            gaps[kind] += 1
            gaps["idle"] += was_idle(history, connection, gap)
    resumed = Counter(join.resumed for connection in connections for join in connection.joined)
    struck = Counter(fault.name for fault in history.faults)
    settled = next((line.seconds for line in history.lines if isinstance(line, Settled)), 0.0)
    return (
        f"{len(events)} events, {raised} raised, {heard} heard, {absent} in gaps; gaps {_join(gaps)}; "
        f"sessions {resumed[False]} new, {resumed[True]} resumed; calm after {settled:.1f} s; faults {_join(struck)}"
    )


def _join(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common() if count) or "none"
