"""What a live writer waits while an import runs beside it, and while indexes are built and tables vacuumed.

The import is a process of its own, as in production: the whole of `dossier migrate run`. What is judged is its replay,
which appends to the same log; what the writer waits while tables are filled and the import is proven is told beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg

from adapters.bootstrap import Application
from benchmarks.append import live_event, request_of
from benchmarks.harness import Latency, Pair, Result, Server, summarise
from benchmarks.workload import sample

USERS: Final = 5_000
AT_REST: Final = 1_000
"""How many appends tell what a writer waits when nobody else works."""

PAUSE: Final = 0.005
GATE: Final = 0.2
"""The p99 beside an import may be five times that at rest."""


def run(server: Server, runs: int, size: int = USERS) -> list[Result]:
    """Measure the group, with an import of so many users."""
    with sample("contexts", size) as export:
        pairs = [_pair(server, export) for _ in range(runs)]
    name = "beside.append_p99"
    unit = "appends/s a writer, at its p99"
    return [summarise(name, unit, "the same writer at rest", GATE, pairs)]


def _pair(server: Server, export: Path) -> Pair:
    with server.database() as name, server.application(name) as app, ThreadPoolExecutor(2) as threads:
        left = iter(range(AT_REST))
        rest = Latency.of(_appended(app, lambda: next(left, None) is not None))
        url, replayed = server.url(name), threading.Event()
        importing = _import(url, export)
        listening = threads.submit(_listen, importing, replayed)
        keeping = threads.submit(_upkeep, url, importing)
        during = _appended(app, lambda: not replayed.is_set())
        afterwards = _appended(app, lambda: importing.poll() is None)
        for work in (listening, keeping):
            work.result()
        if importing.returncode not in (0, 1):  # 1: there were findings
            raise RuntimeError(f"the import ended with {importing.returncode}")
    beside, after = Latency.of(during), Latency.of(afterwards)
    print(
        f"beside.append_p99  at rest {rest.p99:.1f} ms, beside the replay {beside.p99:.1f} ms (p50 {beside.p50:.1f}),"
        f" beside what follows {after.p99:.1f} ms (p50 {after.p50:.1f})",
        flush=True,
    )
    return Pair(1000 / beside.p99, 1000 / rest.p99)


def _appended(app: Application, more: Callable[[], bool]) -> list[float]:
    """Append single events, with a pause after each, while there is more to do; return how long each took."""
    durations = []
    while more():
        wanted = request_of(live_event(uuid4(), 1))
        began = time.perf_counter()
        app.events.append(wanted)
        durations.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return durations


def _import(url: str, export: Path) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("dossier")), "migrate", "run", "contexts", "--source", str(export)]
    environment = os.environ | {"DOSSIER_DATABASE_URL": url}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _listen(importing: subprocess.Popen[str], replayed: threading.Event) -> None:
    """Read what the import says of its progress until it ends, and note when all of it is replayed."""
    assert importing.stderr is not None
    try:
        for line in importing.stderr:
            if line.startswith("replay:") and "(100 %)" in line:
                replayed.set()
    finally:
        replayed.set()


def _upkeep(url: str, importing: subprocess.Popen[str]) -> None:
    """Vacuum the log and build an index on it while the import runs."""
    with psycopg.connect(url, autocommit=True) as connection:
        while importing.poll() is None:
            connection.execute("VACUUM ANALYZE store.stored_events")
            connection.execute("CREATE INDEX CONCURRENTLY bench ON store.stored_events (topic)")
            connection.execute("DROP INDEX CONCURRENTLY store.bench")
            time.sleep(2)
