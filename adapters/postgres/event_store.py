"""The event store on PostgreSQL: append through the gate, bulk append, reads by stream and by position.

The `eventsourcing` library's application recorder is the base: its table, its notification channel. It appends through
our gate too, so there is one order of events whoever writes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, LiteralString, cast
from uuid import UUID

import psycopg
from eventsourcing.postgres import ConnectionPool as LibraryPool
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, sql
from psycopg.rows import dict_row, tuple_row
from psycopg_pool import ConnectionPool

from adapters.errors import is_lost, translate, translated, written_first
from adapters.postgres.append_request import EventRow, Prepared, caused, columns, heads_of, not_written, unknown_outcome
from adapters.postgres.group_commit import Counters, Group, GroupCommit
from adapters.postgres.mapper import decode, encode, sealed_for, subject_of_sealed
from adapters.postgres.schema_migrations import SCHEMA_FILES, changes, migrate
from adapters.postgres.subject_keys import SubjectKeys
from adapters.postgres.subjects import Subjects
from adapters.sealing import MasterKeys, no_master_key
from domain.account import AccountErased
from domain.errors import DossierError, StoreUnavailable
from domain.event import NewEvent, Recorded
from domain.service import Append, Receipt, Since, check_same_command

for _name in ("psycopg", "psycopg.pool"):  # importing the library silences psycopg's warnings; let them be heard again
    logging.getLogger(_name).setLevel(logging.NOTSET)

SCAN_ROWS: Final = 2_000
SAMPLED_ROWS: Final = 200
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)


def schema_sql(name: str) -> LiteralString:
    """Return the text of a schema file."""
    text: Any = (SCHEMA_FILES / f"{name}.sql").read_text(encoding="utf-8")  # trusted: it ships with the package
    return cast("LiteralString", text)


def open_pool(url: str, *, size: int = 8, lock_timeout_ms: int = 10_000) -> ConnectionPool[Connection[tuple[Any, ...]]]:
    """Open a pool of autocommit connections in UTC; a lock waited for longer than `lock_timeout_ms` is StoreBusy."""

    def configure(connection: Connection[tuple[Any, ...]]) -> None:
        connection.autocommit = True
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{lock_timeout_ms}ms"])
        # Plans are cached while tables are small and used when they are large: never settle for reading a table whole.
        connection.execute("SET TimeZone = 'UTC'; SET synchronous_commit = on; SET enable_seqscan = off; SET jit = off")

    pool: ConnectionPool[Connection[tuple[Any, ...]]] = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=15.0,
        open=False,
        configure=configure,
        kwargs={"row_factory": tuple_row, "application_name": "dossier", "fallback_application_name": "dossier"},
    )
    pool.open()
    try:
        pool.wait(timeout=15.0)
    except psycopg.Error as error:
        pool.close()
        raise StoreUnavailable(
            "the database cannot be reached", hint="check DOSSIER_DATABASE_URL, or unset it to use the embedded server"
        ) from error
    return pool


_END_BACKEND: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE pid = %s AND usename = current_user AND application_name = 'dossier' AND pid <> pg_backend_pid()
"""
_FILES: Final = ("store", "subject_keys")
_DEFINITION: Final = "".join([*(change.statements for change in changes("store")), *map(schema_sql, _FILES)])
_FINGERPRINT: Final = f"dossier store {hashlib.sha256(_DEFINITION.encode()).hexdigest()[:16]}"
_KEYED: Final = 16 + hashlib.sha256().digest_size
"""The length of a receipt's digest made under a subject's key: the subject, then the HMAC."""


class GatedRecorder(PostgresApplicationRecorder):
    """The library's recorder, appending through the same gate as everybody else."""

    def __init__(self, datastore: PostgresDatastore) -> None:
        super().__init__(datastore)
        self.lock_table_statements = [
            sql.SQL("SELECT {}.gate()").format(sql.Identifier(datastore.schema)),
        ]


class PostgresEventStore:
    """Stored events in one schema of a database. Thread-safe; each call takes a connection from the pool.

    With master keys what is personal is sealed; without, it is stored as it is, and what was sealed cannot be read.
    """

    def __init__(
        self,
        pool: ConnectionPool[Connection[tuple[Any, ...]]],
        schema: str = "store",
        master: MasterKeys | None = None,
        decode: Callable[..., Recorded] = decode,
    ) -> None:
        self.pool = pool
        self.schema = schema
        self.master = master
        self.keys = SubjectKeys(pool, schema, master) if master else None
        self.subjects = Subjects(pool, schema)
        self._decode = decode
        name = sql.Identifier(schema)
        self._append = sql.SQL(
            "SELECT * FROM {}.append(%b, %b, %b, %b::bigint[], %b::bigint[], %b::bigint[], %b::uuid[], %b::bigint[],"
            " %b::bigint[], %b::uuid[], %b::bigint[], %b::text[], %b::bytea[])"
        ).format(name)
        columns = sql.SQL(
            "originator_id, originator_version, notification_id, topic, state, (SELECT erasures FROM {}.key_epoch)"
        ).format(name)
        self._load = sql.SQL(
            "SELECT {} FROM {}.stored_events WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version"
        ).format(columns, name)
        # The inner ORDER BY keeps the look-up of each stream apart from the list of them: one index range a stream.
        self._since = sql.SQL(
            "SELECT e.*, k.erasures FROM {0}.key_epoch AS k LEFT JOIN (SELECT s.* FROM unnest(%b::uuid[], %b::bigint[])"
            " AS a (stream, version) CROSS JOIN LATERAL (SELECT originator_id, originator_version, notification_id,"
            " topic, state FROM {0}.stored_events WHERE originator_id = a.stream AND originator_version > a.version"
            " ORDER BY originator_version) AS s) AS e ON true ORDER BY e.originator_version"
        ).format(name)
        self._read = sql.SQL(
            "SELECT {} FROM {}.stored_events WHERE notification_id > %b ORDER BY notification_id LIMIT %b"
        ).format(columns, name)
        self._scan = sql.SQL(
            "SELECT {} FROM {}.stored_events WHERE notification_id <= %s AND originator_id BETWEEN %s AND %s"
            " ORDER BY originator_id, originator_version"
        ).format(columns, name)
        self._last = sql.SQL(
            "SELECT e.* FROM unnest(%b::uuid[]) AS s(id) JOIN LATERAL (SELECT {} FROM {}.stored_events"
            " WHERE originator_id = s.id ORDER BY originator_version DESC LIMIT 1) e ON true"
        ).format(columns, name)
        self._head = sql.SQL("SELECT coalesce(max(notification_id), 0) FROM {}.stored_events").format(name)
        self._receipts = sql.SQL(
            'SELECT command_id, digest, stream, version, "position", events FROM {}.receipts WHERE command_id = ANY(%s)'
        ).format(name)
        self._copy = sql.SQL(
            "COPY {}.stored_events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
        ).format(name)
        self._group_commit: GroupCommit[Prepared, Receipt] = GroupCommit(self._write, self._settle)

    @property
    def group_counters(self) -> Counters:
        """How many requests were appended in how many groups since this store was opened."""
        return self._group_commit.counters

    def recorder(self) -> GatedRecorder:
        """Return the library's recorder over the same table; the caller closes its datastore."""
        datastore = PostgresDatastore("", "", "", "", "", schema=self.schema)
        datastore.pool = LibraryPool(
            self.pool.conninfo,
            min_size=1,
            max_size=2,
            open=False,
            configure=datastore.after_connect_func(),
            kwargs={"row_factory": dict_row, "options": "-c lock_timeout=10s"},
        )
        return GatedRecorder(datastore)

    def create(self) -> None:
        """Create the schema, the table, its guards and functions, unless this release made them before."""
        with translated(), self.pool.connection() as connection:
            if self._made_by(connection) == _FINGERPRINT:
                return
            # One process at a time; a session lock, because the library makes its table on a connection of its own.
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"{self.schema} create"])
            try:
                if self._made_by(connection) != _FINGERPRINT:  # nobody else did, while we waited
                    self._create(connection)
            finally:
                if not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"{self.schema} create"])

    def _create(self, connection: Connection[tuple[Any, ...]]) -> None:
        schema = sql.Identifier(self.schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        recorder = self.recorder()
        with recorder.datastore:
            recorder.create_table()
        with connection.transaction():
            migrate(connection, self.schema, "store")
            for name in _FILES:
                connection.execute(schema_sql(name))
            connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, sql.Literal(_FINGERPRINT)))

    def _made_by(self, connection: Connection[tuple[Any, ...]]) -> str | None:
        """Return the fingerprint of the definition the schema was made with, None if it is not there."""
        query = "SELECT obj_description(to_regnamespace(quote_ident(%s)), 'pg_namespace')"
        row = connection.execute(query, [self.schema]).fetchone()
        return row[0] if row else None

    # --- writing -------------------------------------------------------------------------------------------------

    def append(self, request: Append) -> Receipt:
        """Append one command's events with its receipt (see `domain.service.EventStore`), with whatever else waits."""
        prepared = Prepared(request, self._digest(request), heads_of(request), self._rows(request.events))
        return self._group_commit.submit(prepared)

    def _write(self, group: Group[Prepared]) -> list[Receipt | Exception]:
        """Write a group in one server call; each request succeeds or fails by itself."""
        try:
            with self.pool.connection() as connection:
                group.backend = connection.info.backend_pid
                rows = connection.execute(self._append, columns(group.requests), prepare=True).fetchall()
                group.backend = 0
        except (psycopg.DataError, psycopg.IntegrityError) as error:  # the server took offence at one of them
            if len(group.requests) == 1:
                return [caused(translate(error), error)]
            return [answer for request in group.requests for answer in self._write(Group([request]))]
        except psycopg.Error as error:
            if is_lost(error):
                return self._settle(replace(group, cause=error))
            return [caused(translate(error), error) for _ in group.requests]
        return [self._outcome(request, row) for request, row in zip(group.requests, rows, strict=True)]

    def _settle(self, group: Group[Prepared]) -> list[Receipt | Exception]:
        """Nobody heard the server out, and it may have committed: only the receipts can tell."""
        try:
            self.pool.check()  # what broke this connection may have broken the others
            # The lost backend may not have read the request yet: end it, so that nothing is written after we looked.
            with self.pool.connection() as connection:
                connection.execute(_END_BACKEND, [group.backend])
            with self._gated() as connection:  # waits until the lost transaction has ended either way
                on_file = self._on_file(connection, [request.wanted.command_id for request in group.requests])
        except psycopg.Error:
            return [unknown_outcome(request, group.cause) for request in group.requests]
        return [
            self._outcome(request, ("earlier", *on_file[request.wanted.command_id]))
            if request.wanted.command_id in on_file
            else not_written(request, group.cause)
            for request in group.requests
        ]

    def _outcome(self, request: Prepared, row: tuple[Any, ...]) -> Receipt | Exception:
        outcome, digest, *receipt = row
        if outcome == "conflict":
            return written_first()
        if outcome == "earlier":
            try:
                self._check_same(request.wanted.command_id, request.wanted.digest, bytes(digest))
            except DossierError as error:
                return error
        return Receipt(*receipt)

    def _on_file(self, connection: Connection[tuple[Any, ...]], ids: list[UUID]) -> dict[UUID, tuple[Any, ...]]:
        """Return digest and receipt by command id, of those that were ever used."""
        return {row[0]: row[1:] for row in connection.execute(self._receipts, [ids]).fetchall()}

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        """Append many events by COPY in one transaction under the gate; returns the position of the last.

        Raises VersionConflict, and then nothing was written, if a stream does not end where its first event continues.
        """
        return self.append_rows(self._rows(events, imported=True))

    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Append encoded events (stream, version, topic, body), as `append_bulk` does."""
        heads = _heads(rows)
        with translated(), self._gated() as connection:
            if heads and self._heads(connection, heads) != heads:
                raise written_first()
            with connection.cursor().copy(self._copy) as copy:
                copy.set_types(["uuid", "int8", "text", "bytea"])
                for row in rows:
                    copy.write_row(row)
            connection.execute("SELECT pg_notify('stored_events', '')")
            position = connection.execute(self._head).fetchone()
        assert position is not None
        return int(position[0])

    def copy_from(self, other: PostgresEventStore, streams: Sequence[UUID]) -> None:
        """Copy whole streams from another store of the same database; those that are here already are left alone."""
        copy = sql.SQL(
            "INSERT INTO {}.stored_events (originator_id, originator_version, topic, state)"
            " SELECT originator_id, originator_version, topic, state FROM {}.stored_events"
            " WHERE originator_id = ANY(%s) ORDER BY notification_id ON CONFLICT DO NOTHING"
        ).format(sql.Identifier(self.schema), sql.Identifier(other.schema))
        with translated(), self._gated() as connection:
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

    def _heads(self, connection: Connection[tuple[Any, ...]], streams: Iterable[UUID]) -> dict[UUID, int]:
        query = sql.SQL(
            "SELECT originator_id, max(originator_version) FROM {}.stored_events"
            " WHERE originator_id = ANY(%s) GROUP BY originator_id"
        ).format(sql.Identifier(self.schema))
        return dict(connection.execute(query, [list(streams)]).fetchall())

    @contextmanager
    def _gated(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """A transaction that holds the append gate."""
        with self.pool.connection() as connection, connection.transaction():
            connection.execute(sql.SQL("SELECT {}.gate()").format(sql.Identifier(self.schema)))
            yield connection

    # --- reading -------------------------------------------------------------------------------------------------

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream, oldest first, in one read."""
        loaded: dict[UUID, list[Recorded]] = {stream: [] for stream in streams}
        for recorded in self._decoded(self._fetch(self._load, [list(loaded)])):
            loaded[recorded.stream].append(recorded)
        return loaded

    def load_since(self, versions: Mapping[UUID, int]) -> Since:
        """Return the events of each stream after a version, in one read; their generation is the number of erasures."""
        rows = self._fetch(self._since, [list(versions), list(versions.values())])
        since = Since({stream: [] for stream in versions}, rows[0][5])
        if self.keys is not None:
            self.keys.see(since.generation)  # also where no event came since: what is sealed next needs a key that is
        for recorded in self._decoded(rows if rows[0][0] else []):
            since.events[recorded.stream].append(recorded)
        return since

    def read(self, after: int, limit: int) -> list[Recorded]:
        """Return at most `limit` events after a position, in position order."""
        return self._decoded(self._fetch(self._read, [after, limit]))

    def streams_about(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return the streams that hold something about any of these people."""
        return self.subjects.streams_about(subjects)

    def last(self, streams: Iterable[UUID]) -> list[Recorded]:
        """Return the newest event of each of these streams that exists."""
        return self._decoded(self._fetch(self._last, [list(streams)]))

    def _fetch(self, query: sql.Composed, values: list[Any]) -> list[tuple[Any, ...]]:
        """Read rows in binary; once more if the connection is lost, as all of them are after the server restarts."""
        with translated():
            try:
                with self.pool.connection() as connection:
                    return connection.cursor(binary=True).execute(query, values, prepare=True).fetchall()
            except psycopg.OperationalError as error:
                if not is_lost(error):
                    raise
            self.pool.check()
            with self.pool.connection() as connection:
                return connection.cursor(binary=True).execute(query, values, prepare=True).fetchall()

    def scan(self, upto: int, first: UUID = FIRST, last: UUID = LAST) -> Iterator[Recorded]:
        """Yield every event up to a position, stream by stream, oldest first, in constant memory.

        `first` and `last` are the streams to begin and to end with.
        """
        with (
            translated(),
            self.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(name="scan", binary=True) as cursor,
        ):
            connection.execute("SET LOCAL enable_seqscan = on")
            cursor.execute(self._scan, [upto, first, last])
            while rows := cursor.fetchmany(SCAN_ROWS):
                yield from self._decoded(rows)

    def quantiles(self, parts: int) -> list[UUID]:
        """Return streams that cut the log into about as many parts of about the same size, from a sample of it."""
        percent = min(100.0, 100.0 * parts * SAMPLED_ROWS / max(1, self.head()))
        query = sql.SQL(
            "SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY originator_id)"
            " FROM {}.stored_events TABLESAMPLE SYSTEM (%s)"
        ).format(sql.Identifier(self.schema))
        if parts == 1:
            return []
        with translated(), self.pool.connection() as connection:
            row = connection.execute(query, [[number / parts for number in range(1, parts)], percent]).fetchone()
        return sorted(set(row[0] or ())) if row else []

    def head(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        with translated(), self.pool.connection() as connection:
            row = connection.execute(self._head).fetchone()
        return int(row[0]) if row else 0

    def receipt(self, command_id: UUID, digest: bytes) -> Receipt | None:
        """Return the receipt of a command id, None if it was never used; CommandIdReused if for another command."""
        with translated(), self.pool.connection() as connection:
            found = self._on_file(connection, [command_id]).get(command_id)
        if found is None:
            return None
        self._check_same(command_id, digest, bytes(found[0]))
        return Receipt(*found[1:])

    # --- sealing -------------------------------------------------------------------------------------------------

    def _rows(self, events: Sequence[NewEvent], *, imported: bool = False) -> list[EventRow]:
        """Return events encoded, sealed for their subjects; raises RuleViolated for an erased one, unless imported."""
        if self.keys is None:
            if any(new.event.topic == AccountErased.topic for new in events):
                raise no_master_key()  # nothing would be erased
            return [(new.stream, new.version, new.event.topic, encode(new)) for new in events]
        subjects = [sealed_for(new) for new in events]
        keys_of = self.keys.for_importing if imported else self.keys.for_writing
        keys = keys_of({subject for subject in subjects if subject is not None})
        return [
            (new.stream, new.version, new.event.topic, encode(new, keys[subject] if subject else None))
            for new, subject in zip(events, subjects, strict=True)
        ]

    def _decoded(self, rows: Sequence[tuple[Any, ...]]) -> list[Recorded]:
        """Return rows as events; the keys of all of them are read at once."""
        keys = None
        if self.keys is not None and rows:
            subjects = {subject for row in rows if (subject := subject_of_sealed(row[4])) is not None}
            keys = self.keys.for_reading(subjects, rows[0][5])
        return [self._decode(row[0], row[1], row[2], row[3], row[4], keys) for row in rows]

    def _digest(self, request: Append) -> bytes:
        """Return a request's digest as it is kept: of what is said of a person under their key, with which it dies."""
        if self.keys is None or request.subject is None:
            return request.digest
        key = self.keys.for_writing({request.subject})[request.subject]
        return request.subject.bytes + key.digest(request.digest)

    def _check_same(self, command_id: UUID, digest: bytes, on_file: bytes) -> None:
        """Raise CommandIdReused unless the digest on file is that of the same command."""
        if len(on_file) != _KEYED:
            check_same_command(command_id, digest, on_file)
            return
        if self.keys is None:
            raise no_master_key()
        subject = UUID(bytes=on_file[:16])
        key = self.keys.for_checking(subject)
        check_same_command(command_id, key.digest(digest) if key else b"", on_file[16:])


def _heads(rows: Sequence[EventRow]) -> dict[UUID, int]:
    """Return where streams that are continued must end; a new stream is guarded by its primary key alone."""
    firsts: dict[UUID, int] = {}
    for stream, version, _, _ in rows:
        firsts.setdefault(stream, version)
    return {stream: version - 1 for stream, version in firsts.items() if version > 1}
