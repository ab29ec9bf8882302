"""What the columns of the talent system become: legacy name → field and reader, for each table.

The rules are those of `docs/legacy/talent.md`; T-numbers refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final
from uuid import UUID

from domain.account_details import ACCOUNT_DETAILS
from domain.items import ITEMS
from domain.kinds import KINDS
from domain.kinds.talent_fields import LEVELS, PLATFORMS, TALENT_FIELDS
from domain.profile import Verification
from domain.streams import imported_id
from domain.vocabulary import FieldShape, flag, text
from migrations_replay import convert
from migrations_replay.bundle import LegacyRecord
from migrations_replay.fields import Back, Columns, Field
from migrations_replay.reading import (
    Anything,
    Exact,
    Leaf,
    Many,
    One,
    Parts,
    Reader,
    Reading,
    Reference,
    References,
    opened,
    remarks,
    unreadable,
)

NAME: Final = "talent"
CHOREOGRAPHER: Final = KINDS["choreographer"].fields

# Values of older generations, and what they are tied to today (T20).
HAIR: Final = {"black": "Black", "brown": "Brown", "blonde": "Blonde"}
EYES: Final = {name.lower(): name for name in ("Amber", "Blue", "Brown", "Green", "Gray", "Mixed")}
GENDER: Final = {"Non-Binary": "Non-binary", "Man": "Male", "Woman": "Female"}
TRAINING_TYPE: Final = "training-education"
PROJECT_TYPES: Final = {
    "television-film": "tv-film",
    "music-videos": "music-video",
    "live-performances": "live-performance",
    "commercials": "commercial",
}


def account_of(key: str) -> UUID:
    """Return the account a user becomes."""
    return imported_id("account", NAME, "users", key)


def item_of(table: str, key: str) -> UUID:
    """Return the item a row becomes; credits have one id, whichever of their tables they stand in."""
    return imported_id("item", NAME, "projects" if table == "experiences" else table, key)


def _project(key: str) -> UUID:
    return item_of("projects", key)


def _training(key: str) -> UUID:
    return item_of("training", key)


# --- readers of this system alone -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Height:
    """Feet and inches, or, in older rows, a single number (T21)."""

    parts: Parts

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the height."""
        if not isinstance(raw, (int, float)) or isinstance(raw, bool):
            return self.parts.read(record, pointer, raw)
        try:
            feet, inches = convert.inches(raw)
        except convert.Unreadable:
            return unreadable(pointer, raw)
        leaves = (Leaf(pointer, ("feet",), feet, same=False), Leaf(pointer, ("inches",), inches, same=False))
        value = {"feet": feet, "inches": inches}
        return Reading(value, leaves, findings=remarks(_shape("attributes/height"), pointer, raw, value))


@dataclass(frozen=True)
class Socials:
    """Links by platform, or, until June 2024, a list of `{platform, link}` (T22)."""

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the links."""
        if isinstance(raw, list) and raw:
            return self._listed(record, pointer, raw)
        return opened(record, pointer, raw, dict, self._by_platform)

    def _by_platform(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        found = Parts({name: (name, One()) for name in raw}).read(record, pointer, raw)
        odd = sorted(name for name in found.value or () if name not in PLATFORMS)
        return found.beside(Reading(findings=((pointer, "outside_vocabulary", odd),) if odd else ()))

    def _listed(self, record: LegacyRecord, pointer: str, raw: list[Any]) -> Reading:
        links: dict[str, Any] = {}
        kept: list[Leaf] = []
        read: list[Reading] = []
        for index, entry in enumerate(raw):
            at = f"{pointer}/{index}"
            found = Parts({"platform": ("platform", One()), "link": ("link", One())}).read(record, at, entry)
            parts = found.value or {}
            if parts.keys() == {"platform", "link"} and self._key(parts["platform"]) not in links:
                key = self._key(parts["platform"])
                links[key] = parts["link"]
                kept += [leaf._replace(steps=(key,), value=links[key], same=False) for leaf in found.leaves]
                read.append(found)
            else:  # half a link, or a second one to a platform
                read.append(unreadable(at, entry) if parts else found)
        odd = sorted(name for name in links if name not in PLATFORMS)
        findings = ((pointer, "outside_vocabulary", odd),) if odd else ()
        return Reading(links or None, tuple(kept), findings=findings).beside(*read)

    @staticmethod
    def _key(platform: str) -> str:
        return platform.lower() if platform.lower() in PLATFORMS else platform


@dataclass(frozen=True)
class Skills:
    """A list of texts, or, in older rows, lists by proficiency: then the levels are kept too (T23)."""

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the skills."""
        if isinstance(raw, dict) and raw:
            return self._by_level(record, pointer, raw)
        found = Many(Exact()).read(record, pointer, raw)
        return Reading({"skills": found.value} if found.value else None, found.below("skills")).beside(found)

    def _by_level(self, record: LegacyRecord, pointer: str, raw: dict[str, Any]) -> Reading:
        found = Parts({level: (level, Many(Exact())) for level in LEVELS}).read(record, pointer, raw)
        if found.value is None:
            return found
        skills = list(dict.fromkeys(skill for level in LEVELS for skill in found.value.get(level, ())))
        listed = [
            leaf._replace(steps=("skills", skills.index(leaf.value)), same=False)
            for leaf in found.leaves
            if leaf.value in skills
        ]
        levels = [leaf._replace(same=False) for leaf in found.below("skill_levels")]
        return Reading({"skills": skills, "skill_levels": found.value}, (*listed, *levels)).beside(found)


@dataclass(frozen=True)
class OldStep:
    """The step before it had its present name: a slug, or a number of one of two schemes (T24)."""

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the step."""
        is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
        target = "onboarding_step_number" if is_number else "onboarding_step"
        found = One(TALENT_FIELDS[target]).read(record, pointer, raw)
        if found.value is None:
            return found
        findings = ((pointer, "outside_vocabulary", raw),) if is_number else ()
        return Reading({target: found.value}, found.below(target), findings=findings).beside(found)


def _verification(raw: Any) -> str:
    return Verification.VERIFIED if convert.flag(raw) else Verification.UNVERIFIED


def _is_verified(status: str) -> bool:
    return status == Verification.VERIFIED


def _roles(raw: Any) -> list[str]:
    return ["admin"] if convert.flag(raw) else []


# --- columns ----------------------------------------------------------------------------------------------------------


def _shape(path: str, fields: Mapping[str, FieldShape] = TALENT_FIELDS) -> FieldShape:
    first, *rest = path.split("/")
    return reduce(lambda shape, name: shape.fields[name], rest, fields[first])


def _one(
    path: str,
    fields: Mapping[str, FieldShape] = TALENT_FIELDS,
    *,
    older: Mapping[str, str] | None = None,
    read: Callable[[Any], Any] | None = None,
    under: str = "",
) -> Field:
    return Field(under + path, One(_shape(path, fields), older or {}, read))


def _texts(path: str, fields: Mapping[str, FieldShape] = TALENT_FIELDS) -> Field:
    return Field(path, Many(Exact(FieldShape("text", _shape(path, fields).offered))))


def _named(shape: FieldShape, **names: str) -> Parts:
    """Return a reader of an object: legacy name → part."""
    return Parts({name: (part, One(shape.fields[part])) for name, part in names.items()})


def _each(shape: FieldShape) -> FieldShape:
    assert shape.each is not None
    return shape.each


_MEASURES: Final = {
    **{name: name for name in _shape("sizing/general").fields if name != "coat_length"},
    "coatLength": "coat_length",
}
_OLD_SIZES: Final = ("chest", "waist", "neck", "shoes", "jacket")
_OTHER_LINKS: Final = _named(_each(_shape("links/other")), label="label", url="url", title="label", link="url")
_LOCATION: Final = _named(
    _shape("location"),
    country="country",
    state="state",
    city="city",
    name="name",
    zipCode="zip_code",
    address="address",
)
_HEADSHOT: Final = _named(
    _each(_shape("headshots")),
    storageId="storage_id",
    imageId="storage_id",
    title="title",
    uploadDate="upload_date",
    position="position",
)


def _sizes(group: str) -> Columns:
    return {name: _one(f"sizing/{group}/{part}", read=convert.size) for name, part in _MEASURES.items()}


_RESUME: Final[Columns] = {
    "projects": Field("projects", References(_project)),
    "skills": Field("", Skills(), {"skills": "skills", "skill_levels": "skillLevels"}),
    "genres": _texts("genres"),
}

ONBOARDING: Final[Columns] = {
    "displayName": _one("display_name"),
    "onboardingCompleted": _one("onboarding_completed"),
    "onboardingCompletedAt": _one("onboarding_completed_at"),
    "onboardingVersion": _one("onboarding_version"),
    "currentOnboardingStep": _one("onboarding_step"),
    "currentOnboardingStepIndex": _one("onboarding_step_index"),
    "onboardingStep": Field("", OldStep(), {"onboarding_step_number": "onboardingStep"}),
}
"""What the account keeps of a user who has no profile (T12)."""

_COMMON: Final[Columns] = {
    **ONBOARDING,
    "headshots": Field("headshots", Many(_HEADSHOT)),
    "representation": {
        "agencyId": _one("representation/agency_id"),
        "displayRep": _one("representation/display_rep"),
        "tipDismissed": _one("representation/tip_dismissed"),
    },
    "representationStatus": _one("representation_status"),
    "attributes": {
        "ethnicity": _texts("attributes/ethnicity"),
        "hairColor": _one("attributes/hair_color", older=HAIR),
        "eyeColor": _one("attributes/eye_color", older=EYES),
        "gender": _one("attributes/gender", older=GENDER),
        "height": Field("attributes/height", Height(_named(_shape("attributes/height"), feet="feet", inches="inches"))),
        "yearsOfExperience": _one("attributes/years_of_experience"),
    },
    "sizing": {
        "general": _sizes("general"),
        "male": _sizes("male"),
        "female": _sizes("female"),
        **{name: _one(f"sizing/general/{name}", read=convert.size) for name in _OLD_SIZES},
    },
    "links": {
        "reel": _one("links/reel"),
        "socials": Field("links/socials", Socials()),
        "other": Field("links/other", Many(_OTHER_LINKS)),
        "portfolio": Field("links/other", Many(_OTHER_LINKS)),
    },
    "location": Field("location", _LOCATION),
    "workLocation": _texts("work_location"),
    **_RESUME,
    "resumeUploads": Field("resume_uploads", Anything(list)),
    "resume": {**_RESUME, "uploads": Field("resume_uploads", Anything(list))},
    "training": Field("training", References(_training)),
    "sagAftraId": _one("sag_aftra_id"),
    "unionStatus": _one("union_status"),
    "companyName": _one("company_name"),
    "databaseUse": _one("database_use"),
    "profileTipDismissed": _one("profile_tip_dismissed"),
    "resumeImportedFields": _texts("resume_imported_fields"),
    "resumeImportVersion": _one("resume_import_version"),
    "resumeImportedAt": _one("resume_imported_at"),
}

_PROFILE: Final[Columns] = {
    **_COMMON,
    "availability": Field("availability", Anything()),
    "danceStyles": _texts("dance_styles"),
    "performanceVideos": Field("performance_videos", Anything(list)),
    "spotlightOrder": Field("spotlight_order", Anything()),
    "favoriteDancers": Field("favorite_dancers", References(str)),
    "favoriteChoreographers": Field("favorite_choreographers", References(str)),
}

VERIFIED: Final[Columns] = {"verified": Field("verification", One(text(), convert=_verification, back=_is_verified))}
"""A badge is not a field its owner may set: it becomes the verification of the profile (T16)."""

OF_PROFILE: Final[Mapping[str, Columns]] = {
    "users": {**_COMMON, "gender": _one("attributes/gender", older=GENDER)},
    "dancers": _PROFILE,
    "choreographers": {
        **_PROFILE,
        "featured": _one("featured", CHOREOGRAPHER),
        "specialties": _texts("specialties", CHOREOGRAPHER),
        "yearsOfExperience": _one("years_of_experience", CHOREOGRAPHER),
        "notableWorks": Field("notable_works", Anything()),
        "teachingLocations": _texts("teaching_locations", CHOREOGRAPHER),
        "rates": {
            name: _one(f"rates/{name}", CHOREOGRAPHER) for name in ("hourly", "daily", "project")
        },
        "portfolio": Field("portfolio", Anything()),
        "certifications": Field("certifications", Anything()),
        "awardsRecognition": Field("awards_recognition", Anything()),
    },
}  # fmt: skip
"""The columns of a table that belong to a profile (T13–T26)."""

OF_GUEST: Final[Columns] = {**OF_PROFILE["users"], "location": Field("place", _LOCATION)}
"""The same of a user who has a personal profile, where a location is a text (T13)."""

OF_ACCOUNT: Final[Columns] = {
    "email": Field("email", One()),
    "phone": Field("phone", One()),
    "isAdmin": Field("roles", One(flag(), convert=_roles, back=lambda roles: "admin" in roles)),
    "tokenId": _one("token_id", ACCOUNT_DETAILS, under="details/"),
    "type": _one("member_type", ACCOUNT_DETAILS, under="details/"),
    "firstName": _one("first_name", ACCOUNT_DETAILS, under="details/"),
    "lastName": _one("last_name", ACCOUNT_DETAILS, under="details/"),
    "dateOfBirth": _one("date_of_birth", ACCOUNT_DETAILS, under="details/"),
    "profileType": _one("profile_type", ACCOUNT_DETAILS, under="details/"),
    "pointsEarned": _one("points", ACCOUNT_DETAILS, under="details/"),
    "favoriteUsers": Field("details/favorites", References(account_of, distinct=True)),
    "pushTokens": Field(
        "details/push_tokens",
        Many(
            _named(
                _each(ACCOUNT_DETAILS["push_tokens"]),
                token="token",  # noqa: S106 – a name
                platform="platform",
                updatedAt="updated_at",
            )
        ),
    ),
}
"""The columns of `users` that belong to the account (T10, T11)."""


def _under_details(columns: Columns) -> Columns:
    """Return columns of a profile as those of the account's details."""
    fields = {name: column for name, column in columns.items() if isinstance(column, Field)}
    targets = {name: column.target or next(iter(column.back)) for name, column in fields.items()}
    return {name: Field(f"details/{targets[name]}", column.reader) for name, column in fields.items()}


def _item(kind: str, **columns: str | Reader) -> Columns:
    """Return the columns of an item: legacy name → field, or the reader where the field has the legacy name."""
    shapes = ITEMS[kind].fields
    return {
        name: Field(name, column) if not isinstance(column, str) else Field(column, _reader(shapes[column]))
        for name, column in columns.items()
    }


def _reader(shape: FieldShape) -> Reader:
    match shape.shape:
        case "texts":
            return Many(Exact())
        case "anything":
            return Anything()
        case _:
            return One(shape)


OF_PROJECT: Final[Columns] = {
    **_item(
        "project",
        title="title",
        songTitle="title",
        campaignTitle="title",
        tourName="title",
        type=One(_shape("type", ITEMS["project"].fields), PROJECT_TYPES),
        subtype="subtype",
        roles="roles",
        startDate="start_date",
        endDate="end_date",
        media="media",
        profileType="profile_type",
    ),
}
OF_TRAINING: Final[Columns] = _item(
    "training",
    name="title",
    title="title",
    type="type",
    institution="institution",
    instructors="instructors",
    startYear="start_year",
    endYear="end_year",
    year="year",
    degree="degree",
    role="role",
    references="references",
    visibility="visibility",
    orderIndex="order_index",
    profileType="profile_type",
)
OF_HIGHLIGHT: Final[Columns] = {
    **_item("highlight", imageId="image_id", position="position"),
    "projectId": Field("project_id", Reference(_project)),
}

_FULL_NAME: Final = Field("details/full_name", One())
BACK_OF_ACCOUNT: Final = Back({**OF_ACCOUNT, "fullName": _FULL_NAME, **_under_details(ONBOARDING)})
BACK_OF_PROFILE: Final = {table: Back(columns) for table, columns in OF_PROFILE.items()}
BACK_OF_GUEST: Final = Back(OF_GUEST)
BACK_OF_BADGE: Final = Back(VERIFIED)
BACK_OF_ITEM: Final = {"project": Back(OF_PROJECT), "training": Back(OF_TRAINING), "highlight": Back(OF_HIGHLIGHT)}
