"""What was known then: a row as its events up to a time or a position make it."""

from __future__ import annotations

from collections.abc import Sequence
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

    # Where a clock was set back between two events, the later one must not get in without the earlier:
    # what is known is always a beginning of the stream.
    def is_known(recorded: Recorded) -> bool:
        return recorded.position <= at if isinstance(at, int) else recorded.recorded_at <= at

    folded = fold_events(model, {}, takewhile(is_known, events))
    return folded.get(key or (events[0].stream,))
