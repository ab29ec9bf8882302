"""A migration of decks against PostgreSQL: counts as the truth says, proven, repeatable, the same from every source."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.legacy.source import open_source
from adapters.migration import Migration, run, verify
from adapters.postgres.mapper import canonical_json
from adapters.samples.decks import GROUPS, write_sample
from adapters.taken_in import rollback, to_legacy
from domain.access import Actor
from domain.errors import NotFound
from domain.identity import EnsureProfile, SyncIdentity
from domain.profile import UpdateProfile
from domain.streams import merged_profile_id
from migrations_replay.bundle import BundleIndex
from migrations_replay.leaves import CLASSES
from migrations_replay.report import as_plain
from migrations_replay.systems.deck_columns import COLUMNS
from migrations_replay.systems.decks import JSON_COLUMNS, SYSTEM
from projections import billing_accounts, profiles
from tests.migrations_replay.test_decks import FINAL
from tests.support.application import application_at, tables, watch
from tests.support.legacy_decks import OTHER, ROW, USER, account_of, row
from tests.support.reports import BAD, derived_classes, is_counted_as, true_classes, truth_of


@pytest.mark.parametrize(("users", "seed"), [(60, 4), pytest.param(1000, 5, marks=pytest.mark.soak)])
def test_sampled_people_are_migrated_proven_and_left_alone_when_repeated(
    users: int, seed: int, tmp_path: Path, make_database: Callable[[], str]
) -> None:
    sums = write_sample(tmp_path, users, seed)
    assert {f"{group}.{name}" for group, oddities in GROUPS.items() for name in oddities} <= sums.oddities.keys()
    truth = truth_of(tmp_path)
    assert derived_classes(tmp_path, SYSTEM) == true_classes(tmp_path)
    migration = Migration.of("decks", tmp_path)
    with application_at(make_database()) as app:
        report = run(app, migration, watch)
        is_counted_as(truth, report)
        assert sum(report["leaves"][name] for name in CLASSES) == report["leaves"]["total"]
        assert report["source"] == {"kind": "json_lines", "tables": truth["rows"]}
        assert (report["differences"], [report["reconcile"][name] for name in BAD]) == ([], [0, 0, 0])
        assert report["reconcile"]["equal"] == truth["leaves"]["mapped"]
        assert report["stats"]["after"]["accounts"] == report["stats"]["after"]["profiles"] == users
        failed = [line["rule"] for line in report["rules"] if not line["passed"]]
        assert failed == ["what belongs to a user finds them"]
        before = tables(app)
        assert run(app, migration, watch)["events"]["appended"] == 0
        assert tables(app) == before


def test_live_commands_go_on_from_what_was_imported(tmp_path: Path, make_database: Callable[[], str]) -> None:
    (tmp_path / "profiles.jsonl").write_text(json.dumps(row(**FINAL)) + "\n")
    migration, account, person = Migration.of("decks", tmp_path), account_of(USER), Actor.of_account(account_of(USER))
    with application_at(make_database()) as app:
        run(app, migration, watch)
        assert app.dossier.execute(EnsureProfile(account_id=account, kind="deck"), actor=person).events == 0
        synced = SyncIdentity(account_id=account, email="new@example.org", full_name="Ada Lovelace")
        assert app.dossier.execute(synced, actor=person).events == 1
        changes = {"bio": "Changed", "job_title": "Analyst"}
        update = UpdateProfile(profile_id=merged_profile_id(account, "deck"), changes=changes)
        app.dossier.execute(update, actor=person)
        proof = verify(app, migration, watch)["reconcile"]
        assert [proof[name] for name in (*BAD, "changed_live")] == [0, 0, 0, 2]
        (given_back,) = to_legacy(app, "decks", USER)
        assert given_back["document"] == as_plain(row(**FINAL)) | {
            "created_at": "2024-03-01T09:00:00Z",
            "updated_at": "2024-04-01T09:00:00Z",
            "last_login": "2024-03-31T06:00:00.000000Z",
            "email": "new@example.org",
            "bio": "Changed",
        }


def test_a_newer_export_is_merged_and_an_import_taken_back_and_made_again(
    tmp_path: Path, make_database: Callable[[], str]
) -> None:
    def export(**changed: Any) -> Migration:
        (tmp_path / "profiles.jsonl").write_text(json.dumps(row(**FINAL | changed)) + "\n")
        return Migration.of("decks", tmp_path)

    account, profile = account_of(USER), merged_profile_id(account_of(USER), "deck")
    with application_at(make_database()) as app:
        first = run(app, export(), watch)
        update = UpdateProfile(profile_id=profile, changes={"bio": "Live", "job_title": "Live"})
        app.dossier.execute(update, actor=Actor.operator())
        newer = {"bio": "Newer", "company_name": "Newer", "language": "rm", "phone": None, "key_metrics": ["NPS"]}
        billing = {"subscription_tier": "enterprise", "subscription_status": "canceled"}
        report = run(app, export(**newer, **billing, updated_at="2024-06-01T00:00:00Z"), watch)
        assert [report["reconcile"][name] for name in BAD] == [0, 0, 0]
        assert (report["pending"], [entry["field"] for entry in report["kept"]]) == ([], ["bio"])
        fields = (app.reads.find(profiles.MODEL, (profile,)) or {})["fields"]
        assert [fields[name] for name in ("bio", "company_name", "key_metrics")] == ["Live", "Newer", ["NPS"]]
        (held,) = app.reads.fetch(billing_accounts.MODEL, account_id=account)
        assert (held["fields"]["subscription_tier"], held["status"]) == ("enterprise", "cancelled")
        assert run(app, export(), watch)["events"]["appended"] == 0  # an older export
        for name in (ROW, str(account), f"legacy:decks/profiles/{ROW}"):  # all that `run --only` takes
            assert rollback(app, "decks", watch, [name], force=True, apply=False)["records"] == 1
        with pytest.raises(NotFound):
            rollback(app, "decks", watch, [OTHER], force=True, apply=False)
        rollback(app, "decks", watch, [USER], force=True, apply=True)
        assert not any(app.reads.fetch(model) for model in (profiles.MODEL, billing_accounts.MODEL))
        again = run(app, export(), watch)
        assert again["leaves"] == first["leaves"]
        assert [again["reconcile"][name] for name in BAD] == [0, 0, 0]


def test_a_phone_two_people_have_is_reported_for_both(tmp_path: Path, make_database: Callable[[], str]) -> None:
    rows = [row(phone="+41 44"), row(OTHER, None, phone="+41 44", email="a@b.c")]
    (tmp_path / "profiles.jsonl").write_text("".join(json.dumps(found) + "\n" for found in rows))
    with application_at(make_database()) as app:
        found = run(app, Migration.of("decks", tmp_path), watch)["findings"]
    assert [(entry["field"], entry["code"], entry["value"]) for entry in found] == [
        ("phone", "duplicate_lookup", "+41 44")
    ] * 2


# --- the same rows from every source ----------------------------------------------------------------------------------

_TYPES = {
    **dict.fromkeys(("id", "user_id"), "uuid"),
    **dict.fromkeys(("created_at", "updated_at", "last_login"), "timestamptz"),
    **dict.fromkeys(JSON_COLUMNS, "jsonb"),
    **dict.fromkeys(("onboarding_completed", "is_active", "email_verified"), "boolean"),
    "login_count": "int",
}


def _told(source: Path | str) -> tuple[str, list[bytes]]:
    with open_source(source, SYSTEM.tables) as opened:
        (bundle,) = BundleIndex(opened, SYSTEM)
        facts = SYSTEM.derive(bundle)
        assert facts.findings == []
        return opened.kind, [canonical_json(new.event) for stream in facts.streams for new in stream.events]


def test_json_lines_csv_and_the_database_imply_the_same_events(
    tmp_path: Path, make_database: Callable[[], str]
) -> None:
    document: dict[str, Any] = row(**FINAL)
    for folder in ("jsonl", "csv"):
        (tmp_path / folder).mkdir()
    (tmp_path / "jsonl" / "profiles.jsonl").write_text(json.dumps(document))
    url = make_database()
    names = [*("id", "user_id", "created_at", "updated_at"), *COLUMNS]
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in names)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE profiles ({columns})")
        connection.execute(
            "INSERT INTO profiles SELECT * FROM jsonb_populate_record(NULL::profiles, %s::jsonb)",
            [json.dumps(document)],
        )
        with (
            (tmp_path / "csv" / "profiles.csv").open("wb") as file,
            connection.cursor().copy("COPY profiles TO STDOUT (FORMAT csv, HEADER)") as copy,
        ):
            file.writelines(copy)
    query = "&".join(f"{pair.replace('/', '%2F')}" for pair in url.split())
    told = [_told(tmp_path / "jsonl"), _told(tmp_path / "csv"), _told(f"postgresql://?{query}")]
    assert [kind for kind, _ in told] == ["json_lines", "csv", "postgresql"]
    assert told[0][1] == told[1][1] == told[2][1]
    with (tmp_path / "csv" / "profiles.csv").open(newline="") as rows:
        assert next(csv.DictReader(rows))["is_active"] == "t"
