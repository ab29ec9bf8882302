"""The migrations that are measured: one a legacy system, under names that stay."""

from __future__ import annotations

import pytest

from adapters.bootstrap import Application
from adapters.postgres.migration_store import PostgresMigrationStore
from benchmarks import migrate
from benchmarks.workload import WRITERS, replay, sample, stored_rows
from migrations_replay.systems import SYSTEMS


def test_every_system_is_measured() -> None:
    assert list(SYSTEMS) == list(migrate.ROOTS) == list(WRITERS)


@pytest.mark.parametrize("system", migrate.ROOTS)
def test_a_replay_appends_the_events_it_says(app: Application, system: str) -> None:
    with sample(system, 5) as export:
        outcome = replay(system, export, PostgresMigrationStore(app.events, app.reads))
    assert len(stored_rows(app)) == sum(outcome.appended.values()) > 5
