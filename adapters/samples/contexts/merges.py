"""Oddities of the same field in two contexts, and of the order of the contexts."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Final

from adapters.samples.contexts.people import EPOCH, INTENT, Bundle, Oddity, make_context, make_profile
from adapters.samples.contexts.values import FAR, NFD
from adapters.samples.truth import ABSENT, CONFLICTING, NORMALISED, UNREADABLE, number

Marks = str | dict[str, str] | None
_KEEP: Final = ...


@dataclass(frozen=True)
class Pair:
    """Gives a blob field one value in the first context, another in the second, and none in the others."""

    at: str
    first: Any
    second: Any
    marks: tuple[Marks, Marks] = (None, None)
    findings: tuple[str, str] = ("", "")
    conflicts: int = 0

    def __call__(self, bundle: Bundle) -> None:
        """Write both values into the bundle."""
        at = f"/data/{self.at}"
        for context in bundle.contexts:
            if context.profile and "/" not in self.at:
                context.profile.put(at, ABSENT)
        values = (self.first, self.second)
        for context, value, marks, codes in zip(bundle.contexts, values, self.marks, self.findings, strict=False):
            if value is not _KEEP:
                context.blob.put(at, value, None, codes)
            below = marks if isinstance(marks, dict) else {"": marks} if marks else {}
            context.blob.marks |= {f"{at}{under}": mark for under, mark in below.items()}
        bundle.contexts[1].blob.conflicts += self.conflicts


_NONE: Final = (None, None)
_SECOND_BAD: Final = ((None, UNREADABLE), ("", "unreadable"))
_LATER_LOSES: Final = ((None, CONFLICTING), ("", ""), 1)
_EARLIER_LOSES: Final = ((CONFLICTING, None), ("", ""), 1)

# C16: the first set value is chosen
FIRST_WINS: Final[dict[str, Oddity]] = {
    "location_differs": Pair("location", "Bern", "Basel", *_LATER_LOSES),
    "name_differs": Pair("name", "Ada", "Ada Lind", *_LATER_LOSES),
    "age_differs": Pair("ageRange", "25-34", "35-44", *_LATER_LOSES),
    "age_differs_phrase": Pair("ageRange", "25-34", "late 20s", (None, CONFLICTING), ("", "outside_vocabulary"), 1),
    "age_phrase": Pair("ageRange", "early 30s", "early 30s", _NONE, ("outside_vocabulary", "outside_vocabulary")),
    "location_case_differs": Pair("location", "Bern", "bern", *_LATER_LOSES),
    "location_inner_blanks": Pair("location", "St. Gallen", "St.  Gallen", *_LATER_LOSES),
    "location_equal": Pair("location", "Genève", "Genève"),
    "name_nfd": Pair("name", "Zoë", NFD, (None, NORMALISED)),
    "name_first_nfd": Pair("name", NFD, "Zoë", (NORMALISED, None)),
    "age_outer_blanks": Pair("ageRange", "25-34", " 25-34 ", (None, NORMALISED)),
    "first_outer_blanks": Pair("location", "Bern \n", "Bern", (NORMALISED, None)),
    "first_blank": Pair("location", "   ", "Bern"),
    "second_null": Pair("location", "Bern", None),
    "second_empty_object": Pair("location", "Bern", {}),
    "location_number": Pair("location", "Bern", 3000, *_SECOND_BAD),
    "location_object": Pair("location", "Bern", {"city": "Bern", "zip": None}, *_SECOND_BAD),
    "name_list": Pair("name", ["Ada", "Lind"], "Ada", (UNREADABLE, None), ("unreadable", "")),
}
# C17: the union of exact texts
UNIONS: Final[dict[str, Oddity]] = {
    "case_and_blanks": Pair("coreValues", ["Honesty", "honesty"], ["honesty ", "Honesty", "humour"]),
    "nfd_items": Pair("constraints", ["Zoë", NFD], [NFD]),
    "blank_items": Pair("coreValues", ["", "  ", None, "calm"], [[], {}, "calm"]),
    "number_item": Pair("coreValues", ["calm"], ["calm", 7], (None, {"/1": UNREADABLE}), ("", "unreadable")),
    "object_item": Pair(
        "constraints",
        [{"days": ["Mo", ""]}, "evenings"],
        _KEEP,
        ({"/0": UNREADABLE}, None),
        ("unreadable", ""),
    ),
    "two_bad_items": Pair(
        "coreValues",
        _KEEP,
        [True, "calm", 1],
        (None, {"/0": UNREADABLE, "/2": UNREADABLE}),
        ("", "unreadable unreadable"),
    ),
    "json_text": Pair("coreValues", ["calm"], '["honesty", "humour"]', (None, NORMALISED)),
    "json_text_twice": Pair("coreValues", json.dumps('["honesty"]'), ["calm"], (NORMALISED, None)),
    "plain_text": Pair("coreValues", ["calm"], "honesty, humour", *_SECOND_BAD),
    "json_text_of_object": Pair("constraints", _KEEP, '{"days": 2}', *_SECOND_BAD),
    "object": Pair("coreValues", ["calm"], {"first": "honesty", "rest": []}, *_SECOND_BAD),
    "number": Pair("constraints", 4, _KEEP, (UNREADABLE, None), ("unreadable", "")),
}
# C18: the last value of a key is chosen, C20 numbers that cannot be stored
MERGES: Final[dict[str, Oddity]] = {
    "key_overwritten": Pair("beliefs/faith", "spiritual", "none", *_EARLIER_LOSES),
    "key_overwritten_equal": Pair("beliefs/faith", "spiritual", "spiritual"),
    "key_overwritten_trim": Pair("beliefs/faith", "spiritual ", "spiritual", (NORMALISED, None)),
    "key_overwritten_nfd": Pair("lifestyle/diet", f"like {NFD}", "like Zoë ", (NORMALISED, None)),
    "key_overwritten_other_type": Pair("lifestyle/pets", [1, "cat", None], {"cats": 2}, *_EARLIER_LOSES),
    "key_partly_equal": Pair("lifestyle/week", {"mo": 1, "tu": 2}, {"mo": 1, "tu": 3}, *_EARLIER_LOSES),
    "key_order_differs": Pair("lifestyle/week", {"mo": 1, "tu": [2]}, {"tu": [2], "mo": 1}),
    "true_is_not_1": Pair("lifestyle/drinks", first=True, second=1, marks=(CONFLICTING, None), conflicts=1),
    "unset_never_overrides": Pair("beliefs/faith", "spiritual", ""),
    "nested_unset": Pair("beliefs/views", {"a": "x", "b": {"c": None, "d": []}, "e": " "}, _KEEP),
    "odd_keys": Pair("lifestyle", _KEEP, {"a/b~c": "x", "naïve 🙂": {"~1": 0}}),
    "list": Pair("beliefs", _KEEP, ["green", {"faith": None}], *_SECOND_BAD),
    "plain_text": Pair("beliefs", "none really", _KEEP, (UNREADABLE, None), ("unreadable", "")),
    "json_text": Pair("beliefs", _KEEP, '{"faith": "none"}', (None, NORMALISED)),
    "far_integer": Pair(
        "beliefs/votes", {"count": FAR, "fine": 1, "no": None}, _KEEP, (UNREADABLE, None), ("unreadable", "")
    ),
    "far_float": Pair("lifestyle/steps", _KEEP, number("1e400"), *_SECOND_BAD),
    "long_float": Pair("lifestyle/height", _KEEP, [number("1.234567890123456789012345")], *_SECOND_BAD),
    "last_integer": Pair("lifestyle/steps", 2**63 - 1, -(2**63), *_EARLIER_LOSES),
}
_PACE: Final = Pair("interactionStyle/pace", "slow", "fast", *_EARLIER_LOSES)


def _ordered(bundle: Bundle, later: timedelta, **stamps: Any) -> None:
    """Put the second context `later` than the first, set columns of both, and let them conflict (C15)."""
    first, second = bundle.contexts[:2]
    second.when = first.when + later
    for context, which in ((first, "first"), (second, "second")):
        context.row.doc["createdAt"] = context.when.isoformat(timespec="milliseconds")
        context.row.doc["updatedAt"] = (context.when + timedelta(days=1)).isoformat(timespec="milliseconds")
        for column, value in stamps.get(which, {}).items():
            context.row.put(f"/{column}", value(context.when) if callable(value) else value)
    _PACE(bundle)


def _millis(when: datetime) -> int:
    return (when - EPOCH) // timedelta(milliseconds=1)


def _zoneless(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat(" ", timespec="milliseconds")


def _tied(bundle: Bundle, *, ids: tuple[str, str]) -> None:
    _ordered(bundle, timedelta(), first={"createdAt": _millis}, second={"createdAt": _zoneless})
    for context, start in zip(bundle.contexts, ids, strict=False):
        context.rename(f"{start}-{bundle.serial}")


def _text_order_lies(bundle: Bundle) -> None:
    first = bundle.contexts[0]
    first.when = first.when.replace(hour=23, minute=30)
    east = timezone(timedelta(hours=2))
    _ordered(bundle, timedelta(minutes=20), first={"createdAt": lambda when: when.astimezone(east).isoformat()})


def _by_update(bundle: Bundle, index: int, *, created: object, mark: str | None, findings: str) -> None:
    same = {"updatedAt": lambda when: when.isoformat(timespec="milliseconds")}
    _ordered(bundle, timedelta(days=1, milliseconds=1), **{("first", "second")[index]: same})
    bundle.contexts[index].row.put("/createdAt", created, mark, findings)


ORDER: Final[dict[str, Oddity]] = {
    "tie_by_id": partial(_tied, ids=("Ctx-Zug", "ctx-apfel")),
    "tie_by_id_of_one_length": partial(_tied, ids=("ctx-a", "ctx-b")),
    "text_order_lies": _text_order_lies,
    "one_millisecond": lambda bundle: _ordered(bundle, timedelta(milliseconds=1), second={"createdAt": _millis}),
    "first_by_update": partial(_by_update, index=0, created=ABSENT, mark=None, findings="assumed_time"),
    "second_by_update": partial(
        _by_update,
        index=1,
        created="0000-01-01T00:00:00Z",
        mark=UNREADABLE,
        findings="unreadable assumed_time",
    ),
}


def second_row_of_one_type(bundle: Bundle) -> None:
    """C19: three texts in both rows: equal, different only by blanks, and different."""
    older = bundle.contexts[1]
    when = bundle.contexts[-1].when + timedelta(days=3)
    later = make_context(bundle.rng, older.kind, older.row.doc["userId"], when)
    later.row.doc["tonePreference"] = older.row.doc["tonePreference"]
    equal, blanks, differs = [name for name, offered in INTENT[older.kind].items() if offered][:3]
    data = {name: offered.split()[0] for name, offered in INTENT[older.kind].items() if offered}
    later.profile = make_profile(
        bundle.rng, older.kind, later.row.doc["id"], when, {n: data[n] for n in (equal, blanks, differs)}
    )
    for name in INTENT[older.kind]:
        older.blob.put(f"/data/{name}", ABSENT)
    older.blob.put(f"/data/{equal}", data[equal])
    older.blob.put(f"/data/{blanks}", f" {data[blanks]}", NORMALISED)
    older.blob.put(f"/data/{differs}", INTENT[older.kind][differs].split()[1], CONFLICTING)
    older.blob.conflicts += 1
    bundle.contexts.append(later)
