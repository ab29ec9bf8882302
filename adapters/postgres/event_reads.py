"""Reading the event store: by stream, by position, and all of it stream by stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from adapters.errors import caused, is_lost, translate, translated
from adapters.postgres.arrays import NUMBERS, UUIDS, array, of_number, of_uuid
from adapters.postgres.event_codec import EventCodec
from adapters.postgres.groups import Asked, Counters, Group, Groups
from adapters.postgres.pool import Conn
from adapters.postgres.subject_keys import SubjectKeys
from adapters.postgres.subjects import Subjects
from domain.event import Recorded
from domain.service import Since

SCAN_ROWS: Final = 2_000
SAMPLED_ROWS: Final = 200
FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)

Row = tuple[Any, ...]
"""A stored event: stream, version, position, topic, body, and how many erasures there were when it was read.

What is read in a group has one thing more: which of the streams that were asked for it is of, from 1.
"""

_COLUMNS: Final = (
    "originator_id, originator_version, notification_id, topic, state, (SELECT erasures FROM {store}.key_epoch)"
)


_Wanted = Asked[Mapping[UUID, int]]
"""A request to read streams, each from behind a version."""


class _Found(NamedTuple):
    """The rows there are, and how many erasures there were when they were read."""

    rows: list[Row]
    generation: int


class EventReads:
    """Stored events in one schema of a database, as they are read. Thread-safe."""

    def __init__(self, pool: ConnectionPool[Conn], schema: str, keys: SubjectKeys | None, codec: EventCodec) -> None:
        self.pool, self.schema, self.keys = pool, schema, keys
        self.subjects = Subjects(pool, schema)
        self._codec = codec
        self._groups: Groups[_Wanted, _Found] = Groups(self._read_group, self._read_group)

        def statement(text: LiteralString) -> bytes:
            return sql.SQL(text.replace("COLUMNS", _COLUMNS)).format(store=sql.Identifier(schema)).as_bytes()

        self._load = statement(
            "SELECT COLUMNS FROM {store}.stored_events"
            " WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version"
        )
        # The inner ORDER BY keeps the look-up of each stream apart from the list of them: one index range a stream.
        self._since = statement(
            "SELECT e.stream, e.version, e.position, e.topic, e.state, k.erasures, e.asked FROM {store}.key_epoch AS k"
            " LEFT JOIN (SELECT s.*, a.asked FROM unnest(%b::uuid[], %b::bigint[]) WITH ORDINALITY"
            " AS a (stream, version, asked) CROSS JOIN LATERAL (SELECT originator_id AS stream, originator_version AS"
            " version, notification_id AS position, topic, state FROM {store}.stored_events"
            " WHERE originator_id = a.stream AND originator_version > a.version ORDER BY originator_version) AS s) AS e"
            " ON true ORDER BY e.asked, e.version"
        )
        self._read = statement(
            "SELECT COLUMNS FROM {store}.stored_events WHERE notification_id > %b ORDER BY notification_id LIMIT %b"
        )
        self._scan = statement(
            "SELECT COLUMNS FROM {store}.stored_events WHERE notification_id <= %s AND originator_id BETWEEN %s AND %s"
            " ORDER BY originator_id, originator_version"
        )
        self._last = statement(
            "SELECT e.* FROM unnest(%b::uuid[]) AS s(id) JOIN LATERAL (SELECT COLUMNS FROM {store}.stored_events"
            " WHERE originator_id = s.id ORDER BY originator_version DESC LIMIT 1) e ON true"
        )
        self._head = statement("SELECT coalesce(max(notification_id), 0) FROM {store}.stored_events")

    @property
    def read_counters(self) -> Counters:
        """How many commands read in how many groups since this store was opened."""
        return self._groups.counters

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream, oldest first, in one read."""
        loaded: dict[UUID, list[Recorded]] = {stream: [] for stream in streams}
        for recorded in self._codec.recorded(self._fetch(self._load, [list(loaded)])):
            loaded[recorded.stream].append(recorded)
        return loaded

    def load_since(self, versions: Mapping[UUID, int]) -> Since:
        """Return the events of each stream after a version, in one read; their generation is the number of erasures."""
        found = self._groups.submit(Asked(versions))
        since = Since({stream: [] for stream in versions}, found.generation)
        if self.keys is not None:
            self.keys.see(since.generation)  # also where no event came since: what is sealed next needs a key that is
        for recorded in self._codec.recorded(found.rows):
            since.events[recorded.stream].append(recorded)
        return since

    def _read_group(self, group: Group[_Wanted]) -> list[_Found | Exception]:
        """Read what a group wants in one server call; each decodes its own."""
        wanted = [each for request in group.requests for each in request.of.items()]
        asker = [number for number, request in enumerate(group.requests) for _ in request.of]
        streams = array(UUIDS, len(wanted), [of_uuid(stream) for stream, _ in wanted])
        versions = array(NUMBERS, len(wanted), [of_number(version) for _, version in wanted])
        try:
            rows = self._rows(self._since, [streams, versions])
        except psycopg.Error as error:
            return [caused(translate(error), error) for _ in group.requests]
        found = [_Found([], rows[0][5]) for _ in group.requests]
        for row in rows:
            if row[0] is not None:
                found[asker[row[6] - 1]].rows.append(row)
        return [*found]

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

    def _fetch(self, query: bytes, values: list[Any]) -> list[Row]:
        with translated():
            return self._rows(query, values)

    def _rows(self, query: bytes, values: list[Any]) -> list[Row]:
        """Read rows in binary; once more if the connection is lost, as all of them are after the server restarts."""
        try:
            return self._rows_once(query, values)
        except psycopg.OperationalError as error:
            if not is_lost(error):
                raise
        self.pool.check()
        return self._rows_once(query, values)

    def _rows_once(self, query: bytes, values: list[Any]) -> list[Row]:
        with self.pool.connection() as connection:
            return connection.cursor(binary=True).execute(query, values, prepare=True).fetchall()
