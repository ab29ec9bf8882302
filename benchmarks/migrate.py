"""A whole migration, from JSON Lines to stored events with digests and ledger, against raw COPY of those events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from adapters.postgres.migration_store import PostgresMigrationStore
from benchmarks.copying import bare_events_table, copy_in_events
from benchmarks.harness import Benchmark, Pair, Result, Server, Work, pairs, summarise
from benchmarks.workload import EventRow, replay, sample, stored_rows

USERS: Final = 20_000
PLANNED: Final = 1_000 / 300
"""Users a second that the legacy team's plan asks for: 1000 in five minutes."""


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group; the first run's events are what the baseline copies."""
    with sample(USERS) as export:
        rows: list[EventRow] = []
        benchmark = Benchmark(
            f"migrate.{USERS}_users",
            "events/s",
            "COPY of the event rows it produced, in one go, into the same table without gate and guards",
            0.3,
            partial(ours, server, export, rows),
            partial(_copy, server, rows),
        )
        measured = pairs(server, benchmark, runs)
    events = summarise(benchmark.name, benchmark.unit, benchmark.baseline_name, benchmark.gate, measured)
    users = [Pair(pair.ours * USERS / len(rows), PLANNED) for pair in measured]
    plan = "the plan of the legacy team: 1000 users in 5 minutes"
    return [events, summarise(f"migrate.{USERS}_users_rate", "users/s", plan, 1.0, users)]


@contextmanager
def ours(server: Server, export: Path, rows: list[EventRow]) -> Iterator[Work]:
    """Replay into a fresh store; read its events out into `rows` the first time."""
    with server.database() as name, server.application(name) as app:
        store = PostgresMigrationStore(app.events, app.reads)
        yield lambda: sum(replay(export, store).appended.values())
        if not rows:
            rows += stored_rows(app)


@contextmanager
def _copy(server: Server, rows: list[EventRow]) -> Iterator[Work]:
    with bare_events_table(server) as connection:
        yield lambda: copy_in_events(connection, [rows])
