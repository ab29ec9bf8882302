"""The three-way merge of one stream: what was imported, what a newer import says, and what holds now.

Changed on one side, that side's value holds; changed on both, the live value stays, and that is told. No clocks are
compared. What no event can express raises CannotMerge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from domain.case import CaseConflictRecorded
from domain.decider import Decider
from domain.event import LIVE, Change, DomainEvent, Recorded
from domain.profile import ProfileConflictRecorded
from domain.values import is_unset
from migrations_replay.convert import same_stored
from migrations_replay.facts import ImportedEvent, Provenance
from migrations_replay.numbers import NUMBERED, Numbers, likeness, renumbered
from projections.read_model import Key, Row

RowName = tuple[str, Key]
S = TypeVar("S")

BOOKKEEPING: Final = frozenset(
    {"position", "recorded_at", "origin", "run_id", "version", "updated_at", "mapping_version"}
)
"""Columns that say when and by which event a row was written."""


class CannotMerge(Exception):
    """A change that no event can express; `what` names the columns."""

    def __init__(self, *what: str) -> None:
        super().__init__(", ".join(what))
        self.what = what


class Kept(NamedTuple):
    """A field both sides changed: the live value, which stays, and the one the newer import says."""

    field: str
    live: Any
    legacy: Any


@dataclass(frozen=True)
class Side:
    """The rows a stream has by one of the three sides, and the events it was derived as, by version, if it was."""

    rows: Mapping[RowName, Row] = field(default_factory=dict)
    events: Mapping[int, ImportedEvent] = field(default_factory=dict)

    def row(self, model: str, stream: UUID) -> Row:
        """Return the one row of a read model, an empty one if it is not there."""
        return self.rows.get((model, (stream,)), {})

    def of(self, model: str) -> dict[int, Row]:
        """Return the rows of a read model that has several a stream, by number."""
        return {key[1]: row for (name, key), row in self.rows.items() if name == model}


@dataclass
class Merging:
    """One stream on its way: the three sides, and what comes of them.

    `became` tells which event in the log a derived one is known to be, `numbers` is filled with all of them; `remapped`
    says that another mapping read what was imported.
    """

    stream: UUID
    said: Side
    says: Side
    now: Side
    log: tuple[Recorded, ...]
    when: datetime
    became: Mapping[int, int]
    numbers: Numbers
    remapped: bool = False
    events: list[ImportedEvent] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether a live command has changed the stream."""
        return any(recorded.metadata.origin == LIVE for recorded in self.log)

    @property
    def next_version(self) -> int:
        """The version of the event that is added next."""
        return self.log[-1].version + len(self.events) + 1

    def append(self, event: DomainEvent, *fields: str, like: ImportedEvent | None = None) -> None:
        """Add an event; its sources are those of the fields it changes, or of the event it is like."""
        if like is not None:
            self.events.append(like._replace(event=event))
        else:
            self.events.append(ImportedEvent(event, self.when, self._sources(fields) or None))

    def three_way(self, said: Mapping[str, Any], says: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Change]:
        """Return the fields that change; those changed on both sides are noted."""
        return self._three_way(said, says, now, "")

    def state(self, decider: Decider[S]) -> S:
        """Return the state of the aggregate as the log has it; it counts on from where the stream was withdrawn."""
        initial: Any = decider.initial
        began = replace(initial, version=self.log[0].version - 1)
        return decider.fold((recorded.event for recorded in self.log), began)

    def takes(self, name: str, said: Any, says: Any, now: Any) -> bool:
        """Tell whether a value, taken whole, becomes what is said now; one that was changed on both sides is noted."""
        if same_stored(said, says) or same_stored(now, says):
            return False
        return self._as_imported(name, said, says, now)

    def rows(self, model: str) -> tuple[Row, Row, Row]:
        """Return the one row of a read model by each side: as was said, as is said, as it is now."""
        said, says, now = (side.row(model, self.stream) for side in (self.said, self.says, self.now))
        return said, says, now

    def same_but(self, model: str, merged: Iterable[str]) -> None:
        """Check that nothing but these columns differs between what was said and what is said now."""
        skipped = {*BOOKKEEPING, *merged}
        said, says, _ = self.rows(model)
        differing = [
            name for name, value in says.items() if name not in skipped and not same_stored(value, said.get(name))
        ]
        if differing:
            raise CannotMerge(*(f"{model}.{name}" for name in differing))

    def _three_way(
        self, said: Mapping[str, Any], says: Mapping[str, Any], now: Mapping[str, Any], where: str
    ) -> dict[str, Change]:
        changes: dict[str, Change] = {}
        for name in dict.fromkeys((*said, *says)):
            old, new, live = (_set(side.get(name)) for side in (said, says, now))
            if same_stored(old, new) or same_stored(live, new):
                continue
            if not where and all(value is None or isinstance(value, dict) for value in (old, new, live)):
                below = self._three_way(old or {}, new or {}, live or {}, f"{name}/")
                merged = {**(live or {}), **{key: change.new for key, change in below.items()}}
                if below:
                    left = {key: value for key, value in merged.items() if value is not None}
                    changes[name] = Change(old=live, new=left or None)
            elif self._as_imported(f"{where}{name}", old, new, live):
                changes[name] = Change(old=live, new=new)
        return changes

    def _as_imported(self, name: str, old: Any, new: Any, live: Any) -> bool:
        """Tell whether a field still is as it was imported; if it was changed live, note that it stays."""
        if same_stored(live, old):
            return True
        self.kept.append(Kept(name, live, new))
        return False

    def _sources(self, fields: tuple[str, ...]) -> Provenance:
        return {
            name: sources
            for imported in self.says.events.values()
            for name, sources in (imported.provenance or {}).items()
            if name in fields or name.partition("/")[0] in fields
        }


def _set(value: Any) -> Any:
    return None if is_unset(value) else value


def merge_fields(merging: Merging, model: str, event: Callable[[dict[str, Change]], DomainEvent]) -> None:
    """Merge the column `fields` field by field; the event is given what changes."""
    said, says, now = merging.rows(model)
    changes = merging.three_way(said["fields"], says["fields"], now["fields"])
    if changes:
        merging.append(event(changes), *changes)


def merge_conflicts(merging: Merging, model: str, kind: type[ProfileConflictRecorded | CaseConflictRecorded]) -> None:
    """Record conflicts that are new or gone, unless somebody has settled the one there was."""
    said, says, now = (row["conflicts"] for row in merging.rows(model))
    told = {
        imported.event.field: imported for imported in merging.says.events.values() if isinstance(imported.event, kind)
    }
    changes = merging.three_way(
        *({f"conflicts/{name}": found for name, found in side.items()} for side in (said, says, now))
    )
    for place in changes:
        name = place.partition("/")[2]
        if name in told:
            merging.append(told[name].event, like=told[name])
        else:
            merging.append(kind(field=name, values=(), chosen=None, rule="no_conflict"))


def add_events(merging: Merging, *kinds: type[DomainEvent]) -> None:
    """Append the derived events that were not derived before; raises CannotMerge where one of those is no more.

    The events of these kinds, or all of them.
    """
    told = {number: event for number, event in merging.says.events.items() if _is(event, kinds)}
    left: dict[str, list[int]] = {}
    for number, event in merging.said.events.items():
        if _is(event, kinds):
            left.setdefault(likeness(event), []).append(number)
    for number, event in told.items():
        if found := left.get(likeness(event)):
            merging.numbers.known[merging.stream, number] = found.pop(0)
    if any(left.values()):
        raise CannotMerge("events that are no longer implied")
    for number, event in told.items():
        if (merging.stream, number) in merging.numbers.known:
            continue
        if merging.live and any(getattr(event.event, name, None) is not None for name in NUMBERED):
            raise CannotMerge("an entry beside live ones")
        merging.numbers.known[merging.stream, number] = merging.next_version
        merging.append(renumbered(event, merging.stream, merging.numbers).event, like=event)


def _is(imported: ImportedEvent, kinds: tuple[type[DomainEvent], ...]) -> bool:
    return not kinds or isinstance(imported.event, kinds)
