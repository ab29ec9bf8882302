"""Field-by-field proof: the current-state tables against the source, leaf by leaf.

It reads the tables and, where a value differs, the log of that record, to tell a live change from a wrong table. It
never reads recorded snapshots or kept raw values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol
from uuid import UUID

from domain.event import IMPORTER, LIVE, EventMetadata, Recorded
from migrations_replay.bundle import BundleIndex, Selection
from migrations_replay.convert import same_stored
from migrations_replay.facts import NO_TIME, Expected, Facts, LegacySystem, Place, RecordFacts
from migrations_replay.given_back import BundleRows, not_given_back
from migrations_replay.leaves import CLASSES, MAPPED, QUARANTINED, count_leaves, leaf_steps
from migrations_replay.replay import bundle_events
from projections.read_model import Key, ReadModel, Row, fold_events

BATCH: Final = 500
COUNTED: Final = ("equal", *CLASSES[1:], "changed_live", "missing", "extra", "unexplained")

BREACHES: Final = ("missing", "extra", "unexplained")

OWNED: Final = {
    "profiles": "account_id",
    "intents": "account_id",
    "items": "account_id",
    "conversations": "account_id",
    "messages": "conversation_id",
    "billing_accounts": "account_id",
    "status_history": "owner_id",
    "company_members": "company_id",
}
"""Read models whose rows belong to a record of a bundle, and the column that names it."""

VOLATILE: Final = frozenset({"position", "recorded_at", "origin", "run_id", "version"})
"""Columns that say when and by which run a row was written."""

FoldedRows = Mapping[Key, Row | None]
RowName = tuple[str, Key]
"""A row by its read model and key, which begins with the stream it was folded from."""


class TablesToProve(Protocol):
    """The port to the tables and the log a proof reads."""

    def rows(self, model: str, keys: Collection[Key]) -> dict[Key, Row]:
        """Return rows of a read model by key."""
        ...

    def belonging(self, model: str, column: str, owners: Collection[UUID]) -> list[tuple[Key, UUID, str]]:
        """Return key, owner and origin of every row of a read model whose column names one of these owners."""
        ...

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream."""
        ...

    def position(self) -> int:
        """Return the position all of the tables have come to."""
        ...

    def heads(self, streams: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
        """Return version and position of the last event of each of these streams that exists."""
        ...

    def recorded_keys(self, system: str) -> Iterable[tuple[str, str, UUID]]:
        """Yield table, key and snapshot of every legacy record of a system that the tables know."""
        ...

    def unclaimed(self) -> list[RowName]:
        """Return read model and key of imported rows that no legacy record, or no owner, leads to."""
        ...


@dataclass
class Proof:
    """The outcome of a reconcile; `differences` names every leaf that is not as it must be, changed live or not."""

    records: int = 0
    leaves: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)

    def set_aside(self, document: Any) -> None:
        """Count the leaves of a record that was quarantined whole; it has no place in the tables."""
        count = count_leaves(document)
        self.leaves += count
        self.counts[QUARANTINED] += count

    @property
    def breaches(self) -> int:
        """How many values are not where they must be and were not changed by a live command either."""
        return sum(self.counts[name] for name in BREACHES)

    def as_dict(self) -> dict[str, int]:
        """Return the counts, as in the report; rows and columns no leaf accounts for count beside the leaves."""
        return {"records": self.records, "leaves": self.leaves} | {name: self.counts[name] for name in COUNTED}


@dataclass
class Reconcile:
    """Compares a source with the tables, a few hundred bundles at a time."""

    system: LegacySystem
    tables: TablesToProve
    models: Sequence[ReadModel]
    reached: int = 0

    def run(
        self, selection: Selection, progress: Callable[[int], None], derived: Callable[[Facts], None] | None = None
    ) -> Proof:
        """Compare a source, or a selection of it, with tables that have caught up.

        `progress` is told how many bundles are done, `derived` gets what each implies.
        """
        proof = Proof()
        self.reached = self.tables.position()
        for record in selection.set_aside():
            proof.set_aside(record.document)
        bundles, done = iter(selection), 0
        while batch := [self.system.derive(bundle) for bundle in islice(bundles, BATCH)]:
            self._compare(batch, proof)
            if derived:
                for facts in batch:
                    derived(facts)
            done += len(batch)
            progress(done)
        if selection.roots is None:
            self._beyond_the_source(selection.index, proof)
        return proof

    def _beyond_the_source(self, index: BundleIndex, proof: Proof) -> None:
        """Report what the tables hold of records that the source does not have."""
        beyond = [
            _difference(
                table, key, "", "extra", Place("legacy_ids", snapshot, "*"), "the source does not give this record"
            )
            for table, key, snapshot in self.tables.recorded_keys(self.system.name)
            if not index.takes(table, key)
        ]
        beyond += [
            _difference("", "", "", "extra", _place(name, "*"), "nothing of the import leads here")
            for name in self.tables.unclaimed()
        ]
        proof.counts["extra"] += len(beyond)
        proof.differences += beyond

    def model(self, name: str) -> ReadModel:
        """Return a read model by its name."""
        return next(model for model in self.models if model.name == name)

    def _compare(self, batch: Sequence[Facts], proof: Proof) -> None:
        expected = [expected_rows(facts, self.system.mapping_version, self.models) for facts in batch]
        wanted: dict[str, list[Key]] = {}
        for rows in expected:
            for model, key in rows:
                wanted.setdefault(model, []).append(key)
        heads = self.tables.heads(list({key[0] for keys in wanted.values() for key in keys}))
        found = {
            (model, key): row for model, keys in wanted.items() for key, row in self.tables.rows(model, keys).items()
        }
        back = BundleRows(self.system.name, found)
        for facts, rows in zip(batch, expected, strict=True):
            bundle = _BundleProof(facts, rows, found, heads, self)
            bundle.compare()
            bundle.compare_back(back)
            proof.records += len(facts.records)
            for record in facts.records.values():
                proof.leaves += len(record.classes)
                proof.counts.update(
                    bundle.outcome.get((id(record), pointer), "equal" if leaf_class == MAPPED else leaf_class)
                    for pointer, leaf_class in record.classes.items()
                )
            proof.counts.update(difference["outcome"] for difference in bundle.beside)
            proof.differences += bundle.differences + bundle.beside
        self._extra_rows(batch, {key for rows in expected for key in rows}, heads, proof)

    def _extra_rows(
        self, batch: Sequence[Facts], expected: set[RowName], heads: Mapping[UUID, tuple[int, int]], proof: Proof
    ) -> None:
        owners = {stream.stream: facts for facts in batch for stream in facts.streams}
        imported = {stream.stream: len(stream.events) for facts in batch for stream in facts.streams}
        for model, column in OWNED.items():
            belonging = self.tables.belonging(model, column, list(owners))
            live = self.tables.heads([key[0] for key, _, origin in belonging if origin == LIVE])
            for key, owner, origin in belonging:
                if (model, key) not in expected and (origin != LIVE or not _is_recorded(key, live, imported)):
                    proof.counts["extra"] += 1
                    root, where = owners[owner].bundle.root, _place((model, key), "*")
                    proof.differences.append(
                        _difference(root.table, root.key, "", "extra", where, "a row nothing explains")
                    )
        went_on = [stream for stream, events in imported.items() if heads.get(stream, (0, 0))[0] > events]
        self._rows_of_live_events({stream: owners[stream] for stream in went_on}, expected, proof)

    def _rows_of_live_events(self, went_on: Mapping[UUID, Facts], expected: set[RowName], proof: Proof) -> None:
        """Compare with the log the rows that live commands added to imported streams that went on."""
        logged = self.tables.load(went_on) if went_on else {}
        for name in OWNED:
            model = self.model(name)
            if len(model.key) == 1:  # its rows are streams of their own
                continue
            for stream, events in logged.items():
                folded = fold_events(model, {}, [event for event in events if event.position <= self.reached])
                now = {key: row for key, row in folded.items() if row is not None and (name, key) not in expected}
                found = self.tables.rows(name, list(now)) if now else {}
                for key, row in now.items():
                    self._live_row((name, key), row, found.get(key), went_on[stream], proof)

    @staticmethod
    def _live_row(name: RowName, now: Row, found: Row | None, facts: Facts, proof: Proof) -> None:
        root = facts.bundle.root
        if found is None:
            differing = {"*": ("missing", None)}
        elif found["position"] > now["position"]:  # the tables went on since the proof began
            return
        else:
            columns = _columns_that_differ(found, now, frozenset())
            differing = {column: ("unexplained", found.get(column)) for column in columns}
        for column, (outcome, value) in sorted(differing.items()):
            proof.counts[outcome] += 1
            proof.differences.append(_difference(root.table, root.key, "", outcome, _place(name, column), value))


def expected_rows(facts: Facts, mapping_version: int, models: Sequence[ReadModel]) -> dict[RowName, Row]:
    """Return the rows that must come of a bundle: the events it implies, folded as any others."""
    streams: dict[UUID, list[Recorded]] = {}
    topics: dict[UUID, set[str]] = {}
    for stream, version, imported in bundle_events(facts, mapping_version):
        metadata = EventMetadata(
            imported.occurred_at, NO_TIME, imported.actor, IMPORTER, facts.subject, origin=IMPORTER
        )
        event = imported.event
        recorded = Recorded(stream, version, 0, event.topic, event, metadata, event.schema_version)
        streams.setdefault(stream, []).append(recorded)
        topics.setdefault(stream, set()).add(recorded.topic)
    rows: dict[RowName, Row] = {}
    for stream, events in streams.items():
        for model in models:
            if topics[stream] & model.topics:
                folded = fold_events(model, {}, events)
                rows.update(((model.name, key), row) for key, row in folded.items() if row is not None)
    return rows


class _BundleProof:
    """Compares one bundle: the rows expected of it with those found."""

    def __init__(
        self,
        facts: Facts,
        expected: Mapping[RowName, Row],
        found: Mapping[RowName, Row],
        heads: Mapping[UUID, tuple[int, int]],
        reconcile: Reconcile,
    ) -> None:
        self._facts, self._reconcile = facts, reconcile
        self._expected, self._found, self._heads = expected, found, heads
        self.outcome: dict[tuple[int, str], str] = {}
        self.differences: list[dict[str, Any]] = []
        self.beside: list[dict[str, Any]] = []
        self._blamed: set[tuple[str, Key, str]] = set()
        self._folded: dict[tuple[str, UUID, int], tuple[FoldedRows, FoldedRows]] = {}
        self._loaded: dict[UUID, list[Recorded]] = {}
        self._length = {stream.stream: len(stream.events) for stream in facts.streams}

    def compare(self) -> None:
        """Compare row by row, and leaf by leaf; where a row is as it must be its leaves are looked for in it."""
        differing = {name: columns for name in self._expected if (columns := self._differing(name))}
        for record in self._facts.records.values():
            for expected in record.expected:
                name = _row_name(expected.place)
                row = self._found.get(name)
                if name in differing or row is None or not _holds(row, expected.place, expected.value):
                    self._leaf(record, expected)
        for name, columns in differing.items():
            self._beside(name, columns)

    def compare_back(self, rows: BundleRows) -> None:
        """Compare the documents rebuilt from the tables with the source: what no place has accounted for is wrong.

        Where a place is wrong already, that names the leaf; documents rebuilt from it would only blame others.
        """
        if self.beside or any(outcome in BREACHES for outcome in self.outcome.values()):
            return
        for record, pointer, _, value in not_given_back(self._reconcile.system, self._facts, rows):
            if (id(record), pointer) not in self.outcome:
                self.outcome[id(record), pointer] = "unexplained"
                place = Place("to_legacy", record.snapshot, pointer)
                found = record.record
                self.differences.append(_difference(found.table, found.key, pointer, "unexplained", place, value))

    def _differing(self, name: RowName) -> set[str]:
        """Return the columns that are not as the import made them, or not as the log has them."""
        expected, row = self._expected[name], self._found.get(name)
        if row is None:
            return set(expected)
        differing = _columns_that_differ(row, expected, VOLATILE)
        if not str(row.get("origin", IMPORTER)).startswith(IMPORTER):
            differing.add("origin")
        stream = name[1][0]
        version, position = self._heads.get(stream, (0, 0))
        # What one import wrote to a stream stands in the log without a gap.
        at_rest = row["version"] == expected["version"] and row["position"] == position - (version - row["version"])
        if not at_rest or version != self._length.get(stream, 1):
            now = self._fold(name)[0]
            differing |= set(expected) if now is None else _columns_that_differ(row, now, frozenset())
        return differing

    def _leaf(self, record: RecordFacts, expected: Expected) -> None:
        place = expected.place
        row = self._found.get(_row_name(place))
        outcome = self._judge(place, expected.value, row)
        if outcome is None:
            return
        if outcome != "changed_live":  # which accounts for its own place, not for the rest of the column
            self._blamed.add((*_row_name(place), place.column))
        if outcome != "changed_live" or (id(record), expected.pointer) not in self.outcome:
            self.outcome[id(record), expected.pointer] = outcome  # of several places the worst one counts
        found = record.record
        value = None if row is None else _at(row, place)
        self.differences.append(_difference(found.table, found.key, expected.pointer, outcome, place, value))

    def _judge(self, place: Place, value: Any, row: Row | None) -> str | None:
        """Return what is wrong with a leaf's place, None if nothing is."""
        if row is None:
            return "missing"
        now, imported = self._fold(_row_name(place))
        faithful = now is not None and same_stored(_at(row, place), _at(now, place))
        if _holds(row, place, value):
            # The table may still hold what a live command has changed since: then the change was lost.
            return None if faithful or now is None or _holds(now, place, value) else "unexplained"
        if faithful and imported is not None and _holds(imported, place, value):
            return "changed_live"
        return "missing" if not place.item and _at(row, place) is None else "unexplained"

    def _beside(self, name: RowName, columns: set[str]) -> None:
        """Report what no leaf accounts for: values the tables hold beyond what is expected, and wrong columns."""
        row, root = self._found.get(name), self._facts.bundle.root
        if row is None:
            if not any(blamed[:2] == name for blamed in self._blamed):
                self.beside.append(_difference(root.table, root.key, "", "missing", _place(name, "*"), None))
            return
        now = self._fold(name)[0]
        for column in sorted(columns):
            if now is not None and same_stored(row.get(column), now.get(column)):
                continue
            place = _place(name, column)
            extra = list(_extra(row.get(column), self._expected[name][column], now.get(column) if now else None))
            self.beside += [
                _difference(root.table, root.key, "", "extra", place.below(*steps), value) for steps, value in extra
            ]
            if not extra and (*name, column) not in self._blamed:
                self.beside.append(_difference(root.table, root.key, "", "unexplained", place, row.get(column)))

    def _fold(self, name: RowName) -> tuple[Row | None, Row | None]:
        """Return the row by the log of the record, and by its imported events alone.

        The log as far as the tables had come when the proof began, or as the row itself says it has come since.
        """
        key = name[1]
        stream: UUID = key[0]
        upto = max(self._reconcile.reached, (self._found.get(name) or {}).get("position", 0))
        if stream not in self._loaded:
            self._loaded |= self._reconcile.tables.load([stream])
        # Rows of one stream are folded together, and but once up to the same position.
        upto = max((event.position for event in self._loaded[stream] if event.position <= upto), default=0)
        folded = self._folded.get((name[0], stream, upto))
        if folded is None:
            model = self._reconcile.model(name[0])
            events = [event for event in self._loaded[stream] if event.position <= upto]
            imported = [event for event in events if event.metadata.origin != LIVE]
            folded = fold_events(model, {}, events), fold_events(model, {}, imported)
            self._folded[name[0], stream, upto] = folded
        now, before = folded
        return now.get(key), before.get(key)


def _columns_that_differ(row: Row, expected: Row, but: frozenset[str]) -> set[str]:
    return {
        column for column, value in expected.items() if column not in but and not same_stored(row.get(column), value)
    }


def _row_name(place: Place) -> RowName:
    return place.model, place.key if isinstance(place.key, tuple) else (place.key,)


def _place(name: RowName, column: str) -> Place:
    return Place(name[0], name[1], column)


def _is_recorded(key: Key, heads: Mapping[UUID, tuple[int, int]], imported: Mapping[UUID, int]) -> bool:
    """Tell whether the log may account for a live row: a number in its key is that of an event after the import."""
    version = heads.get(key[0], (0, 0))[0]
    return imported.get(key[0], 0) < key[1] <= version if len(key) > 1 else version > 0


def _difference(table: str, key: str, pointer: str, outcome: str, place: Place, found: Any) -> dict[str, Any]:
    where = "/".join(map(str, [place.model, *_row_name(place)[1], place.column, *place.steps]))
    return {"table": table, "id": key, "pointer": pointer, "outcome": outcome, "place": where, "found": found}


def _at(row: Row, place: Place) -> Any:
    value = row.get(place.column)
    for step in place.steps:
        try:
            value = value[step] if value is not None else None
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _holds(row: Row, place: Place, value: Any) -> bool:
    found = _at(row, place)
    if place.item:
        return isinstance(found, list) and any(same_stored(item, value) for item in found)
    return same_stored(found, value)


def _extra(found: Any, expected: Any, now: Any) -> Iterable[tuple[tuple[str | int, ...], Any]]:
    """Yield steps and value of what a JSON column holds beyond what the source and the log account for."""
    if not isinstance(found, dict):
        return
    for steps, value in leaf_steps(found):
        if not (_accounted(expected, steps, value) or _accounted(now, steps, value)):
            yield steps, value


def _accounted(tree: Any, steps: tuple[str | int, ...], value: Any) -> bool:
    """Tell whether a place exists in the tree at all (then a leaf answers for it), or a list there holds the item."""
    for step in steps:
        if isinstance(tree, list) and isinstance(step, int):
            if step >= len(tree):
                return any(same_stored(item, value) for item in tree)
            tree = tree[step]
        elif isinstance(tree, dict) and step in tree:
            tree = tree[step]
        else:
            return False
    return True
