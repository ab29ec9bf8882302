"""Writes a sample export of the caregivers system: the first users hold every oddity, those after them draw theirs."""

from collections import Counter
from pathlib import Path
from typing import Final

from adapters.samples.caregivers.oddities import IDENTITY, SLOTS, SPLIT
from adapters.samples.caregivers.people import Person, admin, caregiver, row_id
from adapters.samples.truth import MAPPED, UNMAPPED, Layout, Record, SampleWriter, Truth, broken_ways, make_rng

TABLES: Final = (
    *("users", "userProfiles", "caregiverProfiles", "conversationState", "billingAccounts", "subscriptions"),
    *("assessments", "jobs"),
)
WITHOUT_HOME: Final = ("assessments", "jobs")
PLANTED: Final = 20
"""So many users hold every oddity."""

_UNKNOWN: Final = {"isTestUser", "legacy"}
_CHANCE: Final = 0.12
_ADMINS: Final = 0.06
_WAYS: Final = broken_ways("/name", "_id")


def class_of(record: Record, at: str) -> str:
    """Give the class of a set leaf of a record that was taken in, when nothing odd is said about it."""
    unknown = record.table in WITHOUT_HOME or at[1:].partition("/")[0] in _UNKNOWN
    return UNMAPPED if unknown else MAPPED


def write_sample(out: Path, users: int, seed: int, *, layout: Layout = "json_lines") -> Truth:
    """Write an export of `users` users and its `truth.json`."""
    writer = SampleWriter(out, TABLES, class_of, make_rng("caregivers", "order", seed), layout=layout)
    sample = _Sample(writer, seed)
    for index in range(users):
        sample.add_user(index)
    return writer.close("caregivers", users, seed, sample.oddities)


class _Sample:
    def __init__(self, writer: SampleWriter, seed: int) -> None:
        self._writer, self._rng = writer, make_rng("caregivers", seed)
        self._neighbour: str | None = None
        self.oddities: Counter[str] = Counter()

    def add_user(self, index: int) -> None:
        """Add the user of this number with their rows, and now and then a line that is broken."""
        rng = self._rng
        is_admin = index == PLANTED - 1 or (index >= PLANTED and rng.random() < _ADMINS)
        person = admin(rng, index) if is_admin else caregiver(rng, index)
        person.neighbour = self._neighbour
        for slot, names in {**{slot: list(SLOTS[slot]) for slot in SLOTS}, "split": list(SPLIT)}.items():
            if is_admin and slot not in IDENTITY:
                continue
            if name := self._chosen(index, names):
                self._apply(person, slot, name)
        self.oddities["admin"] += is_admin
        twin = person.user.doc["phoneNumber"] == self._neighbour
        self._neighbour = None if twin else person.user.doc["phoneNumber"]
        for record in (person.user, *person.rows):
            self._writer.add(record)
        self._job(person)
        if way := self._chosen(index, list(_WAYS)):
            self._broken(way, 1_000_000 + index)

    def _chosen(self, index: int, names: list[str]) -> str | None:
        if index < PLANTED:
            return names[index] if index < len(names) else None
        return self._rng.choice(names) if self._rng.random() < _CHANCE else None

    def _apply(self, person: Person, slot: str, name: str) -> None:
        if name == "sms_phone_twice" and person.neighbour is None:
            return
        (SPLIT if slot == "split" else SLOTS[slot])[name](person)
        self.oddities[f"{slot}.{name}"] += 1

    def _job(self, person: Person) -> None:
        doc = {"_id": row_id(self._rng), "_creationTime": 1_690_000_000_000.5, "key": f"twilio:{person.serial}"}
        doc |= {"type": "process_inbound_sms", "status": "processing", "attempts": 1, "payload": {"user": person.key}}
        self._writer.add(Record("jobs", doc))

    def _broken(self, way: str, serial: int) -> None:
        user = caregiver(self._rng, serial).user
        _WAYS[way](user)
        self._writer.add(user)
        self.oddities[f"broken.{way}"] += 1
