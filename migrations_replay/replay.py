"""Bundles become events: in bounded batches, each bundle whole or not at all, resumable, and a no-op when repeated.

Replay bypasses `decide`: history is not up for decision. What was recorded before, by its digest and under this mapping
version, is left alone, so a run that was killed is simply run again.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.event import IMPORTER, DomainEvent, EventMetadata, NewEvent
from domain.legacy import Encoding, LegacyRecordQuarantined, LegacySnapshotRecorded
from domain.migration import MigrationRunCompleted, MigrationRunStarted
from domain.streams import imported_id, migration_id
from migrations_replay.bundle import Bundle, Selection, SetAside
from migrations_replay.facts import NO_TIME, Facts, ImportedEvent, LegacySystem, RecordFacts
from migrations_replay.leaves import Ledger

BATCH_EVENTS: Final = 5_000
BATCH_BYTES: Final = 8 * 1024 * 1024

Progress = Callable[[int, int], None]
"""Called with how many bundles are done, and how many there are."""


class Recorded(NamedTuple):
    """What a snapshot or quarantine stream holds: its version, and digest, mapping version and origin last recorded."""

    version: int
    digest: str
    mapping_version: int
    origin: str


NEVER: Final = Recorded(0, "", 0, "")


class OpenRun(NamedTuple):
    """The state of a system's run stream: its version, and the run that was begun and not completed, if any."""

    version: int
    run_id: UUID | None


class ReplayStore(Protocol):
    """The port to the store a replay writes to."""

    def touch(self, streams: Sequence[UUID]) -> None:
        """Make ready streams that are about to be looked at or written (a dry run copies them into its own store)."""
        ...

    def recorded(self, streams: Sequence[UUID]) -> dict[UUID, Recorded]:
        """Return what was last recorded in each of these streams that exists."""
        ...

    def existing(self, streams: Sequence[UUID]) -> frozenset[UUID]:
        """Return which of these streams hold events."""
        ...

    def open_run(self, stream: UUID) -> OpenRun:
        """Return the state of a system's run stream."""
        ...

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        """Append events in one transaction; returns the position of the last."""
        ...


@dataclass
class Outcome:
    """What a replay did and found."""

    run_id: UUID
    resumed: bool = False
    read: int = 0
    recorded: int = 0
    unchanged: int = 0
    set_aside: int = 0
    pending: list[dict[str, Any]] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    appended: Counter[str] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    unmapped: list[dict[str, Any]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    bundles: int = 0
    bundles_with_conflict: int = 0

    def take(self, facts: Facts) -> None:
        """Add what one bundle implies to ledger and lists."""
        self.bundles += 1
        self.bundles_with_conflict += bool(facts.conflicts)
        self.conflicts += facts.conflicts
        self.unmapped += facts.unmapped
        self.quarantine += facts.quarantine
        self.findings += facts.findings
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
    """One run of a migration. `clock` gives the time in UTC, `run_id` names the run unless one is resumed."""

    system: LegacySystem
    store: ReplayStore
    clock: Callable[[], datetime]
    run_id: UUID
    batch_events: int = BATCH_EVENTS
    batch_bytes: int = BATCH_BYTES

    def run(self, selection: Selection, source_kind: str, progress: Progress) -> Outcome:
        """Replay a source, or a selection of it, and return what was done and found."""
        stream = migration_id(self.system.name)
        opened = self.store.open_run(stream)
        outcome = Outcome(opened.run_id or self.run_id, resumed=opened.run_id is not None)
        writer = _Writer(self, outcome, opened.version)
        if opened.run_id is None:
            writer.before_first = MigrationRunStarted(
                run_id=outcome.run_id,
                system=self.system.name,
                mapping_version=self.system.mapping_version,
                source_kind=source_kind,
                tables=selection.index.rows,
            )
        for records in _batches(selection.set_aside(), self.batch_events, self.batch_bytes):
            writer.tick()
            self._set_aside(records, writer, outcome)
        done = 0
        for bundles in _batches(selection, self.batch_events, self.batch_bytes):
            writer.tick()
            self._bundles([self.system.derive(bundle) for bundle in bundles], writer, outcome)
            done += len(bundles)
            progress(done, len(selection))
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
            if before.digest != event.digest:
                subject = self.system.subject_of(record.person) if record.person is not None else None
                events.append(writer.wrap(stream, before.version + 1, ImportedEvent(event, NO_TIME), subject))
        writer.write(events)

    def _count_earlier(self, facts: Facts, known: Mapping[UUID, Recorded], writer: _Writer) -> None:
        """Count what this very run recorded before it was interrupted."""
        if any(known[record.snapshot].origin == writer.origin for record in facts.records.values()):
            writer.earlier_records += len(facts.records)
            writer.earlier_events += sum(1 for _ in bundle_events(facts, self.system.mapping_version))

    def _quarantine_stream(self, record: SetAside) -> UUID:
        return imported_id("quarantined", self.system.name, record.table, f"{record.problem.code}\x1f{record.name}")

    def _bundles(self, batch: list[Facts], writer: _Writer, outcome: Outcome) -> None:
        snapshots = [record.snapshot for facts in batch for record in facts.records.values()]
        streams = [stream.stream for facts in batch for stream in facts.streams]
        self.store.touch([*snapshots, *streams])
        known = self.store.recorded(snapshots)
        taken = self.store.existing(streams)
        events: list[NewEvent] = []
        for facts in batch:
            outcome.take(facts)
            states = [_state(record, known, self.system.mapping_version) for record in facts.records.values()]
            if all(state == "unchanged" for state in states):
                outcome.unchanged += len(states)
                self._count_earlier(facts, known, writer)
            elif all(state == "new" for state in states) and not _occupied(facts, taken):
                events += [
                    writer.wrap(stream, version, imported, facts.subject)
                    for stream, version, imported in bundle_events(facts, self.system.mapping_version)
                ]
                outcome.recorded += len(states)
            else:
                outcome.unchanged += states.count("unchanged")
                outcome.pending.append(_pending(facts, states, _occupied(facts, taken)))
        writer.write(events)


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
        """Append a batch, with the run's first or last event where it is due."""
        if events and self.before_first is not None:
            events = [self._own(self.before_first), *events]
            self.before_first, self.started = None, True
        if last:
            events = [*events, self._own(self._completed())]
        if events:
            self._replay.store.append_bulk(events)
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


def bundle_events(facts: Facts, mapping_version: int) -> Iterator[tuple[UUID, int, ImportedEvent]]:
    """Yield stream, version and event of all a bundle implies: every record first, then what the records imply."""
    for record in facts.records.values():
        occurred_at = record.earliest or facts.occurred()
        snapshot = snapshot_of(facts, record, mapping_version)
        yield record.snapshot, 1, ImportedEvent(snapshot, occurred_at, subject=record.subject)
    for stream in facts.streams:
        for version, event in enumerate(stream.events, start=1):
            yield stream.stream, version, event


def snapshot_of(facts: Facts, record: RecordFacts, mapping_version: int) -> LegacySnapshotRecorded:
    """Return the event that records a legacy record as it was found."""
    found = record.record
    raw, encoding = _readable(found.raw)
    return LegacySnapshotRecorded(
        system=facts.bundle.system,
        table=found.table,
        key=found.key,
        bundle=facts.bundle.root.key,
        parent_key=found.parent,
        created=record.created,
        updated=record.updated,
        platform_created=record.platform,
        became=record.became,
        became_version=record.became_version,
        dangling=tuple(sorted(found.dangling)),
        foreign=tuple(sorted(found.foreign)),
        digest=found.digest,
        mapping_version=mapping_version,
        raw=raw,
        encoding=encoding,
    )


def _quarantined(system: str, record: SetAside) -> LegacyRecordQuarantined:
    raw, encoding = _readable(record.raw)
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


def _readable(raw: bytes) -> tuple[str, Encoding]:
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii"), "base64"


def _storable(text: str) -> str:
    """Return a text without lone surrogates, which have no UTF-8 form; the raw record keeps them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _state(record: RecordFacts, known: Mapping[UUID, Recorded], mapping_version: int) -> str:
    found = known.get(record.snapshot)
    if found is None:
        return "new"
    same = found.digest == record.record.digest and found.mapping_version == mapping_version
    return "unchanged" if same else "changed"


def _occupied(facts: Facts, taken: frozenset[UUID]) -> list[UUID]:
    """Return the streams the bundle would begin that somebody else has begun."""
    return [stream.stream for stream in facts.streams if stream.stream in taken]


def _pending(facts: Facts, states: list[str], occupied: list[UUID]) -> dict[str, Any]:
    records = [
        {"table": record.record.table, "id": record.record.key, "state": state}
        for record, state in zip(facts.records.values(), states, strict=True)
        if state != "unchanged"
    ]
    if all(state == "new" for state in states):
        reason, streams = "somebody else began its streams", occupied
    else:
        reason, streams = "it changed since it was recorded", []
    return {"bundle": facts.bundle.root.key, "reason": reason, "records": records, "streams": streams}


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
