"""The tables of the read models on PostgreSQL: a schema each, and one that says how far each has come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, LiteralString, NamedTuple, cast
from uuid import UUID

import orjson
import psycopg
import structlog
from psycopg import Cursor, errors, sql
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool

from adapters.errors import translated
from adapters.garbage import rare_collections
from adapters.postgres.liveness import end_if_hung
from adapters.postgres.locks import wait_at_most
from adapters.postgres.pool import Conn
from adapters.postgres.schema_migrations import migrate, schema_sql
from domain.errors import RowsRefused, SchemaMismatch
from projections.dead_letters import DeadLetter
from projections.read_model import Key, ReadModel, Row

_log = structlog.get_logger(__name__)

Rows = Iterable[Row]
POSITIONS: Final = "projections"
_INDEXES: Final = "-- indexes\n"
_READERS: Final = "-- readers\n"
READERS_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('dossier readers', 0))"
"""Waits for whoever else defines what readers may see, until the transaction ends."""

_READER_DEFINITION: Final = f"dossier readers {hashlib.sha256(schema_sql('reader').encode()).hexdigest()[:16]}"
_REFUSED: Final = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded, errors.CannotCoerce)
"""What the server, or psycopg in its place, raises for values that a table cannot hold."""


class Progressed(NamedTuple):
    """The version of a read model that a table was made by, the position it has come to, and when."""

    version: int
    position: int
    updated_at: datetime


class Table:
    """The table of a read model with the columns it has in the catalog, and the statements on it."""

    def __init__(self, model: ReadModel, schema: str, columns: Sequence[tuple[str, int, str]]) -> None:
        names = [name for name, _, _ in columns]
        kinds = {name: kind for name, _, kind in columns}
        self.columns = tuple(names)
        self.types = [oid for _, oid, _ in columns]
        self.values = itemgetter(*names)
        self.key_of = itemgetter(*(names.index(name) for name in model.key))
        parts = {
            "table": sql.Identifier(schema, model.name),
            "columns": _names(names),
            "key": _names(model.key),
            "keys": sql.SQL(", ").join(sql.SQL("%b::{}[]").format(sql.Identifier(kinds[name])) for name in model.key),
            "same": sql.SQL(" AND ").join(
                sql.SQL("kept.{0} = touched.{0}").format(sql.Identifier(name)) for name in model.key
            ),
        }
        self.name = parts["table"]
        self.select = sql.SQL("SELECT {columns} FROM {table}").format(**parts)
        self.order = sql.SQL(" ORDER BY {key}").format(**parts)
        self.load = sql.SQL(
            "SELECT {columns} FROM {table} JOIN unnest({keys}) AS touched ({key}) USING ({key})"
        ).format(**parts)
        self.delete = sql.SQL(
            "DELETE FROM {table} AS kept USING unnest({keys}) AS touched ({key}) WHERE {same}"
        ).format(**parts)
        self.delete_streams = sql.SQL("DELETE FROM {table} WHERE {stream} = ANY(%b)").format(
            **parts, stream=sql.Identifier(model.key[0])
        )
        self.copy = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)").format(**parts)
        self.copy_frozen = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY, FREEZE)").format(**parts)

    def row(self, values: Sequence[Any]) -> Row:
        """Return the row that these values of the columns are."""
        return dict(zip(self.columns, values, strict=True))

    def insert(self, connection: Conn, rows: Rows, *, frozen: bool = False) -> None:
        """Copy rows in; `frozen` spares a later vacuum, in the transaction that made the table."""
        with json_cursor(connection).copy(self.copy_frozen if frozen else self.copy) as copy:
            copy.set_types(self.types)
            for row in rows:
                copy.write_row(self.values(row))


class PostgresReadStore:
    """The tables in schemas `<prefix><model>`. Thread-safe; each call takes a connection from the pool."""

    def __init__(self, pool: ConnectionPool[Conn], prefix: str = "", patience: str | None = None) -> None:
        self.pool = pool
        self.prefix = prefix
        self._patience = patience
        self._tables: dict[tuple[str, int], Table] = {}
        self._statements: dict[str, bytes] = {}
        self._positions = sql.Identifier(self.schema(POSITIONS), "positions")
        self.dead_letters = sql.Identifier(self.schema(POSITIONS), "dead_letters")

    def patient(self, patience: str) -> PostgresReadStore:
        """Return this store for one who waits so long for a follower's batch, not only as long as for any lock."""
        return PostgresReadStore(self.pool, self.prefix, patience)

    def schema(self, name: str) -> str:
        """Return the name of the schema of a read model."""
        return f"{self.prefix}{name}"

    # --- making ----------------------------------------------------------------------------------------

    def create(self, models: Sequence[ReadModel]) -> None:
        """Make the tables not there yet, empty; raises SchemaMismatch where a schema is somebody else's."""
        with self.locked() as connection:
            migrate(connection, self.schema(POSITIONS), POSITIONS)
            present = self.progress(connection)
            missing = [model for model in models if model.name not in present]
            _define_readers(connection)
            self.make_tables(connection, missing)
            self.make_indexes(connection, missing)
            self.place(connection, missing, 0)

    def drop(self) -> None:
        """Drop what was made under this prefix, rows and all; schemas that are not ours stay."""
        with self.locked() as connection:
            for name in [*self.progress(connection), POSITIONS]:
                connection.execute(
                    sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema(name)))
                )
        self._tables.clear()
        self._statements.clear()

    def make_tables(self, connection: Conn, models: Sequence[ReadModel]) -> None:
        """Make the tables without their indexes, which are quicker made once the rows are in."""
        for model in models:
            schema = self.schema(model.name)
            try:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            except errors.DuplicateSchema:
                raise SchemaMismatch(
                    f"the database has a schema {schema!r} that Dossier did not make",
                    hint="give Dossier a database of its own",
                ) from None
            self.define(connection, model.name, _definition(model)[0])

    def make_indexes(self, connection: Conn, models: Sequence[ReadModel]) -> None:
        """Make keys, constraints and indexes, and say who may read which rows."""
        for model in models:
            self.define(connection, model.name, index_definition(model))
            self.say_who_reads(connection, model)

    def say_who_reads(self, connection: Conn, model: ReadModel) -> None:
        """Give a table the policies of this release, in the place of those it has."""
        table = sql.Identifier(self.schema(model.name), model.name)
        connection.execute(sql.SQL("DROP POLICY IF EXISTS readers ON {}").format(table))
        self.define(connection, model.name, _definition(model)[2])
        connection.execute(
            sql.SQL("COMMENT ON POLICY readers ON {} IS {}").format(table, sql.Literal(policies_of(model)))
        )

    def define(self, connection: Conn, name: str, definition: LiteralString) -> None:
        """Carry out a definition in the schema of that name."""
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(self.schema(name))))
        connection.execute(definition)

    def place(self, connection: Conn, models: Sequence[ReadModel], position: int) -> None:
        """Note that the tables were made by these versions of the models and have come to a position."""
        statement = sql.SQL("INSERT INTO {} (read_model, version, position) VALUES (%s, %s, %s)").format(
            self._positions
        )
        for model in models:
            connection.execute(statement, [model.name, model.version, position])

    @contextmanager
    def locked(self) -> Iterator[Conn]:
        """Open a transaction that keeps followers out until it ends; the positions are there in it."""
        with translated(), self.pool.connection() as connection, connection.transaction():
            self._keep_out(connection)
            schema = self.schema(POSITIONS)
            found = connection.execute("SELECT to_regnamespace(quote_ident(%s))", [schema]).fetchone()
            if found == (None,):
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
                migrate(connection, schema, POSITIONS)
            yield connection

    # --- following -------------------------------------------------------------------------------------

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        """Return how far each read model has come; raises SchemaMismatch for one of another version."""
        with translated(), self.pool.connection() as connection:
            return self.positions_in(connection, models)

    def positions_in(self, connection: Conn, models: Sequence[ReadModel]) -> dict[str, int]:
        """Return the positions as a transaction sees them."""
        present = self.progress(connection)
        for model in models:
            if model.name not in present:
                raise SchemaMismatch(f"there is no read model {model.name} yet", hint="run `dossier db init`")
            version = present[model.name].version
            if version != model.version:
                raise SchemaMismatch(
                    f"read model {model.name} is of version {version}, not {model.version}",
                    hint="bring the tables up to this release: `dossier projections upgrade`",
                )
        return {model.name: present[model.name].position for model in models}

    def progress(self, connection: Conn) -> dict[str, Progressed]:
        """Return version and position of every read model that has a table."""
        statement = sql.SQL("SELECT read_model, version, position, updated_at FROM {}").format(self._positions)
        return {name: Progressed(*values) for name, *values in connection.execute(statement)}

    def progressed(self) -> dict[str, Progressed]:
        """Return what `progress` does, on a connection of its own."""
        with translated(), self.pool.connection() as connection:
            return self.progress(connection)

    @contextmanager
    def batch(self) -> Iterator[PostgresReadTransaction]:
        """Open a transaction that holds the followers' lock; it commits when the block is left."""
        with rare_collections(), translated(), self.pool.connection() as connection, connection.transaction():
            end_if_hung(connection)
            self._keep_out(connection)
            yield PostgresReadTransaction(self, connection)

    def advance(self, connection: Conn, models: Sequence[ReadModel], position: int) -> None:
        """Note that the read models have come to a position."""
        connection.execute(
            sql.SQL("UPDATE {} SET position = %s, updated_at = now() WHERE read_model = ANY(%s)").format(
                self._positions
            ),
            [position, [model.name for model in models]],
        )

    def _keep_out(self, connection: Conn) -> None:
        name = self.schema(POSITIONS)
        if self._patience:
            wait_at_most(connection, self._patience)
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])

    # --- reading ---------------------------------------------------------------------------------------

    def find(self, model: ReadModel, key: Key) -> Row | None:
        """Return the row with this key, or None."""
        rows = self.fetch(model, **dict(zip(model.key, key, strict=True)))
        return rows[0] if rows else None

    def fetch(self, model: ReadModel, **equals: Any) -> list[Row]:
        """Return the rows whose columns have these values, all rows without any, ordered by key."""
        with translated(), self.pool.connection() as connection:
            return self.fetch_in(connection, model, **equals)

    def fetch_in(self, connection: Conn, model: ReadModel, **equals: Any) -> list[Row]:
        """Return what `fetch` does, as a transaction sees it."""
        table = self.table(connection, model)
        where = sql.SQL(" AND ").join(_is(name, value) for name, value in equals.items())
        query = table.select + (sql.SQL(" WHERE ") + where if equals else sql.SQL("")) + table.order
        known = [value for value in equals.values() if value is not None]
        return [table.row(values) for values in json_cursor(connection).execute(query, known)]

    def table(self, connection: Conn, model: ReadModel) -> Table:
        """Return the table of a read model; its columns are looked up once."""
        key = model.name, model.version
        if key not in self._tables:
            self._tables[key] = Table(model, self.schema(model.name), self._columns(connection, model))
        return self._tables[key]

    def statement(self, connection: Conn, name: str, compose: Callable[[], sql.Composed]) -> bytes:
        """Return a query over these tables by its name, composed once."""
        if name not in self._statements:
            self._statements[name] = compose().as_bytes(connection)
        return self._statements[name]

    def _columns(self, connection: Conn, model: ReadModel) -> list[tuple[str, int, str]]:
        found = connection.execute(
            "SELECT attname, atttypid::int8, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
            " WHERE attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))"
            " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            [self.schema(model.name), model.name],
        ).fetchall()
        if not found:
            raise SchemaMismatch(f"there is no read model {model.name} yet", hint="run `dossier db init`")
        return cast("list[tuple[str, int, str]]", found)


class PostgresReadTransaction:
    """One transaction on the rows, under the followers' lock."""

    def __init__(self, store: PostgresReadStore, connection: Conn) -> None:
        self._store = store
        self._connection = connection

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        """Return how far each read model has come."""
        return self._store.positions_in(self._connection, models)

    def load(self, model: ReadModel, keys: Collection[Key]) -> dict[Key, Row]:
        """Return the rows of these keys that exist."""
        if not keys:
            return {}
        table = self._store.table(self._connection, model)
        with _unadaptable(model):
            found = json_cursor(self._connection).execute(table.load, _transposed(keys))
        rows = [table.row(values) for values in found]
        return {tuple(row[name] for name in model.key): row for row in rows}

    def delete(self, model: ReadModel, streams: Collection[UUID]) -> None:
        """Delete all rows of these streams, of a read model that is keyed by stream."""
        table = self._store.table(self._connection, model)
        self._connection.execute(table.delete_streams, [list(streams)])

    def save(self, model: ReadModel, rows: Mapping[Key, Row | None], existing: Collection[Key]) -> None:
        """Put these rows in the place of the existing ones; None deletes one."""
        table = self._store.table(self._connection, model)
        if existing:
            self._connection.execute(table.delete, _transposed(existing))
        if after := [row for row in rows.values() if row is not None]:
            with _unadaptable(model):
                table.insert(self._connection, after)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what the block did when it raises; raises RowsRefused, now and not at the commit, for refused rows."""
        try:
            with self._connection.transaction():
                yield
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        except _REFUSED as error:
            where = error.diag.constraint_name or error.diag.column_name or error.diag.table_name or ""
            raise RowsRefused(f"{type(error).__name__} {where}".rstrip()) from error

    def halted(self, streams: Collection[UUID]) -> set[tuple[str, UUID]]:
        """Return which of these streams stand still, each with the name of the read model."""
        query = sql.SQL("SELECT read_model, stream FROM {} WHERE stream = ANY(%b)").format(self._store.dead_letters)
        return set(cast("Iterable[tuple[str, UUID]]", self._connection.execute(query, [list(streams)])))

    def set_aside(self, letters: Collection[DeadLetter]) -> None:
        """Note the events that halt their streams."""
        statement = sql.SQL(
            "INSERT INTO {} AS kept (read_model, stream, version, position, topic, error)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (read_model, stream) DO UPDATE"
            " SET version = excluded.version, position = excluded.position, topic = excluded.topic,"
            " error = excluded.error, attempts = kept.attempts + 1, tried_at = now()"
        ).format(self._store.dead_letters)
        if letters:
            self._connection.cursor().executemany(statement, letters)
        for letter in letters:
            _log.warning("event_set_aside", **letter._asdict())

    def heal(self, model: ReadModel, streams: Collection[UUID]) -> None:
        """Forget what halted these streams."""
        statement = sql.SQL("DELETE FROM {} WHERE read_model = %s AND stream = ANY(%s)").format(
            self._store.dead_letters
        )
        self._connection.execute(statement, [model.name, list(streams)])

    def advance(self, models: Sequence[ReadModel], position: int) -> None:
        """Note that the read models have come to a position."""
        self._store.advance(self._connection, models, position)


def json_cursor(connection: Conn) -> Cursor[tuple[Any, ...]]:
    """Return a binary cursor that reads and writes JSON with orjson.

    The standard library would read a jsonb 1e300 as an integer of 301 digits, which then cannot be written.
    """
    cursor = connection.cursor(binary=True)
    set_json_loads(orjson.loads, cursor)
    set_json_dumps(orjson.dumps, cursor)
    return cursor


@contextmanager
def _unadaptable(model: ReadModel) -> Iterator[None]:
    """Raise RowsRefused for whatever a value makes go wrong before it is sent; `attempt` tells what the server says."""
    try:
        yield
    except psycopg.Error as error:
        if type(error) is not psycopg.ProgrammingError or error.sqlstate:  # else psycopg knows no such type
            raise
        raise RowsRefused(f"ProgrammingError on writing to {model.name}") from error
    except Exception as error:  # which a dumper raises depends on type and value
        raise RowsRefused(f"{type(error).__name__} on writing to {model.name}") from error


def _define_readers(connection: Conn) -> None:
    """Define what the policies of the tables ask, unless this release did."""
    connection.execute(READERS_ALONE)
    defined = connection.execute("SELECT obj_description(to_regnamespace('reader'), 'pg_namespace')").fetchone()
    if defined != (_READER_DEFINITION,):
        connection.execute(schema_sql("reader"))
        connection.execute(sql.SQL("COMMENT ON SCHEMA reader IS {}").format(sql.Literal(_READER_DEFINITION)))


def policies_of(model: ReadModel) -> str:
    """Return what tells the policies of a model's table in this release from others."""
    return f"dossier policies {hashlib.sha256(_definition(model)[2].encode()).hexdigest()[:16]}"


def index_definition(model: ReadModel) -> LiteralString:
    """Return the definition of the keys, constraints and indexes of a model's table."""
    return _definition(model)[1]


def _definition(model: ReadModel) -> tuple[LiteralString, LiteralString, LiteralString]:
    """Return the definition of a model's table in three parts: the table, its indexes, who reads which rows."""
    table, _, rest = schema_sql(model.name).partition(_INDEXES)
    indexes, _, readers = rest.partition(_READERS)
    return table, indexes, readers


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def _is(column: str, value: object) -> sql.Composed:
    condition = sql.SQL("{} IS NULL" if value is None else "{} = %s")
    return condition.format(sql.Identifier(column))


def _transposed(keys: Collection[Key]) -> list[list[Any]]:
    return [list(column) for column in zip(*keys, strict=True)]
