"""How records become bundles: a root record with its dependents, the unit of replay.

Two passes over a source: the first reads keys and parents and keeps a few numbers a record; the second reads each
bundle where it stands. Memory grows with the number of records, not with their size.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.streams import imported_id
from domain.values import is_storable
from migrations_replay import convert
from migrations_replay.document import Problem, Read, RepeatedKeys, canonical_digest, read_line


class LegacySource(Protocol):
    """The port to a legacy export: tables of lines, one JSON document each. Blank lines are left out."""

    kind: str

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables, sorted."""
        ...

    def lines(self, table: str) -> Iterator[tuple[int, int, bytes]]:
        """Yield line number (from 1), offset and bytes of each line."""
        ...

    def line_at(self, table: str, offset: int, length: int) -> bytes:
        """Return the line that `lines` yielded with this offset and length."""
        ...


@dataclass(frozen=True)
class LegacyTable:
    """How a table hangs together with others: the table its rows belong to, the field that says so, and references.

    A row whose parent is not there cannot be taken in; a reference that leads to none of its tables is a finding. It is
    a field, or one inside an object (`resume/projects`), and may hold a list of keys. Rows with the same value in the
    field `one_by` make one bundle. Other rows refer to a row by the field `named_by`, if it has a value there, instead
    of its key. `json_columns` hold JSON, also where an export can only say it as text. An export may lack an `optional`
    table.
    """

    parent_field: str = ""
    parent_table: str = ""
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    one_by: str = ""
    named_by: str = ""
    json_columns: frozenset[str] = frozenset()
    optional: bool = False


class LegacyTables(Protocol):
    """What bundling has to know of a legacy system."""

    name: str
    root: str
    tables: Mapping[str, LegacyTable]
    renamed: Mapping[str, str]
    """Tables that newer exports call by another name; both are in `tables`, one of them is enough."""
    inherited: frozenset[str]
    """Quarantine codes that a record passes on to the records that depend on it; other codes become `no_subject`."""

    def refuse(self, table: str, document: Mapping[str, Any]) -> Problem | None:
        """Say why a well-formed record cannot be taken in, or None."""
        ...


@dataclass(frozen=True)
class LegacyRecord:
    """A row or document of a legacy system as found.

    `parent` is the key of the record it depends on; `dangling` names references that lead to no record, `foreign` those
    to records of another bundle; one in a list by its place there (`favoriteUsers/3`).
    """

    table: str
    key: str
    line: int
    raw: bytes
    document: dict[str, Any]
    parent: str | None
    dangling: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()

    @cached_property
    def id_field(self) -> str:
        """The name of the field that holds the key."""
        return id_field(self.document)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, hexadecimal."""
        return canonical_digest(self.document)

    def snapshot(self, system: str) -> UUID:
        """Return the stream its snapshots are recorded in."""
        return imported_id("snapshot", system, self.table, self.key)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that cannot be taken in; `document` is what could be read of it (UNREAD if nothing).

    `owner` is the key of the root it would belong to, as far as that is known, `person` what that root is named by;
    `name` tells it from others of its table and problem: its key, or the digest of its bytes, and its turn among those
    with the same.
    """

    table: str
    key: str | None
    line: int
    raw: bytes
    document: Any
    problem: Problem
    owner: str | None
    name: str
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A root record and all that depends on it, in table order then file order."""

    system: str
    root: LegacyRecord
    records: tuple[LegacyRecord, ...]

    def snapshots(self) -> dict[UUID, LegacyRecord]:
        """Return the records by the streams their snapshots are recorded in."""
        return {record.snapshot(self.system): record for record in self.records}

    def of(self, table: str) -> list[LegacyRecord]:
        """Return the bundle's records of one table."""
        return [record for record in self.records if record.table == table]


_NONE: Final = -1
TURN: Final = "\x1f"
"""What stands before the turn in the name of a record that was set aside."""


def id_field(document: Mapping[str, Any]) -> str:
    """Return where a document keeps its key: `id`, or a document store's `_id`."""
    return "id" if convert.key(document.get("id")) is not None or "_id" not in document else "_id"


def _key_of(document: Mapping[str, Any]) -> str | None:
    key = convert.key(document.get("id"))
    return convert.key(document["_id"]) if key is None and "_id" in document else key


def _agreed(value: Any) -> dict[str, Any]:
    """Return the fields of a record, also of one that repeats keys: those it holds once, or the same each time."""
    if isinstance(value, RepeatedKeys):
        found: dict[str, list[Any]] = {}
        for name, child in value.pairs:
            found.setdefault(name, []).append(child)
        return {
            name: children[0] for name, children in found.items() if all(child == children[0] for child in children)
        }
    return value if isinstance(value, dict) else {}


def _keys_in(document: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    """Yield the keys a reference holds and where each stands: `personId`, or `favoriteUsers/3` in a list."""
    value: Any = document
    for step in name.split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    listed = [(f"{name}/{index}", item) for index, item in enumerate(value)] if isinstance(value, list) else []
    for where, item in listed or [(name, value)]:
        if (key := convert.key(item)) is not None:
            yield where, key


class _Refusal(NamedTuple):
    """Where a record stands that was set aside, and why."""

    table: int
    line: int
    offset: int
    length: int
    key: str | None
    problem: Problem
    root: int


class BundleIndex:
    """Where every record of a source stands and which root it belongs to."""

    def __init__(self, source: LegacySource, system: LegacyTables) -> None:
        self._source, self._system = source, system
        known = [table for table in system.tables if table in source.tables()]
        self.tables = (*known, *(table for table in source.tables() if table not in system.tables))
        self.rows = dict.fromkeys(self.tables, 0)
        self._shapes = {table: system.tables.get(table, LegacyTable()) for table in self.tables}
        self._references = {table: self._checked(shape) for table, shape in self._shapes.items()}
        self._older = {
            table: (table, *(old for old, new in system.renamed.items() if new == table)) for table in self.tables
        }
        self._keys: dict[str, dict[str, int]] = {table: {} for table in self.tables}
        self._names: dict[str, set[str]] = {name: set() for name, shape in system.tables.items() if shape.named_by}
        self._ones: dict[tuple[int, str], int] = {}
        self._table, self._line, self._length = array("H"), array("I"), array("I")
        self._offset, self._next, self._last_of = array("Q"), array("i"), array("i")
        self._root_of = array("i")
        self._roots = array("i")
        self._refusals: list[_Refusal] = []
        self._refused: dict[tuple[int, str], _Refusal] = {}
        self._refused_bytes: set[tuple[int, str, bytes]] = set()
        for number, table in enumerate(self.tables):
            self._index(number, table)

    def _checked(self, shape: LegacyTable) -> list[tuple[str, list[str]]]:
        """Return the references of a table's rows, each with the tables it may lead to.

        What the system does not name and the export does not have cannot be checked.
        """
        known = {*self._system.tables, *self.tables}
        references = ((name, [to for to in targets if to in known]) for name, targets in shape.references.items())
        return [(name, checked) for name, checked in references if checked]

    @property
    def root(self) -> str:
        """The table of the roots whose bundles belong to a person."""
        return self._system.root

    def missing(self) -> list[str]:
        """Return the tables of the system that the source does not have, under no name."""
        present = {*self.tables}
        for older, newer in self._system.renamed.items():
            present |= {older, newer} if {older, newer} & present else set()
        tables = self._system.tables.items()
        return [table for table, shape in tables if not shape.optional and table not in present]

    @property
    def bundles(self) -> int:
        """How many bundles there are."""
        return len(self._roots)

    @property
    def records(self) -> int:
        """How many records were taken in."""
        return len(self._line)

    def set_aside(self) -> Iterator[SetAside]:
        """Yield the records that cannot be taken in, in table order then file order."""
        turns: Counter[tuple[int, str, str]] = Counter()
        for number, line, offset, length, key, problem, root in self._refusals:
            raw = self._source.line_at(self.tables[number], offset, length)
            name = key if key is not None and is_storable(key) else f"\x1f{hashlib.sha256(raw).hexdigest()}"
            turn = turns[number, name, problem.code]
            turns[number, name, problem.code] += 1
            owned = root > _NONE and self.tables[self._table[root]] == self._system.root
            found = self._record(root) if owned else None
            owner, person = (found.key, found.parent or found.key) if found else (None, None)
            value = read_line(raw).value
            yield SetAside(self.tables[number], key, line, raw, value, problem, owner, f"{name}{TURN}{turn}", person)

    def __iter__(self) -> Iterator[Bundle]:
        for root in self._roots:
            yield self._bundle(root)

    def keys(self, table: str) -> Iterator[str]:
        """Yield the keys of a table's records that were taken in, and what rows that make one bundle share."""
        yield from self._keys.get(table, ())
        yield from (shared for number, shared in self._ones if self.tables[number] == table)

    def takes(self, table: str, key: str) -> bool:
        """Tell whether a row with this key was taken in."""
        return key in self._keys.get(table, ())

    def together(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        """Tell whether two records that were taken in, each by table and key, belong to one bundle."""
        numbers = [self._keys[table][key] for table, key in (one, other)]
        return self._root_of[numbers[0]] == self._root_of[numbers[1]]

    def holds(self, table: str, key: str) -> bool:
        """Tell whether the source holds a row with this key, taken in or not, also under the newer name of a table."""
        names = (table, self._system.renamed.get(table, table))
        return any(
            self.takes(name, key) or (name in self._keys and (self.tables.index(name), key) in self._refused)
            for name in names
        )

    def is_orphan(self, table: str, key: str) -> bool:
        """Tell whether a row with this key was set aside because what it belongs to is not there at all."""
        refusal = self._refused.get((self.tables.index(table), key)) if table in self._keys else None
        shape = self._system.tables.get(table, LegacyTable())
        if refusal is None or self.takes(table, key) or not shape.parent_table:
            return False
        fields = _agreed(read_line(self._source.line_at(table, refusal.offset, refusal.length)).value)
        parent = convert.key(fields.get(shape.parent_field))
        above = shape.parent_table
        return parent is not None and (not self.holds(above, parent) or self.is_orphan(above, parent))

    def exists(self, table: str, key: str) -> bool:
        """Tell whether the source holds a row other rows refer to by this key, taken in or not."""
        if table not in self._keys:
            return False
        if table in self._names:
            return key in self._names[table]
        return key in self._keys[table] or (self.tables.index(table), key) in self._refused

    def select(self, bundles: Iterable[Bundle] | None = None) -> Selection:
        """Return all of the source to work on, or only the given bundles."""
        return Selection(self, None if bundles is None else tuple(bundle.root for bundle in bundles))

    def find(self, table: str, key: str) -> Bundle | None:
        """Return the bundle of a record, or of rows that share this; None if it is not there or was set aside."""
        if table not in self._keys:
            return None
        number = self._keys[table].get(key, self._ones.get((self.tables.index(table), key), _NONE))
        return self._bundle(self._root_of[number]) if number > _NONE else None

    # --- first pass ----------------------------------------------------------------------------------------------

    def _index(self, number: int, table: str) -> None:
        for line, offset, raw in self._source.lines(table):
            self.rows[table] += 1
            read = read_line(raw)
            fields = _agreed(read.value)
            key = _key_of(fields)
            if table in self._names and (name := self._name(table, key, fields)) is not None:
                self._names[table].add(name)
            if key is not None and self._is_copy(number, key, raw):
                continue
            problem, root = self._place(table, key, fields, read)
            if problem is None and key is not None:
                self._take(number, line, offset, len(raw), table, key, root)
                if (one := self._one(number, table, key, fields)) is not None:
                    self._ones.setdefault(one, self._root_of[-1])
            elif problem is not None:
                refusal = _Refusal(number, line, offset, len(raw), key, problem, root)
                self._refusals.append(refusal)
                if key is not None:
                    self._refused.setdefault((number, key), refusal)
                    self._refused_bytes.add((number, key, hashlib.sha256(raw).digest()))

    def _is_copy(self, number: int, key: str, raw: bytes) -> bool:
        """Tell whether a row with this key and these very bytes came before."""
        table = self.tables[number]
        taken = self._keys[table].get(key)
        same_length = taken is not None and self._length[taken] == len(raw)
        if same_length and self._source.line_at(table, self._offset[taken or 0], len(raw)) == raw:
            return True
        return (number, key) in self._refused and (number, key, hashlib.sha256(raw).digest()) in self._refused_bytes

    def _place(self, table: str, key: str | None, fields: Mapping[str, Any], read: Read) -> tuple[Problem | None, int]:
        """Return what keeps a record out, if anything, and the number of its root (-1: none, or it is one itself)."""
        if key is not None and (first := self._first(table, key)) is not None:
            problem = read.problem or Problem("duplicate_id", "another row with this id came first")
            return problem, self._root_of[first]
        shape = self._shapes[table]
        lost, root = None, _NONE
        if shape.parent_table:
            lost, root = self._root_for(shape, convert.key(fields.get(shape.parent_field)))
        if read.problem:
            return read.problem, root
        if key is None:
            return Problem("no_id", "the record has no usable id"), root
        if (one := self._one(self.tables.index(table), table, key, fields)) is not None:
            root = self._ones.get(one, root)
        return self._system.refuse(table, read.value) or lost, root

    def _first(self, table: str, key: str) -> int | None:
        """Return the number of the record that has this id already: a table under two names is one table."""
        for name in self._older[table]:
            if name in self._keys and (number := self._keys[name].get(key)) is not None:
                return number
        return None

    def _one(self, number: int, table: str, key: str | None, fields: Mapping[str, Any]) -> tuple[int, str] | None:
        """Return what a row shares with the rows it makes a bundle with, if it shares anything."""
        shape = self._shapes[table]
        value = convert.key(fields.get(shape.one_by)) if shape.one_by else None
        if value is None and shape.one_by and shape.one_by == shape.named_by:
            value = key  # which names it, and perhaps others
        return None if value is None else (number, value)

    def _name(self, table: str, key: str | None, fields: Mapping[str, Any]) -> str | None:
        return convert.key(fields.get(self._system.tables[table].named_by)) or key

    def _root_for(self, shape: LegacyTable, parent: str | None) -> tuple[Problem | None, int]:
        if parent is None or shape.parent_table not in self._keys:
            return Problem("no_subject", f"its {shape.parent_table} is not there"), _NONE
        if (found := self._keys[shape.parent_table].get(parent)) is not None:
            return None, self._root_of[found]
        refused = self._refused.get((self.tables.index(shape.parent_table), parent))
        if refused is None:
            return Problem("no_subject", f"its {shape.parent_table} is not there"), _NONE
        code = refused.problem.code
        reason = f"its {shape.parent_table} was set aside: {code}"
        return Problem(code if code in self._system.inherited else "no_subject", reason), refused.root

    def _take(self, number: int, line: int, offset: int, length: int, table: str, key: str, root: int) -> None:
        record = len(self._line)
        self._keys[table][key] = record
        self._table.append(number)
        self._line.append(line)
        self._offset.append(offset)
        self._length.append(length)
        self._next.append(_NONE)
        self._last_of.append(record)
        if root == _NONE:
            self._roots.append(record)
            root = record
        else:
            self._next[self._last_of[root]] = record
            self._last_of[root] = record
        self._root_of.append(root)

    # --- second pass ---------------------------------------------------------------------------------------------

    def _bundle(self, root: int) -> Bundle:
        records = []
        number = root
        while number > _NONE:
            records.append(self._record(number))
            number = self._next[number]
        return Bundle(self._system.name, records[0], tuple(records))

    def _record(self, number: int) -> LegacyRecord:
        table = self.tables[self._table[number]]
        raw = self._source.line_at(table, self._offset[number], self._length[number])
        document = read_line(raw).value
        key, shape = _key_of(document) or "", self._shapes[table]
        dangling, foreign = set(), set()
        for name, checked in self._references[table]:
            for where, points_to in _keys_in(document, name):
                found = next((target for target in checked if self.exists(target, points_to)), None)
                if found is None:
                    dangling.add(where)
                elif self._root_of[self._keys[found].get(points_to, number)] != self._root_of[number]:
                    foreign.add(where)
        belongs_to = shape.parent_field or shape.named_by
        parent = convert.key(document.get(belongs_to)) if belongs_to else None
        return LegacyRecord(
            table, key, self._line[number], raw, document, parent, frozenset(dangling), frozenset(foreign)
        )


@dataclass(frozen=True)
class Selection:
    """What of a source is worked on: all of it, or the bundles of some roots. It can be gone through repeatedly."""

    index: BundleIndex
    roots: tuple[LegacyRecord, ...] | None = None

    @property
    def rows(self) -> Mapping[str, int]:
        """How many rows each table of the source holds."""
        return self.index.rows

    @property
    def keys(self) -> set[str] | None:
        """The keys of the selected roots, None if all of the source is."""
        return None if self.roots is None else {root.key for root in self.roots}

    def find(self, table: str, key: str) -> Bundle | None:
        """Return the bundle a record of the source belongs to, None if it is not there."""
        return self.index.find(table, key)

    def __len__(self) -> int:
        return self.index.bundles if self.roots is None else len(self.roots)

    def __iter__(self) -> Iterator[Bundle]:
        if self.roots is None:
            yield from self.index
            return
        for root in self.roots:
            bundle = self.index.find(root.table, root.key)
            if bundle is not None:
                yield bundle

    def set_aside(self) -> Iterator[SetAside]:
        """Yield what cannot be taken in; of selected bundles, what would belong to them."""
        owners = None if self.roots is None else {root.key for root in self.roots if root.table == self.index.root}
        return (record for record in self.index.set_aside() if owners is None or record.owner in owners)
