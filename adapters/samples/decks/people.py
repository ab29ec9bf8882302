"""Plain people: their row in `profiles`, in one of the shapes the table had, and what belongs to them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from adapters.samples.truth import ABSENT, Record

COLUMNS: Final = {
    *("id", "user_id", "created_at", "updated_at", "email", "phone", "full_name", "first_name", "last_name"),
    *("company_name", "job_title", "industry", "avatar_url", "logo_url", "profile_picture_url", "bio"),
    *("target_audience", "business_context", "master_system_prompt", "brand_colors", "key_metrics", "preferences"),
    *("notification_settings", "onboarding_completed", "is_active", "email_verified", "last_login", "login_count"),
    *("timezone", "language", "subscription_tier", "subscription_plan", "subscription_status"),
    *("stripe_customer_id", "stripe_subscription_id"),
    # what some of them were called before
    *("name", "company", "companyName", "jobTitle", "last_login_at", "total_logins", "tier", "plan"),
}
"""The columns whose values have a place."""
STOCK_PROMPT: Final = "You are a presentation assistant who turns data into a story."
_OLDER: Final = {
    "full_name": "name",
    "company_name": "company",
    "last_login": "last_login_at",
    "login_count": "total_logins",
    "subscription_tier": "tier",
}
_FIRST: Final = ("Ada", "Grace", "Edsger", "Barbara", "Tony", "Frances", "Donald", "Zoë")
_LAST: Final = ("Lovelace", "Hopper", "Dijkstra", "Liskov", "Hoare", "Allen", "Knuth", "Müller")
_COMPANIES: Final = ("Engines & Sons", "Compiler House", "Semaphore AG", "Data 🌻 Works")
_JOBS: Final = ("Analyst", "Head of Sales", "Founder", "Teacher")
_INDUSTRIES: Final = ("Technology", "Healthcare", "Finance", "Real Estate", "Non-profit", "Other")
_METRICS: Final = ("MRR", "Churn", "Net new customers", "Cost per lead", "NPS")


@dataclass
class Person:
    """The row of one person and what belongs to them; `neighbour` is the email of an earlier plain person."""

    rng: random.Random
    serial: int
    user: str
    row: Record
    neighbour: str | None = None
    twin: Record | None = None
    others: list[Record] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        """Give the records of the person."""
        return [self.row, *([self.twin] if self.twin else []), *self.others]


Oddity = Callable[[Person], None]


def make_uuid(rng: random.Random) -> str:
    """Give a row id as the database drew them."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def stamp(rng: random.Random, when: datetime) -> str:
    """Write a time in one of the notations exports hold."""
    style = rng.random()
    if style < 0.1:
        return when.strftime("%Y-%m-%d %H:%M:%S+00")
    return when.isoformat().replace("+00:00", "Z") if style < 0.3 else when.isoformat()


def build(rng: random.Random, serial: int) -> Person:
    """Make a plain person whose row has the columns of the final table."""
    user, when = make_uuid(rng), datetime(2023, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(60_000_000))
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    picture = f"https://cdn.example.org/{serial}.png"
    paid = rng.random() < 0.4
    doc: dict[str, Any] = {
        "id": make_uuid(rng),
        "user_id": user,
        "email": f"{first.lower()}.{serial}@example.org",
        "full_name": f"{first} {last}",
        "first_name": first,
        "last_name": last,
        "company_name": rng.choice(_COMPANIES),
        "job_title": rng.choice(_JOBS),
        "industry": rng.choice(_INDUSTRIES),
        "avatar_url": picture,
        "profile_picture_url": rng.choice((picture, None, "")),
        "logo_url": rng.choice((None, "https://cdn.example.org/logo.svg")),
        "subscription_tier": rng.choice(("pro", "enterprise")) if paid else "free",
        "subscription_status": "active",
        "stripe_customer_id": f"cus_{serial}" if paid else None,
        "stripe_subscription_id": f"sub_{serial}" if paid else None,
        "onboarding_completed": rng.random() < 0.3,
        "brand_colors": {"primary": "#112233", "secondary": ["#445566"][: rng.randint(0, 1)], "accent": "#778899"},
        "bio": rng.choice(("Ten years in sales.", "", None, "I like short decks.")),
        "phone": f"+41 44 {serial:07}",
        "target_audience": "Business professionals",
        "business_context": "We sell looms.",
        "master_system_prompt": rng.choice((None, STOCK_PROMPT)),
        "key_metrics": rng.sample(_METRICS, rng.randint(0, 3)),
        "preferences": {"theme": "dark"} if rng.random() < 0.3 else {},
        "last_login": stamp(rng, when + timedelta(days=30)),
        "login_count": rng.randint(0, 90),
        "is_active": True,
        "email_verified": False,
        "timezone": "UTC",
        "language": "en",
        "notification_settings": {"email": True, "push": True, "marketing": False},
        "created_at": stamp(rng, when),
        "updated_at": stamp(rng, when + timedelta(days=40)),
    }
    return Person(rng, serial, user, Record("profiles", doc))


def make_older(person: Person) -> None:
    """Give a person the row of an older shape: other names, and columns that have no place any more."""
    for now, then in _OLDER.items():
        value = person.row.doc[now]
        person.row.put(f"/{now}", ABSENT)
        person.row.put(f"/{then}", value)
    person.row.put("/data_preferences", {"charts": ["bar", "line"], "colours": None})
    person.row.put("/user_role", "user")


def add_others(person: Person) -> None:
    """Add presentations, leads and the like, and the user of the authentication service."""
    rng, user, made = person.rng, person.user, person.row.get("/created_at")
    own = {"user_id": user, "created_at": made}
    for _ in range(rng.randint(0, 2)):
        slides = {"slides": [{"title": "Q1", "bullets": []}], "theme": None}
        doc: dict[str, Any] = {
            "id": make_uuid(rng),
            "title": "Quarter",
            "status": "draft",
            "template_id": None,
            "data": slides,
        }
        person.others.append(Record("presentations", doc | own | {"settings": {}}))
    if rng.random() < 0.3:
        person.others.append(Record("datasets", {"id": make_uuid(rng), "name": "sales.csv", "rows": 120} | own))
        doc = {"id": make_uuid(rng), "metric": "views", "value": 3.5, "dimensions": {"page": "/"}}
        person.others.append(Record("analytics", doc | own))
        lead = {"id": make_uuid(rng), "email": f"lead{person.serial}@example.org", "status": "contacted"}
        person.others.append(Record("leads", lead | own))
    if rng.random() < 0.5:
        event = {"id": person.serial, "event_type": "profile_updated", "event_data": {"changed_fields": ["bio"]}}
        person.others.append(Record("user_events", event | own | {"ip": "192.0.2.1", "agent": "Mozilla/5.0"}))
    meta = {"name": person.row.get("/full_name"), "plan": "free"}
    auth = {"id": user, "email": f"auth{person.serial}@example.org", "email_confirmed_at": made}
    person.others.append(Record("users", auth | {"raw_user_meta_data": meta, "created_at": made}))
