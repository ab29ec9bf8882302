"""Driver errors become errors of our tree here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool
from eventsourcing.persistence import PersistenceError
from psycopg import errors as pg

from domain.errors import DossierError, SchemaMismatch, StoreBusy, StoreError, StoreUnavailable, VersionConflict

_LOST = (psycopg.OperationalError, psycopg.InterfaceError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what psycopg, its pool or the eventsourcing library raise as errors of our tree.

    Messages of the server that may quote values are left out; SQLSTATE and constraint name stay.
    """
    try:
        yield
    except (psycopg.Error, PersistenceError) as error:
        raise translate(error) from error


def translate(error: Exception) -> StoreError | VersionConflict:
    """Return the error of our tree that stands for a driver's error."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    match cause:
        case pg.LockNotAvailable():
            return StoreBusy("another writer holds the lock; nothing was written", hint="try again in a moment")
        case pg.QueryCanceled():
            return StoreBusy("the statement took too long and was cancelled", hint="try again in a moment")
        case pg.UniqueViolation() if cause.diag.table_name == "stored_events":
            return written_first()
        case pg.UndefinedTable() | pg.InvalidSchemaName() | pg.UndefinedFunction():
            return SchemaMismatch("the database is not initialised for this release", hint="run `dossier db init`")
        case psycopg_pool.PoolTimeout():
            return StoreUnavailable(
                "no database connection was free in time", hint="is the server up? `dossier db status`"
            )
        case _ if isinstance(cause, _LOST):
            return StoreUnavailable(
                "the database cannot be reached, or the connection broke", hint="check it with `dossier db status`"
            )
        case psycopg.Error():
            detail = cause.diag.constraint_name or cause.diag.table_name or ""
            return StoreError(f"the database refused: {type(cause).__name__} ({cause.sqlstate}) {detail}".rstrip())
        case _:
            return StoreError(f"the store refused: {type(error).__name__}")


def written_first() -> VersionConflict:
    """Return the error for a stream that is further than the writer thought."""
    return VersionConflict("somebody else wrote to the stream first", hint="load it again and decide anew")


def caused(error: DossierError, cause: BaseException | None) -> DossierError:
    """Return an error, to be raised later, with its cause."""
    error.__cause__ = cause
    return error


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether the error leaves open what the server did: it went away instead of answering."""
    if isinstance(error, psycopg_pool.PoolTimeout) or not isinstance(error, _LOST):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
