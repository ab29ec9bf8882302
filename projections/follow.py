"""Live following: batches of new events, folded into the rows they touch, one transaction a batch.

The ports of this module are what a store of events and a store of rows must offer; `rebuild.py` follows
through the same ones, on shadow tables.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

from domain.errors import StoreBusy
from domain.event import Recorded
from projections.read_model import Key, ReadModel, Row, fold_events

LIMIT: Final = 1_000
POLL: Final = 0.005

Progress = Callable[[int, int], None]
"""Called now and then with how far the work is, and how far it has to go."""


class EventLog(Protocol):
    """The port to the log of events."""

    def head(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        ...

    def read(self, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` events after a position, in position order."""
        ...


class ReadTransaction(Protocol):
    """One transaction on the rows; while it is open, no other follower of this store gets in."""

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        """Return how far each read model has come, by its name."""
        ...

    def load(self, model: ReadModel, keys: Collection[Key]) -> dict[Key, Row]:
        """Return the rows of these keys that exist."""
        ...

    def save(self, model: ReadModel, rows: Mapping[Key, Row | None], existing: Collection[Key]) -> None:
        """Put these rows in the place of the existing ones; None deletes one."""
        ...

    def advance(self, models: Sequence[ReadModel], position: int) -> None:
        """Note that the read models have come to a position."""
        ...


class ReadStore(Protocol):
    """The port to the tables of the read models."""

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        """Return how far each read model has come; raises SchemaMismatch for one of another version."""
        ...

    def batch(self) -> AbstractContextManager[ReadTransaction]:
        """Open a transaction that holds the followers' lock; it commits when the block is left."""
        ...


class Batch(NamedTuple):
    """How many events were read, and the position all of the read models have come to."""

    events: int
    position: int


def follow_batch(log: EventLog, store: ReadStore, models: Sequence[ReadModel], limit: int = LIMIT) -> Batch:
    """Fold the next events into all read models in one transaction; each skips those it has seen."""
    after = min(store.positions(models).values())
    # Read and validated before the transaction begins, so that the lock is held for the writing alone.
    events = log.read(after, limit)
    if not events:
        return Batch(0, after)
    last = events[-1].position
    with store.batch() as transaction:
        positions = transaction.positions(models)
        # Others may have moved a model meanwhile: one that is further skips what it has seen, and one that
        # was set back waits for the next batch, which starts from there.
        due = [model for model in models if after <= positions[model.name] < last]
        for model in due:
            _fold_into(transaction, model, [event for event in events if event.position > positions[model.name]])
        transaction.advance(due, last)
    reached = positions | {model.name: last for model in due}
    return Batch(len(events), min(reached.values()))


def _fold_into(transaction: ReadTransaction, model: ReadModel, events: Sequence[Recorded]) -> None:
    keys = {key for event in events if event.topic in model.topics for key in model.touches(event)}
    if not keys:
        return
    rows = transaction.load(model, keys)
    transaction.save(model, fold_events(model, rows, events), rows.keys())


def catch_up(
    log: EventLog,
    store: ReadStore,
    models: Sequence[ReadModel],
    *,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> int:
    """Follow until the read models have come to what is now the head of the log; return their position."""
    head = log.head()
    position = min(store.positions(models).values())
    while position < head:
        position = follow_batch(log, store, models, limit).position
        if progress:
            progress(min(position, head), head)
    return position


def follow(
    log: EventLog,
    store: ReadStore,
    models: Sequence[ReadModel],
    *,
    stop: Callable[[], bool],
    wait: Callable[[], None],
    limit: int = LIMIT,
) -> None:
    """Follow until told to stop; `wait` returns when there may be new events."""
    while not stop():
        if not follow_batch(log, store, models, limit).events:
            wait()


def wait_for(
    store: ReadStore,
    models: Sequence[ReadModel],
    position: int,
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the read models show all up to a position; raises StoreBusy after `timeout` seconds."""
    deadline = clock() + timeout
    while (reached := min(store.positions(models).values())) < position:
        if clock() >= deadline:
            raise StoreBusy(
                f"the read models have come to position {reached}, not to {position}, in {timeout:g} s",
                hint="is a follower running? start one, or catch up once",
            )
        sleep(POLL)
