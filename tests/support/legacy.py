"""A legacy export in memory or in files, records of contexts for it, and what a bundle implies: events and rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from adapters.postgres.mapper import canonical_json, decode, encode
from domain.contexts import Context
from domain.event import EventMetadata, NewEvent, Recorded
from domain.streams import imported_id
from migrations_replay.bundle import Bundle, BundleIndex
from migrations_replay.facts import NO_TIME, Facts, LegacySystem
from migrations_replay.snapshots import bundle_events
from migrations_replay.systems.contexts import SYSTEM
from projections.all import READ_MODELS
from projections.dead_letters import DeadLetter
from projections.read_model import Key, Row, fold_events

Line = bytes | str | dict[str, Any]
WHEN: Final = "2023-05-01T10:00:00.000Z"
ADA: Final = imported_id("account", "contexts", "User", "u1")
NFD, NFC = "Zoe\u0308", "Zo\u00eb"
"""A name in two forms of Unicode, of which the second is normal."""


class MemorySource:
    """Tables of lines in memory; offsets are line indexes."""

    kind = "memory"

    def __init__(self, **tables: Sequence[Line]) -> None:
        self._tables = {name: [_raw(line) for line in lines] for name, lines in tables.items()}

    def tables(self) -> tuple[str, ...]:
        return tuple(sorted(self._tables))

    def lines(self, table: str) -> Iterator[tuple[int, int, bytes]]:
        for offset, line in enumerate(self._tables[table]):
            if line.strip():
                yield offset + 1, offset, line

    def line_at(self, table: str, offset: int, length: int) -> bytes:
        line = self._tables[table][offset]
        assert len(line) == length
        return line


def _raw(line: Line) -> bytes:
    if isinstance(line, dict):
        return json.dumps(line).encode()
    return line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line


def write_export(folder: Path, **tables: Sequence[Line]) -> Path:
    """Write the tables as JSON lines, and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, lines in tables.items():
        (folder / f"{table}.jsonl").write_bytes(b"".join(_raw(line) + b"\n" for line in lines))
    return folder


def user(key: Any = "u1", **more: Any) -> dict[str, Any]:
    return {"id": key, "createdAt": WHEN, "updatedAt": WHEN} | more


def context(key: Any, kind: Any = "romantic", day: int = 2, **more: Any) -> dict[str, Any]:
    when = f"2023-05-{day:02}T10:00:00.000Z"
    return {"id": key, "userId": "u1", "contextType": kind, "createdAt": when, "updatedAt": when} | more


def blob(of: Any, data: Any = None, **more: Any) -> dict[str, Any]:
    """Return the Profile row of a context; its id is that of the context with a `p` before it."""
    row = {"id": f"p{of}", "contextProfileId": of, "createdAt": WHEN, "updatedAt": WHEN}
    return row | ({} if data is None else {"data": data}) | more


def message(key: Any, **more: Any) -> dict[str, Any]:
    return {"id": key, "userId": "u1", "contextProfileId": "c1", "role": "user", "createdAt": WHEN} | more


def index(source: MemorySource, system: LegacySystem = SYSTEM) -> BundleIndex:
    return BundleIndex(source, system)


def bundles(source: MemorySource, system: LegacySystem = SYSTEM) -> list[Bundle]:
    return list(index(source, system))


def recorded(facts: Facts) -> dict[UUID, list[Recorded]]:
    """Return the events of a bundle by stream as a store would give them back: through their bytes."""
    streams: dict[UUID, list[Recorded]] = {}
    for stream, version, new in bundle_events(facts, SYSTEM.mapping_version):
        metadata = EventMetadata(
            new.occurred_at, NO_TIME, new.actor, "import", facts.subject, origin="import:x", provenance=new.provenance
        )
        body = encode(NewEvent(stream, version, new.event, metadata))
        streams.setdefault(stream, []).append(decode(stream, version, version, new.event.topic, body))
    return streams


def rows_of(facts: Facts) -> dict[tuple[str, Key], Row]:
    """Return the rows that the events of a bundle make, by read model and key."""
    return {
        (model.name, key): row
        for events in recorded(facts).values()
        for model in READ_MODELS
        for key, row in fold_events(model, {}, events).items()
        if row is not None
    }


class MemoryTables:
    """What a replay of the bundles leaves in the tables, through the bytes of its events and of its JSON columns."""

    def __init__(self, all_facts: Iterable[Facts] = ()) -> None:
        self._events: dict[UUID, list[Recorded]] = {}
        self._rows: dict[str, dict[Key, Row]] = {model.name: {} for model in READ_MODELS}
        for facts in all_facts:
            self.hold(recorded(facts))

    def hold(self, streams: Mapping[UUID, list[Recorded]]) -> None:
        """Hold these streams, and the rows of their events."""
        self._events |= streams
        for events in streams.values():
            for model in READ_MODELS:
                for key, row in fold_events(model, {}, events).items():
                    if row is None:
                        self._rows[model.name].pop(key, None)
                    else:
                        self._rows[model.name][key] = row | {
                            name: json.loads(canonical_json(value))
                            for name, value in row.items()
                            if isinstance(value, dict)
                        }

    def rows(self, model: str, keys: Collection[Key]) -> dict[Key, Row]:
        return {key: self._rows[model][key] for key in keys if key in self._rows[model]}

    def belonging(self, model: str, column: str, owners: Collection[UUID]) -> list[tuple[Key, UUID, str]]:
        rows = self._rows[model].items()
        return [(key, row[column], row["origin"]) for key, row in rows if row[column] in owners]

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        return {stream: self._events.get(stream, []) for stream in streams}

    def bases(self, _: Collection[UUID]) -> dict[UUID, int]:
        return {}

    def erased(self, _: Collection[UUID]) -> frozenset[UUID]:
        return frozenset()

    def recorded_keys(self, _: str) -> list[tuple[str, str, UUID, str]]:
        return [(row["table_name"], row["key"], key[0], row["bundle"]) for key, row in self._rows["legacy_ids"].items()]

    def unclaimed(self) -> list[tuple[str, Key]]:
        became = {row["became"] for row in self._rows["legacy_ids"].values()}
        roots = ("accounts", "cases", "companies", "collectives", "statuses")
        return [(model, key) for model in roots for key in self._rows[model] if key[0] not in became]

    def standing_still(self, _: Collection[UUID]) -> list[DeadLetter]:
        return []

    def all_rows(self) -> dict[str, dict[Key, Row]]:
        return self._rows

    def position(self) -> int:
        return max((events[-1].position for events in self._events.values()), default=0)

    def heads(self, streams: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
        events = {stream: self._events[stream] for stream in streams if stream in self._events}
        return {stream: (found[-1].version, found[-1].position) for stream, found in events.items()}


class Implied:
    """What the one bundle of a source implies, with short ways to ask for it."""

    def __init__(self, **tables: Sequence[Line]) -> None:
        (bundle,) = [found for found in bundles(MemorySource(**tables)) if found.root.table == "User"]
        self.facts: Facts = SYSTEM.derive(bundle)

    def classes(self, table: str, key: str) -> dict[str, str]:
        return self.facts.records[table, key].classes

    def class_of(self, table: str, key: str, pointer: str) -> str:
        return self.classes(table, key)[pointer]

    @property
    def findings(self) -> list[tuple[str, str, str, str]]:
        return sorted((found["table"], found["id"], found["field"], found["code"]) for found in self.facts.findings)

    @property
    def conflicts(self) -> dict[str, tuple[list[Any], Any, str]]:
        found = {entry["field"]: (entry["values"], entry["chosen"], entry["rule"]) for entry in self.facts.conflicts}
        assert len(found) == len(self.facts.conflicts)
        return found

    def row(self, model: str, **equals: Any) -> dict[str, Any]:
        (row,) = [
            row
            for (name, _), row in rows_of(self.facts).items()
            if name == model and all(row[column] == value for column, value in equals.items())
        ]
        return row

    @property
    def profile(self) -> dict[str, Any]:
        fields: dict[str, Any] = self.row("profiles")["fields"]
        return fields

    def events(self, topic: str) -> list[Any]:
        return [new.event for stream in self.facts.streams for new in stream.events if new.event.topic == topic]


def blobs(*datas: Any) -> Implied:
    """Return what one context of each type in turn implies, a day apart, each with a blob that holds the data."""
    kinds = list(Context)
    return Implied(
        User=[user()],
        ContextProfile=[context(f"c{n}", kinds[n - 1], day=n) for n in range(1, len(datas) + 1)],
        Profile=[blob(f"c{n}", data) for n, data in enumerate(datas, 1)],
    )
