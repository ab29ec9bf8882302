"""What replay, reconcile and report need of PostgreSQL, over the event store and the read store of one namespace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql

from adapters.errors import translated
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.read_store import PostgresReadStore, PostgresReadTransaction
from domain.errors import RunConflict
from domain.event import NewEvent
from domain.event import Recorded as RecordedEvent
from domain.migration import MigrationRunStarted
from migrations_replay.replay import OpenRun, Recorded
from migrations_replay.report import TableCounts
from projections.all import READ_MODELS
from projections.read_model import Row

_PAGE = 5_000
_MODELS = {model.name: model for model in READ_MODELS}


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
        self._last = sql.SQL(
            "SELECT s.id, e.originator_version, e.state FROM unnest(%b::uuid[]) AS s(id) JOIN LATERAL ("
            " SELECT originator_version, state FROM {}.stored_events WHERE originator_id = s.id"
            " ORDER BY originator_version DESC LIMIT 1) e ON true"
        ).format(schema)
        self._heads = sql.SQL(
            "SELECT s.id, e.originator_version, e.notification_id FROM unnest(%s::uuid[]) AS s(id) JOIN LATERAL ("
            " SELECT originator_version, notification_id FROM {}.stored_events WHERE originator_id = s.id"
            " ORDER BY originator_version DESC LIMIT 1) e ON true"
        ).format(schema)

    # --- replay ------------------------------------------------------------------------------------------------------

    def recorded(self, streams: Sequence[UUID]) -> dict[UUID, Recorded]:
        """Return what was last recorded in each of these snapshot or quarantine streams that exists."""
        with translated(), self._events.pool.connection() as connection:
            rows = connection.cursor(binary=True).execute(self._last, [list(streams)], prepare=True).fetchall()
        found = {}
        for stream, version, state in rows:
            body = orjson.loads(state)
            data, origin = body["data"], body["meta"]["origin"]
            found[stream] = Recorded(version, data["digest"], data.get("mapping_version", 0), origin)
        return found

    def existing(self, streams: Sequence[UUID]) -> frozenset[UUID]:
        """Return which of these streams hold events."""
        query = sql.SQL(
            "SELECT s.id FROM unnest(%s::uuid[]) AS s(id)"
            " WHERE EXISTS (SELECT FROM {}.stored_events WHERE originator_id = s.id)"
        ).format(sql.Identifier(self._events.schema))
        return frozenset(row[0] for row in self._query(query, [list(streams)]))

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

    def rows(self, model: str, keys: Collection[UUID]) -> dict[UUID, Row]:
        """Return rows of a read model by key."""
        with translated(), self._reads.pool.connection() as connection:
            found = PostgresReadTransaction(self._reads, connection).load(_MODELS[model], [(key,) for key in keys])
        return {key[0]: row for key, row in found.items()}

    def belonging(self, model: str, accounts: Collection[UUID]) -> list[tuple[UUID, UUID, str]]:
        """Return key, account and origin of every row of a read model that belongs to these accounts."""
        query = sql.SQL("SELECT {}, account_id, origin FROM {} WHERE account_id = ANY(%s)").format(
            sql.Identifier(_MODELS[model].key[0]), self._table(model)
        )
        return self._query(query, [list(accounts)])

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[RecordedEvent]]:
        """Return the events of each stream."""
        return self._events.load(streams)

    def recorded_keys(self, system: str) -> Iterator[tuple[str, str, UUID]]:
        """Yield table, key and snapshot of every legacy record of a system that the tables know."""
        table = sql.Identifier(self._all_reads.prefix + "legacy_ids", "legacy_ids")
        query = sql.SQL("SELECT table_name, key, snapshot_id FROM {} WHERE system = %s").format(table)
        with (
            translated(),
            self._events.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(name="recorded_keys") as cursor,
        ):
            cursor.itersize = _PAGE
            yield from cursor.execute(query, [system])

    def unclaimed(self) -> list[tuple[str, UUID]]:
        """Return read model and key of imported rows that no legacy record, or no account, leads to."""
        names = {f"{name}_table": self._table(name) for name in ("accounts", "profiles", "intents", "legacy_ids")}
        return self._query(_UNCLAIMED.format(**names), [])

    def position(self) -> int:
        """Return the position all of the tables have come to."""
        return min(self._reads.positions(READ_MODELS).values())

    def heads(self, streams: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
        """Return version and position of the last event of each of these streams that exists."""
        rows = self._query(self._heads, [list(streams)])
        return {stream: (version, position) for stream, version, position in rows}

    # --- report ------------------------------------------------------------------------------------------------------

    def counts(self, system: str, roots: Sequence[str] | None) -> TableCounts:
        """Count a system's imported rows in the current-state tables, of these roots or of all."""
        names = {f"{name}_table": self._table(name) for name in ("accounts", "profiles", "intents", "legacy_ids")}
        values = {"system": system, "roots": None if roots is None else list(roots)}
        return TableCounts(*self._query(_COUNTS.format(**names), values)[0])

    def shared_emails(self, system: str, roots: Sequence[str] | None) -> list[tuple[str, str]]:
        """Return legacy key and email of every imported account whose email another account has too."""
        query = _SHARED_EMAILS.format(
            accounts_table=self._table("accounts"), legacy_ids_table=self._table("legacy_ids")
        )
        return self._query(query, {"system": system, "roots": None if roots is None else list(roots)})

    def _table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self._reads.prefix + name, name)

    def _query(self, query: sql.Composed, values: Any) -> list[Any]:
        with translated(), self._events.pool.connection() as connection:
            return connection.execute(query, values).fetchall()


@contextmanager
def run_lock(events: PostgresEventStore, name: str) -> Iterator[None]:
    """Hold the lock of a system's migration; raises RunConflict if another has it. A killed process frees it."""
    key = f"{events.schema}/migrate/{name}"
    with translated():
        connection = psycopg.connect(str(events.pool.conninfo), autocommit=True)
    with connection:
        row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()
        if not (row and row[0]):
            raise RunConflict(f"another migration of {name} is running", hint="wait for it, or stop it and run again")
        yield


_COUNTS = sql.SQL("""
    WITH imported AS (
        SELECT DISTINCT became FROM {legacy_ids_table} WHERE system = %(system)s AND became IS NOT NULL
            AND (%(roots)s::text[] IS NULL OR bundle = ANY(%(roots)s::text[]))
    )
    SELECT
        (SELECT count(*) FROM {accounts_table} a JOIN imported ON became = a.account_id),
        (SELECT count(*) FROM {profiles_table} p JOIN imported ON became = p.account_id
            WHERE p.origin <> 'live'),
        (SELECT count(*) FROM {intents_table} i JOIN imported ON became = i.intent_id),
        (SELECT count(*) FROM {profiles_table} p
            WHERE NOT EXISTS (SELECT FROM {accounts_table} a WHERE a.account_id = p.account_id))
        + (SELECT count(*) FROM {intents_table} i
            WHERE NOT EXISTS (SELECT FROM {accounts_table} a WHERE a.account_id = i.account_id)),
        (SELECT count(*) FROM (SELECT FROM {profiles_table} p JOIN imported ON became = p.account_id
            WHERE p.origin <> 'live' GROUP BY p.account_id, p.kind HAVING count(*) > 1) d)
        + (SELECT count(*) FROM (SELECT FROM {intents_table} i
            GROUP BY i.account_id, i.context HAVING count(*) > 1) d),
        (SELECT count(*) FROM {profiles_table} p WHERE p.completeness NOT BETWEEN 0 AND 100)
        + (SELECT count(*) FROM {intents_table} i WHERE i.completeness NOT BETWEEN 0 AND 100)
""")

_UNCLAIMED = sql.SQL("""
    SELECT 'accounts', account_id FROM {accounts_table} a WHERE origin <> 'live'
        AND NOT EXISTS (SELECT FROM {legacy_ids_table} l WHERE l.became = a.account_id)
    UNION ALL SELECT 'profiles', profile_id FROM {profiles_table} p WHERE origin <> 'live'
        AND NOT EXISTS (SELECT FROM {accounts_table} a WHERE a.account_id = p.account_id)
    UNION ALL SELECT 'intents', intent_id FROM {intents_table} i WHERE origin <> 'live'
        AND NOT EXISTS (SELECT FROM {accounts_table} a WHERE a.account_id = i.account_id)
""")

_SHARED_EMAILS = sql.SQL("""
    SELECT l.key, a.email
    FROM {accounts_table} a
    JOIN {legacy_ids_table} l ON l.became = a.account_id AND l.system = %(system)s
        AND (%(roots)s::text[] IS NULL OR l.bundle = ANY(%(roots)s::text[]))
    WHERE a.email IN (SELECT email FROM {accounts_table} WHERE email IS NOT NULL GROUP BY email HAVING count(*) > 1)
    ORDER BY a.email, l.key
""")
