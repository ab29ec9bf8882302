"""Migrations of the contexts system, on PostgreSQL: what commands change is told from what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, has_findings, plan, run
from adapters.postgres.mapper import canonical_json
from domain.account import ChangeContact
from domain.contexts import Context
from domain.event import NewEvent
from domain.intent import DeclareIntent, ReviseIntent, WithdrawIntent
from domain.profile import ProfileVerificationChanged, ResolveConflict, UpdateProfile, Verification
from projections import accounts, profiles
from tests.support.application import tables, watch
from tests.support.changed_by_sql import put_back, sql
from tests.support.changed_live import Live
from tests.support.legacy import blob, context, message, user, write_export
from tests.support.reports import is_green

_contexts = partial(Migration.of, "contexts")


class _OnePerson(Live):
    """One person with two contexts."""

    def __init__(self, app: Application, migration: Migration) -> None:
        super().__init__(app, migration)
        (account,), (profile,) = app.reads.fetch(accounts.MODEL), app.reads.fetch(profiles.MODEL)
        self.account: UUID = account["account_id"]
        self.profile: UUID = profile["profile_id"]

    def update(self, **changes: Any) -> None:
        self.do(UpdateProfile(profile_id=self.profile, changes=changes))


@pytest.fixture
def live(new_app: Callable[[], Application], tmp_path: Path) -> _OnePerson:
    one = {"location": "Bern", "coreValues": ["calm", "humour"], "beliefs": {"faith": "none", "diet": {"a": [1, 2]}}}
    two = {"location": "Bern ", "coreValues": ["calm"], "beliefs": {"faith": "old"}, "serviceType": "seeking"}
    source = write_export(
        tmp_path,
        User=[user("u1", email="a@x", name="Ada")],
        ContextProfile=[context("c1", tonePreference="light"), context("c2", "service", day=3)],
        Profile=[blob("c1", one), blob("c2", two)],
        ChatMessage=[message("m1")],
    )
    return _OnePerson(new_app(), _contexts(source))


def test_nothing_was_changed(live: _OnePerson) -> None:
    assert live.changed_live() == set()


def test_a_contact_changed_live(live: _OnePerson) -> None:
    live.do(ChangeContact(account_id=live.account, email="b@x"))
    assert live.changed_live() == {"u1/email"}
    live.do(ChangeContact(account_id=live.account, email=None, phone="1"))
    assert live.changed_live() == {"u1/email"}
    live.do(ChangeContact(account_id=live.account, email="a@x"))
    assert live.changed_live() == set()


def test_profile_fields_changed_live(live: _OnePerson) -> None:
    live.update(location="Basel")
    assert live.changed_live() == {"pc1/data/location", "pc2/data/location"}
    live.update(core_values=["humour", "pluck"])
    assert live.changed_live() == {
        "pc1/data/coreValues/0",
        "pc1/data/location",
        "pc2/data/coreValues/0",
        "pc2/data/location",
    }
    live.update(location="Bern", core_values=["calm", "humour"], beliefs={"faith": "old", "diet": {"a": [1]}})
    assert live.changed_live() == {"pc1/data/beliefs/diet/a/1"}
    live.update(beliefs=None)
    assert live.changed_live() == {
        "pc1/data/beliefs/diet/a/0",
        "pc1/data/beliefs/diet/a/1",
        "pc2/data/beliefs/faith",
    }


def test_a_conflict_settled_live(live: _OnePerson) -> None:
    live.do(ResolveConflict(profile_id=live.profile, field="beliefs/faith", value="none"))
    assert live.changed_live() == {"pc2/data/beliefs/faith"}


def test_intents_changed_live(live: _OnePerson) -> None:
    service: dict[str, Any] = {"account_id": live.account, "context": Context.SERVICE}
    live.do(
        ReviseIntent(**service, changes={"service_type": "offering"}),
        ReviseIntent(account_id=live.account, context=Context.ROMANTIC, tone_preference=None),
        DeclareIntent(account_id=live.account, context=Context.CREATIVE, fields={"role_needed": "x"}),
    )
    assert live.changed_live() == {"c1/tonePreference", "pc2/data/serviceType"}
    live.do(WithdrawIntent(**service), DeclareIntent(**service, fields={"service_type": "seeking"}))
    assert live.changed_live() == {"c1/tonePreference", "c2/createdAt", "c2/id"}


def test_a_run_after_a_live_change_appends_nothing_and_keeps_it(live: _OnePerson) -> None:
    live.update(location="Basel")
    before = tables(live.app)
    assert run(live.app, live.migration, watch)["events"]["appended"] == 0
    assert tables(live.app) == before
    assert plan(live.app, live.migration, watch)["reconcile"]["changed_live"] == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts.accounts SET email = 'c@x'",
        "UPDATE accounts.accounts SET email = 'a@x'",
        "UPDATE profiles.profiles SET fields = jsonb_set(fields, '{location}', '\"Bern\"')",
        "UPDATE profiles.profiles SET completeness = 1",
        "UPDATE accounts.accounts SET name = 'Eva'",
        "UPDATE profiles.profiles SET fields = jsonb_set(fields, '{location}', '\"Chur\"')",
        "UPDATE profiles.profiles SET fields = fields - 'location'",
        "UPDATE profiles.profiles SET fields = jsonb_set(fields, '{age_range}', '\"55+\"')",
        "UPDATE profiles.profiles SET fields = fields - 'age_range'",
        'UPDATE profiles.profiles SET fields = fields || \'{"name": "Eva"}\'',
        "UPDATE profiles.profiles SET fields = jsonb_set(fields, '{core_values}', '[\"pluck\", \"calm\"]')",
        "UPDATE profiles.profiles SET fields = jsonb_set(fields, '{core_values}', '[\"calm\"]')",
        "UPDATE profiles.profiles SET fields = jsonb_set(fields, '{lifestyle,pets}', '2')",
        "UPDATE profiles.profiles SET fields = fields #- '{lifestyle,pets}'",
        "UPDATE profiles.profiles SET fields = '{}'",
        "DELETE FROM profiles.profiles",
        "DELETE FROM accounts.accounts",
    ],
)
def test_a_change_by_sql_on_top_of_a_live_one_is_not_green(live: _OnePerson, change: str) -> None:
    live.do(ChangeContact(account_id=live.account, email="b@x"))
    live.update(location="Basel", age_range="25-34", core_values=["calm", "pluck"], lifestyle={"pets": 1})
    assert live.changed_live() == {"pc1/data/coreValues/1", "pc1/data/location", "pc2/data/location", "u1/email"}
    sql(live.app, change)
    assert not is_green(live.verify())


def test_a_row_put_back_as_the_import_made_it_is_a_lost_change(live: _OnePerson) -> None:
    sql(live.app, "CREATE TABLE public.aside AS SELECT * FROM profiles.profiles")
    live.update(location="Basel")
    assert live.changed_live()
    sql(live.app, "DELETE FROM profiles.profiles")
    put_back(live.app, "profiles.profiles")
    assert not is_green(live.verify())


def test_of_several_places_of_a_leaf_the_worst_counts(live: _OnePerson) -> None:
    key = {"account_id": live.account, "context": Context.ROMANTIC}
    live.do(WithdrawIntent(**key), DeclareIntent(**key))
    assert "c1/createdAt" in live.changed_live()
    sql(live.app, "UPDATE legacy_ids.legacy_ids SET created = '2001-01-01' WHERE key = 'c1'")
    report = live.verify()
    assert report["reconcile"]["unexplained"] == 1
    assert not is_green(report)


@pytest.mark.parametrize("column", ["version", "position"])
@pytest.mark.parametrize("model", ["accounts", "profiles", "intents", "legacy_ids"])
def test_a_row_that_says_it_is_of_another_event_is_noticed(live: _OnePerson, model: str, column: str) -> None:
    sql(live.app, f"UPDATE {model}.{model} SET {column} = {column} + 1000")
    assert not is_green(live.verify())


def test_records_that_stand_still_are_reported_and_stop_nothing(live: _OnePerson) -> None:
    live.do(ChangeContact(account_id=live.account, email="b@x"))
    found = live.app.events.load([live.account, live.profile])
    account, profile = (found[stream][-1] for stream in (live.account, live.profile))
    unreadable = canonical_json({"data": {"secret": "a secret"}, "meta": {}, "v": 1})
    of_no_entry = ProfileVerificationChanged(status=Verification.VERIFIED, previous=Verification.UNVERIFIED, follows=9)
    live.app.events.append_rows([(live.account, account.version + 1, "account.contact_changed", unreadable)])
    live.app.events.append_bulk([NewEvent(live.profile, profile.version + 1, of_no_entry, account.metadata)])
    report = live.verify()
    assert has_findings(report)
    standing = {entry["place"]: entry for entry in report["differences"] if "stands still" in str(entry["found"])}
    assert {(entry["id"], entry["outcome"]) for entry in standing.values()} == {("u1", "unexplained")}
    assert standing.keys() == {f"accounts/{live.account}/*", f"status_history/{live.profile}/*"}
    assert report["reconcile"]["unexplained"] == len(standing)
    assert "secret" not in str(report["differences"])
    assert [entry["pointer"] for entry in report["differences"] if entry["outcome"] == "changed_live"] == ["/email"]
    assert not run(live.app, live.migration, watch)["events"]["appended"]
