"""A bundle that was recorded before and is told anew: what of it is older, what it changes, what it leaves to people.

The three sides of the merge are what the recorded snapshots imply, what the newer records imply, and what holds now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from domain.event import IMPORTER, LIVE, Change, DomainEvent, Recorded
from domain.legacy import ImportWithdrawn, LegacySnapshotRecorded, LegacySnapshotWithdrawn, LiveValueKept, Withdrawal
from domain.streams import imported_id
from migrations_replay.bundle import Bundle, LegacyRecord
from migrations_replay.document import read_line
from migrations_replay.facts import NO_TIME, Facts, ImportedEvent, LegacySystem, RecordFacts
from migrations_replay.merging import CannotMerge, Kept, Merging, Side
from migrations_replay.numbers import Numbers, renumber, renumbered
from migrations_replay.rows import folded, rows_of
from migrations_replay.snapshots import raw_bytes, snapshot_of
from migrations_replay.three_way import merge_stream
from projections.read_model import HoleInLog, ReadModel

Load = Callable[[Iterable[UUID]], Mapping[UUID, Sequence[Recorded]]]
"""Returns the events of each stream, oldest first."""

SOMEBODY_ELSE: Final = "somebody else began its streams"
NO_EVENT: Final = "it changed beside live changes in a way no event can express"
LIKE_A_SEED: Final = frozenset({"status"})
"""Aggregates people may define before an import does: what they set stays, and the import fills the rest."""


@dataclass(frozen=True)
class Past:
    """What the log holds of one record: how far its stream is, and its snapshots since it was withdrawn, if it was."""

    version: int = 0
    snapshots: tuple[LegacySnapshotRecorded, ...] = ()

    @classmethod
    def of(cls, events: Sequence[Recorded]) -> Past:
        """Return the past of a record from the events of its snapshot stream."""
        snapshots: list[LegacySnapshotRecorded] = []
        for recorded in events:
            if isinstance(recorded.event, LegacySnapshotRecorded):
                snapshots.append(recorded.event)
            else:
                snapshots.clear()
        return cls(events[-1].version if events else 0, tuple(snapshots))

    @property
    def newest(self) -> LegacySnapshotRecorded | None:
        """The snapshot that counts, None where there is none."""
        return self.snapshots[-1] if self.snapshots else None

    def knew(self, record: LegacyRecord) -> bool:
        """Tell whether a record is a form of it that was recorded and has been followed by another since."""
        newest = self.newest
        if newest is None or newest.digest == record.digest:
            return False
        return any(snapshot.digest == record.digest for snapshot in self.snapshots)


def record_of(snapshot: LegacySnapshotRecorded, line: int = 0) -> LegacyRecord:
    """Return a record as it was recorded, with the references it had then."""
    raw = raw_bytes(snapshot)
    return LegacyRecord(
        snapshot.table,
        snapshot.key,
        line,
        raw,
        read_line(raw).value,
        snapshot.parent_key,
        frozenset(snapshot.dangling),
        frozenset(snapshot.foreign),
    )


@dataclass
class Merge:
    """What becomes of one bundle: events by stream and version, or the reason why it is left as it is."""

    facts: Facts
    events: list[tuple[UUID, int, ImportedEvent]] = field(default_factory=list)
    recorded: list[LegacyRecord] = field(default_factory=list)
    older: list[LegacyRecord] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    streams: list[UUID] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)


def merge_bundle(
    system: LegacySystem,
    models: Sequence[ReadModel],
    load: Load,
    bundle: Bundle,
    *,
    gone: Sequence[UUID] = (),
    broken: Sequence[UUID] = (),
    withdraw: Withdrawal | None = None,
) -> Merge:
    """Merge a bundle with what was recorded of it.

    `gone` are the snapshots of records the source no longer gives, or not there; they count on, or are withdrawn. Those
    that are `broken` now count on.
    """
    present = bundle.snapshots()
    past = {stream: Past.of(events) for stream, events in load([*present, *gone, *broken]).items()}
    older = [record for stream, record in present.items() if past[stream].knew(record)]
    told = {
        stream: record_of(newest) if (newest := past[stream].newest) and record in older else record
        for stream, record in present.items()
    }
    told |= {stream: record_of(newest) for stream in broken if (newest := past[stream].newest)}
    left = {stream: record_of(newest) for stream in gone if (newest := past[stream].newest)}
    records = tuple(told.values()) if withdraw else (*told.values(), *left.values())
    root = told[bundle.root.snapshot(system.name)]
    new = system.derive(Bundle(system.name, root, records))
    old = _recorded_facts(system, root, past)
    merge = Merge(new, older=older)
    _Streams(system, models, load, merge, old, past).merge()
    if merge.reason:
        return merge
    if withdraw:
        merge.events += [_withdrawn(system, left[stream], past[stream], withdraw) for stream in left]
    snapshots = []
    for record in new.records.values():
        known = past[record.snapshot]
        if _is_news(system, new, record, known):
            merge.recorded.append(record.record)
            snapshot = snapshot_of(new, record, system.mapping_version)
            occurred_at = record.earliest or new.occurred()
            recorded = ImportedEvent(snapshot, occurred_at, subject=record.subject)
            snapshots.append((record.snapshot, known.version + 1, recorded))
    merge.events = [*snapshots, *merge.events]
    return merge


def _is_news(system: LegacySystem, facts: Facts, record: RecordFacts, past: Past) -> bool:
    """Tell whether what was recorded of a record is not what there is to record now."""
    newest = past.newest
    if newest is None:
        return True
    known = newest.digest, newest.mapping_version, newest.bundle, newest.became, newest.became_version
    told = record.record.digest, system.mapping_version, facts.bundle.root.key, record.became, record.became_version
    return known != told


def _recorded_facts(system: LegacySystem, root: LegacyRecord, past: Mapping[UUID, Past]) -> Facts | None:
    """Return what the recorded snapshots imply, None if another mapping read them or there are none."""
    snapshots = [known.newest for known in past.values() if known.newest]
    if not snapshots or any(snapshot.mapping_version != system.mapping_version for snapshot in snapshots):
        return None
    records = [record_of(snapshot) for snapshot in snapshots]
    roots = [record for record in records if (record.table, record.key) == (root.table, root.key)]
    roots += [record for record in records if record.table == root.table]
    if not roots:
        return None
    return system.derive(Bundle(system.name, roots[0], tuple(records)))


def _withdrawn(
    system: LegacySystem, record: LegacyRecord, past: Past, reason: Withdrawal
) -> tuple[UUID, int, ImportedEvent]:
    event = LegacySnapshotWithdrawn(system=system.name, table=record.table, key=record.key, reason=reason)
    return record.snapshot(system.name), past.version + 1, ImportedEvent(event, NO_TIME, actor=IMPORTER)


State = Literal["none", "imported", "live"]


@dataclass(frozen=True)
class Log:
    """One stream in the log: its events since it was withdrawn, if it was, and the version it goes on from."""

    base: int
    events: tuple[Recorded, ...]

    @classmethod
    def of(cls, events: Sequence[Recorded]) -> Log:
        """Return what of a stream counts."""
        base = max((event.version for event in events if isinstance(event.event, ImportWithdrawn)), default=0)
        return cls(base, tuple(event for event in events if event.version > base))

    @property
    def head(self) -> int:
        """The version of the last event of the stream."""
        return self.events[-1].version if self.events else self.base

    @property
    def begun_by(self) -> State:
        """Who began it, if anybody did."""
        if not self.events:
            return "none"
        return "live" if self.events[0].metadata.origin == LIVE else "imported"

    @property
    def live(self) -> bool:
        """Whether a live command has changed it."""
        return any(event.metadata.origin == LIVE for event in self.events)

    @property
    def aggregate(self) -> str:
        """The aggregate it is of: topics begin with its name."""
        return self.events[0].topic.partition(".")[0]


class _Streams:
    """The work on the streams of one bundle."""

    def __init__(
        self,
        system: LegacySystem,
        models: Sequence[ReadModel],
        load: Load,
        merge: Merge,
        old: Facts | None,
        past: Mapping[UUID, Past],
    ) -> None:
        self._system, self._models, self._merge, self._old = system, models, merge, old
        self._became = {stream: known.newest.became_version for stream, known in past.items() if known.newest}
        mentioned = {known.newest.became for known in past.values() if known.newest and known.newest.became}
        self._new = {stream.stream: stream for stream in merge.facts.streams}
        streams = {*self._new, *mentioned, *(stream.stream for stream in (old.streams if old else ()))}
        root = merge.facts.bundle.root
        self._decided = imported_id("merge", system.name, root.table, root.key)
        self._logs = {stream: Log.of(events) for stream, events in load([*sorted(streams), self._decided]).items()}
        self._decisions = self._logs.pop(self._decided)
        self._numbers = Numbers({stream: log.base for stream, log in self._logs.items()})
        self._when = max(
            (record.updated for record in merge.facts.records.values() if record.updated),
            default=merge.facts.occurred(),
        )

    def merge(self) -> None:
        facts, merge = self._merge.facts, self._merge
        was = self._old_sides()
        says = _sides(facts, self._models)
        for stream, log in self._logs.items():
            if stream not in self._new:
                self._no_longer_implied(stream, log)
            elif log.begun_by == "none":
                self._begin(stream, log.base)
            elif log.begun_by == "live" and log.aggregate not in LIKE_A_SEED:
                merge.reason, merge.streams = SOMEBODY_ELSE, [*merge.streams, stream]
            else:
                self._go_on(stream, log, was.get(stream, Side()), says[stream])
        if merge.reason:
            return
        # From here on the derived events stand where the log has them, or will have them.
        renumber(facts, self._numbers)
        merge.events += self._kept_events()

    def _old_sides(self) -> dict[UUID, Side]:
        """Return what was imported: as the recorded snapshots imply, or, where they do not tell, as the log has it.

        They do not under another mapping, nor where entries of a history stand in the log in another order by now.
        """
        if self._old is not None:
            numbers = Numbers(dict(self._numbers.bases))
            numbers.learn(self._old, self._became)
            renumber(self._old, numbers)
            try:
                return _sides(self._old, self._models)
            except HoleInLog:
                self._old = None
        imported = {
            stream: [event for event in log.events if event.metadata.origin != LIVE]
            for stream, log in self._logs.items()
        }
        return {stream: _logged(events, self._models) for stream, events in imported.items()}

    def _begin(self, stream: UUID, base: int) -> None:
        events = self._new[stream].events
        self._changed(stream, "*", None, "begun")
        numbers = Numbers({stream: base})
        from_base = [renumbered(event, stream, numbers) for event in events]
        self._merge.events += [(stream, base + number, event) for number, event in enumerate(from_base, 1)]
        self._numbers.bases[stream] = base

    def _go_on(self, stream: UUID, log: Log, said: Side, says: Side) -> None:
        if not said.rows and log.aggregate not in LIKE_A_SEED:
            self._begin_anew(stream, log, CannotMerge("what was imported is not known"))
            return
        became = {
            record.became_version: found
            for record in self._merge.facts.records.values()
            if record.became == stream and record.became_version and (found := self._became.get(record.snapshot))
        }
        now = _logged(log.events, self._models)
        numbers = Numbers(dict(self._numbers.bases))
        remapped = self._old is None
        merging = Merging(stream, said, says, now, log.events, self._when, became, numbers, remapped)
        try:
            merge_stream(merging, log.aggregate)
        except CannotMerge as error:
            self._begin_anew(stream, log, error)
            return
        self._numbers.known |= merging.numbers.known
        self._merge.events += [(stream, log.head + number, event) for number, event in enumerate(merging.events, 1)]
        for imported in merging.events:
            for name, change in _changes(imported.event).items():
                self._changed(stream, name, change.old, change.new)
        self._merge.kept += [self._kept(stream, kept) for kept in merging.kept]

    def _begin_anew(self, stream: UUID, log: Log, error: CannotMerge) -> None:
        if log.live:
            self._merge.reason = NO_EVENT
            self._merge.streams.append(stream)
            self._merge.fields += error.what
            return
        withdrawn = ImportWithdrawn(system=self._system.name, reason="begun_anew")
        self._merge.events.append((stream, log.head + 1, ImportedEvent(withdrawn, self._when, actor=IMPORTER)))
        self._begin(stream, log.head + 1)

    def _no_longer_implied(self, stream: UUID, log: Log) -> None:
        """Take back what no record stands for any more; what somebody has changed since stays."""
        if log.begun_by != "imported":
            return
        if log.live:
            self._merge.kept.append(self._kept(stream, Kept("*", "changed live", None)))
            return
        withdrawn = ImportWithdrawn(system=self._system.name, reason="deleted")
        self._merge.events.append((stream, log.head + 1, ImportedEvent(withdrawn, self._when, actor=IMPORTER)))
        self._changed(stream, "*", "imported", None)

    def _changed(self, stream: UUID, name: str, old: Any, new: Any) -> None:
        self._merge.changes.append({"stream": stream, "field": name, "old": old, "new": new})

    def _kept(self, stream: UUID, kept: Kept) -> dict[str, Any]:
        bundle = self._merge.facts.bundle.root.key
        return {"bundle": bundle, "stream": stream, "field": kept.field, "live": kept.live, "legacy": kept.legacy}

    def _kept_events(self) -> Iterator[tuple[UUID, int, ImportedEvent]]:
        for number, kept in enumerate(self._merge.kept, self._decisions.head + 1):
            event = LiveValueKept(system=self._system.name, **kept)
            yield self._decided, number, ImportedEvent(event, self._when, actor=IMPORTER)


def _changes(event: DomainEvent) -> dict[str, Change]:
    """Return what an event changes by field; one that names no fields is named by its topic."""
    changes = getattr(event, "changes", None)
    return changes if isinstance(changes, dict) and changes else {event.topic: Change()}


def _sides(facts: Facts, models: Sequence[ReadModel]) -> dict[UUID, Side]:
    """Return the side of each stream by what a bundle implies."""
    sides = {}
    for stream in facts.streams:
        events = dict(stream.numbered())
        implied = [(stream.stream, version, event) for version, event in events.items()]
        sides[stream.stream] = Side(rows_of(implied, facts.subject, models), events)
    return sides


def _logged(events: Sequence[Recorded], models: Sequence[ReadModel]) -> Side:
    """Return the side of a stream by events of the log; none where they do not stand without others."""
    try:
        rows = folded(events, models)
    except ValueError:
        return Side()
    return Side(
        rows,
        {
            event.version: ImportedEvent(
                event.event, event.occurred_at, event.metadata.provenance, event.metadata.actor
            )
            for event in events
        },
    )
