"""What a read model is: a pure fold from events to the rows of one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from domain.errors import StoredEventUnreadable
from domain.event import Recorded, Unreadable
from domain.legacy import ImportWithdrawn

Row = dict[str, Any]
"""A row as plain values by column name: UUID, str, int, float, bool, date, aware datetime, list, dict or None."""

Key = tuple[Any, ...]
"""The values of a row's primary key, in the order of the key columns."""

Rows = Mapping[Key, Row]
_UNTOUCHED: Final[Row] = {}


@dataclass(frozen=True)
class ReadModel:
    """A read model: the topics it folds, the keys of the rows an event touches, and the fold itself.

    Its table has the model's name and stands in a schema of the same name (`adapters/postgres/schema/<name>.sql`).
    All rows an event touches belong to the event's stream, so that streams can be folded apart from each other.
    `evolve` gets the touched rows that exist and returns the rows after the event; None deletes one. It never changes a
    row in place. The rows of an import that is withdrawn go without it. Raise `version` when the fold or the table
    changes. Where `keyed_by_stream`, the first key column holds the stream.
    """

    name: str
    version: int
    key: tuple[str, ...]
    topics: frozenset[str]
    touches: Callable[[Recorded], Iterable[Key]]
    evolve: Callable[[Rows, Recorded], Mapping[Key, Row | None]]
    keyed_by_stream: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", self.topics | {ImportWithdrawn.topic})


def one_row_a_stream(
    name: str,
    *,
    version: int,
    key: str,
    topics: Iterable[str],
    fold: Callable[[Row | None, Recorded], Row | None],
) -> ReadModel:
    """Return a read model with one row for each stream, its key column holding the stream id."""

    def touches(recorded: Recorded) -> tuple[Key, ...]:
        return ((recorded.stream,),)

    def evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row | None]:
        # Its one row, if there is any, without looking it up: an id is hashed by Python, and that is not free.
        return {(recorded.stream,): fold(next(iter(rows.values()), None), recorded)}

    return ReadModel(name, version, (key,), frozenset(topics), touches, evolve)


class HoleInLog(ValueError):
    """An event changes a row that is not there: what should have made it never happened."""


class Halted(Protocol):
    """The streams that stand still in a read model because of an event that it could not take in."""

    streams: set[UUID]

    def halt(self, recorded: Recorded, error: Exception) -> None:
        """Note an event that could not be folded; its stream stands still from here on."""
        ...


def fold_events(
    model: ReadModel, rows: Rows, events: Iterable[Recorded], halted: Halted | None = None
) -> dict[Key, Row | None]:
    """Fold events, oldest first, over the rows they touch and return every row that was touched; None where it is gone.

    The one fold behind following, rebuilding and as-of reads. An event that cannot be folded raises, or, where `halted`
    is given, halts its stream and no other.
    """
    after: dict[Key, Row | None] = {}
    for recorded in events:
        if recorded.topic not in model.topics or (halted and halted.streams and recorded.stream in halted.streams):
            continue
        try:
            touched = {}
            for key in keys_of(model, recorded):
                row = after.get(key, _UNTOUCHED)
                if row is _UNTOUCHED:
                    row = rows.get(key) if rows else None
                if row is not None:
                    touched[key] = row
            withdrawn = recorded.topic == ImportWithdrawn.topic
            after.update(dict.fromkeys(touched) if withdrawn else model.evolve(touched, recorded))
        except Exception as error:
            if halted is None:
                raise
            halted.halt(recorded, error)
    return after


def keys_of(model: ReadModel, recorded: Recorded) -> Iterable[Key]:
    """Return the keys of the rows an event touches; raises StoredEventUnreadable if its body could not be read."""
    if isinstance(recorded.event, Unreadable):
        raise StoredEventUnreadable(recorded.event.reason)
    if recorded.topic == ImportWithdrawn.topic:
        return _rows_of_stream(model, recorded)
    return model.touches(recorded)


def _rows_of_stream(model: ReadModel, recorded: Recorded) -> Iterable[Key]:
    """Return the keys a stream's rows can have: one, its id, or one with the version of each event before this."""
    stream = recorded.stream
    return [(stream,)] if len(model.key) == 1 else [(stream, number) for number in range(1, recorded.version)]
