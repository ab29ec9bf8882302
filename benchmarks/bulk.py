"""Bulk append through the gate against bare COPY: the same rows, batches and commits into the same table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from benchmarks.copying import bare_events_table, copy_in_events
from benchmarks.harness import Benchmark, Result, Server, Work, result
from benchmarks.workload import BULK_ROWS, EventRow, batches, imported_rows

ROWS: Final = 100_000
USERS: Final = 6_800
"""Enough users that their import makes so many rows."""


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    rows = imported_rows(USERS)[:ROWS]
    if len(rows) < ROWS:
        raise RuntimeError(f"an import of {USERS} users makes {len(rows)} events only")
    benchmark = Benchmark(
        f"bulk.append_{ROWS}",
        "events/s",
        f"COPY of the same rows, {BULK_ROWS} a commit, into the same table without gate and guards",
        0.7,
        partial(_ours, server, rows),
        partial(_copy, server, rows),
    )
    return [result(server, benchmark, runs)]


@contextmanager
def _ours(server: Server, rows: list[EventRow]) -> Iterator[Work]:
    with server.database() as name, server.application(name) as app:

        def work() -> int:
            for batch in batches(rows):
                app.events.append_rows(batch)
            return len(rows)

        yield work


@contextmanager
def _copy(server: Server, rows: list[EventRow]) -> Iterator[Work]:
    with bare_events_table(server) as connection:
        yield lambda: copy_in_events(connection, batches(rows))
