"""What an ordinary user looks like: the vocabularies and names, and how the records of one user are drawn."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from adapters.samples.truth import NORMALISED, Record

INTENT: Final[dict[str, dict[str, str]]] = {
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
NAMES: Final = ("Ada", "Bruno", "Chiara", "Elif", "Fritz", "Goran", "Hana", "Jürg", "Lea", "Noé", "Zoë")
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
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
        return (when - EPOCH) // timedelta(milliseconds=1)
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
        "name": rng.choice(NAMES),
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
    fields = {name: rng.choice(offered.split()) for name, offered in INTENT[kind].items() if offered}
    return fields | ({"complementarySkills": _some(rng, _SKILLS, 3)} if kind == "professional" else {})


def _blob(rng: random.Random, kind: str, person: dict[str, Any], *, modern: bool) -> dict[str, Any]:
    data: dict[str, Any] = {key: person[key] for key in ("name", "location", "ageRange") if rng.random() < 0.7}
    data["intent"] = rng.choice(_INTENTS)
    data |= {"preferences": _some(rng, _WISHES, 3), "dealbreakers": _some(rng, _REFUSALS, 2)}
    if modern:
        data |= {key: value for key, value in person.items() if key not in data and rng.random() < 0.5}
        data |= {key: value for key, value in _own(rng, kind).items() if rng.random() < 0.7}
    return json.loads(json.dumps(data))  # type: ignore[no-any-return]


def make_profile(rng: random.Random, kind: str, parent: object, when: datetime, data: dict[str, Any]) -> Record:
    """Make the Profile row of a context from its data."""
    missing = [key for key in ("name", "ageRange", "location", "intent") if key not in data]
    doc = {
        "id": cuid(rng),
        "contextProfileId": parent,
        "data": data,
        "completeness": rng.randint(0, 6) * 100 // 6,
    }
    return Record("Profile", doc | {"missing": missing} | _times(rng, when + timedelta(minutes=3)), kind)


def make_context(rng: random.Random, kind: str, user_id: object, when: datetime) -> Context:
    """Make a context of a user, as yet without a Profile row."""
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
    doc["createdAt"] = stamp(rng, when + timedelta(days=rng.random() * 90))
    marks = {f"/{name}": NORMALISED for name in ("userId", "contextProfileId") if isinstance(doc[name], int)}
    return Record("ChatMessage", doc, marks=marks)


def build(rng: random.Random, serial: int, contexts: int, *, odd: bool, second: str | None = None) -> Bundle:
    """Make a plain user; with `odd` every context has a Profile row, and `second` is the second type."""
    when = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(110_000_000))
    when += timedelta(milliseconds=rng.choice((0, rng.randrange(1000))))
    person, modern = _person(rng), rng.random() < 0.4
    email = f"{person['name'].lower()}.{serial}@example.org"
    doc = {"id": cuid(rng), "email": email, "name": person["name"]} | _times(rng, when)
    bundle = Bundle(rng, serial, Record("User", doc))
    kinds = rng.sample(list(INTENT), 5)
    if second:
        kinds.remove(second)
        kinds.insert(1, second)
    for kind in kinds[:contexts]:
        when += timedelta(days=2 + rng.random() * 30)
        when = when.replace(microsecond=when.microsecond // 1000 * 1000)
        context = make_context(rng, kind, doc["id"], when)
        if odd or rng.random() < 0.9:
            data = _blob(rng, kind, person, modern=modern)
            context.profile = make_profile(rng, kind, context.row.doc["id"], when, data)
        bundle.contexts.append(context)
    return bundle


def add_messages(bundle: Bundle, least: int) -> None:
    """Add messages about the standing contexts, `least` or more when there is such a context."""
    named = [context for context in bundle.contexts if context.standing]
    if named:
        for _ in range(max(least, bundle.rng.randint(0, 8))):
            context = bundle.rng.choice(named)
            doc = context.row.doc
            bundle.messages.append(_message(bundle.rng, bundle.user.doc["id"], doc["id"], context.when))
