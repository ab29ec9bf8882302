"""The audit log: leaves against plain hashing, an export with proofs against raw COPY, verifying against reading."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from psycopg import sql
from pydantic import SecretStr

from adapters.audit.checkpoints import Known, sign_head
from adapters.audit.export import Exporter
from adapters.audit.keys import SigningKey
from adapters.audit.merkle import grow
from adapters.audit.store import verify_store
from adapters.bootstrap import Application, utc_now
from adapters.postgres.audit_log import PAGE, StoredRow
from adapters.postgres.migration_store import PostgresMigrationStore
from adapters.sealing import key_text, new_key
from benchmarks.harness import Benchmark, Result, Server, Side, Work, result
from benchmarks.workload import EventRow, batches, imported_rows, replay, sample
from domain.access import Actor

EVENTS: Final = 400_000
EXPORTED: Final = 100_000
USERS: Final = 3_400
SEALED_USERS: Final = 4_800
"""So many that there are more than EXPORTED events of them."""
KEY: Final = SigningKey.generate("bench")


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    rows, key = imported_rows(USERS), SecretStr(key_text(new_key()))
    with server.database() as template, server.database() as sealed:
        _import_sealed(server, sealed, key)
        with server.application(template) as app:
            for batch in batches(rows):
                app.events.append_rows(batch)
            while app.events.head() < EVENTS:
                for batch in batches(_again(rows)):
                    app.events.append_rows(batch)
            app.audit.catch_up()
            stored = [row for _, row in zip(range(EXPORTED), app.audit.rows(0, EVENTS * 2), strict=False)]
        benchmarks = (
            Benchmark(
                "audit.leaves",
                "leaves/s",
                "SHA-256 of the same bytes, in memory",
                0.3,
                partial(_leaves, stored),
                partial(_hashed, stored),
            ),
            Benchmark(
                f"audit.export_{EXPORTED}",
                "events/s",
                "COPY of the same rows to a file",
                0.06,
                _in(server, template, _exported),
                _in(server, template, _copied),
            ),
            Benchmark(
                f"audit.export_sealed_{EXPORTED}",
                "events/s",
                "COPY of the same rows to a file, sealed as they are",
                0.06,
                _in(server, sealed, _exported, key),
                _in(server, sealed, _copied, key),
            ),
            Benchmark(
                f"audit.verify_{EVENTS}",
                "events/s",
                "reading the same events in keyset pages and hashing them",
                0.4,
                _in(server, template, _verified),
                _in(server, template, _read),
            ),
        )
        return [result(server, benchmark, runs) for benchmark in benchmarks]


def _again(rows: list[EventRow]) -> list[EventRow]:
    """Return the same events in streams of their own."""
    ids: dict[UUID, UUID] = {}
    return [(ids.setdefault(stream, uuid4()), version, topic, body) for stream, version, topic, body in rows]


def _import_sealed(server: Server, database: str, key: SecretStr) -> None:
    """Import users of the same system where values are sealed."""
    with server.application(database, key) as app, sample("contexts", SEALED_USERS) as export:
        replay("contexts", export, PostgresMigrationStore(app.events, app.reads))
        app.audit.catch_up()


def _in(server: Server, template: str, work: Callable[[Application], int], master_key: SecretStr | None = None) -> Side:
    """Return a side that works, through the application, on the database itself: nothing in it changes."""

    @contextmanager
    def side() -> Iterator[Work]:
        with server.application(template, master_key) as app:
            yield lambda: work(app)

    return side


# --- leaves ----------------------------------------------------------------------------------------------------------


@contextmanager
def _leaves(stored: list[StoredRow]) -> Iterator[Work]:
    def work() -> int:
        edge: dict[tuple[int, int], bytes] = {}
        for start in range(0, len(stored), PAGE):
            page = [row.leaf() for row in stored[start : start + PAGE]]
            for tile in grow(start, page, lambda *key: edge[key]):
                edge[tile.level, tile.number] = tile.hashes
        return len(stored)

    yield work


@contextmanager
def _hashed(stored: list[StoredRow]) -> Iterator[Work]:
    leaves = [b"".join((b"\0", row.stream, bytes(20), row.topic, row.body)) for row in stored]
    yield lambda: len([sha256(leaf).digest() for leaf in leaves])


# --- export ----------------------------------------------------------------------------------------------------------


def _exported(app: Application) -> int:
    head = sign_head(app.audit, KEY, utc_now(), None)
    upto = next(iter(app.audit.leaf_tiles(EXPORTED // 256, head.checkpoint.size))).positions[0]
    with tempfile.NamedTemporaryFile() as file:
        exporter = Exporter(app.dossier, app.audit, KEY)
        exported = exporter.write(
            file,  # type: ignore[arg-type]
            head,
            {"position_to": upto},
            "jsonl",
            Actor.operator("bench"),
            lambda _done, _total: None,
        )
    return int(exported.manifest["events"])


def _copied(app: Application) -> int:
    statement = sql.SQL(
        "COPY (SELECT * FROM store.stored_events ORDER BY notification_id LIMIT {}) TO STDOUT (FORMAT BINARY)"
    ).format(sql.Literal(EXPORTED))
    with tempfile.NamedTemporaryFile() as file, app.pool.connection() as connection:
        with connection.cursor().copy(statement) as copy:
            for block in copy:
                file.write(block)
        file.flush()
    return EXPORTED


# --- verify ----------------------------------------------------------------------------------------------------------


def _verified(app: Application) -> int:
    signed = sign_head(app.audit, KEY, utc_now(), None)
    found = verify_store(app.audit, [Known(Path(), signed.checkpoint)], lambda _done, _total: None)
    if found.findings:
        raise RuntimeError(f"the log does not verify: {found.findings}")
    return found.events


def _read(app: Application) -> int:
    statement = sql.SQL(
        "SELECT notification_id, originator_id, originator_version, topic, state FROM store.stored_events"
        " WHERE notification_id > %b ORDER BY notification_id LIMIT %b"
    )
    after, count = 0, 0
    with app.pool.connection() as connection:
        cursor = connection.cursor(binary=True)
        while rows := cursor.execute(statement, [after, PAGE], prepare=True).fetchall():
            for row in rows:
                sha256(row[4]).digest()
            after, count = rows[-1][0], count + len(rows)
    return count
