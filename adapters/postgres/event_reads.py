"""Reading the event store: by stream, by position, and all of it stream by stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from adapters.errors import is_lost, translated
from adapters.postgres.event_codec import EventCodec
from adapters.postgres.pool import Conn
from adapters.postgres.subject_keys import SubjectKeys
from adapters.postgres.subjects import Subjects
from domain.event import Recorded
from domain.service import Since

SCAN_ROWS: Final = 2_000
SAMPLED_ROWS: Final = 200
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)


class EventReads:
    """Stored events in one schema of a database, as they are read. Thread-safe."""

    def __init__(self, pool: ConnectionPool[Conn], schema: str, keys: SubjectKeys | None, codec: EventCodec) -> None:
        self.pool, self.schema, self.keys = pool, schema, keys
        self.subjects = Subjects(pool, schema)
        self._codec = codec
        name = sql.Identifier(schema)
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

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream, oldest first, in one read."""
        loaded: dict[UUID, list[Recorded]] = {stream: [] for stream in streams}
        for recorded in self._codec.recorded(self._fetch(self._load, [list(loaded)])):
            loaded[recorded.stream].append(recorded)
        return loaded

    def load_since(self, versions: Mapping[UUID, int]) -> Since:
        """Return the events of each stream after a version, in one read; their generation is the number of erasures."""
        rows = self._fetch(self._since, [list(versions), list(versions.values())])
        since = Since({stream: [] for stream in versions}, rows[0][5])
        if self.keys is not None:
            self.keys.see(since.generation)  # also where no event came since: what is sealed next needs a key that is
        for recorded in self._codec.recorded(rows if rows[0][0] else []):
            since.events[recorded.stream].append(recorded)
        return since

    def read(self, after: int, limit: int) -> list[Recorded]:
        """Return at most `limit` events after a position, in position order."""
        return self._codec.recorded(self._fetch(self._read, [after, limit]))

    def last(self, streams: Iterable[UUID]) -> list[Recorded]:
        """Return the newest event of each of these streams that exists."""
        return self._codec.recorded(self._fetch(self._last, [list(streams)]))

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
            # By the index, in order: all else reads and sorts the whole log for every part of it.
            connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute(self._scan, [upto, first, last])
            while rows := cursor.fetchmany(SCAN_ROWS):
                yield from self._codec.recorded(rows)

    def streams_about(self, subjects: Collection[UUID]) -> frozenset[UUID]:
        """Return the streams that hold something about any of these people."""
        return self.subjects.streams_about(subjects)

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
