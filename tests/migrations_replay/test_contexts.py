"""The mapping of the contexts system, C1 to C14 of `docs/legacy/contexts.md`: each record by itself."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.streams import merged_profile_id
from migrations_replay.facts import NO_TIME
from migrations_replay.leaves import DERIVED, MAPPED, NORMALISED, QUARANTINED, UNMAPPED, UNREADABLE, Ledger, leaves
from migrations_replay.systems.contexts import SHARED, SYSTEM
from tests.support.legacy import ADA, NFC, NFD, Implied, Line, MemorySource, blob, blobs, context, index, user

# --- C1–C8: what cannot be taken in (bundling is tested in test_bundle.py) --------------------------------------------


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


# --- C9, C10 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unset", [None, "", " \t", [], {}])
@pytest.mark.parametrize("field", [*SHARED, "intent", "unheardOf"])
def test_c9_an_unset_leaf_is_normalised_and_never_overrides(unset: Any, field: str) -> None:
    value: Any = ["x"] if field in {"coreValues", "constraints"} else "x"
    value = {"k": "x"} if field in {"beliefs", "interactionStyle", "lifestyle"} else value
    for datas in ([{field: value}, {field: unset}], [{field: unset}, {field: value}]):
        found = blobs(*datas)
        alone = blobs(next(data for data in datas if data[field] == value))
        assert found.profile == alone.profile
        assert found.conflicts == {}
        assert len(found.findings) == len(alone.findings) == (field == "ageRange")
        number = 1 + datas.index({field: unset})
        assert found.class_of("Profile", f"pc{number}", f"/data/{field}") == NORMALISED


def test_c9_unset_leaves_at_any_depth_also_where_there_is_no_target() -> None:
    found = blobs({"horoscope": {"a": [None, {}, " "], "b": 1}, "beliefs": {"a": {"b": None, "c": [], "d": 0}}})
    classes = found.classes("Profile", "pc1")
    assert [classes[f"/data/horoscope/{p}"] for p in ("a/0", "a/1", "a/2", "b")] == [NORMALISED] * 3 + [UNMAPPED]
    assert [classes[f"/data/beliefs/a/{p}"] for p in "bcd"] == [NORMALISED, NORMALISED, MAPPED]
    assert found.facts.unmapped[0]["fields"] == {"/data/horoscope/b": 1}


@pytest.mark.parametrize(
    ("raw", "stored", "found_class"),
    [("Bern", "Bern", MAPPED), (" Bern\n", "Bern", NORMALISED), (NFC, NFC, MAPPED), (NFD, NFC, NORMALISED)],
)
def test_c10_text_is_stored_in_its_normal_form(raw: str, stored: str, found_class: str) -> None:
    found = blobs({"location": raw, "relationshipTimeline": raw})
    assert found.profile == {"location": stored}
    assert found.row("intents")["fields"] == {"relationship_timeline": stored}
    assert found.class_of("Profile", "pc1", "/data/location") == found_class
    assert found.class_of("Profile", "pc1", "/data/relationshipTimeline") == found_class


# --- C11–C14 ----------------------------------------------------------------------------------------------------------


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
