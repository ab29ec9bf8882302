"""Migrations from end to end, on PostgreSQL."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.bootstrap import Application
from adapters.legacy import json_lines
from adapters.legacy.json_lines import open_export
from adapters.migration import Migration, has_findings, plan, run, run_status, verify, write_report
from adapters.postgres.mapper import canonical_json
from adapters.postgres.migration_store import run_lock
from adapters.samples.contexts import write_sample
from domain.access import Actor
from domain.account import ChangeContact
from domain.command import Command
from domain.contexts import Context
from domain.errors import InputUnreadable, NotFound, RunConflict
from domain.event import NewEvent
from domain.intent import DeclareIntent, ReviseIntent, WithdrawIntent
from domain.profile import ProfileVerificationChanged, ResolveConflict, UpdateProfile, Verification
from migrations_replay.bundle import BundleIndex
from migrations_replay.leaves import CLASSES
from migrations_replay.systems.contexts import SYSTEM
from tests.support.application import application_at, schemas_of, stored, tables, watch
from tests.support.killed import Clean, clean_run, kill_and_resume
from tests.support.legacy import blob, context, message, user, write_export
from tests.support.places import Leaf, Places, Spot
from tests.support.reports import BAD, derived_classes, is_green, true_classes, truth_of

OPERATOR = Actor.operator()


def _contexts(source: Path, **more: Any) -> Migration:
    return Migration.of("contexts", source, **more)


# --- a sample, of 1000 users in the soak ------------------------------------------------------------------------


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
        assert found["leaves"] == truth["leaves"]
        assert sum(found["leaves"][name] for name in CLASSES) == found["leaves"]["total"]
        assert len(found["conflicts"]) == truth["conflicts"]
        assert dict(sorted(Counter(entry["code"] for entry in found["findings"]).items())) == truth["findings"]
        assert dict(sorted(Counter(entry["code"] for entry in found["quarantine"]).items())) == truth["quarantine"]
        assert len(found["unmapped"]) == truth["unmapped_records"]
        assert found["source"]["tables"] == truth["rows"]
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


# --- killed and run again ------------------------------------------------------------------------------------


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


def test_a_record_in_other_bytes_is_the_same_record(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    run(app, _contexts(write_export(tmp_path, User=[user("u1", name="Ada")])), watch)
    head = app.events.head()
    other = json.dumps(dict(reversed(user("u1", name="Ada").items())), indent=None, separators=(" ,", " : "))
    assert run(app, _contexts(write_export(tmp_path, User=[other])), watch)["snapshots"]["unchanged"] == 1
    assert app.events.head() == head


# --- values changed by SQL -----------------------------------------------------------------------------------

KEYS = {
    "accounts": "account_id",
    "profiles": "profile_id",
    "intents": "intent_id",
    "conversations": "conversation_id",
    "messages": "concat(conversation_id, '/', number)",
    "legacy_ids": "snapshot_id",
}


def _put_back(app: Application, table: str) -> None:
    """Insert the rows that were put aside; columns the server computes it computes again."""
    with app.pool.connection() as connection:
        found = connection.execute(
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            [table],
        ).fetchone()
        assert found
        connection.execute(f"INSERT INTO {table} ({found[0]}) SELECT {found[0]} FROM public.aside".encode())


class Tables:
    """A migrated sample whose tables can be changed by SQL and put back."""

    def __init__(self, app: Application, source: Path) -> None:
        self.app, self.source = app, source
        self.places = Places(app, source)

    def differences(self) -> tuple[set[tuple[Leaf, str]], dict[str, Any]]:
        """Verify, and return the leaves that are named with their outcomes, and the report."""
        report = verify(self.app, _contexts(self.source), watch)
        named = {
            ((entry["table"], entry["id"], entry["pointer"]), entry["outcome"])
            for entry in report["differences"]
            if entry["pointer"]
        }
        return named, report

    def execute(self, query: str, *values: Any) -> list[Any]:
        with self.app.pool.connection() as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def column(self, spot: Spot) -> Any:
        """Return the text of a column, which puts it back exactly."""
        where = f"FROM {spot.model}.{spot.model} WHERE {KEYS[spot.model]} = %s"
        return self.execute(f"SELECT {spot.column}::text {where}", spot.key)[0][0]

    def put(self, spot: Spot, text: str | None) -> None:
        kinds = {
            "fields": "jsonb",
            "off_record": "boolean",
            "account_id": "uuid",
            "registered_at": "timestamptz",
        } | dict.fromkeys(("created", "updated", "created_at", "sent_at"), "timestamptz")
        self.execute(
            f"UPDATE {spot.model}.{spot.model} SET {spot.column} = %s::{kinds.get(spot.column, 'text')}"
            f" WHERE {KEYS[spot.model]} = %s",
            text,
            spot.key,
        )

    def other_value(self, spot: Spot, text: str) -> str | None:
        """Return the column with another value at the spot, None if there is none it could take."""
        match spot.column:
            case "fields":
                return _changed_json(text, spot)
            case "account_id":
                return str(uuid4())
            case "off_record":
                return "false" if text == "true" else "true"
            case "registered_at" | "created" | "updated" | "created_at" | "sent_at":
                return str(self.execute("SELECT (%s::timestamptz + interval '1 microsecond')::text", text)[0][0])
            case "context":
                query = "SELECT context FROM intents.intents WHERE account_id IN (SELECT account_id"
                taken = self.execute(f"{query} FROM intents.intents WHERE intent_id = %s)", spot.key)
                return next((str(kind) for kind in Context if (str(kind),) not in taken), None)
            case _:
                return f"{text}~{uuid4()}"


def _changed_json(text: str, spot: Spot) -> str:
    fields = json.loads(text)
    if spot.item is not None:
        (name,) = spot.steps
        fields[name][fields[name].index(spot.item)] = f"{spot.item}~"
        return json.dumps(fields)
    *parents, last = spot.steps
    node = fields
    for step in parents:
        node = node[step]
    node[last] = f"{node[last]}~"
    return json.dumps(fields)


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("sixty")
    write_sample(folder, 60, 8)
    with application_at(make_database()) as app:
        assert is_green(run(app, _contexts(folder), watch))
        yield Tables(app, folder)
        # whatever the tests changed, they put back
        assert verify(app, _contexts(folder), watch)["differences"] == []


def test_the_places_cover_every_mapped_leaf(sixty: Tables) -> None:
    """What the oracle below knows of: every set leaf that the truth calls mapped."""
    truth = truth_of(sixty.source)["classes"]
    known = {leaf for found in sixty.places.leaves.values() for leaf in found}
    listed = set()
    for table in ("User", "ContextProfile", "Profile"):
        lines = (sixty.source / f"{table}.jsonl").read_bytes().splitlines()
        for line, classes in truth[table].items():
            listed |= {
                (table, str(json.loads(lines[int(line) - 1])["id"]), pointer)
                for pointer, leaf_class in classes.items()
                if leaf_class == "mapped"
            }
    assert listed - known == set()
    assert {spot.model for spot in sixty.places.leaves} == set(KEYS)


def _change_and_verify(sixty: Tables, spots: Iterable[Spot]) -> int:
    """Change one value of each user, verify once, put all back; return how many were changed."""
    before: dict[Spot, str] = {}
    expected = set()
    try:
        for spot in spots:
            text = sixty.column(spot)
            changed = sixty.other_value(spot, text)
            if changed is not None:
                before[spot] = text
                sixty.put(spot, changed)
                expected |= {(leaf, "unexplained") for leaf in sixty.places.leaves[spot]}
        named, report = sixty.differences()
    finally:
        for spot, text in before.items():
            sixty.put(spot, text)
    assert named == expected
    assert report["reconcile"]["unexplained"] == len(expected)
    assert not is_green(report)
    return len(before)


def _rounds(sixty: Tables, spots: list[Spot]) -> list[list[Spot]]:
    """Deal the spots out into rounds in which each user has one at most."""
    rounds: list[dict[str, Spot]] = []
    for spot in spots:
        owner = sixty.places.owner[spot]
        free = next((dealt for dealt in rounds if owner not in dealt), None)
        if free is None:
            rounds.append(free := {})
        free[owner] = spot
    return [list(dealt.values()) for dealt in rounds]


@pytest.mark.parametrize("seed", range(3))
def test_a_value_changed_by_sql_is_named_by_exactly_the_leaves_that_map_to_it(sixty: Tables, seed: int) -> None:
    """Each round proves as many places as there are users."""
    spots = list(sixty.places.leaves)
    random.Random(seed).shuffle(spots)
    assert _change_and_verify(sixty, _rounds(sixty, spots)[0]) > 50
    assert is_green(sixty.differences()[1])


@pytest.mark.soak
def test_every_single_value_changed_by_sql_is_named(sixty: Tables) -> None:
    spots = list(sixty.places.leaves)
    assert sum(_change_and_verify(sixty, dealt) for dealt in _rounds(sixty, spots)) > 0.95 * len(spots)


def test_values_that_several_leaves_or_another_form_became_are_named_by_all_of_them(sixty: Tables) -> None:
    places = sixty.places
    spots = [
        spot
        for spot, found in places.leaves.items()
        if spot.column == "fields" and (len(found) > 1 or any(places.classes[leaf] == "normalised" for leaf in found))
    ]
    assert any(spot.item for spot in spots)
    assert any(len(spot.steps) > 1 for spot in spots)
    for dealt in _rounds(sixty, spots)[:4]:  # the soak takes every place
        _change_and_verify(sixty, dealt)


def _spot(sixty: Tables, model: str, column: str, *, steps: int = 0, item: bool = False, leaves_: int = 1) -> Spot:
    return next(
        spot
        for spot, found in sixty.places.leaves.items()
        if (spot.model, spot.column, len(spot.steps), spot.item is not None) == (model, column, steps, item)
        and len(found) >= leaves_
    )


@pytest.mark.parametrize(
    ("model", "column", "steps", "item", "leaves_"),
    [
        ("accounts", "email", 0, False, 1),
        ("accounts", "registered_at", 0, False, 1),
        ("profiles", "account_id", 0, False, 1),
        ("profiles", "fields", 1, False, 2),
        ("profiles", "fields", 1, True, 2),
        ("profiles", "fields", 2, False, 1),
        ("profiles", "fields", 3, False, 1),
        ("intents", "fields", 1, False, 1),
        ("intents", "fields", 1, True, 1),
        ("intents", "tone_preference", 0, False, 1),
        ("intents", "context", 0, False, 1),
        ("intents", "context_profile_id", 0, False, 1),
        ("conversations", "context_profile_id", 0, False, 2),
        ("messages", "content", 0, False, 1),
        ("messages", "sent_at", 0, False, 1),
        ("legacy_ids", "created", 0, False, 1),
        ("legacy_ids", "updated", 0, False, 1),
        ("legacy_ids", "parent_key", 0, False, 1),
    ],
)
def test_one_value_changed_by_sql(sixty: Tables, model: str, column: str, steps: int, item: bool, leaves_: int) -> None:
    spot = _spot(sixty, model, column, steps=steps, item=item, leaves_=leaves_)
    text = sixty.column(spot)
    changed = sixty.other_value(spot, text)
    assert changed is not None
    sixty.put(spot, changed)
    try:
        named, report = sixty.differences()
        assert named == {(leaf, "unexplained") for leaf in sixty.places.leaves[spot]}
        assert str(spot.key) in report["differences"][0]["place"]
        assert has_findings(report)
    finally:
        sixty.put(spot, text)


@pytest.mark.parametrize(
    ("model", "column"), [("accounts", "email"), ("intents", "tone_preference"), ("legacy_ids", "created")]
)
def test_a_value_that_is_gone_is_missing(sixty: Tables, model: str, column: str) -> None:
    spot = _spot(sixty, model, column)
    text = sixty.column(spot)
    sixty.put(spot, None)
    try:
        named, report = sixty.differences()
        assert named == {(leaf, "missing") for leaf in sixty.places.leaves[spot]}
        assert report["reconcile"]["missing"] == len(named)
    finally:
        sixty.put(spot, text)


@pytest.mark.parametrize("model", KEYS)
def test_a_row_that_is_gone_is_missing_with_every_leaf_in_it(sixty: Tables, model: str) -> None:
    spots = [spot for spot in sixty.places.leaves if spot.model == model and spot.column != "key"]
    key = max((spot.key for spot in spots), key=lambda key: sum(spot.key == key for spot in spots))
    table, where = f"{model}.{model}", f"WHERE {KEYS[model]} = '{key}'"
    sixty.execute(f"CREATE TABLE public.aside AS SELECT * FROM {table} {where}")
    sixty.execute(f"DELETE FROM {table} {where}")
    try:
        named, report = sixty.differences()
        in_row = {leaf for spot, found in sixty.places.leaves.items() if spot.key == key for leaf in found}
        assert {leaf for leaf, _ in named} >= in_row
        assert {outcome for _, outcome in named} == {"missing"}
        assert not is_green(report)
    finally:
        _put_back(sixty.app, table)
        sixty.execute("DROP TABLE public.aside")


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("profiles", "fields || '{\"shoe_size\": 42}'"),
        ("intents", 'fields || \'{"shoe_size": {"eu": [42]}}\''),
        ("profiles", "jsonb_set(fields, '{lifestyle}', coalesce(fields->'lifestyle', '{}') || '{\"zz\": 1}')"),
    ],
)
def test_a_key_too_many_is_extra(sixty: Tables, model: str, change: str) -> None:
    spot = _spot(sixty, model, "fields", steps=1)
    text = sixty.column(spot)
    sixty.execute(f"UPDATE {model}.{model} SET fields = {change} WHERE {KEYS[model]} = %s", spot.key)
    try:
        named, report = sixty.differences()
        assert named == set()
        assert [report["reconcile"][name] for name in BAD] == [0, 1, 0]
        assert not is_green(report)
    finally:
        sixty.put(spot, text)


@pytest.mark.parametrize("change", ["reversed", "doubled", "one more"])
def test_a_list_in_another_order_or_with_more_items_is_noticed(sixty: Tables, change: str) -> None:
    for spot in sixty.places.leaves:
        if spot.item and len(json.loads(sixty.column(spot))[spot.steps[0]]) > 1:
            break
    text = sixty.column(spot)
    fields, name = json.loads(text), spot.steps[0]
    new = {"reversed": fields[name][::-1], "doubled": fields[name] * 2, "one more": [*fields[name], "more"]}
    sixty.put(spot, json.dumps(fields | {name: new[change]}))
    try:
        assert not is_green(sixty.differences()[1])
    finally:
        sixty.put(spot, text)


@pytest.mark.parametrize("column", ["became", "bundle", "table_name", "system"])
def test_columns_no_leaf_stands_for_are_proven_too(sixty: Tables, column: str) -> None:
    (key,) = sixty.execute("SELECT snapshot_id FROM legacy_ids.legacy_ids WHERE table_name = 'Profile' LIMIT 1")[0]
    kind = "uuid" if column == "became" else "text"
    query = f"UPDATE legacy_ids.legacy_ids SET {column} = %s::{kind} WHERE snapshot_id = %s"
    before = sixty.execute(f"SELECT {column}::text FROM legacy_ids.legacy_ids WHERE snapshot_id = %s", key)[0][0]
    sixty.execute(query, str(uuid4()), key)
    try:
        assert not is_green(sixty.differences()[1])
    finally:
        sixty.execute(query, before, key)


@pytest.mark.parametrize(
    "change",
    [
        "accounts.accounts SET phone = '1'",
        "accounts.accounts SET roles = '{admin}'",
        "accounts.accounts SET status = 'deactivated'",
        "accounts.accounts SET active_profile_id = NULL",
        "accounts.accounts SET primary_profile_id = account_id",
        "profiles.profiles SET completeness = (completeness + 1) % 101",
        "profiles.profiles SET missing = '{x}'",
        "profiles.profiles SET conflicts = '{\"x\": []}'",
        "profiles.profiles SET archived = true",
        "profiles.profiles SET verification = 'verified'",
        "intents.intents SET completeness = (completeness + 1) % 101",
        "intents.intents SET outside_vocabulary = '{x}'",
        "intents.intents SET status = 'withdrawn'",
        "legacy_ids.legacy_ids SET digest = 'x'",
        "legacy_ids.legacy_ids SET mapping_version = 7",
    ],
)
def test_columns_that_follow_from_others_are_proven_too(sixty: Tables, change: str) -> None:
    table = change.split(maxsplit=1)[0]
    key = KEYS[table.partition(".")[0]]
    where = f"WHERE {key} = (SELECT min({key}::text)::uuid FROM {table})"
    sixty.execute(f"CREATE TABLE public.aside AS SELECT * FROM {table} {where}")
    try:
        sixty.execute(f"UPDATE {change} {where}")
        named, report = sixty.differences()
        assert named == set()
        assert [report["reconcile"][name] for name in BAD].count(0) == 2
        assert not is_green(report)
    finally:
        sixty.execute(f"DELETE FROM {table} {where}")
        _put_back(sixty.app, table)
        sixty.execute("DROP TABLE public.aside")


def test_a_row_nothing_explains_is_extra(sixty: Tables) -> None:
    keys = {"profiles": "profile_id", "intents": "intent_id", "accounts": "account_id", "legacy_ids": "snapshot_id"}
    for model, key in keys.items():
        sixty.execute(f"CREATE TABLE public.aside AS SELECT * FROM {model}.{model} LIMIT 1")
        sixty.execute(f"UPDATE public.aside SET {key} = gen_random_uuid()")
        if model == "legacy_ids":
            sixty.execute("UPDATE public.aside SET key = 'nowhere in the source'")
        if model == "intents":
            taken = sixty.execute(
                "SELECT context FROM intents.intents WHERE account_id = (SELECT account_id FROM public.aside)"
            )
            free = next((str(kind) for kind in Context if (str(kind),) not in taken), None)
            assert free
            sixty.execute("UPDATE public.aside SET context = %s", free)
        _put_back(sixty.app, f"{model}.{model}")
        try:
            named, report = sixty.differences()
            assert named == set()
            assert report["reconcile"]["extra"] == 1
        finally:
            sixty.execute(f"DELETE FROM {model}.{model} WHERE {key} = (SELECT {key} FROM public.aside)")
            sixty.execute("DROP TABLE public.aside")


# --- values changed by commands ------------------------------------------------------------------------------


class Live:
    """A small migrated export that commands may change."""

    def __init__(self, app: Application, source: Path) -> None:
        self.app, self.migration = app, _contexts(source)
        row = app.reads.fetch(_model("accounts"))[0]
        self.account: UUID = row["account_id"]
        self.profile: UUID = app.reads.fetch(_model("profiles"))[0]["profile_id"]

    def do(self, *commands: Command) -> None:
        for command in commands:
            self.app.dossier.execute(command, actor=OPERATOR)
        self.app.catch_up()

    def update(self, **changes: Any) -> None:
        self.do(UpdateProfile(profile_id=self.profile, changes=changes))

    def sql(self, statement: str) -> None:
        with self.app.pool.connection() as connection:
            connection.execute(statement.encode())

    def verify(self) -> dict[str, Any]:
        return verify(self.app, self.migration, watch)

    def changed_live(self) -> list[str]:
        """Return the pointers that a green verification says were changed live."""
        report = self.verify()
        assert is_green(report), report["differences"]
        assert not has_findings(report)
        assert report["reconcile"]["changed_live"] == len(report["differences"])
        return sorted(f"{entry['id']}{entry['pointer']}" for entry in report["differences"])


def _model(name: str) -> Any:
    from projections.all import READ_MODELS

    return next(model for model in READ_MODELS if model.name == name)


@pytest.fixture
def live(new_app: Callable[[], Application], tmp_path: Path) -> Live:
    one = {"location": "Bern", "coreValues": ["calm", "humour"], "beliefs": {"faith": "none", "diet": {"a": [1, 2]}}}
    two = {"location": "Bern ", "coreValues": ["calm"], "beliefs": {"faith": "old"}, "serviceType": "seeking"}
    source = write_export(
        tmp_path,
        User=[user("u1", email="a@x", name="Ada")],
        ContextProfile=[context("c1", tonePreference="light"), context("c2", "service", day=3)],
        Profile=[blob("c1", one), blob("c2", two)],
        ChatMessage=[message("m1")],
    )
    app = new_app()
    assert is_green(run(app, _contexts(source), watch))
    return Live(app, source)


def test_nothing_was_changed(live: Live) -> None:
    assert live.changed_live() == []


def test_a_contact_changed_live(live: Live) -> None:
    live.do(ChangeContact(account_id=live.account, email="b@x"))
    assert live.changed_live() == ["u1/email"]
    live.do(ChangeContact(account_id=live.account, email=None, phone="1"))
    assert live.changed_live() == ["u1/email"]
    live.do(ChangeContact(account_id=live.account, email="a@x"))
    assert live.changed_live() == []


def test_profile_fields_changed_live(live: Live) -> None:
    live.update(location="Basel")
    assert live.changed_live() == ["pc1/data/location", "pc2/data/location"]
    live.update(core_values=["humour", "pluck"])
    assert live.changed_live() == [
        "pc1/data/coreValues/0",
        "pc1/data/location",
        "pc2/data/coreValues/0",
        "pc2/data/location",
    ]
    live.update(location="Bern", core_values=["calm", "humour"], beliefs={"faith": "old", "diet": {"a": [1]}})
    assert live.changed_live() == ["pc1/data/beliefs/diet/a/1"]
    live.update(beliefs=None)
    assert live.changed_live() == [
        "pc1/data/beliefs/diet/a/0",
        "pc1/data/beliefs/diet/a/1",
        "pc2/data/beliefs/faith",
    ]


def test_a_conflict_settled_live(live: Live) -> None:
    live.do(ResolveConflict(profile_id=live.profile, field="beliefs/faith", value="none"))
    assert live.changed_live() == ["pc2/data/beliefs/faith"]


def test_intents_changed_live(live: Live) -> None:
    service: dict[str, Any] = {"account_id": live.account, "context": Context.SERVICE}
    live.do(
        ReviseIntent(**service, changes={"service_type": "offering"}),
        ReviseIntent(account_id=live.account, context=Context.ROMANTIC, tone_preference=None),
        DeclareIntent(account_id=live.account, context=Context.CREATIVE, fields={"role_needed": "x"}),
    )
    assert live.changed_live() == ["c1/tonePreference", "pc2/data/serviceType"]
    live.do(WithdrawIntent(**service), DeclareIntent(**service, fields={"service_type": "seeking"}))
    assert live.changed_live() == ["c1/tonePreference", "c2/createdAt", "c2/id"]


def test_a_run_after_a_live_change_appends_nothing_and_keeps_it(live: Live) -> None:
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
def test_a_change_by_sql_on_top_of_a_live_one_is_not_green(live: Live, change: str) -> None:
    live.do(ChangeContact(account_id=live.account, email="b@x"))
    live.update(location="Basel", age_range="25-34", core_values=["calm", "pluck"], lifestyle={"pets": 1})
    assert live.changed_live() == [
        *("pc1/data/coreValues/1", "pc1/data/location", "pc2/data/location", "u1/email"),
    ]
    live.sql(change)
    assert not is_green(live.verify())


def test_a_row_put_back_as_the_import_made_it_is_a_lost_change(live: Live) -> None:
    live.sql("CREATE TABLE public.aside AS SELECT * FROM profiles.profiles")
    live.update(location="Basel")
    assert live.changed_live()
    live.sql("DELETE FROM profiles.profiles")
    _put_back(live.app, "profiles.profiles")
    assert not is_green(live.verify())


def test_of_several_places_of_a_leaf_the_worst_counts(live: Live) -> None:
    key = {"account_id": live.account, "context": Context.ROMANTIC}
    live.do(WithdrawIntent(**key), DeclareIntent(**key))
    assert "c1/createdAt" in live.changed_live()
    live.sql("UPDATE legacy_ids.legacy_ids SET created = '2001-01-01' WHERE key = 'c1'")
    report = live.verify()
    assert report["reconcile"]["unexplained"] == 1
    assert not is_green(report)


@pytest.mark.parametrize("column", ["version", "position"])
@pytest.mark.parametrize("model", ["accounts", "profiles", "intents", "legacy_ids"])
def test_a_row_that_says_it_is_of_another_event_is_noticed(live: Live, model: str, column: str) -> None:
    live.sql(f"UPDATE {model}.{model} SET {column} = {column} + 1000")
    assert not is_green(live.verify())


def test_records_that_stand_still_are_reported_and_stop_nothing(live: Live) -> None:
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


def test_true_is_not_one(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    profile = blob("c1", {"beliefs": {"flag": True}})
    source = write_export(tmp_path, User=[user("u1")], ContextProfile=[context("c1")], Profile=[profile])
    run(app, _contexts(source), watch)
    with app.pool.connection() as connection:
        connection.execute("UPDATE profiles.profiles SET fields = jsonb_set(fields, '{beliefs,flag}', '1')")
    assert [entry["pointer"] for entry in verify(app, _contexts(source), watch)["differences"]] == [
        "/data/beliefs/flag"
    ]


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


# --- values that databases find hard -------------------------------------------------------------------------


def test_numbers_texts_and_keys_survive_the_tables(new_app: Callable[[], Application], tmp_path: Path) -> None:
    numbers = [
        *(0, -0.0, 1.0, 1e19, 1.2345678901234567e18, 9.223372036854775e18, 1e300, 1.5e300, 5e-324, 2.5e-308),
        *(
            2**63 - 1,
            -(2**63),
            2**53 + 1,
            0.1,
            1e22,
            1e23,
            123456789012345680.0,
            True,
            False,
            -1e19,
            1.8446744073709552e19,
        ),
    ]
    long = random.Random(1).randbytes(60_000).hex()
    odd_keys = {"": 1, "a/b": {"~": 1}, "é🌻": 1, "key": {"old": 1, "new": 2}, "erased": True, "\u2028": "\\u0000"}
    source = write_export(
        tmp_path,
        User=[user("u1", email=f"{long}@x", name="\u202e🌻" * 50), user(" u\u00a0\n", name="x\ty")],
        ContextProfile=[context("c1"), context("c" + "x" * 450, userId=" u\u00a0\n")],
        Profile=[
            blob("c1", {"beliefs": {f"n{n}": value for n, value in enumerate(numbers)}, "lifestyle": odd_keys}),
            blob(
                "c" + "x" * 450, {"location": long, "coreValues": [long, '"', "\\", "{}"], "beliefs": {"erased": True}}
            ),
        ],
    )
    app = new_app()
    report = run(app, _contexts(source), watch)
    assert report["differences"] == []
    assert is_green(report)
    assert report["leaves"]["mapped"] + report["leaves"]["normalised"] == report["leaves"]["total"]
    assert is_green(verify(app, _contexts(source), watch))


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "\\ud800", "name": "x"}',
        '{"id": "u1\\u0000", "name": "x"}',
        '{"id": "%s"}' % ("k" * 3000),
        '{"id": "u1", "createdAt": "0001-01-01T00:00:00Z", "updatedAt": "9999-12-31T23:59:59.999999Z"}',
        '{"id": "u1", "x": 1e400, "email": NaN, "name": {"a": -Infinity}}',
        '{"id": 1e400}',
        "null",
        '"\\ud800"',
        '{"id": "u1", "%s": 1}' % ("k" * 5000),
    ],
)
def test_a_strange_line_stops_neither_the_run_nor_its_report(
    new_app: Callable[[], Application], tmp_path: Path, line: str
) -> None:
    app, source = new_app(), write_export(tmp_path / "source", User=[line, user("good")])
    for act in (plan, run, run, verify):
        report = act(app, _contexts(source), watch)
        assert is_green(report)
        assert report["leaves"]["total"] == sum(report["leaves"][name] for name in CLASSES)
        for name in ("r.json", "r.md"):
            write_report(report, tmp_path / name)
    assert app.reads.fetch(_model("legacy_ids"), key="good")


def test_a_blob_of_texts_that_hold_poison_as_json(new_app: Callable[[], Application], tmp_path: Path) -> None:
    """What a text hides when it is opened must not get past the checks of its line."""
    poison = [
        '["a\\u0000"]',
        '["\\ud800"]',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": "\\u0000"}',
        '{"\\udfff": 1}',
        '{"a": 1e400}',
    ]
    kinds = list(Context)
    source = write_export(
        tmp_path / "source",
        User=[user()],
        ContextProfile=[context(f"c{n}", kinds[n % 5], day=n + 1) for n in range(len(poison))],
        Profile=[blob(f"c{n}", {"coreValues": text, "beliefs": text}) for n, text in enumerate(poison)],
    )
    app = new_app()
    report = run(app, _contexts(source), watch)
    assert is_green(report)
    assert report["leaves"]["unreadable"] == 2 * len(poison)
    write_report(report, tmp_path / "r.json")


# --- sources -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_sample(folder, 20, 4)
    return folder


def _zip(path: Path, folder: Path, *, under: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, under + str(file.relative_to(folder)))
    return path


def test_the_layout_of_the_export_does_not_matter(
    small: Path, new_app: Callable[[], Application], tmp_path: Path
) -> None:
    write_sample(tmp_path / "convex", 20, 4, layout="convex")
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in small.glob("*.jsonl"):
        content = file.read_bytes()
        (flat / file.name).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    sources = {
        tmp_path / "convex": "convex_export",
        _zip(tmp_path / "convex.zip", tmp_path / "convex"): "zip",
        _zip(tmp_path / "flat.zip", small): None,
        flat: None,
    }
    app = new_app()
    wanted = plan(app, _contexts(small), watch)
    assert is_green(wanted)
    assert wanted["source"]["kind"] == "json_lines"
    for source, kind in sources.items():
        found = plan(app, _contexts(source), watch)
        if kind:
            assert found["source"]["kind"] == kind
        for part in ("snapshots", "leaves", "conflicts", "unmapped", "findings", "reconcile", "events"):
            assert found[part] == wanted[part], (source, part)


def test_a_selection_of_roots(small: Path, new_app: Callable[[], Application]) -> None:
    app = new_app()
    with open_export(small) as source:
        index = BundleIndex(source, SYSTEM)
        bundle = next(bundle for bundle in index if bundle.root.table == "User" and bundle.of("Profile"))
        other = next(found for found in index if found.root.table == "User" and found.root.key != bundle.root.key)
        profile = bundle.of("Profile")[0].key
    names = (bundle.root.key, f"legacy:contexts/Profile/{profile}", f"legacy:contexts/User/{bundle.root.key}")
    for name in names:
        report = run(app, _contexts(small, only=(name,)), watch)
        assert is_green(report)
        rows = app.reads.fetch(_model("accounts"))
        assert len(rows) == 1
    account = str(rows[0]["account_id"])
    assert is_green(verify(app, _contexts(small, only=(account, *names)), watch))
    run(app, _contexts(small, only=(other.root.key,)), watch)
    assert len(app.reads.fetch(_model("accounts"))) == 2
    head = app.events.head()
    for unknown in ("nobody", "legacy:contexts/User/nobody", "legacy:talent/User/x", str(uuid4()), "legacy:contexts/"):
        with pytest.raises(NotFound) as error:
            run(app, _contexts(small, only=(unknown,)), watch)
        assert error.value.field == "only"
    assert app.events.head() == head
    assert is_green(run(app, _contexts(small), watch))


def test_a_system_nobody_knows(small: Path) -> None:
    with pytest.raises(NotFound) as error:
        Migration.of("context", small)
    assert error.value.field == "system"


def test_an_export_of_empty_tables(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    (tmp_path / "User.jsonl").touch()
    (tmp_path / "Profile.jsonl").write_text("\n \n\t\n")
    for act in (plan, run, verify):
        report = act(app, _contexts(tmp_path), watch)
        assert is_green(report)
        assert report["leaves"]["total"] == 0
    assert app.events.head() == 0
    assert run_status(app, "contexts") == []


@pytest.mark.parametrize("act", [plan, run, verify])
def test_an_export_that_cannot_be_read_at_all(
    new_app: Callable[[], Application], tmp_path: Path, small: Path, act: Any
) -> None:
    app = new_app()
    schemas = schemas_of(app)
    empty, rootless, not_a_zip, broken = (tmp_path / name for name in ("empty", "rootless", "x.zip", "broken.zip"))
    empty.mkdir()
    write_export(rootless, Profile=[blob("c1")])
    not_a_zip.write_bytes(b"PK\x05\x06 no")
    whole = _zip(tmp_path / "whole.zip", small).read_bytes()
    broken.write_bytes(whole[:200] + bytes(200) + whole[400:])
    climbing = tmp_path / "climbing.zip"
    with zipfile.ZipFile(climbing, "w") as archive:
        archive.writestr("../User.jsonl", "{}")
        archive.writestr("/User.jsonl", "{}")
    folder_only = tmp_path / "tables.zip"
    with zipfile.ZipFile(folder_only, "w") as archive:
        archive.writestr("_tables/documents.jsonl", "{}")
    for source in (tmp_path / "nowhere", empty, rootless, not_a_zip, broken, climbing, folder_only):
        with pytest.raises(InputUnreadable) as error:
            act(app, _contexts(source), watch)
        assert error.value.field == "source", source
    assert (app.events.head(), schemas_of(app)) == (0, schemas)


def test_a_zip_that_would_grow_beyond_measure(
    new_app: Callable[[], Application], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, bomb, unpacked = new_app(), tmp_path / "bomb.zip", tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(unpacked))
    monkeypatch.setattr(json_lines, "SMALL", 1_000_000)
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("User/documents.jsonl", b" " * 20_000_000)
    with pytest.raises(InputUnreadable, match="20000000 bytes"):
        run(app, _contexts(bomb), watch)
    monkeypatch.setattr(json_lines, "MAX_UNPACKED", 1000)
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w") as archive:
        archive.writestr("User/documents.jsonl", random.Random(1).randbytes(1001))
    with pytest.raises(InputUnreadable):
        run(app, _contexts(large), watch)
    assert list(unpacked.iterdir()) == []


def test_a_zip_that_lies_about_its_size(new_app: Callable[[], Application], tmp_path: Path) -> None:
    bomb = tmp_path / "liar.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("User/documents.jsonl", b" " * 20_000_000)
    raw = bomb.read_bytes().replace((20_000_000).to_bytes(4, "little"), (2_000).to_bytes(4, "little"))
    bomb.write_bytes(raw)
    with pytest.raises(InputUnreadable):
        run(new_app(), _contexts(bomb), watch)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(new_app: Callable[[], Application], tmp_path: Path, small: Path) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    (tmp_path / "User.jsonl").chmod(0)
    with pytest.raises(InputUnreadable):
        run(new_app(), _contexts(tmp_path), watch)


def test_a_report_is_json_or_markdown(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable) as error:
        write_report({}, tmp_path / "report.html")
    assert error.value.field == "report"


def test_sql_of_these_tests_names_real_tables(sixty: Tables) -> None:
    with sixty.app.pool.connection() as connection:
        for model, key in KEYS.items():
            connection.execute(f"SELECT {key} FROM {model}.{model} LIMIT 0".encode())
