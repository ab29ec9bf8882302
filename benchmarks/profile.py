"""Where the time goes in one run of ours: `python -m benchmarks profile replay|rebuild|follow`."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from benchmarks import follow, migrate, rebuild
from benchmarks.harness import Server, Side
from benchmarks.workload import history, sample

USERS: Final = 3_000
EVENTS: Final = 60_000
LINES: Final = 35
SUBJECTS: Final = ("replay", "rebuild", "follow")


def profile(server: Server, subject: str) -> None:
    """Profile one run and print its most expensive functions: by their own time, then with what they call."""
    with _side(server, subject) as side, side() as work:
        profiler = cProfile.Profile()
        profiler.runcall(work)
    stats = pstats.Stats(profiler).strip_dirs()
    stats.sort_stats("tottime").print_stats(LINES)
    stats.sort_stats("cumulative").print_stats(LINES)


@contextmanager
def _side(server: Server, subject: str) -> Iterator[Side]:
    if subject == "replay":
        with sample("contexts", USERS) as export:
            yield partial(migrate.ours, server, "contexts", export, [])
        return
    group = rebuild if subject == "rebuild" else follow
    with history(server, EVENTS, projected=subject == "rebuild") as (template, _):
        yield group.ours(server, template)
