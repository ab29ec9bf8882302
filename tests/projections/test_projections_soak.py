"""Kills, poison, load and long readers."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.bootstrap import Application
from adapters.postgres import shadow as shadow_module
from adapters.postgres.dead_letters import kept_letters
from adapters.postgres.helpers import helpers
from benchmarks.writers import Writers
from domain.account import AccountRegistered, ContactChanged
from domain.errors import DossierError
from domain.event import Change, NewEvent, Recorded
from projections import accounts
from projections.all import READ_MODELS
from projections.follow import catch_up
from projections.read_model import Key, Row, Rows
from projections.rebuild import rebuild, rebuild_records
from tests.projections.histories import START, metadata
from tests.support.application import application_at
from tests.support.follower import MODELS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parents[2]
KILLS = 100


@pytest.fixture
def url(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture
def app(url: str) -> Iterator[Application]:
    with application_at(url) as opened:
        yield opened


def fill(app: Application, streams: int, events: int) -> list[UUID]:
    """Append accounts that change their name all the time; return them."""
    made = [uuid4() for _ in range(streams)]
    changed = ContactChanged(changes={"name": Change(new="new")})
    for start in range(0, streams, 1_000):
        some = made[start : start + 1_000]
        batch = [NewEvent(stream, 1, AccountRegistered(), metadata(START)) for stream in some]
        for version in range(2, events + 1):
            batch += [NewEvent(stream, version, changed, metadata(START)) for stream in some]
        app.events.append_bulk(batch)
    return made


def test_a_follower_killed_100_times_at_random_applies_everything_once(app: Application, url: str) -> None:
    fill(app, 2_000, 10)
    chance = random.Random(6)
    command = [sys.executable, "-m", "tests.support.follower", url]
    positions = []
    with Writers(url, 2):
        for _ in range(KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as follower:
                assert follower.stdout is not None
                assert follower.stdout.readline() == b"following\n"
                time.sleep(chance.uniform(0, 1.5))
                follower.send_signal(signal.SIGKILL)
            positions.append(min(app.reads.positions(READ_MODELS).values()))
    assert positions == sorted(positions)
    assert len(set(positions)) > KILLS / 10  # some got on before they were killed
    catch_up(app.log, app.reads, MODELS)
    counts = "SELECT originator_id, count(*)::text FROM store.stored_events GROUP BY originator_id"
    with app.pool.connection() as connection:
        events = dict(connection.execute(counts).fetchall())
    assert {row["account_id"]: row["name"] for row in app.reads.fetch(accounts.MODEL)} == events
    with app.shadows().begin(MODELS) as shadow:
        done = rebuild(app.log, shadow, dry_run=True)
    assert not any(comparison.differing for comparison in done.comparisons)


def test_1000_poison_events_among_100000_stop_nothing_else_and_all_heal(app: Application) -> None:
    streams = fill(app, 10_000, 10)
    poison = {(stream, 2 + number % 9) for number, stream in enumerate(streams[::10])}

    def evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row | None]:
        if (recorded.stream, recorded.version) in poison:
            if recorded.version != 3:
                raise ZeroDivisionError
            return {key: {**row, "status": "refused by the table"} for key, row in rows.items()}
        return accounts.MODEL.evolve(rows, recorded)

    broken = [replace(accounts.MODEL, evolve=evolve), *READ_MODELS[1:]]
    catch_up(app.log, app.reads, broken)
    letters = kept_letters(app.reads, read_models=["accounts"])
    assert {(letter.stream, letter.version) for letter in letters} == poison
    halted = dict(poison)
    for row in app.reads.fetch(accounts.MODEL):
        assert row["version"] == halted.get(row["account_id"], 11) - 1
    with app.shadows().begin(broken) as shadow:
        done = rebuild(app.log, shadow)
    assert not any(comparison.differing for comparison in done.comparisons)
    assert len(kept_letters(app.reads, read_models=["accounts"])) == 1_000
    assert rebuild_records(app.log, app.reads, [accounts.MODEL], list(halted)) == []
    assert not kept_letters(app.reads, read_models=["accounts"])
    assert {row["version"] for row in app.reads.fetch(accounts.MODEL)} == {10}


def test_a_rebuild_under_16_writers_ends_equal_though_a_helper_is_killed(
    app: Application, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(app, 10_000, 10)
    app.catch_up()
    errors: list[str] = []
    helping: list[subprocess.Popen[bytes]] = []
    done = threading.Event()

    @contextmanager
    def seen(*given: Any) -> Iterator[None]:
        with helpers(*given) as started:
            helping.extend(started)
            yield

    monkeypatch.setattr(shadow_module, "helpers", seen)

    def read(reading: Application) -> None:
        while not done.is_set() and not errors:
            try:
                assert len(reading.reads.fetch(accounts.MODEL)) >= 10_000
            except (AssertionError, DossierError) as error:
                errors.append(repr(error))
            time.sleep(0.02)

    def kill() -> None:
        while not done.is_set():
            for helper in helping:
                time.sleep(1.5)
                helper.kill()
                return
            time.sleep(0.05)

    with application_at(url) as reading:  # with connections of its own
        threads = [threading.Thread(target=read, args=[reading]), threading.Thread(target=kill)]
        for thread in threads:
            thread.start()
        try:
            with Writers(url, 16) as writers, app.shadows(workers=2).begin(READ_MODELS) as shadow:
                rebuilt = rebuild(app.log, shadow)
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert writers.written
    assert [helper.returncode for helper in helping] == [-signal.SIGKILL]
    assert not errors
    assert not any(comparison.differing for comparison in rebuilt.comparisons)
    app.catch_up()
    with app.shadows().begin(READ_MODELS) as shadow:
        at_rest = rebuild(app.log, shadow, dry_run=True)
    assert len(at_rest.comparisons) == len(READ_MODELS)
    assert not any(comparison.differing for comparison in at_rest.comparisons)


def test_a_reader_of_30_seconds_does_not_block_the_swap(app: Application, url: str) -> None:
    fill(app, 1_000, 5)
    app.catch_up()
    opened, closed = threading.Event(), threading.Event()

    def hold() -> None:
        with psycopg.connect(url) as reader:
            reader.execute("SELECT count(*) FROM accounts.accounts")
            opened.set()
            time.sleep(30)
        closed.set()

    longest = 0.0
    holder = threading.Thread(target=hold)
    holder.start()
    opened.wait()
    swapped = threading.Event()

    def swap() -> None:
        app.rebuild()
        swapped.set()

    rebuilding = threading.Thread(target=swap)
    rebuilding.start()
    while not swapped.is_set():
        began = time.monotonic()
        assert app.reads.fetch(accounts.MODEL, status="nobody has") == []
        longest = max(longest, time.monotonic() - began)
        assert not closed.is_set()
    rebuilding.join()
    assert not closed.is_set()
    assert longest < 2
    holder.join()
    assert app.shadows().drop_previous(READ_MODELS)
