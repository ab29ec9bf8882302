"""Oddities of one change that several rows tell of (K4, K5): which author, notes and other values count."""

from collections.abc import Callable
from functools import partial
from typing import Final

from adapters.samples.cases.case import Case, Entry
from adapters.samples.cases.oddity import Oddity
from adapters.samples.cases.rows import NFC, NFD, Row, drop, legacy_id
from adapters.samples.cases.vocabulary import UNKNOWN, by_code, other_code
from adapters.samples.truth import ABSENT, CONFLICTING, NORMALISED, UNREADABLE

_RULE: Final = "history_row"
_DANGLING: Final = "dangling"


def _pair(case: Case) -> tuple[Entry, Row, Row]:
    slot = case.slots["pair"]
    if slot.history is None or slot.status is None:
        raise LookupError("pair")
    return slot.entry, slot.history, slot.status


def _notes(case: Case, first: object, second: object, marks: tuple[str | None, str | None] = (None, None)) -> None:
    _, history, status = _pair(case)
    for row, value, mark in zip((history, status), (first, second), marks, strict=True):
        row.put("/notes", value, mark, "unreadable" if mark == UNREADABLE else "")
    if CONFLICTING in marks:
        history.dispute("notes", _RULE)


def _other_author(case: Case) -> None:
    entry, history, status = _pair(case)
    status.put("/changedBy", case.world.other_author(entry.author), CONFLICTING)
    history.dispute("changedBy", _RULE)


def _author_in_status_only(case: Case, *, value: object = ABSENT) -> None:
    _pair(case)[1].put("/changedBy", value)


def _no_author(case: Case) -> None:
    entry, history, status = _pair(case)
    history.put("/changedBy", ABSENT, None, "assumed_author")
    status.put("/changedBy", "  ")
    entry.author = UNKNOWN


def _unknown_in_both(case: Case) -> None:
    entry, history, status = _pair(case)
    for row in (history, status):
        row.put("/changedBy", case.world.unknown_authors[_DANGLING], NORMALISED, "assumed_author")
    entry.author = UNKNOWN


def _unknown_in_history(case: Case) -> None:
    entry, history, status = _pair(case)
    history.put("/changedBy", case.world.unknown_authors[_DANGLING], NORMALISED, "assumed_author")
    status.put("/changedBy", entry.author, CONFLICTING)
    history.dispute("changedBy", _RULE)
    entry.author = UNKNOWN


def _all_differ(case: Case) -> None:
    _notes(case, "Enviado", "enviado", (None, CONFLICTING))
    _other_author(case)


# ---- more rows of the same change


def _third(case: Case) -> tuple[Row, Row, Row]:
    """Add a status row; of the two the one with the greater id comes first, after the history row."""
    entry, history, status = _pair(case)
    case.show(entry)
    third = entry.rows[-1]
    for column in ("notes", "date", "caseStatusId", "isActive"):
        third.put(f"/{column}", status.doc.get(column, ABSENT))
    drop(third, "filledFieldsData", "fillableFields")
    first, second = sorted((status, third), key=lambda row: row.key, reverse=True)
    return history, first, second


def _three_notes(case: Case) -> None:
    history, first, second = _third(case)
    history.put("/notes", None)
    first.put("/notes", "um")
    second.put("/notes", "dois", CONFLICTING)
    first.dispute("notes", _RULE)


def _three_different_notes(case: Case) -> None:
    history, first, second = _third(case)
    for row, text in zip((history, first, second), ("um", "dois", "três"), strict=True):
        row.put("/notes", text, None if row is history else CONFLICTING)
    history.dispute("notes", _RULE)


def _column_differs(case: Case, *, column: str, chosen: object, other: object) -> None:
    _, first, second = _third(case)
    first.put(f"/{column}", chosen)
    second.put(f"/{column}", other, CONFLICTING)
    first.dispute(column, _RULE)


def _case_status_differs(case: Case) -> None:
    _, first, second = _third(case)
    second.put("/caseStatusId", case.world.status_ids["em_analise_tecnica"], CONFLICTING)
    first.dispute("caseStatusId", _RULE)


def _key_differs(case: Case) -> None:
    _, first, second = _third(case)
    first.doc["filledFieldsData"] = {"douPage": "3", "douNumber": "12"}
    second.doc["filledFieldsData"] = {"douPage": "4", "douNumber": "12", "douSection": "1"}
    second.marks["/filledFieldsData/douPage"] = CONFLICTING
    first.dispute("filledFieldsData/douPage", _RULE)


def _second_history_row(case: Case, change: Callable[[Row, Row], None]) -> None:
    """Add a history row of the same change, written by the platform a little later."""
    entry, history, _ = _pair(case)
    twin = case.tell(entry)
    twin.doc = dict(history.doc) | {"_id": legacy_id(case.rng), "_creationTime": history.doc["_creationTime"] + 2}
    change(history, twin)


def _twin_notes(history: Row, twin: Row) -> None:
    history.put("/notes", "um")
    twin.put("/notes", "dois", CONFLICTING)
    history.dispute("notes", _RULE)


def _notes_twice(case: Case) -> None:
    _pair(case)[2].put("/notes", ABSENT)
    _second_history_row(case, _twin_notes)


def _twin_metadata(history: Row, twin: Row) -> None:
    history.put("/metadata", {"source": "form", "step": 1})
    twin.put("/metadata", {"source": "api", "step": 1, "more": {"x": None, "y": 2}}, CONFLICTING)
    history.dispute("metadata", _RULE)


# ---- nearly the same change


def _nearly(case: Case, *, after: int, other: bool) -> None:
    """Let the status row stand for another change: a moment later, or of another status."""
    entry, history, status = _pair(case)
    following = case.entries.index(entry) + 1
    code = other_code(case.rng, entry.code, "exigencia") if other else entry.code
    case.forget_previous(entry)
    entry.rows.remove(status)
    row_entry = Entry(code, entry.at + after, entry.author, entry.notes, [status])
    case.entries.insert(following, row_entry)
    status.say("statusName", by_code(code or ""))
    status.doc |= {"changedAt": row_entry.at, "createdAt": row_entry.at, "_creationTime": row_entry.at + 7.5}
    history.doc["_creationTime"] = entry.at + 5.25


CHANGES: Final[dict[str, Oddity]] = {
    "notes_equal": partial(_notes, first="Enviado.", second="Enviado."),
    "notes_equal_nfd": partial(_notes, first=NFC, second=NFD, marks=(None, NORMALISED)),
    "notes_equal_trimmed": partial(_notes, first=" Enviado.", second="Enviado.", marks=(NORMALISED, None)),
    "notes_differ": partial(_notes, first="Enviado.", second="Recebido.", marks=(None, CONFLICTING)),
    "notes_in_status_only": partial(_notes, first=ABSENT, second="Recebido."),
    "notes_blank_in_history": partial(_notes, first="  ", second="Recebido."),
    "notes_blank_in_status": partial(_notes, first="Enviado.", second=""),
    "notes_unreadable_in_history": partial(_notes, first=5, second="Recebido.", marks=(UNREADABLE, None)),
    "authors_differ": _other_author,
    "author_in_status_only": _author_in_status_only,
    "author_blank_in_history": partial(_author_in_status_only, value=" "),
    "author_in_neither": _no_author,
    "author_unknown_in_both": _unknown_in_both,
    "author_unknown_in_history": _unknown_in_history,
    "all_differ": _all_differ,
    "two_status_rows_notes": _three_notes,
    "three_rows_three_notes": _three_different_notes,
    "dates_differ": partial(_column_differs, column="date", chosen="2024-03-05", other="2024-03-06"),
    "fillable_differs": partial(_column_differs, column="fillableFields", chosen=["douPage"], other=["cboId"]),
    "case_status_differs": _case_status_differs,
    "filled_value_differs": _key_differs,
    "history_row_twice": partial(_second_history_row, change=lambda *_: None),
    "history_row_twice_other_notes": _notes_twice,
    "history_row_twice_other_metadata": partial(_second_history_row, change=_twin_metadata),
    "a_millisecond_later": partial(_nearly, after=1, other=False),
    "same_time_other_status": partial(_nearly, after=0, other=True),
}
