"""The oddities of the talent system, by the form of the user that holds them and by place; a user has one a place."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any, Final

from adapters.samples.talent.people import Bundle, Oddity, document, iso, make_id
from adapters.samples.truth import (
    ABSENT,
    CONFLICTING,
    DERIVED,
    MAPPED,
    NORMALISED,
    STANDING_WAYS,
    UNMAPPED,
    UNREADABLE,
    Record,
    broken_ways,
    number,
)

Where = Callable[[Bundle], Record]
USER: Final[Where] = lambda bundle: bundle.user  # noqa: E731 – a name for a place
ROW: Final[Where] = lambda bundle: bundle.moved  # noqa: E731
PROJECT: Final[Where] = lambda bundle: bundle.projects[1]  # noqa: E731
TRAINING: Final[Where] = lambda bundle: bundle.training[0]  # noqa: E731
HIGHLIGHT: Final[Where] = lambda bundle: bundle.highlights[0]  # noqa: E731


def put(
    where: Where, at: str, value: Any, mark: str | None = None, findings: str = "", conflicts: int = 0, **marks: str
) -> Oddity:
    """Put a value somewhere; `marks` class what is below it, by a pointer with `_` for `/`."""

    def apply(bundle: Bundle) -> None:
        record = where(bundle)
        record.put(at, value(record.get(at)) if callable(value) else value, mark, findings)
        record.conflicts += conflicts
        record.marks |= {at + below.replace("_", "/"): name for below, name in marks.items()}

    return apply


def _both(*oddities: Oddity) -> Oddity:
    def apply(bundle: Bundle) -> None:
        for oddity in oddities:
            oddity(bundle)

    return apply


OUTSIDE: Final = "outside_vocabulary"
LIMIT: Final = "outside_limit"
BAD: Final = "unreadable"
DANGLING: Final = "dangling_reference"
_NFD: Final = "Zoe\u0308"
_HAIR, _EYES, _GENDER, _HEIGHT = (f"/attributes/{name}" for name in ("hairColor", "eyeColor", "gender", "height"))
_EXTRA: Final = {
    "unknown_column": put(USER, "/schemaVersion", 3, UNMAPPED),
    "unknown_nested": put(USER, "/a b", {"c/d": {"e~f": "kept", "none": None}, "list": [1.5, " ", False]}, UNMAPPED),
    "unknown_unset": put(USER, "/legacyFlags", {"a": None, "b": [], "c": {"d": ""}}),
}

# --- dancers before the split: everything stands on the user ----------------------------------------------------------


def _project_gone(bundle: Bundle) -> None:
    bundle.user.doc["resume"]["projects"].append(make_id(bundle.rng))
    bundle.user.findings.append(DANGLING)


def _training_gone(bundle: Bundle) -> None:
    bundle.user.doc["training"].insert(0, make_id(bundle.rng))
    bundle.user.findings.append(DANGLING)


def _favourites(bundle: Bundle, *, twice: bool = False, myself: bool = False, gone: bool = False) -> None:
    ids = bundle.neighbours[:1]
    ids += [bundle.user.doc["_id"]] if myself or not ids else []
    ids += [make_id(bundle.rng)] if gone else []
    if gone:
        bundle.user.findings.append(DANGLING)
    if twice:
        bundle.user.marks[f"/favoriteUsers/{len(ids)}"] = NORMALISED
        ids.append(ids[0])
    bundle.user.doc["favoriteUsers"] = ids


def _experience(bundle: Bundle, kind: str, **fields: Any) -> None:
    doc = document(bundle.rng, bundle.when, userId=bundle.user.doc["_id"], type=kind, **fields)
    record = Record("experiences", doc, marks={"/type": NORMALISED})
    bundle.others.append(record)


def _titles(bundle: Bundle, *, same: bool) -> None:
    _experience(bundle, "music-videos", title="Night Drive", songTitle="Night Drive" if same else "Day Drive")
    if not same:
        bundle.others[-1].marks["/songTitle"] = CONFLICTING
        bundle.others[-1].conflicts = 1


def _skill_rows(bundle: Bundle, *, newer: bool, level: str = "expert") -> None:
    if not newer:
        bundle.user.put("/resume/skills", ABSENT)
    for name in ("Waacking", "Locking"):
        doc = document(bundle.rng, bundle.when, userId=bundle.user.doc["_id"], name=name, proficiency=level)
        record = Record("skills", doc, marks={"/proficiency": NORMALISED})
        if newer:
            record.marks |= {"/name": CONFLICTING, "/proficiency": CONFLICTING}
        if level == "guru":
            record.findings.append(OUTSIDE)
        bundle.others.append(record)
    bundle.user.conflicts += newer


def _same_titles(bundle: Bundle) -> None:
    for record in bundle.projects:
        record.doc["title"] = "World Tour"


def _old_sizing(bundle: Bundle) -> None:
    bundle.user.put("/sizing", {"chest": 38, "waist": 30, "neck": 15.5, "shoes": 9, "jacket": "40R"}, NORMALISED)
    bundle.user.marks["/sizing/jacket"] = MAPPED


FLAT: Final[dict[str, dict[str, Oddity]]] = {
    "hair": {
        **{f"old_{name}": put(USER, _HAIR, name, NORMALISED) for name in ("black", "brown", "blonde")},
        "dyed_see": put(USER, _HAIR, "Dyed - See current headshot", MAPPED, OUTSIDE),
        "dyed_parens": put(USER, _HAIR, "Dyed (see current headshot)", MAPPED, OUTSIDE),
        "null": put(USER, _HAIR, None),
    },
    "eyes": {
        "hazel": put(USER, _EYES, "Hazel", MAPPED, OUTSIDE),
        "old_blue": put(USER, _EYES, "blue", NORMALISED),
        "old_gray": put(USER, _EYES, "gray", NORMALISED),
        "old_red": put(USER, _EYES, "red", MAPPED, OUTSIDE),
        "old_black": put(USER, _EYES, "black", MAPPED, OUTSIDE),
    },
    "gender": {
        "man": put(USER, _GENDER, "Man", NORMALISED),
        "woman": put(USER, _GENDER, "Woman", NORMALISED),
        "at_root": _both(put(USER, _GENDER, ABSENT), put(USER, "/gender", "Non-Binary", NORMALISED)),
        "twice": _both(put(USER, _GENDER, "Non-binary"), put(USER, "/gender", "Non-Binary", NORMALISED)),
        "differs": put(USER, "/gender", "Non-Binary", CONFLICTING, conflicts=1),
        "outside": put(USER, _GENDER, "Other", MAPPED, OUTSIDE),
    },
    "height": {
        "inches": put(USER, _HEIGHT, 65, NORMALISED),
        "inches_with_fraction": put(USER, _HEIGHT, 61.5, NORMALISED),
        "centimetres": put(USER, _HEIGHT, 172, UNREADABLE, BAD),
        "feet_alone": put(USER, _HEIGHT, 5.5, UNREADABLE, BAD),
        "no_inches": put(USER, _HEIGHT, {"feet": 6, "inches": 0}),
        "giant": put(USER, _HEIGHT, {"feet": 9, "inches": 13}, MAPPED, f"{LIMIT} {LIMIT}"),
        "text": put(USER, _HEIGHT, "5'7", UNREADABLE, BAD),
    },
    "sizing": {
        "oldest_row": _old_sizing,
        "flat_same": put(USER, "/sizing/waist", 30, NORMALISED),
        "flat_differs": put(USER, "/sizing/waist", 31, CONFLICTING, conflicts=1),
        "number": put(USER, "/sizing/general/inseam", 33, NORMALISED),
        "outside": put(USER, "/sizing/general/waist", "37", MAPPED, OUTSIDE),
        "empty": put(USER, "/sizing", {}),
        "json_in_text": put(USER, "/sizing", '{"general": {"waist": "30", "cup": ""}}', NORMALISED),
        "unknown_measure": put(USER, "/sizing/general/wrist", "7", UNMAPPED),
    },
    "links": {
        "array": put(USER, "/links/socials", [{"platform": "Instagram", "link": "@a"}], NORMALISED),
        "array_unknown": put(USER, "/links/socials", [{"platform": "MySpace", "link": "@m"}], NORMALISED, OUTSIDE),
        "array_half": put(USER, "/links/socials", [{"platform": "tiktok", "link": ""}], UNREADABLE, BAD),
        "newer_platform": put(USER, "/links/socials/youtube", "@y", MAPPED),
        "unknown_platform": put(USER, "/links/socials/myspace", "@m", MAPPED, OUTSIDE),
        "portfolio": _both(
            put(USER, "/links/other", ABSENT),
            put(USER, "/links/portfolio", [{"title": "Folio", "link": "https://example.net"}], MAPPED),
        ),
        "portfolio_beside_other": put(
            USER, "/links/portfolio", [{"title": "Folio", "link": "https://example.net"}], CONFLICTING, conflicts=1
        ),
        "reel_number": put(USER, "/links/reel", 7, UNREADABLE, BAD),
    },
    "skills": {
        "by_level": put(USER, "/resume/skills", {"expert": ["Tap"], "proficient": ["Acro"], "novice": []}, NORMALISED),
        "flat_over_nested": _both(
            put(USER, "/skills", ["Ballet"], MAPPED), put(USER, "/resume/skills", ["Salsa"], CONFLICTING, conflicts=1)
        ),
        "not_a_text": put(USER, "/resume/skills", ["Tap", 7, ""], MAPPED, BAD, _1=UNREADABLE),
        "json_in_text": put(USER, "/resume/skills", '["Tap", "Jazz"]', NORMALISED),
        "plain_text": put(USER, "/resume/skills", "Tap, Jazz", UNREADABLE, BAD),
        "rows": partial(_skill_rows, newer=False),
        "rows_beside_newer": partial(_skill_rows, newer=True),
        "rows_unknown_level": partial(_skill_rows, newer=False, level="guru"),
    },
    "headshots": {
        "old": put(USER, "/headshots", [{"imageId": "kg2", "title": "Old"}], MAPPED),
        "both_ids": put(
            USER, "/headshots", [{"storageId": "kg3", "imageId": "kg4"}], MAPPED, conflicts=1, _0_imageId=CONFLICTING
        ),
        "unknown_part": put(USER, "/headshots", [{"storageId": "kg3", "crop": {"x": 1}}], MAPPED, _0_crop=UNMAPPED),
        "object": put(USER, "/headshots", {"storageId": "kg5"}, UNREADABLE, BAD),
        "odd_position": put(
            USER, "/headshots", [{"storageId": "k", "position": "NaN"}], MAPPED, BAD, _0_position=UNREADABLE
        ),
    },
    "onboarding": {
        **{f"number_{step}": put(USER, "/onboardingStep", step, MAPPED, OUTSIDE) for step in (0, 4, 12, 21)},
        "text_same": put(USER, "/onboardingStep", "skills", MAPPED),
        "text_differs": put(USER, "/onboardingStep", "review", CONFLICTING, conflicts=1),
        "text_alone": _both(
            put(USER, "/currentOnboardingStep", ABSENT), put(USER, "/onboardingStep", "review", MAPPED)
        ),
        "completed_word": put(USER, "/onboardingCompleted", "yes", UNREADABLE, BAD),
        "completed_bare_day": put(USER, "/onboardingCompletedAt", "2024-05-01", UNREADABLE, BAD),
        "completed_year_0": put(USER, "/onboardingCompletedAt", "0000-05-01T00:00:00.000Z", UNREADABLE, BAD),
    },
    "union": {
        "union": put(USER, "/unionStatus", "union", MAPPED),
        "pending": put(USER, "/unionStatus", "pending", MAPPED),
        "outside": put(USER, "/unionStatus", "maybe", MAPPED, OUTSIDE),
    },
    "references": {"project_gone": _project_gone, "training_gone": _training_gone},
    "favourites": {
        "twice": partial(_favourites, twice=True),
        "myself": partial(_favourites, myself=True),
        "gone": partial(_favourites, gone=True),
        "gone_twice": partial(_favourites, gone=True, twice=True),
        "unset": put(USER, "/favoriteUsers", []),
    },
    "account": {
        "points_0": put(USER, "/pointsEarned", 0, MAPPED),
        "points_left_over": put(USER, "/pointsEarned", 40, MAPPED),
        "points_too_big": put(USER, "/pointsEarned", number("1e400"), UNREADABLE, BAD),
        "admin": put(USER, "/isAdmin", True),
        "admin_number": put(USER, "/isAdmin", 1, UNREADABLE, BAD),
        "born_impossible": put(USER, "/dateOfBirth", "1999-02-30", UNREADABLE, BAD),
        "born_year_9999": put(USER, "/dateOfBirth", "9999-12-31", MAPPED),
        "no_token": put(USER, "/tokenId", ABSENT),
    },
    "push": {
        "fraction": put(USER, "/pushTokens", [{"token": "t", "platform": "android", "updatedAt": 1709283600000.25}]),
        "unknown_platform": put(USER, "/pushTokens", [{"token": "t", "platform": "web"}], MAPPED, OUTSIDE),
    },
    "names": {
        "full_name_differs": put(USER, "/fullName", "Somebody Else", MAPPED, "derived_differs"),
        "full_name_empty": put(USER, "/fullName", ""),
        "full_name_alone": _both(
            put(USER, "/firstName", ABSENT), put(USER, "/lastName", None), put(USER, "/fullName", "Ada", MAPPED)
        ),
        "full_name_blanks": put(USER, "/fullName", lambda old: f" {old} ", DERIVED),
    },
    "display": {
        "short": put(USER, "/displayName", "A", MAPPED, LIMIT),
        "long": put(USER, "/displayName", "A" * 51, MAPPED, LIMIT),
        "nfd": put(USER, "/displayName", _NFD, NORMALISED),
        "blanks": put(USER, "/displayName", " Ada ", NORMALISED),
        "emoji": put(USER, "/displayName", "Ada 🌻👩‍💻"),
        "number": put(USER, "/displayName", 7, UNREADABLE, BAD),
        "big": put(USER, "/companyName", "long " * 30_000 + ".", MAPPED),
    },
    "location": {
        "unknown_part": put(USER, "/location/planet", "Earth", UNMAPPED),
        "zip_number": put(USER, "/location/zipCode", 90001, UNREADABLE, BAD),
        "text": put(USER, "/location", "Los Angeles, CA", UNREADABLE, BAD),
        "json_in_text": put(USER, "/location", '{"city": "Reno", "state": "NV"}', NORMALISED),
        "blank_parts": put(USER, "/location", {"country": "USA", "city": " ", "zipCode": None}),
    },
    "experience": {
        "television": lambda bundle: _experience(bundle, "television-film", title="Pilot"),
        "music": lambda bundle: _experience(bundle, "music-videos", songTitle="Song", roles=["Dancer"]),
        "live": lambda bundle: _experience(bundle, "live-performances", tourName="Tour", venue="Hall"),
        "commercial": lambda bundle: _experience(bundle, "commercials", campaignTitle="Campaign"),
        "training": lambda bundle: _experience(bundle, "training-education", institution="School", title="Ballet"),
        "titles_same": partial(_titles, same=True),
        "titles_differ": partial(_titles, same=False),
    },
    "project": {
        "same_titles": _same_titles,
        "untitled": put(PROJECT, "/title", ABSENT),
        "bare_day": put(PROJECT, "/endDate", "2022-01-31", MAPPED),
        "date_phrase": put(PROJECT, "/endDate", "last spring", MAPPED),
        "media_url": put(PROJECT, "/media", "https://example.org/v.mp4"),
        "unknown_type": put(PROJECT, "/type", "opera", MAPPED, OUTSIDE),
        "unknown_number": put(PROJECT, "/budget", 5, UNMAPPED),
        "no_profile_row": put(PROJECT, "/profileId", "k57gone", MAPPED, DANGLING),
        "copied": lambda bundle: bundle.projects[1].repeat(),
        "id_twice": lambda bundle: bundle.projects[1].repeat(title="Another"),
    },
    "training": {
        "middle": _both(
            *(put(TRAINING, f"/{name}", ABSENT) for name in ("startYear", "endYear", "degree", "orderIndex")),
            put(TRAINING, "/name", "Summer", MAPPED),
            put(TRAINING, "/year", 2015, MAPPED),
            put(TRAINING, "/type", "intensive", MAPPED, OUTSIDE),
        ),
        "oldest": _both(
            put(TRAINING, "/title", "Ballet", MAPPED),
            put(TRAINING, "/references", [{"by": "K"}], MAPPED),
            put(TRAINING, "/visibility", "public", MAPPED),
            put(TRAINING, "/role", "student", MAPPED),
        ),
        "year_text": put(TRAINING, "/startYear", "2010", UNREADABLE, BAD),
        "year_big": put(TRAINING, "/endYear", number("9007199254740993"), MAPPED),
        "year_beyond": put(TRAINING, "/endYear", number("92233720368547758080"), UNREADABLE, BAD),
    },
    "extra": _EXTRA,
}

# --- users who were moved, wholly or by half --------------------------------------------------------------------------


def _left(at: str, *, differs: Any = None) -> Oddity:
    """Leave a column of the row on the user too, as it is or with another value, which is in conflict."""

    def apply(bundle: Bundle) -> None:
        kept = deepcopy(bundle.moved.get(at))
        bundle.user.put(at, kept if differs is None else differs, None if differs is None else CONFLICTING)
        bundle.user.conflicts += differs is not None

    return apply


def _fills(at: str, there: Any = ABSENT) -> Oddity:
    """Leave a column on the user alone: unset in the row, it is filled from there."""

    def apply(bundle: Bundle) -> None:
        bundle.user.put(at, deepcopy(bundle.moved.get(at)))
        bundle.moved.put(at, there)

    return apply


def _other_order(bundle: Bundle) -> None:
    parts = bundle.moved.doc["attributes"]
    bundle.user.doc["attributes"] = dict(reversed(deepcopy(parts).items()))


def _half_done(bundle: Bundle) -> None:
    """The first script's trap: all was copied, an empty search text with it, and nothing was cleared."""
    names = ("displayName", "headshots", "attributes", "sizing", "links", "location", "workLocation")
    for name in names:
        bundle.user.doc[name] = deepcopy(bundle.moved.doc[name])
    bundle.moved.doc["searchPattern"] = ""


def _second_kind(bundle: Bundle, *, primary: bool = True, pointer: bool = False) -> None:
    later = bundle.when + timedelta(days=300)
    doc = document(bundle.rng, later, userId=bundle.user.doc["_id"], createdAt=iso(later), isPrimary=primary)
    record = Record("choreographers", doc | {"companyName": "Second", "verified": True})
    if primary:
        record.marks["/isPrimary"] = CONFLICTING
        bundle.user.conflicts += 1
    if pointer:
        bundle.user.put("/activeProfileType", ABSENT)
        bundle.user.put("/activeChoreographerId", doc["_id"], CONFLICTING)
        bundle.user.conflicts += 1
    bundle.others.append(record)


def _second_row(bundle: Bundle) -> None:
    """A second row of the kind, later: it is the one that counts, and the first is the older one."""
    later = bundle.when + timedelta(days=400)
    doc = document(bundle.rng, later, userId=bundle.user.doc["_id"], createdAt=iso(later), displayName="Later")
    bundle.others.append(Record("dancers", doc | {"isPrimary": True}))
    bundle.moved.put("/displayName", bundle.moved.get("/displayName"), CONFLICTING)
    bundle.user.conflicts += 1


def _gone_pointer(bundle: Bundle) -> None:
    bundle.user.put("/activeDancerId", make_id(bundle.rng), MAPPED, DANGLING)


def _orphan(bundle: Bundle) -> None:
    bundle.highlights[1].put("/dancerId", make_id(bundle.rng))
    bundle.highlights[1].code = "no_subject"


MOVED: Final[dict[str, dict[str, Oddity]]] = {
    "left_over": {
        "same_display": _left("/displayName"),
        "other_display": _left("/displayName", differs="Left over"),
        "other_hair": _both(_left("/attributes/hairColor", differs="Red")),
        "links_fill": _fills("/links"),
        "part_fills": _fills("/attributes/gender"),
        "empty_list_fills": _fills("/workLocation", there=[]),
        "empty_text_fills": _fills("/sagAftraId", there=""),
        "key_order": _other_order,
        "half_done": _half_done,
    },
    "primary": {
        "two": _second_kind,
        "one": partial(_second_kind, primary=False),
        "both_pointers": partial(_second_kind, primary=False, pointer=True),
        "not_marked": put(ROW, "/isPrimary", ABSENT),
        "marked_false": put(ROW, "/isPrimary", False, CONFLICTING, conflicts=1),
        "marked_by_number": put(ROW, "/isPrimary", 1, UNREADABLE, BAD),
        "second_row": _second_row,
    },
    "pointer": {
        "gone": _gone_pointer,
        "none": _both(put(USER, "/activeDancerId", ABSENT), put(USER, "/activeProfileType", ABSENT)),
        "guest": put(USER, "/activeProfileType", "guest", MAPPED, OUTSIDE),
        "blanks": put(USER, "/activeProfileType", " dancer", NORMALISED),
    },
    "row_time": {
        "absent": put(ROW, "/createdAt", ABSENT, None, "assumed_time"),
        "phrase": put(ROW, "/createdAt", "soon", UNREADABLE, f"{BAD} assumed_time"),
        "year_0": put(ROW, "/createdAt", "0000-01-01T00:00:00.000Z", UNREADABLE, f"{BAD} assumed_time"),
        "offset": put(ROW, "/createdAt", "2025-12-01T01:59:59.120+02:00"),
        "updated": put(ROW, "/updatedAt", "2025-12-02T00:00:00Z", MAPPED),
        "platform_nan": put(ROW, "/_creationTime", number("NaN"), UNREADABLE, BAD),
    },
    "placeholders": {
        "availability": put(ROW, "/availability", {"from": "2025-01-01", "weekends": False}, MAPPED),
        "videos": put(ROW, "/performanceVideos", [{"url": "https://example.org"}, None], MAPPED),
        "spotlight": put(ROW, "/spotlightOrder", 3, MAPPED),
        "flattened_import": put(ROW, "/resumeImportedFields", ["skills", "training"], MAPPED),
    },
    "favourites": {
        "dancers_gone": put(ROW, "/favoriteDancers", ["k1gone"], MAPPED, DANGLING),
        "empty": put(ROW, "/favoriteChoreographers", []),
    },
    "highlight": {
        "position_12": put(HIGHLIGHT, "/position", 12, MAPPED, LIMIT),
        "project_gone": put(HIGHLIGHT, "/projectId", "k1gone", MAPPED, DANGLING),
        "created_absent": put(HIGHLIGHT, "/createdAt", ABSENT, None, "assumed_time"),
        "orphan": _orphan,
        "unknown": put(HIGHLIGHT, "/caption", "x", UNMAPPED),
    },
    "row": {
        "copied": lambda bundle: bundle.moved.repeat(),
        "id_twice": lambda bundle: bundle.moved.repeat(displayName="Another"),
        "user_copied": lambda bundle: bundle.user.repeat(),
        "user_id_twice": lambda bundle: bundle.user.repeat(firstName="Another"),
    },
    "extra": _EXTRA,
}

# --- choreographers, and users without a profile ----------------------------------------------------------------------


def _also_a_dancer(bundle: Bundle) -> None:
    """The second script made everybody a dancer, and left the company on the user."""
    later = bundle.when + timedelta(days=250)
    doc = document(bundle.rng, later, userId=bundle.user.doc["_id"], createdAt=iso(later), displayName="As a dancer")
    bundle.others.append(Record("dancers", doc | {"skills": ["Tap"], "isPrimary": False}))
    bundle.user.doc["companyName"] = bundle.moved.doc.pop("companyName")


def _prefers_the_dancer(bundle: Bundle) -> None:
    """The backfill took the dancer's row for a credit, though the user is active as a choreographer."""
    _also_a_dancer(bundle)
    bundle.projects[1].put("/profileId", bundle.others[-1].doc["_id"], MAPPED)
    bundle.projects[1].put("/profileType", "dancer", MAPPED)


COMPANY: Final[dict[str, dict[str, Oddity]]] = {
    "row": {
        "work_location": put(ROW, "/workLocation", ["Los Angeles, CA"], MAPPED),
        "verified": put(ROW, "/verified", True, NORMALISED),
        "featured": put(ROW, "/featured", True),
        "rates_text": put(ROW, "/rates/daily", "800", UNREADABLE, BAD),
        "odd_portfolio": put(ROW, "/portfolio", {"a": number("NaN")}, UNREADABLE, BAD),
        "awards": put(ROW, "/awardsRecognition", ["A prize", {"year": 2020}], MAPPED),
        "certifications": put(ROW, "/certifications", "CPR", MAPPED),
    },
    "dancer_too": {"by_second_script": _also_a_dancer, "credit_of_the_dancer": _prefers_the_dancer},
    "left_over": {
        "nested_resume": put(USER, "/resume/genres", ["Opera"], CONFLICTING, conflicts=1),
        "display": put(USER, "/displayName", "Another", CONFLICTING, conflicts=1),
    },
    "completeness": {
        "text": put(ROW, "/profileCompleteness", "half", DERIVED),
        "above": put(ROW, "/profileCompleteness", 140, DERIVED),
    },
}

GUEST: Final[dict[str, dict[str, Oddity]]] = {
    "type": {
        "untyped": put(USER, "/profileType", ABSENT),
        "outside": put(USER, "/profileType", "agent", MAPPED, OUTSIDE),
        "number": put(USER, "/profileType", 2, UNREADABLE, BAD),
        "dancer_alone": put(USER, "/profileType", "dancer", MAPPED),
        "choreographer_alone": put(USER, "/profileType", "choreographer", MAPPED),
    },
    "filled_in": {
        "company": put(USER, "/companyName", "Agency", MAPPED),
        "location": put(USER, "/location", {"country": "USA", "state": "CA", "city": "Los Angeles"}, MAPPED),
        "nothing_set": put(USER, "/links", {"reel": "", "socials": {}, "other": [None]}),
        "unreadable_alone": put(USER, "/headshots", "none", UNREADABLE, BAD),
    },
    "onboarding": {
        "display_name": put(USER, "/displayName", "Guest", MAPPED),
        "step": put(USER, "/currentOnboardingStep", "agency", MAPPED),
        "step_number": put(USER, "/onboardingStep", 2, MAPPED, OUTSIDE),
        "completed": put(USER, "/onboardingCompleted", True, MAPPED),
    },
    "email": {
        "null": put(USER, "/email", None),
        "number": put(USER, "/email", 5, UNREADABLE, BAD),
        "blanks": put(USER, "/email", lambda old: f" {old}", NORMALISED),
    },
    "extra": _EXTRA,
}

WAYS: Final = {table: broken_ways(at, "_id") for table, at in {"users": "/email", "projects": "/title"}.items()}


def broken_project(way: str, bundle: Bundle) -> None:
    """Break the last of the projects; the résumé still lists it."""
    record = bundle.projects[-1]
    WAYS["projects"][way](record)
    if way not in STANDING_WAYS | {"repeated_key", "repeated_key_below"}:
        bundle.user.findings.append(DANGLING)


FLAT["broken_project"] = {way: partial(broken_project, way) for way in WAYS["projects"]}
