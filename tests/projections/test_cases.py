from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.case import (
    CaseClosed,
    CaseConflictRecorded,
    CaseConflictSettled,
    CaseEvent,
    CaseOpened,
    CaseReopened,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    CaseUpdated,
    StatusNow,
)
from domain.event import ERASED, Change
from projections.cases import MODEL
from tests.projections.histories import START, history, row_of

CASE, PERSON, COMPANY = UUID(int=1), UUID(int=2), UUID(int=3)
DAY = date(2024, 1, 1)
OPENED = CaseOpened(
    person_id=PERSON,
    company_id=COMPANY,
    fields={"protocol_number": "17", "rnm_deadline": "2024-05-01T09:30"},
    legacy_keys={"company_id": "c1"},
)
RNM = CaseStatusChanged(status="rnm", effective_at=START, day=DAY)
ASKED = CaseStatusChanged(status="exigencia", previous="rnm", effective_at=START, day=DAY, follows=2)
UNDETERMINED = {"status": None, "status_entry": None, "status_since": None, "status_day": None}
CONFLICT = CaseConflictRecorded(field="status", values=("rnm", None), chosen="rnm", rule="status_rank")


def corrected(now: StatusNow | None) -> CaseStatusCorrected:
    return CaseStatusCorrected(
        entry=2,
        left_between=(None, None),
        status="deferido",
        effective_at=START,
        day=DAY,
        now=now,
        changes={"protocol_number": Change(old="17", new="18")},
        reason="a slip",
    )


def test_an_opened_case() -> None:
    assert row_of(MODEL, history(CASE, OPENED)) == {
        "case_id": CASE,
        "person_id": PERSON,
        "company_id": COMPANY,
        "collective_id": None,
        "legacy_keys": {"company_id": "c1"},
        "fields": {"protocol_number": "17", "rnm_deadline": "2024-05-01T09:30"},
        **UNDETERMINED,
        "delivery_date": None,
        "client_date": None,
        "due_on": None,
        "instants": {"rnm_deadline": {"instant": "2024-05-01T12:30:00+00:00", "zone": "America/Sao_Paulo"}},
        "is_current": True,
        "completed_at": None,
        "conflicts": {},
        "created_at": START + timedelta(days=1),
        "updated_at": START + timedelta(days=1),
        "origin": "live",
        "version": 1,
        "position": 10,
        "recorded_at": START + timedelta(days=1, hours=1),
    }


IN_FORCE = {"status": "rnm", "status_entry": 2, "status_since": START, "status_day": DAY}


@pytest.mark.parametrize(
    ("events", "columns"),
    [
        ([RNM], {**IN_FORCE, "delivery_date": None, "client_date": None, "due_on": None}),
        ([RNM, RNM.model_copy(update={"status": "deferido", "precedes": 2})], IN_FORCE),
        ([RNM, RNM.model_copy(update={"status": "deferido", "superseded_by": 2})], IN_FORCE),
        ([RNM, RNM.model_copy(update={"status": None, "follows": 2})], UNDETERMINED),
        (
            [RNM, ASKED],
            {"status": "exigencia", "status_entry": 3, "delivery_date": date(2024, 1, 30)}
            | {"client_date": date(2024, 1, 24), "due_on": date(2024, 1, 30)},
        ),
        (
            [ASKED, corrected(StatusNow(entry=2, status="rnm", since=START, day=DAY))],
            {**IN_FORCE, "delivery_date": None, "due_on": None, "fields": {**OPENED.fields, "protocol_number": "18"}},  # type: ignore[dict-item]
        ),
        ([RNM, corrected(None)], UNDETERMINED),
        ([RNM, CaseStatusRemoved(entry=2, effective_at=START, reason="a slip")], UNDETERMINED),
        ([RNM, CaseStatusRemoved(entry=3, effective_at=START, precedes=2, reason="a slip")], IN_FORCE),
        (
            [ASKED.model_copy(update={"changes": {"deadline_date": Change(new="2024-01-29")}})],
            {"delivery_date": date(2024, 1, 30), "due_on": date(2024, 1, 29)},
        ),
        (
            [ASKED, CaseUpdated(changes={"deadline_date": Change(new="2024-02-01")})],
            {"delivery_date": date(2024, 1, 30), "due_on": date(2024, 1, 30)},
        ),
        (
            [CaseUpdated(changes={"deadline_date": Change(new="2024-02-01T23:00Z"), "rnm_deadline": Change(new=None)})],
            {
                "due_on": date(2024, 2, 1),
                "instants": {"deadline_date": {"instant": "2024-02-01T23:00:00+00:00", "zone": None}},
            },
        ),
        ([CaseUpdated(changes={"deadline_date": Change(new="soon"), "dou_date": Change(new=7)})], {"due_on": None}),
        (
            [ASKED, CaseClosed(reason="done")],
            {
                "is_current": False,
                "completed_at": START + timedelta(days=3),
                "due_on": None,
                "delivery_date": date(2024, 1, 30),
            },
        ),
        (
            [ASKED, CaseClosed(reason="done"), CaseReopened(reason="not done")],
            {"is_current": True, "completed_at": None, "due_on": date(2024, 1, 30)},
        ),
        ([CONFLICT], {"conflicts": {"status": ["rnm", None]}}),
        ([CONFLICT, CaseConflictSettled(field="status", reason="seen")], {"conflicts": {}}),
        ([CONFLICT.model_copy(update={"field": ERASED, "values": ERASED, "chosen": ERASED})], {"conflicts": {}}),
        ([CONFLICT, CaseConflictSettled(field=ERASED, reason=ERASED)], {"conflicts": {"status": ["rnm", None]}}),
        ([CaseUpdated(changes=ERASED)], {"fields": {}, "instants": {}}),
        ([RNM.model_copy(update={"changes": ERASED, "filled": ERASED})], {**IN_FORCE, "fields": {}}),
        ([RNM, CaseStatusRemoved(entry=2, effective_at=START, changes=ERASED, reason=ERASED)], {"fields": {}}),
    ],
)
def test_what_events_change(events: list[CaseEvent], columns: dict[str, Any]) -> None:
    row = row_of(MODEL, history(CASE, OPENED, *events))
    assert {name: row[name] for name in columns} == columns
    assert row["version"] == len(events) + 1


def test_an_imported_case_may_be_closed_already_and_an_erased_one_has_no_fields() -> None:
    row = row_of(MODEL, history(CASE, CaseOpened(fields=ERASED, is_current=False, completed_at=START)))
    assert (row["fields"], row["is_current"], row["completed_at"]) == ({}, False, START)


def test_an_event_without_its_case_is_a_hole_in_the_log() -> None:
    with pytest.raises(ValueError, match="no row for stream"):
        row_of(MODEL, history(CASE, RNM, first=2))
