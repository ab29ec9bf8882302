"""Plain users of the caregivers system, and the rows that were split off them."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.samples.truth import Record

ZONES: Final = ("emotional_wellbeing", "physical_health", "social_support", "financial_concerns", "time_management")
_BANDS: Final = ("crisis", "high", "moderate", "mild", "thriving")
_PHASES: Final = ("onboarding", "active", "maintenance", "crisis", "churned")
_FIRST: Final = ("Ana", "Bea", "Carl", "Dora", "Émile", "Fay", "Gus", "Hal", "Ida", "Jo")
_SAID: Final = ("I slept two hours.", "Mum fell again 😔", "Thanks, that helped.", "What about respite care?")
_DAY: Final = 86_400_000
START: Final = 1_660_000_000_000


@dataclass
class Person:
    """A user, the rows split off them, and the SMS phone of the one before."""

    rng: random.Random
    serial: int
    user: Record
    rows: list[Record] = field(default_factory=list)
    neighbour: str | None = None

    @property
    def key(self) -> str:
        """The id of the user."""
        return str(self.user.doc["_id"])

    def add(self, table: str, **columns: Any) -> Record:
        """Split a row off; without more said it is as old as the user."""
        doc = {"_id": row_id(self.rng), "_creationTime": self.user.doc["_creationTime"], "userId": self.key}
        times = {name: self.user.doc.get("updatedAt") for name in ("createdAt", "updatedAt")}
        if table == "conversationState":
            del times["createdAt"]
        row = Record(table, doc | columns | times)
        self.rows.append(row)
        return row


def row_id(rng: random.Random) -> str:
    """Make an id as the document store does."""
    return "k" + "".join(rng.choices("0123456789abcdefghjkmnpqrstvwxyz", k=31))


def band(score: float) -> str:
    """Return the band of a score."""
    return _BANDS[min(int(score // 20), 4)]


def _times(rng: random.Random) -> dict[str, Any]:
    created = START + rng.randrange(700) * _DAY + rng.randrange(_DAY)
    return {
        "_creationTime": created + rng.choice((0.0, 0.25, 0.501)),
        "createdAt": created,
        "updatedAt": created + rng.randrange(1, 90) * _DAY,
    }


def _identity(rng: random.Random, serial: int) -> dict[str, Any]:
    return {
        "name": f"{rng.choice(_FIRST)} {serial}",
        "email": f"care.{serial}@example.org",
        "phoneNumber": f"+1555{serial:07}",
        "isAnonymous": False,
    }


def admin(rng: random.Random, serial: int) -> Person:
    """Make a user with identity fields only."""
    doc = {"_id": row_id(rng)} | _times(rng) | _identity(rng, serial)
    doc |= {"phone": f"+1666{serial:07}", "roles": ["admin"], "image": "https://example.org/a.png"}
    return Person(rng, serial, Record("users", doc))


def caregiver(rng: random.Random, serial: int) -> Person:
    """Make a user with every group of fields."""
    doc: dict[str, Any] = {"_id": row_id(rng)} | _times(rng) | _identity(rng, serial)
    score = rng.randrange(0, 1000) / 10
    last = doc["updatedAt"]
    doc |= {
        "firstName": rng.choice(_FIRST),
        "relationship": rng.choice(("daughter", "husband", "friend")),
        "careRecipientName": rng.choice(_FIRST),
        "zipCode": f"{rng.randrange(100_000):05}",
        "languagePreference": rng.choice(("en", "es")),
        "journeyPhase": rng.choice(_PHASES),
        "burnoutScore": score,
        "burnoutBand": band(score),
        "burnoutConfidence": rng.randrange(101) / 100,
        "pressureZones": rng.sample(ZONES, rng.randrange(4)),
        "pressureZoneScores": {zone: rng.randrange(101) for zone in rng.sample(ZONES, rng.randrange(1, 5))},
        "lastContactAt": last,
        "crisisFollowupCount": rng.randrange(3),
        "reactivationMessageCount": rng.randrange(4),
        "onboardingAttempts": {"first_name": 1, "zip_code": rng.randrange(3)},
        "onboardingCooldownUntil": last + _DAY,
        "assessmentInProgress": rng.random() < 0.3,
        "assessmentType": rng.choice(("ema", "cwbs", "reach_ii", "sdoh")),
        "assessmentCurrentQuestion": rng.randrange(6),
        "rcsCapable": rng.random() < 0.5,
        "deviceType": rng.choice(("iPhone", "pixel 7", "unknown")),
        "consentAt": doc["createdAt"],
        "appState": {"lastActivity": last, "sessionCount": rng.randrange(40)},
        "stripeCustomerId": f"cus_{serial}",
        "stripeSubscriptionId": f"sub_{serial}",
        "subscriptionStatus": rng.choice(("active", "trialing", "past_due", "incomplete", "none")),
        "trialEndsAt": last + 14 * _DAY,
        "recentMessages": [message(rng, last - index * 60_000) for index in range(rng.randrange(1, 5))],
        "historicalSummary": "Sleeps badly, asks for respite care.",
        "historicalSummaryVersion": rng.choice(("batch-v1", "baseline-v1")),
        "conversationStartDate": doc["createdAt"],
        "totalInteractionCount": rng.randrange(400),
    }
    return Person(rng, serial, Record("users", doc))


def message(rng: random.Random, at: float) -> dict[str, Any]:
    """Make a message of a conversation."""
    return {"role": rng.choice(("user", "assistant")), "content": rng.choice(_SAID), "timestamp": at}
