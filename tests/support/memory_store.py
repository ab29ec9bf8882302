"""The store of a migration in memory: what it appends is read back through its bytes, and folded by the same folds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from adapters.postgres.mapper import decode, encode
from adapters.postgres.migration_store import PostgresMigrationStore
from domain.account import AccountErased
from domain.event import NewEvent, Recorded
from domain.legacy import ImportWithdrawn
from migrations_replay.bundle import BundleIndex, Selection
from migrations_replay.facts import LegacySystem
from migrations_replay.gone import find_gone
from migrations_replay.reconcile import Proof, Reconcile
from migrations_replay.replay import Begun, Outcome, Replay
from projections.all import READ_MODELS
from projections.dead_letters import DeadLetter
from projections.read_model import Key, Row
from tests.support.laws import Export
from tests.support.legacy import MemorySource, MemoryTables, index

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Log:
    """The events, by stream."""

    def __init__(self) -> None:
        self.streams: dict[UUID, list[Recorded]] = {}
        self.position = 0

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        return {stream: self.streams.get(stream, []) for stream in streams}

    def last(self, streams: Iterable[UUID]) -> list[Recorded]:
        return [events[-1] for events in self.load(streams).values() if events]

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        for new in events:
            known = self.streams.setdefault(new.stream, [])
            assert new.version == len(known) + 1
            self.position += 1
            known.append(decode(new.stream, new.version, self.position, new.event.topic, encode(new)))
        return self.position


class MemoryStore(PostgresMigrationStore):
    """The port of replay and reconcile; what the database would be asked is told from memory."""

    def __init__(self) -> None:
        log: Any = _Log()
        self._log = self._events = log
        self._live = None
        self._tables = MemoryTables()

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        position: int = self._log.append_bulk(events)
        self._tables.hold(self._log.load({new.stream for new in events}))
        return position

    def begun(self, streams: Sequence[UUID]) -> dict[UUID, Begun]:
        return {
            last.stream: Begun(last.version, isinstance(last.event, ImportWithdrawn))
            for last in self._log.last(streams)
        }

    def _marked(self, streams: Collection[UUID], topic: str) -> dict[UUID, int]:
        events = (event for found in self._log.load(streams).values() for event in found)
        return {event.stream: event.version for event in events if event.topic == topic}

    def erased(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        return frozenset(self._marked(subjects, AccountErased.topic))

    def rows(self, model: str, keys: Collection[Key]) -> dict[Key, Row]:
        return self._tables.rows(model, keys)

    def belonging(self, model: str, column: str, owners: Collection[UUID]) -> list[tuple[Key, UUID, str]]:
        return self._tables.belonging(model, column, owners)

    def recorded_keys(self, system: str) -> Iterator[tuple[str, str, UUID, str]]:
        yield from sorted(self._tables.recorded_keys(system), key=lambda record: (record[3], *record[:2]))

    def standing_still(self, _: Collection[UUID]) -> list[DeadLetter]:
        return []

    def unclaimed(self) -> list[tuple[str, Key]]:
        return self._tables.unclaimed()

    def position(self) -> int:
        return self._tables.position()

    def heads(self, streams: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
        return self._tables.heads(streams)

    def all_rows(self) -> dict[str, list[Row]]:
        """Return the rows of every table."""
        return {name: list(rows.values()) for name, rows in self._tables.all_rows().items()}


def take(store: MemoryStore, system: LegacySystem, export: Export, *, delete: bool = False) -> Outcome:
    """Run an export."""
    found: BundleIndex = index(MemorySource(**export), system)
    gone = find_gone(system, found, store.recorded_keys(system.name))
    replay = Replay(system, store, lambda: NOW, uuid4(), READ_MODELS)
    return replay.run(Selection(found), "memory", lambda _, __: None, gone, delete=delete)


def proof(store: MemoryStore, system: LegacySystem, export: Export) -> Proof:
    """Compare an export with the tables."""
    return Reconcile(system, store, READ_MODELS).run(Selection(index(MemorySource(**export), system)), lambda _: None)


def without_set_aside(system: LegacySystem, export: Export) -> Export:
    """Return an export without the lines that cannot be taken in."""
    lines = {(record.table, record.line) for record in index(MemorySource(**export), system).set_aside()}
    return {
        table: [line for number, line in enumerate(found, 1) if (table, number) not in lines]
        for table, found in export.items()
    }
