"""Rebuilding read models from the log: into shadow tables, stream by stream, then caught up and swapped in.

Readers and followers of the live tables carry on meanwhile; only followers wait, and only for the swap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from domain.event import Recorded
from projections.follow import LIMIT, EventLog, Progress, ReadStore, catch_up, follow_batch
from projections.read_model import Key, ReadModel, Row, fold_events

FOLDED_EVENTS: Final = 5_000
REPORTED_EVENTS: Final = 10_000

CopyRows = Callable[[ReadModel, Sequence[Row]], None]


class WholeLog(EventLog, Protocol):
    """An event log that can also be read stream by stream."""

    def scan(self, upto: int) -> Iterator[Recorded]:
        """Yield every event up to a position, stream by stream, oldest first, in constant memory."""
        ...


class Shadow(Protocol):
    """Shadow tables beside the live ones."""

    @property
    def store(self) -> ReadStore:
        """The shadow tables as followers see them."""
        ...

    def fill(self, position: int) -> AbstractContextManager[CopyRows]:
        """Make the tables and give a function that copies rows in; indexes and position come at the end."""
        ...

    def swap(self) -> AbstractContextManager[Mapping[str, int]]:
        """Hold the live followers and give their positions; at the end the shadows take the live place."""
        ...


class Shadows(Protocol):
    """The port to shadow tables."""

    def begin(self, models: Sequence[ReadModel]) -> AbstractContextManager[Shadow]:
        """Clear what a killed rebuild left and give a shadow; raises RunConflict if another is under way."""
        ...


class Rebuilt(NamedTuple):
    """How many events a rebuild read before it caught up, and the position it was swapped in at."""

    events: int
    position: int


def rebuild(
    log: WholeLog,
    shadows: Shadows,
    models: Sequence[ReadModel],
    *,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Rebuilt:
    """Rebuild the read models and swap them in; raises RunConflict if another rebuild is under way.

    `progress` gets the events done and the head of the log, which is a little more than there are events.
    """
    with shadows.begin(models) as shadow:
        counted = _Counted(log, progress)
        with shadow.fill(counted.head) as copy_rows:
            for model, rows in fold_streams(models, counted):
                copy_rows(model, rows)
        catch_up(log, shadow.store, models, limit=limit)
        with shadow.swap() as live:
            position = _reached(shadow.store, models)
            while position < max(live.values(), default=0):
                position = follow_batch(log, shadow.store, models, limit).position
    return Rebuilt(counted.events, position)


def fold_streams(models: Sequence[ReadModel], events: Iterable[Recorded]) -> Iterator[tuple[ReadModel, list[Row]]]:
    """Fold events that come stream by stream; yield the rows of one read model at a time, many at once.

    The stream a batch ends in may go on in the next one: its rows are held back until it ends.
    """
    held: dict[str, dict[Key, Row]] = {model.name: {} for model in models}
    unfinished: UUID | None = None
    arriving = iter(events)
    while batch := list(islice(arriving, FOLDED_EVENTS)):
        goes_on = batch[-1].stream == unfinished
        unfinished = batch[-1].stream
        tail = [event for event in batch if event.stream == unfinished]
        for model in models:
            before = held[model.name]
            rows = {**before, **fold_events(model, before, batch)}
            open_keys = {key for event in tail if event.topic in model.topics for key in model.touches(event)}
            if goes_on:
                open_keys.update(before)
            held[model.name] = {key: row for key in open_keys if (row := rows.pop(key, None)) is not None}
            if finished := [row for row in rows.values() if row is not None]:
                yield model, finished
    for model in models:
        if held[model.name]:
            yield model, list(held[model.name].values())


def _reached(store: ReadStore, models: Sequence[ReadModel]) -> int:
    return min(store.positions(models).values())


class _Counted:
    """The events of a log up to its present head, counted as they are read."""

    def __init__(self, log: WholeLog, progress: Progress | None) -> None:
        self.head = log.head()
        self.events = 0
        self._log, self._progress = log, progress or (lambda _done, _total: None)

    def __iter__(self) -> Iterator[Recorded]:
        for event in self._log.scan(self.head):
            yield event
            self.events += 1
            if self.events % REPORTED_EVENTS == 0:
                self._progress(self.events, self.head)
        self._progress(self.head, self.head)
