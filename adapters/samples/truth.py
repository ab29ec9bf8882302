"""Sample exports with a known answer: records that know their leaves' classes, and the writer of the sums.

Nothing here knows the replay: a generator says what it wrote, and the replay's ledger is held against that.
"""

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TextIO

Layout = Literal["json_lines", "convex"]

MAPPED: Final = "mapped"
NORMALISED: Final = "normalised"
DERIVED: Final = "derived"
CONFLICTING: Final = "conflicting"
UNREADABLE: Final = "unreadable"
UNMAPPED: Final = "unmapped"
QUARANTINED: Final = "quarantined"
CLASSES: Final = (MAPPED, NORMALISED, DERIVED, CONFLICTING, UNREADABLE, UNMAPPED, QUARANTINED)

ABSENT: Final = object()
"""The value that removes a key."""

_SHUFFLED: Final = 512
_NUMBER: Final = re.compile(r'"@number:([^"@]+)@"')


def turns_of(names: Iterable[str], index: int, planted: int, rng: random.Random, chance: float) -> list[str]:
    """Return which of these names the record of a number takes: each its turn among the first, now and then later."""
    listed = list(names)
    if index < planted:
        return listed[index::planted]
    return [rng.choice(listed)] if rng.random() < chance else []


def make_rng(*parts: object) -> random.Random:
    """Give the random source named by `parts`."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 – samples must repeat


def number(text: str) -> str:
    """Stand for a JSON number that Python has no value for, written as `text`."""
    return f"@number:{text}@"


def to_json(doc: object) -> bytes:
    """Write a document on one line; lone surrogates become escapes."""
    text = json.dumps(doc, ensure_ascii=False)
    if '"@number:' in text:
        text = _NUMBER.sub(r"\1", text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(doc).encode()


def is_unset(value: object) -> bool:
    """Tell whether a leaf is null, blank text, `[]` or `{}`."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value in ([], {})


def leaves(value: object) -> Iterator[tuple[str, object]]:
    """Give the JSON pointer and value of every scalar, null, `{}` and `[]`."""
    todo: list[tuple[str, object]] = [("", value)]
    while todo:
        at, node = todo.pop()
        if isinstance(node, dict) and node:
            todo.extend((f"{at}/{_token(key)}", item) for key, item in reversed(node.items()))
        elif isinstance(node, list) and node:
            todo.extend((f"{at}/{index}", node[index]) for index in range(len(node) - 1, -1, -1))
        else:
            yield at, node


def _token(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


@dataclass(slots=True)
class Record:
    """A line of a sample: its document, and what a replay must make of it.

    `marks` gives set leaves at or under a pointer another class than the table's default; the mark
    `quarantined` holds for unset leaves too. `code` quarantines the record whole, `part` says why a part is.
    """

    table: str
    doc: Any
    kind: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    conflicts: int = 0
    code: str | None = None
    part: str | None = None
    raw: bytes | None = None
    parsed: bool = True
    repeated: int = 0
    copy: bool = False
    followers: list["Record"] = field(default_factory=list)

    def put(self, at: str, value: object, mark: str | None = None, findings: str = "") -> None:
        """Set or remove the value at a path of object keys, and say what becomes of it."""
        *parents, last = at[1:].split("/")
        node = self.doc
        for key in parents:
            node = node.setdefault(key, {})
        if value is ABSENT:
            node.pop(last, None)
        else:
            node[last] = deepcopy(value)
        if mark:
            self.marks[at] = mark
        self.findings += findings.split()

    def get(self, at: str) -> Any:
        """Give the value at a path of object keys, or None."""
        node = self.doc
        for key in at[1:].split("/"):
            node = node.get(key) if isinstance(node, dict) else None
        return node

    def unread(self, code: str, raw: bytes) -> None:
        """Make the record a line that is not parsed, and so has no leaves."""
        self.code, self.raw, self.parsed = code, raw, False

    def repeat(self, **changes: object) -> None:
        """Write the line again later in the file: byte for byte, or changed, as a second row of one id."""
        twin = Record(self.table, self.doc, self.kind, copy=not changes)
        if changes:
            twin.doc, twin.code = deepcopy(self.doc) | changes, "duplicate_id"
        self.followers.append(twin)

    def encode(self) -> bytes:
        """Give the line as it is written."""
        return to_json(self.doc) if self.raw is None else self.raw

    def classes(self, default: Callable[["Record", str], str]) -> dict[str, str]:
        """Give the class of every leaf by its pointer."""
        if not self.parsed:
            return {}
        if self.code:
            return dict.fromkeys((at for at, _ in leaves(self.doc)), QUARANTINED)
        return {at: self._class(at, value, default) for at, value in leaves(self.doc)}

    def _class(self, at: str, value: object, default: Callable[["Record", str], str]) -> str:
        above = [mark for mark in self.marks if at == mark or at.startswith(f"{mark}/")] if self.marks else []
        marked = self.marks[max(above, key=len)] if above else None
        if is_unset(value) and marked != QUARANTINED:
            return NORMALISED
        return marked or default(self, at)


@dataclass(frozen=True)
class Put:
    """One odd value at a path (or what a function makes of the old value), and what becomes of it."""

    at: str
    value: Any
    mark: str | None = None
    findings: str = ""

    def on(self, record: Record, **names: str) -> None:
        """Write the value into a record; `names` fills the placeholders of the path."""
        at = self.at.format(**names)
        value = self.value(record.get(at)) if callable(self.value) else self.value
        record.put(at, value, self.mark, self.findings)


# ---- ways in which a line of any system can be broken


def _text(at: str, value: str, record: Record) -> None:
    record.put(at, value)
    record.code = "text_not_storable"


def _bad_id(key: str, value: object, record: Record) -> None:
    record.put(f"/{key}", value)
    record.code = "no_id"


def _other_json(wrap: Callable[[Any], object], record: Record) -> None:
    record.doc, record.code = wrap(record.doc), "not_an_object"


def _repeat_key(record: Record) -> None:
    key, value = next(iter(record.doc.items()))
    twin = to_json({key: value})[:-1]
    record.raw, record.repeated, record.code = twin + b", " + to_json(record.doc)[1:], 1, "duplicate_key"


def _repeat_key_below(record: Record) -> None:
    record.doc["note"] = [{"k": 1}]
    record.raw = to_json(record.doc).replace(b'[{"k": 1}]', b'[{"k": 1, "k": null}]')
    record.repeated, record.code = 1, "duplicate_key"


def _latin_1(at: str, record: Record) -> None:
    record.put(at, "entre caf@")
    record.unread("not_json", to_json(record.doc).replace(b"entre caf@", b"entre caf\xe9"))


def _too_deep(record: Record) -> None:
    deep = b"[" * 100 + b"]" * 100
    record.unread("too_deep", to_json(record.doc)[:-1] + b', "archive": ' + deep + b"}")


def _truncated(record: Record) -> None:
    raw = to_json(record.doc)
    record.unread("not_json", raw[: len(raw) * 2 // 3])


def broken_ways(text_at: str, key: str = "id") -> dict[str, Callable[[Record], None]]:
    """Give the ways to break a record whole by their names; `text_at` is a path that holds a text, `key` the id."""
    return {
        "nul_text": partial(_text, text_at, "fine until\0here"),
        "nul_key": partial(_text, "/no\0te", "x"),
        "lone_surrogate": partial(_text, text_at, "half a \ud83d smile"),
        "repeated_key": _repeat_key,
        "repeated_key_below": _repeat_key_below,
        "too_deep": _too_deep,
        "id_absent": partial(_bad_id, key, ABSENT),
        "id_null": partial(_bad_id, key, None),
        "id_blank": partial(_bad_id, key, " "),
        "id_true": partial(_bad_id, key, True),
        "not_json": lambda record: record.unread("not_json", b"<html>502 Bad Gateway</html>"),
        "truncated": _truncated,
        "latin_1": partial(_latin_1, text_at),
        "list": partial(_other_json, lambda doc: [doc, None, []]),
        "scalar": partial(_other_json, lambda doc: doc.get(key)),
    }


STANDING_WAYS: Final = {"nul_text", "nul_key", "lone_surrogate"}
"""The ways that leave the record's id in the export."""


@dataclass(slots=True)
class Truth:
    """The totals of a sample; the classes of single leaves stand only in the file, to keep memory small."""

    system: str
    users: int
    seed: int
    rows: dict[str, int]
    leaves: dict[str, int]
    conflicts: int
    unmapped_records: int
    findings: dict[str, int]
    quarantine: dict[str, int]
    oddities: dict[str, int]


class _Table:
    """One table's file, the lines waiting to be shuffled into it, and the part of the truth about it."""

    def __init__(self, path: Path, part: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines: BinaryIO = path.open("wb")
        self.part_path: Path = part
        self.part: TextIO = part.open("w", encoding="ascii")
        self.waiting: list[Record] = []
        self.line = 0
        self.rows = 0
        self.listed = 0
        self.repeated: dict[str, int] = {}

    def list_classes(self, classes: dict[str, str]) -> None:
        """Add the present line to the truth about the table."""
        comma = ",\n" if self.listed else ""
        self.part.write(f'{comma}"{self.line}": {json.dumps(classes)}')
        self.listed += 1


class SampleWriter:
    """Writes records in shuffled order and keeps the sums, with a window of lines in memory."""

    def __init__(
        self,
        out: Path,
        tables: tuple[str, ...],
        default: Callable[[Record, str], str],
        rng: random.Random,
        *,
        unlisted: frozenset[str] = frozenset(),
        layout: Layout = "json_lines",
    ) -> None:
        """Open a file a table; `default` classes a leaf without mark, `unlisted` tables list no unmapped."""
        out.mkdir(parents=True, exist_ok=True)
        self._out, self._default, self._rng, self._unlisted = out, default, rng, unlisted
        name = "{}/documents.jsonl" if layout == "convex" else "{}.jsonl"
        self._tables = {table: _Table(out / name.format(table), out / f".truth-{table}.part") for table in tables}
        if layout == "convex":
            _write_convex_files(out, tables)
        self._leaves: Counter[str] = Counter()
        self._findings: Counter[str] = Counter()
        self._quarantine: Counter[str] = Counter()
        self._conflicts = 0
        self._unmapped_records = 0

    def add(self, record: Record) -> None:
        """Take a record; its line is written some time later."""
        table = self._tables[record.table]
        table.waiting.append(record)
        if len(table.waiting) > _SHUFFLED:
            self._write_one(table)

    def close(
        self,
        system: str,
        users: int,
        seed: int,
        oddities: dict[str, int],
        sections: Mapping[str, Iterable[str]] = {},
    ) -> Truth:
        """Write what is waiting and `truth.json`, with further sections of JSON text in pieces, and give the sums."""
        for table in self._tables.values():
            while table.waiting:
                self._write_one(table)
            table.lines.close()
            table.part.close()
        truth = Truth(
            system,
            users,
            seed,
            {name: table.rows for name, table in self._tables.items()},
            {"total": self._leaves.total()} | {name: self._leaves[name] for name in CLASSES},
            self._conflicts,
            self._unmapped_records,
            dict(sorted(self._findings.items())),
            dict(sorted(self._quarantine.items())),
            dict(sorted(oddities.items())),
        )
        self._write_truth(truth, sections)
        return truth

    def _write_one(self, table: _Table) -> None:
        waiting = table.waiting
        chosen = self._rng.randrange(len(waiting))
        waiting[chosen], waiting[-1] = waiting[-1], waiting[chosen]
        record = waiting.pop()
        raw = record.encode()
        table.lines.write(raw + b"\n")
        table.line += 1
        if raw.strip():
            table.rows += 1
            if not record.copy:
                self._count(table, record)
        for follower in record.followers:
            if follower.copy:
                follower.raw = raw
            waiting.append(follower)

    def _count(self, table: _Table, record: Record) -> None:
        classes = record.classes(self._default)
        table.list_classes(classes)
        self._leaves.update(classes.values())
        if record.repeated:
            table.repeated[str(table.line)] = record.repeated
            self._leaves[QUARANTINED] += record.repeated
        if record.code:
            self._quarantine[record.code] += 1
            return
        if record.part:
            self._quarantine[record.part] += 1
        self._findings.update(record.findings)
        self._conflicts += record.conflicts
        self._unmapped_records += record.table not in self._unlisted and UNMAPPED in classes.values()

    def _write_truth(self, truth: Truth, sections: Mapping[str, Iterable[str]]) -> None:
        with (self._out / "truth.json").open("w", encoding="ascii") as file:
            file.write(json.dumps(asdict(truth), indent=1).removesuffix("\n}"))
            file.write(',\n "classes": {')
            for index, (name, table) in enumerate(self._tables.items()):
                file.write(f"{', ' if index else ''}{json.dumps(name)}: {{\n")
                with table.part_path.open(encoding="ascii") as part:
                    shutil.copyfileobj(part, file)
                file.write("\n}")
                table.part_path.unlink()
            repeated = {name: table.repeated for name, table in self._tables.items()}
            file.write(f'}},\n "repeated_leaves": {json.dumps(repeated)}')
            for name, pieces in sections.items():
                file.write(f",\n {json.dumps(name)}: ")
                file.writelines(pieces)
            file.write("\n}\n")


def _write_convex_files(out: Path, tables: tuple[str, ...]) -> None:
    (out / "_tables").mkdir(exist_ok=True)
    with (out / "_tables" / "documents.jsonl").open("wb") as file:
        file.writelines(to_json({"name": name, "id": 10001 + index}) + b"\n" for index, name in enumerate(tables))
    (out / "README.md").write_text("# Snapshot export\n\nOne directory a table, one document a line.\n", "utf-8")
