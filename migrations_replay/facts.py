"""What a bundle implies: events, where each leaf ended and must be found, and what was decided on the way.

A system's `derive(bundle)` fills one `Facts`; replay writes it, reconcile compares it with the tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast
from uuid import UUID

from domain.event import UNKNOWN_AUTHOR, DomainEvent, Source
from domain.values import is_unset
from domain.vocabulary import FieldShape
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyRecord, LegacyTables
from migrations_replay.convert import Unreadable
from migrations_replay.leaves import MAPPED, NORMALISED, QUARANTINED, UNMAPPED, UNREADABLE, escaped, leaves

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from migrations_replay.replay import Outcome
    from projections.read_model import Row

PLATFORM_TIME: Final = "_creationTime"
"""Where a document store keeps the time it created a document."""

NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
Rule = dict[str, Any]
"""A line of the report: `rule`, `passed`, `count` of the records that break it, and what else belongs to it."""

Provenance = dict[str, tuple[Source, ...]]


class ImportedEvent(NamedTuple):
    """An event a bundle implies, with when it happened, who did it, and which legacy values it was made from.

    `subject` is whose data it holds, where that is not the person the bundle is about.
    """

    event: DomainEvent
    occurred_at: datetime
    provenance: Provenance | None = None
    actor: str = UNKNOWN_AUTHOR
    subject: UUID | None = None


@dataclass
class StreamFacts:
    """The events of one stream, from version 1, or of the versions that say where they stand in the log."""

    stream: UUID
    events: list[ImportedEvent] = field(default_factory=list)
    versions: Sequence[int] = ()

    @property
    def last(self) -> int:
        """The version of the last of them."""
        return max(self.versions, default=len(self.events))

    def numbered(self) -> Iterator[tuple[int, ImportedEvent]]:
        """Yield each event with its version."""
        return zip(self.versions or range(1, len(self.events) + 1), self.events, strict=True)


class Place(NamedTuple):
    """Where a leaf's value must be found: a row of a read model, a column, and the steps into a JSON column.

    `item` says that the value is one item of a list, wherever it stands in it.
    """

    model: str
    key: UUID | tuple[Any, ...]
    column: str
    steps: tuple[str | int, ...] = ()
    item: bool = False

    def below(self, *steps: str | int) -> Place:
        """Return a place further inside a JSON column."""
        return Place(self.model, self.key, self.column, (*self.steps, *steps), self.item)


class Normal(NamedTuple):
    """How a leaf comes back in the document that is rebuilt from the tables: where, and as what."""

    pointer: str
    value: Any


class Expected(NamedTuple):
    """A leaf of a record and the value that must be found for it.

    `normal` is the leaf's normal form in its document; left out, that is the value where the leaf stands, of the first
    place that is named for it.
    """

    pointer: str
    place: Place
    value: Any
    normal: Normal | None = None


ExpectedLater = Callable[[], Iterable[Expected]]


@dataclass
class RecordFacts:
    """What became of one record: the class of each leaf, where its values went, its own times.

    `created_at` is the pointer to where its creation time was found, `platform` when a document store says it was
    created, `changed` any other time it holds. `became` is the stream its content went to, `became_version` the
    version of the event there, where a read model has a row for each of several. `subject` is whose data it holds,
    where that is not the person the bundle is about.
    """

    record: LegacyRecord
    snapshot: UUID
    classes: dict[str, str] = field(default_factory=dict)
    created: datetime | None = None
    created_at: str = ""
    updated: datetime | None = None
    platform: datetime | None = None
    changed: datetime | None = None
    became: UUID | None = None
    became_version: int | None = None
    subject: UUID | None = None
    _expected: list[Expected | ExpectedLater] = field(default_factory=list)
    _put_off: bool = False

    @property
    def expected(self) -> list[Expected]:
        """Where the values of its leaves must be found. What was put off is told now, in its turn."""
        if self._put_off:
            self._put_off = False
            self._expected = [
                expected for told in self._expected for expected in ((told,) if isinstance(told, Expected) else told())
            ]
        return cast("list[Expected]", self._expected)

    @expected.setter
    def expected(self, expected: list[Expected]) -> None:
        self._expected, self._put_off = [*expected], False

    @property
    def earliest(self) -> datetime | None:
        """The creation time, or what stands in for it: the platform's, else the earliest readable time."""
        if self.created or self.platform:
            return self.created or self.platform
        return min(filter(None, (self.updated, self.changed)), default=None)

    def mark(self, pointer: str, value: Any, leaf_class: str) -> None:
        """Give every leaf at and under a pointer its class; unset ones are normalised."""
        if isinstance(value, (dict, list)) and value:
            for below, leaf in leaves(value, pointer):
                self.classes[below] = NORMALISED if is_unset(leaf) else leaf_class
        else:
            self.classes[pointer] = NORMALISED if is_unset(value) else leaf_class

    def expect(self, pointer: str, place: Place, value: Any, normal: Normal | None = None) -> None:
        """Say where the value of a leaf must be found, and how it comes back where that is not as the value itself."""
        self._expected.append(Expected(pointer, place, value, normal))

    def expect_later(self, tell: ExpectedLater) -> None:
        """Say where values must be found once a proof asks: a replay never does."""
        self._expected.append(tell)
        self._put_off = True

    def source(self, pointer: str) -> Source:
        """Return the provenance of one of its values."""
        return Source(self.record.table, self.record.key, pointer)


class Candidate(NamedTuple):
    """A value one record offers for a target field, in its normal form."""

    facts: RecordFacts
    pointer: str
    raw: Any
    value: Any


class LegacySystem(LegacyTables, Protocol):
    """A legacy system: how its records hang together, and what a bundle of them implies."""

    mapping_version: int

    def derive(self, bundle: Bundle) -> Facts:
        """Return what a bundle implies; pure."""
        ...

    def to_legacy(self, record: Row, rows: BundleRows) -> dict[str, Any]:
        """Return the document of a record (its row of `legacy_ids`) in its normal form, from rows alone; pure."""
        ...

    def rules(self, outcome: Outcome, counts: Mapping[str, Any]) -> list[Rule]:
        """Check what the plan of the legacy team verifies, with what the tables hold (`report_<system>.sql`)."""
        ...

    def stats(self, outcome: Outcome, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Return statistics of what there was before and what there is after."""
        ...

    def stream_of(self, root_key: str) -> UUID:
        """Return what a root record becomes."""
        ...

    def subject_of(self, root_key: str) -> UUID | None:
        """Return the person whose data the bundle of a root holds, None where the key alone does not tell.

        A root that is named by another field than its key is told by that.
        """
        ...


class Facts:
    """Everything one bundle implies."""

    def __init__(self, bundle: Bundle, subject: UUID | None) -> None:
        self.bundle = bundle
        self.subject = subject
        self.streams: list[StreamFacts] = []
        self.records = {
            (record.table, record.key): RecordFacts(record, record.snapshot(bundle.system)) for record in bundle.records
        }
        self._earliest: datetime | None = None
        self.conflicts: list[dict[str, Any]] = []
        self.unmapped: list[dict[str, Any]] = []
        self.quarantine: list[dict[str, Any]] = []
        self.findings: list[dict[str, Any]] = []
        self.tally: Counter[str] = Counter()

    @property
    def subjects(self) -> frozenset[UUID]:
        """The people it holds something about."""
        return frozenset(filter(None, (self.subject, *(record.subject for record in self.records.values()))))

    def forget(self, erased: Collection[UUID]) -> None:
        """Take out what is said about erased people; their leaves stay counted."""
        gone = {where for where, record in self.records.items() if (record.subject or self.subject) in erased}
        if not gone:
            return
        for said in (self.conflicts, self.unmapped, self.quarantine, self.findings):
            said[:] = [entry for entry in said if _record_of(entry) not in gone]

    # --- what is said of records ------------------------------------------------------------------------------------

    def of(self, table: str) -> list[RecordFacts]:
        """Return the facts of the bundle's records of a table, in file order."""
        return [facts for facts in self.records.values() if facts.record.table == table]

    def finding(self, facts: RecordFacts, name: str, code: str, value: Any) -> None:
        """Report something about a value that people should know."""
        record = facts.record
        self.findings.append(
            {
                "bundle": self.bundle.root.key,
                "table": record.table,
                "id": record.key,
                "field": name,
                "code": code,
                "value": value,
            }
        )

    def unreadable(self, facts: RecordFacts, pointer: str, name: str, value: Any) -> None:
        """Report a value that is not what it should be; its target stays unset. One that holds nothing set is unset."""
        facts.mark(pointer, value, UNREADABLE)
        if any(not is_unset(leaf) for _, leaf in leaves(value)):
            self.finding(facts, name, "unreadable", value)

    def set_aside(self, facts: RecordFacts, pointer: str, value: Any, code: str, reason: str) -> None:
        """Quarantine a part of a record."""
        for below, _ in leaves(value, pointer):
            facts.classes[below] = QUARANTINED
        record = facts.record
        self.quarantine.append({"table": record.table, "id": record.key, "code": code, "reason": reason})

    def no_target(self, facts: RecordFacts, fields: Mapping[str, Any], context: str | None = None) -> None:
        """Report values (by pointer) that have no target; one entry a record."""
        kept: dict[str, Any] = {}
        for pointer, value in fields.items():
            if pointer in facts.classes:
                continue
            facts.mark(pointer, value, UNMAPPED)
            kept.update((below, leaf) for below, leaf in leaves(value, pointer) if not is_unset(leaf))
        if kept:
            record = facts.record
            entry = {
                "system": self.bundle.system,
                "bundle": self.bundle.root.key,
                "table": record.table,
                "id": record.key,
            }
            self.unmapped.append(entry | ({"context": context} if context else {}) | {"fields": kept})

    def conflict(self, facts: RecordFacts, name: str, values: list[Any], chosen: Any, rule: str) -> None:
        """Report that several sources disagree on one target field; `facts` is the record whose value was chosen."""
        self.conflicts.append(
            {
                "system": self.bundle.system,
                "bundle": self.bundle.root.key,
                "record": f"{facts.record.table}/{facts.record.key}",
                "field": name,
                "values": values,
                "chosen": chosen,
                "rule": rule,
            }
        )

    # --- what values become ------------------------------------------------------------------------------------------

    def key(self, facts: RecordFacts, name: str, *places: Place) -> None:
        """Take a primary or foreign key."""
        document = facts.record.document
        if name not in document:
            return
        raw, value, pointer = document[name], convert.key(document[name]), f"/{name}"
        if value is None:
            if is_unset(raw):
                facts.classes[pointer] = NORMALISED
            else:
                self.unreadable(facts, pointer, name, raw)
            return
        facts.classes[pointer] = MAPPED if value == raw else NORMALISED
        for place in places:
            facts.expect(pointer, place, value)

    def instant(self, facts: RecordFacts, name: str, *places: Place, back_as: str = "") -> datetime | None:
        """Take a point in time; returns it in UTC, or None if it is unset or unreadable."""
        document = facts.record.document
        if name not in document:
            return None
        raw, pointer = document[name], f"/{name}"
        if is_unset(raw):
            facts.classes[pointer] = NORMALISED
            return None
        try:
            moment = convert.instant(raw)
        except Unreadable:
            self.unreadable(facts, pointer, name, raw)
            return None
        facts.classes[pointer] = MAPPED
        normal = Normal(f"/{back_as}", moment) if back_as else None
        for place in places:
            facts.expect(pointer, place, moment, normal)
        return moment

    def time(self, facts: RecordFacts, name: str, column: str, back_as: str = "") -> datetime | None:
        """Take one of a row's own times; returns it in UTC, or None if it is unset or unreadable.

        It comes back under its own name unless another is given.
        """
        return self.instant(facts, name, Place("legacy_ids", facts.snapshot, column), back_as=back_as)

    def document_times(self, facts: RecordFacts, *, has_created: bool) -> None:
        """Take the times of a document: the platform's, and the application's own, as far as they are there.

        Where its table has a creation time a missing one is a finding; what stands in for it is `earliest`.
        """
        facts.platform = self.time(facts, PLATFORM_TIME, "platform_created")
        facts.updated = self.time(facts, "updatedAt", "updated")
        facts.created = self.time(facts, "createdAt", "created")
        if has_created and facts.created is None:
            self.finding(facts, "createdAt", "assumed_time", facts.earliest)

    def row_times(self, facts: RecordFacts, created: str, updated: str) -> None:
        """Take a row's creation and update times; a missing creation time is that of the platform, and a finding."""
        facts.updated = self.time(facts, updated, "updated")
        facts.created, facts.created_at = self.time(facts, created, "created"), pointer_to(created)
        if facts.created is None:
            facts.created, facts.created_at = (
                self.time(facts, PLATFORM_TIME, "created", created),
                pointer_to(PLATFORM_TIME),
            )
            self.finding(facts, created, "assumed_time", facts.earliest)

    def text(self, facts: RecordFacts, pointer: str, name: str, raw: Any) -> Candidate | None:
        """Read a text; returns it as a candidate, or None if it is unset or unreadable."""
        if is_unset(raw):
            facts.classes[pointer] = NORMALISED
            return None
        try:
            return Candidate(facts, pointer, raw, convert.text(raw))
        except Unreadable:
            self.unreadable(facts, pointer, name, raw)
            return None

    def flag(self, facts: RecordFacts, name: str, place: Place) -> bool | None:
        """Take a yes or no; returns None if it is unset or unreadable."""
        document = facts.record.document
        if name not in document:
            return None
        raw = document[name]
        if isinstance(raw, bool):
            facts.classes[f"/{name}"] = MAPPED
            facts.expect(f"/{name}", place, raw)
            return raw
        self.unreadable(facts, f"/{name}", name, raw)
        return None

    def dangling(self, facts: RecordFacts, *names: str) -> None:
        """Report the references among these fields that lead nowhere."""
        for name in names:
            if name in facts.record.dangling:
                self.finding(facts, name, "dangling_reference", facts.record.document[name])

    def vocabulary(self, candidate: Candidate, name: str, shape: FieldShape) -> None:
        """Report a value outside the vocabulary its field is meant to hold."""
        if shape.is_outside(candidate.value):
            self.finding(candidate.facts, name, "outside_vocabulary", candidate.raw)

    def settle(self, candidate: Candidate, *places: Place) -> None:
        """Mark a text whose value is the one stored, and say where it must be found."""
        facts, pointer, raw, value = candidate
        facts.classes[pointer] = MAPPED if value == raw else NORMALISED
        for place in places:
            facts.expect(pointer, place, value)

    def stream(self, stream: UUID) -> StreamFacts:
        """Begin a stream."""
        self.streams.append(StreamFacts(stream))
        return self.streams[-1]

    def occurred(self, *records: RecordFacts) -> datetime:
        """Return the first time there is: of the records in turn, else the earliest of the bundle, else 1970.

        The times of all records must have been taken.
        """
        for facts in records:
            if facts.earliest:
                return facts.earliest
        if self._earliest is None:
            times = (facts.earliest for facts in self.records.values() if facts.earliest)
            self._earliest = min(times, default=NO_TIME)
        return self._earliest


def pointer_to(*steps: str | int) -> str:
    """Return the JSON pointer for the steps."""
    return "".join([f"/{escaped(step) if isinstance(step, str) else step}" for step in steps])


def rule(name: str, breaches: int, **more: Any) -> Rule:
    """Return a rule's line: `count` is how many records break it."""
    return {"rule": name, "passed": breaches == 0, "count": breaches, **more}


def _record_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return table and key of the record an entry is about."""
    if "record" in entry:
        table, _, key = entry["record"].partition("/")
        return table, key
    return entry["table"], entry["id"]


def without_home(bundle: Bundle, subject: UUID | None = None) -> Facts:
    """Return what a record of a table that has no home implies: it is recorded, and its leaves are unmapped."""
    facts = Facts(bundle, subject)
    for record in facts.records.values():
        facts.no_target(record, {pointer_to(name): value for name, value in record.record.document.items()})
    return facts


def unique(values: list[Any]) -> list[Any]:
    """Return the distinct JSON values in order of first appearance."""
    if len(values) < 2:
        return values
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(convert.json_text(value), value)
    return list(seen.values())
