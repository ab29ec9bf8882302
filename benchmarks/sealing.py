"""Replay into a store that seals, against the same replay into one that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from adapters.postgres.migration_store import PostgresMigrationStore
from adapters.sealing import key_text, new_key
from benchmarks.harness import Benchmark, Result, Server, Work, pairs, summarise
from benchmarks.workload import replay, sample

SIZE: Final = 10_000


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    name = f"sealing.replay_{SIZE}_users"
    with sample("contexts", SIZE) as export:
        benchmark = Benchmark(
            name,
            "events/s",
            "the same replay without a master key: nothing is sealed",
            0.6,
            partial(_replay, server, export, SecretStr(key_text(new_key()))),
            partial(_replay, server, export, None),
        )
        measured = pairs(server, benchmark, runs)
    return [summarise(name, benchmark.unit, benchmark.baseline_name, benchmark.gate, measured)]


@contextmanager
def _replay(server: Server, export: Path, master_key: SecretStr | None) -> Iterator[Work]:
    with server.database() as name, server.application(name, master_key) as app:
        store = PostgresMigrationStore(app.events, app.reads)
        yield lambda: sum(replay("contexts", export, store).appended.values())
