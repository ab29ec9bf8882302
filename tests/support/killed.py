"""Migrations killed in a process of their own, and what must come of them when they are simply run again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.migration import Migration, run, run_status
from tests.support.application import application_at, stored, tables, watch
from tests.support.reports import is_green

ROOT: Final = Path(__file__).parents[2]


class Clean(NamedTuple):
    """A migration, and what one clean run of it leaves: tables, events and how often it was told how far it is."""

    migration: Migration
    tables: dict[str, list[bytes]]
    events: list[tuple[Any, ...]]
    told: int


def clean_run(migration: Migration, url: str) -> Clean:
    told = 0

    def count(stage: str, done: int, total: int) -> None:
        nonlocal told
        told += 1

    with application_at(url) as app:
        assert is_green(run(app, migration, count))
        return Clean(migration, tables(app), stored(app), told)


def kill(migration: Migration, url: str, work: str = "run", *, told: int, stage: str = "", pause: float = 0) -> None:
    """Do the work in a process of its own; kill it when it has told so often how far it is, in a stage or in all."""
    of = (str(migration.source), str(migration.batch_events), migration.system.name, work)
    command = [sys.executable, "-m", "tests.support.migrate", url, *of]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    seen = 0
    while seen < told and (line := process.stdout.readline()):
        seen += line.startswith(stage.encode())
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL, "it was too fast to be killed"


def kill_and_resume(clean: Clean, url: str, seed: int) -> None:
    """Kill a run at some moment and run it again: it leaves what the clean run left, and nothing more to do."""
    migration, rng = clean.migration, random.Random(seed)
    kill(migration, url, told=rng.randrange(clean.told), pause=rng.random() * 0.02)
    with application_at(url) as app:
        assert is_green(run(app, migration, watch))
        assert tables(app) == clean.tables
        assert stored(app) == clean.events
        assert all(row["completed_at"] for row in run_status(app, migration.system.name))
        assert run(app, migration, watch)["events"]["appended"] == 0
        assert tables(app) == clean.tables
