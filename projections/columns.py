"""What the folds share: their topics, and the columns that say where a row began and what changed it last."""

from __future__ import annotations

from typing import Any, get_args

from domain.event import DomainEvent, Recorded
from projections.read_model import HoleInLog, Row


def topics_of(union: Any) -> frozenset[str]:
    """Return the topics of an event type or a union of event types."""
    types: tuple[type[DomainEvent], ...] = get_args(union) or (union,)
    return frozenset(event_type.topic for event_type in types)


def begun(recorded: Recorded, **columns: Any) -> Row:
    """Return a new row: the columns, and the event as its origin and last change."""
    return changed({"origin": recorded.metadata.origin}, recorded, **columns)


def changed(row: Row, recorded: Recorded, **columns: Any) -> Row:
    """Return a copy of the row with other columns and the event as its last change."""
    metadata = recorded.metadata
    return {
        **row,
        **columns,
        "updated_at": metadata.occurred_at,
        "version": recorded.version,
        "position": recorded.position,
        "recorded_at": metadata.recorded_at,
    }


def present(row: Row | None, recorded: Recorded) -> Row:
    """Return the row an event changes; raises HoleInLog where there is none."""
    if row is None:
        raise HoleInLog(f"position {recorded.position}: {recorded.topic}, and no row for stream {recorded.stream}")
    return row
