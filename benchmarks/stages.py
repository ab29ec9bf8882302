"""Where the time of one run of ours goes: `python -m benchmarks stages append|execute|load|follow|rebuild|replay`.

A stage is a function that is timed while it runs, less what the stages it calls take. Timing costs a microsecond or two
a call, so fine stages look a little dearer than they are. `--functions` shows all functions, by cProfile, instead.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from threading import local
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import psycopg
import psycopg_pool
from rich.console import Console
from rich.table import Table

from adapters.bootstrap import Application
from adapters.postgres import appends, event_codec, event_reads, event_store, read_store, shadow
from adapters.postgres.migration_store import PostgresMigrationStore
from benchmarks import append, follow, load, migrate
from benchmarks.harness import Server, Side, Work
from benchmarks.workload import history, in_application, sample
from domain import decider, service
from migrations_replay import bundle, replay, snapshots
from migrations_replay.systems import contexts
from projections import taking_in
from projections.all import READ_MODELS
from projections.rebuild import rebuild

USERS: Final = 3_000
EVENTS: Final = 60_000
LINES: Final = 35


class Stage(NamedTuple):
    """A name, and the function it stands for: where it is looked up, and what it is called there.

    One that begins with a colon is told apart by what calls it: `: sent` of `read: rows` is `read: sent`.
    """

    name: str
    owner: Any
    function: str


@dataclass
class Spent:
    """What a stage took in all, in seconds: by the clock, and of the processor in its own thread."""

    calls: int = 0
    wall: float = 0.0
    cpu: float = 0.0


class _Running:
    """A stage at work in one thread, with when it began and what those it called took."""

    def __init__(self, name: str) -> None:
        self.name, self.inner_wall, self.inner_cpu = name, 0.0, 0.0
        self.wall, self.cpu = time.perf_counter(), time.thread_time()


@dataclass
class Clock:
    """Times stages, each without those it calls, in any number of threads."""

    spent: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    _thread: local = field(default_factory=local)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is timed as a stage."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            stack: list[_Running] = self._thread.__dict__.setdefault("stack", [])
            caller = stack[-1].name.partition(":")[0] if stack else "other"
            stack.append(_Running(f"{caller}{name}" if name.startswith(":") else name))
            try:
                return function(*args, **kwargs)
            finally:
                self._end(stack)

        return call

    def _end(self, stack: list[_Running]) -> None:
        ended = stack.pop()
        wall, cpu = time.perf_counter() - ended.wall, time.thread_time() - ended.cpu
        spent = self.spent[ended.name]
        spent.calls += 1
        spent.wall += wall - ended.inner_wall
        spent.cpu += cpu - ended.inner_cpu
        if stack:
            stack[-1].inner_wall += wall
            stack[-1].inner_cpu += cpu

    @contextmanager
    def over(self, stages: Sequence[Stage]) -> Iterator[None]:
        """Time these stages until the block ends."""
        with ExitStack() as patched:
            for name, owner, function in stages:
                timed = self.timed(name, getattr(owner, function))
                patched.enter_context(patch.object(owner, function, timed))
            yield


_DRIVER: Final = (
    Stage(": connection from the pool", psycopg_pool.ConnectionPool, "getconn"),
    Stage(": connection to the pool", psycopg_pool.ConnectionPool, "putconn"),
    Stage(": made ready by the driver", psycopg.Cursor, "execute"),
    Stage(": sent, waited for, received", psycopg.Connection, "wait"),
)
_READ: Final = (
    Stage("read: rows", event_reads.EventReads, "_rows"),
    Stage("read: decode", event_codec.EventCodec, "recorded"),
)
_APPEND: Final = (
    Stage("append: encode", event_codec.EventCodec, "rows"),
    Stage("append: put together", appends, "prepared"),
    Stage("append: put together", appends, "parameters"),
    Stage("append: in line", appends.Appends, "append"),
)
_ROWS: Final = (
    Stage("tables: rows loaded", read_store.PostgresReadTransaction, "load"),
    Stage("tables: rows saved", read_store.PostgresReadTransaction, "save"),
    Stage("fold", taking_in, "fold_events"),
    Stage("keys", taking_in, "_keys"),
    Stage("events to read models", taking_in, "by_model"),
)


class Subject(NamedTuple):
    """What is timed, in which unit; `side` sets it up, for so many writers where there may be several."""

    unit: str
    side: Callable[[Server, int], Any]
    stages: Sequence[Stage]


@contextmanager
def _commands(setup: append.Setup, server: Server, writers: int) -> Iterator[Side]:
    @contextmanager
    def side() -> Iterator[Work]:
        with setup(server, writers) as shares:
            yield partial(append.all_at_once, shares, [])

    yield side


@contextmanager
def _load(server: Server, _: int) -> Iterator[Side]:
    yield partial(load.ours, server)


@contextmanager
def _follow(server: Server, _: int) -> Iterator[Side]:
    with history(server, EVENTS, projected=False) as (template, _):
        yield follow.ours(server, template)


@contextmanager
def _rebuild(server: Server, _: int) -> Iterator[Side]:
    def alone(app: Application) -> int:  # helpers would be processes of their own, which nobody times
        with app.shadows(workers=1).begin(READ_MODELS) as begun:
            return rebuild(app.log, begun).events

    with history(server, EVENTS, projected=True) as (template, _):
        yield in_application(server, template, alone)


@contextmanager
def _replay(server: Server, _: int) -> Iterator[Side]:
    with sample("contexts", USERS) as export:
        yield partial(migrate.ours, server, "contexts", export, [])


SUBJECTS: Final = {
    "append": Subject("event", partial(_commands, append.through_store), (*_DRIVER, *_APPEND)),
    "execute": Subject(
        "command",
        partial(_commands, append.through_execute),
        (
            *(*_DRIVER, *_READ, *_APPEND),
            Stage("digest of the command", service, "payload_digest"),
            Stage("read: in line", event_reads.EventReads, "load_since"),
            Stage("recent states, fold", service.Dossier, "_load"),
            Stage("decide", service.Dossier, "_decide"),
        ),
    ),
    "load": Subject("event", _load, (*_DRIVER, *_READ, Stage("fold", decider.Decider, "fold"))),
    "follow": Subject("event", _follow, (*_DRIVER, *_READ, *_ROWS)),
    "rebuild": Subject(
        "event",
        _rebuild,
        (
            *(*_DRIVER, *_READ, *_ROWS),
            Stage("read: rows", psycopg.ServerCursor, "fetchmany"),
            Stage("tables: keys, indexes, ANALYZE", shadow.PostgresShadow, "_complete"),
            Stage("tables: compare", shadow.PostgresShadow, "compare"),
            Stage("tables: swap", shadow.PostgresShadow, "swap"),
        ),
    ),
    "replay": Subject(
        "event",
        _replay,
        (
            *_DRIVER,
            Stage("index the source", bundle.BundleIndex, "__init__"),
            Stage("read a bundle", bundle.BundleIndex, "_bundle"),
            Stage("derive", contexts.ContextsSystem, "derive"),
            Stage("count leaves, take note", replay.Outcome, "take"),
            Stage("snapshot events", snapshots, "snapshot_of"),
            Stage("envelopes", replay.Replay, "_first"),
            Stage("append: encode", event_codec.EventCodec, "rows"),
            Stage("append: COPY", event_store.PostgresEventStore, "append_rows"),
            Stage("look up: what is there", PostgresMigrationStore, "recorded"),
            Stage("look up: what is there", PostgresMigrationStore, "begun"),
        ),
    ),
}


def show(server: Server, name: str, writers: int) -> None:
    """Time one run and print what each stage took a unit."""
    subject, clock = SUBJECTS[name], Clock()
    with subject.side(server, writers) as side, side() as work, clock.over(subject.stages):
        server.settle()
        began, busy = time.perf_counter(), time.process_time()
        units = work()
        whole = Spent(units, time.perf_counter() - began, time.process_time() - busy)
    title = f"{name}: {units:,} {subject.unit}s, {writers} at once; µs a {subject.unit}"
    table = Table(title=title, title_justify="left")
    for heading in ("stage", "calls", "waited and worked", "processor", "of the processor"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    rows = sorted(clock.spent.items(), key=lambda item: -item[1].cpu)
    rest = Spent(0, 0.0, whole.cpu - sum(spent.cpu for _, spent in rows))
    for stage, spent in [*rows, ("the rest", rest), ("in all", whole)]:
        wall = f"{1e6 * spent.wall / units:,.1f}" if spent.wall else ""
        share = f"{100 * spent.cpu / whole.cpu:.0f} %"
        table.add_row(stage, f"{spent.calls:,}", wall, f"{1e6 * spent.cpu / units:,.1f}", share)
    Console(width=120).print(table)


def functions(server: Server, name: str) -> None:
    """Profile one run and print its most expensive functions: by their own time, then with what they call."""
    with SUBJECTS[name].side(server, 1) as side, side() as work:
        profiler = cProfile.Profile()
        profiler.runcall(work)
    stats = pstats.Stats(profiler).strip_dirs()
    stats.sort_stats("tottime").print_stats(LINES)
    stats.sort_stats("cumulative").print_stats(LINES)
