"""Migrations of the contexts system, on PostgreSQL: killed or interrupted, in batches of any size, two at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, run, run_status, verify
from adapters.postgres.migration_store import run_lock
from adapters.samples.contexts import write_sample
from domain.errors import RunConflict
from tests.support.application import stored, tables, watch
from tests.support.killed import Clean, clean_run, kill_and_resume
from tests.support.legacy import user, write_export

_contexts = partial(Migration.of, "contexts")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]) -> Clean:
    folder = tmp_path_factory.mktemp("clean")
    write_sample(folder, 40, 3)
    return clean_run(_contexts(folder, batch_events=70), make_database())


@pytest.mark.parametrize("seed", range(5))
def test_a_run_that_was_killed_is_simply_run_again(clean: Clean, make_database: Callable[[], str], seed: int) -> None:
    kill_and_resume(clean, make_database(), seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 150))
def test_a_run_that_was_killed_is_simply_run_again_50_times(
    clean: Clean, make_database: Callable[[], str], seed: int
) -> None:
    kill_and_resume(clean, make_database(), seed)


def test_the_size_of_batches_does_not_change_the_outcome(clean: Clean, new_app: Callable[[], Application]) -> None:
    for batch_events in (1, 100_000):
        app = new_app()
        run(app, replace(clean.migration, batch_events=batch_events), watch)
        assert tables(app) == clean.tables
        assert stored(app) == clean.events


def test_of_two_runs_at_once_one_is_refused(clean: Clean, new_app: Callable[[], Application]) -> None:
    app, migration = new_app(), Migration.of("contexts", clean.migration.source)
    refused: list[bool] = []

    def meanwhile(stage: str, done: int, total: int) -> None:
        if stage == "replay" and not refused:
            with pytest.raises(RunConflict):
                run(app, migration, watch)
            refused.append(True)
            verify(app, migration, watch)

    run(app, migration, meanwhile)
    assert refused
    with run_lock(app.events, "contexts"), pytest.raises(RunConflict):
        run(app, migration, watch)
    assert run(app, migration, watch)["events"]["appended"] == 0


def test_a_completed_run_counts_what_it_did_before_it_was_interrupted(
    new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app = new_app()
    source = write_export(tmp_path, User=[*(user(f"u{number}") for number in range(20)), "{"])
    migration = _contexts(source, batch_events=4)

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "replay" and done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(app, migration, interrupt)
    run(app, migration, watch)
    (only,) = run_status(app, "contexts")
    assert (only["recorded"], only["unchanged"], only["quarantined"]) == (20, 0, 1)
    assert only["events"] == app.events.head()
