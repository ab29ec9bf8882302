"""Documents nobody has seen before, in every system, from files into PostgreSQL: the run ends, and no value is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.bootstrap import Application
from adapters.legacy.json_lines import open_export
from adapters.migration import Migration, has_findings, plan, run, verify
from adapters.samples import caregivers, cases, contexts, decks, talent
from migrations_replay.document import read_line
from migrations_replay.leaves import CLASSES, count_leaves
from tests.support.application import application_at, watch
from tests.support.never_seen import spoil
from tests.support.reports import BAD

SAMPLES = {module.__name__.rpartition(".")[2]: module for module in (contexts, cases, talent, caregivers, decks)}


def _leaves(folder: Path) -> tuple[int, int]:
    """Count the leaves of all lines by themselves: at least (lines that are there twice count once), and at most."""
    with open_export(folder) as source:
        lines = [[raw for _, _, raw in source.lines(table)] for table in source.tables()]
        least, most = ([raw for table in lines for raw in kind(table)] for kind in (set, list))
        return sum(count_leaves(read_line(raw).value) for raw in least), sum(
            count_leaves(read_line(raw).value) for raw in most
        )


def _is_accounted_for(app: Application, migration: Migration, folder: Path) -> None:
    report = run(app, migration, watch)
    assert has_findings(report)  # which ends with exit code 1; nothing raises
    assert report["leaves"]["total"] == sum(report["leaves"][name] for name in CLASSES)
    least, most = _leaves(folder)
    assert least <= report["leaves"]["total"] == report["reconcile"]["leaves"] <= most
    assert [report["reconcile"][name] for name in BAD] == [0, 0, 0], report["differences"][:5]


@pytest.mark.parametrize("system", SAMPLES)
def test_whatever_stands_in_a_document_is_recorded_or_quarantined(
    system: str, tmp_path: Path, make_database: Callable[[], str]
) -> None:
    SAMPLES[system].write_sample(tmp_path, 3, 5)
    spoil(tmp_path, 5)
    with application_at(make_database()) as app:
        _is_accounted_for(app, Migration.of(system, tmp_path), tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("system", SAMPLES)
def test_a_thousand_documents_of_each_system(
    system: str, seed: int, tmp_path: Path, make_database: Callable[[], str]
) -> None:
    migration = Migration.of(system, tmp_path)
    SAMPLES[system].write_sample(tmp_path, 250, seed)
    spoil(tmp_path, seed)
    with application_at(make_database()) as app:
        _is_accounted_for(app, migration, tmp_path)
        assert run(app, migration, watch)["events"]["appended"] == 0
        # once more, told otherwise: a newer export of the same records
        SAMPLES[system].write_sample(tmp_path, 250, seed)
        spoil(tmp_path, seed + 100)
        planned, report = (work(app, migration, watch) for work in (plan, run))
        assert planned["reconcile"] == report["reconcile"]
        assert report["leaves"]["total"] == sum(report["leaves"][name] for name in CLASSES)
        assert verify(app, migration, watch)["reconcile"] == report["reconcile"]
