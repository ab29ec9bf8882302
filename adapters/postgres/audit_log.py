"""The Merkle tree over stored events, on PostgreSQL: a follower that adds leaves, and reads of tiles for proofs."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from psycopg import sql

from adapters.audit.merkle import WIDTH, Tile, Tree, grow
from adapters.audit.verifier import HASH, leaf_hash
from adapters.errors import translated
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.liveness import end_if_hung
from adapters.postgres.mapper import Keys, subject_of_sealed
from adapters.postgres.pool import Conn
from adapters.postgres.read_store import Progressed
from adapters.postgres.schema_migrations import schema_sql
from domain.errors import SchemaMismatch
from projections.follow import Progress

_LAST: Final = (1 << 63) - 1
PAGE: Final = 16 * WIDTH
_CACHED_TILES: Final = 64


class Leaves(NamedTuple):
    """The tree as one of the things that are followed, beside the read models."""

    name: str
    version: int


TREE: Final = Leaves("audit_tree", 1)


class StoredRow(NamedTuple):
    """A stored event as the bytes it is: nothing is parsed."""

    position: int
    stream: bytes
    version: int
    topic: bytes
    body: bytes

    def leaf(self) -> bytes:
        """Return its leaf hash."""
        return leaf_hash(self.stream, self.version, self.position, self.topic, self.body)


class Grown(NamedTuple):
    """How far the tree has come: its leaves, the position of the last, when that was."""

    size: int
    position: int
    updated_at: datetime


class LeafTile(NamedTuple):
    """A tile of level 0 with the positions its leaves were made from."""

    number: int
    hashes: bytes
    positions: tuple[int, ...]


class PostgresAuditLog:
    """The tree over an event store, in a schema of its own. Thread-safe; each call takes a connection from the pool."""

    def __init__(self, events: PostgresEventStore, schema: str = "audit") -> None:
        self.events = events
        self.schema = schema
        name, store = sql.Identifier(schema), sql.Identifier(events.schema)
        self._rows = sql.SQL(
            "SELECT notification_id, uuid_send(originator_id), originator_version, convert_to(topic, 'UTF8'), state"
            " FROM {}.stored_events WHERE notification_id > %b AND notification_id <= %b"
            " ORDER BY notification_id LIMIT %b"
        ).format(store)
        self._epoch = sql.SQL("SELECT erasures FROM {}.key_epoch").format(store)
        self._waiting = sql.SQL("SELECT count(*) FROM {}.stored_events WHERE notification_id > %s").format(store)
        self._state = sql.SQL("SELECT size, position, updated_at FROM {}.tree").format(name)
        self._tile = sql.SQL("SELECT hashes FROM {}.tiles WHERE level = %b AND number = %b").format(name)
        self._leaves = sql.SQL(
            "SELECT number, hashes, positions FROM {}.tiles WHERE level = 0 AND number >= %b ORDER BY number LIMIT %b"
        ).format(name)
        self._holding = sql.SQL(
            "SELECT number FROM {}.tiles WHERE level = 0 AND first_position <= %s ORDER BY first_position DESC LIMIT 1"
        ).format(name)
        self._put = sql.SQL(
            "INSERT INTO {}.tiles (level, number, hashes, first_position, positions)"
            " SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[], %b::bigint[], %b::bytea[])"
            " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes, positions = excluded.positions"
        ).format(name)
        self._positions = sql.SQL("SELECT positions FROM {}.tiles WHERE level = 0 AND number = %b").format(name)
        self._advance = sql.SQL("UPDATE {}.tree SET size = %s, position = %s, updated_at = now()").format(name)

    def create(self) -> None:
        """Create schema and tables where they are not there yet."""
        with translated(), self.events.pool.connection() as connection:
            if connection.execute("SELECT to_regclass(%s)", [f"{self.schema}.tree"]).fetchone() != (None,):
                return
            with connection.transaction():
                self._keep_out(connection)
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema)))
                connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(self.schema)))
                connection.execute(schema_sql("audit"))

    def drop(self) -> None:
        """Drop the schema with all it holds."""
        with translated(), self.events.pool.connection() as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))

    def state(self) -> Grown:
        """Return how far the tree has come."""
        with translated(), self.events.pool.connection() as connection:
            return self._grown(connection)

    def progressed(self) -> Mapping[str, Progressed]:
        """Return how far the tree has come, as the read store does of its tables; nothing where it was never made."""
        with translated(), self.events.pool.connection() as connection:
            if connection.execute("SELECT to_regclass(%s)", [f"{self.schema}.tree"]).fetchone() == (None,):
                return {}
            row = connection.execute(self._state).fetchone()
        return {TREE.name: Progressed(TREE.version, *row[1:])} if row else {}

    # --- following -----------------------------------------------------------------------------------------------

    def follow_batch(self, limit: int = PAGE) -> int:
        """Add leaves for the next events, tiles and position in one transaction; returns how many were added.

        Whoever comes second waits and goes on from where the first came to.
        """
        with translated(), self.events.pool.connection() as connection, connection.transaction():
            end_if_hung(connection)
            self._keep_out(connection)
            before = self._grown(connection)
            rows = self._read(connection, before.position, _LAST, limit)
            if rows:
                self._add(connection, before.size, rows)
            return len(rows)

    def catch_up(self, progress: Progress | None = None) -> Grown:
        """Follow until the tree has come to what is now the head of the log."""
        head = self.events.head()
        while (now := self.state()).position < head:
            self.follow_batch()
            if progress:
                progress(min(self.state().position, head), head)
        return now

    def _add(self, connection: Conn, size: int, rows: Sequence[StoredRow]) -> None:
        number, held = divmod(size, WIDTH)
        stored = connection.execute(self._positions, [number], binary=True).fetchone() if held else None
        positions = (stored[0] if stored else b"") + _packed([row.position for row in rows])
        tiles = list(grow(size, [row.leaf() for row in rows], lambda *key: self._hashes(connection, *key)))
        connection.execute(self._put, _columns(tiles, number, positions))
        connection.execute(self._advance, [size + len(rows), rows[-1].position])

    def _keep_out(self, connection: Conn) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{self.schema} tree"])

    # --- reading -------------------------------------------------------------------------------------------------

    def rows(self, after: int, upto: int) -> Iterator[StoredRow]:
        """Yield stored events after a position and up to another, in position order, a page at a time."""
        page: Sequence[StoredRow] = ()
        while not page or len(page) == PAGE:
            with translated(), self.events.pool.connection() as connection:
                page = self._read(connection, after, upto, PAGE)
            if not page:
                return
            yield from page
            after = page[-1].position

    def keys(self, rows: Sequence[StoredRow]) -> Keys | None:
        """Return the keys that open what is sealed in these rows, as they are now; None without a master key."""
        if self.events.keys is None:
            return None
        with translated(), self.events.pool.connection() as connection:
            epoch = connection.execute(self._epoch).fetchone()
        subjects = {subject for row in rows if (subject := subject_of_sealed(row.body))}
        return self.events.keys.for_reading(subjects, epoch[0] if epoch else 0)

    def waiting(self, after: int) -> int:
        """Return how many events there are after a position."""
        with translated(), self.events.pool.connection() as connection:
            row = connection.execute(self._waiting, [after]).fetchone()
        return int(row[0]) if row else 0

    def leaf_tiles(self, number: int, size: int) -> Iterator[LeafTile]:
        """Yield tiles of leaves from a number on, as they are in a tree of this size."""
        found: list[tuple[int, bytes, bytes]] = [(number - 1, b"", b"")]
        while found and (first := found[-1][0] + 1) * WIDTH < size:
            with translated(), self.events.pool.connection() as connection:
                found = connection.execute(self._leaves, [first, PAGE // WIDTH], binary=True).fetchall()
            for tile, hashes, packed in found:
                count = min(WIDTH, size - tile * WIDTH)
                if count > 0:
                    positions = struct.unpack_from(f">{min(count, len(packed) // 8)}q", packed)
                    yield LeafTile(tile, hashes[: HASH * count], positions)

    def tile_holding(self, position: int) -> int:
        """Return the number of the tile in which the leaf of a position is, or would be."""
        with translated(), self.events.pool.connection() as connection:
            row = connection.execute(self._holding, [position]).fetchone()
        return int(row[0]) if row else 0

    def tree(self, size: int) -> Tree:
        """Return the tree of the first `size` leaves; tiles read once are kept for a while."""

        @lru_cache(_CACHED_TILES)
        def tile(level: int, number: int) -> bytes:
            with translated(), self.events.pool.connection() as connection:
                return self._hashes(connection, level, number)

        return Tree(size, tile)

    def _hashes(self, connection: Conn, level: int, number: int) -> bytes:
        row = connection.execute(self._tile, [level, number], binary=True).fetchone()
        return bytes(row[0]) if row else b""

    def _read(self, connection: Conn, after: int, upto: int, limit: int) -> list[StoredRow]:
        found = connection.cursor(binary=True).execute(self._rows, [after, upto, limit], prepare=True)
        return list(map(StoredRow._make, found))

    def _grown(self, connection: Conn) -> Grown:
        row = connection.execute(self._state).fetchone()
        if row is None:
            raise SchemaMismatch("the audit log has lost its state", hint="see docs/operations.md, “When verify fails”")
        return Grown(*row)


def _packed(positions: Sequence[int]) -> bytes:
    return struct.pack(f">{len(positions)}q", *positions)


def _columns(tiles: Sequence[Tile], number: int, positions: bytes) -> list[list[Any]]:
    """Return tiles as the columns they are stored in; `positions` begin with the tile of level 0 of this number."""
    held: list[bytes | None] = []
    for tile in tiles:
        start = (tile.number - number) * WIDTH * 8
        held.append(positions[start : start + WIDTH * 8] if tile.level == 0 else None)
    return [
        [tile.level for tile in tiles],
        [tile.number for tile in tiles],
        [tile.hashes for tile in tiles],
        [None if part is None else struct.unpack_from(">q", part)[0] for part in held],
        held,
    ]
