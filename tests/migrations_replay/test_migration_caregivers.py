"""Sampled users of the caregivers system: migrated into PostgreSQL, proven, changed, left alone when repeated."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, plan, run, verify
from adapters.samples.caregivers import TABLES, write_sample
from adapters.samples.caregivers.oddities import SLOTS, SPLIT
from adapters.samples.truth import CLASSES, broken_ways
from adapters.taken_in import to_legacy
from domain.access import Actor
from domain.billing import CancelSubscription
from domain.conversation import MessageRole, RecordMessage
from domain.streams import conversation_id
from migrations_replay.systems.caregivers import SYSTEM
from tests.support.application import watch
from tests.support.legacy_caregivers import ACCOUNT_ID, user
from tests.support.reports import BAD, derived_classes, true_classes


@pytest.fixture
def app(new_app: Callable[[], Application]) -> Application:
    return new_app()


def _caregivers(source: Path) -> Migration:
    return Migration.of("caregivers", source)


@pytest.mark.parametrize("users", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_sampled_users_are_migrated_proven_and_left_alone_when_repeated(
    users: int, app: Application, tmp_path: Path
) -> None:
    truth = write_sample(tmp_path, users, 11)
    report = run(app, _caregivers(tmp_path), watch)
    assert [report["reconcile"][name] for name in BAD] == [0, 0, 0]
    assert report["differences"] == []
    assert report["leaves"] == truth.leaves
    assert sum(report["leaves"][name] for name in CLASSES) == report["leaves"]["total"] == report["reconcile"]["leaves"]
    assert dict(Counter(finding["code"] for finding in report["findings"])) == truth.findings
    assert dict(Counter(entry["code"] for entry in report["quarantine"])) == truth.quarantine
    assert (len(report["conflicts"]), len(report["unmapped"])) == (truth.conflicts, truth.unmapped_records)
    assert not [rule for rule in report["rules"] if not rule["passed"]]
    again = run(app, _caregivers(tmp_path), watch)
    assert again["events"]["appended"] == 0
    assert again["reconcile"] == report["reconcile"]


def test_every_leaf_of_a_sample_ends_in_the_class_the_truth_says(tmp_path: Path) -> None:
    write_sample(tmp_path, 120, 12)
    assert derived_classes(tmp_path, SYSTEM) == true_classes(tmp_path)


@pytest.mark.parametrize("layout", ["json_lines", "convex"])
def test_a_sample_holds_every_oddity_and_repeats_itself(layout: Any, tmp_path: Path) -> None:
    truth = write_sample(tmp_path / "a", 20, 7, layout=layout)
    planted = {f"{slot}.{name}" for slot, names in {**SLOTS, "split": SPLIT}.items() for name in names}
    assert planted | {"admin"} | {f"broken.{way}" for way in broken_ways("/name")} == set(truth.oddities)
    assert set(truth.rows) == set(TABLES)
    assert write_sample(tmp_path / "b", 20, 7, layout=layout) == truth
    for path in sorted((tmp_path / "a").rglob("*.json*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_a_user_is_planned_migrated_given_back_and_goes_on(app: Application, tmp_path: Path) -> None:
    said = [{"role": "user", "content": "hello", "timestamp": 1_700_000_000_000}]
    columns = {"firstName": "Ada", "phoneNumber": "+1", "subscriptionStatus": "active", "totalInteractionCount": 40}
    twin = user(_id="u2", phoneNumber="+1")
    lines = [json.dumps(user(recentMessages=said, burnoutScore=None, **columns)), json.dumps(twin)]
    (tmp_path / "users.jsonl").write_text("\n".join(lines))
    planned = plan(app, _caregivers(tmp_path), watch)
    assert app.events.head() == 0
    report = run(app, _caregivers(tmp_path), watch)
    assert {name: planned[name] for name in ("leaves", "findings", "reconcile", "rules", "stats")} == {
        name: report[name] for name in ("leaves", "findings", "reconcile", "rules", "stats")
    }
    assert [(found["id"], found["code"]) for found in report["findings"]] == [
        ("u1", "duplicate_lookup"),
        ("u2", "duplicate_lookup"),
    ]
    (back,) = [found["document"] for found in to_legacy(app, "caregivers", "u1")]
    assert {name: back[name] for name in columns} == columns
    assert back["burnoutScore"] is None
    assert [message["content"] for message in back["recentMessages"]] == ["hello"]
    person = Actor.of_account(ACCOUNT_ID)
    message = RecordMessage(conversation_id=conversation_id(ACCOUNT_ID), role=MessageRole.USER, content="again")
    app.dossier.execute(message, actor=person)
    app.dossier.execute(CancelSubscription(account_id=ACCOUNT_ID), actor=person)
    app.catch_up()
    verified = verify(app, _caregivers(tmp_path), watch)
    assert {entry["pointer"]: entry["outcome"] for entry in verified["differences"]} == {
        "/totalInteractionCount": "changed_live",
        "/subscriptionStatus": "changed_live",
    }
    with app.pool.connection() as connection:
        connection.execute("UPDATE messages.messages SET content = 'hallo' WHERE number = 2")
    spoilt = verify(app, _caregivers(tmp_path), watch)
    assert [
        (entry["pointer"], entry["outcome"]) for entry in spoilt["differences"] if entry["outcome"] != "changed_live"
    ] == [("/recentMessages/0/content", "unexplained")]
