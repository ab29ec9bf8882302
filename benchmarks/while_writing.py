"""What readers wait while everything is rebuilt under them and 16 writers append, against the same without a rebuild.

The rebuild, the writers and a follower are processes of their own, as in production. That no reader meets an error, and
that what comes of it equals a rebuild at rest, is part of the run: it fails otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from adapters.bootstrap import Application
from benchmarks.harness import Latency, Pair, Result, Server, summarise
from benchmarks.workload import history
from benchmarks.writers import Writers
from domain.access import Actor
from projections import accounts
from projections.all import READ_MODELS
from projections.rebuild import Rebuilt, rebuild

EVENTS: Final = 400_000
WRITERS: Final = 16
WARMING: Final = 2.0
ALONE: Final = 10.0
"""Seconds that tell what a reader waits while nothing is rebuilt."""

PAUSE: Final = 0.005
READ: Final = 2_000
AT_MOST: Final = 2
"""Pairs that are run; one takes more than a minute."""

GATE: Final = 0.2
"""The p99 beside a rebuild may be five times that without."""


def run(server: Server, runs: int, size: int = EVENTS) -> list[Result]:
    """Measure the group, on about so many events."""
    with history(server, size, projected=True) as (template, _):
        pairs = [_pair(server, template) for _ in range(min(runs, AT_MOST))]
    unit = "reads/s, at their p99"
    return [summarise("while_writing.read_p99", unit, f"the same {WRITERS} writers, and no rebuild", GATE, pairs)]


def _pair(server: Server, template: str) -> Pair:
    with server.database(template) as name, server.application(name) as app:
        url = server.url(name)
        read = _reader(app)
        with Writers(url, WRITERS) as writers, _dossier(url, "projections", "follow"):
            time.sleep(WARMING)
            until = time.monotonic() + ALONE
            alone = _durations(read, lambda: time.monotonic() < until)
            with _dossier(url, "projections", "rebuild", "--json") as rebuilding:
                beside = _durations(read, lambda: rebuilding.poll() is None)
                told = json.loads(rebuilding.communicate()[0])
        if any(one["differing"] for one in told["comparisons"]) or not told["swapped"]:
            raise RuntimeError("what was rebuilt differs from what was followed")
        app.catch_up()
        at_rest = _at_rest(app)
        if any(one.differing for one in at_rest.comparisons) or len(at_rest.comparisons) < len(READ_MODELS):
            raise RuntimeError("what was rebuilt beside writers differs from a rebuild at rest")
    print(
        f"while_writing.read_p99  alone {alone.p99:.1f} ms (p50 {alone.p50:.1f}), beside {beside.p99:.1f} ms"
        f" (p50 {beside.p50:.1f}); rebuilt in {told['seconds']:.0f} s, {writers.written} accounts written meanwhile",
        flush=True,
    )
    return Pair(1000 / beside.p99, 1000 / alone.p99)


def _at_rest(app: Application) -> Rebuilt:
    with app.shadows().begin(READ_MODELS) as shadow:
        return rebuild(app.log, shadow, dry_run=True)


def _reader(app: Application) -> Callable[[], object]:
    """Return what reads an account with its active profile, or all profiles of an account; another one each time."""
    people = app.people(Actor.operator())
    ids: Iterator[UUID] = cycle([row["account_id"] for row in app.reads.fetch(accounts.MODEL)[:READ]])
    reads: Iterator[Callable[[UUID], object]] = cycle([people.account, people.profiles_of])

    def read() -> object:
        found = next(reads)(next(ids))
        if not found:
            raise RuntimeError("a reader found nothing where there was something")
        return found

    return read


def _durations(read: Callable[[], object], more: Callable[[], bool]) -> Latency:
    durations = []
    while more():
        began = time.perf_counter()
        read()
        durations.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return Latency.of(durations)


@contextmanager
def _dossier(url: str, *arguments: str) -> Iterator[subprocess.Popen[Any]]:
    """Run a command beside the block; it is told to stop at its end, if it runs still."""
    command = [str(Path(sys.executable).with_name("dossier")), *arguments]
    environment = os.environ | {"DOSSIER_DATABASE_URL": url}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
