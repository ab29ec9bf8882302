"""Seals what was stored before sealing was on: bodies and receipts, a page in a transaction, under the append gate.

It changes stored bytes, so it comes before the first checkpoint; a tree over the bytes of before is begun anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql

from adapters.errors import translated
from adapters.postgres.audit_log import PostgresAuditLog
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import seal_body
from adapters.postgres.subjects import StoredBody
from adapters.sealing import no_master_key
from domain.errors import RuleViolated
from domain.streams import EVIDENCE_STREAM

_RECEIPTS: Final = (
    "SELECT r.command_id, r.digest, min(s.subject::text)::uuid FROM {store}.receipts AS r"
    " JOIN {store}.subject_streams AS s ON s.stream = r.stream"
    " JOIN {store}.subject_keys AS k ON k.subject = s.subject AND k.wrapped IS NOT NULL"
    " WHERE length(r.digest) = 32 GROUP BY r.command_id, r.digest LIMIT %s"
)
_PAGE: Final = 5_000


class Resealed(NamedTuple):
    """How many events and receipts were sealed."""

    events: int
    receipts: int


def reseal(
    events: PostgresEventStore, audit: PostgresAuditLog, checkpoints: int, progress: Callable[[int, int], None]
) -> Resealed:
    """Seal what is not sealed yet, going on where it was stopped before; raises RuleViolated after a checkpoint."""
    if events.keys is None:
        raise no_master_key()
    if checkpoints or events.load([EVIDENCE_STREAM])[EVIDENCE_STREAM]:
        raise RuleViolated(
            "there are checkpoints or evidence files, which sealing would contradict",
            hint="what was stored before sealing can only be sealed before the first of them",
        )
    job = _Reseal(events, audit)
    head, sealed = events.head(), 0
    for page in events.subjects.open_bodies():
        if page:
            job.bodies(page)
            sealed += len(page)
            progress(page[-1].position, head)
    receipts = job.receipts()
    if sealed or receipts:
        job.rewrite()
    progress(head, head)
    return Resealed(sealed, receipts)


class _Reseal:
    def __init__(self, events: PostgresEventStore, audit: PostgresAuditLog) -> None:
        assert events.keys is not None
        self._events, self._keys = events, events.keys
        self._store, self._audit = sql.Identifier(events.schema), sql.Identifier(audit.schema)

    def bodies(self, page: Sequence[StoredBody]) -> None:
        """Put sealed bodies in the place of these."""
        keys = self._keys.for_importing({found.subject for found in page})
        sealed = [
            seal_body(found.stream, found.version, found.topic, found.body, keys[found.subject]) for found in page
        ]
        update = sql.SQL(
            "UPDATE {}.stored_events AS e SET state = n.state"
            " FROM unnest(%b::bigint[], %b::bytea[]) AS n (position, state) WHERE e.notification_id = n.position"
        ).format(self._store)
        with self._changing("stored_events") as connection:
            connection.execute(sql.SQL("TRUNCATE {}.tiles").format(self._audit))
            connection.execute(sql.SQL("UPDATE {}.tree SET size = 0, position = 0").format(self._audit))
            connection.execute(update, [[found.position for found in page], sealed])

    def receipts(self) -> int:
        """Put the digests of receipts under the key of whom their record is about; returns how many."""
        self._events.streams_about([])  # brings the index up to the log
        find = sql.SQL(_RECEIPTS).format(store=self._store)
        update = sql.SQL(
            "UPDATE {}.receipts AS r SET digest = n.digest"
            " FROM unnest(%b::uuid[], %b::bytea[]) AS n (command_id, digest) WHERE r.command_id = n.command_id"
        ).format(self._store)
        done = 0
        while True:
            with self._changing("receipts") as connection:
                rows = connection.execute(find, [_PAGE]).fetchall()
                keys = self._keys.for_importing({subject for _, _, subject in rows})
                keyed = [subject.bytes + keys[subject].digest(bytes(digest)) for _, digest, subject in rows]
                connection.execute(update, [[command_id for command_id, _, _ in rows], keyed])
            if not rows:
                return done
            done += len(rows)

    def rewrite(self) -> None:
        """Write the tables anew, so that the bytes of before are gone from their files."""
        with translated(), self._events.pool.connection() as connection:
            for name in ("stored_events", "receipts"):
                connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}.{}").format(self._store, sql.Identifier(name)))

    @contextmanager
    def _changing(self, table: str) -> Iterator[Connection[tuple[Any, ...]]]:
        """A transaction under the append gate in which rows of a table may change."""
        switch = "ALTER TABLE {}.{} {} TRIGGER immutable"
        names = self._store, sql.Identifier(table)
        with translated(), self._events.pool.connection() as connection, connection.transaction():
            connection.execute(sql.SQL("SELECT {}.gate()").format(self._store))
            connection.execute(sql.SQL(switch).format(*names, sql.SQL("DISABLE")))
            yield connection
            connection.execute(sql.SQL(switch).format(*names, sql.SQL("ENABLE")))
