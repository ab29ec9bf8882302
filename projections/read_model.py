"""What a read model is: a pure fold from events to the rows of one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.event import Recorded

Row = dict[str, Any]
"""A row as plain values by column name: UUID, str, int, float, bool, date, aware datetime, list, dict or None."""

Key = tuple[Any, ...]
"""The values of a row's primary key, in the order of the key columns."""

Rows = Mapping[Key, Row]


@dataclass(frozen=True)
class ReadModel:
    """A read model: the topics it folds, the keys of the rows an event touches, and the fold itself.

    Its table has the model's name and stands in a schema of the same name (`adapters/postgres/schema/<name>.sql`).
    All rows an event touches belong to the event's stream, so that streams can be folded apart from each other.
    `evolve` gets the touched rows that exist and returns the rows after the event; None deletes one. It never changes a
    row in place. Raise `version` when the fold or the table changes.
    """

    name: str
    version: int
    key: tuple[str, ...]
    topics: frozenset[str]
    touches: Callable[[Recorded], Iterable[Key]]
    evolve: Callable[[Rows, Recorded], Mapping[Key, Row | None]]


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
        row_key = (recorded.stream,)
        return {row_key: fold(rows.get(row_key), recorded)}

    return ReadModel(name, version, (key,), frozenset(topics), touches, evolve)


def fold_events(model: ReadModel, rows: Rows, events: Iterable[Recorded]) -> dict[Key, Row | None]:
    """Fold events, oldest first, over the rows they touch and return every row that was touched; None where it is gone.

    The one fold behind following, rebuilding and as-of reads.
    """
    after: dict[Key, Row | None] = {}
    for recorded in events:
        if recorded.topic not in model.topics:
            continue
        touched = {}
        for key in model.touches(recorded):
            row = after[key] if key in after else rows.get(key)
            if row is not None:
                touched[key] = row
        after.update(model.evolve(touched, recorded))
    return after
