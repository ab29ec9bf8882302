"""The mapping of the cases system, K19 of `docs/legacy/cases.md`: what has no place, and cases as a whole."""

from __future__ import annotations

from datetime import date

import pytest

from domain.event import UNKNOWN_AUTHOR
from migrations_replay.leaves import NORMALISED, UNMAPPED
from migrations_replay.systems.cases import SYSTEM
from tests.support.legacy import MemorySource, index
from tests.support.legacy_cases import (
    AUTHOR,
    CASE_ID,
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

# --- K19: everything else ---------------------------------------------------------------------------------------------


def test_k19_other_keys_are_unmapped_one_entry_a_record() -> None:
    told = case_of(
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
    told = case_of(history("h1", "rnm", 3, notes="n"), status("s1", "rnm", 3, active=True, notes="n"), douPage="7")
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
