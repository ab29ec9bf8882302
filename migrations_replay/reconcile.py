"""Field-by-field proof: the current-state tables against the source, leaf by leaf.

It reads the tables and, where a value differs, the log of that record, to tell a live change from a wrong table. It
never reads recorded snapshots or kept raw values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.event import IMPORTER, LIVE, Recorded
from migrations_replay.approvals import Approvals, leaf_name
from migrations_replay.bundle import Bundle, BundleIndex, Selection
from migrations_replay.convert import same_stored
from migrations_replay.entries import Entries, Entry, NewEntries
from migrations_replay.facts import Expected, Facts, LegacySystem, Place, RecordFacts, StreamFacts
from migrations_replay.given_back import BundleRows, not_given_back
from migrations_replay.leaves import CLASSES, MAPPED, QUARANTINED, count_leaves, leaf_steps
from migrations_replay.merged_messages import found_messages, holds_live, imported_messages, messages_of
from migrations_replay.numbers import Numbers, renumber
from migrations_replay.recorded import RecordedBundles
from migrations_replay.replay import Recorded as RecordedBefore
from migrations_replay.replay import as_recorded
from migrations_replay.rows import RowName, expected_rows
from projections.dead_letters import DeadLetter, DeadLetters
from projections.read_model import Key, ReadModel, Row, fold_events

BATCH: Final = 100
COUNTED: Final = ("equal", *CLASSES[1:], "changed_live", "approved", "erased", "missing", "extra", "unexplained")

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

    def recorded_keys(self, system: str) -> Iterable[tuple[str, str, UUID, str]]:
        """Yield table, key, snapshot and key of the root of every legacy record of a system that the tables know."""
        ...

    def bases(self, streams: Collection[UUID]) -> dict[UUID, int]:
        """Return, of those of these streams that an import was withdrawn from, the version that happened at."""
        ...

    def erased(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return which of these people were erased."""
        ...

    def unclaimed(self) -> list[RowName]:
        """Return read model and key of imported rows that no legacy record, or no owner, leads to."""
        ...

    def standing_still(self, streams: Collection[UUID]) -> Sequence[DeadLetter]:
        """Return the events that halt any of these streams in a read model."""
        ...


@dataclass
class Proof:
    """The outcome of a reconcile; `differences` names every leaf that is not as it must be, changed live or not."""

    approvals: Approvals = field(default_factory=dict)
    records: int = 0
    leaves: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    differences: Entries = field(default_factory=list[Entry])
    _used: set[str] = field(default_factory=set)

    def differ(self, differences: Iterable[dict[str, Any]]) -> None:
        """Take differences, those that somebody has approved in a class of their own."""
        self.differences.extend(map(self._approved, differences))

    def _approved(self, difference: dict[str, Any]) -> dict[str, Any]:
        leaf = leaf_name(difference)
        approval = self.approvals.get(leaf)
        if approval is None or difference["outcome"] not in BREACHES:
            return difference
        if leaf not in self._used:  # a leaf with several places counts once
            self.counts[difference["outcome"]] -= 1
            self.counts["approved"] += 1
        self._used.add(leaf)
        return difference | {"outcome": "approved", "approver": approval.approver, "reason": approval.reason}

    @property
    def unused_approvals(self) -> list[str]:
        """The approvals without a difference."""
        return sorted(self.approvals.keys() - self._used)

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


class _Batch(NamedTuple):
    """Bundles as derived, rows of the tables (at first those of their records), and the heads of their streams."""

    bundles: list[Facts]
    rows: dict[RowName, Row]
    heads: Mapping[UUID, tuple[int, int]]


@dataclass
class Reconcile:
    """Compares a source with the tables, a hundred bundles at a time."""

    system: LegacySystem
    tables: TablesToProve
    models: Sequence[ReadModel]
    approvals: Approvals = field(default_factory=dict)
    entries: NewEntries = list
    reached: int = 0

    def run(
        self,
        selection: Selection | RecordedBundles,
        progress: Callable[[int], None],
        derived: Callable[[Facts], None] | None = None,
    ) -> Proof:
        """Compare a source, or a selection of it, with tables that have caught up.

        `progress` is told how many bundles are done, `derived` gets what each implies.
        """
        proof = Proof(self.approvals, differences=self.entries())
        self.reached = self.tables.position()
        for record in selection.set_aside():
            proof.set_aside(record.document)
        bundles, done = iter(selection), 0
        while some := list(islice(bundles, BATCH)):
            batch = self._derived(some)
            self._compare(batch._replace(bundles=self._without_erased(batch.bundles, proof)), proof)
            if derived:
                for facts in batch.bundles:
                    derived(facts)
            done += len(some)
            progress(done)
        if isinstance(selection, Selection) and selection.roots is None:
            self._beyond_the_source(selection.index, proof)
        return proof

    def _derived(self, bundles: list[Bundle]) -> _Batch:
        """Return what bundles imply, each record with the references and the places it was recorded with."""
        snapshots = {snapshot for bundle in bundles for snapshot in bundle.snapshots()}
        rows = self.tables.rows("legacy_ids", [(snapshot,) for snapshot in snapshots])
        known = {
            key[0]: RecordedBefore(
                row["version"],
                row["digest"] or "",
                row["mapping_version"],
                row["run_id"],
                frozenset(row["dangling"]),
                frozenset(row["foreign_fields"]),
            )
            for key, row in rows.items()
        }
        batch = [self.system.derive(as_recorded(bundle, known)) for bundle in bundles]
        implied = {stream.stream: len(stream.events) for facts in batch for stream in facts.streams}
        heads = self.tables.heads(snapshots.union(implied))
        went_on = [stream for stream, events in implied.items() if heads.get(stream, (events, 0))[0] != events]
        bases = self.tables.bases(went_on)
        became = {key[0]: row["became_version"] for key, row in rows.items()}
        for facts in batch:
            numbers = Numbers({stream.stream: bases.get(stream.stream, 0) for stream in facts.streams})
            numbers.learn(facts, became)
            self._find_messages(
                facts,
                numbers,
                [known[record.snapshot] for record in facts.records.values() if record.snapshot in known],
            )
            renumber(facts, numbers)
        return _Batch(batch, {("legacy_ids", key): row for key, row in rows.items()}, heads)

    def _find_messages(self, facts: Facts, numbers: Numbers, recorded: Sequence[RecordedBefore]) -> None:
        """Learn where messages that no record stands for are in the log, of a bundle that was merged: at its end."""
        if len({record.origin for record in recorded}) < 2 and all(record.version == 1 for record in recorded):
            return
        for stream in facts.streams:
            told = messages_of(dict(stream.numbered()))
            if any((stream.stream, number) not in numbers.known for number in told):
                logged = imported_messages(self.tables.load([stream.stream])[stream.stream])
                found = found_messages(told, logged)
                numbers.known |= {(stream.stream, number): version for number, version in found.items()}

    def _without_erased(self, batch: list[Facts], proof: Proof) -> list[Facts]:
        """Count the bundles of people who were erased apart: nothing of them may be there, nothing is missing."""
        erased = self.tables.erased({subject for facts in batch for subject in facts.subjects})
        for facts in batch:
            facts.forget(erased)
            if facts.subject in erased:
                leaves = sum(len(record.classes) for record in facts.records.values())
                proof.records += len(facts.records)
                proof.leaves += leaves
                proof.counts["erased"] += leaves
        return [facts for facts in batch if facts.subject not in erased]

    def _beyond_the_source(self, index: BundleIndex, proof: Proof) -> None:
        """Report what the tables hold of records that the source does not have."""
        beyond = [
            _difference(
                table, key, "", "extra", Place("legacy_ids", snapshot, "*"), "the source does not give this record"
            )
            for table, key, snapshot, _ in self.tables.recorded_keys(self.system.name)
            if not index.takes(table, key)
        ]
        beyond += [
            _difference("", "", "", "extra", _place(name, "*"), "nothing of the import leads here")
            for name in self.tables.unclaimed()
        ]
        proof.counts["extra"] += len(beyond)
        proof.differ(beyond)

    def model(self, name: str) -> ReadModel:
        """Return a read model by its name."""
        return next(model for model in self.models if model.name == name)

    def _compare(self, batch: _Batch, proof: Proof) -> None:
        bundles, found, heads = batch
        expected = [expected_rows(facts, self.system.mapping_version, self.models) for facts in bundles]
        wanted: dict[str, list[Key]] = {}
        for rows in expected:
            for model, key in rows:
                if model != "legacy_ids":
                    wanted.setdefault(model, []).append(key)
        for model, keys in wanted.items():
            found.update({(model, key): row for key, row in self.tables.rows(model, keys).items()})
        back = BundleRows(self.system.name, found)
        for facts, rows in zip(bundles, expected, strict=True):
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
            proof.differ(bundle.differences + bundle.beside)
        self._extra_rows(bundles, {key for rows in expected for key in rows}, heads, proof)
        self._standing_still(bundles, proof)

    def _standing_still(self, batch: Sequence[Facts], proof: Proof) -> None:
        """Report records that stand still in a table: it says nothing of what happened to them since."""
        owners = {stream.stream: facts for facts in batch for stream in facts.streams}
        owners |= {record.snapshot: facts for facts in batch for record in facts.records.values()}
        for letter in self.tables.standing_still(list(owners)):
            root, place = owners[letter.stream].bundle.root, Place(letter.read_model, letter.stream, "*")
            why = f"stands still at event {letter.version} ({letter.topic}): {letter.error}"
            proof.counts["unexplained"] += 1
            proof.differ([_difference(root.table, root.key, "", "unexplained", place, why)])

    def _extra_rows(
        self, batch: Sequence[Facts], expected: set[RowName], heads: Mapping[UUID, tuple[int, int]], proof: Proof
    ) -> None:
        owners = {stream.stream: facts for facts in batch for stream in facts.streams}
        streams = {stream.stream: stream for facts in batch for stream in facts.streams}
        imported = {name: stream.last for name, stream in streams.items()}
        for model, column in OWNED.items():
            belonging = self.tables.belonging(model, column, list(owners))
            live = self.tables.heads([key[0] for key, _, origin in belonging if origin == LIVE])
            for key, owner, origin in belonging:
                if (model, key) in expected or (origin == LIVE and _is_recorded(key, live, streams)):
                    continue
                if not self._is_of_a_merge((model, key), heads.get(key[0], (0, 0))[0] > imported.get(key[0], 0)):
                    proof.counts["extra"] += 1
                    root, where = owners[owner].bundle.root, _place((model, key), "*")
                    proof.differ([_difference(root.table, root.key, "", "extra", where, "a row nothing explains")])
        went_on = [stream for stream, last in imported.items() if heads.get(stream, (0, 0))[0] > last]
        self._rows_of_live_events({stream: owners[stream] for stream in went_on}, expected, proof)

    def _is_of_a_merge(self, name: RowName, went_on: bool) -> bool:  # noqa: FBT001 – an answer passed on
        """Tell whether a row among several of a stream that went on is one an earlier import made, by its log."""
        model, key = self.model(name[0]), name[1]
        if len(key) == 1 or not went_on:
            return False
        events = [event for event in self.tables.load([key[0]])[key[0]] if event.position <= self.reached]
        row = _as_tables_fold(model, events).get(key)
        found = self.tables.rows(name[0], [key]).get(key)
        return row is not None and found is not None and not _columns_that_differ(found, row, frozenset())

    def _rows_of_live_events(self, went_on: Mapping[UUID, Facts], expected: set[RowName], proof: Proof) -> None:
        """Compare with the log the rows that live commands added to imported streams that went on."""
        logged = self.tables.load(went_on) if went_on else {}
        for name in OWNED:
            model = self.model(name)
            if len(model.key) == 1:  # its rows are streams of their own
                continue
            for stream, events in logged.items():
                folded = _as_tables_fold(model, [event for event in events if event.position <= self.reached])
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
            proof.differ([_difference(root.table, root.key, "", outcome, _place(name, column), value)])


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
        self._folded: dict[tuple[str, UUID, int], FoldedRows] = {}
        self._loaded: dict[UUID, list[Recorded]] = {}
        self._length = {stream.stream: stream.last for stream in facts.streams}

    def compare(self) -> None:
        """Compare row by row, and leaf by leaf; where a row is as it must be its leaves are looked for in it."""
        differing = {name: columns for name in self._expected if (columns := self._differing(name))}
        for record in self._facts.records.values():
            before: Place | None = None
            for expected in record.expected:
                place = expected.place
                if before is None or place.key is not before.key or place.model is not before.model:
                    name = _row_name(place)
                    row = None if name in differing else self._found.get(name)
                before = place
                if row is None or not _holds(row, place, expected.value):
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
            now = self._fold(name)
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
        now = self._fold(_row_name(place))
        faithful = now is not None and same_stored(_at(row, place), _at(now, place))
        if _holds(row, place, value):
            # The table may still hold what a live command has changed since: then the change was lost.
            return None if faithful or now is None or _holds(now, place, value) else "unexplained"
        if faithful and self._set_live(place):
            return "changed_live"
        return "missing" if not place.item and _at(row, place) is None else "unexplained"

    def _beside(self, name: RowName, columns: set[str]) -> None:
        """Report what no leaf accounts for: values the tables hold beyond what is expected, and wrong columns."""
        row, root = self._found.get(name), self._facts.bundle.root
        if row is None:
            if not any(blamed[:2] == name for blamed in self._blamed):
                self.beside.append(_difference(root.table, root.key, "", "missing", _place(name, "*"), None))
            return
        now = self._fold(name)
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

    def _set_live(self, place: Place) -> bool:
        """Tell whether the last event that set what stands in a place was live."""
        name = _row_name(place)
        model, key = self._reconcile.model(name[0]), name[1]
        rows: dict[Key, Row] = {}
        origin, value, halted = "", None, DeadLetters(model)
        for event in self._events(name):
            after_it = rows | fold_events(model, rows, [event], halted)
            rows = {touched: row for touched, row in after_it.items() if row is not None}
            after = _at(rows.get(key, {}), place)
            if not same_stored(after, value):
                origin, value = event.metadata.origin, after
        by = rows.get(key, {}).get("superseded_by")  # an entry that a live one overrules is not active for its sake
        overruled = any(event.version == by and event.metadata.origin == LIVE for event in self._events(name))
        merged = place.model == "conversations" and holds_live(place.column, self._events(name))
        return origin == LIVE or (place.column == "is_active" and overruled) or merged

    def _events(self, name: RowName) -> list[Recorded]:
        """Return the log of a row's stream as far as it counts.

        The log as far as the tables had come when the proof began, or as the row itself says it has come since.
        """
        stream: UUID = name[1][0]
        upto = max(self._reconcile.reached, (self._found.get(name) or {}).get("position", 0))
        if stream not in self._loaded:
            self._loaded |= self._reconcile.tables.load([stream])
        return [event for event in self._loaded[stream] if event.position <= upto]

    def _fold(self, name: RowName) -> Row | None:
        """Return the row by the log of its stream. Rows of one stream are folded together, and but once."""
        events = self._events(name)
        at = name[0], name[1][0], len(events)
        if at not in self._folded:
            self._folded[at] = _as_tables_fold(self._reconcile.model(name[0]), events)
        return self._folded[at].get(name[1])


def _as_tables_fold(model: ReadModel, events: Sequence[Recorded]) -> FoldedRows:
    """Return the rows of a stream by its log; an event that cannot be folded halts it, as it does in the tables."""
    return fold_events(model, {}, events, DeadLetters(model))


def _columns_that_differ(row: Row, expected: Row, but: frozenset[str]) -> set[str]:
    return {
        column for column, value in expected.items() if column not in but and not same_stored(row.get(column), value)
    }


def _row_name(place: Place) -> RowName:
    return place.model, place.key if isinstance(place.key, tuple) else (place.key,)


def _place(name: RowName, column: str) -> Place:
    return Place(name[0], name[1], column)


def _is_recorded(key: Key, heads: Mapping[UUID, tuple[int, int]], imported: Mapping[UUID, StreamFacts]) -> bool:
    """Tell whether the log may account for a live row: a number in its key is that of an event no import made."""
    version = heads.get(key[0], (0, 0))[0]
    if len(key) == 1:
        return version > 0
    made = imported.get(key[0])
    return key[1] <= version and (made is None or all(key[1] != number for number, _ in made.numbered()))


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
