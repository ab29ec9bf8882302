"""The dead letters that the tables keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import sql

from adapters.errors import translated
from adapters.postgres.read_store import PostgresReadStore


class KeptLetter(NamedTuple):
    """An event that halts its stream in a read model: why, how often it was tried, since when."""

    read_model: str
    stream: UUID
    version: int
    position: int
    topic: str
    error: str
    attempts: int
    failed_at: datetime
    tried_at: datetime


def kept_letters(
    reads: PostgresReadStore,
    *,
    read_models: Sequence[str],
    streams: Sequence[UUID] | None = None,
    limit: int | None = None,
    after: tuple[int, str] | None = None,
) -> list[KeptLetter]:
    """Return dead letters by position and read model; `after` is both of the last one of the page before."""
    position, model = after or (None, None)
    query = sql.SQL(
        "SELECT {} FROM {} WHERE read_model = ANY(%(models)s)"
        " AND (%(streams)s::uuid[] IS NULL OR stream = ANY(%(streams)s))"
        " AND (%(position)s::bigint IS NULL OR (position, read_model) > (%(position)s::bigint, %(model)s::text))"
        " ORDER BY position, read_model LIMIT %(limit)s"
    ).format(sql.SQL(", ").join(map(sql.Identifier, KeptLetter._fields)), reads.dead_letters)
    values: dict[str, Any] = {
        "models": list(read_models),
        "streams": None if streams is None else list(streams),
        "limit": limit,
        "position": position,
        "model": model,
    }
    with translated(), reads.pool.connection() as connection:
        return [KeptLetter(*row) for row in connection.execute(query, values)]


def counted_letters(reads: PostgresReadStore) -> dict[str, int]:
    """Return how many records stand still, by read model."""
    query = sql.SQL("SELECT read_model, count(*) FROM {} GROUP BY read_model").format(reads.dead_letters)
    with translated(), reads.pool.connection() as connection:
        return dict(connection.execute(query).fetchall())
