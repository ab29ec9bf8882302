"""Migrations of the contexts system, on PostgreSQL: from end to end, and again with other lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, has_findings, plan, run, run_status, verify, write_report
from adapters.samples.contexts import write_sample
from migrations_replay.leaves import CLASSES
from migrations_replay.systems.contexts import SYSTEM
from tests.support.application import schemas_of, tables, watch
from tests.support.legacy import user, write_export
from tests.support.reports import BAD, derived_classes, is_counted_as, is_green, true_classes, truth_of

_contexts = partial(Migration.of, "contexts")

# --- a sample, of 1000 users in the soak ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[100, pytest.param(1000, marks=pytest.mark.soak)])
def sampled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    write_sample(folder, request.param, 11)
    return folder


def test_every_leaf_of_sampled_users_ends_in_the_class_the_truth_says(sampled: Path) -> None:
    found, truth = derived_classes(sampled, SYSTEM), true_classes(sampled)
    assert [line for line, classes in found.items() if classes != truth.get(line)] == []
    assert found.keys() == truth.keys()


def test_sampled_users_are_migrated_proven_and_left_alone_when_repeated(
    sampled: Path, new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app, truth, migration = new_app(), truth_of(sampled), _contexts(sampled)
    schemas, head = schemas_of(app), app.events.head()
    planned = plan(app, migration, watch)
    assert (schemas_of(app), app.events.head()) == (schemas, head)
    assert not any(tables(app).values())
    report = run(app, migration, watch)
    for found in (planned, report):
        is_counted_as(truth, found)
        assert sum(found["leaves"][name] for name in CLASSES) == found["leaves"]["total"]
        assert [found["reconcile"][name] for name in (*BAD, "changed_live")] == [0, 0, 0, 0]
        assert found["reconcile"]["leaves"] == truth["leaves"]["total"]
        assert found["reconcile"]["equal"] == truth["leaves"]["mapped"]
        assert found["differences"] == []
    aside = {"mode", "run_id", "timing"}
    assert {name: planned[name] for name in planned if name not in aside} == {
        name: report[name] for name in report if name not in aside
    }
    snapshots = report["snapshots"]
    assert report["events"]["by_topic"]["legacy.snapshot_recorded"] == snapshots["recorded"]
    assert report["events"]["appended"] == app.events.head() - head
    before, log = tables(app), app.events.head()
    again = run(app, migration, watch)
    assert again["events"]["appended"] == 0
    assert again["snapshots"] == snapshots | {"recorded": 0, "unchanged": snapshots["recorded"]}
    assert is_green(again)
    replanned = plan(app, migration, watch)
    assert replanned["events"]["appended"] == 0
    verified = verify(app, migration, watch)
    assert is_green(verified)
    assert verified["leaves"] == truth["leaves"]
    assert not has_findings(verified)
    assert has_findings(report)
    assert (tables(app), app.events.head(), schemas_of(app)) == (before, log, schemas)
    assert len(run_status(app, "contexts")) == 1
    for name in ("r.json", "r.md"):
        write_report(report, tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "r.json").read_text())["leaves"] == truth["leaves"]


# --- again, with other lines ------------------------------------------------------------------------------------------


def test_a_record_in_other_bytes_is_the_same_record(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    run(app, _contexts(write_export(tmp_path, User=[user("u1", name="Ada")])), watch)
    head = app.events.head()
    other = json.dumps(dict(reversed(user("u1", name="Ada").items())), indent=None, separators=(" ,", " : "))
    assert run(app, _contexts(write_export(tmp_path, User=[other])), watch)["snapshots"]["unchanged"] == 1
    assert app.events.head() == head


def test_a_record_the_newer_export_no_longer_gives_is_reported(
    new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app = new_app()
    run(app, _contexts(write_export(tmp_path, User=[user("u1"), user("u2")])), watch)
    report = verify(app, _contexts(write_export(tmp_path, User=['{"id": "u1", "id": "u1", "name": "Ada"}'])), watch)
    assert [(entry["id"], entry["outcome"]) for entry in report["differences"]] == [("u1", "extra"), ("u2", "extra")]


def test_broken_lines_keep_their_streams_when_others_come_before_them(
    new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app = new_app()
    broken = ["{", "[]", '{"name": "no id"}', "{"]
    run(app, _contexts(write_export(tmp_path, User=[user("u1"), *broken])), watch)
    report = run(app, _contexts(write_export(tmp_path, User=['{"new": 1}', "not json", *broken, user("u1")])), watch)
    assert report["events"]["by_topic"]["legacy.record_quarantined"] == 2
