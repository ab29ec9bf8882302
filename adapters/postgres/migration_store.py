"""What replay, reconcile and report need of PostgreSQL, over the event store and the read store of one namespace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.errors import translated
from adapters.postgres.case_queries import query_sql
from adapters.postgres.dead_letters import kept_letters
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.locks import holding
from adapters.postgres.read_store import PostgresReadStore, PostgresReadTransaction
from domain.account import AccountErased
from domain.errors import RunConflict
from domain.event import LIVE, NewEvent, known
from domain.event import Recorded as RecordedEvent
from domain.legacy import ImportWithdrawn, LegacyRecordQuarantined, LegacySnapshotRecorded
from domain.migration import MigrationRunStarted
from migrations_replay.facts import LegacySystem
from migrations_replay.given_back import BundleRows
from migrations_replay.reconcile import OWNED
from migrations_replay.replay import ERASED_DIGEST, Begun, OpenRun, Recorded
from migrations_replay.rollback import LIVE_OWNED
from projections.all import READ_MODELS
from projections.dead_letters import DeadLetter
from projections.read_model import Key, Row

_PAGE = 5_000
_MODELS = {model.name: model for model in READ_MODELS}
_OF_NO_RECORD = ("legacy_ids", "migration_runs")
"""Read models whose rows are not those of what a legacy record became."""


class PostgresMigrationStore:
    """The ports of replay, reconcile and report. Streams about to be touched are first copied from `live`, if given."""

    def __init__(
        self,
        events: PostgresEventStore,
        reads: PostgresReadStore,
        live: PostgresEventStore | None = None,
        live_reads: PostgresReadStore | None = None,
    ) -> None:
        self._events, self._reads, self._live = events, reads, live
        self._all_reads = live_reads or reads
        schema = sql.Identifier(events.schema)
        self._heads = sql.SQL(
            "SELECT s.id, e.originator_version, e.notification_id FROM unnest(%s::uuid[]) AS s(id) JOIN LATERAL ("
            " SELECT originator_version, notification_id FROM {}.stored_events WHERE originator_id = s.id"
            " ORDER BY originator_version DESC LIMIT 1) e ON true"
        ).format(schema)

    # --- replay ------------------------------------------------------------------------------------------------------

    def recorded(self, streams: Sequence[UUID]) -> dict[UUID, Recorded]:
        """Return what was last recorded in each of these snapshot or quarantine streams that exists."""
        found = {}
        for last in self._events.last(streams):
            event, origin = last.event, last.metadata.origin
            match event:
                case LegacySnapshotRecorded():
                    references = frozenset(event.dangling), frozenset(event.foreign)
                    digest = known(event.digest) or ERASED_DIGEST
                    found[last.stream] = Recorded(last.version, digest, event.mapping_version, origin, *references)
                case LegacyRecordQuarantined():
                    found[last.stream] = Recorded(last.version, known(event.digest) or ERASED_DIGEST, 0, origin)
                case _:  # it was withdrawn
                    found[last.stream] = Recorded(last.version, "", 0, origin)
        return found

    def begun(self, streams: Sequence[UUID]) -> dict[UUID, Begun]:
        """Return how far those of these streams are that hold events."""
        query = sql.SQL(
            "SELECT s.id, e.originator_version, e.topic = %s FROM unnest(%s::uuid[]) AS s(id) JOIN LATERAL ("
            " SELECT originator_version, topic FROM {}.stored_events WHERE originator_id = s.id"
            " ORDER BY originator_version DESC LIMIT 1) e ON true"
        ).format(sql.Identifier(self._events.schema))
        return {
            stream: Begun(version, withdrawn)
            for stream, version, withdrawn in self._query(query, [ImportWithdrawn.topic, list(streams)])
        }

    def erased(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return which of these people were erased."""
        return frozenset(self._marked(subjects, AccountErased.topic))

    def bases(self, streams: Collection[UUID]) -> dict[UUID, int]:
        """Return, of those of these streams that an import was withdrawn from, the version that happened at."""
        return self._marked(streams, ImportWithdrawn.topic)

    def _marked(self, streams: Collection[UUID], topic: str) -> dict[UUID, int]:
        """Return the version of the last event of a topic in each of these streams that has one."""
        query = sql.SQL(
            "SELECT originator_id, max(originator_version) FROM {}.stored_events"
            " WHERE originator_id = ANY(%s) AND topic = %s GROUP BY originator_id"
        ).format(sql.Identifier(self._events.schema))
        return dict(self._query(query, [list(streams), topic])) if streams else {}

    def open_run(self, stream: UUID) -> OpenRun:
        """Return the state of a system's run stream."""
        self.touch([stream])
        events = self._events.load([stream])[stream]
        last = events[-1].event if events else None
        return OpenRun(len(events), last.run_id if isinstance(last, MigrationRunStarted) else None)

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        """Append events in one transaction; returns the position of the last."""
        return self._events.append_bulk(events)

    def touch(self, streams: Sequence[UUID]) -> None:
        """Make ready streams that are about to be looked at or written: a dry run copies them into its own store."""
        if self._live is not None:
            self._events.copy_from(self._live, streams)

    # --- reconcile ---------------------------------------------------------------------------------------------------

    def rows(self, model: str, keys: Collection[Key]) -> dict[Key, Row]:
        """Return rows of a read model by key."""
        with translated(), self._reads.pool.connection() as connection:
            return PostgresReadTransaction(self._reads, connection).load(_MODELS[model], keys)

    def belonging(self, model: str, column: str, owners: Collection[UUID]) -> list[tuple[Key, UUID, str]]:
        """Return key, owner and origin of every row of a read model whose column names one of these owners."""
        key = sql.SQL(", ").join(map(sql.Identifier, _MODELS[model].key))
        query = sql.SQL("SELECT {column}, origin, {key} FROM {table} WHERE {column} = ANY(%s)").format(
            column=sql.Identifier(column), key=key, table=self._table(model)
        )
        return [(tuple(key), owner, origin) for owner, origin, *key in self._query(query, [list(owners)])]

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[RecordedEvent]]:
        """Return the events of each stream."""
        return self._events.load(streams)

    def bundle_rows(self, system: str, bundle: str) -> tuple[list[Row], BundleRows]:
        """Return the rows of `legacy_ids` of a bundle by the key of its root, and with them what it became and owns."""
        records = self._reads.fetch(_MODELS["legacy_ids"], system=system, bundle=bundle)
        streams = {row["became"] for row in records if row["became"]}
        # What an account has may have come of no record of its own.
        for model in READ_MODELS:
            if OWNED.get(model.name) == "account_id":
                owned = (row for stream in tuple(streams) for row in self._reads.fetch(model, account_id=stream))
                streams |= {row[model.key[0]] for row in owned}
        found = [("legacy_ids", (row["snapshot_id"],), row) for row in records]
        for model in READ_MODELS:
            if model.name not in _OF_NO_RECORD:
                rows = [row for stream in streams for row in self._reads.fetch(model, **{model.key[0]: stream})]
                if owner := OWNED.get(model.name):
                    rows += [row for stream in streams for row in self._reads.fetch(model, **{owner: stream})]
                found += [(model.name, tuple(row[name] for name in model.key), row) for row in rows]
        return records, BundleRows(system, {(model, key): row for model, key, row in found})

    def quarantined(self, system: str) -> list[dict[str, Any]]:
        """Return table, id, code and reason of the records that were set aside and not taken in since.

        Those without an id are not among them: once mended, they are records like any other.
        """
        with translated(), self._events.pool.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute(self._named("quarantined"), {"system": system}).fetchall()

    def set_aside(self, system: str) -> dict[UUID, int]:
        """Return the streams of the records of a system that were set aside, and how far each is."""
        rows = self._reads.fetch(_MODELS["quarantine"], system=system)
        return {row["quarantine_id"]: row["version"] for row in rows}

    def recorded_as(self, system: LegacySystem, name: str) -> list[Row]:
        """Return the rows of `legacy_ids` that a name means.

        It is that of a record (`legacy:SYSTEM/TABLE/KEY`), the key of a root, what roots share, or the id of what they
        became.
        """
        model, of_system = _MODELS["legacy_ids"], {"system": system.name}
        prefix = f"legacy:{system.name}/"
        if name.startswith(prefix):
            table, _, key = name.removeprefix(prefix).partition("/")
            return self._all_reads.fetch(model, **of_system, table_name=table, key=key)
        root = of_system | {"table_name": system.root}
        shared = system.tables[system.root].named_by
        return (
            self._all_reads.fetch(model, **root, key=name)
            or (self._all_reads.fetch(model, **root, parent_key=name) if shared else [])
            or (self._all_reads.fetch(model, **root, became=UUID(name)) if _is_uuid(name) else [])
        )

    def live_owned(self, owners: Collection[UUID]) -> set[UUID]:
        """Return which of these streams own a record that was begun live."""
        owned = ((model, column) for model, columns in LIVE_OWNED.items() for column in columns)
        return {
            owner
            for model, column in owned
            for _, owner, origin in self.belonging(model, column, owners)
            if origin == LIVE
        }

    def recorded_keys(self, system: str) -> Iterator[tuple[str, str, UUID, str]]:
        """Yield table, key, snapshot and key of the root of every legacy record of a system that the tables know.

        The records of one bundle come one after the other. Of an erased person there is nothing left to compare, to
        derive anew or to take back.
        """
        table = sql.Identifier(self._all_reads.prefix + "legacy_ids", "legacy_ids")
        # A dry run holds only what it has touched: of that its own tables tell whether it is still recorded.
        still = sql.SQL(
            "(EXISTS (SELECT FROM {} own WHERE own.snapshot_id = known.snapshot_id)"
            " OR NOT EXISTS (SELECT FROM {}.stored_events WHERE originator_id = known.snapshot_id))"
        ).format(self._table("legacy_ids"), sql.Identifier(self._events.schema))
        query = sql.SQL(
            "SELECT table_name, key, snapshot_id, bundle FROM {} known WHERE system = %s AND digest IS NOT NULL AND {}"
            " ORDER BY bundle, table_name, key"
        ).format(table, still if self._live is not None else sql.SQL("true"))
        yield from self._streamed(query, [system])

    def unclaimed(self) -> list[tuple[str, Key]]:
        """Return read model and key of imported rows that no legacy record, or no owner, leads to."""
        return [(model, (UUID(key[0]), *map(int, key[1:]))) for model, key in self._query(self._named("unclaimed"), [])]

    def position(self) -> int:
        """Return the position all of the tables have come to."""
        return min(self._reads.positions(READ_MODELS).values())

    def standing_still(self, streams: Collection[UUID]) -> list[DeadLetter]:
        """Return the events that halt any of these streams in a read model."""
        letters = kept_letters(self._reads, read_models=list(_MODELS), streams=list(streams))
        return [DeadLetter(*of) for of in map(attrgetter(*DeadLetter._fields), letters)]

    def heads(self, streams: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
        """Return version and position of the last event of each of these streams that exists."""
        rows = self._query(self._heads, [list(streams)])
        return {stream: (version, position) for stream, version, position in rows}

    # --- report ------------------------------------------------------------------------------------------------------

    def counts(self, system: str, roots: Sequence[str] | None) -> dict[str, Any]:
        """Return what the report of a system counts in the tables, of these roots or of all, by name."""
        values = {"system": system, "roots": None if roots is None else list(roots)}
        with (
            translated(),
            self._events.pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            return cursor.execute(self._named(f"report_{system}"), values).fetchone() or {}

    def shared_contacts(self, system: str, roots: Sequence[str] | None) -> Iterator[tuple[str, str, str]]:
        """Yield every email and phone that an imported account and another have: which of them, key, value."""
        values = {"system": system, "roots": None if roots is None else list(roots)}
        return self._streamed(self._named("shared_contacts"), values)

    def _named(self, query: str) -> sql.Composed:
        """Return a query by its name, with the names of the tables."""
        return sql.SQL(query_sql(query)).format(**{name: self._table(name) for name in _MODELS})

    def _table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._reads.prefix + name, name)

    def _streamed(self, query: sql.Composed, values: Any) -> Iterator[Any]:
        with (
            translated(),
            self._events.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(name="streamed") as cursor,
        ):
            cursor.itersize = _PAGE
            yield from cursor.execute(query, values)

    def _query(self, query: sql.Composed, values: Any) -> list[Any]:
        with translated(), self._events.pool.connection() as connection:
            return connection.execute(query, values).fetchall()


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


@contextmanager
def run_lock(events: PostgresEventStore, name: str) -> Iterator[None]:
    """Hold the lock of a system's migration; raises RunConflict if another has it. A killed process frees it."""
    key = f"{events.schema}/migrate/{name}"
    with holding(str(events.pool.conninfo), f"migrate {name}") as locks:
        if not locks.take(key):
            raise RunConflict(f"another migration of {name} is running", hint="wait for it, or stop it and run again")
        yield
