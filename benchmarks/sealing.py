"""A store that seals against one that does not: a replay, and commands that register new people and change them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from adapters.postgres.migration_store import PostgresMigrationStore
from adapters.sealing import key_text, new_key
from benchmarks.append import all_writers, registering
from benchmarks.harness import Benchmark, Result, Server, Work, pairs, result, summarise
from benchmarks.workload import replay, sample

SIZE: Final = 10_000
WRITERS: Final = 64


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    key = SecretStr(key_text(new_key()))
    name = f"sealing.replay_{SIZE}_users"
    with sample("contexts", SIZE) as export:
        benchmark = Benchmark(
            name,
            "events/s",
            "the same replay without a master key: nothing is sealed",
            0.6,
            partial(_replay, server, export, key),
            partial(_replay, server, export, None),
        )
        measured = pairs(server, benchmark, runs)
    replayed = summarise(name, benchmark.unit, benchmark.baseline_name, benchmark.gate, measured)
    commands = Benchmark(
        f"sealing.execute_{WRITERS}",
        "commands/s",
        "the same without a master key: nothing is sealed",
        None,
        all_writers(server, WRITERS, partial(registering, master_key=key), []),
        all_writers(server, WRITERS, registering, []),
    )
    return [replayed, result(server, commands, runs)]


@contextmanager
def _replay(server: Server, export: Path, master_key: SecretStr | None) -> Iterator[Work]:
    with server.database() as name, server.application(name, master_key) as app:
        store = PostgresMigrationStore(app.events, app.reads)
        yield lambda: sum(replay("contexts", export, store).appended.values())
