"""The known oddities of the cases system, 1 to 15 of `docs/legacy/cases.md`: what becomes of each, end to end."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from domain.case import CASE, CaseStatusChanged, ChangeCaseStatus
from domain.event import UNKNOWN_AUTHOR
from domain.status_catalogue import SEEDED
from domain.wall_clock import ZONE
from migrations_replay.bundle import Selection
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, UNMAPPED
from migrations_replay.reconcile import Reconcile
from migrations_replay.systems.cases import SYSTEM
from projections.all import READ_MODELS
from tests.support.legacy import MemorySource, MemoryTables, index
from tests.support.legacy_cases import (
    AUTHOR,
    CASE_ID,
    STATUSES,
    Told,
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


def _proven(**tables: Any) -> Told:
    """Return what the process implies, after a proof that the tables hold all of the export."""
    tables = {"userProfiles": [person()], **tables}
    found = Selection(index(MemorySource(**tables), SYSTEM))
    store = MemoryTables(SYSTEM.derive(bundle) for bundle in found)
    proof = Reconcile(SYSTEM, store, READ_MODELS).run(found, lambda _: None)
    assert proof.breaches == 0
    assert proof.differences == []
    return Told(**tables)


@pytest.mark.parametrize(
    ("field", "stored", "leaf", "codes"),
    [
        ("completed", "completed", MAPPED, ["assumed_author", "assumed_time"]),
        ("deferido", "deferido", MAPPED, ["assumed_author", "assumed_time"]),
        ("Publicado no DOU", "publicado_dou", NORMALISED, ["assumed_author", "assumed_time"]),
        ("Em análise técnica", "Em análise técnica", MAPPED, ["assumed_author", "assumed_time", "outside_vocabulary"]),
        (None, None, NORMALISED, ["undetermined_status"]),
    ],
)
def test_oddity_01_the_status_field_holds_four_vocabularies(
    field: Any, stored: str | None, leaf: str, codes: list[str]
) -> None:
    told = _proven(individualProcesses=[process(status=field)])
    assert told.case["status"] == stored
    assert [row["status"] for row in told.entries] == ([stored] if stored else [])
    assert told.class_of("individualProcesses", "p1", "/status") == leaf
    assert sorted(code for _, _, code in told.codes) == codes


def test_oddity_02_the_doubled_latest_status_is_one_entry() -> None:
    """The active row says what the history row of the same change said, and its inactive copy says it again."""
    moment, marked = {"changedAt": ms(5), "createdAt": ms(5)}, "Migrated from the legacy status"
    told = _proven(
        individualProcesses=[process(status="deferido", updatedAt=ms(5))],
        processHistory=[history("h1", "em_tramite", 3), history("h2", "deferido", 5, newStatusId="s2")],
        individualProcessStatuses=[
            status("s1", "deferido", 5, active=True, date="2023-06-05", notes=marked) | moment,
            status("s2", "deferido", 5, date="2023-06-05", notes=marked) | moment,
            status("s3", "em_tramite", 3, date="2023-06-03"),
        ],
    )
    assert told.statuses == [("em_tramite", when(3)), ("deferido", when(5))]
    assert [row["is_active"] for row in told.entries] == [False, True]
    assert told.class_of(STATUSES, "s2", "/isActive") == NORMALISED
    assert told.entries[1]["notes"] == marked
    assert (told.codes, told.conflicts) == ([], {})


@pytest.mark.parametrize("how", ["the active one was deleted", "no status was named", "an insert failed"])
def test_oddity_03_without_an_active_row_nobody_knows_and_nothing_is_promoted(how: str) -> None:
    rows = [status("s1", "em_preparacao", 2), status("s2", "em_tramite", 4)]
    if how == "no status was named":
        rows.append(status("s3", None, 6, active=True))
    field = None if how == "the active one was deleted" else "em_tramite"
    told = _proven(individualProcesses=[process(status=field)], individualProcessStatuses=rows)
    assert told.case["status"] is None
    assert [row["status"] for row in told.entries] == ["em_preparacao", "em_tramite", None]
    assert not any(row["is_active"] for row in told.entries)
    assert ("p1", "status", "undetermined_status", field) in told.findings
    assert told.conflicts == ({"p1/status": ([None, field], None, "status_rank")} if field else {})


def test_oddity_04_of_several_active_rows_the_latest_is_active_alone() -> None:
    rows = [
        status("s1", "em_preparacao", 2, active=True),
        status("s2", "em_tramite", 6, active=True),
        status("s3", "deferido", 4, active=True),
    ]
    for arranged in permutations(rows):
        told = _proven(individualProcesses=[process(status="em_tramite")], individualProcessStatuses=list(arranged))
        assert told.case["status"] == "em_tramite"
        assert [(row["status"], row["is_active"]) for row in told.entries] == [
            ("em_preparacao", False),
            ("deferido", False),
            ("em_tramite", True),
        ]
        assert [key for key, _, code in told.codes if code == "several_active"] == ["s1", "s3"]
        assert [told.class_of(STATUSES, key, "/isActive") for key in ("s1", "s2", "s3")] == [
            *(CONFLICTING, MAPPED, CONFLICTING)
        ]


def test_oddity_05_a_field_that_differs_only_in_spelling_is_no_conflict() -> None:
    row = status("s1", "Encaminhado para análise", 3, active=True)
    told = _proven(individualProcesses=[process(status="encaminhado_analise")], individualProcessStatuses=[row])
    assert (told.case["status"], told.conflicts, told.codes) == ("encaminhado_analise", {}, [])


def test_oddity_05_a_field_that_says_something_else_is_a_conflict_and_the_row_is_right() -> None:
    row = status("s1", "encaminhado_analise", 3, active=True)
    told = _proven(individualProcesses=[process(status="em_tramite")], individualProcessStatuses=[row])
    assert told.case["status"] == "encaminhado_analise"
    values = ["encaminhado_analise", "em_tramite"]
    assert told.conflicts == {"p1/status": (values, "encaminhado_analise", "status_rank")}
    assert told.case["conflicts"] == {"status": values}
    assert told.state.conflicts == {"status": tuple(values)}


@pytest.mark.parametrize("code", [code for code, seeded in SEEDED.items() if seeded.may_go_to is None])
@pytest.mark.parametrize("goes_to", ["deferido", "under_government_review"])
def test_oddity_06_a_case_with_a_portuguese_code_is_no_longer_stuck(code: str, goes_to: str) -> None:
    told = _proven(
        individualProcesses=[process(status=code)],
        individualProcessStatuses=[status("s1", SEEDED[code].name, 3, active=True)],
    )
    state = told.state
    command = ChangeCaseStatus(case_id=CASE_ID, status=goes_to, effective_at=when(25), notes="went on")
    (event,) = CASE.decide(state, command)
    assert isinstance(event, CaseStatusChanged)
    assert (event.status, event.previous, event.follows) == (goes_to, code, told.case["status_entry"])
    after = CASE.evolve(state, event).timeline.active
    assert after
    assert (after.status, after.at) == (goes_to, when(25))


def test_oddity_07_a_backfilled_day_is_one_of_utc_and_the_entry_takes_effect_when_it_did() -> None:
    """At 22:30 in São Paulo the UTC day is the next one: that is what the backfill wrote."""
    backfilled = status("s1", "em_tramite", 6, changedAt=ms(6, 1, 30), date="2023-06-06")
    told = _proven(
        individualProcesses=[process(status="deferido")],
        individualProcessStatuses=[
            backfilled,
            status("s2", "deferido", 7, active=True, changedAt=ms(7, 1, 30), date="2023-06-06T22:30"),
        ],
    )
    first, second = told.entries
    assert (first["active_from"], first["date_text"], first["date_zone"]) == (when(6, 1, 30), "2023-06-06", "UTC")
    assert (second["active_from"], second["date_text"], second["date_zone"]) == (
        when(7, 1, 30),
        "2023-06-06T22:30",
        ZONE,
    )
    assert second["date_at"] == second["active_from"]
    assert first["day"] == second["day"] == date(2023, 6, 6)  # a day apart in fact, and one in the texts
    assert told.class_of(STATUSES, "s1", "/date") == MAPPED
    assert told.codes == []


def test_oddity_08_the_text_of_a_date_does_not_order_the_history() -> None:
    """As texts, `2023-06-05` comes before `2023-06-05T08:00`, and so it did although it was the later one."""
    rows = [
        status("s1", "deferido", 5, active=True, changedAt=ms(5, 20), date="2023-06-05"),
        status("s2", "em_tramite", 5, changedAt=ms(5, 11), date="2023-06-05T08:00"),
        status("s3", "em_preparacao", 4, date="2023-06-09"),
    ]
    for arranged in permutations(rows):
        told = _proven(individualProcesses=[process(status="deferido")], individualProcessStatuses=list(arranged))
        assert [row["status"] for row in told.entries] == ["em_preparacao", "em_tramite", "deferido"]
        assert told.codes == []


def test_oddity_09_the_fields_of_a_case_are_those_of_the_process_not_of_its_history() -> None:
    """Two statuses filled the number, and deleting the later cleared it: what the process says stands."""
    told = _proven(
        individualProcesses=[process(status="em_tramite", rnmNumber="R2")],
        individualProcessStatuses=[
            status("s1", "em_tramite", 3, active=True, filledFieldsData={"protocolNumber": "47039"}),
            status("s2", "rnm", 2, filledFieldsData={"protocolNumber": "1", "rnmNumber": "R1"}),
        ],
    )
    assert told.case["fields"] == {"rnm_number": "R2"}
    assert [row["filled"] for row in told.entries] == [
        {"protocol_number": "1", "rnm_number": "R1"},
        {"protocol_number": "47039"},
    ]
    assert all(event.changes == {} for event in told.events("case.status_changed"))
    assert told.conflicts == {}


@pytest.mark.parametrize(
    ("author", "tables", "known"),
    [
        ("u5", {"users": [{"_id": "u5", "email": "e"}]}, True),
        ("u5", {}, False),
        ("system-archive", {"users": [{"_id": "u5"}]}, False),
    ],
)
def test_oddity_10_a_user_without_a_profile_is_an_author_and_a_placeholder_is_not(
    author: str, tables: dict[str, Any], known: bool
) -> None:
    told = _proven(
        individualProcesses=[process(status="rnm")],
        individualProcessStatuses=[status("s1", "rnm", 3, active=True, changedBy=author)],
        **tables,
    )
    expected = str(id_of("account", "users", author)) if known else UNKNOWN_AUTHOR
    assert told.entries[0]["changed_by"] == expected != AUTHOR
    assert told.codes == ([] if known else [("s1", "changedBy", "assumed_author")])
    assert told.class_of(STATUSES, "s1", "/changedBy") == (MAPPED if known else NORMALISED)


def test_oddity_11_companies_of_one_name_stay_apart_and_tax_ids_keep_their_text() -> None:
    tables: dict[str, Any] = {
        "companies": [
            company("c1", "Acme", taxId="12.345.678/0001-95"),
            company("c2", "ACME ", taxId="12345678000195"),
            company("c3", "Acme"),
        ]
    }
    found = Selection(index(MemorySource(**tables), SYSTEM))
    facts = [SYSTEM.derive(bundle) for bundle in found]
    store = MemoryTables(facts)
    assert Reconcile(SYSTEM, store, READ_MODELS).run(found, lambda _: None).breaches == 0
    rows = list(store.rows("companies", [(id_of("company", "companies", key),) for key in ("c1", "c2", "c3")]).values())
    assert [(row["name"], row["tax_id"]) for row in rows] == [
        ("Acme", "12.345.678/0001-95"),
        ("ACME", "12345678000195"),
        ("Acme", None),
    ]
    assert {row["name_key"] for row in rows} == {"acme"}
    assert [row["tax_digits"] for row in rows] == ["12345678000195", "12345678000195", None]
    assert not any(found.conflicts or found.findings for found in facts)


def test_oddity_12_a_person_may_have_several_current_companies_and_absent_stays_absent() -> None:
    current = [
        Told("companies", companies=[company(key)], peopleCompanies=[member(f"x{key}", key, isCurrent=True)])
        for key in ("c1", "c2")
    ]
    assert [told.row("company_members")["is_current"] for told in current] == [True, True]
    assert {told.row("company_members")["person_key"] for told in current} == {"per1"}
    assert not any(told.facts.findings or told.facts.conflicts for told in current)
    absent = Told("companies", companies=[company()], peopleCompanies=[member("x1"), member("x2", isCurrent=None)])
    assert [row["is_current"] for row in absent.of("company_members")] == [None, None]


def test_oddity_13_renames_in_flight() -> None:
    told = _proven(
        individualProcesses=[
            process(
                status="rnm", mainProcessId="m1", collectiveProcessId="m2", applicantId="a", companyApplicantId="c1",
                userApplicantId="u1", funcao="Engenheira de dados", cargo="Engenheira",
            )
        ],
        mainProcesses=[collective("m1")],
        collectiveProcesses=[collective("m2")],
        companies=[company()],
    )  # fmt: skip
    assert told.case["fields"] == {
        "applicant_id": "a", "company_applicant_id": "c1", "user_applicant_id": "u1", "funcao": "Engenheira de dados",
        "cargo": "Engenheira",
    }  # fmt: skip
    assert told.case["collective_id"] == id_of("collective", "mainProcesses", "m2")
    assert told.conflicts == {"p1/collectiveProcessId": (["m2", "m1"], "m2", "newest_column")}
    assert told.class_of("individualProcesses", "p1", "/mainProcessId") == CONFLICTING
    found = index(MemorySource(individualProcesses=[], collectiveProcesses=[collective()]), SYSTEM)
    assert "mainProcesses" not in found.missing()


def test_oddity_14_people_who_were_imported_are_recorded_whole() -> None:
    """Rows that were skipped are gone; what was set to null, and days that were turned round, cannot be told."""
    imported = {"_id": "per1", "fullName": "Teste Teste", "nationalityId": None, "birthDate": "1990-02-01"}
    told = Told("people", people=[imported])
    assert told.unmapped == {"per1": {"/_id": "per1", "/fullName": "Teste Teste", "/birthDate": "1990-02-01"}}
    assert told.class_of("people", "per1", "/nationalityId") == NORMALISED
    assert (told.facts.streams, told.facts.findings) == ([], [])
    snapshot = told.row("legacy_ids", table_name="people")
    assert snapshot["key"] == "per1"
    case = _proven(individualProcesses=[process(personId="per1", status="rnm")], people=[imported])
    assert "dangling_reference" not in {code for _, _, code in case.codes}
    skipped = _proven(individualProcesses=[process(personId="per2", status="rnm")], people=[imported])
    assert ("p1", "personId", "dangling_reference") in skipped.codes
    assert skipped.case["legacy_keys"] == {"person_id": "per2"}


def test_oddity_15_requests_that_are_still_there_are_recorded_whole() -> None:
    """A rejected one became a draft with the reason among its notes: on a process, a field without a home."""
    request = {"_id": "r1", "status": "rejected", "notes": "Rejected: no passport", "targetId": "p9"}
    told = Told("processRequests", processRequests=[request])
    assert told.unmapped == {"r1": {f"/{name}": value for name, value in request.items()}}
    assert set(told.classes("processRequests", "r1").values()) == {UNMAPPED}
    folded = _proven(
        individualProcesses=[process(status="draft", requestStatus="rejected", notes="Rejected: no passport")],
        processRequests=[request],
    )
    assert folded.unmapped == {"p1": {"/requestStatus": "rejected", "/notes": "Rejected: no passport"}}
    assert folded.case["status"] == "draft"
    assert ("p1", "status", "outside_vocabulary") in folded.codes
