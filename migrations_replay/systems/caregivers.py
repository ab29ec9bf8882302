"""The caregivers system: an SMS service that kept all it knew of a person in one hot row of `users`.

A user becomes an account, and, where a field of its group is set, a caregiver profile, a conversation and a billing
account. The tables the row was split into, of either generation, are looked at beside it. The rules are those of
`docs/legacy/caregivers.md`; G-numbers refer to it. What the columns become stands in `caregiver_columns.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.access import Role
from domain.account import AccountRegistered, ActiveProfileSwitched, ProfileAdded, RoleGranted
from domain.billing import BillingOpened, Subscription, status_event
from domain.conversation import ConversationStarted, HistorySummarised, InteractionsCounted, MessageRecorded
from domain.event import DomainEvent
from domain.kinds.caregiver import BANDS, band_of
from domain.profile import ProfileCreated
from domain.streams import billing_id, conversation_id, imported_id, merged_profile_id
from domain.values import normal_text, without_unset
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyTable
from migrations_replay.document import Problem
from migrations_replay.facts import (
    PLATFORM_TIME,
    Expected,
    Facts,
    ImportedEvent,
    Normal,
    Place,
    Provenance,
    RecordFacts,
    Rule,
    pointer_to,
    rule,
    without_home,
)
from migrations_replay.fields import Back, Field, Offer, Settled, Settlement, offers, profile_conflicts
from migrations_replay.given_back import fields_back
from migrations_replay.merge import take_texts
from migrations_replay.systems.caregiver_columns import (
    APP_STATE,
    MESSAGE_FIELDS,
    NULL_APART,
    OF_ACCOUNT,
    OF_BILLING,
    OF_CONVERSATION,
    OF_PROFILE,
    STATE_NAMES,
    STATUS_COLUMN,
    SUMMARY_FIELDS,
)

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from migrations_replay.replay import Outcome
    from projections.read_model import Row

KIND: Final = "caregiver"
USERS: Final = "users"
# The tables the row was split into, the newest generation first, and the group each holds.
PROFILES: Final = ("userProfiles", "caregiverProfiles")
CONVERSATIONS: Final = ("conversationState",)
BILLINGS: Final = ("billingAccounts", "subscriptions")
WITHOUT_CREATION: Final = frozenset(CONVERSATIONS)
KEYS: Final = frozenset({"userId", "createdAt", "updatedAt", PLATFORM_TIME})
ROLES: Final = ("admin", "support")
FIRST_MESSAGE: Final = 2
"""The number of the first message: the conversation began before it."""
USERS_FIRST: Final = "users_first"
LATEST_ROW: Final = "latest_row"
"""The rules that choose: what `users` says; among rows of the other tables what the latest of the newest table says."""


_SESSION: Final = {"assessmentSessionId": ("assessments",)}
_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    USERS: frozenset({*OF_ACCOUNT, *OF_PROFILE, *OF_CONVERSATION, *OF_BILLING, *KEYS, "roles"} - {"userId"}),
    **{table: frozenset({*OF_PROFILE, *KEYS}) for table in PROFILES},
    **{table: frozenset({*OF_CONVERSATION, *KEYS}) for table in CONVERSATIONS},
    **{table: frozenset({*OF_BILLING, *KEYS}) for table in BILLINGS},
}
ACCOUNT_BACK: Final = Back(OF_ACCOUNT)
PROFILE_BACK: Final = Back(OF_PROFILE)
CONVERSATION_BACK: Final = Back(OF_CONVERSATION)
BILLING_BACK: Final = Back(OF_BILLING)


class CaregiversSystem:
    """The legacy SMS service for people who care for somebody."""

    name = "caregivers"
    mapping_version = 1
    root = USERS
    tables: Mapping[str, LegacyTable] = {
        USERS: LegacyTable(references=_SESSION),
        **{table: LegacyTable("userId", USERS, references=_SESSION, optional=True) for table in PROFILES},
        **{table: LegacyTable("userId", USERS, optional=True) for table in (*CONVERSATIONS, *BILLINGS)},
    }
    renamed: Mapping[str, str] = {}
    inherited: frozenset[str] = frozenset()

    def refuse(self, table: str, document: Mapping[str, Any]) -> Problem | None:  # noqa: ARG002 – the port's
        """Refuse nothing beyond what no system can take in."""
        return None

    def stream_of(self, root_key: str) -> UUID:
        """Return the account a user becomes."""
        return imported_id("account", self.name, self.root, root_key)

    def subject_of(self, root_key: str) -> UUID:
        """Return that account: the data is all its own."""
        return self.stream_of(root_key)

    def derive(self, bundle: Bundle) -> Facts:
        """Return what a user with the rows it was split into implies."""
        if bundle.root.table != self.root:
            return without_home(bundle)
        return _Caregiver(bundle, self.stream_of(bundle.root.key)).facts

    def to_legacy(self, record: Row, rows: BundleRows) -> dict[str, Any]:
        """Return the document of a record from the tables; a user comes back with all that was split off."""
        table, account_id = record["table_name"], self.stream_of(record["bundle"])
        back: dict[str, Any] = {"id": record["key"], PLATFORM_TIME: record["platform_created"]}
        back |= {"createdAt": record["created"], "updatedAt": record["updated"]}
        if table == USERS:
            back |= _account_back(rows.row("accounts", account_id))
        elif table in self.tables:
            back["userId"] = record["parent_key"]
        back = without_unset(back)
        if table in (USERS, *PROFILES):
            back |= _profile_back(rows.row("profiles", merged_profile_id(account_id, KIND)).get("fields", {}))
        if table in (USERS, *CONVERSATIONS):
            talk = conversation_id(account_id)
            back |= _conversation_back(rows.row("conversations", talk), rows.of("messages", talk))
        if table in (USERS, *BILLINGS):
            back |= BILLING_BACK.document(rows.row("billing_accounts", billing_id(account_id)))
        return back

    def rules(self, outcome: Outcome, counts: Mapping[str, Any]) -> list[Rule]:
        """Check what the verifier of the team checked, and what its split got wrong."""
        users, accounts = outcome.taken[USERS], counts["accounts"]
        return [
            rule("accounts = users", abs(accounts - users), accounts=accounts, users=users),
            rule("no orphan profile, conversation or billing account", counts["orphans"]),
            rule("one profile, conversation and billing account a user", counts["duplicate_keys"]),
            rule("scores within 0 to 100", counts["scores_outside"]),
        ]

    def stats(self, outcome: Outcome, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many rows there were, and what became of them."""
        before = {table: outcome.taken[table] for table in self.tables}
        after = ("accounts", "profiles", "conversations", "messages", "billing_accounts")
        return {"before": before, "after": {name: counts[name] for name in after}}


class _Caregiver:
    """One bundle."""

    def __init__(self, bundle: Bundle, account_id: UUID) -> None:
        self.account_id = account_id
        self.facts = Facts(bundle, account_id)
        self.settlement = Settlement(self.facts)
        self.user = self.facts.of(USERS)[0]
        for row in self.facts.records.values():
            self.facts.document_times(row, has_created=row.record.table not in WITHOUT_CREATION)
            self.facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))
            if row is not self.user:
                self.facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
        self.created = self.facts.occurred(self.user)
        account = self.facts.stream(account_id)
        profile = self._profile()
        self._conversation()
        self._billing()
        account.events += self._account(profile)
        for row in self.facts.records.values():
            self._rest(row)
        self.settlement.close()

    def _rows(self, tables: Iterable[str]) -> list[RecordFacts]:
        """Return the rows that may say something, in the order in which they are asked: `users` first (G7)."""
        split = (sorted(self.facts.of(table), key=self._age, reverse=True) for table in tables)
        return [self.user, *(row for rows in split for row in rows)]

    def _age(self, row: RecordFacts) -> tuple[datetime, str]:
        return row.updated or self.facts.occurred(row), row.record.key

    def _became(self, rows: list[RecordFacts], model: str, stream: UUID) -> None:
        for row in rows[1:]:
            row.became = stream
            row.expect("/userId", Place(model, stream, "account_id"), self.account_id)

    def _rest(self, row: RecordFacts) -> None:
        known = _COLUMNS[row.record.table]
        rest = {name: value for name, value in row.record.document.items() if name not in known}
        rest.pop(row.record.id_field, None)
        self.settlement.leave(row, {pointer_to(name): value for name, value in rest.items()})

    # --- the account (G14) -------------------------------------------------------------------------------------------

    def _account(self, profile: UUID | None) -> list[ImportedEvent]:
        user, registered = self.user, self.created
        user.became = self.account_id
        settled = self.settlement.settle(
            offers(user, OF_ACCOUNT),
            lambda path: Place("accounts", self.account_id, path[0], path[1:]),
            back=lambda _: ACCOUNT_BACK,
        )
        details = settled.fields.pop("details", {})
        roles = self._roles(details)
        if user.created or user.platform:
            at = "/createdAt" if user.created else pointer_to(PLATFORM_TIME)
            user.expect(at, Place("accounts", self.account_id, "registered_at"), registered)
            settled.provenance["registered_at"] = (user.source(at),)
        opened = AccountRegistered(**settled.fields, details=details)
        further: list[DomainEvent] = [RoleGranted(role=role) for role in roles]
        if profile is not None:
            further += [
                ProfileAdded(profile_id=profile, kind=KIND),
                ActiveProfileSwitched(profile_id=profile, previous=None),
            ]
        return [
            ImportedEvent(opened, registered, settled.provenance),
            *(ImportedEvent(event, registered) for event in further),
        ]

    def _roles(self, details: dict[str, Any]) -> list[Role]:
        """Take the roles: those of the service are granted, any other is kept among the details."""
        facts, user = self.facts, self.user
        if "roles" not in user.record.document:
            return []
        held = Place("accounts", self.account_id, "roles")
        found = take_texts(facts, user, "/roles", user.record.document["roles"], held)
        others = [role for role in found if role not in ROLES]
        if others:
            details["other_roles"] = others
            facts.finding(user, "roles", "outside_vocabulary", others)
            kept = Place("accounts", self.account_id, "details", ("other_roles",), item=True)
            user.expected = [
                expected._replace(place=kept)
                if expected.place == held._replace(item=True) and expected.value in others
                else expected
                for expected in user.expected
            ]
        return [Role(role) for role in ROLES if role in found]

    # --- the profile (G11–G13) ---------------------------------------------------------------------------------------

    def _profile(self) -> UUID | None:
        rows, profile = self._rows(PROFILES), merged_profile_id(self.account_id, KIND)
        found = [offer for row in rows for offer in offers(row, OF_PROFILE)]
        settled = self.settlement.settle(
            found, lambda path: Place("profiles", profile, "fields", path), _rule, back=lambda _: PROFILE_BACK
        )
        conflicts = profile_conflicts(settled)
        self._nulls(rows, settled.fields, profile)
        if not settled.fields:
            return None
        self._back(rows)
        self._became(rows, "profiles", profile)
        self._band(found, settled)
        created = ProfileCreated(account_id=self.account_id, kind=KIND, fields=settled.fields)
        self.facts.stream(profile).events += [
            ImportedEvent(created, self.created, settled.provenance),
            *(ImportedEvent(conflict, self.created) for conflict in conflicts),
        ]
        return profile

    @staticmethod
    def _nulls(rows: list[RecordFacts], fields: dict[str, Any], profile: UUID) -> None:
        """Keep a null apart from an absent field where it says something else (G11)."""
        place = Place("profiles", profile, "fields", ("null_fields",), item=True)
        for name in NULL_APART:
            target = _target(name)
            holders = [row for row in rows if name in row.record.document and row.record.document[name] is None]
            if not holders or target in fields:
                continue
            fields.setdefault("null_fields", []).append(target)
            for row in holders:
                row.expect(pointer_to(name), place, target, Normal(pointer_to(name), None))

    def _band(self, found: list[Offer], settled: Settled) -> None:
        """Report a band that is not the one of the score (G12)."""
        score, band = settled.fields.get("burnout_score"), settled.fields.get("burnout_band")
        expected = None if score is None else band_of(score)
        if band is None or expected is None or band == expected or band not in BANDS:
            return
        chosen = next(offer for offer in found if offer.path == ("burnout_band",) and offer.reading.value is not None)
        self.facts.finding(chosen.facts, "burnoutBand", "disagrees", band)

    @staticmethod
    def _back(rows: list[RecordFacts]) -> None:
        """Say how what stands inside the app state comes back: under its old name, what was free at the top."""
        for row in rows:
            row.expected = [
                expected._replace(normal=Normal(_state_pointer(expected.place.steps[1:]), expected.value))
                if expected.place.steps[:1] == ("app_state",)
                else expected
                for expected in row.expected
            ]

    # --- the conversation (G15) --------------------------------------------------------------------------------------

    def _conversation(self) -> None:
        rows, stream = self._rows(CONVERSATIONS), conversation_id(self.account_id)
        found = [offer for row in rows for offer in offers(row, OF_CONVERSATION)]
        settled = self.settlement.settle(
            found,
            lambda path: Place("conversations", stream, path[0], path[1:]),
            _rule,
            back=lambda _: CONVERSATION_BACK,
        )
        said = settled.fields
        if not said:
            return
        for row in rows:
            row.expected = [_in_row_of_its_own(expected, stream) for expected in row.expected]
        self._became(rows, "conversations", stream)
        began = said.get("began_at")
        events: list[tuple[DomainEvent, datetime | None]] = [
            (ConversationStarted(account_id=self.account_id, began_at=began), began),
            *((MessageRecorded(**message), message.get("sent_at")) for message in said.get("messages", ())),
        ]
        summary: dict[str, Any] = {name: said[name] for name in SUMMARY_FIELDS if name in said}
        if summary:
            events.append((HistorySummarised(**summary), _summarised_at(summary) or self.user.updated))
        if "interaction_count" in said:
            events.append((InteractionsCounted(total=said["interaction_count"]), self.user.updated))
        self.facts.stream(stream).events += [
            ImportedEvent(event, at or self.created, _provenance(settled, event)) for event, at in events
        ]

    # --- billing (G16) -----------------------------------------------------------------------------------------------

    def _billing(self) -> None:
        rows, stream = self._rows(BILLINGS), billing_id(self.account_id)
        found = [offer for row in rows for offer in offers(row, OF_BILLING)]
        settled = self.settlement.settle(
            found,
            lambda path: Place("billing_accounts", stream, path[0], path[1:]),
            _rule,
            back=lambda _: BILLING_BACK,
        )
        if not settled.fields:
            return
        self._became(rows, "billing_accounts", stream)
        fields = settled.fields.get("fields", {})
        provenance = {name.removeprefix("fields/"): sources for name, sources in settled.provenance.items()}
        events = self.facts.stream(stream).events
        events.append(ImportedEvent(BillingOpened(account_id=self.account_id, fields=fields), self.created, provenance))
        if "status" in settled.fields:
            chosen = next(offer for offer in found if offer.path == ("status",) and offer.reading.value is not None)
            event = status_event(
                normal_text(chosen.facts.record.document[STATUS_COLUMN]), effective_at=self._since(chosen, fields)
            )
            events.append(ImportedEvent(event, event.effective_at, {"status": provenance["status"]}))

    def _since(self, chosen: Offer, fields: Mapping[str, Any]) -> datetime:
        """Return since when a status holds: since it was cancelled, else since its row was last written (G16).

        A time of cancellation ahead of that says when the subscription ends, not since when it is cancelled.
        """
        written = chosen.facts.updated or self.created
        cancelled = fields.get("cancelled_at") if chosen.reading.value == Subscription.CANCELLED else None
        if cancelled is None:
            return written
        at = convert.instant(cancelled)
        return min(at, written) if chosen.facts.updated else at


def _rule(found: list[Offer]) -> str:
    return USERS_FIRST if found[0].facts.record.table == USERS else LATEST_ROW


def _target(name: str) -> str:
    column = OF_PROFILE[name]
    assert isinstance(column, Field)
    return column.target


def _in_row_of_its_own(expected: Expected, stream: UUID) -> Expected:
    """Return where a value of a message stands: each is a row, numbered from 2."""
    place = expected.place
    if (place.model, place.column) != ("conversations", "messages"):
        return expected
    index, name = place.steps
    assert isinstance(index, int)
    return expected._replace(place=Place("messages", (stream, index + FIRST_MESSAGE), str(name)))


def _summarised_at(summary: Mapping[str, Any]) -> datetime | None:
    at = summary.get("token_usage", {}).get("recorded_at")
    return convert.instant(at) if at else None


def _provenance(settled: Settled, event: DomainEvent) -> Provenance:
    """Return the sources of an event's own fields; all that a message says comes from one list."""
    found = settled.provenance
    match event:
        case MessageRecorded():
            return dict.fromkeys(event.model_fields_set, found["messages"])
        case InteractionsCounted():
            return {"total": found["interaction_count"]}
        case _:
            names = type(event).model_fields
            return {name: sources for name, sources in found.items() if name.partition("/")[0] in names}


# --- the way back -----------------------------------------------------------------------------------------------------


def _account_back(account: Row) -> dict[str, Any]:
    roles = [*account.get("roles", ()), *account.get("details", {}).get("other_roles", ())]
    return {**ACCOUNT_BACK.document(account), "roles": roles}


def _profile_back(fields: dict[str, Any]) -> dict[str, Any]:
    nulls = {name: None for name in NULL_APART if _target(name) in fields.get("null_fields", ())}
    state = fields.get("app_state", {})
    app_state = fields_back(STATE_NAMES, state) | state.get("other", {})
    return nulls | PROFILE_BACK.document(fields) | without_unset({APP_STATE: app_state})


def _conversation_back(conversation: Mapping[str, Any], messages: list[Row]) -> dict[str, Any]:
    said = [without_unset({name: message[name] for name in MESSAGE_FIELDS}) for message in messages]
    return without_unset(CONVERSATION_BACK.document({**conversation, "messages": said}))


def _state_pointer(steps: tuple[str | int, ...]) -> str:
    """Return where something inside the app state stands in the old document."""
    first, *rest = steps
    legacy = {ours: legacy for legacy, ours in STATE_NAMES.items()}
    return pointer_to(APP_STATE, *([] if first == "other" else [legacy[str(first)]]), *rest)


SYSTEM: Final = CaregiversSystem()
