"""The ports of following and rebuilding: what a log of events and a store of rows must offer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from domain.event import Recorded
from projections.dead_letters import DeadLetter
from projections.read_model import Key, ReadModel, Row


class EventLog(Protocol):
    """The port to the log of events."""

    def head(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        ...

    def read(self, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` events after a position, in position order."""
        ...

    def load(self, streams: Iterable[UUID]) -> Mapping[UUID, Sequence[Recorded]]:
        """Return the events of each stream, oldest first."""
        ...

    def streams_about(self, subjects: Collection[UUID]) -> Collection[UUID]:
        """Return the streams that hold something about any of these people."""
        ...


class ReadTransaction(Protocol):
    """One transaction on the rows; while it is open, no other follower of this store gets in."""

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        """Return how far each read model has come, by its name."""
        ...

    def load(self, model: ReadModel, keys: Collection[Key]) -> dict[Key, Row]:
        """Return the rows of these keys that exist."""
        ...

    def delete(self, model: ReadModel, streams: Collection[UUID]) -> None:
        """Delete all rows of these streams, of a read model that is keyed by stream."""
        ...

    def save(self, model: ReadModel, rows: Mapping[Key, Row | None], existing: Collection[Key]) -> None:
        """Put these rows in the place of the existing ones; None deletes one."""
        ...

    def attempt(self) -> AbstractContextManager[None]:
        """Undo what the block did when it raises; raises RowsRefused, now and not at the commit, for refused rows."""
        ...

    def halted(self, streams: Collection[UUID]) -> set[tuple[str, UUID]]:
        """Return which of these streams stand still, each with the name of the read model."""
        ...

    def set_aside(self, letters: Collection[DeadLetter]) -> None:
        """Note the events that halt their streams."""
        ...

    def heal(self, model: ReadModel, streams: Collection[UUID]) -> None:
        """Forget what halted these streams."""
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
