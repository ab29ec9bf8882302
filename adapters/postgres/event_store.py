"""The event store on PostgreSQL: what is read (`event_reads.py`), appended for commands (`appends.py`) and in bulk.

The `eventsourcing` library's application recorder is the base: its table, its notification channel. It appends through
our gate too, so there is one order of events whoever writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from adapters.errors import is_lost, translate, translated, written_first
from adapters.postgres.append_request import EventRow, unknown_bulk
from adapters.postgres.appends import Appends, gated
from adapters.postgres.event_codec import EventCodec
from adapters.postgres.event_reads import EventReads
from adapters.postgres.groups import Counters
from adapters.postgres.mapper import decode
from adapters.postgres.pool import Conn
from adapters.postgres.store_schema import GatedRecorder, create_store, recorder
from adapters.postgres.subject_keys import SubjectKeys
from adapters.sealing import MasterKeys
from domain.event import NewEvent, Recorded
from domain.service import Append, Receipt


class PostgresEventStore(EventReads):
    """Stored events in one schema of a database. Thread-safe; each call takes a connection from the pool.

    With master keys what is personal is sealed; without, it is stored as it is, and what was sealed cannot be read.
    """

    def __init__(
        self,
        pool: ConnectionPool[Conn],
        schema: str = "store",
        master: MasterKeys | None = None,
        decode: Callable[..., Recorded] = decode,
    ) -> None:
        keys = SubjectKeys(pool, schema, master) if master else None
        super().__init__(pool, schema, keys, EventCodec(keys, decode))
        self.master = master
        self._appends = Appends(pool, schema, self._codec)
        name = sql.Identifier(schema)
        self._ends = sql.SQL(
            "SELECT originator_id, max(originator_version) FROM {}.stored_events"
            " WHERE originator_id = ANY(%s) GROUP BY originator_id"
        ).format(name)
        self._copy = sql.SQL(
            "COPY {}.stored_events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
        ).format(name)

    @property
    def group_counters(self) -> Counters:
        """How many requests were appended in how many groups since this store was opened."""
        return self._appends.counters

    def recorder(self) -> GatedRecorder:
        """Return the library's recorder over the same table; the caller closes its datastore."""
        return recorder(self.pool, self.schema)

    def create(self) -> None:
        """Create the schema, the table, its guards and functions, unless this release made them before."""
        create_store(self.pool, self.schema)

    def append(self, request: Append) -> Receipt:
        """Append one command's events with its receipt (see `domain.service.EventStore`), with whatever else waits."""
        return self._appends.append(request)

    def receipt(self, command_id: UUID, digest: bytes) -> Receipt | None:
        """Return the receipt of a command id, None if it was never used; CommandIdReused if for another command."""
        return self._appends.receipt(command_id, digest)

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        """Append many events by COPY in one transaction under the gate; returns the position of the last.

        Raises VersionConflict, and then nothing was written, if a stream does not end where its first event continues,
        and UnknownOutcome if the connection broke at commit: then all of them were written, or none.
        """
        return self.append_rows(self._codec.rows(events, imported=True))

    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Append encoded events (stream, version, topic, body), as `append_bulk` does."""
        heads, position = _heads(rows), None
        try:
            with gated(self.pool, self.schema) as connection:
                if heads and self._heads(connection, heads) != heads:
                    raise written_first()
                with connection.cursor().copy(self._copy) as copy:
                    copy.set_types(["uuid", "int8", "text", "bytea"])
                    for row in rows:
                        copy.write_row(row)
                connection.execute("SELECT pg_notify('stored_events', '')")
                position = connection.execute(self._head).fetchone()
        except psycopg.Error as error:
            at_commit = position is not None and is_lost(error)
            raise (unknown_bulk(len(rows)) if at_commit else translate(error)) from error
        assert position is not None
        return int(position[0])

    def copy_from(self, other: PostgresEventStore, streams: Sequence[UUID]) -> None:
        """Copy whole streams from another store of the same database; those that are here already are left alone."""
        copy = sql.SQL(
            "INSERT INTO {}.stored_events (originator_id, originator_version, topic, state)"
            " SELECT originator_id, originator_version, topic, state FROM {}.stored_events"
            " WHERE originator_id = ANY(%s) ORDER BY notification_id ON CONFLICT DO NOTHING"
        ).format(sql.Identifier(self.schema), sql.Identifier(other.schema))
        with translated(), gated(self.pool, self.schema) as connection:
            connection.execute(copy, [list(streams)])

    def copy_keys_from(self, other: PostgresEventStore) -> None:
        """Copy the keys of all subjects from another store of the same database, erasures too."""
        copy = sql.SQL("INSERT INTO {}.subject_keys SELECT * FROM {}.subject_keys ON CONFLICT DO NOTHING").format(
            sql.Identifier(self.schema), sql.Identifier(other.schema)
        )
        with translated(), self.pool.connection() as connection:
            connection.execute(copy)

    def drop(self) -> None:
        """Drop the schema with all it holds."""
        with translated(), self.pool.connection() as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))

    def _heads(self, connection: Conn, streams: Iterable[UUID]) -> dict[UUID, int]:
        return dict(connection.execute(self._ends, [list(streams)]).fetchall())


def _heads(rows: Sequence[EventRow]) -> dict[UUID, int]:
    """Return where streams that are continued must end; a new stream is guarded by its primary key alone."""
    firsts: dict[UUID, int] = {}
    for stream, version, _, _ in rows:
        firsts.setdefault(stream, version)
    return {stream: version - 1 for stream, version in firsts.items() if version > 1}
