"""Odd courses of a case: nobody knows its status, several rows claim to be it, or changes came after it."""

from functools import partial
from typing import Final

from adapters.samples.cases.case import Case, Entry
from adapters.samples.cases.courses import Course, activate, apply, before, doubled, english, modern
from adapters.samples.cases.rows import DAY, drop, legacy_id
from adapters.samples.cases.vocabulary import (
    ENGLISH,
    Said,
    by_code,
    by_name,
    other_code,
)
from adapters.samples.truth import ABSENT, CONFLICTING, UNREADABLE

# ---- oddity 3 and the like: nobody knows


def _none_active(case: Case, *, field: object = None) -> None:
    before(case)
    said = by_name(case.code) if field is None else field
    case.make_field = lambda *_: said


def _failed_insert(case: Case) -> None:
    before(case)
    code = other_code(case.rng, case.code)
    case.tell(case.change(code))
    case.make_field = lambda *_: by_code(code)


def _flag(case: Case, *, value: object) -> None:
    before(case)
    is_set = value not in (None, ABSENT)
    case.statuses[-1].put("/isActive", value, UNREADABLE if is_set else None, "unreadable" if is_set else "")


def _nothing(case: Case, *, field: object) -> None:
    case.make_field = lambda *_: field


def _field_only(case: Case, *, said: Said) -> None:
    case.now += 30 * DAY
    case.make_field = lambda *_: said


UNDETERMINED: Final[dict[str, Course]] = {
    "active_deleted": partial(_none_active, field=ABSENT),
    "active_deleted_field_blank": partial(_none_active, field=" "),
    "bulk_named_no_status": _none_active,
    "bulk_typed": partial(_none_active, field=by_code("aguardando retorno")),
    "failed_insert": _failed_insert,
    "active_as_text": partial(_flag, value="true"),
    "active_as_number": partial(_flag, value=1),
    "active_null": partial(_flag, value=None),
    "active_absent": partial(_flag, value=ABSENT),
    "nothing": partial(_nothing, field=ABSENT),
    "nothing_but_blank": partial(_nothing, field="  "),
    "nothing_but_number": partial(_nothing, field=3),
}
FIELD_ONLY: Final[dict[str, Course]] = {
    "field_only_english": partial(_field_only, said=by_code("submitted_to_government")),
    "field_only_code": partial(_field_only, said=by_code("em_tramite")),
    "field_only_name": partial(_field_only, said=by_name("emissao_vitem")),
    "field_only_outside": partial(_field_only, said=by_code("aprovado em parte")),
}


# ---- oddity 4: several active rows


def _several(case: Case, *, losers: int, same_time: bool = False, same_code: bool = False) -> None:
    before(case)
    earlier = [apply(case, _next(case), told=False) for _ in range(losers)]
    code = case.code if same_code else _next(case)
    last = case.change(code, after=0 if same_time else None)
    row = case.show(last, active=True)
    if same_time:
        # neither the time nor the platform's decides: the greater id does
        for entry, letter in ((earlier[-1], "k"), (last, "z")):
            entry.first.doc |= {"_id": letter + legacy_id(case.rng)[1:], "_creationTime": last.at}
    for entry in earlier:
        entry.first.put("/isActive", True, CONFLICTING, "several_active")
    row.dispute("isActive", "latest_change")
    case.active, case.several_active = last, True


def _next(case: Case) -> str:
    return other_code(case.rng, case.code)


def _twins_active(case: Case) -> None:
    """Two active rows of one change: it holds, and yet one of its rows lost."""
    before(case)
    entry = apply(case, _next(case), told=False)
    row, twin = entry.first, case.show(entry)
    for column in ("notes", "date", "fillableFields", "filledFieldsData", "maxDeliveryDate", "clientDeadlineDate"):
        twin.put(f"/{column}", row.doc.get(column, ABSENT))
    chosen, other = sorted((row, twin), key=lambda found: found.key, reverse=True)
    chosen.doc["isActive"] = True
    other.put("/isActive", True, CONFLICTING, "several_active")
    chosen.dispute("isActive", "latest_change")
    case.active, case.several_active = entry, True


SEVERAL: Final[dict[str, Course]] = {
    "two_active": partial(_several, losers=1),
    "three_active": partial(_several, losers=2),
    "two_active_same_status": partial(_several, losers=1, same_code=True),
    "two_active_same_time": partial(_several, losers=1, same_time=True),
    "two_active_one_change": _twins_active,
}


# ---- changes after the active row


def _supersede(entry: Entry) -> None:
    entry.superseded = True
    entry.first.find("changedAt", "disagrees")


def _later(case: Case, *, told: bool, shown: bool, count: int = 1) -> None:
    modern(case)
    active = case.entries[-1]
    case.make_field = lambda *_: by_code(active.code or "")
    for turn in range(count):
        entry = case.change(_next(case))
        if told:
            row = case.tell(entry)
            if turn:
                drop(row, "previousStatus")
        if shown:
            case.show(entry)
        _supersede(entry)


def _later_same_status(case: Case) -> None:
    modern(case)
    entry = case.change(case.code)
    case.tell(entry, notes="Sem novidades.")
    _supersede(entry)


def _stuck(case: Case) -> None:
    """Oddity 6: a bulk update wrote a case code, which the table of transitions did not know."""
    english(case, 2)
    case.make_field = lambda *_: by_code("em_tramite")


def _tied(case: Case, *, by_platform: bool) -> None:
    english(case, 2)
    earlier = case.entries[-1]
    code = "cancelled" if case.code != "cancelled" else "pending_documents"
    later = case.change(code, after=0)
    row = case.tell(later)
    for entry, letter, more in ((earlier, "z" if by_platform else "a", 0.25), (later, "b", 0.5)):
        entry.first.doc["_id"] = letter + legacy_id(case.rng)[1:]
        entry.first.doc["_creationTime"] = later.at + (more if by_platform else 0.5)
    drop(row, "metadata")


def _no_time(case: Case) -> None:
    """A history row without any time stands where the bundle begins."""
    case.opening = None
    entry = case.change("pending_documents", after=0)
    row = case.tell(entry)
    drop(row, "changedAt", "_creationTime", "previousStatus")
    row.find("changedAt", "assumed_time")
    case.process.doc["_creationTime"] = case.created + 0.5
    for _ in range(2):
        case.tell(case.change(case.rng.choice(ENGLISH[case.code])))


# ---- the opening entry


def _opening_known(case: Case) -> None:
    """A status row from before the first history row has the status that row speaks of."""
    case.show(case.change("em_preparacao"))
    case.tell(case.change("em_tramite"), previousStatus="em_preparacao")
    case.show(case.entries[-1])
    activate(case, case.entries[-1])


def _opening_beside(case: Case) -> None:
    """A status row from before the first history row has another status."""
    case.show(case.change("em_preparacao"))
    case.tell(case.change("em_tramite"))
    case.show(case.entries[-1])
    activate(case, case.entries[-1])
    case.opening = by_code("nova_solicitacao_visto")
    case.history[0].find("previousStatus", "disagrees")


def _opening(case: Case, *, said: Said, late: bool = False) -> None:
    case.tell(case.change("documents_submitted"))
    case.tell(case.change("documents_approved"))
    case.opening = said
    if late:
        case.created = case.entries[0].at + DAY
        case.process.doc["createdAt"] = case.created


LATER: Final[dict[str, Course]] = {
    "later_history_row": partial(_later, told=True, shown=False),
    "later_history_rows": partial(_later, told=True, shown=False, count=2),
    "later_status_row": partial(_later, told=False, shown=True),
    "later_change_of_both": partial(_later, told=True, shown=True),
    "later_same_status": _later_same_status,
}
HISTORIES: Final[dict[str, Course]] = {
    "stuck_with_code": _stuck,
    "tie_by_platform_time": partial(_tied, by_platform=True),
    "tie_by_id": partial(_tied, by_platform=False),
    "no_time_at_all": _no_time,
    "opening_known": _opening_known,
    "opening_beside_another": _opening_beside,
    "opening_name": partial(_opening, said=by_name("em_preparacao")),
    "opening_outside": partial(_opening, said=by_code("draft")),
    "opening_before_creation": partial(_opening, said=by_code("pending_documents"), late=True),
    "doubled": partial(doubled, notes=True, same_author=True),
    "doubled_other_author": partial(doubled, notes=True, same_author=False),
    "doubled_without_notes": partial(doubled, notes=False, same_author=True),
}
ODD: Final = UNDETERMINED | FIELD_ONLY | SEVERAL | LATER | HISTORIES
FIXED_FIELD: Final = UNDETERMINED.keys() | FIELD_ONLY.keys() | {"stuck_with_code"}
"""The courses that say what stands in the process's own status."""
