"""The mapping of the cases system, K1 to K3 of `docs/legacy/cases.md`: keys, times, and which status a text names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.status_catalogue import CASE_CODES, SEEDED
from migrations_replay.facts import NO_TIME
from migrations_replay.leaves import MAPPED, NORMALISED, UNREADABLE, leaves
from tests.support.legacy import NFC, NFD
from tests.support.legacy_cases import (
    STATUSES,
    Told,
    case_of,
    case_status,
    collective,
    company,
    history,
    id_of,
    member,
    ms,
    person,
    process,
    status,
    when,
)

# --- K1, K2: keys and times -------------------------------------------------------------------------------------------


def test_k1_keys_are_mapped_and_an_integer_is_kept_by_its_text() -> None:
    told = case_of(
        history("h1", "rnm", 2, individualProcessId=7),
        status("s1", "rnm", 3, individualProcessId="7"),
        _id=7,
        personId=8,
    )
    assert told.class_of("individualProcesses", "7", "/_id") == NORMALISED
    assert told.class_of("individualProcesses", "7", "/personId") == NORMALISED
    assert told.class_of("processHistory", "h1", "/individualProcessId") == NORMALISED
    assert told.class_of(STATUSES, "s1", "/individualProcessId") == MAPPED
    for table, key in (("processHistory", "h1"), (STATUSES, "s1")):
        row = told.row("legacy_ids", table_name=table)
        assert (row["key"], row["parent_key"], row["bundle"]) == (key, "7", "7")
        assert row["became"] == id_of("case", "individualProcesses", "7")
    assert told.case["legacy_keys"] == {"person_id": "8"}
    assert told.case["person_id"] == id_of("person", "people", "8") == told.facts.subject


@pytest.mark.parametrize("value", [True, 1.5, ["p"], {"a": "b"}, "k" * 501])
def test_k1_what_is_no_key_is_unreadable(value: Any) -> None:
    told = case_of(status("s1", "rnm", 2, active=True), personId=value, collectiveProcessId=value, passportId=value)
    for name in ("personId", "collectiveProcessId", "passportId"):
        assert {told.class_of("individualProcesses", "p1", at) for at, _ in leaves(value, f"/{name}")} == {UNREADABLE}
        assert ("p1", name, "unreadable") in told.codes
    assert (told.case["person_id"], told.case["collective_id"], told.case["legacy_keys"]) == (None, None, {})
    assert told.case["fields"] == {}


def test_k1_a_reference_that_finds_no_row_is_a_finding_and_the_id_is_kept() -> None:
    told = Told(
        individualProcesses=[process(personId="per9", mainProcessId="m9", status="rnm")],
        processHistory=[history("h1", "rnm", 2, newStatusId="s9", previousStatusId="s1")],
        individualProcessStatuses=[status("s1", "rnm", 2, active=True, caseStatusId="k9")],
        people=[{"_id": "per1"}],
    )
    assert told.codes == [
        ("h1", "newStatusId", "dangling_reference"),
        ("p1", "mainProcessId", "dangling_reference"),
        ("p1", "personId", "dangling_reference"),
        ("s1", "caseStatusId", "dangling_reference"),
    ]
    assert told.case["legacy_keys"] == {"person_id": "per9", "collective_id": "m9"}
    carried = told.entries[0]["carried"]
    assert (carried["new_status_id"], carried["previous_status_id"], carried["case_status_id"]) == ("s9", "s1", "k9")


def test_k1_a_person_is_not_looked_for_where_the_export_has_no_people() -> None:
    assert case_of(status("s1", "rnm", 2, active=True), personId="per9", status="rnm").codes == []


def test_k1_references_of_companies_and_collective_processes() -> None:
    told = Told("companies", companies=[company(contactPersonId="per9")], peopleCompanies=[member("x1")], people=[])
    assert told.codes == [("c1", "contactPersonId", "dangling_reference"), ("x1", "personId", "dangling_reference")]
    assert told.row("companies")["fields"] == {"contact_person_id": "per9"}
    assert told.row("company_members")["person_key"] == "per1"
    assert Told("mainProcesses", mainProcesses=[collective()]).codes == [("m1", "companyId", "dangling_reference")]
    known = Told("mainProcesses", mainProcesses=[collective()], companies=[company()])
    assert known.codes == []
    assert known.row("collectives")["company_id"] == id_of("company", "companies", "c1")
    users = Told("userProfiles", users=[{"_id": "a2"}])
    assert users.codes == [("up1", "userId", "dangling_reference")]


def test_k2_times_stand_in_the_row_of_the_record() -> None:
    told = case_of(
        history("h1", "rnm", 2), status("s1", "rnm", 3, active=True, createdAt=ms(4)), _creationTime=ms(1) + 0.25
    )
    row = told.row("legacy_ids", table_name="individualProcesses")
    assert row["platform_created"] == datetime(2023, 6, 1, 15, 0, 0, 250, tzinfo=UTC)
    assert (row["created"], row["updated"]) == (when(1), when(20))
    row = told.row("legacy_ids", table_name="processHistory")
    assert (row["created"], row["updated"]) == (None, None)
    assert row["platform_created"] == datetime(2023, 6, 2, 15, 0, 0, 500, tzinfo=UTC)
    assert told.row("legacy_ids", table_name=STATUSES)["created"] == when(4)
    assert told.case["created_at"] == when(1)
    for table, key in (("individualProcesses", "p1"), ("processHistory", "h1"), (STATUSES, "s1")):
        assert set(told.classes(table, key).values()) == {MAPPED}


@pytest.mark.parametrize(
    "bad", ["absent", None, "soon", "2023-06-01", True, [ms(1)], -62167219200000, 253402300800000, 1e300, "NaN"]
)
def test_k2_a_creation_time_nobody_can_mean_is_assumed_and_a_finding(bad: Any) -> None:
    row = process(createdAt=bad, status="rnm")
    if bad == "absent":
        del row["createdAt"]
    told = Told(individualProcesses=[row], individualProcessStatuses=[status("s1", "rnm", 2, active=True)])
    unreadable = [] if bad in ("absent", None) else [("p1", "createdAt", "unreadable")]
    assert told.codes == [("p1", "createdAt", "assumed_time"), *unreadable]
    platform = datetime(2023, 6, 1, 15, 0, 0, 250, tzinfo=UTC)
    assert told.findings[0][3] == platform == told.case["created_at"]
    assert told.row("legacy_ids", table_name="individualProcesses")["created"] is None


def test_k2_without_the_platforms_time_the_earliest_of_the_record_is_taken() -> None:
    bare = {"_id": "p1", "updatedAt": ms(9)}
    assert Told(individualProcesses=[bare]).case["created_at"] == when(9)
    row = {"_id": "s1", "individualProcessId": "p1", "statusName": "rnm", "changedAt": ms(7)}
    told = Told(individualProcesses=[bare], individualProcessStatuses=[row])
    assert ("s1", "createdAt", "assumed_time", when(7)) in told.findings
    completed = Told(individualProcesses=[bare | {"completedAt": ms(8)}])
    assert ("p1", "createdAt", "assumed_time", when(8)) in completed.findings
    assert completed.case["created_at"] == completed.case["completed_at"] == when(8)
    of_several = {"_id": "m1", "completedAt": ms(6), "updatedAt": ms(7)}
    assert Told("mainProcesses", mainProcesses=[of_several]).row("collectives")["created_at"] == when(6)
    nothing = Told(individualProcesses=[{"_id": "p1"}])
    assert nothing.case["created_at"] == NO_TIME
    assert ("p1", "createdAt", "assumed_time", None) in nothing.findings


@pytest.mark.parametrize(
    ("root", "table", "row", "expected"),
    [
        ("companies", "companies", company(), True),
        ("mainProcesses", "mainProcesses", collective(), True),
        ("collectiveProcesses", "collectiveProcesses", collective(), True),
        ("caseStatuses", "caseStatuses", case_status(), True),
        ("userProfiles", "userProfiles", person() | {"createdAt": 1}, False),
    ],
)
def test_k2_only_tables_with_a_creation_time_miss_it(
    root: str, table: str, row: dict[str, Any], expected: bool
) -> None:
    del row["createdAt"]
    told = Told(root, **{table: [row]})
    assert ((row["_id"], "createdAt", "assumed_time") in told.codes) == expected


def test_k2_times_stand_there_whatever_the_table() -> None:
    told = case_of(history("h1", "rnm", 2, createdAt=ms(3), updatedAt=ms(4)), status("s1", "rnm", 2, updatedAt=ms(5)))
    row = told.row("legacy_ids", table_name="processHistory")
    assert (row["created"], row["updated"]) == (when(3), when(4))
    assert told.row("legacy_ids", table_name=STATUSES)["updated"] == when(5)
    assert told.unmapped == {}


# --- K3: which status a text names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", SEEDED)
def test_k3_a_code_or_display_name_names_its_status_in_any_spelling(code: str) -> None:
    seeded = SEEDED[code]
    spellings = [code, code.upper(), f" {code}\n", code.replace("_", " "), code.replace("_", "-").title()]
    if seeded.catalogue == CASE_CODES:
        assert seeded.name
        spellings += [seeded.name, seeded.name.upper(), f"{seeded.name}."]
    for spelling in spellings:
        told = case_of(status("s1", spelling, 2, active=True), status=spelling)
        assert (told.case["status"], told.codes) == (code, []), spelling
        expected = MAPPED if spelling == code else NORMALISED
        assert told.class_of(STATUSES, "s1", "/statusName") == expected
        assert told.class_of("individualProcesses", "p1", "/status") == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Em trâmite", "em_tramite"),
        ("Em tra\u0302mite", "em_tramite"),
        ("EM TRAMITE", "em_tramite"),
        ("em_preparação", "em_preparacao"),
        ("encaminhado_para_analise", "encaminhado_analise"),
        ("Encaminhado à análise", "encaminhado_analise"),
        ("publicado no d.o.u.", None),
        ("Publicado DOU", "publicado_dou"),
        ("Emissão VITEM", "emissao_vitem"),
        ("Entrada no Brasil", "entrada_brasil"),
        ("Nova solicitação do visto", "nova_solicitacao_visto"),
        ("Juntada de documento", "juntada_documento"),
        ("Pending Documents", "pending_documents"),
        ("Documentos pendentes", None),  # the display names of the English statuses are ours alone
        ("Concluído", None),
        ("emtramite", None),
        ("tramite", None),
        ("em_analise_tecnica", None),
    ],
)
def test_k3_spellings(text: str, code: str | None) -> None:
    told = case_of(status("s1", text, 2, active=True))
    stored = code or text
    assert told.case["status"] == told.entries[0]["status"] == stored
    assert told.codes == ([] if code else [("s1", "statusName", "outside_vocabulary")])


@pytest.mark.parametrize(
    "text",
    [
        *("pending", "draft", "preparation", "in_progress", "processing", "approved", "granted", "submitted"),
        *("awaiting_publication", "under_review", "review", "rejected", "denied", "cancelado", "main_draft"),
    ],
)
def test_k3_what_the_old_mapping_knew_is_a_status_of_its_own_and_never_in_preparation(text: str) -> None:
    told = case_of(history("h1", text, 2), status("s1", text, 2, active=True), status=text)
    assert told.statuses == [(text, when(2))]
    assert told.case["status"] == text
    assert told.findings == [
        ("h1", "newStatus", "outside_vocabulary", text),
        ("p1", "status", "outside_vocabulary", text),
        ("s1", "statusName", "outside_vocabulary", text),
    ]
    assert told.conflicts == {}
    assert {row["status"] for row in told.entries} == {text}


def test_k3_a_status_of_its_own_is_kept_in_its_normal_form() -> None:
    told = case_of(status("s1", f" {NFD} ", 2, active=True), status=NFC)
    assert told.case["status"] == NFC
    assert told.class_of(STATUSES, "s1", "/statusName") == NORMALISED
    assert told.class_of("individualProcesses", "p1", "/status") == MAPPED
    assert told.conflicts == {}
    upper = case_of(status("s1", "Pending", 2, active=True), status="pending")
    assert list(upper.conflicts) == ["p1/status"]  # what no catalogue holds is compared as text


def test_k3_a_text_of_small_words_or_marks_alone_names_nothing() -> None:
    for text in ("de", "\u0301", "-", "o a e"):
        told = case_of(status("s1", text, 2, active=True))
        assert told.codes == [("s1", "statusName", "outside_vocabulary")]


def test_k3_every_leaf_that_names_a_status_has_its_own_finding() -> None:
    told = case_of(
        history("h1", "odd", 2, previousStatus="odder"), status("s1", "odd", 3, active=True), status="oddest"
    )
    found = [(key, field) for key, field, code in told.codes if code == "outside_vocabulary"]
    assert found == [("h1", "newStatus"), ("h1", "previousStatus"), ("p1", "status"), ("s1", "statusName")]
