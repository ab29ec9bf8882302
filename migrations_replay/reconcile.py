"""Field-by-field proof: the current-state tables against the source, leaf by leaf.

It reads the tables and, where a value differs, the log of that record, to tell a live change from a wrong table. It
never reads recorded snapshots or kept raw values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

from domain.event import LIVE, Recorded
from domain.values import same_json
from migrations_replay.bundle import Bundle
from migrations_replay.facts import Expected, Facts, LegacySystem, Place, RecordFacts
from migrations_replay.leaves import CLASSES, MAPPED, QUARANTINED, count_leaves, leaf_steps
from projections.read_model import ReadModel, Row, fold_events

BATCH: Final = 500
COUNTED: Final = ("equal", *CLASSES[1:], "changed_live", "missing", "extra", "unexplained")

Rows = Mapping[tuple[str, UUID], Row]


class TablesToProve(Protocol):
    """The port to the tables and the log a proof reads."""

    def rows(self, model: str, keys: Collection[UUID]) -> dict[UUID, Row]:
        """Return rows of a read model by key."""
        ...

    def belonging(self, model: str, accounts: Collection[UUID]) -> list[tuple[UUID, UUID, str]]:
        """Return key, account and origin of every row of a read model that belongs to these accounts."""
        ...

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream."""
        ...


@dataclass
class Proof:
    """The outcome of a reconcile; `differences` names every leaf that is not as it must be, changed live or not."""

    records: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)

    def set_aside(self, document: Any) -> None:
        """Count the leaves of a record that was quarantined whole; it has no place in the tables."""
        self.counts[QUARANTINED] += count_leaves(document) if document is not None else 0

    @property
    def holds(self) -> bool:
        """Whether every leaf is where it must be, or was changed by a live command."""
        return not any(self.counts[name] for name in ("missing", "extra", "unexplained"))

    def as_dict(self) -> dict[str, int]:
        """Return the counts, as in the report; `leaves` are all but the extra ones."""
        leaves = sum(self.counts[name] for name in COUNTED if name != "extra")
        return {"records": self.records, "leaves": leaves} | {name: self.counts[name] for name in COUNTED}


@dataclass
class Reconcile:
    """Compares a source with the tables, a few hundred bundles at a time. `models` are the read models by name."""

    system: LegacySystem
    tables: TablesToProve
    models: Mapping[str, ReadModel]

    def run(self, bundles: Iterable[Bundle], progress: Callable[[int], None], proof: Proof | None = None) -> Proof:
        """Compare the bundles; `progress` is told how many are done."""
        proof = proof or Proof()
        batch: list[Facts] = []
        done = 0
        for bundle in bundles:
            batch.append(self.system.derive(bundle))
            if len(batch) >= BATCH:
                self._compare(batch, proof)
                done += len(batch)
                progress(done)
                batch = []
        self._compare(batch, proof)
        progress(done + len(batch))
        return proof

    def _compare(self, batch: Sequence[Facts], proof: Proof) -> None:
        rows = self._rows(batch)
        for facts in batch:
            bundle = _BundleProof(facts, rows, self)
            bundle.compare()
            proof.records += len(facts.records)
            for record in facts.records.values():
                proof.counts.update(
                    bundle.outcome.get((id(record), pointer), "equal" if leaf_class == MAPPED else leaf_class)
                    for pointer, leaf_class in record.classes.items()
                )
            proof.counts.update(difference["outcome"] for difference in bundle.beside)
            proof.differences += bundle.differences
            proof.differences += bundle.beside
        self._extra_rows(batch, proof)

    def _rows(self, batch: Sequence[Facts]) -> Rows:
        wanted: dict[str, list[UUID]] = {}
        for facts in batch:
            for model, key in facts.rows:
                wanted.setdefault(model, []).append(key)
        return {
            (model, key): row for model, keys in wanted.items() for key, row in self.tables.rows(model, keys).items()
        }

    def _extra_rows(self, batch: Sequence[Facts], proof: Proof) -> None:
        accounts = {facts.subject: facts for facts in batch if facts.subject}
        expected = {key for facts in batch for key in facts.rows}
        for model in sorted({model for model, _ in expected} - {"accounts", "legacy_ids"}):
            for key, account, origin in self.tables.belonging(model, list(accounts)):
                if (model, key) not in expected and origin != LIVE:
                    proof.counts["extra"] += 1
                    root = accounts[account].bundle.root
                    proof.differences.append(
                        _difference(root.table, root.key, "", "extra", Place(model, key, "*"), "a row nothing explains")
                    )


class _BundleProof:
    """Compares one bundle."""

    def __init__(self, facts: Facts, rows: Rows, reconcile: Reconcile) -> None:
        self._facts, self._rows, self._reconcile = facts, rows, reconcile
        self.outcome: dict[tuple[int, str], str] = {}
        self.differences: list[dict[str, Any]] = []
        self.beside: list[dict[str, Any]] = []
        self._folded: dict[tuple[str, UUID], tuple[Row | None, Row | None]] = {}

    def compare(self) -> None:
        """Compare row by row; only where a column differs are its leaves looked at one by one."""
        differing = {
            (model, key): {name for name, value in expected.items() if row is None or not _same(row.get(name), value)}
            for (model, key), expected in self._facts.rows.items()
            for row in [self._rows.get((model, key))]
        }
        differing = {key: columns for key, columns in differing.items() if columns}
        if not differing:
            return
        blamed: set[tuple[str, UUID, str]] = set()
        for record in self._facts.records.values():
            for expected in record.expected:
                place = expected.place
                if (place.model, place.key) in differing:
                    self._leaf(record, expected, blamed)
        for (model, key), columns in differing.items():
            self._beside(model, key, columns, blamed)

    def _leaf(self, record: RecordFacts, expected: Expected, blamed: set[tuple[str, UUID, str]]) -> None:
        place = expected.place
        row = self._rows.get((place.model, place.key))
        if row is not None and _holds(row, place, expected.value):
            return
        outcome = self._judge(place, expected.value, row)
        if outcome != "changed_live":
            blamed.add((place.model, place.key, place.column))
        self.outcome[id(record), expected.pointer] = outcome
        found = record.record
        self.differences.append(
            _difference(found.table, found.key, expected.pointer, outcome, place, _found(row, place))
        )

    def _judge(self, place: Place, value: Any, row: Row | None) -> str:
        now, imported = self._fold(place.model, place.key)
        faithful = row is not None and now is not None and _same(_at(row, place), _at(now, place))
        if faithful and imported is not None and _holds(imported, place, value):
            return "changed_live"
        return "missing" if row is None or (not place.item and _at(row, place) is None) else "unexplained"

    def _beside(self, model: str, key: UUID, columns: set[str], blamed: set[tuple[str, UUID, str]]) -> None:
        """Report what no leaf accounts for: values the tables hold beyond the expected ones, and wrong columns."""
        row, expected = self._rows.get((model, key)), self._facts.rows[model, key]
        root = self._facts.bundle.root
        if row is None:
            self._row_is_gone(model, key, blamed)
            return
        now, _ = self._fold(model, key)
        for column in sorted(columns):
            if now is not None and _same(row.get(column), now.get(column)):
                continue
            place = Place(model, key, column)
            extra = list(_extra(row.get(column), expected[column], now.get(column) if now else None))
            self.beside += [
                _difference(root.table, root.key, "", "extra", place._replace(steps=steps), value)
                for steps, value in extra
            ]
            if not extra and (model, key, column) not in blamed:
                self.beside.append(_difference(root.table, root.key, "", "unexplained", place, row.get(column)))

    def _row_is_gone(self, model: str, key: UUID, blamed: set[tuple[str, UUID, str]]) -> None:
        if not any((model, key) == (blamed_model, blamed_key) for blamed_model, blamed_key, _ in blamed):
            root = self._facts.bundle.root
            self.beside.append(_difference(root.table, root.key, "", "missing", Place(model, key, "*"), None))

    def _fold(self, model: str, key: UUID) -> tuple[Row | None, Row | None]:
        """Return the row by the whole log of the record, and by its imported events alone."""
        if (model, key) not in self._folded:
            read_model = self._reconcile.models[model]
            events = self._reconcile.tables.load([key])[key]
            imported = [event for event in events if event.metadata.origin != LIVE]
            self._folded[model, key] = (
                fold_events(read_model, {}, events).get((key,)),
                fold_events(read_model, {}, imported).get((key,)),
            )
        return self._folded[model, key]


def _difference(table: str, key: str, pointer: str, outcome: str, place: Place, found: Any) -> dict[str, Any]:
    where = "/".join([place.model, str(place.key), place.column, *map(str, place.steps)])
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
        return isinstance(found, list) and any(_same(item, value) for item in found)
    return _same(found, value)


def _found(row: Row | None, place: Place) -> Any:
    return None if row is None else _at(row, place)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (dict, list, bool, float)) or isinstance(other, float):
        return same_json(one, other) or same_json(_as_stored(one), _as_stored(other))
    return bool(one == other)


def _as_stored(value: Any) -> Any:
    """Return a JSON value with whole floats as jsonb gives them back: by their shortest decimal form, as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, list):
        return [_as_stored(child) for child in value]
    if isinstance(value, dict):
        return {name: _as_stored(child) for name, child in value.items()}
    return value


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
        if isinstance(tree, list):
            return any(_same(item, value) for item in tree)
        if not isinstance(tree, dict) or step not in tree:
            return False
        tree = tree[step]
    return True
