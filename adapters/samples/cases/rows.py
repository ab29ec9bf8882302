"""The rows of the cases system as ordinary cases have them, and how ids and times look there."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from adapters.samples.cases.vocabulary import Said
from adapters.samples.truth import ABSENT, Record, is_unset

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400_000
FAR: Final = 10**25
NFD: Final = "Conceic\u0327a\u0303o"
NFC: Final = "Concei\u00e7\u00e3o"
_ALNUM: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_LOCAL: Final = timedelta(hours=-3)


@dataclass(slots=True)
class Row(Record):
    """A record that also knows on which field each finding and conflict is."""

    found: list[tuple[str, str]] = field(default_factory=list)
    disputed: list[tuple[str, str]] = field(default_factory=list)

    def put(self, at: str, value: object, mark: str | None = None, findings: str = "") -> None:
        """Set or remove the value at a path of object keys, and say what becomes of it."""
        Record.put(self, at, value, mark, findings)
        self.found += [(at[1:], code) for code in findings.split()]

    def find(self, name: str, *codes: str) -> None:
        """Say which findings a replay must make on a field."""
        self.findings += codes
        self.found += [(name, code) for code in codes]

    def dispute(self, name: str, rule: str) -> None:
        """Say that a replay must settle a conflict on a field."""
        self.conflicts += 1
        self.disputed.append((name, rule))

    def say(self, column: str, said: Said) -> None:
        """Write a status."""
        self.put(f"/{column}", said.text, said.mark, "outside_vocabulary" if said.outside else "")

    @property
    def key(self) -> str:
        """Give the row's id as text."""
        return str(self.doc["_id"])


def legacy_id(rng: random.Random) -> str:
    """Draw a row id as the document store does."""
    return "jkmn"[rng.randrange(4)] + "".join(rng.choices(_ALNUM, k=31))


def platform_time(rng: random.Random, millis: float) -> float:
    """Give the platform's time of a write at a time of the application."""
    return round(millis + rng.random(), 4) if rng.random() < 0.8 else float(int(millis) + 1)


def moment(millis: float) -> datetime:
    """Give the point in time a number stands for."""
    return EPOCH + timedelta(milliseconds=millis)


def utc_day(millis: float) -> str:
    """Give the UTC day, as the backfill of `date` wrote it."""
    return moment(millis).date().isoformat()


def local_clock(millis: float) -> str:
    """Give what a wall clock in São Paulo showed."""
    return (moment(millis) + _LOCAL).strftime("%Y-%m-%dT%H:%M")


def later_day(text: str, days: int) -> str:
    """Give the day some days after the day a date text begins with."""
    return (date.fromisoformat(text[:10]) + timedelta(days)).isoformat()


def make_row(rng: random.Random, table: str, millis: float, **fields: Any) -> Row:
    """Make a row written at a time, without the fields that are ABSENT."""
    doc = {"_id": legacy_id(rng), "_creationTime": platform_time(rng, millis)}
    return Row(table, doc | {name: value for name, value in fields.items() if value is not ABSENT})


_GIVEN: Final = ("Ana", "Bruno", "Chen", "Conceição", "Élodie", "Igor", "João", "Kaito", "Lucía", "Priya", "Zoë")
_FAMILY: Final = ("Alves", "da Silva", "Dubois", "García", "Kim", "Müller", "Nakamura", "Okafor", "Sørensen", "Wójcik")


def make_person(rng: random.Random, millis: float) -> Row:
    """Make a row of `people`, of one of two generations; the table has no home, so all of it stays unmapped."""
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    names = {"fullName": f"{given} {family}"}
    if rng.random() < 0.5:
        names = {"givenNames": given, "surname": family}
    born = date(1955, 1, 1) + timedelta(rng.randrange(18_000))
    person = make_row(rng, "people", millis, **names, birthDate=born.isoformat(), createdAt=int(millis))
    if rng.random() < 0.3:
        person.doc["funcao" if "fullName" in names else "cargo"] = rng.choice(("Engenheiro", "Técnica", "Analista"))
    if rng.random() < 0.4:
        # the import set what it did not know to null
        person.doc |= {
            "nationalityId": None,
            "email": f"{given.lower()}.{rng.randrange(9999)}@example.org",
            "notes": "",
        }
    return person


def make_process(rng: random.Random, millis: float, person: object) -> Row:
    """Make a row of `individualProcesses` without status and without references to other tables of the system."""
    row = make_row(rng, "individualProcesses", millis, personId=person)
    drawn: dict[str, Callable[[], object]] = {
        "passportId": lambda: legacy_id(rng),
        "legalFrameworkId": lambda: legacy_id(rng),
        "cboId": lambda: legacy_id(rng),
        "mreOfficeNumber": lambda: f"{rng.randrange(100, 999)}/{rng.randrange(2022, 2026)}",
        "douNumber": lambda: str(rng.randrange(1, 260)),
        "douSection": lambda: str(rng.randrange(1, 4)),
        "douPage": lambda: rng.choice(("", str(rng.randrange(1, 90)))),
        "protocolNumber": lambda: f"08018.{rng.randrange(10**6):06}/{rng.randrange(2022, 2026)}-{rng.randrange(99):02}",
        "rnmNumber": lambda: f"F{rng.randrange(10**6):06}-{rng.choice('ABCX')}",
        "douDate": lambda: utc_day(millis + rng.randrange(40, 300) * DAY),
        "rnmDeadline": lambda: utc_day(millis + rng.randrange(300, 900) * DAY),
        "deadlineDate": lambda: utc_day(millis + rng.randrange(30, 90) * DAY),
        "appointmentDateTime": lambda: local_clock(millis + rng.randrange(30, 90) * DAY),
        "funcao": lambda: rng.choice(("Soldador", "Gerente de projeto", "")),
        "processTypeId": lambda: legacy_id(rng),
        "urgent": lambda: rng.random() < 0.2,
    }
    for name, draw in drawn.items():
        value = draw()
        if rng.random() < 0.35:
            row.doc[name] = value
    if rng.random() < 0.2:
        row.doc["completedAt"] = int(millis + rng.randrange(200, 500) * DAY)
    return row


def add_deadlines(row: Row, text: str, edited: str = "") -> None:
    """Write the deadlines of a requirement dated `text`; `edited` names those that were changed by hand."""
    for column, days in (("maxDeliveryDate", 29), ("clientDeadlineDate", 23)):
        by_hand = column in edited
        row.put(f"/{column}", later_day(text, days + by_hand), None, "derived_differs" if by_hand else "")


def drop(row: Row, *columns: str) -> None:
    """Leave columns of a row away."""
    for column in columns:
        row.put(f"/{column}", ABSENT)


def is_set(row: Row, column: str) -> bool:
    """Tell whether a row says anything in a column."""
    return not is_unset(row.doc.get(column))
