"""Newer exports of a system that was taken in: only differences are appended, and what people changed stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.bootstrap import Application
from adapters.migration import retry, run, verify
from adapters.postgres.mapper import canonical_json
from adapters.taken_in import rederive, rollback
from domain.account import ChangeContact, EraseAccount
from domain.case import ChangeCaseStatus
from domain.contexts import Context
from domain.errors import InputUnreadable
from domain.intent import DeclareIntent, ReviseIntent
from domain.profile import UpdateProfile
from domain.status_catalogue import DefineStatus
from domain.streams import intent_id, merged_profile_id
from migrations_replay.approvals import leaf_name, read_approvals
from migrations_replay.systems.contexts import SYSTEM
from projections import accounts, cases, intents, profiles, quarantine, status_history
from projections.all import READ_MODELS
from tests.support.application import PASSING, application_at, tables, watch
from tests.support.killed import kill
from tests.support.legacy import blob, context, message, user
from tests.support.legacy_cases import AUTHOR, CASE_ID, case_status, process, status, when
from tests.support.newer_exports import World
from tests.support.reports import is_green

U1 = SYSTEM.stream_of("u1")
P1 = merged_profile_id(U1, "personal")


def _contexts(**data: Any) -> dict[str, list[Any]]:
    return {
        "User": [user(name="Ada", email="ada@example.org")],
        "ContextProfile": [context("c1", "romantic", tonePreference="light")],
        "Profile": [blob("c1", {"location": "Rome", "beliefs": {"diet": "vegan", "faith": "none"}} | data)],
        "ChatMessage": [message("m1")],
    }


def test_only_differences_are_appended(world: Callable[[str], World]) -> None:
    w = world("contexts")
    first = _contexts()
    assert is_green(w.run(first))
    after = w.app.events.head()
    newer = _contexts(location="Oslo", beliefs={"diet": "vegan", "sleep": "early"}, familyIntentions="two")
    report = w.run(newer)
    assert is_green(report)
    assert (report["pending"], report["kept"], report["gone"]) == ([], [], [])
    assert w.topics(after) == ["profile.updated", "intent.revised"]
    assert w.row(profiles.MODEL, P1)["fields"] == {"location": "Oslo", "beliefs": {"diet": "vegan", "sleep": "early"}}
    w.again()
    # an older export, whose versions were recorded already, changes nothing
    before = tables(w.app)
    old = w.run(first)
    assert old["snapshots"]["older"] == 1
    assert old["events"]["appended"] == 0
    assert tables(w.app) == before


def test_what_both_sides_changed_stays_live_and_is_told(world: Callable[[str], World]) -> None:
    w = world("contexts")
    w.run(_contexts())
    w.live(UpdateProfile(profile_id=P1, changes={"location": "Lima", "beliefs": {"diet": "any", "faith": "none"}}))
    w.live(ChangeContact(account_id=U1, name="Ida"))
    w.live(ReviseIntent(account_id=U1, context=Context.ROMANTIC, tone_preference="serious"))
    newer = _contexts(location="Oslo", beliefs={"diet": "raw", "faith": "some"})
    newer["User"] = [user(name="Ada", email="new@example.org")]
    report = w.run(newer)
    assert is_green(report)
    assert report["reconcile"]["changed_live"] == 4
    kept = {(entry["field"], json.dumps(entry["live"]), json.dumps(entry["legacy"])) for entry in report["kept"]}
    assert kept == {("location", '"Lima"', '"Oslo"'), ("beliefs/diet", '"any"', '"raw"')}
    assert w.row(profiles.MODEL, P1)["fields"] == {"location": "Lima", "beliefs": {"diet": "any", "faith": "some"}}
    account = w.row(accounts.MODEL, U1)
    assert (account["name"], account["email"]) == ("Ida", "new@example.org")
    assert [event.topic for event in w.app.events.read(0, 1_000)].count("legacy.live_value_kept") == 2
    w.again()
    assert is_green(w.verify())


def test_a_dependent_that_came_later_and_one_that_is_gone(world: Callable[[str], World]) -> None:
    w = world("contexts")
    rows = _contexts()
    w.run(rows)
    later = {
        **rows,
        "ContextProfile": [*rows["ContextProfile"], context("c2", "service", day=3)],
        "Profile": [*rows["Profile"], blob("c2", {"location": "Bonn", "serviceType": "law", "coreValues": ["calm"]})],
    }
    after = w.app.events.head()
    report = w.run(later)
    assert is_green(report)
    assert sorted(w.topics(after)) == ["intent.declared", "profile.conflict_recorded", "profile.updated"]
    second = intent_id(U1, Context.SERVICE)
    assert w.row(intents.MODEL, second)["fields"] == {"service_type": "law"}
    # gone from the source, and what belonged to it with it: told, and left
    before = tables(w.app)
    orphan = {**later, "ContextProfile": rows["ContextProfile"]}
    report = w.run(orphan)
    assert {(entry["table"], entry["id"], entry["deleted"]) for entry in report["gone"]} == {
        ("ContextProfile", "c2", False),
        ("Profile", "pc2", False),
    }
    assert tables(w.app) == before | {"quarantine": tables(w.app)["quarantine"]}
    report = w.run(orphan, apply_deletes=True)
    assert is_green(report)
    assert report["snapshots"]["withdrawn"] == 2
    assert w.app.reads.find(intents.MODEL, (second,)) is None
    assert w.row(profiles.MODEL, P1)["conflicts"] == {}
    w.again(apply_deletes=True)
    # and there once more
    assert is_green(w.run(later))
    assert w.row(intents.MODEL, second)["fields"] == {"service_type": "law"}


def test_a_record_that_is_broken_now_counts_on_as_it_was(world: Callable[[str], World]) -> None:
    w = world("contexts")
    rows = _contexts()
    w.take(rows)
    newer = {**rows, "User": [user(name="Ida", email="ada@example.org")]}
    newer["Profile"] = ['{"id": "pc1", "contextProfileId": "c1", "data": {}, "data": {"location": "Oslo"}}']
    report = w.run(newer, apply_deletes=True)
    assert (report["gone"], report["pending"], [line["code"] for line in report["quarantine"]]) == (
        [], [], ["duplicate_key"]
    )  # fmt: skip
    assert w.row(accounts.MODEL, U1)["name"] == "Ida"
    assert w.row(profiles.MODEL, P1)["fields"]["location"] == "Rome"
    w.again()


def test_a_root_that_is_gone_is_withdrawn_unless_people_changed_it(world: Callable[[str], World]) -> None:
    w = world("contexts")
    rows = _contexts()
    rows["User"].append(user("u2", name="Eva"))
    w.run(rows)
    w.live(ChangeContact(account_id=U1, name="Ida"))
    report = w.run({"User": [user("u3")]}, apply_deletes=True)
    assert [entry["bundle"] for entry in report["kept"]] == ["u1"]
    assert w.app.reads.find(accounts.MODEL, (SYSTEM.stream_of("u2"),)) is None
    assert w.row(accounts.MODEL, U1)["name"] == "Ida"
    rows["User"].append(user("u3"))
    assert is_green(w.run(rows))
    assert w.row(accounts.MODEL, SYSTEM.stream_of("u2"))["name"] == "Eva"


def test_what_no_event_expresses_is_told_from_the_beginning_or_left_to_people(world: Callable[[str], World]) -> None:
    w = world("contexts")
    w.run(_contexts())
    moved = _contexts()
    moved["User"] = [user(name="Ada", createdAt="2022-01-01T00:00:00Z")]
    report = w.run(moved)
    assert is_green(report)
    assert "legacy.import_withdrawn" in report["events"]["by_topic"]
    assert str(w.row(accounts.MODEL, U1)["registered_at"]).startswith("2022")
    w.live(ChangeContact(account_id=U1, phone="1"))
    moved["User"] = [user(name="Ada", createdAt="2021-01-01T00:00:00Z")]
    report = w.run(moved)
    assert [(entry["bundle"], entry["fields"]) for entry in report["pending"]] == [("u1", ["accounts.registered_at"])]


def _cases(*more: dict[str, Any], of: str = "em_tramite", **fields: Any) -> dict[str, list[Any]]:
    return {
        "individualProcesses": [process(status=of, **fields)],
        "individualProcessStatuses": [status("s1", "em_tramite", 2, active=not more), *more],
        "caseStatuses": [case_status("k1", "rnm")],
        "users": [{"_id": "a1"}],
    }


def test_a_history_that_went_on_in_the_legacy_system(world: Callable[[str], World]) -> None:
    w = world("cases")
    w.run(_cases(funcao="Cook"))
    after = w.app.events.head()
    report = w.run(_cases(status("s2", "deferido", 5, active=True), of="deferido", funcao="Chef"))
    assert is_green(report)
    assert (report["pending"], report["kept"]) == ([], [])
    assert w.topics(after) == ["case.status_changed", "case.updated"]
    case = w.row(cases.MODEL, CASE_ID)
    assert (case["status"], case["status_entry"], case["fields"]) == ("deferido", 3, {"funcao": "Chef"})
    # a straggler takes its place between the two, and the live change behind them stands
    w.live(ChangeCaseStatus(case_id=CASE_ID, status="rnm", effective_at=when(10)))
    straggler = status("s3", "exigencia", 3)
    report = w.run(_cases(status("s2", "deferido", 5, active=True), straggler, of="deferido", funcao="Chef"))
    assert is_green(report)
    entries = sorted(w.app.reads.fetch(status_history.MODEL, owner_id=CASE_ID), key=lambda row: row["active_from"])
    assert [(row["entry"], row["status"]) for row in entries] == [
        (2, "em_tramite"), (6, "exigencia"), (3, "deferido"), (5, "rnm")
    ]  # fmt: skip
    w.again()


def test_a_status_both_sides_changed_stays_live(world: Callable[[str], World]) -> None:
    w = world("cases")
    w.run(_cases())
    w.live(ChangeCaseStatus(case_id=CASE_ID, status="rnm", effective_at=when(4)))
    w.live(DefineStatus(code="rnm", catalogue="case_codes", name="Registro"))
    report = w.run(_cases(status("s2", "deferido", 5, active=True), of="deferido"))
    assert is_green(report)
    assert [(entry["field"], entry["live"], entry["legacy"]) for entry in report["kept"]] == [
        ("status", "rnm", "deferido")
    ]
    assert w.row(cases.MODEL, CASE_ID)["status"] == "rnm"
    w.again()


def test_a_status_people_defined_first_keeps_what_they_set(world: Callable[[str], World]) -> None:
    w = world("cases")
    w.live(DefineStatus(code="rnm", catalogue="case_codes", name="Registro", sort_order=3))
    report = w.run(_cases())
    assert is_green(report)
    assert report["pending"] == []
    assert {(entry["field"], entry["live"]) for entry in report["kept"]} == {("name", "Registro"), ("sort_order", 3)}
    w.again()


def test_an_author_stays_whatever_users_a_later_export_holds(world: Callable[[str], World]) -> None:
    w = world("cases")
    w.run(_cases())
    later = _cases()
    later["users"] = [{"_id": "a2"}]
    report = w.run(later)
    assert report["reconcile"]["unexplained"] == report["reconcile"]["missing"] == 0
    assert w.app.reads.fetch(status_history.MODEL, owner_id=CASE_ID)[0]["changed_by"] == AUTHOR


# --- taking back, retrying, deriving anew, approving ------------------------------------------------------------------


def test_a_rollback_leaves_the_tables_as_if_nothing_had_run_and_a_later_run_imports_again(
    world: Callable[[str], World],
) -> None:
    for system, rows in (("contexts", _contexts()), ("cases", _cases(status("s2", "deferido", 5, active=True)))):
        w = world(system)
        w.app.catch_up()
        empty = tables(w.app)
        w.run(rows)
        imported, head = tables(w.app), w.app.events.head()
        preview = rollback(w.app, system, watch, force=False, apply=False)
        assert (preview["records"], w.app.events.head()) == (sum(map(len, rows.values())), head)
        report = rollback(w.app, system, watch, force=False, apply=True)
        assert report["records"] == preview["records"]
        assert tables(w.app) == empty
        assert rollback(w.app, system, watch, force=False, apply=True)["records"] == 0
        assert is_green(w.run(rows))
        again = tables(w.app)
        assert {name: len(found) for name, found in again.items()} == {
            name: len(found) for name, found in imported.items()
        }
        w.again()
        assert is_green(w.verify())
    # a history goes on behind what was taken back
    longer = _cases(status("s2", "deferido", 5), status("s3", "rnm", 9, active=True), of="rnm")
    assert is_green(w.run(longer))
    assert w.row(cases.MODEL, CASE_ID)["status"] == "rnm"


def test_what_was_changed_live_is_left_by_a_rollback_unless_forced(world: Callable[[str], World]) -> None:
    w = world("contexts")
    rows = _contexts()
    rows["User"].append(user("u2"))
    w.run(rows)
    w.live(DeclareIntent(account_id=U1, context=Context.SERVICE))  # a live record of an imported account
    report = rollback(w.app, "contexts", watch, force=False, apply=True)
    assert [entry["bundle"] for entry in report["live_changes"]] == ["u1"]
    assert w.app.reads.find(accounts.MODEL, (SYSTEM.stream_of("u2"),)) is None
    w.row(accounts.MODEL, U1)
    rollback(w.app, "contexts", watch, ["u1"], force=True, apply=True)
    assert w.app.reads.find(accounts.MODEL, (U1,)) is None


def test_only_what_was_quarantined_is_read_again(world: Callable[[str], World]) -> None:
    w = world("contexts")
    broken = [context("c2", "business"), context("c3", "music")]
    rows = {**_contexts(), "ContextProfile": [context("c1"), *broken]}
    w.take(rows)
    mended = [context("c1"), context("c2", "service"), broken[1]]
    w.export(**{**rows, "ContextProfile": mended, "User": [user(), user("u9")]})
    none = retry(w.app, w.migration(only=["u9"]), watch)
    assert (none["snapshots"]["read"], none["retried"]) == (0, {"waited": 2, "taken_in": 0, "left": 2})
    report = retry(w.app, w.migration(only=["u1"]), watch)
    assert report["snapshots"]["read"] == 6
    assert report["retried"] == {"waited": 2, "taken_in": 1, "left": 1}
    assert [(line["id"], line["code"]) for line in report["waiting"]] == [("c3", "unknown_context")]
    assert w.row(intents.MODEL, intent_id(U1, Context.SERVICE))["context_profile_id"] == "c2"
    assert w.app.reads.find(accounts.MODEL, (SYSTEM.stream_of("u9"),)) is None
    # what was set aside in two forms is not set aside anew by the older of them
    w.export(**{**rows, "ContextProfile": [*mended[:2], broken[1] | {"note": "x"}]})
    assert run(w.app, w.migration(), watch)["events"]["by_topic"]["legacy.record_quarantined"] == 1
    w.export(**{**rows, "ContextProfile": mended})
    w.again()
    # a rollback takes back what waits as well, and a later run sets it aside again
    assert rollback(w.app, "contexts", watch, force=False, apply=True)["set_aside"] == 2
    assert w.app.reads.fetch(quarantine.MODEL) == []
    run(w.app, w.migration(), watch)
    assert [row["key"] for row in w.app.reads.fetch(quarantine.MODEL)] == ["c3"]


def test_recorded_snapshots_are_derived_anew_under_a_changed_mapping(
    world: Callable[[str], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    w = world("contexts")
    w.run(_contexts(coreValues=["calm"]))
    w.live(UpdateProfile(profile_id=P1, changes={"core_values": ["own"]}))
    assert rederive(w.app, "contexts", watch, apply=False)["changes"] == []
    monkeypatch.setattr(type(SYSTEM), "mapping_version", SYSTEM.mapping_version + 1)
    monkeypatch.setattr("migrations_replay.systems.contexts.FIRST_NON_EMPTY", {"name": "name"})
    monkeypatch.setattr("migrations_replay.systems.contexts.UNIONS", {})
    head = w.app.events.head()
    preview = rederive(w.app, "contexts", watch, apply=False)
    assert w.app.events.head() == head
    assert [(line["bundle"], line["field"], line["old"]) for line in preview["changes"]] == [("u1", "location", "Rome")]
    assert [line["field"] for line in preview["kept"]] == ["core_values"]
    report = rederive(w.app, "contexts", watch, apply=True)
    assert report["changes"] == preview["changes"]
    assert "location" not in w.row(profiles.MODEL, P1)["fields"]
    assert rederive(w.app, "contexts", watch, apply=True)["events"]["appended"] == 0


def test_an_approved_difference_is_no_breach(world: Callable[[str], World]) -> None:
    w = world("contexts")
    w.run(_contexts())
    w.export(**_contexts(location="Oslo"))
    assert not is_green(w.verify())
    named = [leaf_name(line) for line in w.verify()["differences"]]
    approvals = [{"leaf": leaf, "approver": "Eva", "reason": "moved"} for leaf in [*dict.fromkeys(named), "User/u1/x"]]
    report = verify(w.app, w.migration(approvals=read_approvals(json.dumps(approvals).encode())), watch)
    assert is_green(report)
    assert "Profile/pc1/data/location" in named
    assert report["unused_approvals"] == ["User/u1/x"]
    assert {line["approver"] for line in report["differences"]} == {"Eva"}
    for wrong in (b"{}", b'[{"leaf": "a"}]', json.dumps([*approvals, approvals[0]]).encode()):
        with pytest.raises(InputUnreadable):
            read_approvals(wrong)


def test_an_erased_person_does_not_come_back(world: Callable[[str], World]) -> None:
    w = world("contexts")
    w.run(_contexts())
    w.live(EraseAccount(account_id=U1, reason="asked for it"))
    head = w.app.events.head()
    report = w.run(_contexts(location="Oslo"))
    assert report["snapshots"]["erased"] == 4
    assert w.app.events.head() == head
    assert report["reconcile"]["erased"] == report["leaves"]["total"]
    assert is_green(report)
    assert is_green(w.run({"User": [user("u2")]}, apply_deletes=True))
    assert rederive(w.app, "contexts", watch, apply=True)["snapshots"]["read"] == 1
    assert rollback(w.app, "contexts", watch, force=True, apply=True)["records"] == 1


def test_a_source_that_grows_while_it_is_read_ends_and_the_next_run_brings_the_rest(
    world: Callable[[str], World],
) -> None:
    w = world("contexts")
    file = w.export(User=[user(f"u{number}") for number in range(10)], ContextProfile=[context("c1")]) / "User.jsonl"
    grown = 0

    def growing(stage: str, done: int, total: int) -> None:
        nonlocal grown
        grown += 1
        with file.open("a") as lines:
            lines.write(f"\n{json.dumps(user(f'later{grown}'))}")

    report = run(w.app, w.migration(batch_events=4), growing)
    assert is_green(report)
    assert grown > 5
    left = 10 + grown - report["source"]["tables"]["User"]  # what was there before the file was opened is read
    report = run(w.app, w.migration(), watch)
    assert is_green(report)
    assert report["snapshots"]["recorded"] == left > 5
    w.again()


# --- killed and run again ------------------------------------------------------------------------------------


def _lasting(app: Application) -> dict[str, list[bytes]]:
    """Return the tables without what tells how often something was recorded, and what is broken."""
    app.catch_up()
    passing = {"mapping_version", "updated_at", "version", *PASSING}
    return {
        model.name: sorted(
            canonical_json({name: value for name, value in row.items() if name not in passing})
            for row in app.reads.fetch(model)
        )
        for model in READ_MODELS
        if model.name not in ("migration_runs", "quarantine")
    }


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("killed", "after"),
    [
        (("retry", "rollback"), 1),
        *(pytest.param(("run", "retry", "rederive", "rollback"), n, marks=pytest.mark.soak) for n in range(1, 6)),
    ],
)
def test_whatever_was_killed_is_simply_run_again(
    make_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed: tuple[str, ...],
    after: int,
) -> None:
    users = [f"u{number}" for number in range(16 if len(killed) == 2 else 60)]
    broken, mended = (
        [context(f"c{number}", kind, userId=key) for number, key in enumerate(users)] for kind in ("?", "romantic")
    )
    first = {"User": [user(key, name="Ada") for key in users], "ContextProfile": broken}
    newer = {**first, "User": [user(key, name="Ida") for key in users]}
    whole = {**newer, "ContextProfile": mended}
    with application_at(make_database()) as app:
        w = World(app, tmp_path, "contexts")
        w.take(whole)
        at_once = _lasting(app)
    url = make_database()

    def stop(work: str) -> None:
        if work in killed:
            kill(w.migration(batch_events=20), url, work, told=after, stage="replay")

    with application_at(url) as app:
        w = World(app, tmp_path, "contexts")
        app.catch_up()
        empty = tables(app)
        w.take(first)
        w.export(**newer)
        stop("run")
        run(app, w.migration(), watch)
        w.again()
        w.export(**whole)
        stop("retry")
        assert is_green(retry(app, w.migration(), watch))
        w.again()
        assert _lasting(app) == at_once
        assert [event.topic for event in app.events.read(0, 10_000)].count("account.contact_changed") == len(users)
        stop("rederive")
        monkeypatch.setattr(type(SYSTEM), "mapping_version", SYSTEM.mapping_version + 1)
        assert rederive(app, "contexts", watch, apply=True)["snapshots"]["read"] == 2 * len(users)
        assert rederive(app, "contexts", watch, apply=True)["events"]["appended"] == 0
        assert _lasting(app) == at_once
        stop("rollback")
        rollback(app, "contexts", watch, force=False, apply=True)
        assert tables(app) == empty
