"""Who copies the tables by their names, and who swaps others in under these names, do so one after the other.

`pg_dump` has a snapshot of its own: tables that a swap puts in their place are empty in it, and it would not notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Connection

from adapters.postgres.locks import holding
from adapters.postgres.read_store import POSITIONS
from domain.errors import RunConflict

_NAME: Final = f"{POSITIONS} swap"
# A swap takes milliseconds once followers let it; a backup takes as long as the database is large.
PATIENCE: Final = "60s"


@contextmanager
def unswapped(conninfo: str, purpose: str) -> Iterator[Connection[tuple[Any, ...]]]:
    """Let no table be swapped in while the block runs; the lock is that of the connection, and lost with it."""
    conflict = RunConflict(
        "tables are being swapped in, or another backup or restore is under way",
        hint="wait for it (`dossier projections status`), then do this again",
    )
    with holding(conninfo, purpose) as locks:
        locks.wait_for(_NAME, PATIENCE, conflict)
        yield locks.connection


@contextmanager
def swapping(conninfo: str) -> Iterator[None]:
    """Hold backups up for a swap, and wait for the one under way."""
    conflict = RunConflict(
        "a backup or a restore is under way, and tables are not swapped meanwhile",
        hint="what was rebuilt is kept: `dossier projections resume` swaps it in when that is done",
    )
    with holding(conninfo, "swap") as locks:
        locks.wait_for(_NAME, PATIENCE, conflict)
        yield
