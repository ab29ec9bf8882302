"""Oddities of one value of one record."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from adapters.samples.contexts.people import INTENT, Bundle, Oddity
from adapters.samples.truth import ABSENT, MAPPED, NORMALISED, QUARANTINED, UNREADABLE, Put, Record, number

FAR: Final = 10**25
_LONG: Final = "All of it, from the start. " * 3800
NFD: Final = "Zoe\u0308"


def puts(target: Callable[[Bundle], Record], values: Mapping[str, Put]) -> dict[str, Oddity]:
    """Bind values to their record of a bundle; `{own}` is the first intent field of its context."""

    def apply(put: Put, bundle: Bundle) -> None:
        record = target(bundle)
        foreign = "serviceType" if record.kind != "service" else "creativeType"
        put.on(record, own=next(iter(INTENT[record.kind])) if record.kind else "", foreign=foreign)

    return {name: partial(apply, put) for name, put in values.items()}


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
TIMES: Final = {
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
USER_VALUES: Final = _EXTRA | {
    "name_null": Put("/name", None),
    "name_absent": Put("/name", ABSENT),
    "name_number": Put("/name", 7, UNREADABLE, "unreadable"),
    "name_list": Put("/name", ["Ada", None], UNREADABLE, "unreadable"),
    "name_nfd": Put("/name", NFD, NORMALISED),
    "name_outer_blanks": Put("/name", "  Ada\t", NORMALISED),
    "name_emoji": Put("/name", "Ada 🌻👩‍💻"),
}
CONTEXT_VALUES: Final = _EXTRA | {
    "type_outer_blanks": Put("/contextType", lambda old: f" {old}\n", NORMALISED),
    "tone_outside": Put("/tonePreference", "formal", MAPPED, "outside_vocabulary"),
    "tone_case": Put("/tonePreference", "Light", MAPPED, "outside_vocabulary"),
    "tone_outer_blanks": Put("/tonePreference", " light ", NORMALISED),
    "tone_number": Put("/tonePreference", 3, UNREADABLE, "unreadable"),
    "tone_object": Put("/tonePreference", {"a": "light", "b": ["x", ""]}, UNREADABLE, "unreadable"),
    "tone_null": Put("/tonePreference", None),
    "tone_absent": Put("/tonePreference", ABSENT),
}
PROFILE_VALUES: Final = _EXTRA | {
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
BLOB_VALUES: Final = {
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
INTENT_VALUES: Final = {
    "phrase": Put("/data/{own}", "whenever it feels right", MAPPED, "outside_vocabulary"),
    "other_case": Put("/data/{own}", str.upper, MAPPED, "outside_vocabulary"),
    "outer_blanks": Put("/data/{own}", lambda old: f" {old}  ", NORMALISED),
    "number": Put("/data/{own}", 2, UNREADABLE, "unreadable"),
    "list": Put("/data/{own}", ["open", "", "flexible"], UNREADABLE, "unreadable"),
    "null": Put("/data/{own}", None),
    "blank": Put("/data/{own}", ""),
}
SKILL_VALUES: Final = {
    "skills_exact": Put("/data/complementarySkills", ["Sales", "sales", "sales ", "", None]),
    "skills_number_item": Put("/data/complementarySkills", [3, ""], UNREADABLE, "unreadable"),
    "skills_as_json_text": Put("/data/complementarySkills", '["sales", "law"]', NORMALISED),
    "skills_as_text": Put("/data/complementarySkills", "sales, law", UNREADABLE, "unreadable"),
}
UNMAPPED_VALUES: Final = {
    "foreign_field": Put("/data/{foreign}", "offering"),
    "blank_lists": Put("/data", lambda old: old | {"preferences": [], "dealbreakers": []}),
    "blank_items": Put("/data/preferences", ["reads a lot", " ", "", None]),
    "preferences_text": Put("/data/preferences", "quiet people"),
    "dealbreakers_object": Put("/data/dealbreakers", {"hard": ["smoking"], "soft": []}),
    "emoji": Put("/data/intent", "Coffee ☕, then the lake 🏊‍♀️ and back 🇨🇭"),
    "long_text": Put("/data/intent", _LONG),
    "unknown_key": Put("/data/horoscope", "libra"),
    "unknown_unset": Put("/data/draft", {"a": [None, {}], "b": "\t"}),
    "far_number": Put("/data/score", [FAR, number("1e400"), 0]),
    "nested_40": Put("/data/history", _nested(40)),
}
MESSAGE_VALUES: Final = _EXTRA | {
    "content_null": Put("/content", None),
    "off_record_text": Put("/offRecord", "true", UNREADABLE, "unreadable"),
    "dangling_context": Put("/contextProfileId", "cdangling000000000000ctx", None, "dangling_reference"),
    "role_outside": Put("/role", "moderator", None, "outside_vocabulary"),
    "content_number": Put("/content", 12, UNREADABLE, "unreadable"),
    "content_long": Put("/content", _LONG, NORMALISED),
    "created_null": Put("/createdAt", None, None, "assumed_time"),
    "created_phrase": Put("/createdAt", "yesterday", UNREADABLE, "unreadable assumed_time"),
}


def intent_target(bundle: Bundle) -> Record:
    """Give the second context's blob, with its first intent field set."""
    context = bundle.contexts[1]
    own, offered = next(iter(INTENT[context.kind].items()))
    context.blob.put(f"/data/{own}", offered.split()[0])
    return context.blob


def bad_blob(put: Oddity, bundle: Bundle) -> None:
    """Put a value in place of the third context's blob, and say so when it cannot be read."""
    put(bundle)
    blob = bundle.contexts[2].blob
    blob.part = "bad_blob" if blob.marks.get("/data") == QUARANTINED else None
