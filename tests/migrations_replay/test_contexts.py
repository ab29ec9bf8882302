"""The mapping of the contexts system, rule by rule: C1 to C23 of `docs/legacy/contexts.md`."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.contexts import CONTEXTS, Context
from domain.streams import imported_id, intent_id, merged_profile_id
from migrations_replay.facts import NO_TIME
from migrations_replay.leaves import (
    CONFLICTING,
    DERIVED,
    MAPPED,
    NORMALISED,
    QUARANTINED,
    UNMAPPED,
    UNREADABLE,
    Ledger,
    leaves,
)
from migrations_replay.systems.contexts import INTENT_FIELDS, SHARED, SYSTEM
from tests.support.any_contexts import exports
from tests.support.laws import Export, adds_up_in_any_order, is_proven
from tests.support.legacy import (
    Implied,
    Line,
    MemorySource,
    blob,
    context,
    index,
    message,
    rows_of,
    user,
)

ADA = imported_id("account", "contexts", "User", "u1")
NFD, NFC = "Zoe\u0308", "Zo\u00eb"


def _blobs(*datas: Any, **more: Any) -> Implied:
    """One context of each type in turn, a day apart, each with a blob that holds the data."""
    kinds = list(Context)
    return Implied(
        User=[user()],
        ContextProfile=[context(f"c{n}", kinds[n - 1], day=n) for n in range(1, len(datas) + 1)],
        Profile=[blob(f"c{n}", data) for n, data in enumerate(datas, 1)],
        **more,
    )


def _classes(implied: Implied, pointer: str, *, of: int = 2) -> list[str]:
    return [implied.class_of("Profile", f"pc{n}", pointer) for n in range(1, of + 1)]


# --- C1–C8: what cannot be taken in (bundling is tested in test_bundle.py) ---------------------------------------


def _ledger(**tables: list[Line]) -> tuple[int, Counter[str]]:
    ledger, found = Ledger(), index(MemorySource(**tables))
    for bundle in found:
        for record in SYSTEM.derive(bundle).records.values():
            ledger.add(record.record.document, record.classes)
    for aside in found.set_aside():
        ledger.quarantine(aside.document)
    assert ledger.adds_up
    return ledger.total, ledger.classes


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("{", 0),  # C1
        (b'{"id": "\xff"}', 0),
        ("[1, [], {}]", 3),  # C2
        ('"text"', 1),
        ("null", 1),
        ('{"id": "u1", "a": {"b": 1, "b": null}, "c": []}', 4),  # C3
        ('{"id": "u1", "name": "\\u0000", "x": [null, 1]}', 4),  # C4
        ('{"id": "u1", "x": ' + "[" * 100 + "]" * 100 + "}", 0),  # C5
        ('{"id": null, "name": "Ada"}', 2),  # C6
        ("{}", 1),
    ],
)
def test_c1_to_c6_every_leaf_of_a_record_set_aside_is_quarantined(line: Line, count: int) -> None:
    assert _ledger(User=[line]) == (count, Counter({QUARANTINED: count}))


def test_c7_a_copy_is_not_counted_again_and_a_different_line_is_quarantined() -> None:
    once, _ = _ledger(User=[user()])
    total, classes = _ledger(User=[user(), user(), user(name="x"), user()])
    assert (total, classes[QUARANTINED]) == (2 * once + 1, once + 1)


def test_c8_orphans_are_quarantined_whole() -> None:
    assert _ledger(ContextProfile=[context("c1", note=[None])], User=[])[1] == {QUARANTINED: 6}


def test_c8a_outer_blanks_of_the_context_type_do_not_count() -> None:
    found = Implied(User=[user()], ContextProfile=[context("c1", " romantic\n")])
    assert found.class_of("ContextProfile", "c1", "/contextType") == NORMALISED
    assert found.row("intents")["context"] == "romantic"


@pytest.mark.parametrize(
    "data", ["", " ", "Bern", '{"location": "Bern"}', None, [], [{"location": "Bern"}, None], 42.5, 0, True, False]
)
def test_c8b_a_blob_that_is_no_object_is_quarantined_and_the_rest_of_its_row_is_taken(data: Any) -> None:
    row = blob("c1", completeness=40, extra=1) | {"data": data}
    found = Implied(User=[user()], ContextProfile=[context("c1")], Profile=[row])
    classes = found.classes("Profile", "pc1")
    for pointer, _ in leaves(data, "/data"):
        assert classes.pop(pointer) == QUARANTINED
    assert classes == {
        "/id": MAPPED,
        "/contextProfileId": MAPPED,
        "/createdAt": MAPPED,
        "/updatedAt": MAPPED,
        "/completeness": DERIVED,
        "/extra": UNMAPPED,
    }
    assert [(entry["id"], entry["code"]) for entry in found.facts.quarantine] == [("pc1", "bad_blob")]
    assert found.row("intents")["fields"] == {}
    assert found.profile == {}
    assert found.findings == []


def test_c8b_an_absent_or_empty_blob_is_fine() -> None:
    for row in (blob("c1"), blob("c1", {})):
        found = Implied(User=[user()], ContextProfile=[context("c1")], Profile=[row])
        assert found.facts.quarantine == []
        assert found.classes("Profile", "pc1").get("/data", NORMALISED) == NORMALISED
        assert ("/data" in found.classes("Profile", "pc1")) == ("data" in row)


# --- C9, C10 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unset", [None, "", " \t", [], {}])
@pytest.mark.parametrize("field", [*SHARED, "intent", "unheardOf"])
def test_c9_an_unset_leaf_is_normalised_and_never_overrides(unset: Any, field: str) -> None:
    value: Any = ["x"] if field in {"coreValues", "constraints"} else "x"
    value = {"k": "x"} if field in {"beliefs", "interactionStyle", "lifestyle"} else value
    for datas in ([{field: value}, {field: unset}], [{field: unset}, {field: value}]):
        found = _blobs(*datas)
        alone = _blobs(next(data for data in datas if data[field] == value))
        assert found.profile == alone.profile
        assert found.conflicts == {}
        assert len(found.findings) == len(alone.findings) == (field == "ageRange")
        number = 1 + datas.index({field: unset})
        assert found.class_of("Profile", f"pc{number}", f"/data/{field}") == NORMALISED


def test_c9_unset_leaves_at_any_depth_also_where_there_is_no_target() -> None:
    found = _blobs({"horoscope": {"a": [None, {}, " "], "b": 1}, "beliefs": {"a": {"b": None, "c": [], "d": 0}}})
    classes = found.classes("Profile", "pc1")
    assert [classes[f"/data/horoscope/{p}"] for p in ("a/0", "a/1", "a/2", "b")] == [NORMALISED] * 3 + [UNMAPPED]
    assert [classes[f"/data/beliefs/a/{p}"] for p in "bcd"] == [NORMALISED, NORMALISED, MAPPED]
    assert found.facts.unmapped[0]["fields"] == {"/data/horoscope/b": 1}


@pytest.mark.parametrize(
    ("raw", "stored", "found_class"),
    [("Bern", "Bern", MAPPED), (" Bern\n", "Bern", NORMALISED), (NFC, NFC, MAPPED), (NFD, NFC, NORMALISED)],
)
def test_c10_text_is_stored_in_its_normal_form(raw: str, stored: str, found_class: str) -> None:
    found = _blobs({"location": raw, "relationshipTimeline": raw})
    assert found.profile == {"location": stored}
    assert found.row("intents")["fields"] == {"relationship_timeline": stored}
    assert found.class_of("Profile", "pc1", "/data/location") == found_class
    assert found.class_of("Profile", "pc1", "/data/relationshipTimeline") == found_class


# --- C11–C14 ------------------------------------------------------------------------------------------------------


def test_c11_keys_and_times_are_mapped() -> None:
    found = Implied(
        User=[user(email="a@x", name="Ada")],
        ContextProfile=[context("c1", tonePreference="light")],
        Profile=[blob("c1", {})],
    )
    for table, key in (("User", "u1"), ("ContextProfile", "c1"), ("Profile", "pc1")):
        assert {value for pointer, value in found.classes(table, key).items() if pointer != "/data"} == {MAPPED}
    row = found.row("legacy_ids", table_name="Profile")
    assert (row["key"], row["bundle"], row["parent_key"]) == ("pc1", "u1", "c1")
    assert row["became"] == merged_profile_id(ADA, "personal")
    assert row["created"] == datetime(2023, 5, 1, 10, tzinfo=UTC)


def test_c11_an_integer_key_is_kept_by_its_text() -> None:
    found = Implied(
        User=[user(7)],
        ContextProfile=[context(8, userId=7)],
        Profile=[blob("8", {}) | {"contextProfileId": 8, "id": 9}],
    )
    assert found.class_of("User", "7", "/id") == NORMALISED
    assert found.class_of("ContextProfile", "8", "/userId") == NORMALISED
    assert found.class_of("Profile", "9", "/contextProfileId") == NORMALISED
    assert found.row("intents")["context_profile_id"] == "8"
    text = Implied(User=[user(7)], ContextProfile=[context("c1", userId="7")])
    assert text.class_of("ContextProfile", "c1", "/userId") == MAPPED


@pytest.mark.parametrize(
    "when", ["2023-05-01T10:00:00Z", "2023-05-01 10:00:00", "2023-05-01T12:00:00+02:00", 1682935200000]
)
def test_c11_times_compare_by_instant(when: Any) -> None:
    found = Implied(User=[user(createdAt=when)])
    assert found.class_of("User", "u1", "/createdAt") == MAPPED
    assert found.row("accounts")["registered_at"] == datetime(2023, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "when", ["soon", "2023-05-01", "0000-01-01T00:00:00Z", "12024-05-01T00:00:00Z", True, 10**18, [1]]
)
@pytest.mark.parametrize("table", ["User", "ContextProfile", "Profile"])
def test_c11_a_time_nobody_can_mean_is_unreadable(when: Any, table: str) -> None:
    tables: dict[str, list[Any]] = {"User": [user()], "ContextProfile": [context("c1")], "Profile": [blob("c1", {})]}
    row = tables[table][0]
    row["createdAt"] = when
    found = Implied(**tables)
    record = found.facts.records[table, row["id"]]
    assert {value for pointer, value in record.classes.items() if pointer.startswith("/createdAt")} == {UNREADABLE}
    assert found.findings == [
        (table, row["id"], "createdAt", "assumed_time"),
        (table, row["id"], "createdAt", "unreadable"),
    ]
    assumed = next(entry for entry in found.facts.findings if entry["code"] == "assumed_time")
    assert assumed["value"] == record.updated == record.earliest
    assert found.row("legacy_ids", table_name=table)["created"] is None


def test_c11_a_missing_time_falls_back_to_the_record_then_the_bundle_then_1970() -> None:
    bare = {"id": "u1"}
    assert Implied(User=[bare]).row("accounts")["registered_at"] == NO_TIME
    assert Implied(User=[bare], ContextProfile=[context("c1", day=9)]).row("accounts")["registered_at"].day == 9
    later = bare | {"updatedAt": "2024-01-02T00:00:00Z"}
    found = Implied(User=[later], ContextProfile=[context("c1", day=9)])
    assert found.row("accounts")["registered_at"] == datetime(2024, 1, 2, tzinfo=UTC)
    assert ("User", "u1", "createdAt", "assumed_time") in found.findings
    assert Implied(User=[user()]).findings == []


def test_c11_an_unreadable_update_time_is_no_assumption() -> None:
    assert Implied(User=[user(updatedAt="soon")]).findings == [("User", "u1", "updatedAt", "unreadable")]


def test_c12_email_and_name_belong_to_the_account() -> None:
    found = Implied(
        User=[user(email=" a@x", name=NFD)], ContextProfile=[context("c1")], Profile=[blob("c1", {"name": "Eva"})]
    )
    account = found.row("accounts")
    assert (account["email"], account["name"], found.profile["name"]) == ("a@x", NFC, "Eva")
    assert found.conflicts == {}
    assert found.events("account.registered")[0].email == "a@x"
    odd = Implied(User=[user(email=5, name=["Ada", ""])])
    assert odd.findings == [("User", "u1", "email", "unreadable"), ("User", "u1", "name", "unreadable")]
    assert [odd.class_of("User", "u1", p) for p in ("/email", "/name/0", "/name/1")] == [
        UNREADABLE,
        UNREADABLE,
        NORMALISED,
    ]
    assert odd.row("accounts")["email"] is None


@pytest.mark.parametrize(
    ("tone", "stored", "found_class", "code"),
    [
        ("light", "light", MAPPED, None),
        (" serious ", "serious", NORMALISED, None),
        ("formal", "formal", MAPPED, "outside_vocabulary"),
        ("Light", "Light", MAPPED, "outside_vocabulary"),
        (3, None, UNREADABLE, "unreadable"),
        (None, None, NORMALISED, None),
        ("", None, NORMALISED, None),
    ],
)
def test_c13_the_tone_has_a_home(tone: Any, stored: str | None, found_class: str, code: str | None) -> None:
    found = Implied(User=[user()], ContextProfile=[context("c1", tonePreference=tone)])
    assert found.row("intents")["tone_preference"] == stored
    assert found.class_of("ContextProfile", "c1", "/tonePreference") == found_class
    assert found.findings == ([("ContextProfile", "c1", "tonePreference", code)] if code else [])


@pytest.mark.parametrize("value", [0, 140, "50%", None, [], ["name", ""], {"a": 1}])
def test_c14_completeness_and_missing_are_derived_and_not_compared(value: Any) -> None:
    found = Implied(
        User=[user()], ContextProfile=[context("c1")], Profile=[blob("c1", {}, completeness=value, missing=value)]
    )
    for name in ("completeness", "missing"):
        for pointer, leaf in leaves(value, f"/{name}"):
            unset = leaf is None or leaf in ("", [], {})
            assert found.class_of("Profile", "pc1", pointer) == (NORMALISED if unset else DERIVED)
    assert found.findings == []


# --- C15, C16 -----------------------------------------------------------------------------------------------------


def _two(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Return which of two contexts comes first: the one whose location is chosen."""
    rows: list[Line] = [context("c1") | first, context("c2", "service") | second]
    keys = [row["id"] for row in rows if isinstance(row, dict)]
    found = Implied(
        User=[user()],
        ContextProfile=rows,
        Profile=[blob(keys[0], {"location": "first"}), blob(keys[1], {"location": "second"})],
    )
    chosen: str = found.profile["location"]
    return chosen


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ({"createdAt": "2023-05-01T10:00:00Z"}, {"createdAt": "2023-05-01T10:00:00.001Z"}, "first"),
        ({"createdAt": "2023-05-01T10:00:00.001Z"}, {"createdAt": "2023-05-01T10:00:00Z"}, "second"),
        ({"createdAt": "2023-05-02T00:30:00+02:00"}, {"createdAt": "2023-05-01T23:00:00Z"}, "first"),  # text order lies
        ({"createdAt": 1682935200000}, {"createdAt": "2023-05-01 10:00:00"}, "first"),  # a tie, by id
        ({"id": "b", "createdAt": 0}, {"id": "a", "createdAt": 0}, "second"),
        ({"id": "c-Zug", "createdAt": 0}, {"id": "c-apfel", "createdAt": 0}, "first"),  # by code point
        ({"id": "c10", "createdAt": 0}, {"id": "c9", "createdAt": 0}, "first"),
        ({"createdAt": None, "updatedAt": "2023-05-09T00:00:00Z"}, {"createdAt": "2023-05-08T00:00:00Z"}, "second"),
    ],
)
def test_c15_contexts_are_ordered_by_creation_then_id(first: Any, second: Any, chosen: str) -> None:
    assert _two(first, second) == chosen


@pytest.mark.parametrize("field", ["name", "location", "ageRange"])
def test_c16_the_first_set_text_is_chosen_and_each_other_form_is_a_conflict(field: str) -> None:
    found = _blobs({field: ""}, {field: "b "}, {field: "b"}, {field: "c"}, {field: "B"})
    target = SHARED[field]
    assert found.profile[target] == "b"
    assert _classes(found, f"/data/{field}", of=5) == [NORMALISED, NORMALISED, MAPPED, CONFLICTING, CONFLICTING]
    assert found.conflicts == {field: (["b", "c", "B"], "b", "first_non_empty")}
    (recorded,) = found.events("profile.conflict_recorded")
    assert (recorded.field, recorded.values, recorded.chosen, recorded.rule) == (
        target,
        ("b", "c", "B"),
        "b",
        "first_non_empty",
    )
    (entry,) = found.facts.conflicts
    assert (entry["system"], entry["bundle"], entry["record"]) == ("contexts", "u1", "Profile/pc2")


@pytest.mark.parametrize(("one", "other"), [("Bern", "bern"), ("St. Gallen", "St.  Gallen"), ("Bern", "Bern.")])
def test_c16_case_and_inner_blanks_are_differences(one: str, other: str) -> None:
    assert _blobs({"location": one}, {"location": other}).conflicts["location"][0] == [one, other]


def test_c16_an_age_outside_the_forms_is_a_finding_for_each_record() -> None:
    found = _blobs(
        {"ageRange": "early 30s"}, {"ageRange": " 25-34 "}, {"ageRange": "early 30s "}, {"ageRange": "18-24"}
    )
    assert found.findings == [
        ("Profile", "pc1", "ageRange", "outside_vocabulary"),
        ("Profile", "pc3", "ageRange", "outside_vocabulary"),
    ]
    assert found.profile["age_range"] == "early 30s"


# --- C17, C18 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["coreValues", "constraints"])
def test_c17_lists_are_united_first_seen_first_and_exactly(field: str) -> None:
    found = _blobs({field: ["b", "a ", "B", ""]}, {field: ["a", "b", None, NFD, NFC, [], {}]})
    assert found.profile == {SHARED[field]: ["b", "a ", "B", "a", NFD, NFC]}
    assert set(found.classes("Profile", "pc1").values()) == {MAPPED, NORMALISED}
    assert found.class_of("Profile", "pc1", f"/data/{field}/1") == MAPPED
    assert [found.class_of("Profile", "pc2", f"/data/{field}/{n}") for n in range(7)] == [
        *(MAPPED, MAPPED, NORMALISED, MAPPED, MAPPED, NORMALISED, NORMALISED)
    ]
    assert found.conflicts == {}


def test_c17_an_item_that_is_no_text_is_unreadable_by_itself() -> None:
    found = _blobs({"coreValues": ["a", 1, {"k": ["x", None]}, True, "b"]})
    assert found.profile == {"core_values": ["a", "b"]}
    assert found.findings == [
        ("Profile", "pc1", "coreValues/1", "unreadable"),
        ("Profile", "pc1", "coreValues/2", "unreadable"),
        ("Profile", "pc1", "coreValues/3", "unreadable"),
    ]
    assert found.class_of("Profile", "pc1", "/data/coreValues/2/k/1") == NORMALISED
    assert found.class_of("Profile", "pc1", "/data/coreValues/2/k/0") == UNREADABLE


@pytest.mark.parametrize("field", ["beliefs", "interactionStyle", "lifestyle"])
def test_c18_objects_are_merged_by_key_and_the_last_wins(field: str) -> None:
    found = _blobs(
        {field: {"a": "x", "b": {"n": 1, "m": [1]}, "c": "z ", "d": "same"}},
        {field: {"a": "y", "b": {"m": [1], "n": 1.0}, "c": "z", "d": "same", "e": None}},
    )
    assert found.profile == {SHARED[field]: {"a": "y", "b": {"m": [1], "n": 1.0}, "c": "z", "d": "same"}}
    classes = found.classes("Profile", "pc1")
    assert {p: classes[f"/data/{field}/{p}"] for p in ("a", "b/n", "b/m/0", "c", "d")} == {
        "a": CONFLICTING,
        "b/n": MAPPED,
        "b/m/0": MAPPED,
        "c": NORMALISED,
        "d": MAPPED,
    }
    assert found.conflicts == {f"{field}/a": (["x", "y"], "y", "last_writer_wins")}
    assert [event.field for event in found.events("profile.conflict_recorded")] == [f"{SHARED[field]}/a"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        (1, "1"),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1, "cat", None], {"cats": 2}),
        (2**63 - 1, -(2**63)),
        ({"mo": 1, "tu": 2}, {"mo": 1, "tu": 3}),
        ("spiritual", {"a": "spiritual"}),
    ],
)
def test_c18_different_values_conflict_as_wholes(one: Any, other: Any) -> None:
    found = _blobs({"beliefs": {"k": one}}, {"beliefs": {"k": other}})
    assert list(found.conflicts) == ["beliefs/k"]
    assert json.dumps(found.profile["beliefs"]["k"]) == json.dumps(other)
    set_leaves = [pointer for pointer, leaf in leaves(one, "/data/beliefs/k") if leaf is not None]
    assert {found.class_of("Profile", "pc1", pointer) for pointer in set_leaves} == {CONFLICTING}


def test_c18_a_key_three_contexts_set() -> None:
    found = _blobs({"beliefs": {"k": "a"}}, {"beliefs": {"k": "b"}}, {"beliefs": {"k": "a"}})
    assert found.conflicts == {"beliefs/k": (["a", "b"], "a", "last_writer_wins")}
    assert _classes(found, "/data/beliefs/k", of=3) == [MAPPED, CONFLICTING, MAPPED]


def test_c18_keys_are_kept_as_they_are() -> None:
    found = _blobs({"lifestyle": {"a/b~c": "x", "": 1, f" {NFD}": {"~1": 0}}})
    assert found.profile["lifestyle"] == {"a/b~c": "x", "": 1, f" {NFD}": {"~1": 0}}
    assert found.class_of("Profile", "pc1", "/data/lifestyle/a~1b~0c") == MAPPED
    assert found.class_of("Profile", "pc1", "/data/lifestyle/") == MAPPED


# --- C19 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Context)
def test_c19_the_fields_of_the_own_context_go_to_the_intent(kind: Context) -> None:
    data: dict[str, Any] = {name: f" {name}" for name in INTENT_FIELDS[kind]}
    if kind is Context.PROFESSIONAL:
        data["complementarySkills"] = ["Law", "law ", ""]
    found = Implied(User=[user()], ContextProfile=[context("c1", kind)], Profile=[blob("c1", data)])
    expected: dict[str, Any] = {target: name for name, target in INTENT_FIELDS[kind].items()}
    if kind is Context.PROFESSIONAL:
        expected["complementary_skills"] = ["Law", "law "]
    assert found.row("intents")["fields"] == expected
    assert set(expected) == set(CONTEXTS[kind].fields)
    assert {(field, code) for _, _, field, code in found.findings} == {
        (name, "outside_vocabulary") for name in data if name != "complementarySkills"
    }
    (declared,) = found.events("intent.declared")
    assert (declared.account_id, declared.context, declared.context_profile_id) == (ADA, kind, "c1")


def _twins(
    older: dict[str, Any],
    newer: dict[str, Any],
    kind: str = "professional",
    tones: tuple[Any, Any] = ("light", "light"),
) -> Implied:
    return Implied(
        User=[user()],
        ContextProfile=[
            context("c1", kind, day=5, tonePreference=tones[0]),
            context("c2", kind, day=4, tonePreference=tones[1]),
        ],
        Profile=[blob("c1", newer), blob("c2", older)],
    )


def test_c19_of_two_rows_of_one_type_the_later_is_chosen() -> None:
    found = _twins(
        {
            "partnershipType": "advisor",
            "commitmentHorizon": "ongoing ",
            "complementarySkills": ["law"],
            "equityOrRevShare": "tbd",
        },
        {"partnershipType": "cofounder", "commitmentHorizon": "ongoing", "complementarySkills": ["law", "tax"]},
    )
    row = found.row("intents")
    assert row["context_profile_id"] == "c1"
    assert row["fields"] == {
        "partnership_type": "cofounder",
        "commitment_horizon": "ongoing",
        "complementary_skills": ["law", "tax"],
        "equity_or_rev_share": "tbd",
    }
    assert {p: found.class_of("Profile", "pc2", f"/data/{p}") for p in ("partnershipType", "commitmentHorizon")} == {
        "partnershipType": CONFLICTING,
        "commitmentHorizon": NORMALISED,
    }
    assert found.class_of("Profile", "pc2", "/data/complementarySkills/0") == CONFLICTING
    assert found.class_of("Profile", "pc2", "/data/equityOrRevShare") == MAPPED
    assert found.conflicts == {
        "partnershipType": (["cofounder", "advisor"], "cofounder", "latest_row"),
        "complementarySkills": ([["law", "tax"], ["law"]], ["law", "tax"], "latest_row"),
    }
    assert len(found.events("intent.declared")) == 1
    for key in ("c1", "c2"):
        assert found.row("legacy_ids", key=key)["became"] == intent_id(ADA, "professional")


def test_c19_tones_of_two_rows() -> None:
    found = _twins({}, {}, tones=("light", "serious"))
    assert found.row("intents")["tone_preference"] == "light"
    assert found.conflicts == {"tonePreference": (["light", "serious"], "light", "latest_row")}
    assert found.class_of("ContextProfile", "c2", "/tonePreference") == CONFLICTING
    assert _twins({}, {}, tones=(None, "serious")).row("intents")["tone_preference"] == "serious"


def test_c19_two_blobs_of_one_context() -> None:
    found = Implied(
        User=[user()],
        ContextProfile=[context("c1")],
        Profile=[
            blob("c1", {"location": "a", "relationshipTimeline": "new"}, id="p2", createdAt="2023-06-02T00:00:00Z"),
            blob("c1", {"location": "b", "relationshipTimeline": "old"}, id="p1", createdAt="2023-06-01T00:00:00Z"),
        ],
    )
    assert found.profile["location"] == "a"
    assert found.conflicts["location"][0] == ["a", "b"]
    assert found.row("intents")["fields"] == {"relationship_timeline": "new"}
    assert set(found.conflicts) == {"location", "relationshipTimeline"}


# --- C20 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["name", "location", "ageRange", "relationshipTimeline"])
@pytest.mark.parametrize("value", [5, 1.5, True, ["Bern", ""], {"city": "Bern", "zip": None}])
def test_c20_a_text_is_expected(field: str, value: Any) -> None:
    found = _blobs({field: value})
    for pointer, leaf in leaves(value, f"/data/{field}"):
        assert found.class_of("Profile", "pc1", pointer) == (NORMALISED if leaf in ("", None) else UNREADABLE)
    assert found.findings == [("Profile", "pc1", field, "unreadable")]
    assert found.profile == {}
    assert found.row("intents")["fields"] == {}


@pytest.mark.parametrize(
    "value", [5, True, {"a": "x", "b": ""}, "a, b", '{"a": 1}', '["a", 1]', '["a\\u0000"]', "[NaN]"]
)
def test_c20_a_list_is_expected(value: Any) -> None:
    found = _blobs({"coreValues": value})
    assert found.findings == [("Profile", "pc1", "coreValues", "unreadable")]
    assert found.profile == {}


@pytest.mark.parametrize(
    "value",
    [
        5,
        True,
        ["green", None],
        "none really",
        '["a"]',
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": 1e400}',
        '{"a": "\\ud800"}',
    ],
)
def test_c20_an_object_is_expected(value: Any) -> None:
    found = _blobs({"beliefs": value})
    assert found.findings == [("Profile", "pc1", "beliefs", "unreadable")]
    assert found.profile == {}


@pytest.mark.parametrize("times", [1, 2])
def test_c20_json_inside_a_text_is_opened(times: int) -> None:
    def closed(value: Any) -> Any:
        for _ in range(times):
            value = json.dumps(value)
        return value

    found = _blobs(
        {"coreValues": closed(["a", "", None, "b"]), "beliefs": closed({"k": {"n": [1]}, "u": ""})},
        {"beliefs": {"j": 1}},
    )
    assert found.profile == {"core_values": ["a", "b"], "beliefs": {"k": {"n": [1]}, "j": 1}}
    assert found.class_of("Profile", "pc1", "/data/coreValues") == NORMALISED
    assert found.class_of("Profile", "pc1", "/data/beliefs") == NORMALISED
    assert found.findings == []
    thrice = _blobs({"coreValues": json.dumps(json.dumps(json.dumps(["a"])))})
    assert thrice.findings == [("Profile", "pc1", "coreValues", "unreadable")]


def test_c20_an_opened_text_is_as_settled_as_its_worst_key() -> None:
    found = _blobs({"beliefs": '{"a": 1, "b": 2}'}, {"beliefs": {"a": 1, "b": 3}})
    assert found.class_of("Profile", "pc1", "/data/beliefs") == CONFLICTING
    assert found.profile == {"beliefs": {"a": 1, "b": 3}}


@pytest.mark.parametrize(
    "number", ["1e400", "NaN", "-Infinity", "9223372036854775808", "1.234567890123456789", "1e-400"]
)
def test_c20_a_number_that_cannot_be_stored_makes_its_whole_key_unreadable(number: str) -> None:
    data = f'{{"beliefs": {{"bad": {{"n": [{number}], "fine": 1, "no": null}}, "good": 1}}, "score": {number}}}'
    row = json.dumps(blob("c1", {})).replace('"data": {}', f'"data": {data}')
    found = Implied(User=[user()], ContextProfile=[context("c1")], Profile=[row])
    assert found.profile == {"beliefs": {"good": 1}}
    classes = found.classes("Profile", "pc1")
    assert [classes[f"/data/beliefs/bad/{p}"] for p in ("n/0", "fine", "no")] == [UNREADABLE, UNREADABLE, NORMALISED]
    assert classes["/data/score"] == UNMAPPED
    assert found.findings == [("Profile", "pc1", "beliefs/bad", "unreadable")]


# --- C21–C23 ------------------------------------------------------------------------------------------------------


def test_c21_everything_else_is_unmapped_one_entry_a_record() -> None:
    found = Implied(
        User=[user(image="x.png", flags={"a/b": 1, "c": None})],
        ContextProfile=[context("c1", "service", note="n")],
        Profile=[
            blob(
                "c1",
                {
                    "intent": "i",
                    "dealbreakers": ["d", ""],
                    "preferences": [],
                    "creativeType": "film",
                    "serviceType": "seeking",
                },
                legacy=True,
            )
        ],
    )
    assert {
        (entry["table"], entry["id"]): (entry.get("context"), entry["fields"]) for entry in found.facts.unmapped
    } == {
        ("User", "u1"): (None, {"/image": "x.png", "/flags/a~1b": 1}),
        ("ContextProfile", "c1"): ("service", {"/note": "n"}),
        ("Profile", "pc1"): (
            "service",
            {"/data/intent": "i", "/data/dealbreakers/0": "d", "/data/creativeType": "film", "/legacy": True},
        ),
    }
    assert len(found.facts.unmapped) == 3
    assert found.row("intents")["fields"] == {"service_type": "seeking"}


def test_c22_messages_become_a_conversation_a_context_profile() -> None:
    early = "2023-04-30T10:00:00.000Z"
    found = Implied(
        User=[user()],
        ContextProfile=[context("c1")],
        ChatMessage=[
            message("m1", content=None, offRecord=True),
            message("m0", content=" hello ", role="tool", createdAt=early, mood="glad"),
            message("m2", contextProfileId="c9", createdAt="soon"),
            message("m3", contextProfileId=None, content=12, offRecord="no"),
        ],
    )
    talk = found.row("conversations", context="romantic")
    assert (talk["context_profile_id"], talk["message_count"], talk["interaction_count"]) == ("c1", 2, None)
    assert talk["account_id"] == found.facts.subject
    first, marker = found.row("messages", key="m0"), found.row("messages", key="m1")
    assert [first[name] for name in ("number", "role", "content", "off_record")] == [2, "tool", "hello", False]
    assert first["sent_at"] == datetime(2023, 4, 30, 10, tzinfo=UTC)
    assert [marker[name] for name in ("number", "role", "content", "off_record")] == [3, "user", None, True]
    assert found.row("conversations", context_profile_id="c9")["message_count"] == 1
    assert found.row("conversations", context_profile_id=None)["message_count"] == 1
    assert found.row("messages", key="m2")["sent_at"] is None
    assert found.class_of("ChatMessage", "m1", "/content") == NORMALISED
    assert found.class_of("ChatMessage", "m0", "/content") == NORMALISED
    assert found.class_of("ChatMessage", "m0", "/contextProfileId") == MAPPED
    assert [entry["fields"] for entry in found.facts.unmapped] == [{"/mood": "glad"}]
    assert found.findings == [
        ("ChatMessage", "m0", "role", "outside_vocabulary"),
        ("ChatMessage", "m2", "contextProfileId", "dangling_reference"),
        ("ChatMessage", "m2", "createdAt", "assumed_time"),
        ("ChatMessage", "m2", "createdAt", "unreadable"),
        ("ChatMessage", "m3", "content", "unreadable"),
        ("ChatMessage", "m3", "offRecord", "unreadable"),
    ]


def test_c23_a_user_without_contexts_gets_an_empty_profile() -> None:
    found = Implied(User=[user("anna-demo")])
    assert [event.event.topic for stream in found.facts.streams for event in stream.events] == [
        *("account.registered", "account.profile_added", "account.active_profile_switched", "profile.created")
    ]
    assert found.profile == {}
    assert not [model for model, _ in rows_of(found.facts) if model == "intents"]


def test_c23_a_context_without_a_profile_row_gets_an_empty_intent() -> None:
    found = Implied(User=[user()], ContextProfile=[context("c1", "service", tonePreference="light")])
    row = found.row("intents")
    assert (row["fields"], row["tone_preference"], row["context_profile_id"]) == ({}, "light", "c1")


def test_the_recorded_run_of_the_legacy_team() -> None:
    """2.5: no conflict, and the two reports of `intent`, `preferences` and `dealbreakers` without a target."""
    data = {"name": "Ada", "location": "Bern", "intent": "i", "preferences": ["p"], "dealbreakers": ["d"]}
    found = _blobs(data, {"name": "Ada", "location": "Bern"})
    assert found.conflicts == {}
    assert [sorted(entry["fields"]) for entry in found.facts.unmapped] == [
        ["/data/dealbreakers/0", "/data/intent", "/data/preferences/0"]
    ]


def test_provenance_names_every_source_of_a_value() -> None:
    found = _blobs(
        {"location": "Bern", "beliefs": {"k": 1}}, {"location": "Bern ", "beliefs": {"k": 2}}, {"location": "Chur"}
    )
    (created,) = [
        new for stream in found.facts.streams for new in stream.events if new.event.topic == "profile.created"
    ]
    assert created.provenance
    assert [tuple(source) for source in created.provenance["location"]] == [
        ("Profile", "pc1", "/data/location"),
        ("Profile", "pc2", "/data/location"),
    ]
    assert [tuple(source) for source in created.provenance["beliefs/k"]] == [("Profile", "pc2", "/data/beliefs/k")]


# --- any bundle ---------------------------------------------------------------------------------------------------


@example(
    tables={
        "User": ['{"id": "u1"}'],
        "ContextProfile": ['{"id": "c1", "userId": "u1", "contextType": "romantic"}'],
        "Profile": [],
        "ChatMessage": ['{"id": "m1", "userId": "u1", "contextProfileId": ["a", {"k": ""}]}'],
    },
    rng=random.Random(1),
)
@settings(max_examples=30)
@given(exports(), st.randoms(use_true_random=False))
def test_any_bundle_adds_up_and_is_derived_the_same_whatever_the_order_of_lines(tables: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)


@settings(max_examples=25)
@given(exports())
def test_what_any_bundle_implies_can_be_stored_read_back_and_proven(tables: Export) -> None:
    is_proven(SYSTEM, tables)
