"""Which event set each value of a record: its read model folded event by event, the rows before and after compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from domain.case import CaseConflictRecorded
from domain.event import Change, Recorded, Source
from domain.profile import ProfileConflictRecorded, ProfileConflictResolved
from projections.read_model import ReadModel, Row, fold_events

FIELDS: Final = "fields"
# These say where the record stands, not what it holds.
_BOOKKEEPING: Final = frozenset({"version", "position", "updated_at", "recorded_at", "origin"})
_UNSET: Final[tuple[Any, ...]] = (None, [], {})


class Explained(NamedTuple):
    """A value and the event that set it; `conflict` is the event that recorded other values an import found for it.

    `field` is a field of the record, a column of its row, or one key of an object, written `beliefs/diet`.
    """

    field: str
    value: Any
    event: Recorded
    sources: tuple[Source, ...]
    conflict: Recorded | None = None


def explain(model: ReadModel, events: Sequence[Recorded]) -> dict[str, Explained]:
    """Return every value a record ever had set, by field, with the event that set or unset it last.

    `events` are those of one stream, oldest first, of a read model with one row a stream.
    """
    found: dict[str, Explained] = {}
    conflicts: dict[str, Recorded] = {}
    for recorded, before, row in _folded(model, events):
        match recorded.event:
            case ProfileConflictRecorded(field=str(name)) | CaseConflictRecorded(field=str(name)):
                conflicts[name] = recorded
        found |= _set_by(model, recorded, before, row)
    return {name: explained._replace(conflict=conflicts.get(name)) for name, explained in sorted(found.items())}


def changes(model: ReadModel, events: Sequence[Recorded]) -> Iterator[dict[str, Change]]:
    """Yield for each event of one stream, oldest first, which values of the record it changed, from what to what."""
    for _, before, row in _folded(model, events):
        old = {} if before is None else _values(model, before)
        new = {} if row is None else _values(model, row)
        names = sorted(old.keys() | new.keys())
        yield {name: Change(old=old.get(name), new=new.get(name)) for name in names if old.get(name) != new.get(name)}


def _folded(model: ReadModel, events: Sequence[Recorded]) -> Iterator[tuple[Recorded, Row | None, Row | None]]:
    """Yield each event with the row before and after it."""
    row: Row | None = None
    for recorded in events:
        before = row
        rows = {} if before is None else {(recorded.stream,): before}
        row = fold_events(model, rows, [recorded]).get((recorded.stream,), before)
        yield recorded, before, row


def _set_by(model: ReadModel, recorded: Recorded, before: Row | None, after: Row | None) -> dict[str, Explained]:
    old = {} if before is None else _values(model, before)
    new = {} if after is None else _values(model, after)
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    if hasattr(recorded.event, FIELDS):  # it declares them all, also those that were the same before it
        changed |= new.keys()
    match recorded.event:
        case ProfileConflictResolved(field=str(name)):
            changed.add(name)
    return {name: Explained(name, new.get(name), recorded, _sources(recorded, name)) for name in changed}


def _values(model: ReadModel, row: Row) -> dict[str, Any]:
    """Return the set values of a row by name, the fields beside the columns, objects taken apart."""
    columns = {name: value for name, value in row.items() if name not in {*_BOOKKEEPING, *model.key, FIELDS}}
    found: dict[str, Any] = {}
    for name, value in {**columns, **row.get(FIELDS, {})}.items():
        if isinstance(value, dict):
            found |= {f"{name}/{key}": item for key, item in value.items()}
        elif value not in _UNSET:
            found[name] = value
    return found


def _sources(recorded: Recorded, name: str) -> tuple[Source, ...]:
    provenance = recorded.metadata.provenance or {}
    return provenance.get(name) or provenance.get(name.partition("/")[0]) or ()
