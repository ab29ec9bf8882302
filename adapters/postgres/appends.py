"""Appending commands: with whatever else waits, in one server call, each with its receipt and its own outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from adapters.errors import caused, is_lost, translate, translated, written_first
from adapters.postgres.append_request import Prepared, not_written, parameters, prepared, unknown_outcome
from adapters.postgres.event_codec import EventCodec
from adapters.postgres.groups import Counters, Group, Groups
from adapters.postgres.pool import Conn
from domain.errors import CommandIdReused, DossierError
from domain.service import Append, Receipt

_END_BACKEND: Final = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE pid = %s AND usename = current_user AND application_name = 'dossier' AND pid <> pg_backend_pid()
"""


@contextmanager
def gated(pool: ConnectionPool[Conn], schema: str) -> Iterator[Conn]:
    """Open a transaction that holds the append gate of a store."""
    with pool.connection() as connection, connection.transaction():
        connection.execute(sql.SQL("SELECT {}.gate()").format(sql.Identifier(schema)))
        yield connection


class Appends:
    """The requests of one process to a store, and the receipts there are. Thread-safe."""

    def __init__(self, pool: ConnectionPool[Conn], schema: str, codec: EventCodec) -> None:
        self._pool, self._schema, self._codec = pool, schema, codec
        name = sql.Identifier(schema)
        append = sql.SQL(
            "SELECT * FROM {}.append(%b::uuid[], %b::bytea[], %b::uuid[], %b::bigint[], %b::bigint[], %b::bigint[],"
            " %b::uuid[], %b::bigint[], %b::bigint[], %b::uuid[], %b::bigint[], %b::text[], %b::bytea[])"
        )
        self._append = append.format(name).as_bytes()
        self._receipts = sql.SQL(
            'SELECT command_id, digest, stream, version, "position", events FROM {}.receipts WHERE command_id = ANY(%s)'
        ).format(name)
        self._groups: Groups[Prepared, Receipt] = Groups(self._write, self._settle)

    @property
    def counters(self) -> Counters:
        """How many requests were appended in how many groups."""
        return self._groups.counters

    def append(self, request: Append) -> Receipt:
        """Append one command's events with its receipt (see `domain.service.EventStore`), with whatever else waits."""
        digest = self._codec.digest(request)
        return self._groups.submit(prepared(request, digest, self._codec.rows(request.events)))

    def receipt(self, command_id: UUID, digest: bytes) -> Receipt | None:
        """Return the receipt of a command id, None if it was never used; CommandIdReused if for another command."""
        with translated(), self._pool.connection() as connection:
            found = self._on_file(connection, [command_id]).get(command_id)
        if found is None:
            return None
        self._codec.check_same(command_id, digest, bytes(found[0]))
        return Receipt(*found[1:])

    def _write(self, group: Group[Prepared]) -> list[Receipt | Exception]:
        """Write a group in one server call; each request succeeds or fails by itself."""
        try:
            with self._pool.connection() as connection:
                group.backend = connection.info.backend_pid
                rows = connection.execute(self._append, parameters(group.requests), prepare=True).fetchall()
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
            self._pool.check()  # what broke this connection may have broken the others
            # The lost backend may not have read the request yet: end it, so that nothing is written after we looked.
            with self._pool.connection() as connection:
                connection.execute(_END_BACKEND, [group.backend])
            with gated(self._pool, self._schema) as connection:  # waits until the lost transaction ended either way
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
                self._codec.check_same(request.wanted.command_id, request.wanted.digest, bytes(digest))
            except CommandIdReused as error:
                return error
            except DossierError as error:  # it was written, and whether it was this command cannot be told now
                return unknown_outcome(request, error)
        return Receipt(*receipt)

    def _on_file(self, connection: Conn, ids: list[UUID]) -> dict[UUID, tuple[Any, ...]]:
        """Return digest and receipt by command id, of those that were ever used."""
        return {row[0]: row[1:] for row in connection.execute(self._receipts, [ids]).fetchall()}
