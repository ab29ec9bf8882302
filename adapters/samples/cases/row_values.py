"""Oddities of one value of a history row or of a status row, each in a slot of its own."""

from functools import partial
from typing import Any, Final

from adapters.samples.cases.case import Case
from adapters.samples.cases.oddity import EXTRA, MISSING, Oddity, bad, puts, slot_row
from adapters.samples.cases.rows import DAY, FAR, NFC, NFD, drop, utc_day
from adapters.samples.cases.vocabulary import (
    OUTSIDE,
    UNKNOWN,
    Said,
    by_code,
    by_name,
    spellings,
)
from adapters.samples.truth import ABSENT, MAPPED, NORMALISED, UNREADABLE, Put, is_unset, number

# ---- rows of the middle: which status they name


def _says(case: Case, said: Said, *, slot: str, column: str) -> None:
    entry, row = case.slots[slot].entry, case.slots[slot].row
    entry.code = said.code
    row.marks.pop(f"/{column}", None)
    if said.code is None:
        unset = said.text is ABSENT or is_unset(said.text)
        row.put(f"/{column}", said.text, None if unset else UNREADABLE, "" if unset else "unreadable")
    else:
        row.say(column, said)
    case.forget_previous(entry)


def _says_oddly(case: Case, how: str, *, slot: str, column: str) -> None:
    _says(case, spellings(case.slots[slot].entry.code or "")[how], slot=slot, column=column)


def statuses(slot: str, column: str) -> dict[str, Oddity]:
    """Give the oddities of the status a row of a slot names."""
    where: dict[str, Any] = {"slot": slot, "column": column}
    odd: dict[str, Oddity] = {how: partial(_says_oddly, how=how, **where) for how in spellings("em_preparacao")}
    texts = {
        "outside_outer_blanks": Said(" aguardando ", "aguardando", outside=True),
        "outside_nfd": Said(f"com {NFD}", f"com {NFC}", outside=True),
        "absent": Said(ABSENT, None),
        "blank": Said(" ", None),
        "number": Said(7, None),
    }
    texts |= {f"outside_{index}": by_code(text) for index, text in enumerate(OUTSIDE)}
    return odd | {name: partial(_says, said=said, **where) for name, said in texts.items()}


def _previous(case: Case, *, said: Said) -> None:
    row = case.slots["history"].row
    row.say("previousStatus", said)
    row.find("previousStatus", "disagrees")


def _previous_spelled(case: Case) -> None:
    slot = case.slots["history"]
    before = case.entries[case.entries.index(slot.entry) - 1]
    slot.row.say("previousStatus", spellings(before.code or "")["name_upper"])


_WRONG: Final[dict[str, Oddity]] = {
    "wrong": partial(_previous, said=by_code("nova_solicitacao_visto")),
    "wrong_name": partial(_previous, said=by_name("entrada_brasil")),
    "wrong_outside": partial(_previous, said=by_code("review")),
    "spelled_oddly": _previous_spelled,
}
PREVIOUS: Final = _WRONG | puts(
    slot_row("history"), {"number": bad("/previousStatus", 1), "null": Put("/previousStatus", None)}
)


# ---- rows of the middle: author, notes, times


def _unknown_author(case: Case, *, slot: str, which: str) -> None:
    entry, row = case.slots[slot].entry, case.slots[slot].row
    values: dict[str, object] = case.world.unknown_authors | {"number": 17, "absent": ABSENT, "null": None, "blank": ""}
    value = values[which]
    is_set = value is not ABSENT and not is_unset(value)
    row.put("/changedBy", value, NORMALISED if is_set else None, "assumed_author")
    entry.author = UNKNOWN


def authors(slot: str) -> dict[str, Oddity]:
    """Give the oddities of the author of a slot."""
    names = ("placeholder", "dangling", "profile_id_of_a_user", "number", "absent", "null", "blank")
    return {name: partial(_unknown_author, slot=slot, which=name) for name in names}


NOTES: Final = {
    "nfd": Put("/notes", f"Falta {NFD}", NORMALISED),
    "outer_blanks": Put("/notes", "\tok ", NORMALISED),
    "blank": Put("/notes", "  "),
    "null": Put("/notes", None),
    "number": bad("/notes", 12),
    "list": bad("/notes", ["a", ""]),
    "long": Put("/notes", "Tudo de novo. " * 80 + "Fim", MAPPED, "outside_limit"),
    "emoji": Put("/notes", "Visto 🛂 emitido 👩🏽‍🔧"),
}


def _changed(case: Case, *, slot: str, value: object, without: tuple[str, ...] = ()) -> None:
    """Leave a row without a readable time of its change, and perhaps without what stands in for it."""
    entry, row = case.slots[slot].entry, case.slots[slot].row
    is_set = value is not ABSENT and not is_unset(value)
    row.put("/changedAt", value, UNREADABLE if is_set else None, ("unreadable " if is_set else "") + "assumed_time")
    drop(row, *without)
    if "createdAt" in without:
        row.find("createdAt", "assumed_time")
    entry.at = row.doc.get("createdAt", row.doc["_creationTime"])


_NO_TIMES: Final = {
    "absent": ABSENT,
    "null": None,
    "nan": "NaN",
    "infinity_token": number("Infinity"),
    "text": "ontem",
    "digits": "1700000000000",
    "year_0": -62_150_000_000_000,
    "far": 4 * 10**17,
    "true": True,
}


def times(slot: str) -> dict[str, Oddity]:
    """Give the oddities of the time of a slot's change."""
    return {name: partial(_changed, slot=slot, value=value) for name, value in _NO_TIMES.items()}


def _row_created(case: Case, *, value: object) -> None:
    is_set = value is not ABSENT and not is_unset(value)
    findings = ("unreadable " if is_set else "") + "assumed_time"
    case.slots["status"].row.put("/createdAt", value, UNREADABLE if is_set else None, findings)


def _evening(case: Case) -> None:
    """Let the change fall into the hours in which UTC is a day ahead, and date it as the backfill did."""
    slot = case.slots["status"]
    slot.entry.at += (25 * 3600_000 - slot.entry.at) % DAY
    slot.row.doc |= {"changedAt": slot.entry.at, "createdAt": slot.entry.at, "date": utc_day(slot.entry.at)}
    slot.row.doc["_creationTime"] = slot.entry.at + 0.5


STATUS_TIMES: Final[dict[str, Oddity]] = {f"changed_{name}": oddity for name, oddity in times("status").items()} | {
    "changed_and_created_absent": partial(_changed, slot="status", value=ABSENT, without=("createdAt",)),
    "created_absent": partial(_row_created, value=ABSENT),
    "created_nan": partial(_row_created, value="NaN"),
    "created_null": partial(_row_created, value=None),
    "backfilled_evening": _evening,
}


# ---- history rows: the rest


def _linked(case: Case, *, column: str, known: bool) -> None:
    row = case.slots["history"].row
    value = case.rng.choice(case.statuses).doc["_id"] if known else MISSING
    row.put(f"/{column}", value, None, "" if known else "dangling_reference")


_LINKS: Final[dict[str, Oddity]] = {
    f"{column}_{'known' if known else 'dangling'}": partial(_linked, column=column, known=known)
    for column in ("previousStatusId", "newStatusId")
    for known in (True, False)
}
HISTORY_REST: Final = _LINKS | puts(
    slot_row("history"),
    EXTRA
    | {
        "metadata_empty": Put("/metadata", {}),
        "metadata_text": Put("/metadata", "imported by hand"),
        "metadata_list": Put("/metadata", [{"step": 1, "by": ""}, "x"]),
        "metadata_nested": Put("/metadata", {"a/b": {"~": [1, 2.5, None]}, "ok": False, "n": 0}),
        "metadata_outer_blanks": Put("/metadata", {"reason": " typed ", "none": None}),
        "metadata_far": bad("/metadata", {"count": FAR}),
    },
)
