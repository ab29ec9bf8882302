"""The mapping of the cases system, rule by rule: K1 to K19 of `docs/legacy/cases.md`."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any

import pytest

from domain.case_fields import CASE_FIELDS
from domain.event import UNKNOWN_AUTHOR
from domain.status_catalogue import CASE_CODES, ENGLISH, SEEDED
from domain.streams import status_id
from migrations_replay.facts import NO_TIME
from migrations_replay.leaves import (
    CONFLICTING,
    DERIVED,
    MAPPED,
    NORMALISED,
    UNMAPPED,
    UNREADABLE,
    leaves,
)
from migrations_replay.systems.case_history import FILLABLE_NAMES
from migrations_replay.systems.cases import CASE_NAMES, SYSTEM
from tests.support.legacy import MemorySource, index
from tests.support.legacy_cases import (
    AUTHOR,
    CASE_ID,
    Told,
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

NFD, NFC = "Zoe\u0308", "Zo\u00eb"
STATUSES = "individualProcessStatuses"
ODD_TEXTS = [5, 1.5, True, ["a", ""], {"a": "b", "c": None}]


def _case(*rows: dict[str, Any], users: list[Any] | None = None, **of_process: Any) -> Told:
    """Return what a process with these history and status rows implies."""
    return Told(
        individualProcesses=[process(**of_process)],
        processHistory=[row for row in rows if "newStatus" in row],
        individualProcessStatuses=[row for row in rows if "statusName" in row],
        userProfiles=[person(), person("up2", "a2")] if users is None else users,
    )


# --- K1, K2: keys and times -------------------------------------------------------------------------------------------


def test_k1_keys_are_mapped_and_an_integer_is_kept_by_its_text() -> None:
    told = _case(
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
    told = _case(status("s1", "rnm", 2, active=True), personId=value, collectiveProcessId=value, passportId=value)
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
    assert _case(status("s1", "rnm", 2, active=True), personId="per9", status="rnm").codes == []


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
    told = _case(
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
    told = _case(history("h1", "rnm", 2, createdAt=ms(3), updatedAt=ms(4)), status("s1", "rnm", 2, updatedAt=ms(5)))
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
        told = _case(status("s1", spelling, 2, active=True), status=spelling)
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
    told = _case(status("s1", text, 2, active=True))
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
    told = _case(history("h1", text, 2), status("s1", text, 2, active=True), status=text)
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
    told = _case(status("s1", f" {NFD} ", 2, active=True), status=NFC)
    assert told.case["status"] == NFC
    assert told.class_of(STATUSES, "s1", "/statusName") == NORMALISED
    assert told.class_of("individualProcesses", "p1", "/status") == MAPPED
    assert told.conflicts == {}
    upper = _case(status("s1", "Pending", 2, active=True), status="pending")
    assert list(upper.conflicts) == ["p1/status"]  # what no catalogue holds is compared as text


def test_k3_a_text_of_small_words_or_marks_alone_names_nothing() -> None:
    for text in ("de", "\u0301", "-", "o a e"):
        told = _case(status("s1", text, 2, active=True))
        assert told.codes == [("s1", "statusName", "outside_vocabulary")]


def test_k3_every_leaf_that_names_a_status_has_its_own_finding() -> None:
    told = _case(history("h1", "odd", 2, previousStatus="odder"), status("s1", "odd", 3, active=True), status="oddest")
    found = [(key, field) for key, field, code in told.codes if code == "outside_vocabulary"]
    assert found == [("h1", "newStatus"), ("h1", "previousStatus"), ("p1", "status"), ("s1", "statusName")]


# --- K4, K5: rows that tell of one change -----------------------------------------------------------------------------


def test_k4_rows_of_one_status_at_one_time_are_one_entry() -> None:
    told = _case(
        history("h1", "em_tramite", 2),
        history("h2", "Em trâmite", 3),
        status("s1", "Em trâmite", 3, active=True),
        status("s2", "em_tramite", 3),
    )
    assert told.statuses == [("em_tramite", when(2)), ("em_tramite", when(3))]
    assert told.case["status_entry"] == 3
    for key in ("s1", "s2"):
        assert set(told.classes(STATUSES, key).values()) == {MAPPED, NORMALISED}
    assert told.conflicts == {}


@pytest.mark.parametrize("moved", [{"changedAt": ms(3) + 1}, {"newStatus": "rnm"}])
def test_k4_another_time_or_status_is_another_entry(moved: dict[str, Any]) -> None:
    told = _case(history("h1", "deferido", 3) | moved, status("s1", "deferido", 3, active=True))
    assert len(told.entries) == 2


def test_k4_rows_without_a_time_or_status_stand_alone() -> None:
    timeless = [status(key, "rnm", 3, active=key == "s2", changedAt=None) for key in ("s1", "s2")]
    assert [name for name, _ in _case(*timeless).statuses] == ["rnm", "rnm"]
    nameless = [status(key, None, 3, active=key == "s2") for key in ("s1", "s2")]
    assert [name for name, _ in _case(*nameless).statuses] == [None, None]


@pytest.mark.parametrize(
    ("rows", "order"),
    [
        ([("s1", False), ("h1", None), ("s2", True), ("s3", False)], ["h1", "s2", "s3", "s1"]),
        ([("s1", True), ("s9", False), ("s10", False)], ["s1", "s9", "s10"]),
        ([("h2", None), ("h1", None), ("s1", True)], ["h1", "h2", "s1"]),
    ],
)
def test_k4_history_rows_are_asked_first_then_the_active_row_then_the_greater_id(
    rows: list[Any], order: list[str]
) -> None:
    for arranged in permutations(rows):
        told = _case(
            *(
                history(key, "rnm", 3, notes=key, _creationTime=ms(3))
                if active is None
                else status(key, "rnm", 3, active=active, notes=key)
                for key, active in arranged
            )
        )
        assert told.entries[0]["notes"] == order[0]
        assert told.conflicts[f"{order[0]}/notes"] == (order, order[0], "history_row")


def test_k4_of_history_rows_at_one_time_the_platforms_time_decides_then_the_id() -> None:
    early = history("h9", "rnm", 3, notes="early", _creationTime=ms(3))
    late = history("h1", "rnm", 3, notes="late", _creationTime=ms(3) + 1)
    assert _case(late, early).entries[0]["notes"] == "early"
    late["_creationTime"] = early["_creationTime"]
    assert _case(early, late).entries[0]["notes"] == "late"


def test_k5_equal_values_are_mapped_and_different_ones_conflicting() -> None:
    told = _case(
        history("h1", "rnm", 3, notes=f" {NFD}", changedBy="a1"),
        status("s2", "rnm", 3, active=True, notes=NFC, changedBy="a2"),
        status("s1", "rnm", 3, notes="other", changedBy="a1"),
    )
    assert told.entries[0]["notes"] == NFC
    assert told.entries[0]["changed_by"] == AUTHOR
    assert told.class_of("processHistory", "h1", "/notes") == NORMALISED
    assert [told.class_of(STATUSES, key, "/notes") for key in ("s2", "s1")] == [MAPPED, CONFLICTING]
    assert [told.class_of(STATUSES, key, "/changedBy") for key in ("s2", "s1")] == [CONFLICTING, MAPPED]
    assert told.conflicts == {
        "h1/notes": ([NFC, "other"], NFC, "history_row"),
        "h1/changedBy": (["a1", "a2"], "a1", "history_row"),
    }
    assert [(event.field, event.rule) for event in told.events("case.conflict_recorded")] == [
        ("processHistory/h1/changedBy", "history_row"),
        ("processHistory/h1/notes", "history_row"),
    ]
    assert set(told.case["conflicts"]) == {"processHistory/h1/changedBy", "processHistory/h1/notes"}


def test_k5_the_first_row_that_has_it_set_gives_it() -> None:
    told = _case(
        history("h1", "rnm", 3, notes=" ", changedBy=None),
        status("s1", "rnm", 3, active=True, notes="n", changedBy="a2"),
    )
    assert told.entries[0]["notes"] == "n"
    assert told.entries[0]["changed_by"] == str(id_of("account", "users", "a2"))
    assert (told.conflicts, told.codes) == ({}, [])
    assert told.class_of("processHistory", "h1", "/changedBy") == NORMALISED


def test_k5_the_rest_of_a_change() -> None:
    old = {
        "caseStatusId": "k1",
        "date": "2023-06-03",
        "fillableFields": ["a"],
        "filledFieldsData": {"douPage": "1", "x": 1},
    }
    new = {
        "caseStatusId": "k2",
        "date": "2023-06-02",
        "fillableFields": ["b"],
        "filledFieldsData": {"douPage": "2", "x": 1.0},
    }
    told = _case(
        status("s2", "rnm", 3, active=True, **new),
        status("s1", "rnm", 3, **old),
        history("h1", "rnm", 3, metadata={"a": 1}, previousStatus="rnm", previousStatusId="s1", newStatusId="s2"),
        history("h2", "rnm", 3, metadata={"a": 2}, previousStatus="deferido", previousStatusId="s2", newStatusId="s1"),
    )
    assert {name: (values, chosen) for name, (values, chosen, _) in told.conflicts.items()} == {
        "h1/metadata": ([{"a": 1}, {"a": 2}], {"a": 1}),
        "h1/previousStatus": (["rnm", "deferido"], "rnm"),
        "h1/previousStatusId": (["s1", "s2"], "s1"),
        "h1/newStatusId": (["s2", "s1"], "s2"),
        "s2/caseStatusId": (["k2", "k1"], "k2"),
        "s2/date": (["2023-06-02", "2023-06-03"], "2023-06-02"),
        "s2/fillableFields": ([["b"], ["a"]], ["b"]),
        "s2/filledFieldsData/douPage": (["2", "1"], "2"),
    }
    entry = told.entries[-1]
    assert entry["filled"] == {"dou_page": "2", "x": 1}
    assert {name: entry["carried"][name] for name in ("case_status_id", "fillable_fields", "metadata")} == {
        "case_status_id": "k2",
        "fillable_fields": ["b"],
        "metadata": {"a": 1},
    }
    given_up = ("caseStatusId", "date", "fillableFields/0", "filledFieldsData/douPage")
    assert {told.class_of(STATUSES, "s1", f"/{name}") for name in given_up} == {CONFLICTING}
    assert {told.class_of(STATUSES, "s2", f"/{name}") for name in given_up} == {MAPPED}
    assert told.class_of("processHistory", "h2", "/metadata/a") == CONFLICTING
    assert told.class_of(STATUSES, "s1", "/filledFieldsData/x") == MAPPED


@pytest.mark.parametrize(("length", "code"), [(1000, []), (1001, [("s1", "notes", "outside_limit")])])
def test_k5_long_notes_are_kept(length: int, code: list[Any]) -> None:
    told = _case(status("s1", "rnm", 2, active=True, notes="n" * length))
    assert (told.entries[0]["notes"], told.codes) == ("n" * length, code)


@pytest.mark.parametrize("value", ODD_TEXTS)
def test_k5_notes_that_are_no_text_are_unreadable(value: Any) -> None:
    told = _case(status("s1", "rnm", 2, active=True, notes=value))
    assert told.entries[0]["notes"] is None
    assert told.codes == [("s1", "notes", "unreadable")]


# --- K6: who did it ---------------------------------------------------------------------------------------------------


def _authors(changed_by: Any, **tables: Any) -> Told:
    return Told(
        individualProcesses=[process()],
        individualProcessStatuses=[status("s1", "rnm", 2, active=True, changedBy=changed_by)],
        **tables,
    )


@pytest.mark.parametrize(
    ("tables", "user"),
    [
        ({"userProfiles": [], "users": [{"_id": "a1"}]}, "a1"),
        ({"userProfiles": [person("up1", "a1")]}, "a1"),
        ({"userProfiles": [person("up1", None)]}, "up1"),
        ({"userProfiles": [person("up1", "a1")], "users": [{"_id": "a1"}]}, "a1"),
    ],
)
def test_k6_an_author_is_the_account_of_the_user(tables: dict[str, Any], user: str) -> None:
    told = _authors(user, **tables)
    assert told.entries[0]["changed_by"] == str(id_of("account", "users", user))
    assert told.class_of(STATUSES, "s1", "/changedBy") == MAPPED
    assert told.codes == []


def test_k6_the_author_of_an_entry_is_the_account_the_profile_became() -> None:
    for row, user in ((person("up1", "a1"), "a1"), (person("up1", None), "up1"), (person("up1", 7), "7")):
        entry = _authors(user, userProfiles=[row]).entries[0]
        account = Told("userProfiles", userProfiles=[row]).row("accounts")["account_id"]
        assert entry["changed_by"] == str(account)


@pytest.mark.parametrize("value", ["system", "up1", " a1", "A1", True, 1.5, ["a1"], {"id": "a1", "n": None}, "k" * 501])
def test_k6_any_other_author_is_unknown_and_a_finding(value: Any) -> None:
    told = _authors(value)
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert {told.class_of(STATUSES, "s1", pointer) for pointer, _ in leaves(value, "/changedBy")} == {NORMALISED}
    assert told.findings == [("s1", "changedBy", "assumed_author", value)]
    assert told.case["status"] == "rnm"


@pytest.mark.parametrize("value", [None, "", " ", [], {}])
def test_k6_an_unset_author_is_one_finding_of_the_first_row(value: Any) -> None:
    told = _case(history("h1", "rnm", 3, changedBy=value), status("s1", "rnm", 3, active=True, changedBy=value))
    assert told.findings == [("h1", "changedBy", "assumed_author", None)]
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR


def test_k6_an_unknown_author_first_is_chosen_and_the_known_one_conflicts() -> None:
    told = _case(history("h1", "rnm", 3, changedBy="system"), status("s1", "rnm", 3, active=True))
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert told.conflicts == {"h1/changedBy": ([UNKNOWN_AUTHOR, "a1"], UNKNOWN_AUTHOR, "history_row")}
    assert told.class_of(STATUSES, "s1", "/changedBy") == CONFLICTING


def test_k6_an_integer_author_is_normalised() -> None:
    told = _authors(7, userProfiles=[person("up1", "7")])
    assert told.entries[0]["changed_by"] == str(id_of("account", "users", "7"))
    assert told.class_of(STATUSES, "s1", "/changedBy") == NORMALISED


# --- K7: order --------------------------------------------------------------------------------------------------------


def test_k7_entries_are_ordered_by_change_then_platform_then_id() -> None:
    rows = [
        history("h3", "rnm", 2),
        history("h1", "deferido", 4, _creationTime=ms(4)),
        history("h2", "em_tramite", 4, _creationTime=ms(3)),
        history("h0", "exigencia", 4, _creationTime=ms(4)),
    ]
    for arranged in permutations(rows):
        assert [name for name, _ in _case(*arranged).statuses] == ["rnm", "em_tramite", "exigencia", "deferido"]


@pytest.mark.parametrize("bad", [None, "soon", True, 253402300800000, "2023-06-03"])
def test_k7_a_time_of_change_nobody_can_mean_is_assumed(bad: Any) -> None:
    told = _case(status("s1", "rnm", 9, active=True, changedAt=bad, createdAt=ms(5), _creationTime=ms(6)))
    assert told.statuses == [("rnm", when(5))]
    unreadable = [] if bad is None else [("s1", "changedAt", "unreadable")]
    assert told.codes == [("s1", "changedAt", "assumed_time"), *unreadable]
    assert told.findings[0][3] == when(5)


def test_k7_then_the_platforms_time_then_the_earliest_of_the_bundle() -> None:
    row = history("h1", "rnm", 9, changedAt=None, _creationTime=ms(6))
    assert _case(row).statuses == [("rnm", when(6))]
    del row["_creationTime"]
    assert _case(row, _creationTime=None).statuses == [("rnm", when(1))]
    other = history("h2", "deferido", 4, _creationTime=None)
    bare = {"_id": "p1"}
    told = Told(individualProcesses=[bare], processHistory=[row, other])
    assert sorted(told.statuses, key=repr) == [("deferido", when(4)), ("rnm", when(4))]
    nowhere = Told(individualProcesses=[bare], processHistory=[row])
    assert nowhere.statuses == [("rnm", NO_TIME)]


# --- K8, K9, K10: the current status ----------------------------------------------------------------------------------


def test_k8_the_active_row_gives_the_current_status() -> None:
    told = _case(status("s1", "rnm", 5, active=True), status("s2", "deferido", 3), history("h1", "em_tramite", 2))
    assert [name for name, _ in told.statuses] == ["em_tramite", "deferido", "rnm"]
    assert (told.case["status"], told.case["status_since"], told.case["status_entry"]) == ("rnm", when(5), 4)
    assert [row["is_active"] for row in told.entries] == [False, False, True]
    assert [row["active_to"] for row in told.entries] == [when(3), when(5), None]
    assert (told.codes, told.conflicts) == ([], {})


def test_k8_of_several_active_rows_the_latest_change_wins_then_the_greater_id() -> None:
    rows = [
        status("s3", "em_tramite", 2, active=True),
        status("s1", "deferido", 5, active=True),
        status("s2", "rnm", 5, active=True),
    ]
    for arranged in permutations(rows):
        told = _case(*arranged)
        assert told.case["status"] == "rnm"
        assert sum(row["is_active"] for row in told.entries) == 1
        assert told.conflicts == {"s2/isActive": (["s2", "s1", "s3"], "s2", "latest_change")}
        assert [finding for finding in told.findings if finding[2] == "several_active"] == [
            ("s1", "isActive", "several_active", True),
            ("s3", "isActive", "several_active", True),
        ]
        assert [told.class_of(STATUSES, key, "/isActive") for key in ("s1", "s2", "s3")] == [
            *(CONFLICTING, MAPPED, CONFLICTING)
        ]


def test_k8_of_active_rows_at_one_time_one_that_comes_later_in_order_is_superseded_too() -> None:
    told = _case(status("s1", "deferido", 5, active=True, _creationTime=ms(9)), status("s2", "rnm", 5, active=True))
    assert [(row["status"], row["is_active"], row["superseded_by"]) for row in told.entries] == [
        ("rnm", True, None),
        ("deferido", False, 2),
    ]
    assert ("s1", "changedAt", "disagrees") in told.codes


def test_k8_several_active_rows_of_one_change() -> None:
    told = _case(status("s1", "rnm", 5, active=True), status("s2", "rnm", 5, active=True))
    assert told.statuses == [("rnm", when(5))]
    assert told.case["status"] == "rnm"
    assert ("s1", "isActive", "several_active") in told.codes
    assert told.class_of(STATUSES, "s1", "/isActive") == CONFLICTING


def test_k8_without_status_rows_the_latest_history_row_tells() -> None:
    told = _case(history("h2", "rnm", 5), history("h1", "deferido", 3), status="RNM")
    assert (told.case["status"], told.case["status_entry"]) == ("rnm", 3)
    assert told.class_of("individualProcesses", "p1", "/status") == NORMALISED
    assert told.codes == []


def test_k8_entries_later_than_the_active_row_are_superseded_by_it() -> None:
    told = _case(
        status("s1", "rnm", 4, active=True),
        status("s2", "deferido", 6),
        history("h1", "em_tramite", 7),
    )
    assert told.case["status"] == "rnm"
    assert [(row["status"], row["superseded"], row["superseded_by"]) for row in told.entries] == [
        ("rnm", False, None),
        ("deferido", True, 2),
        ("em_tramite", True, 2),
    ]
    assert told.entries[0]["active_to"] is None
    found = [finding for finding in told.findings if finding[2] == "disagrees"]
    assert found == [("h1", "changedAt", "disagrees", ms(7)), ("s2", "changedAt", "disagrees", ms(6))]
    assert told.class_of(STATUSES, "s2", "/isActive") == MAPPED
    assert set(told.state.timeline.superseded) == {3, 4}


def test_k9_status_rows_of_which_none_is_active_end_in_nobody_knows() -> None:
    told = _case(status("s1", "rnm", 4), history("h1", "deferido", 2), status="rnm", updatedAt=ms(9))
    assert told.statuses == [("deferido", when(2)), ("rnm", when(4)), (None, when(9))]
    assert told.case["status"] is None
    assert told.findings == [("p1", "status", "undetermined_status", "rnm")]
    assert told.conflicts == {"p1/status": ([None, "rnm"], None, "status_rank")}
    assert told.class_of("individualProcesses", "p1", "/status") == CONFLICTING
    assert told.entries[-1]["changed_by"] == UNKNOWN_AUTHOR
    assert not any(row["is_active"] for row in told.entries)
    assert told.state.timeline.active is None


@pytest.mark.parametrize("updated", [ms(3), None, "soon"])
def test_k9_nobody_knows_not_before_the_last_entry(updated: Any) -> None:
    assert _case(status("s1", "rnm", 4), updatedAt=updated).statuses == [("rnm", when(4)), (None, when(4))]


def test_k9_nothing_anywhere() -> None:
    told = _case()
    assert (told.entries, told.case["status"]) == ([], None)
    assert told.findings == [("p1", "status", "undetermined_status", None)]


@pytest.mark.parametrize("field", [None, "", 5, ["rnm"]])
def test_k9_a_field_that_says_nothing(field: Any) -> None:
    told = _case(status=field)
    assert ("p1", "status", "undetermined_status", None) in told.findings
    assert told.entries == []


def test_k10_the_field_alone_is_one_entry() -> None:
    told = _case(status="Em trâmite")
    assert told.statuses == [("em_tramite", when(20))]
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert told.findings == [
        ("p1", "status", "assumed_author", None),
        ("p1", "status", "assumed_time", when(20)),
    ]
    assert told.class_of("individualProcesses", "p1", "/status") == NORMALISED
    assert (told.case["status"], told.conflicts) == ("em_tramite", {})
    assert _case(status="rnm", updatedAt=None).statuses == [("rnm", when(1))]


@pytest.mark.parametrize(
    ("current", "field", "leaf", "conflict"),
    [
        ("em_tramite", "em_tramite", MAPPED, None),
        ("em_tramite", "Em trâmite", NORMALISED, None),
        ("Em trâmite", "em_tramite", MAPPED, None),
        ("em_tramite", "deferido", CONFLICTING, "deferido"),
        ("completed", "deferido", CONFLICTING, "deferido"),
        ("em_tramite", "Em análise", CONFLICTING, "Em análise"),
        ("em_tramite", None, NORMALISED, None),
    ],
)
def test_k10_the_field_is_compared_with_the_current_status(current: str, field: Any, leaf: str, conflict: Any) -> None:
    told = _case(status("s1", current, 3, active=True), status=field)
    assert told.class_of("individualProcesses", "p1", "/status") == leaf
    ours = told.case["status"]
    expected = {"p1/status": ([ours, conflict], ours, "status_rank")} if conflict else {}
    assert told.conflicts == expected
    assert told.case["conflicts"] == ({"status": [ours, conflict]} if conflict else {})


# --- K11: the opening entry -------------------------------------------------------------------------------------------


def test_k11_what_the_first_history_row_says_was_before_opens_the_history() -> None:
    told = _case(
        history("h2", "rnm", 5, previousStatus="deferido"), history("h1", "deferido", 3, previousStatus="Em trâmite")
    )
    assert told.statuses == [("em_tramite", when(1)), ("deferido", when(3)), ("rnm", when(5))]
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert [finding for finding in told.findings if finding[2] != "assumed_author"] == [
        ("h1", "previousStatus", "assumed_time", when(1))
    ]
    assert [row["previous"] for row in told.entries] == [None, "em_tramite", "deferido"]
    assert told.class_of("processHistory", "h1", "/previousStatus") == NORMALISED
    assert told.class_of("processHistory", "h2", "/previousStatus") == MAPPED


def test_k11_the_opening_entry_is_not_later_than_the_row() -> None:
    told = _case(history("h1", "rnm", 3, previousStatus="deferido"), createdAt=ms(10))
    assert told.statuses == [("deferido", when(3)), ("rnm", when(3))]
    assert told.case["status"] == "rnm"


def test_k11_what_an_earlier_entry_tells_opens_nothing() -> None:
    told = _case(
        status("s1", "deferido", 2),
        history("h1", "rnm", 3, previousStatus="deferido"),
        status("s2", "rnm", 3, active=True),
    )
    assert told.statuses == [("deferido", when(2)), ("rnm", when(3))]
    assert told.codes == []


def test_k11_only_the_first_history_row_opens_and_others_disagree() -> None:
    told = _case(history("h1", "deferido", 3), history("h2", "rnm", 5, previousStatus="em_tramite"))
    assert told.statuses == [("deferido", when(3)), ("rnm", when(5))]
    assert (
        told.findings
        == [
            ("h2", "previousStatus", "disagrees", "em_tramite"),
            ("p1", "status", "undetermined_status", None),
        ][:1]
    )
    assert told.entries[1]["carried"]["previous_status"] == "em_tramite"
    assert told.class_of("processHistory", "h2", "/previousStatus") == MAPPED


@pytest.mark.parametrize("value", [None, "", 5])
def test_k11_a_previous_status_that_says_nothing_opens_nothing(value: Any) -> None:
    told = _case(history("h1", "rnm", 3, previousStatus=value))
    assert told.statuses == [("rnm", when(3))]
    assert told.codes == ([("h1", "previousStatus", "unreadable")] if value == 5 else [])


# --- K12, K13, K14, K15: what else a row holds ------------------------------------------------------------------------


def test_k12_flags_of_status_rows() -> None:
    told = _case(status("s1", "rnm", 5, active=True), status("s2", "rnm", 5), status("s3", "deferido", 3))
    assert [told.class_of(STATUSES, key, "/isActive") for key in ("s1", "s2", "s3")] == [MAPPED, NORMALISED, MAPPED]
    assert told.codes == []


@pytest.mark.parametrize("value", [1, 0, "true", [True], {"a": True}, 1.0])
def test_k12_what_is_not_true_or_false_counts_as_false(value: Any) -> None:
    told = _case(status("s1", "rnm", 5, active=value))
    assert told.case["status"] is None
    assert ("s1", "isActive", "unreadable") in told.codes
    assert {told.class_of(STATUSES, "s1", pointer) for pointer, _ in leaves(value, "/isActive")} == {UNREADABLE}


def test_k12_an_unset_flag_counts_as_false_and_is_no_finding() -> None:
    told = _case(status("s1", "rnm", 5, active=None))
    assert told.codes == [("p1", "status", "undetermined_status")]
    assert told.class_of(STATUSES, "s1", "/isActive") == NORMALISED


@pytest.mark.parametrize(
    ("text", "changed", "day", "instant", "zone"),
    [
        ("2023-06-05T21:30", ms(6, 0, 30), date(2023, 6, 5), when(6, 0, 30), "America/Sao_Paulo"),
        (
            "2023-06-05T21:30:15",
            ms(6),
            date(2023, 6, 5),
            datetime(2023, 6, 6, 0, 30, 15, tzinfo=UTC),
            "America/Sao_Paulo",
        ),
        ("2023-06-05T21:30Z", ms(6), date(2023, 6, 5), when(5, 21, 30), None),
        ("2023-06-06", ms(6, 0, 30), date(2023, 6, 6), None, "UTC"),  # the UTC day, and not the local one: the backfill
        ("2023-06-05", ms(6, 0, 30), date(2023, 6, 5), None, "America/Sao_Paulo"),  # the local day
        ("2023-06-06", ms(6), date(2023, 6, 6), None, "America/Sao_Paulo"),  # both
        ("2023-05-01", ms(6), date(2023, 5, 1), None, "America/Sao_Paulo"),  # neither
        (" 2023-06-06 ", ms(6), date(2023, 6, 6), None, "America/Sao_Paulo"),
    ],
)
def test_k13_a_date_keeps_its_text_and_gets_its_zone(
    text: str, changed: int, day: date, instant: datetime | None, zone: str | None
) -> None:
    told = _case(status("s1", "rnm", 2, active=True, changedAt=changed, date=text))
    row = told.entries[0]
    assert (row["date_text"], row["date_at"], row["date_zone"], row["day"]) == (text.strip(), instant, zone, day)
    assert row["active_from"] == told.case["status_since"] == datetime.fromtimestamp(changed / 1000, UTC)
    assert told.class_of(STATUSES, "s1", "/date") == (MAPPED if text == text.strip() else NORMALISED)
    assert told.codes == []


@pytest.mark.parametrize(
    "value", ["31/01/2023", "2023-02-30", "2023-06-06T25:00", "0000-01-01", ms(6), True, ["2023-06-06"]]
)
def test_k13_what_is_no_date_is_unreadable(value: Any) -> None:
    told = _case(status("s1", "rnm", 2, active=True, date=value))
    assert told.codes == [("s1", "date", "unreadable")]
    assert (told.entries[0]["date_text"], told.entries[0]["day"]) == (None, date(2023, 6, 2))
    dated = dict.fromkeys(("douDate", "rnmDeadline", "deadlineDate", "appointmentDateTime"), value)
    told = _case(status("s1", "rnm", 2, active=True), **dated)
    assert told.case["fields"] == {}
    assert told.codes == sorted(("p1", name, "unreadable") for name in dated)


def test_k13_a_date_does_not_order_the_history() -> None:
    told = _case(status("s1", "rnm", 5, active=True, date="2023-06-01"), status("s2", "deferido", 3, date="2023-06-09"))
    assert [name for name, _ in told.statuses] == ["deferido", "rnm"]


def test_k13_dates_of_the_process_keep_their_text() -> None:
    dated: dict[str, Any] = {
        "douDate": "2023-06-06",
        "appointmentDateTime": "2023-06-06T09:00",
        "rnmDeadline": " 2023-06-07",
    }
    told = _case(status("s1", "rnm", 2, active=True), **dated)
    assert told.case["fields"] == {
        "dou_date": "2023-06-06",
        "appointment_date_time": "2023-06-06T09:00",
        "rnm_deadline": "2023-06-07",
    }
    assert told.case["instants"]["appointment_date_time"]["zone"] == "America/Sao_Paulo"
    assert [told.class_of("individualProcesses", "p1", f"/{name}") for name in dated] == [MAPPED, MAPPED, NORMALISED]


@pytest.mark.parametrize(
    ("of_row", "delivery", "client"),
    [
        ({"date": "2023-06-05"}, "2023-07-04", "2023-06-28"),
        ({"date": "2023-06-05T23:59"}, "2023-07-04", "2023-06-28"),
        ({"changedAt": ms(6, 1)}, "2023-07-04", "2023-06-28"),  # 22:00 of the day before in São Paulo
        ({"date": "soon", "changedAt": ms(5)}, "2023-07-04", "2023-06-28"),
    ],
)
def test_k14_deadlines_of_a_requirement_are_derived(of_row: dict[str, Any], delivery: str, client: str) -> None:
    row = status("s1", "Exigência", 5, active=True, maxDeliveryDate=delivery, clientDeadlineDate=f" {client}") | of_row
    told = _case(row)
    assert told.class_of(STATUSES, "s1", "/maxDeliveryDate") == DERIVED
    assert told.class_of(STATUSES, "s1", "/clientDeadlineDate") == DERIVED
    assert "derived_differs" not in {code for _, _, code in told.codes}
    entry = told.entries[0]
    assert (entry["delivery_date"].isoformat(), entry["client_date"].isoformat()) == (delivery, client)


@pytest.mark.parametrize("value", ["2023-07-05", "2023-07-04T00:00", "soon", ms(5), ["2023-07-04"]])
def test_k14_a_deadline_that_differs_is_a_finding(value: Any) -> None:
    told = _case(status("s1", "exigencia", 5, active=True, maxDeliveryDate=value, clientDeadlineDate=None))
    assert told.findings == [("s1", "maxDeliveryDate", "derived_differs", value)]
    assert {told.class_of(STATUSES, "s1", pointer) for pointer, _ in leaves(value, "/maxDeliveryDate")} == {DERIVED}
    assert told.class_of(STATUSES, "s1", "/clientDeadlineDate") == NORMALISED


def test_k14_another_status_has_no_deadlines() -> None:
    told = _case(status("s1", "rnm", 5, active=True, maxDeliveryDate="2023-07-04"))
    assert told.codes == [("s1", "maxDeliveryDate", "derived_differs")]
    assert told.entries[0]["delivery_date"] is None


def test_k15_what_a_status_filled_is_kept_beside_its_entry() -> None:
    filled = {name: f"{name} " for name in FILLABLE_NAMES} | {"apelido": {"a": [1, None]}, "nothing": "", "a/b~c": 1}
    told = _case(status("s1", "rnm", 5, active=True, filledFieldsData=filled))
    assert told.entries[0]["filled"] == {target: f"{name} " for name, target in FILLABLE_NAMES.items()} | {
        "apelido": {"a": [1, None]},
        "a/b~c": 1,
    }
    assert told.codes == [
        ("s1", "filledFieldsData/a/b~c", "outside_vocabulary"),
        ("s1", "filledFieldsData/apelido", "outside_vocabulary"),
    ]
    classes = told.classes(STATUSES, "s1")
    assert {classes[f"/filledFieldsData/{name}"] for name in FILLABLE_NAMES} == {MAPPED}
    assert (classes["/filledFieldsData/a~1b~0c"], classes["/filledFieldsData/apelido/a/0"]) == (MAPPED, MAPPED)
    assert (classes["/filledFieldsData/nothing"], classes["/filledFieldsData/apelido/a/1"]) == (NORMALISED, NORMALISED)
    assert told.case["fields"] == {}  # the case's own fields are those of the process


def test_k15_a_field_spelled_in_two_ways_is_one_field() -> None:
    told = _case(status("s1", "rnm", 5, active=True, filledFieldsData={"rnmNumber": "1", "rnm_number": "2"}))
    assert told.entries[0]["filled"] == {"rnm_number": "1"}
    assert told.conflicts == {"s1/filledFieldsData/rnmNumber": (["1", "2"], "1", "history_row")}
    assert told.class_of(STATUSES, "s1", "/filledFieldsData/rnm_number") == CONFLICTING
    assert told.codes == [("s1", "filledFieldsData/rnm_number", "outside_vocabulary")]


@pytest.mark.parametrize("number", ["1e400", "NaN", "9223372036854775808"])
def test_k15_a_number_that_cannot_be_stored_makes_its_key_unreadable(number: str) -> None:
    row = json.dumps(status("s1", "rnm", 5, active=True))[:-1]
    line = f'{row}, "filledFieldsData": {{"douPage": [{number}], "x": 1}}, "metadata": 1}}'
    told = Told(individualProcesses=[process()], individualProcessStatuses=[line])
    assert told.entries[0]["filled"] == {"x": 1}
    assert told.class_of(STATUSES, "s1", "/filledFieldsData/douPage/0") == UNREADABLE
    assert told.class_of(STATUSES, "s1", "/metadata") == UNMAPPED  # a field of the other table
    row = json.dumps(history("h1", "rnm", 5))[:-1]
    told = Told(individualProcesses=[process()], processHistory=[f'{row}, "metadata": {{"a": [{number}], "b": 1}}}}'])
    assert "metadata" not in told.entries[0]["carried"]
    assert told.class_of("processHistory", "h1", "/metadata/b") == UNREADABLE


@pytest.mark.parametrize("value", [5, "text", True, [1, {"a": None}], {"a": {"b": [1.5, "x"]}}])
def test_k15_metadata_is_kept_whatever_it_is(value: Any) -> None:
    told = _case(history("h1", "rnm", 5, metadata=value))
    assert told.entries[0]["carried"]["metadata"] == value
    set_leaves = [pointer for pointer, leaf in leaves(value, "/metadata") if leaf is not None]
    assert {told.class_of("processHistory", "h1", pointer) for pointer in set_leaves} == {MAPPED}


@pytest.mark.parametrize("value", [5, "text", True, ["a"], '["a"]'])
def test_k15_what_a_status_filled_must_be_an_object(value: Any) -> None:
    told = _case(status("s1", "rnm", 5, active=True, filledFieldsData=value))
    assert told.codes == [("s1", "filledFieldsData", "unreadable")]
    assert told.entries[0]["filled"] == {}


def test_k15_json_inside_a_text_is_opened() -> None:
    told = _case(
        status("s1", "rnm", 5, active=True, filledFieldsData='{"douPage": "1"}', fillableFields='["douPage", ""]')
    )
    assert told.entries[0]["filled"] == {"dou_page": "1"}
    assert told.entries[0]["carried"]["fillable_fields"] == ["douPage"]
    assert told.class_of(STATUSES, "s1", "/filledFieldsData") == NORMALISED
    assert told.class_of(STATUSES, "s1", "/fillableFields") == NORMALISED


def test_k15_a_history_row_that_names_no_status_tells_that_of_the_row_it_links_to() -> None:
    told = _case(history("h1", None, 3, newStatusId="s1"), status("s1", "rnm", 3, active=True))
    assert told.statuses == [("rnm", when(3))]
    assert told.class_of("processHistory", "h1", "/newStatus") == NORMALISED
    told = _case(history("h1", None, 3, newStatusId="s9"))
    assert told.statuses == [(None, when(3))]
    assert told.codes == [("h1", "newStatusId", "dangling_reference"), ("p1", "status", "undetermined_status")]


# --- K16: the process -------------------------------------------------------------------------------------------------


def test_k16_texts_and_ids_go_to_the_fields_of_the_case_each_for_itself() -> None:
    values: dict[str, Any] = {
        name: "2023-06-06" if CASE_FIELDS[target].shape == "wall_clock" else f"{name}1"
        for name, target in CASE_NAMES.items()
    }
    told = _case(status("s1", "rnm", 2, active=True), **values)
    assert told.case["fields"] == {target: values[name] for name, target in CASE_NAMES.items()}
    assert set(told.case["fields"]) == set(CASE_FIELDS)
    assert {told.class_of("individualProcesses", "p1", f"/{name}") for name in values} == {MAPPED}
    (opened,) = told.events("case.opened")
    assert opened.fields == told.case["fields"]


@pytest.mark.parametrize("name", ["douNumber", "protocolNumber", "funcao", "cargo"])
@pytest.mark.parametrize("value", ODD_TEXTS)
def test_k16_a_text_is_expected(name: str, value: Any) -> None:
    told = _case(status("s1", "rnm", 2, active=True), **{name: value})
    assert told.codes == [("p1", name, "unreadable")]
    assert told.case["fields"] == {}


@pytest.mark.parametrize(
    ("main", "newer", "chosen", "classes"),
    [
        ("m1", "absent", "m1", [MAPPED, None]),
        ("absent", "m2", "m2", [None, MAPPED]),
        ("m1", "m1", "m1", [MAPPED, MAPPED]),
        ("m1", "m2", "m2", [CONFLICTING, MAPPED]),
        ("m1", None, "m1", [MAPPED, NORMALISED]),
        (5, "5", "5", [NORMALISED, MAPPED]),
        ("m1", True, "m1", [MAPPED, UNREADABLE]),
    ],
)
def test_k16_a_collective_process_in_two_columns(main: Any, newer: Any, chosen: str, classes: list[Any]) -> None:
    columns = {"mainProcessId": main, "collectiveProcessId": newer}
    told = Told(
        individualProcesses=[
            process(status="rnm") | {name: value for name, value in columns.items() if value != "absent"}
        ],
        mainProcesses=[collective("m1"), collective("5")],
        collectiveProcesses=[collective("m2")],
    )
    assert told.case["collective_id"] == id_of("collective", "mainProcesses", chosen)
    assert told.case["legacy_keys"] == {"collective_id": chosen}
    found = told.classes("individualProcesses", "p1")
    assert [found.get("/mainProcessId"), found.get("/collectiveProcessId")] == classes
    conflicts = {"p1/collectiveProcessId": (["m2", "m1"], "m2", "newest_column")} if CONFLICTING in classes else {}
    assert told.conflicts == conflicts
    assert "dangling_reference" not in {code for _, _, code in told.codes}


def test_k16_a_case_belongs_to_the_collective_process_of_its_id_under_either_name_of_the_table() -> None:
    for table in ("mainProcesses", "collectiveProcesses"):
        there: dict[str, Any] = {table: [collective()]}
        told = Told(individualProcesses=[process(mainProcessId="m1")], **there)
        assert told.case["collective_id"] == Told(table, **there).row("collectives")["collective_id"]


@pytest.mark.parametrize(
    ("older", "newer", "current", "classes"),
    [
        ("absent", "absent", True, [None, None]),
        (True, "absent", True, [MAPPED, None]),
        (False, "absent", False, [MAPPED, None]),
        ("absent", "Atual", True, [None, MAPPED]),
        ("absent", " Anterior", False, [None, NORMALISED]),
        (False, "Anterior", False, [MAPPED, MAPPED]),
        (True, "Anterior", False, [CONFLICTING, MAPPED]),
        (False, "Atual", True, [CONFLICTING, MAPPED]),
        (None, None, True, [NORMALISED, NORMALISED]),
        (False, "atual", False, [MAPPED, UNREADABLE]),
        (1, "Anterior", False, [UNREADABLE, MAPPED]),
    ],
)
def test_k16_whether_a_process_is_current(older: Any, newer: Any, current: bool, classes: list[Any]) -> None:
    columns = {"isActive": older, "processStatus": newer}
    told = _case(
        status("s1", "rnm", 2, active=True), **{name: value for name, value in columns.items() if value != "absent"}
    )
    assert told.case["is_current"] is current
    found = told.classes("individualProcesses", "p1")
    assert [found.get("/isActive"), found.get("/processStatus")] == classes
    conflicts = {"p1/processStatus": ([current, not current], current, "newest_column")}
    assert told.conflicts == (conflicts if CONFLICTING in classes else {})
    assert told.case["status"] == "rnm"  # nothing to do with a status being active


def test_k16_when_a_process_was_completed() -> None:
    told = _case(status("s1", "rnm", 2, active=True), completedAt=ms(9))
    assert told.case["completed_at"] == when(9)
    assert told.class_of("individualProcesses", "p1", "/completedAt") == MAPPED


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


# --- K19: everything else ---------------------------------------------------------------------------------------------


def test_k19_other_keys_are_unmapped_one_entry_a_record() -> None:
    told = _case(
        history("h1", "rnm", 2, isActive=True, extra=[None, 1]),
        status("s1", "rnm", 3, active=True, metadata={"a/b": 1, "n": None}, previousStatus="rnm"),
        requestDetails={"a": ["x", ""]},
        createdBy="a1",
    )
    assert told.unmapped == {
        "p1": {"/requestDetails/a/0": "x", "/createdBy": "a1"},
        "h1": {"/isActive": True, "/extra/1": 1},
        "s1": {"/metadata/a~1b": 1, "/previousStatus": "rnm"},
    }
    assert told.class_of("processHistory", "h1", "/extra/0") == NORMALISED
    assert told.class_of(STATUSES, "s1", "/metadata/a~1b") == UNMAPPED
    assert told.conflicts == {}


@pytest.mark.parametrize("table", ["users", "people", "requests"])
def test_k19_a_row_of_another_table_is_recorded_whole(table: str) -> None:
    row = {"_id": "x1", "_creationTime": ms(2), "name": "Ada", "none": None, "tags": [{"a": 1}]}
    told = Told(table, **{table: [row]})
    assert set(told.classes(table, "x1").values()) == {UNMAPPED, NORMALISED}
    assert told.unmapped == {"x1": {"/_id": "x1", "/_creationTime": ms(2), "/name": "Ada", "/tags/0/a": 1}}
    about = {"people": id_of("person", "people", "x1"), "users": id_of("account", "users", "x1")}
    assert (told.facts.streams, told.facts.subject) == ([], about.get(table))
    assert told.row("legacy_ids")["table_name"] == table


def test_k19_other_keys_of_the_other_tables() -> None:
    told = Told("companies", companies=[company(x=1)], peopleCompanies=[member("x1", y=[{}])])
    assert told.unmapped == {"c1": {"/x": 1}}
    assert Told("caseStatuses", caseStatuses=[case_status(x=1)]).unmapped == {"k1": {"/x": 1}}
    assert Told("userProfiles", userProfiles=[person(fullName="Ada")]).unmapped == {"up1": {"/fullName": "Ada"}}
    assert Told("mainProcesses", mainProcesses=[collective(notes="n")]).unmapped == {"m1": {"/notes": "n"}}


# --- what cannot be taken in, and golden facts ------------------------------------------------------------------------


def test_rows_whose_owner_is_not_there_are_set_aside() -> None:
    source = MemorySource(
        individualProcesses=["{", process("p2") | {"_id": None}],
        processHistory=[history("h1", "rnm", 2)],
        individualProcessStatuses=[status("s1", "rnm", 2)],
        companies=["[]"],
        peopleCompanies=[member("x1"), member("x2", of=None)],
    )
    found = index(source, SYSTEM)
    assert [(aside.table, aside.key, aside.problem.code) for aside in found.set_aside()] == [
        ("individualProcesses", None, "not_json"),
        ("individualProcesses", None, "no_id"),
        ("processHistory", "h1", "no_subject"),
        (STATUSES, "s1", "no_subject"),
        ("companies", None, "not_an_object"),
        ("peopleCompanies", "x1", "no_subject"),
        ("peopleCompanies", "x2", "no_subject"),
    ]
    assert (found.bundles, found.records) == (0, 0)


def test_a_case_from_its_first_day_to_its_last() -> None:
    """One process with all that the old application knew of it, entry by entry."""
    told = Told(
        individualProcesses=[
            process(
                personId="per1", collectiveProcessId="m1", status="Exigência", protocolNumber="47039",
                processStatus="Atual", deadlineDate="2023-07-04",
            )
        ],
        processHistory=[
            history("h1", "em_tramite", 3, previousStatus="em_preparacao", notes="protocolled"),
            history("h2", "exigencia", 5, previousStatus="em_tramite", changedBy="ghost"),
        ],
        individualProcessStatuses=[
            status("s1", "em_tramite", 3, date="2023-06-03", filledFieldsData={"protocolNumber": "47039"}),
            status(
                "s2", "Exigência", 5, active=True, date="2023-06-05T12:00", maxDeliveryDate="2023-07-04",
                clientDeadlineDate="2023-06-28", changedBy="ghost",
            ),
        ],
        mainProcesses=[collective()],
    )  # fmt: skip
    assert [event.event.topic for stream in told.facts.streams for event in stream.events] == [
        "case.opened",
        *["case.status_changed"] * 3,
    ]
    assert [
        (row["entry"], row["status"], row["active_from"], row["active_to"], row["changed_by"], row["notes"])
        for row in told.entries
    ] == [
        (2, "em_preparacao", when(1), when(3), UNKNOWN_AUTHOR, None),
        (3, "em_tramite", when(3), when(5), AUTHOR, "protocolled"),
        (4, "exigencia", when(5), None, UNKNOWN_AUTHOR, None),
    ]
    assert told.entries[1]["filled"] == {"protocol_number": "47039"}
    assert told.case["status"] == "exigencia"
    assert (told.case["delivery_date"], told.case["client_date"]) == (date(2023, 7, 4), date(2023, 6, 28))
    assert told.conflicts == {}
    assert told.codes == [
        ("h1", "previousStatus", "assumed_time"),
        ("h2", "changedBy", "assumed_author"),
        ("s2", "changedBy", "assumed_author"),
    ]
    assert told.unmapped == {}
    assert told.facts.tally == {"exigencia": 1}
    assert [new.actor for new in told.facts.streams[0].events] == [
        UNKNOWN_AUTHOR,
        UNKNOWN_AUTHOR,
        AUTHOR,
        UNKNOWN_AUTHOR,
    ]


def test_provenance_names_every_source_of_a_value() -> None:
    told = _case(history("h1", "rnm", 3, notes="n"), status("s1", "rnm", 3, active=True, notes="n"), douPage="7")
    opened, changed = told.facts.streams[0].events
    assert opened.provenance
    assert [tuple(source) for source in opened.provenance["dou_page"]] == [("individualProcesses", "p1", "/douPage")]
    assert changed.provenance
    assert {name: [tuple(source) for source in sources] for name, sources in changed.provenance.items()} == {
        "status": [("processHistory", "h1", "/newStatus"), (STATUSES, "s1", "/statusName")],
        "changed_by": [("processHistory", "h1", "/changedBy"), (STATUSES, "s1", "/changedBy")],
        "notes": [("processHistory", "h1", "/notes"), (STATUSES, "s1", "/notes")],
        "effective_at": [("processHistory", "h1", "/changedAt"), (STATUSES, "s1", "/changedAt")],
    }


def test_the_ids_of_what_is_imported_never_change() -> None:
    """Ids are made from the legacy keys alone: these stand in databases."""
    assert str(CASE_ID) == str(SYSTEM.stream_of("p1"))
    assert SYSTEM.mapping_version == 2


def test_k18_an_older_role_grants_nothing_once_a_newer_row_names_another() -> None:
    rows = [person("up1", "a1", "admin", updatedAt=ms(1)), person("up2", "a1", "suspended", updatedAt=ms(2))]
    told = Told("userProfiles", userProfiles=rows)
    assert told.events("account.role_granted") == []
    assert told.class_of("userProfiles", "up1", "/role") == "conflicting"
    assert told.class_of("userProfiles", "up2", "/role") == "unreadable"
