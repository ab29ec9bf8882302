"""What an ordinary user looks like, before the split and after it, and how the records of one user are drawn."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.samples.truth import Record

_ALNUM: Final = "abcdefghjkmnpqrstvwxyz0123456789"
_FIRST: Final = ("Ada", "Bruno", "Chloé", "Dana", "Elif", "Jürg", "Maya", "Noé", "Priya", "Zoë")
_LAST: Final = ("Adams", "Brown", "Castillo", "Dubois", "Nguyen", "O'Neill", "Park", "Silva")
_CITIES: Final = (("Los Angeles", "CA"), ("New York", "NY"), ("Atlanta", "GA"), ("Las Vegas", "NV"))
_SKILLS: Final = ("Hip Hop", "Tap", "Jazz", "Contemporary", "Acro", "Salsa", "Krump")
_GENRES: Final = ("Commercial", "Concert", "Theater")
_TITLES: Final = ("Halftime Show", "Night Drive", "The Nutcracker", "Spring Campaign", "World Tour")
_TYPES: Final = ("tv-film", "music-video", "live-performance", "commercial")
_SCHOOLS: Final = ("Millennium", "Juilliard", "Alvin Ailey", "Broadway Dance Center")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Bundle:
    """All records of one user; `form` says what the user is, `neighbours` are ids of earlier users."""

    rng: random.Random
    serial: int
    form: str
    user: Record
    when: datetime
    neighbours: list[str]
    row: Record | None = None
    projects: list[Record] = field(default_factory=list)
    training: list[Record] = field(default_factory=list)
    highlights: list[Record] = field(default_factory=list)
    others: list[Record] = field(default_factory=list)

    @property
    def moved(self) -> Record:
        """Give the profile row of a user who is known to have one."""
        if self.row is None:
            raise LookupError(self.form)
        return self.row

    @property
    def records(self) -> list[Record]:
        """Give the records of the bundle."""
        rows = [self.row] if self.row else []
        return [self.user, *rows, *self.projects, *self.training, *self.highlights, *self.others]


Oddity = Callable[[Bundle], None]


def make_id(rng: random.Random) -> str:
    """Give a document id as the store drew them."""
    return "".join(rng.choices(_ALNUM, k=32))


def ms(when: datetime) -> float:
    """Write a time as the store does."""
    return (when - EPOCH) / timedelta(milliseconds=1)


def iso(when: datetime) -> str:
    """Write a time as the application does."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"


def document(rng: random.Random, when: datetime, **fields: Any) -> dict[str, Any]:
    """Make a document of the store."""
    return {"_id": make_id(rng), "_creationTime": ms(when) + rng.choice((0.0, 0.25, 0.5)), **fields}


def _common(rng: random.Random, when: datetime) -> dict[str, Any]:
    city, state = rng.choice(_CITIES)
    return {
        "displayName": f"{rng.choice(_FIRST)} {rng.choice(_LAST)}",
        "headshots": [
            {"storageId": make_id(rng), "title": "Front", "uploadDate": iso(when), "position": 0},
            {"storageId": make_id(rng), "uploadDate": iso(when), "position": 1},
        ],
        "representation": {"agencyId": make_id(rng), "displayRep": rng.random() < 0.5},
        "representationStatus": rng.choice(("represented", "seeking", "independent")),
        "links": {
            "reel": "https://example.org/reel",
            "socials": {"instagram": "@dances", "tiktok": "@moves"},
            "other": [{"label": "Site", "url": "https://example.org"}],
        },
        "location": {"country": "USA", "state": state, "city": city},
        "onboardingCompleted": True,
        "onboardingCompletedAt": iso(when),
        "onboardingVersion": "v2",
        "currentOnboardingStep": "skills",
        "currentOnboardingStepIndex": 8,
        "profileTipDismissed": False,
        "searchPattern": f"{city} {state}".lower(),
    }


def _dancing(rng: random.Random) -> dict[str, Any]:
    return {
        "attributes": {
            "ethnicity": ["Asian", "White / Caucasian"][: rng.randint(1, 2)],
            "hairColor": rng.choice(("Black", "Brown", "Other")),
            "eyeColor": rng.choice(("Blue", "Brown", "Mixed")),
            "gender": rng.choice(("Male", "Female")),
            "height": {"feet": 5, "inches": rng.randint(0, 11)},
            "yearsOfExperience": rng.randint(0, 30),
        },
        "sizing": {"general": {"waist": "30", "inseam": "32", "hat": "22"}, "female": {"dress": "4", "shoes": "7.5"}},
        "sagAftraId": str(rng.randint(10_000, 99_999)),
        "workLocation": ["Los Angeles, CA", "Atlanta, GA"][: rng.randint(1, 2)],
    }


def _user(rng: random.Random, serial: int, when: datetime) -> dict[str, Any]:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return document(
        rng,
        when,
        tokenId=f"issuer|{make_id(rng)}",
        type="member",
        isAdmin=False,
        email=f"user.{serial}@example.org",
        firstName=first,
        lastName=last,
        fullName=f"{first} {last}",
        phone=f"+1555{serial:07}",
        dateOfBirth=f"{rng.randint(1970, 2005)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}",
        pushTokens=[{"token": make_id(rng), "platform": "ios", "updatedAt": ms(when)}],
    )


def _credits(bundle: Bundle) -> None:
    rng, user_id = bundle.rng, bundle.user.doc["_id"]
    for _ in range(rng.randint(3, 4)):
        doc = document(rng, bundle.when, userId=user_id, type=rng.choice(_TYPES), title=rng.choice(_TITLES))
        doc |= {"roles": ["Dancer"], "startDate": "2021-05-01", "studio": "Stage 4", "media": make_id(rng)}
        bundle.projects.append(Record("projects", doc))
    for order in range(rng.randint(1, 2)):
        doc = document(rng, bundle.when, userId=user_id, type="dance-school", institution=rng.choice(_SCHOOLS))
        doc |= {"instructors": ["K. Bell"], "startYear": 2010, "endYear": 2014, "degree": "BFA", "orderIndex": order}
        bundle.training.append(Record("training", doc))


def _ids(records: list[Record]) -> list[str]:
    return [record.doc["_id"] for record in records]


def build(rng: random.Random, serial: int, form: str, neighbours: list[str]) -> Bundle:
    """Make a plain user: `flat` and `moved` dancers before and after the split, a `company`, or a `guest`."""
    when = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(60_000_000))
    bundle = Bundle(rng, serial, form, Record("users", _user(rng, serial, when), form), when, list(neighbours))
    doc = bundle.user.doc
    if form == "guest":
        if rng.random() < 0.7:
            doc["profileType"] = "guest"
        return bundle
    _credits(bundle)
    lists = {"projects": _ids(bundle.projects), "genres": [rng.choice(_GENRES)]}
    lists["skills"] = rng.sample(_SKILLS, 2)
    uploads = [{"storageId": make_id(rng), "title": "Resume"}]
    doc["profileType"] = "choreographer" if form == "company" else "dancer"
    doc["favoriteUsers"] = rng.sample(neighbours, min(len(neighbours), rng.randint(0, 3)))
    fields = _common(rng, when)
    if form == "flat":
        doc |= fields | _dancing(rng) | {"resume": lists | {"uploads": uploads}, "training": _ids(bundle.training)}
        return bundle
    fields |= lists | {"resumeUploads": uploads, "userId": doc["_id"], "isPrimary": True, "profileCompleteness": 0}
    created = when + timedelta(days=200)
    table = "choreographers" if form == "company" else "dancers"
    fields |= {"createdAt": iso(created), "favoriteDancers": [], "favoriteChoreographers": []}
    if form == "company":
        fields |= {"companyName": "Kinetic", "databaseUse": "casting", "verified": False, "featured": False}
        fields |= {"specialties": ["Aerial"], "yearsOfExperience": 12, "rates": {"hourly": 90, "project": "on request"}}
        fields |= {"notableWorks": ["Night Drive"], "teachingLocations": ["Los Angeles"], "portfolio": [{"a": 1}]}
    else:
        fields |= _dancing(rng) | {"training": _ids(bundle.training), "danceStyles": ["Hip Hop"]}
    bundle.row = Record(table, document(rng, created, **fields), form)
    bundle.row.findings.append("derived_differs")  # the old migration wrote 0, and the profile is not empty
    doc |= {"activeProfileType": doc["profileType"]}
    doc["activeDancerId" if form == "moved" else "activeChoreographerId"] = bundle.row.doc["_id"]
    if form == "moved":
        for position in range(2):
            target = bundle.projects[position].doc["_id"]
            doc = document(rng, created, dancerId=bundle.row.doc["_id"], projectId=target, imageId=make_id(rng))
            doc |= {"position": position, "createdAt": iso(created)}
            bundle.highlights.append(Record("highlights", doc))
        bundle.projects[0].doc |= {"profileType": "dancer", "profileId": bundle.row.doc["_id"]}
    return bundle
