"""The decks system: one row a person in `profiles` becomes an account, a deck profile and a billing account.

The rules are those of `docs/legacy/decks.md`; D-numbers refer to it. What the columns are is in `deck_columns.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.account import AccountRegistered, ActiveProfileSwitched, ProfileAdded
from domain.billing import BillingOpened, status_event
from domain.profile import ProfileConflictRecorded, ProfileCreated
from domain.streams import billing_id, imported_id, merged_profile_id
from domain.values import is_unset, normal_text, without_unset
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyTable
from migrations_replay.convert import Unreadable
from migrations_replay.document import Problem
from migrations_replay.facts import (
    NO_TIME,
    Facts,
    ImportedEvent,
    Place,
    Provenance,
    RecordFacts,
    Rule,
    pointer_to,
    rule,
    without_home,
)
from migrations_replay.systems.deck_columns import (
    BILLING,
    COLUMNS,
    CONTACT,
    DETAIL,
    LAST_LOGIN,
    NAMES,
    PROFILE,
    STATUS,
    Offer,
    choose,
    offers,
)

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from migrations_replay.replay import Outcome
    from projections.read_model import Row

KIND: Final = "deck"
PROFILES: Final = "profiles"
OF_A_USER: Final = ("presentations", "datasets", "analytics", "leads", "user_events")
AUTH_USERS: Final = ("users", "auth_users")
"""What an export may call the table of the authentication service."""
JSON_COLUMNS: Final = frozenset({"brand_colors", "key_metrics", "preferences", "notification_settings"})


class DecksSystem:
    """The legacy application that makes presentations."""

    name = "decks"
    mapping_version = 1
    root = PROFILES
    tables: Mapping[str, LegacyTable] = {
        PROFILES: LegacyTable(one_by="user_id", named_by="user_id", json_columns=JSON_COLUMNS),
        **{table: LegacyTable(references={"user_id": (PROFILES,)}) for table in OF_A_USER},
    }
    renamed: Mapping[str, str] = {}
    inherited: frozenset[str] = frozenset()

    def refuse(self, table: str, document: Mapping[str, Any]) -> Problem | None:
        """D7: whose row it is must be told by `user_id`, or be left to `id`."""
        user = document.get("user_id")
        if table == PROFILES and not is_unset(user) and convert.key(user) is None:
            return Problem("no_subject", "user_id cannot be read as a key")
        return None

    def stream_of(self, root_key: str) -> UUID:
        """Return the account of an auth user."""
        return imported_id("account", self.name, AUTH_USERS[0], root_key)

    def subject_of(self, root_key: str) -> UUID:
        """Return that account: the data is all its own."""
        return self.stream_of(root_key)

    def derive(self, bundle: Bundle) -> Facts:
        """Return what the rows of one auth user imply, or any other row."""
        if bundle.root.table == PROFILES:
            return _user(bundle, self.stream_of(bundle.root.parent or bundle.root.key))
        return _without_home(bundle, self.stream_of)

    def to_legacy(self, record: Row, rows: BundleRows) -> dict[str, Any]:
        """Return the row of a person from the tables: all columns of the final table."""
        own: dict[str, Any] = {}
        account_id = record["became"]
        if record["table_name"] == PROFILES and account_id is not None:
            account = rows.row("accounts", account_id)
            billing = rows.row("billing_accounts", billing_id(account_id))
            homes = {
                CONTACT: account,
                DETAIL: account.get("details") or {},
                PROFILE: rows.row("profiles", merged_profile_id(account_id, KIND)).get("fields") or {},
                BILLING: billing.get("fields") or {},
                STATUS: billing,
            }
            own = {name: homes[column.home].get(column.target) for name, column in COLUMNS.items()}
        keys = {"id": record["key"], "user_id": record["parent_key"]}
        return without_unset({**keys, "created_at": record["created"], "updated_at": record["updated"], **own})

    def rules(self, outcome: Outcome, counts: Mapping[str, Any]) -> list[Rule]:
        """Check what must hold of the application's people."""
        people = outcome.tally["people"]
        links = sum(finding["code"] == "dangling_reference" for finding in outcome.findings)
        return [
            rule("accounts = auth users with a profile", abs(counts["accounts"] - people), people=people),
            rule("each account has one deck profile", counts["not_one_profile"]),
            rule("no orphan profile or billing account", counts["orphans"]),
            rule("scores within 0 to 100", counts["scores_outside"]),
            rule("what belongs to a user finds them", links),
        ]

    def stats(self, outcome: Outcome, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many rows and people there were, and what there is of them."""
        before = {"rows": outcome.taken[PROFILES], "people": outcome.tally["people"]}
        return {"before": before, "after": {name: counts[name] for name in ("accounts", "profiles", "billing")}}


def _without_home(bundle: Bundle, account_of: Any) -> Facts:
    """D15: what belongs to somebody is recorded as theirs; a link that leads to nobody is a finding."""
    root = bundle.root
    user = root.key if root.table in AUTH_USERS else convert.key(root.document.get("user_id"))
    facts = without_home(bundle, account_of(user) if user is not None else None)
    for record in facts.records.values():
        facts.dangling(record, "user_id")
    return facts


# --- a person (D7-D14) ------------------------------------------------------------------------------------------------


def _user(bundle: Bundle, account_id: UUID) -> Facts:
    facts = Facts(bundle, account_id)
    facts.tally["people"] += 1
    for row in facts.of(PROFILES):
        row.changed = _login(row.record.document)
        facts.row_times(row, "created_at", "updated_at")
    rows = sorted(facts.of(PROFILES), key=_weight, reverse=True)
    for row in rows:
        row.became = account_id
        facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))
        facts.key(row, "user_id", Place("legacy_ids", row.snapshot, "parent_key"))
    person = _Person(facts, rows, account_id)
    for name in COLUMNS:
        person.take(name)
    known = {"user_id", "created_at", "updated_at", *(name for names in NAMES.values() for name in names)}
    for row in rows:
        document = row.record.document
        rest = document.keys() - known - {row.record.id_field}
        facts.no_target(row, {pointer_to(name): document[name] for name in document if name in rest})
    person.names_agree()
    person.write()
    return facts


def _weight(row: RecordFacts) -> tuple[bool, datetime, str]:
    """D8: a row keyed by `user_id` counts more, then the one changed last, then the greater id."""
    return row.record.parent is not None, row.updated or row.earliest or NO_TIME, row.record.key


def _login(document: Mapping[str, Any]) -> datetime | None:
    found = []
    for name in LAST_LOGIN:
        try:
            found.append(convert.instant(document.get(name)))
        except Unreadable:
            continue
    return min(found, default=None)


class _Person:
    """An account, a profile and a billing account as they are put together: values by home, and their sources."""

    def __init__(self, facts: Facts, rows: list[RecordFacts], account_id: UUID) -> None:
        self.facts, self.rows, self.account_id = facts, rows, account_id
        self.profile_id, self.billing_id = merged_profile_id(account_id, KIND), billing_id(account_id)
        self.values: dict[str, dict[str, Any]] = {home: {} for home in (CONTACT, DETAIL, PROFILE, BILLING, STATUS)}
        self.sources: dict[str, Provenance] = {home: {} for home in self.values}
        self.conflicts: list[ProfileConflictRecorded] = []
        self.chosen: dict[str, Offer] = {}

    def place(self, home: str, target: str) -> Place:
        """Return where a value stands in the tables."""
        match home:
            case "contact":
                return Place("accounts", self.account_id, target)
            case "details":
                return Place("accounts", self.account_id, "details", (target,))
            case "profile":
                return Place("profiles", self.profile_id, "fields", (target,))
            case "status":
                return Place("billing_accounts", self.billing_id, target)
            case _:
                return Place("billing_accounts", self.billing_id, "fields", (target,))

    def take(self, name: str) -> None:
        """D9-D13: take what the rows say for a column."""
        column = COLUMNS[name]
        found = offers(self.facts, self.rows, name)
        if not found:
            return
        forms, chosen_by = choose(self.facts, found, name, self.place(column.home, column.target))
        chosen = self.chosen[name] = found[0]
        self.values[column.home][column.target] = chosen.value
        self.sources[column.home][_said(column.home, column.target)] = tuple(
            offer.row.source(pointer_to(offer.name)) for offer in found if offer.form == chosen.form
        )
        if len(forms) > 1 and column.home == PROFILE:
            self.conflicts.append(
                ProfileConflictRecorded(field=column.target, values=tuple(forms), chosen=chosen.value, rule=chosen_by)
            )

    def names_agree(self) -> None:
        """D10: the names are values of their own; a full name that is not made of the others is a finding."""
        full = self.chosen.get("full_name")
        first, last = (offer.value if (offer := self.chosen.get(name)) else "" for name in ("first_name", "last_name"))
        if full is None or not (first or last):
            return
        agree = full.value == f"{first} {last}" if first and last else first in full.value and last in full.value
        if not agree:
            self.facts.finding(full.row, full.name, "disagrees", full.row.record.document[full.name])

    def write(self) -> None:
        """Write what the person becomes."""
        first = self.rows[0]
        at = self.facts.occurred(first)
        sources = self.sources[CONTACT] | self.sources[DETAIL]
        if first.created:
            first.expect(first.created_at, Place("accounts", self.account_id, "registered_at"), first.created)
            sources["registered_at"] = (first.source(first.created_at),)
        self.facts.stream(self.account_id).events += [
            ImportedEvent(AccountRegistered(**self.values[CONTACT], details=self.values[DETAIL]), at, sources),
            ImportedEvent(ProfileAdded(profile_id=self.profile_id, kind=KIND), at),
            ImportedEvent(ActiveProfileSwitched(profile_id=self.profile_id, previous=None), at),
        ]
        created = ProfileCreated(account_id=self.account_id, kind=KIND, fields=self.values[PROFILE])
        self.facts.stream(self.profile_id).events += [
            ImportedEvent(created, at, self.sources[PROFILE]),
            *(ImportedEvent(conflict, at) for conflict in self.conflicts),
        ]
        self._billing(at)

    def _billing(self, at: datetime) -> None:
        """D14: what is paid for; a status holds from when its row was changed last, the first time that tells of it."""
        fields, status = self.values[BILLING], self.chosen.get("subscription_status")
        if not (fields or status):
            return
        events = self.facts.stream(self.billing_id).events
        opened = BillingOpened(account_id=self.account_id, fields=fields)
        events.append(ImportedEvent(opened, at, self.sources[BILLING]))
        if status:
            since = max(status.row.updated or at, at)
            written = normal_text(status.row.record.document[status.name])
            changed = status_event(written, effective_at=since)
            events.append(ImportedEvent(changed, since, self.sources[STATUS]))


def _said(home: str, target: str) -> str:
    """Return what the provenance of a value is listed under."""
    return f"{DETAIL}/{target}" if home == DETAIL else target


SYSTEM: Final = DecksSystem()
