"""A legacy export of the contexts system as it could have been found, with the class of every leaf.

Most users are plain. An oddity belongs to a group, and each group has a place of its own in a user's records
(the pair of the first two contexts, the third context's row, …), so that oddities of several groups meet in
one user without changing each other's classes. The numbers C1–C23 are those of `docs/legacy/contexts.md`.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from adapters.samples.truth import (
    ABSENT,
    CONFLICTING,
    DERIVED,
    MAPPED,
    NORMALISED,
    QUARANTINED,
    STANDING_WAYS,
    UNMAPPED,
    UNREADABLE,
    Layout,
    Put,
    Record,
    SampleWriter,
    Truth,
    broken_ways,
    make_rng,
    number,
)

TABLES: Final = ("User", "ContextProfile", "Profile", "ChatMessage")
PLANTED: Final = 20
"""So many users hold every oddity; those after them draw theirs."""

_COLUMNS: Final = {
    "User": {"id", "email", "name", "createdAt", "updatedAt"},
    "ContextProfile": {"id", "userId", "contextType", "tonePreference", "createdAt", "updatedAt"},
    "Profile": {"id", "contextProfileId", "createdAt", "updatedAt"},
    "ChatMessage": set[str](),
}
_SHARED: Final = {
    *("name", "location", "ageRange", "coreValues", "constraints", "beliefs", "interactionStyle", "lifestyle")
}
_INTENT: Final[dict[str, dict[str, str]]] = {
    "romantic": {
        "relationshipTimeline": "taking_my_time open_to_soon actively_looking",
        "exclusivityExpectation": "monogamous open figuring_it_out",
        "familyIntentions": "want_kids dont_want_kids open already_have",
        "attractionImportance": "critical important balanced less_important",
    },
    "friendship": {
        "friendshipDepth": "casual close best_friend",
        "groupActivityPreference": "one_on_one small_group large_group flexible",
        "emotionalSupportExpectation": "minimal moderate high",
    },
    "professional": {
        "partnershipType": "cofounder collaborator advisor employee contractor",
        "commitmentHorizon": "project_based ongoing long_term",
        "equityOrRevShare": "equity rev_share salary hybrid tbd",
        "complementarySkills": "",
    },
    "creative": {
        "creativeType": "music writing visual_art film performance other",
        "roleNeeded": "co_creator contributor feedback production",
        "processStyle": "structured spontaneous hybrid",
        "egoBalance": "shared_vision lead_follow independent",
        "compensationExpectation": "paid profit_share free depends",
    },
    "service": {
        "serviceType": "offering seeking",
        "budgetRange": "under_1k 1k_5k 5k_20k 20k_plus flexible",
        "timelineNeeded": "urgent weeks months flexible",
        "credentialsRequired": "licensed experienced portfolio flexible",
    },
}
_NAMES: Final = ("Ada", "Bruno", "Chiara", "Elif", "Fritz", "Goran", "Hana", "Jürg", "Lea", "Noé", "Zoë")
_CITIES: Final = ("Basel", "Bern", "Genève", "Lugano", "St. Gallen", "Zürich", "Lyon", "Malmö", "Utrecht")
_AGES: Final = ("18-24", "25-34", "35-44", "45-54", "55+")
_VALUES: Final = ("honesty", "humour", "curiosity", "loyalty", "kindness", "ambition", "calm", "independence")
_LIMITS: Final = ("no smoking", "weekends only", "within 30 km", "evenings after 7", "allergic to cats")
_SKILLS: Final = ("bookkeeping", "Python", "sales", "product design", "video editing", "contract law")
_INTENTS: Final = (
    "Someone to cook and laugh with on slow evenings.",
    "Looking for a person who finishes what we start",
    "A hiking partner, mostly in autumn",
    "I want to build something small that lasts.",
)
_WISHES: Final = (
    "likes long walks",
    "reads a lot",
    "early riser",
    "plays an instrument",
    "lives near the lake",
)
_REFUSALS: Final = ("smoking", "shouting", "always late", "no sense of humour")
_SAYINGS: Final = (
    "Could you help me describe what I am looking for?",
    "I moved here two years ago and work in a bakery.",
    "What matters most to you in the first weeks?",
    "Somewhere around the lake would be best 🙂",
    "Thanks, that sounds right.",
)
_ALNUM: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FAR: Final = 10**25
_LONG: Final = "All of it, from the start. " * 3800
_NFD: Final = "Zoe\u0308"


def class_of(record: Record, at: str) -> str:
    """Give the class of a set leaf of a record that was taken in, when nothing odd is said about it."""
    column, _, rest = at[1:].partition("/")
    if record.table == "Profile" and column == "data":
        own = rest.partition("/")[0]
        return MAPPED if own in _SHARED or own in _INTENT[record.kind] else UNMAPPED
    if record.table == "Profile" and column in {"completeness", "missing"}:
        return DERIVED
    return MAPPED if column in _COLUMNS[record.table] else UNMAPPED


@dataclass
class Context:
    """A context row with its Profile row; `standing` tells whether messages may name it."""

    kind: str
    row: Record
    profile: Record | None
    when: datetime
    standing: bool = True

    @property
    def blob(self) -> Record:
        """Give the Profile row of a context that is known to have one."""
        if self.profile is None:
            raise LookupError(self.kind)
        return self.profile

    def rename(self, row_id: str) -> None:
        """Give the context another id, and its Profile row the same."""
        self.row.doc["id"] = row_id
        if self.profile:
            self.profile.doc["contextProfileId"] = row_id


@dataclass
class Bundle:
    """All records of one user, contexts oldest first; `neighbour` is the email of an earlier plain user."""

    rng: random.Random
    serial: int
    user: Record
    neighbour: str | None = None
    contexts: list[Context] = field(default_factory=list)
    messages: list[Record] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        """Give the records of the bundle."""
        profiles = [context.profile for context in self.contexts if context.profile]
        return [self.user, *(context.row for context in self.contexts), *profiles, *self.messages]


Oddity = Callable[[Bundle], None]

# ---- plain users


def cuid(rng: random.Random) -> str:
    """Give a row id as the old system drew them."""
    return "c" + "".join(rng.choices(_ALNUM, k=24))


def stamp(rng: random.Random, when: datetime) -> str | int:
    """Write a time in one of the notations exports hold."""
    style, plain = rng.random(), when.strftime("%Y-%m-%dT%H:%M:%S") + f".{when.microsecond // 1000:03}"
    if style < 0.1:
        return plain
    if style < 0.18:
        return plain.replace("T", " ")
    if style < 0.22:
        return (when - _EPOCH) // timedelta(milliseconds=1)
    if style < 0.26:
        return when.astimezone(timezone(timedelta(hours=2))).isoformat(timespec="milliseconds")
    return plain.removesuffix(".000") + "Z"


def _some(rng: random.Random, words: tuple[str, ...], most: int) -> list[str]:
    return rng.sample(words, rng.randint(0, most))


def _times(rng: random.Random, when: datetime) -> dict[str, Any]:
    return {
        "createdAt": stamp(rng, when),
        "updatedAt": stamp(rng, when + timedelta(seconds=rng.randint(0, 7_000_000))),
    }


def _person(rng: random.Random) -> dict[str, Any]:
    """Draw what a user says about themself in every context, the same each time."""
    return {
        "name": rng.choice(_NAMES),
        "location": rng.choice(_CITIES),
        "ageRange": rng.choice(_AGES),
        "coreValues": _some(rng, _VALUES, 4),
        "constraints": _some(rng, _LIMITS, 2),
        "beliefs": {
            "politics": rng.choice(("green", "undecided", "")),
            "money": {"saves": rng.random() < 0.5},
        },
        "interactionStyle": {"channel": rng.choice(("text", "calls", "in person"))},
        "lifestyle": {
            "sports": _some(rng, ("running", "judo", "swimming"), 2),
            "earlyRiser": rng.random() < 0.5,
        },
    }


def _own(rng: random.Random, kind: str) -> dict[str, Any]:
    fields = {name: rng.choice(offered.split()) for name, offered in _INTENT[kind].items() if offered}
    return fields | ({"complementarySkills": _some(rng, _SKILLS, 3)} if kind == "professional" else {})


def _blob(rng: random.Random, kind: str, person: dict[str, Any], *, modern: bool) -> dict[str, Any]:
    data: dict[str, Any] = {key: person[key] for key in ("name", "location", "ageRange") if rng.random() < 0.7}
    data["intent"] = rng.choice(_INTENTS)
    data |= {"preferences": _some(rng, _WISHES, 3), "dealbreakers": _some(rng, _REFUSALS, 2)}
    if modern:
        data |= {key: value for key, value in person.items() if key not in data and rng.random() < 0.5}
        data |= {key: value for key, value in _own(rng, kind).items() if rng.random() < 0.7}
    return json.loads(json.dumps(data))  # type: ignore[no-any-return]


def _profile(rng: random.Random, kind: str, parent: object, when: datetime, data: dict[str, Any]) -> Record:
    missing = [key for key in ("name", "ageRange", "location", "intent") if key not in data]
    doc = {
        "id": cuid(rng),
        "contextProfileId": parent,
        "data": data,
        "completeness": rng.randint(0, 6) * 100 // 6,
    }
    return Record("Profile", doc | {"missing": missing} | _times(rng, when + timedelta(minutes=3)), kind)


def _context(rng: random.Random, kind: str, user_id: object, when: datetime) -> Context:
    tone = rng.choice(("light", "light", "balanced", "serious"))
    doc = {"id": cuid(rng), "userId": user_id, "contextType": kind, "tonePreference": tone}
    return Context(kind, Record("ContextProfile", doc | _times(rng, when), kind), None, when)


def _message(rng: random.Random, user_id: object, context_id: object, when: datetime) -> Record:
    off = rng.random() < 0.12
    doc = {
        "id": cuid(rng),
        "userId": user_id,
        "contextProfileId": context_id,
        "role": rng.choice(("user", "assistant", "system")),
        "content": None if off else rng.choice(_SAYINGS),
        "offRecord": off,
    }
    return Record("ChatMessage", doc | {"createdAt": stamp(rng, when + timedelta(days=rng.random() * 90))})


def build(rng: random.Random, serial: int, contexts: int, *, odd: bool, second: str | None = None) -> Bundle:
    """Make a plain user; with `odd` every context has a Profile row, and `second` is the second type."""
    when = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(110_000_000))
    when += timedelta(milliseconds=rng.choice((0, rng.randrange(1000))))
    person, modern = _person(rng), rng.random() < 0.4
    email = f"{person['name'].lower()}.{serial}@example.org"
    doc = {"id": cuid(rng), "email": email, "name": person["name"]} | _times(rng, when)
    bundle = Bundle(rng, serial, Record("User", doc))
    kinds = rng.sample(list(_INTENT), 5)
    if second:
        kinds.remove(second)
        kinds.insert(1, second)
    for kind in kinds[:contexts]:
        when += timedelta(days=2 + rng.random() * 30)
        when = when.replace(microsecond=when.microsecond // 1000 * 1000)
        context = _context(rng, kind, doc["id"], when)
        if odd or rng.random() < 0.9:
            data = _blob(rng, kind, person, modern=modern)
            context.profile = _profile(rng, kind, context.row.doc["id"], when, data)
        bundle.contexts.append(context)
    return bundle


def _add_messages(bundle: Bundle, least: int) -> None:
    named = [context for context in bundle.contexts if context.standing]
    if named:
        for _ in range(max(least, bundle.rng.randint(0, 8))):
            context = bundle.rng.choice(named)
            doc = context.row.doc
            bundle.messages.append(_message(bundle.rng, bundle.user.doc["id"], doc["id"], context.when))


# ---- oddities: one value of one record


def _puts(target: Callable[[Bundle], Record], puts: Mapping[str, Put]) -> dict[str, Oddity]:
    """Bind values to their record of a bundle; `{own}` is the first intent field of its context."""

    def apply(put: Put, bundle: Bundle) -> None:
        record = target(bundle)
        foreign = "serviceType" if record.kind != "service" else "creativeType"
        put.on(record, own=next(iter(_INTENT[record.kind])) if record.kind else "", foreign=foreign)

    return {name: partial(apply, put) for name, put in puts.items()}


def _nested(levels: int) -> object:
    node: object = "end"
    for _ in range(levels):
        node = [node]
    return node


_EXTRA: Final = {
    "extra_column_set": Put("/schemaVersion", 3),
    "extra_column_nested": Put("/a b", {"c/d": {"e~f": "kept", "none": None}, "list": [1.5, " ", False]}),
    "extra_column_unset": Put("/legacyFlags", {"a": None, "b": [], "c": {"d": ""}}),
}
_TIMES: Final = {
    "created_absent": Put("/createdAt", ABSENT, None, "assumed_time"),
    "created_null": Put("/createdAt", None, None, "assumed_time"),
    "created_blank": Put("/createdAt", " ", None, "assumed_time"),
    "created_phrase": Put("/createdAt", "last spring", UNREADABLE, "unreadable assumed_time"),
    "created_no_such_day": Put("/createdAt", "2023-02-30T10:00:00Z", UNREADABLE, "unreadable assumed_time"),
    "created_year_0": Put("/createdAt", "0000-05-01T00:00:00.000Z", UNREADABLE, "unreadable assumed_time"),
    "created_year_12024": Put("/createdAt", "12024-05-01T00:00:00.000Z", UNREADABLE, "unreadable assumed_time"),
    "created_far_number": Put("/createdAt", 4 * 10**17, UNREADABLE, "unreadable assumed_time"),
    "created_true": Put("/createdAt", True, UNREADABLE, "unreadable assumed_time"),
    "created_list": Put("/createdAt", ["2023-05-01"], UNREADABLE, "unreadable assumed_time"),
    "updated_absent": Put("/updatedAt", ABSENT),
    "updated_null": Put("/updatedAt", None),
    "updated_phrase": Put("/updatedAt", "soon", UNREADABLE, "unreadable"),
    "updated_year_0": Put("/updatedAt", "0000-01-01 00:00:00", UNREADABLE, "unreadable"),
    "updated_without_zone": Put("/updatedAt", "2025-11-30T23:59:59"),
    "updated_blank_for_t": Put("/updatedAt", "2025-11-30 23:59:59.5"),
    "updated_offset": Put("/updatedAt", "2025-12-01T01:59:59.120+02:00"),
    "updated_number": Put("/updatedAt", 1764547199000),
}
_USER: Final = _EXTRA | {
    "name_null": Put("/name", None),
    "name_absent": Put("/name", ABSENT),
    "name_number": Put("/name", 7, UNREADABLE, "unreadable"),
    "name_list": Put("/name", ["Ada", None], UNREADABLE, "unreadable"),
    "name_nfd": Put("/name", _NFD, NORMALISED),
    "name_outer_blanks": Put("/name", "  Ada\t", NORMALISED),
    "name_emoji": Put("/name", "Ada 🌻👩‍💻"),
}
_CONTEXT: Final = _EXTRA | {
    "type_outer_blanks": Put("/contextType", lambda old: f" {old}\n", NORMALISED),
    "tone_outside": Put("/tonePreference", "formal", MAPPED, "outside_vocabulary"),
    "tone_case": Put("/tonePreference", "Light", MAPPED, "outside_vocabulary"),
    "tone_outer_blanks": Put("/tonePreference", " light ", NORMALISED),
    "tone_number": Put("/tonePreference", 3, UNREADABLE, "unreadable"),
    "tone_object": Put("/tonePreference", {"a": "light", "b": ["x", ""]}, UNREADABLE, "unreadable"),
    "tone_null": Put("/tonePreference", None),
    "tone_absent": Put("/tonePreference", ABSENT),
}
_PROFILE: Final = _EXTRA | {
    "completeness_0": Put("/completeness", 0),
    "completeness_140": Put("/completeness", 140),
    "completeness_text": Put("/completeness", "50%"),
    "completeness_null": Put("/completeness", None),
    "missing_null": Put("/missing", None),
    "missing_empty": Put("/missing", []),
    "missing_list": Put("/missing", ["ageRange", "", "location"]),
    "missing_text": Put("/missing", "location"),
    "integer_id": Put("/id", lambda old: int(old[1:], 36) % 10**15, NORMALISED),
}
_BLOB: Final = {
    "text": Put("/data", "romantic, 34, Bern", QUARANTINED),
    "blank_text": Put("/data", " ", QUARANTINED),
    "text_with_json": Put("/data", '{"location": "Bern"}', QUARANTINED),
    "null": Put("/data", None, QUARANTINED),
    "list": Put("/data", [{"location": "Bern"}, None, []], QUARANTINED),
    "empty_list": Put("/data", [], QUARANTINED),
    "number": Put("/data", 42.5, QUARANTINED),
    "false": Put("/data", False, QUARANTINED),
    "absent": Put("/data", ABSENT),
    "empty": Put("/data", {}),
}
_INTENT_VALUES: Final = {
    "phrase": Put("/data/{own}", "whenever it feels right", MAPPED, "outside_vocabulary"),
    "other_case": Put("/data/{own}", str.upper, MAPPED, "outside_vocabulary"),
    "outer_blanks": Put("/data/{own}", lambda old: f" {old}  ", NORMALISED),
    "number": Put("/data/{own}", 2, UNREADABLE, "unreadable"),
    "list": Put("/data/{own}", ["open", "", "flexible"], UNREADABLE, "unreadable"),
    "null": Put("/data/{own}", None),
    "blank": Put("/data/{own}", ""),
}
_SKILL_VALUES: Final = {
    "skills_exact": Put("/data/complementarySkills", ["Sales", "sales", "sales ", "", None]),
    "skills_number_item": Put("/data/complementarySkills", [3, ""], UNREADABLE, "unreadable"),
    "skills_as_json_text": Put("/data/complementarySkills", '["sales", "law"]', NORMALISED),
    "skills_as_text": Put("/data/complementarySkills", "sales, law", UNREADABLE, "unreadable"),
}
_UNMAPPED: Final = {
    "foreign_field": Put("/data/{foreign}", "offering"),
    "blank_lists": Put("/data", lambda old: old | {"preferences": [], "dealbreakers": []}),
    "blank_items": Put("/data/preferences", ["reads a lot", " ", "", None]),
    "preferences_text": Put("/data/preferences", "quiet people"),
    "dealbreakers_object": Put("/data/dealbreakers", {"hard": ["smoking"], "soft": []}),
    "emoji": Put("/data/intent", "Coffee ☕, then the lake 🏊‍♀️ and back 🇨🇭"),
    "long_text": Put("/data/intent", _LONG),
    "unknown_key": Put("/data/horoscope", "libra"),
    "unknown_unset": Put("/data/draft", {"a": [None, {}], "b": "\t"}),
    "far_number": Put("/data/score", [_FAR, number("1e400"), 0]),
    "nested_40": Put("/data/history", _nested(40)),
}
_MESSAGE: Final = _EXTRA | {
    "content_null": Put("/content", None),
    "off_record_text": Put("/offRecord", "true"),
    "dangling_context": Put("/contextProfileId", "cdangling000000000000ctx", None, "dangling_reference"),
    "role_outside": Put("/role", "moderator"),
    "content_number": Put("/content", 12),
    "content_long": Put("/content", _LONG),
    "created_null": Put("/createdAt", None),
    "created_phrase": Put("/createdAt", "yesterday"),
}

# ---- oddities: the same field in two contexts

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
_FIRST_WINS: Final[dict[str, Oddity]] = {
    "location_differs": Pair("location", "Bern", "Basel", *_LATER_LOSES),
    "name_differs": Pair("name", "Ada", "Ada Lind", *_LATER_LOSES),
    "age_differs": Pair("ageRange", "25-34", "35-44", *_LATER_LOSES),
    "age_differs_phrase": Pair("ageRange", "25-34", "late 20s", (None, CONFLICTING), ("", "outside_vocabulary"), 1),
    "age_phrase": Pair("ageRange", "early 30s", "early 30s", _NONE, ("outside_vocabulary", "outside_vocabulary")),
    "location_case_differs": Pair("location", "Bern", "bern", *_LATER_LOSES),
    "location_inner_blanks": Pair("location", "St. Gallen", "St.  Gallen", *_LATER_LOSES),
    "location_equal": Pair("location", "Genève", "Genève"),
    "name_nfd": Pair("name", "Zoë", _NFD, (None, NORMALISED)),
    "name_first_nfd": Pair("name", _NFD, "Zoë", (NORMALISED, None)),
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
_UNIONS: Final[dict[str, Oddity]] = {
    "case_and_blanks": Pair("coreValues", ["Honesty", "honesty"], ["honesty ", "Honesty", "humour"]),
    "nfd_items": Pair("constraints", ["Zoë", _NFD], [_NFD]),
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
_MERGES: Final[dict[str, Oddity]] = {
    "key_overwritten": Pair("beliefs/faith", "spiritual", "none", *_EARLIER_LOSES),
    "key_overwritten_equal": Pair("beliefs/faith", "spiritual", "spiritual"),
    "key_overwritten_trim": Pair("beliefs/faith", "spiritual ", "spiritual", (NORMALISED, None)),
    "key_overwritten_nfd": Pair("lifestyle/diet", f"like {_NFD}", "like Zoë ", (NORMALISED, None)),
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
        "beliefs/votes", {"count": _FAR, "fine": 1, "no": None}, _KEEP, (UNREADABLE, None), ("unreadable", "")
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
    return (when - _EPOCH) // timedelta(milliseconds=1)


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


_ORDER: Final[dict[str, Oddity]] = {
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


def _second_row_of_one_type(bundle: Bundle) -> None:
    """C19: three texts in both rows: equal, different only by blanks, and different."""
    older = bundle.contexts[1]
    when = bundle.contexts[-1].when + timedelta(days=3)
    later = _context(bundle.rng, older.kind, older.row.doc["userId"], when)
    later.row.doc["tonePreference"] = older.row.doc["tonePreference"]
    equal, blanks, differs = [name for name, offered in _INTENT[older.kind].items() if offered][:3]
    data = {name: offered.split()[0] for name, offered in _INTENT[older.kind].items() if offered}
    later.profile = _profile(
        bundle.rng, older.kind, later.row.doc["id"], when, {n: data[n] for n in (equal, blanks, differs)}
    )
    for name in _INTENT[older.kind]:
        older.blob.put(f"/data/{name}", ABSENT)
    older.blob.put(f"/data/{equal}", data[equal])
    older.blob.put(f"/data/{blanks}", f" {data[blanks]}", NORMALISED)
    older.blob.put(f"/data/{differs}", _INTENT[older.kind][differs].split()[1], CONFLICTING)
    older.blob.conflicts += 1
    bundle.contexts.append(later)


def _intent_target(bundle: Bundle) -> Record:
    context = bundle.contexts[1]
    own, offered = next(iter(_INTENT[context.kind].items()))
    context.blob.put(f"/data/{own}", offered.split()[0])
    return context.blob


# ---- oddities: rows, ids and references


def _rename_user(bundle: Bundle, make: Callable[[Bundle], str | int], *, text: bool = False) -> None:
    new = make(bundle)
    is_number = isinstance(new, int)
    bundle.user.put("/id", new, NORMALISED if is_number else None)
    for context in bundle.contexts:
        context.row.put("/userId", str(new) if text else new, NORMALISED if is_number and not text else None)


def _slug(bundle: Bundle) -> str:
    return f"demo-{bundle.rng.choice(_NAMES).lower()}-{bundle.serial}"


def _integer(bundle: Bundle) -> int:
    return 4711 + bundle.serial


def _integer_and_text(bundle: Bundle) -> None:
    _rename_user(bundle, _integer)
    bundle.user.repeat(id=str(bundle.user.doc["id"]))


_ROWS: Final[dict[str, Oddity]] = {
    "slug_id": partial(_rename_user, make=_slug),
    "integer_id": partial(_rename_user, make=_integer),
    "integer_id_parent_text": partial(_rename_user, make=_integer, text=True),
    "integer_id_again_as_text": _integer_and_text,
    "user_copied": lambda bundle: bundle.user.repeat(),
    "user_id_twice": lambda bundle: bundle.user.repeat(name="Somebody Else", extra=None),
    "context_copied": lambda bundle: bundle.contexts[2].row.repeat(),
    "context_id_twice": lambda bundle: bundle.contexts[2].row.repeat(tonePreference="grave"),
    "profile_copied": lambda bundle: bundle.contexts[2].blob.repeat(),
    "profile_id_twice": lambda bundle: bundle.contexts[2].blob.repeat(completeness=999, data={"a": [None]}),
}


def _twin_email(bundle: Bundle, change: Callable[[str], str], mark: str | None, holders: int) -> None:
    if bundle.neighbour:
        bundle.user.put("/email", change(bundle.neighbour), mark, "duplicate_lookup " * holders)


_EMAIL: Final[dict[str, Oddity]] = _puts(
    lambda bundle: bundle.user,
    {
        "null": Put("/email", None),
        "absent": Put("/email", ABSENT),
        "blank": Put("/email", " "),
        "number": Put("/email", 41791234567, UNREADABLE, "unreadable"),
        "outer_blanks": Put("/email", lambda old: f" {old} ", NORMALISED),
    },
)
# the finding counts for both accounts that hold the email
_TWINS: Final[dict[str, Oddity]] = {
    "duplicate": partial(_twin_email, change=str, mark=None, holders=2),
    "duplicate_outer_blanks": partial(_twin_email, change=lambda old: f"{old} ", mark=NORMALISED, holders=2),
    "differs_by_case": partial(_twin_email, change=str.upper, mark=None, holders=0),
}

_TEXT_AT: Final = {
    "User": "/name",
    "ContextProfile": "/tonePreference",
    "Profile": "/data/intent",
    "ChatMessage": "/content",
}
_WAYS: Final = {table: broken_ways(at) for table, at in _TEXT_AT.items()}


def _break_profile(bundle: Bundle, way: str) -> None:
    _WAYS["Profile"][way](bundle.contexts[3].blob)


def _drop_profile(bundle: Bundle) -> None:
    bundle.contexts[3].profile = None


def _break_context(bundle: Bundle, way: str) -> None:
    context = bundle.contexts[4]
    _WAYS["ContextProfile"][way](context.row)
    context.blob.code, context.standing = "no_subject", way in STANDING_WAYS


def _unknown_kind(bundle: Bundle, change: Callable[[str], object]) -> None:
    context = bundle.contexts[4]
    context.row.put("/contextType", change(context.kind))
    context.row.code = context.blob.code = "unknown_context"


def _break_message(bundle: Bundle, way: str) -> None:
    _WAYS["ChatMessage"][way](bundle.messages[1])


def _dangling_user(bundle: Bundle) -> None:
    bundle.messages[0].put("/userId", cuid(bundle.rng))
    bundle.messages[0].code = "no_subject"


def _bad_blob(put: Oddity, bundle: Bundle) -> None:
    put(bundle)
    blob = bundle.contexts[2].blob
    blob.part = "bad_blob" if blob.marks.get("/data") == QUARANTINED else None


def _each(ways: Mapping[str, object], oddity: Callable[..., None]) -> dict[str, Oddity]:
    return {name: partial(oddity, way=name) for name in ways}


# ---- the sample


@dataclass(frozen=True)
class _Group:
    """Oddities of one place, of which a user has at most one, and the contexts and messages they need."""

    oddities: dict[str, Oddity]
    contexts: int = 0
    messages: int = 0


_GROUPS: Final = {
    "values": _Group(_FIRST_WINS, 2),
    "lists": _Group(_UNIONS, 2),
    "objects": _Group(_MERGES, 2),
    "order": _Group(_ORDER, 2),
    "intent": _Group(
        _puts(_intent_target, _INTENT_VALUES)
        | _puts(lambda bundle: bundle.contexts[1].blob, _SKILL_VALUES)
        | {"second_row_of_one_type": _second_row_of_one_type},
        2,
    ),
    "unmapped": _Group(_puts(lambda bundle: bundle.contexts[1].blob, _UNMAPPED), 2),
    "row": _Group(_ROWS, 3),
    "email": _Group(_EMAIL | _TWINS),
    "user": _Group(_puts(lambda bundle: bundle.user, _USER)),
    "user_time": _Group(_puts(lambda bundle: bundle.user, _TIMES)),
    "context": _Group(_puts(lambda bundle: bundle.contexts[2].row, _CONTEXT), 3),
    "context_time": _Group(_puts(lambda bundle: bundle.contexts[2].row, _TIMES), 3),
    "profile": _Group(_puts(lambda bundle: bundle.contexts[2].blob, _PROFILE), 3),
    "profile_time": _Group(_puts(lambda bundle: bundle.contexts[2].blob, _TIMES), 3),
    "blob": _Group(
        {name: partial(_bad_blob, put) for name, put in _puts(lambda bundle: bundle.contexts[2].blob, _BLOB).items()},
        3,
    ),
    "broken_profile": _Group(_each(_WAYS["Profile"], _break_profile) | {"no_row": _drop_profile}, 4),
    "broken_context": _Group(
        _each(_WAYS["ContextProfile"], _break_context)
        | {
            "kind_unknown": partial(_unknown_kind, change=lambda _: "business"),
            "kind_other_case": partial(_unknown_kind, change=str.title),
            "kind_null": partial(_unknown_kind, change=lambda _: None),
            "kind_number": partial(_unknown_kind, change=lambda _: 5),
        },
        5,
    ),
    "message": _Group(_puts(lambda bundle: bundle.messages[0], _MESSAGE) | {"dangling_user": _dangling_user}, 1, 1),
    "broken_message": _Group(
        _each(_WAYS["ChatMessage"], _break_message)
        | {
            "copied": lambda bundle: bundle.messages[2].repeat(),
            "id_twice": lambda bundle: bundle.messages[2].repeat(content="said otherwise"),
        },
        1,
        3,
    ),
}
_CHANCE: Final = 0.03
_PLACES: Final = PLANTED - 1


def _planted() -> dict[int, dict[str, str]]:
    """Say which oddity of each group the first users get; the last of them has no contexts."""
    plan: dict[int, dict[str, str]] = {place: {} for place in range(PLANTED)}
    for turn, (group, content) in enumerate(_GROUPS.items()):
        for index, name in enumerate(content.oddities):
            # an email twin needs a plain neighbour before it
            place = 2 * index + 1 if group == "email" else (index + 7 * turn) % _PLACES
            plan[place][group] = name
    return plan


class _Sample:
    """Adds users and the lines beside them to a writer, one after the other."""

    def __init__(self, writer: SampleWriter, rng: random.Random, users: int) -> None:
        self._writer, self._rng, self._users = writer, rng, users
        self._plan = _planted()
        self._neighbour: str | None = None
        self._extra_serial = users
        self._extras: dict[str, Callable[[], None]] = {
            f"broken_user.{way}": partial(self._broken_user, way) for way in _WAYS["User"]
        } | {
            "context.dangling_user": partial(self._orphans, cuid),
            "context.user_null": partial(self._orphans, lambda _: None),
            "profile.dangling_context": self._stray_profile,
            "line.empty": partial(self._blank, b""),
            "line.of_blanks": partial(self._blank, b"  \t"),
        }
        self.oddities: Counter[str] = Counter()

    def add_user(self, index: int) -> None:
        """Add the user of this number, and now and then lines of nobody."""
        chosen = self._plan[index] if index < PLANTED else self._drawn()
        needs = [_GROUPS[group] for group in chosen]
        contexts = self._rng.choices(range(6), (8, 32, 28, 18, 9, 5))[0]
        contexts = max([contexts, *(need.contexts for need in needs)]) if index != PLANTED - 1 else 0
        second = "professional" if chosen.get("intent", "").startswith("skills") else None
        bundle = build(self._rng, index, contexts, odd=any(need.contexts for need in needs), second=second)
        bundle.neighbour = self._neighbour
        before = [name for name in chosen if not _GROUPS[name].messages]
        for group in sorted(before, key=list(_GROUPS).index):
            self._apply(bundle, group, chosen[group])
        _add_messages(bundle, max((need.messages for need in needs), default=0))
        for group in ("message", "broken_message"):
            if group in chosen:
                self._apply(bundle, group, chosen[group])
        self._neighbour = None if "email" in chosen else bundle.user.doc["email"]
        self.oddities["no_contexts"] += not bundle.contexts
        self.oddities["no_profile_row"] += any(context.profile is None for context in bundle.contexts)
        self._add(bundle.records)
        self._add_lines(index)

    def _drawn(self) -> dict[str, str]:
        return {
            group: self._rng.choice(list(content.oddities))
            for group, content in _GROUPS.items()
            if self._rng.random() < _CHANCE
        }

    def _apply(self, bundle: Bundle, group: str, name: str) -> None:
        if name in _TWINS and bundle.neighbour is None:
            return
        _GROUPS[group].oddities[name](bundle)
        self.oddities[f"{group}.{name}"] += 1

    def _add_lines(self, index: int) -> None:
        names = list(self._extras)
        if index < PLANTED:
            names = names[index::PLANTED]
        else:
            names = [self._rng.choice(names)] if self._rng.random() < _CHANCE else []
        for name in names:
            self._extras[name]()
            self.oddities[name] += 1

    def _add(self, records: list[Record]) -> None:
        for record in records:
            self._writer.add(record)

    def _extra_bundle(self) -> Bundle:
        self._extra_serial += 1
        bundle = build(self._rng, self._extra_serial, 2, odd=True)
        _add_messages(bundle, 2)
        return bundle

    def _broken_user(self, way: str) -> None:
        bundle = self._extra_bundle()
        for record in bundle.records:
            record.code = "no_subject"
        _WAYS["User"][way](bundle.user)
        self._add(bundle.records)

    def _orphans(self, parent: Callable[[random.Random], str | None]) -> None:
        bundle = self._extra_bundle()
        user_id = parent(self._rng)
        for record in bundle.records[1:]:
            record.code = "no_subject"
            if "userId" in record.doc:
                record.doc["userId"] = user_id
        self._add(bundle.records[1:])

    def _stray_profile(self) -> None:
        blob = self._extra_bundle().contexts[0].blob
        blob.put("/contextProfileId", cuid(self._rng))
        blob.code = "no_subject"
        self._add([blob])

    def _blank(self, raw: bytes) -> None:
        self._add([Record(table, {}, raw=raw) for table in TABLES])

    def add_too_large(self) -> None:
        """Add a line above the limit of 16 MiB."""
        blob = self._extra_bundle().contexts[0].blob
        blob.unread("too_large", b'{"id": "clarge", "data": {"intent": "' + b"long " * 4_000_000 + b'"}}')
        self._add([blob])
        self.oddities["line.too_large"] += 1


def write_sample(out: Path, users: int, seed: int, *, layout: Layout = "json_lines", too_large: bool = False) -> Truth:
    """Write an export of `users` users and its `truth.json`; `too_large` adds a line of 20 MB."""
    writer = SampleWriter(
        out,
        TABLES,
        class_of,
        make_rng("contexts", "order", seed),
        unlisted=frozenset({"ChatMessage"}),
        layout=layout,
    )
    sample = _Sample(writer, make_rng("contexts", seed), users)
    for index in range(users):
        sample.add_user(index)
    if too_large:
        sample.add_too_large()
    return writer.close("contexts", users, seed, sample.oddities)
