"""The mapping of the cases system, K17 and K18 of `docs/legacy/cases.md`: companies, users and statuses."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from domain.status_catalogue import CASE_CODES, ENGLISH
from domain.streams import status_id
from migrations_replay.leaves import CONFLICTING, DERIVED, MAPPED, NORMALISED, UNREADABLE, leaves
from migrations_replay.systems.cases import SYSTEM
from tests.support.legacy import MemorySource, index
from tests.support.legacy_cases import AUTHOR, Told, case_status, collective, company, id_of, member, ms, person, when

# --- K17: collective processes, companies, memberships ----------------------------------------------------------------


@pytest.mark.parametrize("value", ["in_progress", "main_draft", "3 deferido", 5, ["a", None]])
def test_k17_the_status_of_a_collective_process_is_derived_and_not_compared(value: Any) -> None:
    told = Told(
        "collectiveProcesses", collectiveProcesses=[collective(status=value, completedAt=ms(8))], companies=[company()]
    )
    found = told.classes("collectiveProcesses", "m1")
    assert {found[pointer] for pointer, leaf in leaves(value, "/status") if leaf is not None} == {DERIVED}
    assert (told.codes, told.conflicts) == ([], {})
    row = told.row("collectives")
    assert (row["reference_number"], row["completed_at"], row["created_at"]) == ("2023/1", when(8), when(2))
    assert row["legacy_keys"] == {"company_id": "c1"}


def test_k17_a_collective_process_without_a_company() -> None:
    told = Told("mainProcesses", mainProcesses=[collective(companyId=None, referenceNumber=5)])
    row = told.row("collectives")
    assert (row["company_id"], row["legacy_keys"], row["reference_number"]) == (None, {}, None)
    assert told.codes == [("m1", "referenceNumber", "unreadable")]


def test_k17_a_company_with_all_it_has() -> None:
    values: dict[str, Any] = {
        "taxId": "12.345.678/0001-95", "website": "w", "address": "a", "cityId": "ci1", "phoneNumber": "1",
        "email": "e@x", "contactPersonId": "per1", "notes": " n", "isActive": False,
    }  # fmt: skip
    told = Told("companies", companies=[company(**values)])
    row = told.row("companies")
    assert (row["name"], row["tax_id"], row["is_active"], row["created_at"]) == (
        "Acme",
        "12.345.678/0001-95",
        False,
        when(2),
    )
    assert row["fields"] == {
        "website": "w", "address": "a", "city_id": "ci1", "phone_number": "1", "email": "e@x",
        "contact_person_id": "per1", "notes": "n",
    }  # fmt: skip
    assert {value for at, value in told.classes("companies", "c1").items() if at != "/notes"} == {MAPPED}
    assert told.row("companies")["tax_digits"] == "12345678000195"
    assert Told("companies", companies=[company()]).row("companies")["is_active"] is None


def test_k17_two_companies_with_one_name_are_two() -> None:
    source = MemorySource(companies=[company("c1", taxId="1"), company("c2", taxId="2")])
    facts = [SYSTEM.derive(bundle) for bundle in index(source, SYSTEM)]
    assert len({stream.stream for found in facts for stream in found.streams}) == 2
    assert not any(found.conflicts or found.findings for found in facts)


@pytest.mark.parametrize("tax", ["12.345.678/0001-95", "12345678000195"])
def test_k17_a_tax_id_keeps_its_text(tax: str) -> None:
    told = Told("companies", companies=[company(taxId=tax)])
    assert told.row("companies")["tax_id"] == tax
    assert told.class_of("companies", "c1", "/taxId") == MAPPED


def test_k17_memberships_in_order_of_creation_then_id() -> None:
    rows = [
        member("x2", role="Contact", startDate="2020-01-31", endDate=ms(9), isCurrent=False),
        member("x1", role=" Employee", startDate=None, isCurrent=True),
        member("x3", _creationTime=ms(3), personId=None),
    ]
    for arranged in permutations(rows):
        told = Told("companies", companies=[company()], peopleCompanies=list(arranged))
        found = [
            (row["member"], row["person_key"], row["role"], row["fields"], row["is_current"])
            for row in told.of("company_members")
        ]
        assert sorted(found, key=repr) == [
            (2, None, None, {}, None),
            (3, "per1", "Employee", {}, True),
            (4, "per1", "Contact", {"start_date": "2020-01-31", "end_date": ms(9)}, False),
        ]
    assert told.codes == []
    assert told.class_of("peopleCompanies", "x2", "/endDate") == MAPPED
    row = told.row("legacy_ids", key="x1")
    assert (row["parent_key"], row["became"]) == ("c1", id_of("company", "companies", "c1"))


@pytest.mark.parametrize("value", ["31/01/2020", True, ["2020-01-31"], 1e300])
def test_k17_a_membership_date_nobody_can_mean(value: Any) -> None:
    told = Told("companies", companies=[company()], peopleCompanies=[member("x1", startDate=value)])
    assert told.codes == [("x1", "startDate", "unreadable")]
    assert told.row("company_members")["fields"] == {}


# --- K18: users and statuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "leaf"), [("admin", MAPPED), ("client", MAPPED), (" client", NORMALISED)])
def test_k18_a_profile_becomes_an_account_with_its_role(role: str, leaf: str) -> None:
    told = Told("userProfiles", userProfiles=[person(role=role)])
    row = told.row("accounts")
    assert (row["account_id"], row["roles"], row["registered_at"]) == (told.facts.subject, [role.strip()], when(1))
    assert str(row["account_id"]) == AUTHOR
    assert told.class_of("userProfiles", "up1", "/role") == leaf
    assert told.row("legacy_ids")["parent_key"] == "a1"
    assert told.codes == []


@pytest.mark.parametrize("role", ["Admin", "support", "auditor", 5, ["admin"]])
def test_k18_another_role_is_unreadable(role: Any) -> None:
    told = Told("userProfiles", userProfiles=[person(role=role)])
    assert told.codes == [("up1", "role", "unreadable")]
    assert told.row("accounts")["roles"] == []


def test_k18_of_several_profiles_of_one_user_the_latest_is_chosen() -> None:
    rows = [
        person("up1", role="admin"),
        person("up3", role="client"),
        person("up2", role="client", _creationTime=ms(1)),
    ]
    for arranged in permutations(rows):
        told = Told("userProfiles", userProfiles=list(arranged))
        assert told.row("accounts")["roles"] == ["client"]
        assert told.conflicts == {"up3/role": (["client", "admin"], "client", "latest_row")}
        assert [told.class_of("userProfiles", key, "/role") for key in ("up1", "up2", "up3")] == [
            CONFLICTING,
            MAPPED,
            MAPPED,
        ]
        assert {row["became"] for row in told.of("legacy_ids")} == {told.facts.subject}
    later = Told("userProfiles", userProfiles=[person("up9"), person("up1", role="client", _creationTime=ms(2))])
    assert later.row("accounts")["roles"] == ["client"]
    assert later.row("accounts")["registered_at"] == when(1)


def test_k18_a_profile_named_by_its_own_id_is_one_user_with_those_of_that_user_id() -> None:
    told = Told("userProfiles", userProfiles=[person("u7", None), person("up1", "u7", role="client")])
    assert {row["became"] for row in told.of("legacy_ids")} == {id_of("account", "users", "u7")}
    assert told.conflicts == {"up1/role": (["client", "admin"], "client", "latest_row")}


def test_k18_a_status_is_defined() -> None:
    values: dict[str, Any] = {
        "nameEn": "Registered", "description": "d", "category": "completed", "color": "#123456", "sortOrder": 9,
        "orderNumber": 9.0, "fillableFields": ["rnmNumber", "rnm_number", "apelido"], "allowDocuments": True,
        "isActive": False,
    }  # fmt: skip
    told = Told("caseStatuses", caseStatuses=[case_status(**values)])
    row = told.row("statuses")
    assert row["status_id"] == status_id("rnm")
    assert {name: row[name] for name in ("code", "name", "name_en", "description", "category", "colour")} == {
        "code": "rnm", "name": "RNM", "name_en": "Registered", "description": "d", "category": "completed",
        "colour": "#123456",
    }  # fmt: skip
    assert (row["sort_order"], row["workflow_order"], row["allow_documents"], row["in_use"]) == (9, 9, True, False)
    assert row["fillable_fields"] == ["rnm_number", "rnm_number", "apelido"]
    assert [told.class_of("caseStatuses", "k1", f"/fillableFields/{n}") for n in range(3)] == [
        NORMALISED,
        MAPPED,
        MAPPED,
    ]
    assert told.codes == [
        ("k1", "fillableFields/1", "outside_vocabulary"),
        ("k1", "fillableFields/2", "outside_vocabulary"),
    ]
    assert (row["catalogue"], row["may_go_to"], row["created_at"]) == (CASE_CODES, None, when(2))


def test_k18_a_code_of_the_english_catalogue_stays_there_with_its_transitions() -> None:
    row = Told("caseStatuses", caseStatuses=[case_status(code="completed")]).row("statuses")
    assert (row["catalogue"], row["may_go_to"]) == (ENGLISH, ["under_government_review"])


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("sortOrder", 0, "outside_limit"),
        ("sortOrder", 9999, None),
        ("sortOrder", 10000, "outside_limit"),
        ("orderNumber", 99, None),
        ("orderNumber", 100, "outside_limit"),
        ("orderNumber", -1, "outside_limit"),
        ("orderNumber", 1.5, "unreadable"),
        ("orderNumber", "5", "unreadable"),
        ("orderNumber", True, "unreadable"),
        ("orderNumber", 1e19, "unreadable"),
        ("description", "d" * 500, None),
        ("description", "d" * 501, "outside_limit"),
        ("category", "review", None),
        ("category", "waiting", "outside_vocabulary"),
        ("isActive", "yes", "unreadable"),
        ("allowDocuments", 1, "unreadable"),
        ("name", 5, "unreadable"),
    ],
)
def test_k18_limits_and_vocabularies_of_a_status(field: str, value: Any, code: str | None) -> None:
    told = Told("caseStatuses", caseStatuses=[case_status(**{field: value})])
    assert told.codes == ([("k1", field, code)] if code else [])
    expected = UNREADABLE if code == "unreadable" else MAPPED
    assert told.class_of("caseStatuses", "k1", f"/{field}") == expected


def test_k18_of_several_rows_of_one_code_the_latest_is_chosen() -> None:
    old = case_status("k9", name="Old", color="#111111", fillableFields=["rnmNumber"], updatedAt=ms(3))
    new = case_status("k1", name="New", fillableFields=["douPage"], updatedAt=ms(4), isActive=False)
    for arranged in permutations([old, new]):
        told = Told("caseStatuses", caseStatuses=list(arranged))
        row = told.row("statuses")
        assert (row["name"], row["colour"], row["fillable_fields"]) == ("New", "#111111", ["dou_page"])
        assert row["in_use"] is False
        assert told.conflicts == {
            "k1/name": (["New", "Old"], "New", "latest_row"),
            "k1/isActive": ([False, True], False, "latest_row"),
            "k1/fillableFields": ([["dou_page"], ["rnm_number"]], ["dou_page"], "latest_row"),
        }
        assert told.class_of("caseStatuses", "k9", "/fillableFields/0") == CONFLICTING
        assert told.class_of("caseStatuses", "k9", "/color") == MAPPED
    old["updatedAt"] = ms(4)
    tie = Told("caseStatuses", caseStatuses=[old, new])
    assert tie.row("statuses")["name"] == "Old"  # created at one time too: the greater id


def test_k18_a_status_without_a_code_is_one_of_its_own() -> None:
    source = MemorySource(caseStatuses=[case_status("k1", None), case_status("k2", "")])
    facts = [SYSTEM.derive(bundle) for bundle in index(source, SYSTEM)]
    assert len({stream.stream for found in facts for stream in found.streams}) == 2


def test_k18_an_older_role_grants_nothing_once_a_newer_row_names_another() -> None:
    rows = [person("up1", "a1", "admin", updatedAt=ms(1)), person("up2", "a1", "suspended", updatedAt=ms(2))]
    told = Told("userProfiles", userProfiles=rows)
    assert told.events("account.role_granted") == []
    assert told.class_of("userProfiles", "up1", "/role") == "conflicting"
    assert told.class_of("userProfiles", "up2", "/role") == "unreadable"
