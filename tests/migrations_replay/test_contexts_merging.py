"""The mapping of the contexts system, C15 to C20 of `docs/legacy/contexts.md`: what several contexts say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.contexts import CONTEXTS, Context
from domain.streams import intent_id
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, UNMAPPED, UNREADABLE, leaves
from migrations_replay.systems.contexts import INTENT_FIELDS, SHARED
from tests.support.legacy import ADA, NFC, NFD, Implied, Line, blob, blobs, context, user


def _classes(implied: Implied, pointer: str, *, of: int = 2) -> list[str]:
    return [implied.class_of("Profile", f"pc{n}", pointer) for n in range(1, of + 1)]


# --- C15, C16 ---------------------------------------------------------------------------------------------------------


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
    found = blobs({field: ""}, {field: "b "}, {field: "b"}, {field: "c"}, {field: "B"})
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
    assert blobs({"location": one}, {"location": other}).conflicts["location"][0] == [one, other]


def test_c16_an_age_outside_the_forms_is_a_finding_for_each_record() -> None:
    found = blobs({"ageRange": "early 30s"}, {"ageRange": " 25-34 "}, {"ageRange": "early 30s "}, {"ageRange": "18-24"})
    assert found.findings == [
        ("Profile", "pc1", "ageRange", "outside_vocabulary"),
        ("Profile", "pc3", "ageRange", "outside_vocabulary"),
    ]
    assert found.profile["age_range"] == "early 30s"


# --- C17, C18 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["coreValues", "constraints"])
def test_c17_lists_are_united_first_seen_first_and_exactly(field: str) -> None:
    found = blobs({field: ["b", "a ", "B", ""]}, {field: ["a", "b", None, NFD, NFC, [], {}]})
    assert found.profile == {SHARED[field]: ["b", "a ", "B", "a", NFD, NFC]}
    assert set(found.classes("Profile", "pc1").values()) == {MAPPED, NORMALISED}
    assert found.class_of("Profile", "pc1", f"/data/{field}/1") == MAPPED
    assert [found.class_of("Profile", "pc2", f"/data/{field}/{n}") for n in range(7)] == [
        *(MAPPED, MAPPED, NORMALISED, MAPPED, MAPPED, NORMALISED, NORMALISED)
    ]
    assert found.conflicts == {}


def test_c17_an_item_that_is_no_text_is_unreadable_by_itself() -> None:
    found = blobs({"coreValues": ["a", 1, {"k": ["x", None]}, True, "b"]})
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
    found = blobs(
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
    found = blobs({"beliefs": {"k": one}}, {"beliefs": {"k": other}})
    assert list(found.conflicts) == ["beliefs/k"]
    assert json.dumps(found.profile["beliefs"]["k"]) == json.dumps(other)
    set_leaves = [pointer for pointer, leaf in leaves(one, "/data/beliefs/k") if leaf is not None]
    assert {found.class_of("Profile", "pc1", pointer) for pointer in set_leaves} == {CONFLICTING}


def test_c18_a_key_three_contexts_set() -> None:
    found = blobs({"beliefs": {"k": "a"}}, {"beliefs": {"k": "b"}}, {"beliefs": {"k": "a"}})
    assert found.conflicts == {"beliefs/k": (["a", "b"], "a", "last_writer_wins")}
    assert _classes(found, "/data/beliefs/k", of=3) == [MAPPED, CONFLICTING, MAPPED]


def test_c18_keys_are_kept_as_they_are() -> None:
    found = blobs({"lifestyle": {"a/b~c": "x", "": 1, f" {NFD}": {"~1": 0}}})
    assert found.profile["lifestyle"] == {"a/b~c": "x", "": 1, f" {NFD}": {"~1": 0}}
    assert found.class_of("Profile", "pc1", "/data/lifestyle/a~1b~0c") == MAPPED
    assert found.class_of("Profile", "pc1", "/data/lifestyle/") == MAPPED


# --- C19 --------------------------------------------------------------------------------------------------------------


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


# --- C20 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["name", "location", "ageRange", "relationshipTimeline"])
@pytest.mark.parametrize("value", [5, 1.5, True, ["Bern", ""], {"city": "Bern", "zip": None}])
def test_c20_a_text_is_expected(field: str, value: Any) -> None:
    found = blobs({field: value})
    for pointer, leaf in leaves(value, f"/data/{field}"):
        assert found.class_of("Profile", "pc1", pointer) == (NORMALISED if leaf in ("", None) else UNREADABLE)
    assert found.findings == [("Profile", "pc1", field, "unreadable")]
    assert found.profile == {}
    assert found.row("intents")["fields"] == {}


@pytest.mark.parametrize(
    "value", [5, True, {"a": "x", "b": ""}, "a, b", '{"a": 1}', '["a", 1]', '["a\\u0000"]', "[NaN]"]
)
def test_c20_a_list_is_expected(value: Any) -> None:
    found = blobs({"coreValues": value})
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
    found = blobs({"beliefs": value})
    assert found.findings == [("Profile", "pc1", "beliefs", "unreadable")]
    assert found.profile == {}


@pytest.mark.parametrize("times", [1, 2])
def test_c20_json_inside_a_text_is_opened(times: int) -> None:
    def closed(value: Any) -> Any:
        for _ in range(times):
            value = json.dumps(value)
        return value

    found = blobs(
        {"coreValues": closed(["a", "", None, "b"]), "beliefs": closed({"k": {"n": [1]}, "u": ""})},
        {"beliefs": {"j": 1}},
    )
    assert found.profile == {"core_values": ["a", "b"], "beliefs": {"k": {"n": [1]}, "j": 1}}
    assert found.class_of("Profile", "pc1", "/data/coreValues") == NORMALISED
    assert found.class_of("Profile", "pc1", "/data/beliefs") == NORMALISED
    assert found.findings == []
    thrice = blobs({"coreValues": json.dumps(json.dumps(json.dumps(["a"])))})
    assert thrice.findings == [("Profile", "pc1", "coreValues", "unreadable")]


def test_c20_an_opened_text_is_as_settled_as_its_worst_key() -> None:
    found = blobs({"beliefs": '{"a": 1, "b": 2}'}, {"beliefs": {"a": 1, "b": 3}})
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
