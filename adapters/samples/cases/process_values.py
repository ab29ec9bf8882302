"""Oddities of one value of a process: its fields, its times, its own status, and the columns that were renamed."""

from collections.abc import Callable
from functools import partial
from typing import Final

from adapters.samples.cases.case import Case, Field
from adapters.samples.cases.oddity import EXTRA, MISSING, Oddity, bad
from adapters.samples.cases.rows import FAR, NFD, drop
from adapters.samples.cases.vocabulary import (
    OUTSIDE,
    Said,
    by_code,
    by_name,
    other_code,
    spellings,
)
from adapters.samples.truth import ABSENT, NORMALISED, UNREADABLE, Put, number

# ---- the process's own fields

PROCESS_VALUES: Final = EXTRA | {
    "text_nfd": Put("/funcao", f"Técnica {NFD}", NORMALISED),
    "text_outer_blanks": Put("/protocolNumber", " 08018.000123/2024-11\n", NORMALISED),
    "text_blank": Put("/mreOfficeNumber", "   "),
    "text_null": Put("/mreOfficeNumber", None),
    "text_empty_list": Put("/douNumber", []),
    "text_empty_object": Put("/douNumber", {}),
    "text_number": bad("/douNumber", 117),
    "text_nan": Put("/douPage", "NaN"),
    "text_nan_token": bad("/douPage", number("NaN")),
    "text_far_integer": bad("/rnmNumber", FAR),
    "text_list": bad("/douSection", ["1", None, ""]),
    "text_object_unset": Put("/douSection", {"a": None, "b": [" "]}),
    "text_true": bad("/protocolNumber", True),
    "date_time_for_date": Put("/douDate", "2024-03-05T10:30"),
    "date_phrase": bad("/deadlineDate", "a definir"),
    "date_no_such_day": bad("/rnmDeadline", "2023-02-30"),
    "date_number": bad("/rnmDeadline", 1_700_000_000_000),
    "date_outer_blanks": Put("/appointmentDateTime", " 2024-03-05T10:30 ", NORMALISED),
    "reference_unnamed_table": Put("/passportId", MISSING),
    "reference_integer": Put("/cboId", 2142, NORMALISED),
    "reference_object": bad("/legalFrameworkId", {"$oid": "x"}),
    "completed_nan": bad("/completedAt", "NaN"),
    "completed_null": Put("/completedAt", None),
    "person_dangling": Put("/personId", MISSING, None, "dangling_reference"),
    "person_absent": Put("/personId", ABSENT),
    "person_null": Put("/personId", None),
    "rnm_protocol": Put("/rnmProtocol", "RN-2024-1"),
    "cargo_and_funcao": Put("/cargo", "Soldador"),
}


def _renamed(case: Case, *, old: object, new: object, mark: str | None = None) -> None:
    ids = [row.doc["_id"] for row in case.rng.sample(case.world.collectives, 2)]
    values = {"mainProcessId": old, "collectiveProcessId": new}
    for column, value in values.items():
        value = ids[value] if isinstance(value, int) else value  # noqa: PLW2901 – a number stands for an id
        case.process.put(f"/{column}", value, mark if column == "mainProcessId" else None)
        if value == MISSING:
            case.process.find(column, "dangling_reference")
    if mark:
        case.process.dispute("collectiveProcessId", "newest_column")


def _current(case: Case, *, old: object, new: object, marks: tuple[str | None, str | None] = (None, None)) -> None:
    for column, value, mark in zip(("isActive", "processStatus"), (old, new), marks, strict=True):
        case.process.put(f"/{column}", value, mark, "unreadable" if mark == UNREADABLE else "")
    if "conflicting" in marks:
        case.process.dispute("processStatus", "newest_column")


def _applicants(case: Case, *, old: bool) -> None:
    case.process.doc |= {
        "companyApplicantId": case.rng.choice(case.world.companies).doc["_id"],
        "userApplicantId": case.rng.choice(case.world.user_ids),
    }
    case.process.put("/applicantId", case.person.doc["_id"] if old else ABSENT)


RENAMES: Final[dict[str, Oddity]] = {
    "collective_both_equal": partial(_renamed, old=0, new=0),
    "collective_both_differ": partial(_renamed, old=0, new=1, mark="conflicting"),
    "collective_old_only": partial(_renamed, old=0, new=ABSENT),
    "collective_new_only": partial(_renamed, old=ABSENT, new=0),
    "collective_old_blank": partial(_renamed, old="", new=0),
    "collective_new_null": partial(_renamed, old=0, new=None),
    "collective_none": partial(_renamed, old=ABSENT, new=ABSENT),
    "collective_dangling": partial(_renamed, old=MISSING, new=ABSENT),
    "collective_dangling_new": partial(_renamed, old=None, new=MISSING),
    "current_both": partial(_current, old=True, new="Atual"),
    "former_both": partial(_current, old=False, new="Anterior"),
    "current_differs": partial(_current, old=True, new="Anterior", marks=("conflicting", None)),
    "former_differs": partial(_current, old=False, new="Atual", marks=("conflicting", None)),
    "current_absent": partial(_current, old=ABSENT, new=ABSENT),
    "current_null": partial(_current, old=None, new=" "),
    "current_text": partial(_current, old="sim", new=ABSENT, marks=(UNREADABLE, None)),
    "current_unknown": partial(_current, old=ABSENT, new="Arquivado", marks=(None, UNREADABLE)),
    "applicant_split": partial(_applicants, old=False),
    "applicant_split_beside_old": partial(_applicants, old=True),
}


# ---- the process's times


def _created(case: Case, *, value: object, mark: str | None = None, platform: object = ...) -> None:
    row = case.process
    if platform is not ...:
        drop(row, "completedAt")
        unread = platform is not ABSENT
        row.put("/_creationTime", platform, UNREADABLE if unread else None, "unreadable" if unread else "")
        case.created = case.updated or case.created
    else:
        case.created = row.doc["_creationTime"]
    row.put("/createdAt", value, mark, ("unreadable " if mark else "") + "assumed_time")


def _updated(case: Case, *, value: object, mark: str | None = None) -> None:
    case.updated = None
    case.process.put("/updatedAt", value, mark, "unreadable" if mark else "")


def _platform(case: Case, *, value: object, mark: str | None = None) -> None:
    case.process.put("/_creationTime", value, mark, "unreadable" if mark else "")


PROCESS_TIMES: Final[dict[str, Oddity]] = {
    "created_absent": partial(_created, value=ABSENT),
    "created_null": partial(_created, value=None),
    "created_nan": partial(_created, value="NaN", mark=UNREADABLE),
    "created_nan_token": partial(_created, value=number("NaN"), mark=UNREADABLE),
    "created_phrase": partial(_created, value="last spring", mark=UNREADABLE),
    "created_far": partial(_created, value=4 * 10**17, mark=UNREADABLE),
    "created_year_0": partial(_created, value=-62_150_000_000_000, mark=UNREADABLE),
    "created_true": partial(_created, value=True, mark=UNREADABLE),
    "created_and_platform_absent": partial(_created, value=ABSENT, platform=ABSENT),
    "created_and_platform_unreadable": partial(_created, value="NaN", mark=UNREADABLE, platform="Infinity"),
    "updated_absent": partial(_updated, value=ABSENT),
    "updated_infinity": partial(_updated, value="Infinity", mark=UNREADABLE),
    "updated_far_float": partial(_updated, value=number("1e400"), mark=UNREADABLE),
    "updated_list": partial(_updated, value=[1_700_000_000_000], mark=UNREADABLE),
    "platform_absent": partial(_platform, value=ABSENT),
    "platform_nan": partial(_platform, value="NaN", mark=UNREADABLE),
}


# ---- the process's own status (oddities 1 and 5)


def _field(case: Case, *, make: Callable[[Case, str | None], Field]) -> None:
    case.make_field = make


def _spelled(how: str, case: Case, current: str | None) -> Field:
    return spellings(current or other_code(case.rng))[how]


def _different(case: Case, current: str | None) -> Said:
    return by_code(other_code(case.rng, current))


def _different_name(case: Case, current: str | None) -> Said:
    return by_name(other_code(case.rng, current))


def _different_english(_: Case, current: str | None) -> Said:
    return by_code("completed" if current != "completed" else "cancelled")


def _outside(case: Case, _: str | None) -> Said:
    return by_code(case.rng.choice(OUTSIDE))


def _as_is(value: object, *_: object) -> Field:
    return value


_SPELLED: Final[dict[str, Callable[[Case, str | None], Field]]] = {
    f"spelled_{how}": partial(_spelled, how) for how in spellings("em_preparacao")
}
_MAKERS: Final[dict[str, Callable[[Case, str | None], Field]]] = {
    "different_code": _different,
    "different_name": _different_name,
    "different_english": _different_english,
    "outside": _outside,
    "absent": partial(_as_is, ABSENT),
    "null": partial(_as_is, None),
    "number": partial(_as_is, 4),
    "object": partial(_as_is, {"code": "rnm", "name": None}),
}
FIELDS: Final[dict[str, Oddity]] = {name: partial(_field, make=make) for name, make in (_SPELLED | _MAKERS).items()}
