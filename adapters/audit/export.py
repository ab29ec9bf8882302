"""The audit log as a file: JSON Lines, one CloudEvents 1.0 event a line, in position order, in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

from adapters.audit.cloudevents import cloud_event
from adapters.postgres.mapper import canonical_json
from projections.ports import EventLog

BATCH: Final = 1_000


class Exported(NamedTuple):
    """How many events were written, and the position they reach."""

    events: int
    position: int


def export_log(log: EventLog, out: BinaryIO, progress: Callable[[int, int], None]) -> Exported:
    """Write every event up to what is now the head of the log."""
    head, position, written = log.head(), 0, 0
    while position < head:
        events = [event for event in log.read(position, BATCH) if event.position <= head]
        if not events:
            break
        out.writelines(canonical_json(cloud_event(event)) + b"\n" for event in events)
        position, written = events[-1].position, written + len(events)
        progress(position, head)
    return Exported(written, position)
