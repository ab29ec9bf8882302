"""Paired measurements: ours and the baseline in turn, on one durable server, and what five such pairs say."""

from __future__ import annotations

import gc
import math
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from adapters.bootstrap import Application, application
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.embedded_host import choose_home
from adapters.settings import Settings

RUNS: Final = 5
SECONDS: Final = 240.0
"""What the pairs of one benchmark may take, so that a group ends in five minutes."""

Work = Callable[[], int]
"""The work to be timed; returns how many units it did."""

Side = Callable[[], AbstractContextManager[Work]]
"""Sets up one run of ours or of the baseline, outside the timing, and clears up after it."""


@dataclass(frozen=True)
class Benchmark:
    """One figure: what is compared, in which unit, and the ratio it is asked to reach (None: told, not asked)."""

    name: str
    unit: str
    baseline_name: str
    gate: float | None
    ours: Side
    baseline: Side


class Pair(NamedTuple):
    """The rates of one run of ours and one of the baseline, in units a second."""

    ours: float
    baseline: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours was: higher is better."""
        return self.ours / self.baseline


@dataclass(frozen=True)
class Result:
    """A line of `latest.json`. `ratio` is the median of the paired ratios, `spread` the least and the most of them."""

    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float
    ratio: float
    spread: tuple[float, float]
    gate: float | None

    @property
    def met(self) -> bool:
        """Whether the ratio reaches the gate."""
        return self.gate is None or self.ratio >= self.gate


def summarise(name: str, unit: str, baseline: str, gate: float | None, pairs: Sequence[Pair]) -> Result:
    """Return what the pairs say together."""
    ratios = [pair.ratio for pair in pairs]
    return Result(
        name=name,
        value=round(median(pair.ours for pair in pairs), 2),
        unit=unit,
        baseline=baseline,
        baseline_value=round(median(pair.baseline for pair in pairs), 2),
        ratio=round(median(ratios), 3),
        spread=(round(min(ratios), 3), round(max(ratios), 3)),
        gate=gate,
    )


class Latency(NamedTuple):
    """How long queries took, in ms: half of them no longer than `p50`, 99 of 100 no longer than `p99`."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Return what single durations say together."""
        in_order = sorted(seconds)
        return cls(*(1000 * in_order[math.ceil(len(in_order) * share / 100) - 1] for share in (50, 99)))


class Server:
    """A PostgreSQL server of our own with the settings Dossier gives its embedded one, so fsync is on."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self._url = embedded.ensure_running()
        self._admin_url = embedded.admin_url()

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Make a database for one run, empty or a copy of another, and drop it at the end; gives its name."""
        name = f"bench_{uuid4().hex[:12]}"
        statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
        self._run(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            self._run(drop, self._admin_url)  # which may also end an autovacuum worker

    @contextmanager
    def application(self, database: str, master_key: SecretStr | None = None) -> Iterator[Application]:
        """Open Dossier on a database as the composition root does, its tables made; sealing if a key is given."""
        with application(Settings(database_url=SecretStr(self.url(database)), master_key=master_key)) as app:
            app.initialise()
            yield app

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return make_conninfo(self._url, dbname=database)

    def settle(self) -> None:
        """Write out what earlier work left behind, so that it does not weigh on the next."""
        self._run(sql.SQL("CHECKPOINT"), self._admin_url)

    def version(self) -> str:
        """Return the server's version."""
        with psycopg.connect(self._url) as connection:
            return str(connection.info.parameter_status("server_version"))

    def _run(self, statement: sql.SQL | sql.Composed, url: str | None = None) -> None:
        with psycopg.connect(url or self._url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def server() -> Iterator[Server]:
    """Start a server with its data in the folder for temporary files; stop and remove it at the end."""
    home = choose_home(Path(tempfile.gettempdir()) / f"dossier-bench-{uuid4().hex[:12]}")[0]
    embedded = EmbeddedPostgres(home)
    try:
        yield Server(embedded)
    finally:
        embedded.stop()
        shutil.rmtree(home, ignore_errors=True)


def facts(running: Server) -> str:
    """Say what the figures were taken on."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"PostgreSQL {running.version()}, fsync on"
    )


def rate(running: Server, side: Side) -> float:
    """Do one run of a side and return its rate, in units a second."""
    with side() as work, _settled(running):
        began = time.perf_counter()
        units = work()
        seconds = time.perf_counter() - began
    return units / seconds


def latency(running: Server, queries: Iterable[Callable[[], object]]) -> Latency:
    """Ask one query after the other and return how long each took."""
    durations = []
    with _settled(running):
        for query in queries:
            began = time.perf_counter()
            query()
            durations.append(time.perf_counter() - began)
    return Latency.of(durations)


@contextmanager
def _settled(running: Server) -> Iterator[None]:
    running.settle()
    gc.collect()
    gc.freeze()  # what the set-up holds in memory is not looked at again by the collector in either side's run
    yield
    gc.unfreeze()


def pairs(running: Server, benchmark: Benchmark, runs: int) -> list[Pair]:
    """Run ours and the baseline in turn, and say so; fewer pairs where the time for a benchmark would not do."""
    measured: list[Pair] = []
    began = time.monotonic()
    for number in range(1, runs + 1):
        spent = time.monotonic() - began
        if measured and spent + spent / len(measured) > SECONDS:
            print(f"{benchmark.name}  there is no time for more than {len(measured)} pairs")
            break
        pair = Pair(rate(running, benchmark.ours), rate(running, benchmark.baseline))
        measured.append(pair)
        print(
            f"{benchmark.name}  {number}/{runs}  {pair.ours:,.0f} to {pair.baseline:,.0f} {benchmark.unit}"
            f"  ratio {pair.ratio:.3f}",
            flush=True,
        )
    return measured


def result(running: Server, benchmark: Benchmark, runs: int) -> Result:
    """Run a benchmark and sum it up."""
    measured = pairs(running, benchmark, runs)
    return summarise(benchmark.name, benchmark.unit, benchmark.baseline_name, benchmark.gate, measured)
