"""Migrations of the cases system, on PostgreSQL: from end to end, in part, killed, and whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.bootstrap import Application
from adapters.migration import Migration, has_findings, plan, run, run_status, verify, write_report
from adapters.samples.cases import write_sample
from domain.errors import NotFound
from migrations_replay.leaves import CLASSES
from migrations_replay.systems.cases import SYSTEM
from projections import accounts, cases, companies, company_members, status_history, statuses
from tests.support.any_cases import exports
from tests.support.application import application_at, stored, tables, watch
from tests.support.case_exports import ACCOUNT, COLLECTIVE, clean_export, odd_export
from tests.support.killed import Clean, clean_run, kill_and_resume
from tests.support.legacy import Line, write_export
from tests.support.legacy_cases import AUTHOR, CASE_ID, case_status, id_of, when
from tests.support.reports import derived_classes, is_counted_as, is_green, true_classes, truth_of

_cases = partial(Migration.of, "cases")


def _passed(report: dict[str, Any]) -> dict[str, int]:
    """Return the rules by name with how many records break each; a rule passes if none does."""
    assert all(line["passed"] == (line["count"] == 0) for line in report["rules"])
    return {line["rule"]: line["count"] for line in report["rules"]}


# --- plan, run, verify ------------------------------------------------------------------------------------------------


def test_a_clean_export_is_planned_migrated_proven_and_left_alone_when_repeated(
    new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app, migration = new_app(), _cases(write_export(tmp_path, **clean_export()))
    planned = plan(app, migration, watch)
    assert app.events.head() == 0
    assert not any(tables(app).values())
    report = run(app, migration, watch)
    aside = {"mode", "run_id", "timing"}
    assert {name: planned[name] for name in planned if name not in aside} == {
        name: report[name] for name in report if name not in aside
    }
    assert is_green(report)
    assert report["differences"] == report["findings"] == report["conflicts"] == report["quarantine"] == []
    assert sum(report["leaves"][name] for name in CLASSES) == report["leaves"]["total"] == report["reconcile"]["leaves"]
    assert report["reconcile"]["equal"] == report["leaves"]["mapped"]
    assert not any(_passed(report).values())
    assert not has_findings(report)
    before, log = tables(app), app.events.head()
    again = run(app, migration, watch)
    assert again["events"]["appended"] == 0
    assert is_green(again)
    verified = verify(app, migration, watch)
    assert is_green(verified)
    assert not has_findings(verified)
    assert (tables(app), app.events.head()) == (before, log)
    assert len(run_status(app, "cases")) == 1


def test_the_tables_after_a_clean_export(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    run(app, _cases(write_export(tmp_path, **clean_export())), watch)
    (case,) = app.reads.fetch(cases.MODEL, case_id=CASE_ID)
    assert (case["status"], case["status_entry"], case["status_since"]) == ("exigencia", 4, when(5))
    assert (case["collective_id"], case["person_id"]) == (COLLECTIVE, id_of("person", "people", "per1"))
    rows = sorted(app.reads.fetch(status_history.MODEL, owner_id=CASE_ID), key=lambda row: row["entry"])
    assert [(row["status"], row["is_active"], row["changed_by"]) for row in rows] == [
        ("em_preparacao", False, AUTHOR),
        ("em_tramite", False, AUTHOR),
        ("exigencia", True, AUTHOR),
    ]
    assert {row["account_id"]: row["roles"] for row in app.reads.fetch(accounts.MODEL)} == {
        ACCOUNT: ["admin"],
        id_of("account", "users", "a2"): ["client"],
    }


def test_the_rules_and_statistics_of_a_clean_export(new_app: Callable[[], Application], tmp_path: Path) -> None:
    report = run(new_app(), _cases(write_export(tmp_path, **clean_export())), watch)
    assert list(_passed(report)) == [
        "every table is in the export",
        "cases = processes",
        "each case has a history",
        "exactly one active status or undetermined",
        "active status = legacy field after normalisation",
        "every author is valid",
        "every time is valid",
        "every leaf is accounted for",
        "every value is in its place",
    ]
    assert report["stats"] == {
        "before": {"total": 2, "by_status": {"exigencia": 1, "deferido": 1}},
        "after": {
            "total": 2,
            "migrated": 2,
            "pending": 0,
            "undetermined": 0,
            "entries": 4,
            "by_status": {"exigencia": 1, "deferido": 1},
        },
    }


def test_the_rules_and_statistics_of_an_odd_export(new_app: Callable[[], Application], tmp_path: Path) -> None:
    report = run(new_app(), _cases(write_export(tmp_path, **odd_export())), watch)
    assert is_green(report)
    assert has_findings(report)
    assert {name: count for name, count in _passed(report).items() if count} == {
        "each case has a history": 1,  # p3
        "active status = legacy field after normalisation": 2,  # p5, p6
        "every author is valid": 2,  # p4, p5; what nobody knows needs no author
        "every time is valid": 1,  # p4
    }
    assert report["stats"] == {
        "before": {
            "total": 7,
            "by_status": {"deferido": 2, "exigencia": 1, "none": 1, "em_tramite": 1, "pending": 1},
        },
        "after": {
            "total": 6,
            "migrated": 6,
            "pending": 1,
            "undetermined": 2,
            "entries": 8,
            "by_status": {"undetermined": 2, "exigencia": 1, "deferido": 1, "em_tramite": 1, "rnm": 1},
        },
    }


def test_tables_that_are_missing_are_named(new_app: Callable[[], Application], tmp_path: Path) -> None:
    found = clean_export()
    del found["companies"], found["mainProcesses"]
    report = run(new_app(), _cases(write_export(tmp_path, **found)), watch)
    missing = report["rules"][0]
    assert (missing["count"], missing["missing"]) == (3, ["mainProcesses", "collectiveProcesses", "companies"])


# --- sampled cases, 1000 of them in the soak --------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[120, pytest.param(1000, marks=pytest.mark.soak)])
def sampled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    write_sample(folder, request.param, 11)
    return folder


def test_every_leaf_of_sampled_cases_ends_in_the_class_the_truth_says(sampled: Path) -> None:
    found, truth = derived_classes(sampled, SYSTEM), true_classes(sampled)
    assert [line for line, classes in found.items() if classes != truth.get(line)] == []
    assert found.keys() == truth.keys()


def test_sampled_cases_are_migrated_and_proven(
    sampled: Path, new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app, truth, migration = new_app(), truth_of(sampled), _cases(sampled)
    report = run(app, migration, watch)
    assert report["differences"] == []
    assert is_green(report)
    is_counted_as(truth, report)
    after, expected = report["stats"]["after"], truth["cases"]
    by_status = {name: number for name, number in after["by_status"].items() if name != "undetermined"}
    assert by_status == expected["by_status"]
    assert {name: after[name] for name in ("total", "entries", "undetermined")} == {
        "total": expected["cases"],
        "entries": expected["entries"] + expected["superseded"],
        "undetermined": expected["undetermined"],
    }
    rows = app.reads.fetch(status_history.MODEL)
    assert sum(row["superseded"] for row in rows) == expected["superseded"]
    assert _passed(report)["exactly one active status or undetermined"] == 0
    for name in ("r.json", "r.md"):
        write_report(report, tmp_path / name)
    assert json.loads((tmp_path / "r.json").read_text())["stats"] == report["stats"]
    again = run(app, migration, watch)
    assert again["events"]["appended"] == 0
    assert is_green(again)


# --- a part of it, in any batches, after a kill -----------------------------------------------------------------------


def test_a_selection_of_roots(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app, source = new_app(), write_export(tmp_path, **odd_export())
    for name in ("p1", "legacy:cases/processHistory/h2", "legacy:cases/individualProcesses/p1", str(CASE_ID)):
        report = run(app, _cases(source, only=(name,)), watch)
        assert is_green(report)
        assert report["snapshots"]["read"] == 5
        assert [row["case_id"] for row in app.reads.fetch(cases.MODEL)] == [CASE_ID]
        assert _passed(report)["cases = processes"] == 0
        assert (report["stats"]["before"]["total"], report["stats"]["after"]["total"]) == (1, 1)
    assert app.reads.fetch(companies.MODEL) == []
    report = run(app, _cases(source, only=("legacy:cases/peopleCompanies/x1",)), watch)
    assert is_green(report)
    assert len(app.reads.fetch(company_members.MODEL)) == 2
    for unknown in ("p9", "legacy:cases/processHistory/h9", "legacy:contexts/User/p1"):
        with pytest.raises(NotFound):
            run(app, _cases(source, only=(unknown,)), watch)
    whole = run(app, _cases(source), watch)
    assert is_green(whole)
    assert whole["snapshots"]["unchanged"] == 8
    assert len(app.reads.fetch(cases.MODEL)) == 6


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]) -> Clean:
    folder = tmp_path_factory.mktemp("clean")
    write_sample(folder, 40, 3)
    return clean_run(_cases(folder, batch_events=70), make_database())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2))])
def test_a_run_that_was_killed_is_simply_run_again(clean: Clean, make_database: Callable[[], str], seed: int) -> None:
    kill_and_resume(clean, make_database(), seed)


@pytest.mark.soak
def test_the_size_of_batches_does_not_change_the_outcome(clean: Clean, new_app: Callable[[], Application]) -> None:
    for batch_events in (1, 100_000):
        app = new_app()
        run(app, replace(clean.migration, batch_events=batch_events), watch)
        assert tables(app) == clean.tables
        assert stored(app) == clean.events


# --- anything ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(make_database: Callable[[], str]) -> Iterator[Application]:
    with application_at(make_database()) as app:
        yield app


@settings(max_examples=6)
@given(exports(repeats=True))
def test_any_export_can_be_planned(empty: Application, rows: dict[str, list[Line]]) -> None:
    with TemporaryDirectory() as folder:
        report = plan(empty, _cases(write_export(Path(folder), **rows)), watch)
    assert is_green(report), report["differences"]
    assert report["leaves"]["total"] == sum(report["leaves"][name] for name in CLASSES)
    assert not report["pending"]


@pytest.mark.parametrize("name", [None, 5, "", " "])
@pytest.mark.parametrize("number", [0, -(2**31) - 1, 2**31, 2**63 - 1, 9e15])
def test_a_status_without_a_name_or_with_any_number_has_its_row(
    new_app: Callable[[], Application], tmp_path: Path, name: Any, number: Any
) -> None:
    found = clean_export() | {"caseStatuses": [case_status(name=name, sortOrder=number, orderNumber=number)]}
    app = new_app()
    assert is_green(run(app, _cases(write_export(tmp_path, **found)), watch))
    (row,) = app.reads.fetch(statuses.MODEL)
    assert (row["name"], row["sort_order"], row["workflow_order"]) == (None, number, number)
