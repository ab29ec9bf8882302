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

SIZE: Final = 20_000
ROOTS: Final = {
    "contexts": "users",
    "caregivers": "caregivers",
    "cases": "cases",
    "talent": "talent_users",
    "decks": "deck_users",
}
"""What the root records of each system are."""

GATES: Final = {"contexts": 0.4, "caregivers": 0.3, "cases": 0.3, "talent": 0.3, "decks": 0.3}
"""What share of a bare COPY is asked for."""

PLANNED: Final = {"contexts": 1_000 / 300}
"""Root records a second that the legacy team's plan asks for, where it does: 1000 users in five minutes."""


def run(system: str, server: Server, runs: int, size: int = SIZE) -> list[Result]:
    """Measure a system; the first run's events are what the baseline copies."""
    roots = ROOTS[system]
    name = f"migrate_{system}.{size}_{roots}"
    with sample(system, size) as export:
        rows: list[EventRow] = []
        benchmark = Benchmark(
            name,
            "events/s",
            "COPY of the event rows it produced, in one go, into the same table without gate and guards",
            GATES[system],
            partial(ours, server, system, export, rows),
            partial(_copy, server, rows),
        )
        measured = pairs(server, benchmark, runs)
    results = [summarise(name, benchmark.unit, benchmark.baseline_name, benchmark.gate, measured)]
    if planned := PLANNED.get(system):
        rates = [Pair(pair.ours * size / len(rows), planned) for pair in measured]
        plan = f"the plan of the legacy team: 1000 {roots} in 5 minutes"
        results.append(summarise(f"{name}_rate", f"{roots}/s", plan, 1.0, rates))
    return results


@contextmanager
def ours(server: Server, system: str, export: Path, rows: list[EventRow]) -> Iterator[Work]:
    """Replay into a fresh store; read its events out into `rows` the first time."""
    with server.database() as name, server.application(name) as app:
        store = PostgresMigrationStore(app.events, app.reads)
        yield lambda: sum(replay(system, export, store).appended.values())
        if not rows:
            rows += stored_rows(app)


@contextmanager
def _copy(server: Server, rows: list[EventRow]) -> Iterator[Work]:
    with bare_events_table(server) as connection:
        yield lambda: copy_in_events(connection, [rows])
