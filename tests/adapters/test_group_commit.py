"""Groups: what waits together is written, or read, together, and each request is answered for itself."""

from __future__ import annotations

import inspect
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres import groups
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.groups import GROUP_BYTES, GROUP_EVENTS, Group, Groups
from adapters.postgres.pool import open_pool
from domain.errors import CommandIdReused, StoreBusy, StoreError, StoreUnavailable, UnknownOutcome, VersionConflict
from domain.service import Append, Receipt
from tests.support.proxy import proxied
from tests.support.writer import registered, request

# --- who writes what, without a database -------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    name: int
    events: int = 1
    size: int = 10


@dataclass
class Paper:
    """Takes down groups; the first is held up until it is let go."""

    groups: list[list[int]] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    fail: Callable[[], None] = lambda: None

    def write(self, group: Group[Wish]) -> list[int | Exception]:
        group.backend = 7
        self.groups.append([wish.name for wish in group.requests])
        self.threads.append(threading.get_ident())
        assert self.go.wait(10)
        self.fail()
        return [KeyError(wish.name) if wish.name % 10 == 9 else wish.name for wish in group.requests]

    def settle(self, group: Group[Wish]) -> list[int | Exception]:
        assert group.backend == 7
        return [-wish.name for wish in group.requests]


def _submitted(commit: Groups[Wish, int], paper: Paper, wishes: Sequence[Wish]) -> list[Future[int]]:
    """Submit wishes one after the other, each from a thread of its own; the first is being written meanwhile."""
    threads = ThreadPoolExecutor(len(wishes))
    futures = []
    for number, wish in enumerate(wishes):
        futures.append(threads.submit(commit.submit, wish))
        _until(partial(_stands, commit, number))
        _until(lambda: bool(paper.groups))
    threads.shutdown(wait=False)
    return futures


def _stands(commit: Groups[Any, Any], waiting: int) -> bool:
    """Tell whether one leads and so many wait behind it."""
    return commit._leader is not None and len(commit._waiting) == waiting


def _until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not met():
        assert time.monotonic() < end
        time.sleep(0.001)


def _result(future: Future[int]) -> object:
    error = future.exception(10)
    return type(error) if error else future.result()


def test_a_lone_request_is_written_by_its_own_thread() -> None:
    paper = Paper()
    paper.go.set()
    commit: Groups[Wish, int] = Groups(paper.write, paper.settle)
    assert [commit.submit(Wish(1)), commit.submit(Wish(2))] == [1, 2]
    assert paper.groups == [[1], [2]]
    assert set(paper.threads) == {threading.get_ident()}


def test_what_waits_is_written_together_in_the_order_it_came_and_answered_one_by_one() -> None:
    paper = Paper()
    commit: Groups[Wish, int] = Groups(paper.write, paper.settle)
    futures = _submitted(commit, paper, [Wish(name) for name in (5, 8, 9, 3, 19)])
    paper.go.set()
    assert [_result(future) for future in futures] == [5, 8, KeyError, 3, KeyError]
    assert paper.groups == [[5], [8, 9, 3, 19]]
    assert (commit.counters.groups, commit.counters.requests, commit.counters.largest) == (2, 5, 4)


def test_a_group_is_bounded_in_events_and_bytes_and_holds_one_request_at_least() -> None:
    paper = Paper()
    commit: Groups[Wish, int] = Groups(paper.write, paper.settle)
    wishes = [
        Wish(1), Wish(2, events=GROUP_EVENTS - 1), Wish(3), Wish(4), Wish(5, size=GROUP_BYTES), Wish(6, size=0),
        Wish(7, events=GROUP_EVENTS * 3, size=GROUP_BYTES * 3), Wish(8),
    ]  # fmt: skip
    futures = _submitted(commit, paper, wishes)
    paper.go.set()
    assert [_result(future) for future in futures] == list(range(1, 9))
    assert paper.groups == [[1], [2, 3], [4], [5, 6], [7], [8]]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError])
def test_when_a_leader_fails_its_group_finds_out_and_another_leads(error: type[BaseException]) -> None:
    paper = Paper()
    commit: Groups[Wish, int] = Groups(paper.write, paper.settle)

    def fail() -> None:
        if len(paper.groups) == 2:
            raise error

    paper.fail = fail
    futures = _submitted(commit, paper, [Wish(name) for name in (1, 2, 3, 4)])
    paper.go.set()
    assert _result(futures[0]) == 1
    assert _result(futures[1]) == (-2 if error is MemoryError else error)  # 2 led: an error does not end its thread
    assert [_result(future) for future in futures[2:]] == [-3, -4]
    assert commit.submit(Wish(5)) == 5


def test_who_is_interrupted_while_it_waits_leaves_the_line_to_the_others() -> None:
    paper = Paper()
    commit: Groups[Wish, int] = Groups(paper.write, paper.settle)
    futures = _submitted(commit, paper, [Wish(1)])

    def interrupt() -> None:
        _until(lambda: len(commit._waiting) == 1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        commit.submit(Wish(2))
    paper.go.set()
    assert _result(futures[0]) == 1
    assert commit.submit(Wish(3)) == 3
    assert paper.groups == [[1], [3]]


# --- on PostgreSQL -----------------------------------------------------------------------------------------------


class _Switch:
    """A mutex whose holder B loses the processor right after it let go of it."""

    def __init__(self) -> None:
        self._lock, self.reached, self.goes_on = threading.Lock(), threading.Event(), threading.Event()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if threading.current_thread().name == "B" and not self.reached.is_set():
            self.reached.set()
            assert self.goes_on.wait(10)


def test_who_is_to_lead_before_it_sleeps_strands_nobody() -> None:
    paper, switch = Paper(), _Switch()
    commit: Groups[Wish, int] = Groups(paper.write, paper.settle)
    commit._mutex = switch  # type: ignore[assignment]
    answers: dict[int, int] = {}

    def submit(name: int) -> None:
        answers[name] = commit.submit(Wish(name))

    threads = [threading.Thread(target=submit, args=[n], name=name, daemon=True) for n, name in enumerate("ABCD")]
    threads[0].start()
    _until(lambda: bool(paper.groups))
    threads[1].start()
    assert switch.reached.wait(10)
    for thread in threads[2:]:
        thread.start()
    _until(lambda: len(commit._waiting) == 3)
    paper.go.set()  # A hands over to B, which has not begun to sleep
    _until(lambda: commit._leader is not None and commit._leader.request.name == 1)
    switch.goes_on.set()
    for thread in threads:
        thread.join(10)
    assert answers == {n: n for n in range(4)}


def _interrupting(function: str, line: int) -> Callable[..., Any]:
    """Return a trace function that interrupts its thread once, at that line of a function of the groups."""
    left = [KeyboardInterrupt]

    def trace(frame: Any, event: str, _: object) -> Any:
        if frame.f_code.co_filename != groups.__file__ or frame.f_code.co_name != function:
            return trace if event == "call" else None
        if event == "line" and frame.f_lineno == line and left:
            raise left.pop()
        return trace

    return trace


_LINES = [
    (function.__name__, first + number)
    for function in (Groups._lead, Groups._next, Groups._leave, Groups._hand_over)
    for text, first in [inspect.getsourcelines(function)]
    for number in range(1, len(text))
]


@pytest.mark.parametrize(
    ("function", "line"),
    [*_LINES[3::12], *(pytest.param(*line, marks=pytest.mark.soak) for line in _LINES)],
    ids=str,
)
def test_who_is_interrupted_anywhere_while_it_leads_strands_nobody(
    monkeypatch: pytest.MonkeyPatch, function: str, line: int
) -> None:
    monkeypatch.setattr(groups, "PATIENCE", 0.05)
    paper = Paper()
    commit: Groups[Wish, int] = Groups(paper.write, lambda group: [-wish.name for wish in group.requests])
    answers: dict[int, int] = {}

    def submit(name: int) -> None:
        if name == 1:
            sys.settrace(_interrupting(function, line))
        with suppress(KeyboardInterrupt):
            answers[name] = commit.submit(Wish(name))

    threads = [threading.Thread(target=submit, args=[name], daemon=True) for name in range(4)]
    for number, thread in enumerate(threads):
        thread.start()
        _until(partial(_stands, commit, number))
        _until(lambda: bool(paper.groups))
    paper.go.set()
    for thread in threads:
        thread.join(10)
    assert {name: abs(answer) for name, answer in answers.items()} == {name: name for name in answers}
    assert answers.keys() >= {0, 2, 3}
    assert commit.submit(Wish(7)) == 7


@contextmanager
def _gate_held(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT store.gate()")
        yield connection


@contextmanager
def _in_line(store: PostgresEventStore, url: str, requests: Sequence[Append]) -> Iterator[list[Future[Receipt]]]:
    """Hold the gate until the block ends, with the first request at it and the others in line behind, in order."""
    with ThreadPoolExecutor(len(requests)) as threads, _gate_held(url):
        yield _lined_up(threads, store._appends._groups, store.append, requests)


def _lined_up(
    threads: ThreadPoolExecutor, groups: Groups[Any, Any], call: Callable[[Any], Any], requests: Sequence[Any]
) -> list[Future[Any]]:
    futures: list[Future[Any]] = []
    for number, wanted in enumerate(requests):
        futures.append(threads.submit(call, wanted))
        _until(partial(_stands, groups, number))
    return futures


def _error(future: Future[Receipt]) -> object:
    return type(future.exception(10))


def test_each_request_of_a_group_succeeds_or_fails_by_itself(store: PostgresEventStore, database_url: str) -> None:
    a, b, c, d, used, twice = (uuid4() for _ in range(6))
    store.append(request(registered(a), command_id=used))
    first = store.receipt(used, b"d")
    assert first
    lead = request(registered(uuid4()))
    two_streams = request(registered(b), registered(c), registered(b, 2))
    stale = request(registered(uuid4()), registered(a))
    repeated = request(registered(a), command_id=used)
    reused = request(registered(uuid4()), command_id=used, digest=b"other")
    continued = request(registered(b, 3))
    new = request(registered(d), command_id=twice)
    nothing = replace(request(registered(d, 2)), events=[], unchanged={d: 1}, position=5, version=1)
    not_so = replace(nothing, command_id=uuid4(), unchanged={d: 0})
    group = [two_streams, stale, repeated, reused, continued, new, new, nothing, not_so]
    before = store.group_counters.groups
    with _in_line(store, database_url, [lead, *group]) as futures:
        pass
    head = futures[0].result().position
    assert [_error(future) for future in (futures[2], futures[4], futures[9])] == [
        VersionConflict, CommandIdReused, VersionConflict,
    ]  # fmt: skip
    assert [futures[at].result() for at in (1, 3, 5, 6, 7, 8)] == [
        Receipt(b, 2, head + 3, 3), first, Receipt(b, 3, head + 4, 1), Receipt(d, 1, head + 5, 1),
        Receipt(d, 1, head + 5, 1), Receipt(d, 1, 5, 0),
    ]  # fmt: skip
    assert store.group_counters.groups == before + 2
    assert [event.stream for event in store.read(head, 10)] == [b, c, b, b, d]
    assert store.receipt(stale.command_id, b"d") is None


@pytest.mark.parametrize("fault", [{"digest": None}, {"stream": None}])
def test_a_request_the_server_refuses_changes_nothing_for_its_neighbours(
    store: PostgresEventStore, database_url: str, fault: dict[str, Any]
) -> None:
    good = [request(registered(uuid4()), registered(uuid4())) for _ in range(3)]
    bad = replace(request(registered(uuid4())), **fault)
    with _in_line(store, database_url, [request(registered(uuid4())), *good[:2], bad, good[2]]) as futures:
        pass
    assert issubclass(type(futures[3].exception()), StoreError)
    assert [future.result().events for future in futures[1:3] + futures[4:]] == [2, 2, 2]
    assert store.receipt(bad.command_id, b"d") is None


def test_a_number_no_column_holds_is_refused_before_anybody_waits(store: PostgresEventStore) -> None:
    with pytest.raises(StoreError):
        store.append(replace(request(registered(uuid4())), version=1 << 70))


def test_a_request_whose_events_do_not_follow_one_another_is_refused(store: PostgresEventStore) -> None:
    stream = uuid4()
    for versions in ([1, 1], [1, 3], [2, 1]):
        with pytest.raises(VersionConflict):
            store.append(request(*[registered(stream, version) for version in versions]))
    assert store.load([stream]) == {stream: []}


def test_plans_stay_flat_while_the_tables_grow(make_database: Any) -> None:
    """A connection plans its statements on empty tables and keeps the plans: none may ever read a table whole."""
    pool = open_pool(make_database(), size=1)
    try:
        store = PostgresEventStore(pool)
        for _ in range(12):
            store.append(request(registered(uuid4())))
        store.append_bulk([registered(uuid4()) for _ in range(5_000)])
        before = _whole_reads(store)
        stream = uuid4()
        for version in (1, 2, 3):
            store.append(request(registered(stream, version)))
        assert _whole_reads(store) == before
    finally:
        pool.close()


def _whole_reads(store: PostgresEventStore) -> list[Any]:
    with store.pool.connection() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        return connection.execute(
            "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'store' ORDER BY relname"
        ).fetchall()


# --- reads ---------------------------------------------------------------------------------------------------------


@contextmanager
def _reads_held(url: str) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("LOCK TABLE store.key_epoch")
        yield


def test_streams_wanted_at_the_same_moment_are_read_together(store: PostgresEventStore, database_url: str) -> None:
    """Whoever waits sees what was written before it asked, each stream from behind the version it has."""
    a, b, empty = uuid4(), uuid4(), uuid4()
    store.append(request(registered(a), registered(b), registered(a, 2)))
    wanted = [{a: 0}, {a: 1, b: 0}, {empty: 0}, {b: 1}, {b: 0, empty: 0, a: 2}]
    reads, before = store._groups, store._groups.counters.groups
    with ThreadPoolExecutor(6) as threads:
        with _reads_held(database_url):
            futures = _lined_up(threads, reads, store.load_since, wanted)
            store.append(request(registered(a, 3)))
            futures.append(threads.submit(store.load_since, {a: 2}))
            _until(partial(_stands, reads, 5))
        found = [
            {stream: [event.version for event in events] for stream, events in future.result().events.items()}
            for future in futures
        ]
    assert found[1:] == [{a: [2, 3], b: [1]}, {empty: []}, {b: []}, {b: [1], empty: [], a: [3]}, {a: [3]}]
    assert found[0] in ({a: [1, 2]}, {a: [1, 2, 3]})
    assert reads.counters.groups == before + 2


def test_when_a_group_cannot_be_read_each_caller_has_an_error_of_its_own(
    store: PostgresEventStore, database_url: str
) -> None:
    pool = open_pool(database_url, size=2, lock_timeout_ms=150)
    try:
        busy = PostgresEventStore(pool)
        with ThreadPoolExecutor(3) as threads, _reads_held(database_url):
            errors = [one.exception() for one in _lined_up(threads, busy._groups, busy.load_since, [{uuid4(): 0}] * 3)]
        assert {type(error) for error in errors} == {StoreBusy}
        assert len({id(error) for error in errors}) == 3
        assert store.load_since({}).events == busy.load_since({}).events == {}
    finally:
        pool.close()


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_leader_whose_thread_is_ended_strands_nobody(store: PostgresEventStore, database_url: str, when: str) -> None:
    """The others learn from the receipts whether they were written."""
    taken = uuid4()
    store.append(request(registered(taken)))
    mine = PostgresEventStore(store.pool)
    write, groups = mine._appends._groups._carry_out, []

    def ended(group: Group[Any]) -> Sequence[Any]:
        groups.append(len(group.requests))
        if len(groups) == 2 and when == "before":
            raise SystemExit
        answers = write(group)
        if len(groups) == 2:
            raise SystemExit
        return answers

    mine._appends._groups._carry_out = ended
    requests = [request(registered(uuid4()), registered(uuid4())) for _ in range(4)]
    conflict = request(registered(taken))
    with _in_line(mine, database_url, [request(registered(uuid4())), *requests, conflict]) as futures:
        pass
    assert groups == [1, 5]
    assert _error(futures[1]) is SystemExit
    assert [_error(future) for future in futures[2:5]] == [StoreUnavailable if when == "before" else type(None)] * 3
    assert _error(futures[5]) is StoreUnavailable  # that it is a conflict it learns when it asks again
    for wanted in requests:
        assert mine.append(wanted).events == 2
        assert [len(store.load([new.stream])[new.stream]) for new in wanted.events] == [1, 1]


@pytest.mark.parametrize("cut", ["before the request", "after the reply", "before the answer"])
def test_a_connection_cut_under_a_group_tells_each_caller_the_truth(
    store: PostgresEventStore, database_url: str, cut: str
) -> None:
    taken = uuid4()
    store.append(request(registered(taken)))
    requests = [request(registered(uuid4()), registered(uuid4())) for _ in range(4)]
    with proxied(database_url) as proxy:
        pool = open_pool(proxy.url, size=3)
        try:
            mine = PostgresEventStore(pool)
            lead = request(registered(uuid4()))
            with _in_line(mine, database_url, [lead, *requests, request(registered(taken))]) as futures:
                if cut == "before the answer":  # it broke, and nobody can ask
                    proxy.arm(requests[2].command_id.bytes, "after the reply", then_refuse=True)
                    pool.timeout = 1.0
                else:
                    proxy.arm(requests[2].command_id.bytes, cut)  # type: ignore[arg-type]
            errors = [_error(future) for future in futures[1:]]
        finally:
            pool.close()
    expected = {
        "before the request": StoreUnavailable,
        "after the reply": type(None),
        "before the answer": UnknownOutcome,
    }
    assert errors == [expected[cut]] * 4 + [UnknownOutcome if cut == "before the answer" else StoreUnavailable]
    for wanted in requests:
        written = store.receipt(wanted.command_id, b"d") is not None
        assert written == (cut != "before the request")
        assert len(store.load([wanted.stream])[wanted.stream]) == written
        assert store.append(wanted).events == 2
