"""Bundles become events: in bounded batches, each bundle whole or not at all, resumable, and a no-op when repeated.

Replay bypasses `decide`: history is not up for decision. What was recorded before, by its digest and under this mapping
version, is left alone, so a run that was killed is simply run again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.errors import VersionConflict
from domain.event import IMPORTER, DomainEvent, EventMetadata, NewEvent
from domain.event import Recorded as StoredEvent
from domain.legacy import LegacyRecordQuarantined, Withdrawal
from domain.migration import MigrationRunCompleted, MigrationRunStarted
from domain.streams import imported_id, migration_id, unknown_person_id
from migrations_replay.bundle import TURN, Bundle, LegacyRecord, SetAside
from migrations_replay.catch_up import Log, Merge, Past, merge_bundle
from migrations_replay.entries import Entries, Entry, NewEntries
from migrations_replay.facts import NO_TIME, Facts, ImportedEvent, LegacySystem, RecordFacts
from migrations_replay.gone import Gone
from migrations_replay.leaves import Ledger
from migrations_replay.numbers import Numbers, renumber
from migrations_replay.rollback import streams_of, withdraw_bundle
from migrations_replay.snapshots import bundle_events, readable
from projections.read_model import ReadModel

BATCH_EVENTS: Final = 400
BATCH_BYTES: Final = 8 * 1024 * 1024
MERGES: Final = 5
"""How often a bundle is merged that live commands go on changing."""

Progress = Callable[[int, int], None]
"""Called with how many bundles are done, and how many there are."""


class Recorded(NamedTuple):
    """What a snapshot or quarantine stream holds: its version, and what was recorded last.

    `digest` is empty once it was withdrawn, and ERASED_DIGEST where the person it is about was erased. `dangling` and
    `foreign` are the references as they were found then.
    """

    version: int
    digest: str
    mapping_version: int
    origin: str
    dangling: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()


NEVER: Final = Recorded(0, "", 0, "")
ERASED_DIGEST: Final = "erased"


class Begun(NamedTuple):
    """How far a stream is, and whether it stands empty: what was imported into it was withdrawn."""

    version: int
    withdrawn: bool


class OpenRun(NamedTuple):
    """The state of a system's run stream: its version, and the run that was begun and not completed, if any."""

    version: int
    run_id: UUID | None


class Told(Protocol):
    """What a run works on: the bundles of a source, of a selection of it, or those that were recorded."""

    @property
    def rows(self) -> Mapping[str, int]:
        """How many rows each table holds."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Bundle]: ...

    def set_aside(self) -> Iterator[SetAside]:
        """Yield what cannot be taken in."""
        ...

    def find(self, table: str, key: str) -> Bundle | None:
        """Return the bundle a record belongs to, None if it is not there."""
        ...


class ReplayStore(Protocol):
    """The port to the store a replay writes to."""

    def touch(self, streams: Sequence[UUID]) -> None:
        """Make ready streams that are about to be looked at or written (a dry run copies them into its own store)."""
        ...

    def recorded(self, streams: Sequence[UUID]) -> dict[UUID, Recorded]:
        """Return what was last recorded in each of these streams that exists."""
        ...

    def begun(self, streams: Sequence[UUID]) -> dict[UUID, Begun]:
        """Return how far those of these streams are that hold events."""
        ...

    def load(self, streams: Iterable[UUID]) -> Mapping[UUID, Sequence[StoredEvent]]:
        """Return the events of each stream."""
        ...

    def erased(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return which of these people were erased."""
        ...

    def open_run(self, stream: UUID) -> OpenRun:
        """Return the state of a system's run stream."""
        ...

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        """Append events in one transaction; returns the position of the last."""
        ...


LISTED: Final = ("changes", "kept", "gone", "pending", "conflicts", "unmapped", "quarantine", "findings")


@dataclass
class Outcome:
    """What a replay did and found. The lists named in LISTED grow with the source."""

    run_id: UUID
    resumed: bool = False
    read: int = 0
    recorded: int = 0
    unchanged: int = 0
    set_aside: int = 0
    older: int = 0
    erased: int = 0
    withdrawn: int = 0
    merged: int = 0
    changes: Entries = field(default_factory=list[Entry])
    kept: Entries = field(default_factory=list[Entry])
    gone: Entries = field(default_factory=list[Entry])
    pending: Entries = field(default_factory=list[Entry])
    taken: Counter[str] = field(default_factory=Counter)
    appended: Counter[str] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    conflicts: Entries = field(default_factory=list[Entry])
    unmapped: Entries = field(default_factory=list[Entry])
    quarantine: Entries = field(default_factory=list[Entry])
    findings: Entries = field(default_factory=list[Entry])
    tally: Counter[str] = field(default_factory=Counter)
    bundles: int = 0
    bundles_with_conflict: int = 0

    @classmethod
    def kept_in(cls, entries: NewEntries, run_id: UUID, *, resumed: bool = False) -> Outcome:
        """Return the outcome of a run that begins, its lists made by `entries`."""
        return cls(run_id, resumed, **{name: entries() for name in LISTED})  # type: ignore[arg-type]

    def take(self, facts: Facts) -> None:
        """Add what one bundle implies to ledger and lists."""
        self.bundles += 1
        self.bundles_with_conflict += bool(facts.conflicts)
        self.conflicts.extend(facts.conflicts)
        self.unmapped.extend(facts.unmapped)
        self.quarantine.extend(facts.quarantine)
        self.findings.extend(facts.findings)
        self.tally.update(facts.tally)
        for record in facts.records.values():
            self.read += 1
            self.taken[record.record.table] += 1
            self.ledger.add(record.record.document, record.classes)

    def take_aside(self, record: SetAside) -> None:
        """Add a record that could not be taken in."""
        self.read += 1
        self.set_aside += 1
        self.ledger.quarantine(record.document)
        named = {"line": record.line} if record.key is None else {"id": record.key}
        problem = {"code": record.problem.code, "reason": record.problem.reason}
        self.quarantine.append({"table": record.table, **named, **problem})


@dataclass
class Replay:
    """One run of a migration. `clock` gives the time in UTC, `run_id` names the run unless one is resumed.

    `entries` makes the lists of its outcome.
    """

    system: LegacySystem
    store: ReplayStore
    clock: Callable[[], datetime]
    run_id: UUID
    models: Sequence[ReadModel]
    batch_events: int = BATCH_EVENTS
    batch_bytes: int = BATCH_BYTES
    entries: NewEntries = list

    def run(
        self, selection: Told, source_kind: str, progress: Progress, gone: Gone | None = None, *, delete: bool = False
    ) -> Outcome:
        """Replay what is told, and return what was done and found.

        `gone` are records the source no longer gives: they count on, or with `delete` are withdrawn, unless the source
        holds versions older than those recorded.
        """
        gone = gone or Gone()
        stream = migration_id(self.system.name)
        opened = self.store.open_run(stream)
        outcome = Outcome.kept_in(self.entries, opened.run_id or self.run_id, resumed=opened.run_id is not None)
        writer = _Writer(self, outcome, opened.version)
        if opened.run_id is None:
            writer.before_first = MigrationRunStarted(
                run_id=outcome.run_id,
                system=self.system.name,
                mapping_version=self.system.mapping_version,
                source_kind=source_kind,
                tables=dict(selection.rows),
            )
        for records in _batches(selection.set_aside(), self.batch_events, self.batch_bytes):
            writer.tick()
            self._set_aside(records, writer, outcome)
        self._make_ready(gone)
        self._take_from_others(selection, gone, writer, outcome)
        done = 0
        for bundles in _batches(selection, self.batch_events, self.batch_bytes):
            writer.tick()
            self._bundles(bundles, gone, writer, outcome)
            done += len(bundles)
            progress(done, len(selection))
        deletes = delete and not outcome.older
        if deletes:
            self._delete(selection, gone, writer, outcome)
        outcome.gone.extend(entry | {"deleted": deletes} for entry in gone.entries)
        if writer.started:
            writer.tick()
            writer.write([], last=True)
        return outcome

    def _set_aside(self, batch: list[SetAside], writer: _Writer, outcome: Outcome) -> None:
        streams = {self._quarantine_stream(record): record for record in batch}
        self.store.touch(list(streams))
        known = self.store.recorded(list(streams))
        events = []
        for stream, record in streams.items():
            outcome.take_aside(record)
            before = known.get(stream, NEVER)
            writer.earlier_events += before.origin == writer.origin
            event = _quarantined(self.system.name, record)
            if before.digest not in (event.digest, ERASED_DIGEST) and not self._was_set_aside(stream, before, event):
                imported = ImportedEvent(event, NO_TIME)
                events.append(writer.wrap(stream, before.version + 1, imported, self._person_of(record)))
        writer.write(events)

    def _was_set_aside(self, stream: UUID, before: Recorded, event: LegacyRecordQuarantined) -> bool:
        """Tell whether a record was set aside in this form once, before the form it was set aside in last."""
        if not before.digest:
            return False
        earlier = Log.of(self.store.load([stream])[stream]).events
        return any(isinstance(old.event, type(event)) and old.event.digest == event.digest for old in earlier)

    def _count_earlier(self, facts: Facts, known: Mapping[UUID, Recorded], writer: _Writer) -> None:
        """Count what this very run recorded before it was interrupted."""
        if any(known[record.snapshot].origin == writer.origin for record in facts.records.values()):
            writer.earlier_records += len(facts.records)
            writer.earlier_events += sum(1 for _ in bundle_events(facts, self.system.mapping_version))

    def _person_of(self, record: SetAside) -> UUID:
        known = self.system.subject_of(record.person) if record.person is not None else None
        return known or unknown_person_id(self.system.name, record.table, record.name.rpartition(TURN)[0])

    def _quarantine_stream(self, record: SetAside) -> UUID:
        return imported_id("quarantined", self.system.name, record.table, f"{record.problem.code}\x1f{record.name}")

    def _bundles(self, bundles: list[Bundle], gone: Gone, writer: _Writer, outcome: Outcome) -> None:
        snapshots = [snapshot for bundle in bundles for snapshot in bundle.snapshots()]
        self.store.touch(snapshots)
        known = self.store.recorded(snapshots)
        batch = [self.system.derive(as_recorded(bundle, known)) for bundle in bundles]
        streams = [stream.stream for facts in batch for stream in facts.streams]
        self.store.touch(streams)
        begun = self.store.begun(streams)
        erased = self.store.erased({subject for facts in batch for subject in facts.subjects})
        events: list[NewEvent] = []
        changed = []
        for bundle, facts in zip(bundles, batch, strict=True):
            facts.forget(erased)
            outcome.take(facts)
            states = [_state(record, known, self.system.mapping_version) for record in facts.records.values()]
            if facts.subject in erased:
                outcome.erased += len(states)
            elif all(state == "unchanged" for state in states):
                outcome.unchanged += len(states)
                self._count_earlier(facts, known, writer)
            elif all(state == "new" for state in states) and not _occupied(facts, begun):
                events += self._first(facts, known, begun, writer)
                outcome.recorded += len(states)
            else:
                outcome.unchanged += states.count("unchanged")
                changed.append((bundle, states))
        writer.write(events)
        for bundle, states in changed:
            self._merge(bundle, states, gone.of(bundle), writer, outcome, broken=gone.broken_of(bundle))

    def _first(
        self, facts: Facts, known: Mapping[UUID, Recorded], begun: Mapping[UUID, Begun], writer: _Writer
    ) -> list[NewEvent]:
        """Return the events of a bundle that is taken in for the first time, or again after it was withdrawn."""
        renumber(facts, Numbers({stream: found.version for stream, found in begun.items()}))
        before = {snapshot: found.version for snapshot, found in known.items()}
        return [
            writer.wrap(stream, version, imported, facts.subject)
            for stream, version, imported in bundle_events(facts, self.system.mapping_version, before)
        ]

    def _merge(
        self,
        bundle: Bundle,
        states: Sequence[str],
        gone: Sequence[UUID],
        writer: _Writer,
        outcome: Outcome,
        withdraw: Withdrawal | None = None,
        *,
        broken: Sequence[UUID],
    ) -> None:
        for attempt in range(1, MERGES + 1):
            merge = merge_bundle(
                self.system, self.models, self._load, bundle, gone=gone, broken=broken, withdraw=withdraw
            )
            if merge.reason:
                outcome.pending.append(_pending(merge, states))
                return
            try:
                writer.write([writer.wrap(*event, merge.facts.subject) for event in merge.events])
                break
            except VersionConflict:  # somebody changed it meanwhile: look again
                if attempt == MERGES:
                    raise
        outcome.recorded += len(merge.recorded)
        outcome.older += len(merge.older)
        outcome.merged += bool(merge.changes or merge.kept)
        outcome.changes.extend({"bundle": bundle.root.key} | change for change in merge.changes)
        outcome.kept.extend(merge.kept)

    def _take_from_others(self, selection: Told, gone: Gone, writer: _Writer, outcome: Outcome) -> None:
        """Merge the bundles that records have left for others as they are without them; those take them in anew."""
        for root, records in gone.moved.items():
            bundle = selection.find(*root)
            if bundle is None:
                continue
            past = {name: Past.of(events) for name, events in self._load([name for *_, name in records]).items()}
            if not any(past[name].knew(record) for record, name in _as_given(selection, records)):
                writer.tick()
                count_on = [*gone.of(bundle), *gone.broken_of(bundle)]
                self._merge(bundle, (), list(past), writer, outcome, "begun_anew", broken=count_on)

    def _make_ready(self, gone: Gone) -> None:
        """Have a dry run hold what is gone or broken too, as the live tables do."""
        for snapshots in (*gone.by_bundle.values(), *gone.whole.values(), *gone.broken.values()):
            newest = [Past.of(events).newest for events in self._load(snapshots).values()]
            self.store.touch(list(streams_of(self.system, [found for found in newest if found])))

    def _load(self, streams: Iterable[UUID]) -> Mapping[UUID, Sequence[StoredEvent]]:
        wanted = list(streams)
        self.store.touch(wanted)
        return self.store.load(wanted)

    def _delete(self, selection: Told, gone: Gone, writer: _Writer, outcome: Outcome) -> None:
        """Withdraw what the source no longer gives: records of bundles that are there, then whole bundles."""
        for (table, key), snapshots in gone.by_bundle.items():
            bundle = selection.find(table, key)
            if bundle is not None:
                writer.tick()
                self._merge(bundle, (), snapshots, writer, outcome, "deleted", broken=gone.broken_of(bundle))
                outcome.withdrawn += len(snapshots)
        for snapshots in gone.whole.values():
            writer.tick()
            withdrawal = withdraw_bundle(self.system, self._load, snapshots, "deleted")
            if withdrawal.live:
                outcome.kept.append(withdrawal.kept)
                continue
            writer.write([writer.wrap(*event, None) for event in withdrawal.events])
            outcome.withdrawn += len(snapshots)


class _Writer:
    """Writes batches; the run's own events come with its first change and after its last."""

    def __init__(self, replay: Replay, outcome: Outcome, version: int) -> None:
        self._replay, self._outcome, self._version = replay, outcome, version
        self._stream = migration_id(replay.system.name)
        self.origin = f"import:{outcome.run_id}"
        self.earlier_records = 0
        self.earlier_events = 0
        self._now = replay.clock()
        self.before_first: MigrationRunStarted | None = None
        self.started = outcome.resumed

    def tick(self) -> None:
        """Take the time; the events of one batch are recorded at one time."""
        self._now = self._replay.clock()

    def wrap(self, stream: UUID, version: int, imported: ImportedEvent, subject: UUID | None) -> NewEvent:
        """Put an imported event into its envelope."""
        metadata = EventMetadata(
            occurred_at=imported.occurred_at,
            recorded_at=self._now,
            actor=imported.actor,
            recorded_by=IMPORTER,
            subject=imported.subject or subject,
            correlation_id=self._outcome.run_id,
            origin=self.origin,
            provenance=imported.provenance or None,
        )
        return NewEvent(stream, version, imported.event, metadata)

    def write(self, events: list[NewEvent], *, last: bool = False) -> None:
        """Append a batch, with the run's first or last event where it is due; a refused one leaves no trace."""
        opens, version = bool(events) and self.before_first is not None, self._version
        if opens and self.before_first is not None:
            events = [self._own(self.before_first), *events]
        if last:
            events = [*events, self._own(self._completed())]
        if not events:
            return
        try:
            self._replay.store.append_bulk(events)
        except VersionConflict:
            self._version = version
            raise
        if opens:
            self.before_first, self.started = None, True
        self._outcome.appended.update(new.event.topic for new in events)

    def _own(self, event: DomainEvent) -> NewEvent:
        self._version += 1
        return self.wrap(self._stream, self._version, ImportedEvent(event, self._now, actor=IMPORTER), None)

    def _completed(self) -> MigrationRunCompleted:
        outcome = self._outcome
        return MigrationRunCompleted(
            run_id=outcome.run_id,
            system=self._replay.system.name,
            recorded=outcome.recorded + self.earlier_records,
            unchanged=outcome.unchanged - self.earlier_records,
            quarantined=outcome.set_aside,
            events=sum(outcome.appended.values()) + self.earlier_events + outcome.resumed + 1,
        )


def _as_given(selection: Told, records: Iterable[tuple[str, str, UUID]]) -> Iterator[tuple[LegacyRecord, UUID]]:
    """Yield these records as the source gives them, with their snapshots."""
    for table, key, snapshot in records:
        bundle = selection.find(table, key)
        for record in bundle.records if bundle else ():
            if (record.table, record.key) == (table, key):
                yield record, snapshot


def _quarantined(system: str, record: SetAside) -> LegacyRecordQuarantined:
    raw, encoding = readable(record.raw)
    return LegacyRecordQuarantined(
        system=system,
        table=record.table,
        key=_storable(record.key) if record.key is not None else None,
        code=record.problem.code,
        reason=record.problem.reason,
        digest=hashlib.sha256(record.raw).hexdigest(),
        raw=raw,
        encoding=encoding,
    )


def _storable(text: str) -> str:
    """Return a text without lone surrogates, which have no UTF-8 form; the raw record keeps them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _state(record: RecordFacts, known: Mapping[UUID, Recorded], mapping_version: int) -> str:
    found = known.get(record.snapshot)
    if found is None or not found.digest:
        return "new"
    if found.digest == ERASED_DIGEST:  # it is about one person amid a bundle about others: left as it is
        return "unchanged"
    same = found.digest == record.record.digest and found.mapping_version == mapping_version
    return "unchanged" if same else "changed"


def _occupied(facts: Facts, begun: Mapping[UUID, Begun]) -> bool:
    """Tell whether somebody else has begun a stream the bundle would begin."""
    return any(stream.stream in begun and not begun[stream.stream].withdrawn for stream in facts.streams)


def _pending(merge: Merge, states: Sequence[str]) -> dict[str, Any]:
    records = [
        {"table": record.record.table, "id": record.record.key, "state": state}
        for record, state in zip(merge.facts.records.values(), states, strict=False)
        if state != "unchanged"
    ]
    return {
        "bundle": merge.facts.bundle.root.key,
        "reason": merge.reason,
        "records": records,
        "streams": merge.streams,
        "fields": merge.fields,
    }


def as_recorded(bundle: Bundle, known: Mapping[UUID, Recorded]) -> Bundle:
    """Return a bundle with the references of each record that is unchanged as they were found when it was recorded.

    Whether a reference leads anywhere depends on the rest of a source; what was once decided by it stays.
    """
    records = {stream: _as_recorded(record, known.get(stream)) for stream, record in bundle.snapshots().items()}
    if all(record is found for record, found in zip(bundle.records, records.values(), strict=True)):
        return bundle
    return Bundle(bundle.system, records[bundle.root.snapshot(bundle.system)], tuple(records.values()))


def _as_recorded(record: LegacyRecord, known: Recorded | None) -> LegacyRecord:
    if known is None or (record.dangling, record.foreign) == (known.dangling, known.foreign):
        return record
    if known.digest != record.digest:
        return record
    return replace(record, dangling=known.dangling, foreign=known.foreign)


def _batches(items: Iterable[Any], most_items: int, most_bytes: int) -> Iterator[list[Any]]:
    """Group bundles or records into bounded batches; one that exceeds the bounds alone is a batch of its own."""
    batch: list[Any] = []
    count = size = 0
    for item in items:
        records = item.records if isinstance(item, Bundle) else (item,)
        batch.append(item)
        count += len(records)
        size += sum(len(record.raw) for record in records)
        if count * 2 >= most_items or size >= most_bytes:
            yield batch
            batch, count, size = [], 0, 0
    if batch:
        yield batch
