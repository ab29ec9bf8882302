"""What was known then, and what held then: rows as their events up to a time or a position make them, entries by time.

Both times count: `known_at` asks when we learned it, `in_force` when it took effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import takewhile

from domain.event import Recorded
from projections.read_model import Key, ReadModel, Row, fold_events


def known_at(model: ReadModel, events: Sequence[Recorded], at: datetime | int, *, key: Key | None = None) -> Row | None:
    """Return a row as it was known at a time (by `recorded_at`) or at a position, None if there was none yet.

    `events` are those of one stream, oldest first. `key` names the row where a stream has several.
    """
    if not events:
        return None
    return _known(model, events, at).get(key or (events[0].stream,))


def rows_known_at(model: ReadModel, events: Sequence[Recorded], at: datetime | int | None) -> list[Row]:
    """Return all rows of a stream as they were known then, by key; with None, as they are known now."""
    found = fold_events(model, {}, events) if at is None else _known(model, events, at)
    return [row for _, row in sorted(found.items(), key=lambda entry: entry[0]) if row is not None]


def in_force(entries: Iterable[Row], at: datetime) -> Row | None:
    """Return the entry of one status history that was in force at a time, None if none was yet.

    An entry without a status says that nobody knew it then.
    """
    began = [entry for entry in entries if not entry["superseded"] and entry["active_from"] <= at]
    return max(began, key=lambda entry: (entry["active_from"], entry["place"]), default=None)


def _known(model: ReadModel, events: Sequence[Recorded], at: datetime | int) -> dict[Key, Row | None]:
    # Where a clock was set back between two events, the later one must not get in without the earlier:
    # what is known is always a beginning of the stream.
    def is_known(recorded: Recorded) -> bool:
        return recorded.position <= at if isinstance(at, int) else recorded.recorded_at <= at

    return fold_events(model, {}, takewhile(is_known, events))
