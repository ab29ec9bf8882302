"""How the lines of an export become bundles, and which are set aside."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from migrations_replay.bundle import BundleIndex
from migrations_replay.document import UNREAD
from migrations_replay.leaves import MAPPED
from migrations_replay.systems.cases import SYSTEM as CASES
from migrations_replay.systems.contexts import SYSTEM
from tests.support.legacy import Line, MemorySource, blob, bundles, context, index, message, user
from tests.support.legacy_cases import case_status, collective, history, person, process, status


def _aside(**tables: list[Line]) -> list[tuple[str, str | None, int, str]]:
    return [
        (record.table, record.key, record.line, record.problem.code)
        for record in index(MemorySource(**tables)).set_aside()
    ]


def _keys(**tables: list[Line]) -> list[list[tuple[str, str]]]:
    return [[(record.table, record.key) for record in bundle.records] for bundle in bundles(MemorySource(**tables))]


def test_a_bundle_holds_a_root_and_all_that_depends_on_it_in_table_then_file_order() -> None:
    found = _keys(
        ChatMessage=[message("m2"), message("m1", userId="u2")],
        Profile=[blob("c3"), blob("c1")],
        ContextProfile=[context("c3", userId="u2"), context("c2", "service"), context("c1")],
        User=[user("u2"), user("u1")],
    )
    assert found == [
        [("User", "u2"), ("ContextProfile", "c3"), ("Profile", "pc3"), ("ChatMessage", "m1")],
        [("User", "u1"), ("ContextProfile", "c2"), ("ContextProfile", "c1"), ("Profile", "pc1"), ("ChatMessage", "m2")],
    ]


def test_records_keep_their_bytes_line_numbers_and_digests() -> None:
    raw = b'  {"id":"u1" ,"name":"Ad\\u0061"}\r'
    (bundle,) = bundles(MemorySource(User=[b"", raw]))
    assert (bundle.root.raw, bundle.root.line) == (raw, 2)
    (other,) = bundles(MemorySource(User=[b'{"name": "Ada", "id": "u1"}']))
    assert other.root.digest == bundle.root.digest


def test_an_empty_export() -> None:
    empty = index(MemorySource(User=[], Profile=[b"", b"  \t"]))
    assert (empty.bundles, empty.records, list(empty.set_aside()), list(empty)) == (0, 0, [], [])
    assert empty.rows == {"User": 0, "Profile": 0}


@pytest.mark.parametrize("key", ["absent", None, "", "  ", True, False, 1.0, [], ["u1"], {}, {"id": "u1"}])
def test_a_record_needs_a_usable_id(key: Any) -> None:
    row = user(key)
    if key == "absent":
        del row["id"]
    assert _aside(User=[row, user("u2")]) == [("User", None, 1, "no_id")]


@pytest.mark.parametrize("number", ["1e400", "NaN", "9223372036854775808", "1.5"])
def test_an_odd_number_is_no_id(number: str) -> None:
    assert _aside(User=[f'{{"id": {number}}}']) == [("User", None, 1, "no_id")]


def test_an_integer_id_counts_by_its_text() -> None:
    source = MemorySource(
        User=[user(7)], ContextProfile=[context("c1", userId="7"), context("c2", "service", userId=7)]
    )
    (bundle,) = bundles(source)
    assert [record.key for record in bundle.records] == ["7", "c1", "c2"]
    assert [record.parent for record in bundle.records] == [None, "7", "7"]
    assert _aside(User=[user(7), user("7")]) == [("User", "7", 2, "duplicate_id")]


def test_ids_are_compared_exactly() -> None:
    assert (
        len(bundles(MemorySource(User=[user("u1"), user("U1"), user(" u1"), user("Zo\u00eb"), user("Zoe\u0308")]))) == 5
    )


def test_a_byte_equal_copy_is_one_record_and_a_different_line_is_set_aside() -> None:
    first, other = user("u1", name="Ada"), user("u1", name="Eva")
    copied = index(MemorySource(User=[first, first, other, first]))
    assert (copied.bundles, copied.records, copied.rows) == (1, 1, {"User": 4})
    assert [(found.line, found.problem.code) for found in copied.set_aside()] == [(3, "duplicate_id")]
    assert next(iter(copied)).root.document["name"] == "Ada"


def test_the_same_values_in_other_bytes_are_a_different_line() -> None:
    assert _aside(User=['{"id":"u1","a":1}', '{"a":1,"id":"u1"}']) == [("User", "u1", 2, "duplicate_id")]


def test_one_id_in_two_tables_is_two_records() -> None:
    found = _keys(User=[user("x")], ContextProfile=[context("x", userId="x")], Profile=[blob("x", id="x")])
    assert found == [[("User", "x"), ("ContextProfile", "x"), ("Profile", "x")]]


def test_the_dependents_of_a_duplicate_belong_to_the_first() -> None:
    found = bundles(MemorySource(User=[user("u1"), user("u1", name="x")], ContextProfile=[context("c1")]))
    assert [record.key for record in found[0].records] == ["u1", "c1"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "not_json"),
        (b'{"id": "u1\xff"}', "not_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ('{"id": "u1", "id": "u1"}', "duplicate_key"),
        ('{"id": "u1", "name": "\\u0000"}', "text_not_storable"),
        ('{"id": "\\ud800"}', "text_not_storable"),
        ('{"id": "u1", "x": ' + "[" * 100 + "]" * 100 + "}", "too_deep"),
    ],
)
def test_a_broken_user_takes_its_dependents_along_and_the_rest_carries_on(line: Line, code: str) -> None:
    found = index(
        MemorySource(
            User=[line, user("u2")],
            ContextProfile=[context("c1"), context("c2", userId="u2")],
            Profile=[blob("c1"), blob("c2")],
            ChatMessage=[message("m1")],
        )
    )
    assert [bundle.root.key for bundle in found] == ["u2"]
    assert [(record.table, record.problem.code) for record in found.set_aside()] == [
        ("User", code),
        ("ContextProfile", "no_subject"),
        ("Profile", "no_subject"),
        ("ChatMessage", "no_subject"),
    ]


def test_what_is_set_aside_keeps_what_could_be_read() -> None:
    lines = ["{", "[1, {}]", '{"a": 1, "a": 2}']
    found = list(index(MemorySource(User=[*lines])).set_aside())
    assert [record.raw for record in found] == [line.encode() for line in lines]
    assert found[0].document is UNREAD
    assert found[1].document == [1, {}]


@pytest.mark.parametrize("parent", ["absent", None, "", "u9", " u1", "U1", 1, True, ["u1"]])
def test_a_chain_of_parents_must_end_in_a_user(parent: Any) -> None:
    row = context("c1", userId=parent)
    if parent == "absent":
        del row["userId"]
    assert _aside(User=[user()], ContextProfile=[row], Profile=[blob("c1")]) == [
        ("ContextProfile", "c1", 1, "no_subject"),
        ("Profile", "pc1", 1, "no_subject"),
    ]


def test_a_profile_belongs_to_its_context_and_not_to_a_user_of_that_id() -> None:
    assert _aside(User=[user()], ContextProfile=[], Profile=[blob("u1")]) == [("Profile", "pu1", 1, "no_subject")]
    assert _aside(User=[user()], Profile=[blob("c1")]) == [("Profile", "pc1", 1, "no_subject")]


@pytest.mark.parametrize("kind", ["business", "Romantic", "ROMANTIC", "rom antic", "", None, 5, ["romantic"], {}])
def test_an_unknown_context_passes_its_code_on_to_its_blob_alone(kind: Any) -> None:
    found = _aside(
        User=[user()],
        ContextProfile=[context("c1", kind), context("c2", "service")],
        Profile=[blob("c1"), blob("c2")],
        ChatMessage=[message("m1")],
    )
    assert found == [("ContextProfile", "c1", 1, "unknown_context"), ("Profile", "pc1", 1, "unknown_context")]


def test_an_absent_context_type_is_unknown_and_a_missing_user_is_no_subject() -> None:
    row = context("c1")
    del row["contextType"]
    assert _aside(User=[user()], ContextProfile=[row]) == [("ContextProfile", "c1", 1, "unknown_context")]
    # the context is judged before its parent: it could not be placed with any user
    assert _aside(User=[], ContextProfile=[context("c1", "x")]) == [("ContextProfile", "c1", 1, "unknown_context")]


@pytest.mark.parametrize(
    ("value", "dangling"), [("c1", False), ("c9", True), ("", False), (None, False), (7, True), ("bad", False)]
)
def test_references_are_checked_against_the_rows_of_the_export(value: Any, dangling: bool) -> None:
    (bundle,) = bundles(
        MemorySource(
            User=[user()],
            ContextProfile=[context("c1"), context("bad", "business")],
            ChatMessage=[message("m1", contextProfileId=value)],
        )
    )
    (found,) = bundle.of("ChatMessage")
    assert found.dangling == ({"contextProfileId"} if dangling else set())
    assert not found.foreign


def test_what_belongs_to_nobody_is_not_ascribed_to_whoever_has_the_same_key() -> None:
    source = MemorySource(User=[user("7"), user("7", name="other")], Job=[{"id": "7"}, {"id": "7", "a": 1}])
    assert [(record.table, record.owner) for record in index(source).set_aside()] == [("User", "7"), ("Job", None)]


def test_a_record_that_repeats_a_key_still_has_an_owner() -> None:
    line = '{"id": "m1", "userId": "u1", "role": "user", "role": "system"}'
    (record,) = index(MemorySource(User=[user()], ChatMessage=[line])).set_aside()
    assert (record.key, record.owner, record.problem.code) == ("m1", "u1", "duplicate_key")


def test_a_reference_into_another_bundle_is_foreign() -> None:
    source = MemorySource(
        User=[user(), user("u2")],
        ContextProfile=[context("c1"), context("c2", userId="u2")],
        ChatMessage=[message("m1", contextProfileId="c2")],
    )
    (found,) = next(bundle for bundle in bundles(source) if bundle.root.key == "u1").of("ChatMessage")
    assert not found.dangling
    assert found.foreign == {"contextProfileId"}
    findings = SYSTEM.derive(next(bundle for bundle in bundles(source) if bundle.root.key == "u1")).findings
    assert [(finding["id"], finding["code"]) for finding in findings] == [("m1", "disagrees")]


def test_tables_nobody_knows_come_last_and_each_row_is_a_bundle() -> None:
    source = MemorySource(Zebra=[{"id": "z1"}], User=[user()], Ark=[{"id": "u1"}, {"noid": 1}], ContextProfile=[])
    found = index(source)
    assert found.tables == ("User", "ContextProfile", "Ark", "Zebra")
    assert [[(record.table, record.key) for record in bundle.records] for bundle in found] == [
        [("User", "u1")],
        [("Ark", "u1")],
        [("Zebra", "z1")],
    ]
    assert [(record.table, record.problem.code) for record in found.set_aside()] == [("Ark", "no_id")]
    facts = SYSTEM.derive(list(found)[1])
    assert (facts.subject, facts.streams) == (None, [])
    assert MAPPED not in facts.records["Ark", "u1"].classes.values()


def test_a_record_is_found_by_its_table_and_key() -> None:
    found = index(MemorySource(User=[user(), "{"], ContextProfile=[context("c1"), context("c2", "x")]))
    bundle = found.find("ContextProfile", "c1")
    assert bundle
    assert bundle.root.key == "u1"
    for table, key in (("ContextProfile", "c2"), ("User", "u2"), ("Nothing", "u1")):
        assert found.find(table, key) is None
    assert found.exists("ContextProfile", "c2")
    assert not found.exists("ContextProfile", "c3")
    assert list(found.keys("ContextProfile")) == ["c1"]


def test_a_document_store_keeps_its_ids_in_another_field() -> None:
    (bundle,) = bundles(
        MemorySource(
            User=['{"_id": "u1", "_creationTime": 1700000000000.5, "email": "a"}'],
            ContextProfile=['{"_id": "c1", "userId": "u1", "contextType": "service"}'],
        )
    )
    assert [record.key for record in bundle.records] == ["u1", "c1"]
    facts = SYSTEM.derive(bundle)
    for record in facts.records.values():
        assert {expected.pointer for expected in record.expected} <= set(record.classes)
        assert record.classes["/_id"] == MAPPED


def test_the_order_of_tables_in_the_source_does_not_matter() -> None:
    tables: dict[str, list[Line]] = {
        "User": [user()],
        "ContextProfile": [context("c1")],
        "Profile": [blob("c1")],
        "ChatMessage": [message("m1")],
    }
    wanted = _keys(**tables)
    for _ in range(5):
        names = random.sample(list(tables), 4)
        assert _keys(**{name: tables[name] for name in names}) == wanted


def test_many_records_of_one_bundle() -> None:
    messages: list[Line] = [message(f"m{number}") for number in range(3_000)]
    (bundle,) = bundles(MemorySource(User=[user()], ChatMessage=messages))
    assert [json.loads(record.raw)["id"] for record in bundle.records[1:]] == [f"m{number}" for number in range(3_000)]
    assert BundleIndex(MemorySource(User=[user()]), SYSTEM).bundles == 1


# --- rows that share a name, and tables that have two -----------------------------------------------------------------


def _bundles_of_cases(**tables: list[Line]) -> list[list[str]]:
    return [[record.key for record in bundle.records] for bundle in bundles(MemorySource(**tables), CASES)]


def test_rows_with_one_value_in_the_field_they_share_are_one_bundle_in_file_order() -> None:
    rows: list[Line] = [person("x3", "u1"), person("x9", "u2"), person("x1", "u1"), person("x2", "u1")]
    assert _bundles_of_cases(userProfiles=rows) == [["x3", "x1", "x2"], ["x9"]]
    codes: list[Line] = [case_status("k1", "rnm"), case_status("k2", "RNM"), case_status("k3", "rnm")]
    assert _bundles_of_cases(caseStatuses=codes) == [["k1", "k3"], ["k2"]]


@pytest.mark.parametrize("value", [None, "", " ", True, 1.5, ["rnm"], "c" * 501])
def test_rows_without_a_usable_value_there_are_bundles_of_their_own(value: Any) -> None:
    rows: list[Line] = [case_status("k1", value), case_status("k2", value)]
    assert _bundles_of_cases(caseStatuses=rows) == [["k1"], ["k2"]]


def test_a_shared_value_is_compared_exactly_and_an_integer_by_its_text() -> None:
    rows: list[Line] = [case_status("k1", 7), case_status("k2", "7"), case_status("k3", " 7")]
    assert _bundles_of_cases(caseStatuses=rows) == [["k1", "k2"], ["k3"]]


def test_values_of_two_tables_are_not_shared() -> None:
    assert _bundles_of_cases(userProfiles=[person("x1", "rnm")], caseStatuses=[case_status("k1", "rnm")]) == [
        ["x1"],
        ["k1"],
    ]


def test_a_row_set_aside_begins_no_bundle() -> None:
    broken = '{"_id": "x1", "userId": "u1", "role": "a", "role": "b"}'
    source = MemorySource(userProfiles=[broken, person("x2", "u1"), person("x2", "u1", role="client")])
    found = index(source, CASES)
    assert [[record.key for record in bundle.records] for bundle in found] == [["x2"]]
    assert [(record.line, record.problem.code, record.owner) for record in found.set_aside()] == [
        (1, "duplicate_key", None),
        (3, "duplicate_id", None),
    ]


def test_any_row_of_a_shared_bundle_leads_to_it() -> None:
    found = index(MemorySource(userProfiles=[person("x1", "u1"), person("x2", "u1")]), CASES)
    for key in ("x1", "x2"):
        bundle = found.find("userProfiles", key)
        assert bundle
        assert bundle.root.key == "x1"
        assert [record.parent for record in bundle.records] == ["u1", "u1"]


@pytest.mark.parametrize(
    ("author", "dangling"),
    [("u1", False), ("x1", True), ("x2", False), ("x3", False), ("7", False), (7, False), ("u9", True)],
)
def test_a_row_is_referred_to_by_its_name_and_by_its_key_only_where_it_has_none(author: Any, dangling: bool) -> None:
    source = MemorySource(
        individualProcesses=[process()],
        processHistory=[history("h1", "rnm", 2, changedBy=author)],
        userProfiles=[person("x1", "u1"), person("x2", None), person("x3", " "), person("x4", 7)],
    )
    (bundle,) = [found for found in bundles(source, CASES) if found.root.table == "individualProcesses"]
    (row,) = bundle.of("processHistory")
    assert row.dangling == ({"changedBy"} if dangling else set())


def test_a_row_named_by_its_key_is_one_with_those_that_have_it_for_a_name() -> None:
    rows: list[Line] = [person("u1", None), person("x1", "u1"), person("x2", "u2")]
    assert _bundles_of_cases(userProfiles=rows) == [["u1", "x1"], ["x2"]]
    assert _bundles_of_cases(userProfiles=rows[::-1]) == [["x2"], ["x1", "u1"]]


@pytest.mark.parametrize(
    ("tables", "dangling"),
    [
        ({"users": [{"_id": "u1"}]}, False),
        ({"users": [{"_id": "u2"}]}, True),
        ({"users": [{"_id": "u2"}], "userProfiles": [person("x1", "u1")]}, False),
        ({"userProfiles": [person("x1", "u2")]}, True),
        ({}, True),
        ({"users": ['{"_id": "u1", "a": 1, "a": 2}']}, False),  # it is there, though it was set aside
        ({"userProfiles": ['{"_id": "x1", "userId": "u1", "a": 1, "a": 2}']}, False),
    ],
)
def test_a_reference_to_several_tables_dangles_if_none_has_the_row(tables: dict[str, Any], dangling: bool) -> None:
    row_of_u1 = status("s1", "rnm", 2, changedBy="u1")
    source = MemorySource(individualProcesses=[process()], individualProcessStatuses=[row_of_u1], **tables)
    (row,) = [found for bundle in bundles(source, CASES) for found in bundle.of("individualProcessStatuses")]
    assert row.dangling == ({"changedBy"} if dangling else set())


def test_a_table_under_two_names_is_one_table() -> None:
    tables: dict[str, list[Line]] = {"mainProcesses": [collective("m1")], "collectiveProcesses": [collective("m2")]}
    assert _bundles_of_cases(**tables) == [["m1"], ["m2"]]
    for name in ("m1", "m2"):
        for column in ("mainProcessId", "collectiveProcessId"):
            source = MemorySource(individualProcesses=[process(**{column: name})], **tables)
            assert not next(iter(bundles(source, CASES))).root.dangling
    twice = index(MemorySource(mainProcesses=[collective()], collectiveProcesses=[collective(status="x")]), CASES)
    assert [[(record.table, record.key) for record in bundle.records] for bundle in twice] == [
        [("mainProcesses", "m1")]
    ]
    assert [(record.table, record.problem.code) for record in twice.set_aside()] == [
        ("collectiveProcesses", "duplicate_id")
    ]


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        (["mainProcesses"], []),
        (["collectiveProcesses"], []),
        (["mainProcesses", "collectiveProcesses"], []),
        ([], ["mainProcesses", "collectiveProcesses"]),
    ],
)
def test_of_a_renamed_table_one_name_is_enough(present: list[str], missing: list[str]) -> None:
    others = [name for name in CASES.tables if name not in ("mainProcesses", "collectiveProcesses", "companies")]
    found = index(MemorySource(**{name: [] for name in [*others, *present]}), CASES)
    assert found.missing() == [*missing, "companies"]
