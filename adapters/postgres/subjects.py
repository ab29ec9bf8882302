"""Which streams hold something about whom: an index over the log that is brought up to date when it is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import sql
from psycopg_pool import ConnectionPool

from adapters.errors import translated
from adapters.postgres.mapper import is_open, subject_of
from adapters.postgres.pool import Conn

PAGE: Final = 5_000


class StoredBody(NamedTuple):
    """A stored event as it is, with whom it is about."""

    stream: UUID
    version: int
    position: int
    topic: str
    body: bytes
    subject: UUID


class Subjects:
    """The table `subject_streams` of a store. Thread-safe."""

    def __init__(self, pool: ConnectionPool[Conn], schema: str) -> None:
        self._pool, self._lock = pool, f"{schema} subjects"
        name = sql.Identifier(schema)
        self._position = sql.SQL("SELECT position FROM {}.subject_streams_position").format(name)
        self._advance = sql.SQL("UPDATE {}.subject_streams_position SET position = %s").format(name)
        self._insert = sql.SQL(
            "INSERT INTO {}.subject_streams SELECT * FROM unnest(%b::uuid[], %b::uuid[]) ON CONFLICT DO NOTHING"
        ).format(name)
        self._find = sql.SQL("SELECT DISTINCT stream FROM {}.subject_streams WHERE subject = ANY(%b)").format(name)
        select = sql.SQL(
            "SELECT originator_id, originator_version, notification_id, topic, state FROM {}.stored_events"
        ).format(name)
        self._page = select + sql.SQL(" WHERE notification_id > %b ORDER BY notification_id LIMIT %b")
        self._of_streams = select + sql.SQL(" WHERE originator_id = ANY(%b) ORDER BY notification_id")

    def streams_about(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return the streams that hold something about any of these subjects."""
        with translated(), self._pool.connection() as connection:
            while self._take_page(connection):
                pass
        rows = self._rows(self._find, [list(subjects)])
        return frozenset(stream for (stream,) in rows)

    def open_bodies(self) -> Iterator[list[StoredBody]]:
        """Yield, page by page, the events about somebody that should be sealed and are not."""
        after, rows = 0, self._rows(self._page, [0, PAGE])
        while rows:
            after = rows[-1][2]
            yield _open(rows)
            rows = self._rows(self._page, [after, PAGE])

    def open_about(self, subject: UUID) -> list[StoredBody]:
        """Return the events about somebody that should be sealed and are not, in position order."""
        rows = self._rows(self._of_streams, [list(self.streams_about([subject]))])
        return [found for found in _open(rows) if found.subject == subject]

    def _rows(self, query: sql.Composed, values: list[Any]) -> list[tuple[Any, ...]]:
        with translated(), self._pool.connection() as connection:
            return connection.cursor(binary=True).execute(query, values).fetchall()

    def _take_page(self, connection: Conn) -> bool:
        """Take in the next page of the log; returns whether there may be more. Whoever comes second waits."""
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [self._lock])
            position = connection.execute(self._position).fetchone()
            assert position is not None
            rows = connection.cursor(binary=True).execute(self._page, [position[0], PAGE]).fetchall()
            pairs = {(subject, row[0]) for row in rows if (subject := subject_of(row[4])) is not None}
            if pairs:
                subjects, streams = zip(*sorted(pairs), strict=True)
                connection.execute(self._insert, [list(subjects), list(streams)])
            if rows:
                connection.execute(self._advance, [rows[-1][2]])
        return len(rows) == PAGE


def _open(rows: list[tuple[Any, ...]]) -> list[StoredBody]:
    return [
        StoredBody(row[0], row[1], row[2], row[3], row[4], subject)
        for row in rows
        if is_open(row[3], row[4]) and (subject := subject_of(row[4])) is not None
    ]
