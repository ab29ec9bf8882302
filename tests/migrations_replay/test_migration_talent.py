"""Migrations of the talent system from end to end, on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, run, verify
from adapters.samples.talent import FORMS, PLANTED, write_sample
from adapters.samples.truth import CLASSES
from adapters.taken_in import rollback, to_legacy
from domain.access import Actor
from domain.account import SwitchActiveProfile
from domain.profile import UpdateProfile
from migrations_replay.systems.talent import SYSTEM
from projections import items, profiles
from tests.support.application import watch
from tests.support.reports import BAD, derived_classes, is_counted_as, true_classes, truth_of


def _failed(report: dict[str, Any]) -> list[str]:
    return [line["rule"] for line in report["rules"] if not line["passed"]]


def test_one_seed_gives_one_sample_that_holds_every_oddity_and_adds_up(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_sample(tmp_path / name, PLANTED, 1)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    truth = truth_of(tmp_path / "a")
    assert truth["leaves"]["total"] == sum(truth["leaves"][name] for name in CLASSES)
    named = {
        f"{form}.{place}.{name}" for form, places in FORMS.items() for place, found in places.items() for name in found
    }
    assert named <= truth["oddities"].keys()


@pytest.mark.parametrize("users", [PLANTED, pytest.param(1000, marks=pytest.mark.soak)])
def test_every_leaf_ends_in_the_class_the_truth_says(users: int, tmp_path: Path) -> None:
    write_sample(tmp_path, users, 11)
    assert derived_classes(tmp_path, SYSTEM) == true_classes(tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("users", [PLANTED, pytest.param(1000, marks=pytest.mark.soak)])
def test_sampled_users_are_migrated_proven_and_given_back(
    users: int, new_app: Callable[[], Application], tmp_path: Path
) -> None:
    write_sample(tmp_path, users, 11)
    app, truth, migration = new_app(), truth_of(tmp_path), Migration.of("talent", tmp_path)
    report = run(app, migration, watch)
    assert report["differences"] == []
    assert _failed(report) == []
    is_counted_as(truth, report)
    again = run(app, migration, watch)
    assert again["events"]["appended"] == 0
    _goes_on(app, migration)


def _goes_on(app: Application, migration: Migration) -> None:
    """Live commands on imported people are changes, not differences; a value changed by SQL is named."""
    dancer = app.reads.fetch(profiles.MODEL, kind="dancer", archived=False)[0]
    actor = Actor.operator()
    app.dossier.execute(UpdateProfile(profile_id=dancer["profile_id"], changes={"skills": ["flamenco"]}), actor=actor)
    second = next(row for row in app.reads.fetch(profiles.MODEL, kind="choreographer"))
    switch = SwitchActiveProfile(account_id=second["account_id"], profile_id=second["profile_id"])
    app.dossier.execute(switch, actor=actor)
    report = verify(app, migration, watch)
    assert not any(report["reconcile"][name] for name in BAD)
    item = next(row for row in app.reads.fetch(items.MODEL, kind="project") if "studio" in row["fields"]["particulars"])
    with app.pool.connection() as connection:
        changed = "UPDATE items.items SET fields = jsonb_set(fields, '{title}', '\"Forged\"') WHERE item_id = %s"
        connection.execute(changed, [item["item_id"]])
    found = verify(app, migration, watch)["differences"]
    unexplained = [difference for difference in found if difference["outcome"] in BAD]
    assert {difference["pointer"] for difference in unexplained} <= {"/title", ""}
    assert unexplained


def test_documents_come_back_from_the_tables(new_app: Callable[[], Application], tmp_path: Path) -> None:
    person = {"_id": "u1", "_creationTime": 1672531200000.0, "type": "member", "isAdmin": False, "firstName": "Ada"}
    flat = {"profileType": "dancer", "displayName": "Ada", "gender": "Non-Binary", "resume": {"skills": ["tap"]}}
    (tmp_path / "users.jsonl").write_text(json.dumps(person | flat) + "\n")
    credit = {"_id": "p1", "_creationTime": 1672531200000.0, "userId": "u1", "title": "Hair", "studio": "Four"}
    (tmp_path / "projects.jsonl").write_text(json.dumps(credit) + "\n")
    (tmp_path / "training.jsonl").write_text("")
    app = new_app()
    run(app, Migration.of("talent", tmp_path), watch)
    found = {entry["id"]: entry["document"] for entry in to_legacy(app, "talent", "u1")}
    for document in (found["u1"], found["p1"]):
        assert document.pop("_creationTime").startswith("2023-01-01T00:00:00")
    assert found["p1"] == {"id": "p1", "userId": "u1", "title": "Hair", "studio": "Four"}
    assert found["u1"].pop("activeDancerId")
    assert found["u1"] == {
        "id": "u1",
        "type": "member",
        "isAdmin": False,
        "firstName": "Ada",
        "profileType": "dancer",
        "displayName": "Ada",
        "attributes": {"gender": "Non-binary"},
        "skills": ["tap"],
        "activeProfileType": "dancer",
    }


def test_a_user_who_was_moved_since_is_merged_and_an_import_can_be_taken_back(
    new_app: Callable[[], Application], tmp_path: Path
) -> None:
    stamp = {"_creationTime": 1672531200000.0}
    person = {"_id": "u1", **stamp, "type": "member", "isAdmin": False, "profileType": "dancer"}
    credit = {"_id": "p1", **stamp, "userId": "u1", "title": "Hair"}
    row = {"_id": "d1", "_creationTime": 1704067200000.0, "userId": "u1", "createdAt": "2024-01-01T00:00:00.000Z"}
    row |= {"displayName": "Ada", "skills": ["jazz"], "isPrimary": True, "profileCompleteness": 0}
    before = {"users": [person | {"displayName": "Ada", "resume": {"skills": ["tap"]}}], "projects": [credit]}
    pointer = {"activeDancerId": "d1", "activeProfileType": "dancer"}
    after = {"users": [person | pointer], "dancers": [row], "projects": [credit | {"title": "Wicked"}]}
    app = new_app()
    reports = []
    for number, tables in enumerate((before, after)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for table in ("users", "dancers", "projects", "training"):
            lines = [json.dumps(document) for document in tables.get(table, [])]
            (folder / f"{table}.jsonl").write_text("\n".join(lines))
        reports.append(run(app, Migration.of("talent", folder), watch))
        assert reports[-1]["pending"] == []
        assert not any(reports[-1]["reconcile"][name] for name in BAD)
    (profile,) = app.reads.fetch(profiles.MODEL)
    assert (profile["fields"]["skills"], profile["fields"]["display_name"]) == (["jazz"], "Ada")
    assert [item["fields"]["title"] for item in app.reads.fetch(items.MODEL)] == ["Wicked"]
    rollback(app, "talent", watch, force=False, apply=True)
    assert app.reads.fetch(profiles.MODEL) == app.reads.fetch(items.MODEL) == []
    again = run(app, Migration.of("talent", tmp_path / "1"), watch)
    assert again["events"]["appended"] > 0
    assert not any(again["reconcile"][name] for name in BAD)
