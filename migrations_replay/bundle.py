"""How records become bundles: a root record with its dependents, the unit of replay.

Two passes over a source: the first reads keys and parents and keeps a few numbers a record; the second reads each
bundle where it stands. Memory grows with the number of records, not with their size.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from migrations_replay import convert
from migrations_replay.document import Problem, Read, canonical_digest, read_line


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

    A row whose parent is not there cannot be taken in; a reference that points nowhere is a finding.
    """

    parent_field: str = ""
    parent_table: str = ""
    references: Mapping[str, str] = field(default_factory=dict)


class LegacyTables(Protocol):
    """What bundling has to know of a legacy system."""

    name: str
    root: str
    tables: Mapping[str, LegacyTable]
    inherited: frozenset[str]
    """Quarantine codes that a record passes on to the records that depend on it; other codes become `no_subject`."""

    def refuse(self, table: str, document: Mapping[str, Any]) -> Problem | None:
        """Say why a well-formed record cannot be taken in, or None."""
        ...


@dataclass(frozen=True, slots=True)
class LegacyRecord:
    """A row or document of a legacy system as found; `parent` is the key of the record it depends on."""

    table: str
    key: str
    line: int
    raw: bytes
    document: dict[str, Any]
    parent: str | None
    dangling: frozenset[str] = frozenset()

    @property
    def id_field(self) -> str:
        """The name of the field that holds the key."""
        return id_field(self.document)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, hexadecimal."""
        return canonical_digest(self.document)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that cannot be taken in; `document` is what could be read of it (None if nothing)."""

    table: str
    key: str | None
    line: int
    raw: bytes
    document: Any
    problem: Problem


@dataclass(frozen=True, slots=True)
class Bundle:
    """A root record and all that depends on it, in table order then file order."""

    system: str
    root: LegacyRecord
    records: tuple[LegacyRecord, ...]

    def of(self, table: str) -> list[LegacyRecord]:
        """Return the bundle's records of one table."""
        return [record for record in self.records if record.table == table]


_REFUSED: Final = -1


def id_field(document: Mapping[str, Any]) -> str:
    """Return where a document keeps its key: `id`, or a document store's `_id`."""
    return "id" if convert.key(document.get("id")) is not None or "_id" not in document else "_id"


def _key_of(document: Any) -> str | None:
    return convert.key(document.get(id_field(document))) if isinstance(document, dict) else None


class BundleIndex:
    """Where every record of a source stands and which root it belongs to."""

    def __init__(self, source: LegacySource, system: LegacyTables) -> None:
        self._source, self._system = source, system
        known = [table for table in system.tables if table in source.tables()]
        self.tables = (*known, *(table for table in source.tables() if table not in system.tables))
        self.rows = dict.fromkeys(self.tables, 0)
        self._keys: dict[str, dict[str, int]] = {table: {} for table in self.tables}
        self._codes: list[str] = []
        self._table, self._line, self._length = array("H"), array("Q"), array("Q")
        self._offset, self._next, self._last_of = array("Q"), array("q"), array("q")
        self._root_of = array("q")
        self._roots = array("q")
        self._set_aside: list[tuple[int, int, int, int, str | None, Problem]] = []
        for number, table in enumerate(self.tables):
            self._index(number, table)

    @property
    def bundles(self) -> int:
        """How many bundles there are."""
        return len(self._roots)

    @property
    def records(self) -> int:
        """How many records were taken in."""
        return len(self._line)

    @property
    def set_aside_count(self) -> int:
        """How many records were set aside."""
        return len(self._set_aside)

    def set_aside(self) -> Iterator[SetAside]:
        """Yield the records that cannot be taken in, in table order then file order."""
        for number, line, offset, length, key, problem in self._set_aside:
            raw = self._source.line_at(self.tables[number], offset, length)
            yield SetAside(self.tables[number], key, line, raw, read_line(raw).value, problem)

    def __iter__(self) -> Iterator[Bundle]:
        for root in self._roots:
            yield self._bundle(root)

    def keys(self, table: str) -> Iterator[str]:
        """Yield the keys of a table's records that were taken in."""
        return (key for key, number in self._keys.get(table, {}).items() if number > _REFUSED)

    def exists(self, table: str, key: str) -> bool:
        """Tell whether the source holds a row with this key, taken in or not."""
        return key in self._keys.get(table, ())

    def find(self, table: str, key: str) -> Bundle | None:
        """Return the bundle a record belongs to, or None if it is not there or was set aside."""
        number = self._keys.get(table, {}).get(key, _REFUSED)
        return self._bundle(self._root_of[number]) if number > _REFUSED else None

    # --- first pass ----------------------------------------------------------------------------------------------

    def _index(self, number: int, table: str) -> None:
        for line, offset, raw in self._source.lines(table):
            self.rows[table] += 1
            read = read_line(raw)
            key = _key_of(read.value)
            if key is not None and key in self._keys[table] and self._is_copy(number, table, key, raw):
                continue
            problem, root = self._place(table, key, read)
            if problem is None and key is not None:
                self._take(number, line, offset, len(raw), table, key, root)
            elif problem is not None:
                self._set_aside.append((number, line, offset, len(raw), key, problem))
                if key is not None and key not in self._keys[table]:
                    self._keys[table][key] = self._code(problem.code)

    def _is_copy(self, number: int, table: str, key: str, raw: bytes) -> bool:
        first = self._keys[table][key]
        if first > _REFUSED:
            return self._source.line_at(table, self._offset[first], self._length[first]) == raw
        return any(
            self._source.line_at(table, offset, length) == raw
            for other, _, offset, length, other_key, _ in self._set_aside
            if other == number and other_key == key
        )

    def _place(self, table: str, key: str | None, read: Read) -> tuple[Problem | None, int]:
        """Return what keeps a record out, or else the number of its root (-1: it is a root itself)."""
        if read.problem:
            return read.problem, _REFUSED
        if key is None:
            return Problem("no_id", "the record has no usable id"), _REFUSED
        if key in self._keys[table]:
            return Problem("duplicate_id", "another row with this id came first"), _REFUSED
        if problem := self._system.refuse(table, read.value):
            return problem, _REFUSED
        shape = self._system.tables.get(table)
        if shape is None or not shape.parent_table:
            return None, _REFUSED
        return self._root_for(shape, convert.key(read.value.get(shape.parent_field)))

    def _root_for(self, shape: LegacyTable, parent: str | None) -> tuple[Problem | None, int]:
        found = self._keys.get(shape.parent_table, {}).get(parent or "")
        if found is not None and found > _REFUSED:
            return None, self._root_of[found]
        code = self._codes[_REFUSED - found] if found is not None else ""
        if code in self._system.inherited:
            return Problem(code, f"its {shape.parent_table} was set aside: {code}"), _REFUSED
        reason = (
            f"its {shape.parent_table} is not there" if found is None else f"its {shape.parent_table} was set aside"
        )
        return Problem("no_subject", reason), _REFUSED

    def _take(self, number: int, line: int, offset: int, length: int, table: str, key: str, root: int) -> None:
        record = len(self._line)
        self._keys[table][key] = record
        self._table.append(number)
        self._line.append(line)
        self._offset.append(offset)
        self._length.append(length)
        self._next.append(_REFUSED)
        self._last_of.append(record)
        if root == _REFUSED:
            self._roots.append(record)
            root = record
        else:
            self._next[self._last_of[root]] = record
            self._last_of[root] = record
        self._root_of.append(root)

    def _code(self, code: str) -> int:
        if code not in self._codes:
            self._codes.append(code)
        return _REFUSED - self._codes.index(code)

    # --- second pass ---------------------------------------------------------------------------------------------

    def _bundle(self, root: int) -> Bundle:
        records = []
        number = root
        while number > _REFUSED:
            records.append(self._record(number))
            number = self._next[number]
        return Bundle(self._system.name, records[0], tuple(records))

    def _record(self, number: int) -> LegacyRecord:
        table = self.tables[self._table[number]]
        raw = self._source.line_at(table, self._offset[number], self._length[number])
        document = read_line(raw).value
        key = _key_of(document) or ""
        shape = self._system.tables.get(table, LegacyTable())
        dangling = frozenset(
            name
            for name, target in shape.references.items()
            if (points_to := convert.key(document.get(name))) and not self.exists(target, points_to)
        )
        parent = convert.key(document.get(shape.parent_field)) if shape.parent_field else None
        return LegacyRecord(table, key, self._line[number], raw, document, parent, dangling)
