"""Migrations of the contexts system, on PostgreSQL: every value, row and column that is changed by SQL is found."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from uuid import uuid4

import pytest

from adapters.migration import Migration, has_findings, run, verify
from adapters.samples.contexts import write_sample
from domain.contexts import Context
from tests.support.application import application_at, watch
from tests.support.changed_by_sql import KEYS, Tables, put_aside, put_back, sql
from tests.support.places import Spot
from tests.support.reports import BAD, is_green, truth_of

_contexts = partial(Migration.of, "contexts")


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
    table, where = f"{model}.{model}", f"{KEYS[model]} = '{key}'"
    with put_aside(sixty.app, table, where):
        sql(sixty.app, f"DELETE FROM {table} WHERE {where}")
        named, report = sixty.differences()
        in_row = {leaf for spot, found in sixty.places.leaves.items() if spot.key == key for leaf in found}
        assert {leaf for leaf, _ in named} >= in_row
        assert {outcome for _, outcome in named} == {"missing"}
        assert not is_green(report)


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
    where = f"{key} = (SELECT min({key}::text)::uuid FROM {table})"
    with put_aside(sixty.app, table, where):
        sql(sixty.app, f"UPDATE {change} WHERE {where}")
        named, report = sixty.differences()
        assert named == set()
        assert [report["reconcile"][name] for name in BAD].count(0) == 2
        assert not is_green(report)


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
        put_back(sixty.app, f"{model}.{model}")
        try:
            named, report = sixty.differences()
            assert named == set()
            assert report["reconcile"]["extra"] == 1
        finally:
            sixty.execute(f"DELETE FROM {model}.{model} WHERE {key} = (SELECT {key} FROM public.aside)")
            sixty.execute("DROP TABLE public.aside")


def test_sql_of_these_tests_names_real_tables(sixty: Tables) -> None:
    with sixty.app.pool.connection() as connection:
        for model, key in KEYS.items():
            connection.execute(f"SELECT {key} FROM {model}.{model} LIMIT 0".encode())
