"""Five minutes of kills, cuts and restarts under load: no request is lost, doubled, written in part or reordered.

The writers themselves lose now and then the thread that leads a group, before or after it is written.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.embedded_host import choose_home
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from domain.event import Recorded
from domain.service import Receipt
from tests.support.proxy import Cut, Proxy

ROOT = Path(__file__).parents[2]
CUTS: tuple[Cut, ...] = get_args(Cut)
SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))


@contextmanager
def _own_server() -> Iterator[EmbeddedPostgres]:
    """A durable server of the test's own, which it may kill."""
    home = choose_home(Path(tempfile.gettempdir()) / f"dossier-soak-{uuid4().hex[:8]}")[0]
    server = EmbeddedPostgres(home)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


class _Writers:
    """Processes that write, each taking down in a file what it asked and was told."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self.running: list[subprocess.Popen[str]] = []
        self.files: list[Path] = []

    def start(self) -> None:
        path = self._folder / f"{len(self.files)}.jsonl"
        self.files.append(path)
        command = [sys.executable, "-m", "tests.support.stubborn_writer", self._url]
        with path.open("w") as out, path.with_suffix(".log").open("w") as log:  # what the pool warns of is no note
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=log, text=True)
        self.running.append(process)

    def kill_one(self, rng: random.Random) -> None:
        process = self.running.pop(rng.randrange(len(self.running)))
        process.kill()
        process.communicate()

    def finish(self) -> None:
        for process in self.running:
            process.communicate("", timeout=60)
            assert process.returncode == 0

    def notes(self) -> Iterator[dict[str, Any]]:
        for path in self.files:
            for line in path.read_text().splitlines():
                with suppress(json.JSONDecodeError):  # the last line of one that was killed
                    yield json.loads(line)


def _kill_a_backend(url: str) -> None:
    with suppress(psycopg.Error), psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'dossier' AND pid <> pg_backend_pid() AND state = 'active' LIMIT 1"
        )


def _crash(server: EmbeddedPostgres) -> None:
    pid = int((server.data / "postmaster.pid").read_text().splitlines()[0])
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)  # as if it crashed: no clean-up, recovery from the log
    time.sleep(0.5)
    server.ensure_running()


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_nothing_is_lost_doubled_partial_or_reordered(tmp_path: Path) -> None:
    rng = random.Random(4)
    with ExitStack() as stack:
        server = stack.enter_context(_own_server())
        url = server.ensure_running()

        pool = open_pool(url)
        PostgresEventStore(pool).create()
        pool.close()
        proxy = Proxy(url)
        stack.callback(proxy.close)
        writers = _Writers(tmp_path, proxy.url)
        for _ in range(3):
            writers.start()
        faults: Counter[str] = Counter()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.2, 1.5))
            fault = rng.choices(["cut", "backend", "process", "restart", "crash"], [15, 5, 2, 1, 1])[0]
            match fault:
                case "cut":
                    cut = rng.choice(CUTS)
                    faults[f"cut {cut}"] += 1
                    proxy.arm(b"account.", cut)
                case "backend":
                    _kill_a_backend(url)
                case "process":
                    writers.kill_one(rng)
                    writers.start()
                case "restart":
                    server.stop()
                    server.ensure_running()
                case _:
                    _crash(server)
            faults[fault] += 1
        writers.finish()
        pool = open_pool(url)
        stack.callback(pool.close)
        proven = _prove(PostgresEventStore(pool), list(writers.notes()))
        print(dict(faults), f"{proxy.cuts} cuts", proven)


def _prove(store: PostgresEventStore, notes: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare what was asked and told with what is stored; returns how much there was of it."""
    asked = {note["asks"]: note for note in notes if "asks" in note}
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for note in notes:
        if "told" in note:
            told[note["command"]].append(note)
    kinds = Counter(note["told"] for answers in told.values() for note in answers)
    assert set(kinds) <= {"receipt", "version_conflict", "store_unavailable", "store_busy", "unknown_outcome"}, kinds
    log = list(_everything(store))
    written: dict[str, list[Recorded]] = defaultdict(list)
    for event in log:
        written[str(event.metadata.command_id)].append(event)
    receipts = {command: store.receipt(UUID(command), UUID(command).bytes) for command in asked}
    for command, note in asked.items():
        _agree(note, told[command], receipts[command], written.get(command, []))
    assert set(written) <= set(asked), "written and never asked for"
    streams: dict[UUID, list[Recorded]] = defaultdict(list)
    for event in log:
        streams[event.stream].append(event)
    for events in streams.values():
        assert [event.version for event in events] == list(range(1, len(events) + 1)), "reordered"
    assert all(one.position < two.position for one, two in pairwise(log))
    assert kinds["receipt"] > 100
    assert kinds["version_conflict"] > 0
    assert any(receipt and not receipt.events for receipt in receipts.values())
    ended = sum("ended" in note for note in notes)
    return {"asked": len(asked), "written": len(written), "events": len(log), "ended": ended, "told": dict(kinds)}


def _agree(note: dict[str, Any], told: list[dict[str, Any]], receipt: Receipt | None, events: list[Recorded]) -> None:
    """Compare what was asked and told of one request with its receipt and its events."""
    whole = [(str(event.stream), event.version) for event in events] == [tuple(pair) for pair in note["events"]]
    assert whole if receipt else not events, "in part, doubled or without its receipt"
    if receipt:
        positions = [event.position for event in events]
        last = positions[-1] if events else 0
        assert positions == list(range(last - len(events) + 1, last + 1)), "not contiguous"
        assert [str(receipt.stream), *receipt[1:]] == [note["stream"], note["version"], last, len(events)]
    for answer in told:
        if answer["told"] == "receipt":
            assert receipt, "lost"
            assert answer["receipt"] == [str(receipt.stream), *receipt[1:]], "told otherwise"
        assert not (receipt and answer["told"] == "version_conflict"), "told of a conflict, and written"


def _everything(store: PostgresEventStore) -> Iterator[Recorded]:
    after = 0
    while events := store.read(after, 5_000):
        yield from events
        after = events[-1].position
