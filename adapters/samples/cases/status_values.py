"""Oddities of what only status rows hold: flag, date, deadlines, and what the status filled."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from adapters.samples.cases.case import Case, Slot
from adapters.samples.cases.oddity import EXTRA, MISSING, Oddity, bad, puts, slot_row
from adapters.samples.cases.rows import DAY, FAR, add_deadlines, drop, local_clock, utc_day
from adapters.samples.cases.vocabulary import (
    CASE_CODES,
    decomposed,
)
from adapters.samples.truth import ABSENT, NORMALISED, UNREADABLE, Put

# ---- status rows: flags, dates, deadlines, what they filled

FLAGS: Final = {
    "text": bad("/isActive", "true"),
    "number": bad("/isActive", 0),
    "nan": bad("/isActive", "NaN"),
    "null": Put("/isActive", None),
    "absent": Put("/isActive", ABSENT),
}
DATES: Final = {
    "absent": Put("/date", ABSENT),
    "null": Put("/date", None),
    "phrase": bad("/date", "ontem"),
    "day_first": bad("/date", "05/03/2024"),
    "no_such_day": bad("/date", "2023-02-30"),
    "number": bad("/date", 20240305),
    "outer_blanks": Put("/date", lambda old: f" {old} ", NORMALISED),
}


def _dated(case: Case, *, make: Callable[[float], str]) -> None:
    slot: Slot = case.slots["status"]
    slot.row.put("/date", make(slot.entry.at))


DATED: Final[dict[str, Oddity]] = puts(slot_row("status"), DATES) | {
    "backfilled": partial(_dated, make=utc_day),
    "other_day": partial(_dated, make=lambda at: utc_day(at + 3 * DAY)),
    "local_clock": partial(_dated, make=local_clock),
    "local_day": partial(_dated, make=lambda at: local_clock(at)[:10]),
}


def _requirement(case: Case, *, date: object = ..., edited: str = "", without: str = "") -> None:
    slot = case.slots["requirement"]
    if date is ABSENT:
        slot.row.put("/date", ABSENT)
    elif date is not ...:
        slot.row.put("/date", date, UNREADABLE, "unreadable")
    text = str(slot.row.doc["date"]) if date is ... else local_clock(slot.entry.at)
    add_deadlines(slot.row, text, edited)
    if without:
        drop(slot.row, without)


def _needless(case: Case) -> None:
    slot = case.slots["status"]
    slot.row.put("/maxDeliveryDate", "2024-04-01", None, "derived_differs")


DEADLINES: Final[dict[str, Oddity]] = {
    "as_computed": _requirement,
    "delivery_edited": partial(_requirement, edited="maxDeliveryDate"),
    "client_edited": partial(_requirement, edited="clientDeadlineDate"),
    "both_edited": partial(_requirement, edited="maxDeliveryDate clientDeadlineDate"),
    "without_date": partial(_requirement, date=ABSENT),
    "unreadable_date": partial(_requirement, date="amanhã"),
    "client_absent": partial(_requirement, without="clientDeadlineDate"),
    "of_another_status": _needless,
}
FILLED: Final[dict[str, Mapping[str, Any]]] = {
    "known": {"rnmNumber": "F000123-X", "rnmDeadline": "2025-05-01"},
    "unset": {"douPage": "", "douNumber": None},
    "number": {"douPage": 17},
    "nested": {"protocolNumber": {"old": "1", "new": ["2", None]}},
}


def _filled(case: Case, *, value: Mapping[str, Any], marks: Mapping[str, str], findings: Mapping[str, str]) -> None:
    row = case.slots["requirement"].row
    row.put("/filledFieldsData", dict(value))
    row.marks |= {f"/filledFieldsData/{name}": mark for name, mark in marks.items()}
    for name, code in findings.items():
        row.find(f"filledFieldsData/{name}", code)


def _filled_as(value: Mapping[str, Any], marks: Mapping[str, str] = {}, **findings: str) -> Oddity:
    return partial(_filled, value=value, marks=marks, findings=findings)


FILLING: Final[dict[str, Oddity]] = (
    {name: _filled_as(value) for name, value in FILLED.items()}
    | {
        "unknown_name": _filled_as({"observacao": "x", "douPage": "3"}, observacao="outside_vocabulary"),
        "renamed_name": _filled_as({"companyApplicantId": "x"}, companyApplicantId="outside_vocabulary"),
        "outer_blanks": _filled_as({"douNumber": " 12 "}),
        "nfd": _filled_as({"rnmProtocol": decomposed("São João")}),
        "far": _filled_as({"douNumber": FAR, "douPage": "3"}, {"douNumber": UNREADABLE}, douNumber="unreadable"),
    }
    | puts(
        slot_row("requirement"),
        {
            "text": bad("/filledFieldsData", "douPage=3"),
            "list": bad("/filledFieldsData", ["douPage", None]),
            "fillable_names": Put("/fillableFields", list(CASE_CODES["publicado_dou"].fillable)),
            "fillable_empty": Put("/fillableFields", []),
            "fillable_text": bad("/fillableFields", "douPage"),
            "fillable_object": bad("/fillableFields", {"first": "douPage", "rest": []}),
        },
    )
)
STATUS_REST: Final = EXTRA | {
    "case_status_dangling": Put("/caseStatusId", MISSING, None, "dangling_reference"),
    "case_status_absent": Put("/caseStatusId", ABSENT),
    "case_status_null": Put("/caseStatusId", None),
    "case_status_object": bad("/caseStatusId", {"id": "x", "none": None}),
}
