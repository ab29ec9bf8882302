"""The talent system: users with everything in one row, half of them split into dancers and choreographers.

A user becomes an account, and a profile of each kind they are or have a row of; credits, trainings and highlights
become items of a profile. The rules are those of `docs/legacy/talent.md`; T-numbers refer to it. What the columns
become stands in `talent_columns.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.access import Role
from domain.account import AccountRegistered, ActiveProfileSwitched, ProfileAdded, RoleGranted
from domain.event import DomainEvent
from domain.item import ItemAdded
from domain.kinds import KINDS
from domain.kinds.talent_fields import LEVELS
from domain.profile import ProfileCreated, ProfileVerificationChanged, Verification
from domain.streams import merged_profile_id
from domain.values import is_unset, normal_text, same_json, without_unset
from domain.vocabulary import text
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyTable
from migrations_replay.document import Problem
from migrations_replay.facts import (
    PLATFORM_TIME,
    Candidate,
    Facts,
    ImportedEvent,
    Normal,
    Place,
    Provenance,
    RecordFacts,
    Rule,
    pointer_to,
    rule,
    unique,
    without_home,
)
from migrations_replay.fields import (
    NEWEST_COLUMN,
    Back,
    Columns,
    Offer,
    Settlement,
    by_target,
    offers,
    profile_conflicts,
)
from migrations_replay.leaves import CONFLICTING, DERIVED, MAPPED, NORMALISED
from migrations_replay.reading import One
from migrations_replay.systems.talent_columns import (
    BACK_OF_ACCOUNT,
    BACK_OF_BADGE,
    BACK_OF_GUEST,
    BACK_OF_ITEM,
    BACK_OF_PROFILE,
    NAME,
    OF_ACCOUNT,
    OF_GUEST,
    OF_HIGHLIGHT,
    OF_PROFILE,
    OF_PROJECT,
    OF_TRAINING,
    ONBOARDING,
    TRAINING_TYPE,
    VERIFIED,
    account_of,
    item_of,
)

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from migrations_replay.replay import Outcome
    from projections.read_model import Row

KIND_OF: Final = {"dancers": "dancer", "choreographers": "choreographer"}
TABLE_OF: Final = {kind: table for table, kind in KIND_OF.items()}
GUEST_KIND: Final = "personal"
PROJECTS: Final = ("projects", "experiences")
POINTERS: Final = {"dancer": "activeDancerId", "choreographer": "activeChoreographerId"}
LEVEL: Final = text(*LEVELS)
KIND_NAME: Final = text(*TABLE_OF)
ITEM_KEYS: Final = ("userId", "profileId", "createdAt", "updatedAt", PLATFORM_TIME)
DERIVED_COLUMNS: Final = dict.fromkeys(("users", *KIND_OF), ("searchPattern",))

_RESUME: Final = {
    "projects": PROJECTS,
    "training": ("training",),
    "resume/projects": PROJECTS,
    "representation/agencyId": ("agencies",),
}
_PROFILE_ROW: Final = LegacyTable(
    "userId",
    "users",
    references=_RESUME | {"favoriteDancers": ("dancers",), "favoriteChoreographers": ("choreographers",)},
    optional=True,
)
_OF_PROFILES: Final = {"profileId": tuple(KIND_OF)}


class TalentSystem:
    """The legacy application for dancers and choreographers."""

    name = NAME
    mapping_version = 1
    root = "users"
    tables: Mapping[str, LegacyTable] = {
        "users": LegacyTable(
            references=_RESUME
            | {"favoriteUsers": ("users",)}
            | {pointer: (TABLE_OF[kind],) for kind, pointer in POINTERS.items()}
        ),
        "dancers": _PROFILE_ROW,
        "choreographers": _PROFILE_ROW,
        "experiences": LegacyTable("userId", "users", references=_OF_PROFILES),
        "projects": LegacyTable("userId", "users", references=_OF_PROFILES),
        "training": LegacyTable("userId", "users", references=_OF_PROFILES),
        "highlights": LegacyTable("dancerId", "dancers", references={"projectId": PROJECTS}, optional=True),
        "skills": LegacyTable("userId", "users", optional=True),
    }
    renamed: Mapping[str, str] = {"experiences": "projects"}
    inherited: frozenset[str] = frozenset()

    def refuse(self, table: str, document: Mapping[str, Any]) -> Problem | None:  # noqa: ARG002 – the port's
        """Refuse nothing beyond what no system can take in."""
        return None

    def stream_of(self, root_key: str) -> UUID:
        """Return the account a user becomes."""
        return account_of(root_key)

    def subject_of(self, root_key: str) -> UUID:
        """Return that account: the data is all its own."""
        return account_of(root_key)

    def derive(self, bundle: Bundle) -> Facts:
        """Return what a user with their profile rows, credits, trainings and highlights implies."""
        if bundle.root.table != self.root:
            return without_home(bundle)
        return _Talent(bundle).facts

    def to_legacy(self, record: Row, rows: BundleRows) -> dict[str, Any]:
        """Return the document of a record from the tables, each value in its newest column."""
        back = _BACK.get(record["table_name"])
        times = {"_creationTime": record["platform_created"], "createdAt": record["created"]}
        document = back(record, rows) if back and record["became"] else {}
        return without_unset({**document, "id": record["key"], **times, "updatedAt": record["updated"]})

    def rules(self, outcome: Outcome, counts: Mapping[str, Any]) -> list[Rule]:
        """Check what the plan of the team verifies, and what its scripts got wrong."""
        users = outcome.taken["users"]
        rows = outcome.taken["projects"] + outcome.taken["experiences"] + outcome.taken["training"]
        rows += outcome.taken["highlights"]
        return [
            rule("accounts = users", abs(counts["accounts"] - users), accounts=counts["accounts"], users=users),
            rule("items = credits, trainings and highlights", abs(counts["items"] - rows), items=counts["items"]),
            rule("every dancer and choreographer has a profile of that kind", counts["without_profile"]),
            rule("whoever has profiles has one primary and one active profile of their own", counts["not_one_primary"]),
            rule("no orphan profile or item", counts["orphans"]),
            rule("scores within 0 to 100", counts["scores_outside"]),
        ]

    def stats(self, outcome: Outcome, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many rows there were, and accounts, profiles by kind and items by kind there are."""
        before = {table: outcome.taken[table] for table in self.tables}
        return {"before": before, "after": {name: counts[name] for name in ("accounts", "by_kind", "by_item")}}


class _Profile:
    """A profile in the making: its kind, the rows it comes of (latest first), and the user if it is their home."""

    def __init__(self, facts: Facts, account_id: UUID, kind: str, rows: list[RecordFacts], home: list[RecordFacts]):
        self.id = merged_profile_id(account_id, kind)
        self.kind = kind
        self.rows = sorted(rows, key=lambda row: (facts.occurred(row), row.record.key), reverse=True)
        self.home = home
        self.oldest = self.rows[-1] if self.rows else None
        self.created = facts.occurred(*[self.oldest] if self.oldest else home)
        self.fields: dict[str, Any] = {}
        self.provenance: Provenance = {}

    def place(self, path: tuple[str, ...]) -> Place:
        """Return where a field stands."""
        return Place("profiles", self.id, "fields", path)

    def offers(self) -> Iterator[Offer]:
        """Yield what its rows offer, then what the user does (T14)."""
        for row in (*self.rows, *self.home):
            yield from offers(row, OF_GUEST if self.kind == GUEST_KIND else OF_PROFILE[row.record.table])

    def back(self, row: RecordFacts) -> Back:
        """Return how a record of its is rebuilt."""
        return BACK_OF_GUEST if self.kind == GUEST_KIND else BACK_OF_PROFILE[row.record.table]


class _Talent:
    """One bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self.account_id = account_of(bundle.root.key)
        self.facts = Facts(bundle, self.account_id)
        self.settlement = Settlement(self.facts)
        self.user = self.facts.of("users")[0]
        for row in self.facts.records.values():
            self.facts.document_times(row, has_created=row.record.table in (*KIND_OF, "highlights"))
            self.facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))
        self.profiles = self._profiles()
        self.primary = min(self.profiles, key=lambda profile: profile.created, default=None)
        account = self.facts.stream(self.account_id)
        for profile in self.profiles:
            self._profile(profile)
        self._items()
        account.events += self._account()
        self._unmapped()
        self.settlement.close()

    # --- which profiles there are (T12, T13, T15) --------------------------------------------------------------------

    def _profiles(self) -> list[_Profile]:
        rows = {kind: self.facts.of(table) for table, kind in KIND_OF.items()}
        kinds = [kind for kind in TABLE_OF if rows[kind] or kind == self._says("profileType")]
        home = self._home(kinds, rows)
        if home is not None and home not in kinds:
            kinds.append(home)
        return [
            _Profile(self.facts, self.account_id, kind, rows.get(kind, []), [self.user] if kind == home else [])
            for kind in kinds
        ]

    def _says(self, name: str) -> str | None:
        value = self.user.record.document.get(name)
        return normal_text(value) if isinstance(value, str) else None

    def _home(self, kinds: list[str], rows: Mapping[str, list[RecordFacts]]) -> str | None:
        """Return the kind of the profile that the user's own columns belong to; None if there is none."""
        for name in ("profileType", "activeProfileType"):
            if (said := self._says(name)) in kinds:
                return said
        for kind, name in POINTERS.items():
            key = convert.key(self.user.record.document.get(name))
            if any(row.record.key == key for row in rows[kind]):
                return kind
        if kinds:
            oldest = min((row for kind in kinds for row in rows[kind]), key=self._age)
            return KIND_OF[oldest.record.table]
        kept = {offer.pointer for offer in offers(self.user, ONBOARDING)}
        own = (offer for offer in offers(self.user, OF_PROFILE["users"]) if offer.pointer not in kept)
        filled_in = any(offer.reading.value is not None for offer in own)
        return GUEST_KIND if filled_in or self.facts.of("skills") else None

    def _age(self, row: RecordFacts) -> tuple[Any, str]:
        return self.facts.occurred(row), row.record.key

    # --- a profile (T13–T19) -----------------------------------------------------------------------------------------

    def _profile(self, profile: _Profile) -> None:
        facts = self.facts
        for row in profile.rows:
            row.became = profile.id
            facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
            row.expect("/userId", Place("profiles", profile.id, "account_id"), self.account_id)
        settled = self.settlement.settle(profile.offers(), profile.place, _rule, back=profile.back)
        profile.fields, profile.provenance = settled.fields, settled.provenance
        if profile.home:
            self._skills(profile)
        badge = self._badge(profile)
        self._scores(profile)
        if profile.oldest is not None and profile.oldest.created is not None:
            profile.oldest.expect("/createdAt", Place("profiles", profile.id, "created_at"), profile.created)
            profile.provenance["created_at"] = (profile.oldest.source("/createdAt"),)
        created = ProfileCreated(account_id=self.account_id, kind=profile.kind, fields=profile.fields)
        events = [ImportedEvent(created, profile.created, profile.provenance)]
        events += [ImportedEvent(conflict, profile.created) for conflict in profile_conflicts(settled)]
        facts.stream(profile.id).events += [*events, *badge]

    def _badge(self, profile: _Profile) -> list[ImportedEvent]:
        """Take the verified badge (T16)."""
        rows = [row for row in profile.rows if row.record.table == "choreographers"]
        found = [offer for row in rows for offer in offers(row, VERIFIED)]
        place = Place("profiles", profile.id, "verification")
        settled = self.settlement.settle(found, lambda _: place, _rule, back=_badge_back)
        if settled.fields.get("verification") != Verification.VERIFIED:
            return []
        event = ProfileVerificationChanged(status=Verification.VERIFIED, previous=Verification.UNVERIFIED)
        return [ImportedEvent(event, profile.created, settled.provenance)]

    def _scores(self, profile: _Profile) -> None:
        """Compute the completeness anew, and say where a row has another (T18)."""
        score = KINDS[profile.kind].completeness(profile.fields).score
        for row in profile.rows:
            if "profileCompleteness" in row.record.document:
                raw = row.record.document["profileCompleteness"]
                row.mark("/profileCompleteness", raw, DERIVED)
                if not is_unset(raw) and not same_json(raw, score):
                    self.facts.finding(row, "profileCompleteness", "derived_differs", raw)

    def _skills(self, profile: _Profile) -> None:
        """Take the rows of the oldest table of skills: they are the skills where nothing newer says which (T23)."""
        facts, rows = self.facts, sorted(self.facts.of("skills"), key=self._age)
        newest = not profile.fields.get("skills")
        found: list[str] = []
        for row in rows:
            row.became = profile.id
            facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
            name, level = _text(facts, row, "name"), _text(facts, row, "proficiency")
            if name is None:
                if level is not None:
                    facts.unreadable(row, level.pointer, "proficiency", level.raw)
                continue
            found.append(name.value)
            if newest:
                _add(profile.fields, "skills", name.value)
            self._listed(row, name, name.value, profile, "skills")
            if level is None:
                continue
            facts.vocabulary(level, "proficiency", LEVEL)
            if newest:
                _add(profile.fields.setdefault("skill_levels", {}), level.value, name.value)
            self._listed(row, level, name.value, profile, "skill_levels", level.value)
        if not newest and any(name not in profile.fields["skills"] for name in found):
            chosen = profile.fields["skills"]
            facts.conflict(rows[0], "skills", [chosen, unique(found)], chosen, NEWEST_COLUMN)

    @staticmethod
    def _listed(row: RecordFacts, found: Candidate, name: str, profile: _Profile, *path: str) -> None:
        """Say that a skill is in a list, or that the list that was chosen does not have it."""
        listed: Any = profile.fields
        for step in path:
            listed = (listed or {}).get(step)
        if name not in (listed or ()):
            row.classes[found.pointer] = CONFLICTING
            return
        row.classes[found.pointer] = MAPPED if found.raw == name else NORMALISED
        back = Normal(pointer_to(found.pointer[1:], *path[1:]), name)
        row.expect(found.pointer, profile.place(path)._replace(item=True), name, back)

    # --- the account (T10–T12, T17) ----------------------------------------------------------------------------------

    def _account(self) -> list[ImportedEvent]:
        facts, user = self.facts, self.user
        user.became = self.account_id
        found = list(offers(user, OF_ACCOUNT))
        if not self.profiles:  # what an unset column is, it is also where nothing becomes of it
            for offer in offers(user, OF_PROFILE["users"]):
                found += [single._replace(path=("details", *single.path)) for single in by_target(offer)]
        settled = self.settlement.settle(found, self._place, back=_account_back)
        details = settled.fields.setdefault("details", {})
        self._full_name(details)
        active = self._active(details)
        self._primary()
        registered = facts.occurred(user)
        if user.created or user.platform:
            at = "/createdAt" if user.created else pointer_to(PLATFORM_TIME)
            user.expect(at, Place("accounts", self.account_id, "registered_at"), registered)
            settled.provenance["registered_at"] = (user.source(at),)
        contact = {name: settled.fields.get(name) for name in ("email", "phone")}
        opened = AccountRegistered(**contact, details=details)
        events = [ImportedEvent(opened, registered, settled.provenance)]
        if settled.fields.get("roles"):
            sources = {"role": settled.provenance["roles"]}
            events.append(ImportedEvent(RoleGranted(role=Role.ADMIN), registered, sources))
        primary_first = sorted(self.profiles, key=lambda profile: profile is not self.primary)
        further: list[DomainEvent] = [
            ProfileAdded(profile_id=profile.id, kind=profile.kind) for profile in primary_first
        ]
        if active is not None:
            further.append(ActiveProfileSwitched(profile_id=active.id, previous=None))
        return [*events, *(ImportedEvent(event, registered) for event in further)]

    def _place(self, path: tuple[str, ...]) -> Place:
        return Place("accounts", self.account_id, path[0], path[1:])

    def _full_name(self, details: dict[str, Any]) -> None:
        """The full name was put together from first and last name; where it says something else it is kept (T11)."""
        found = _text(self.facts, self.user, "fullName")
        if found is None:
            return
        computed = f"{details.get('first_name', '')} {details.get('last_name', '')}".strip()
        if found.value == computed:
            self.user.mark(found.pointer, found.raw, DERIVED)
            return
        details["full_name"] = found.value
        self.facts.settle(found, self._place(("details", "full_name")))
        if computed:
            self.facts.finding(self.user, "fullName", "derived_differs", found.raw)

    def _active(self, details: dict[str, Any]) -> _Profile | None:
        """Return the active profile: by the active type, else a pointer, else the user's own kind (T17)."""
        by_kind = {profile.kind: profile for profile in self.profiles}
        said = _text(self.facts, self.user, "activeProfileType")
        pointed = {kind: self._pointed_at(kind, by_kind.get(kind)) for kind in POINTERS}
        home = next((profile for profile in self.profiles if profile.home), None)
        ranked = (by_kind.get(said.value) if said else None, *pointed.values(), home)
        active = next(filter(None, ranked), None)
        if said is not None:
            self._active_type(said, by_kind.get(said.value), details)
        for kind, name in POINTERS.items():
            self._pointer(kind, name, pointed[kind], active, details)
        return active

    def _active_type(self, said: Candidate, profile: _Profile | None, details: dict[str, Any]) -> None:
        if profile is not None:
            self.facts.settle(said, Place("profiles", profile.id, "kind"))
            return
        details["active_profile_type"] = said.value
        self.facts.settle(said, self._place(("details", "active_profile_type")))
        self.facts.vocabulary(said, "activeProfileType", KIND_NAME)

    def _pointed_at(self, kind: str, profile: _Profile | None) -> _Profile | None:
        key = convert.key(self.user.record.document.get(POINTERS[kind]))
        return profile if profile and any(row.record.key == key for row in profile.rows) else None

    def _pointer(
        self, kind: str, name: str, profile: _Profile | None, active: _Profile | None, details: dict[str, Any]
    ) -> None:
        facts, user, at = self.facts, self.user, pointer_to(name)
        key = convert.key(user.record.document.get(name))
        if key is None or profile is None:
            target = f"active_{kind}_key"
            facts.key(user, name, self._place(("details", target)))
            if key is not None:
                details[target] = key
                facts.dangling(user, name)
                if name in user.record.foreign:
                    facts.finding(user, name, "disagrees", user.record.document[name])
            return
        if profile is active:
            facts.key(user, name)
            user.expect(at, Place("accounts", self.account_id, "active_profile_id"), profile.id)
            return
        user.classes[at] = CONFLICTING
        assert active is not None
        facts.conflict(user, "active_profile", [active.kind, kind], active.kind, "active_type_first")

    def _primary(self) -> None:
        """Hold the marks of the rows against the one primary profile there is: the earliest created (T15)."""
        marked: list[str] = []
        differs = False
        for profile in self.profiles:
            for row in profile.rows:
                if "isPrimary" not in row.record.document:
                    continue
                raw = row.record.document["isPrimary"]
                if not isinstance(raw, bool):
                    self.facts.unreadable(row, "/isPrimary", "isPrimary", raw)
                    continue
                if raw:
                    marked.append(profile.kind)
                if raw != (profile is self.primary):
                    row.classes["/isPrimary"] = CONFLICTING
                    differs = True
                    continue
                row.classes["/isPrimary"] = NORMALISED
                assert self.primary is not None
                place = Place("accounts", self.account_id, "primary_profile_id")
                row.expect("/isPrimary", place, self.primary.id, Normal("/isPrimary", raw))
        if differs and self.primary is not None:
            values = unique([self.primary.kind, *marked])
            self.facts.conflict(self.user, "primary_profile", values, self.primary.kind, "earliest_created")

    # --- items (T27–T31) ---------------------------------------------------------------------------------------------

    def _items(self) -> None:
        for table in (*PROJECTS, "training"):
            for row in self.facts.of(table):
                self._credit(row)
        for row in self.facts.of("highlights"):
            self._highlight(row)

    def _credit(self, row: RecordFacts) -> None:
        """Take a project or a training: each is an item of its own, also where titles are the same (T28)."""
        facts, table = self.facts, row.record.table
        item_id = item_of(table, row.record.key)
        facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
        row.expect("/userId", Place("items", item_id, "account_id"), self.account_id)
        old_training = table != "training" and self._is_training(row)
        kind = "training" if old_training or table == "training" else "project"
        columns = OF_TRAINING if kind == "training" else OF_PROJECT
        particulars = list(self._particulars(row, columns))
        if old_training:
            columns = {name: column for name, column in columns.items() if name != "type"}
            row.classes["/type"] = NORMALISED
            row.expect("/type", Place("items", item_id, "kind"), kind)
        profile, keys = self._profile_of(row, item_id)
        self._item(row, item_id, kind, profile, [*offers(row, columns), *particulars], keys)

    @staticmethod
    def _is_training(row: RecordFacts) -> bool:
        said = row.record.document.get("type")
        return isinstance(said, str) and normal_text(said) == TRAINING_TYPE

    def _particulars(self, row: RecordFacts, columns: Columns) -> Iterator[Offer]:
        """Yield the texts that only some types of credits have, under their own names (T29)."""
        known = {*columns, *ITEM_KEYS, row.record.id_field}
        for name, raw in row.record.document.items():
            if name not in known and isinstance(raw, str):
                at = pointer_to(name)
                yield Offer(row, at, ("particulars", name), One().read(row.record, at, raw))

    def _profile_of(self, row: RecordFacts, item_id: UUID) -> tuple[_Profile | None, dict[str, str]]:
        """Return the profile a credit belongs to: the one it names, else of the kind it names, else the home (T30)."""
        facts, document = self.facts, row.record.document
        facts.key(row, "profileId", Place("items", item_id, "legacy_keys", ("profile_id",)))
        facts.dangling(row, "profileId")
        if "profileId" in row.record.foreign:
            facts.finding(row, "profileId", "disagrees", document["profileId"])
        key = convert.key(document.get("profileId"))
        keys = {} if key is None else {"profile_id": key}
        for profile in self.profiles:
            if any(found.record.key == key for found in profile.rows):
                row.expect("/profileId", Place("items", item_id, "profile_id"), profile.id)
                return profile, keys
        kind = document.get("profileType")
        named = (profile for profile in self.profiles if isinstance(kind, str) and profile.kind == normal_text(kind))
        homes = (profile for profile in self.profiles if profile.home)
        return next(named, None) or next(homes, None), keys

    def _highlight(self, row: RecordFacts) -> None:
        item_id = item_of("highlights", row.record.key)
        profile = next(profile for profile in self.profiles if profile.kind == "dancer")
        self.facts.key(row, "dancerId", Place("legacy_ids", row.snapshot, "parent_key"))
        row.expect("/dancerId", Place("items", item_id, "profile_id"), profile.id)
        self._item(row, item_id, "highlight", profile, list(offers(row, OF_HIGHLIGHT)), {})

    def _item(
        self,
        row: RecordFacts,
        item_id: UUID,
        kind: str,
        profile: _Profile | None,
        found: list[Offer],
        legacy_keys: dict[str, str],
    ) -> None:
        row.became = item_id
        back = BACK_OF_ITEM[kind]
        place = Place("items", item_id, "fields")
        settled = self.settlement.settle(found, lambda path: place.below(*path), back=lambda _: back)
        added_at = self.facts.occurred(row)
        if row.created or row.platform:
            at = "/createdAt" if row.created else pointer_to(PLATFORM_TIME)
            row.expect(at, Place("items", item_id, "created_at"), added_at)
            settled.provenance["created_at"] = (row.source(at),)
        event = ItemAdded(
            account_id=self.account_id,
            profile_id=profile.id if profile else None,
            kind=kind,
            fields=settled.fields,
            legacy_keys=legacy_keys,
        )
        self.facts.stream(item_id).events.append(ImportedEvent(event, added_at, settled.provenance))

    # --- what is left ------------------------------------------------------------------------------------------------

    def _unmapped(self) -> None:
        for row in self.facts.records.values():
            for name in DERIVED_COLUMNS.get(row.record.table, ()):
                if name in row.record.document:
                    row.mark(pointer_to(name), row.record.document[name], DERIVED)
            values = {pointer_to(name): raw for name, raw in row.record.document.items()}
            taken = {pointer.split("/")[1] for pointer in row.classes}
            self.settlement.leave(row, {at: raw for at, raw in values.items() if at[1:] not in taken})


def _text(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a text column; None if it is not there, unset or unreadable."""
    document = row.record.document
    return facts.text(row, pointer_to(name), name, document[name]) if name in document else None


def _add(lists: dict[str, Any], name: str, value: str) -> None:
    known = lists.setdefault(name, [])
    if value not in known:
        known.append(value)


def _rule(offered: list[Offer]) -> str:
    """Name what chose among the offers for a field of a profile (T14)."""
    records = {id(offer.facts) for offer in offered}
    if len(records) == 1:
        return NEWEST_COLUMN
    return "profile_over_user" if offered[-1].facts.record.table == "users" else "latest_row"


# --- and back ---------------------------------------------------------------------------------------------------------


def _account_back(_: RecordFacts) -> Back:
    return BACK_OF_ACCOUNT


def _badge_back(_: RecordFacts) -> Back:
    return BACK_OF_BADGE


def _user_document(record: Row, rows: BundleRows) -> dict[str, Any]:
    account = rows.row("accounts", record["became"])
    details = account.get("details") or {}
    active = account.get("active_profile_id")
    homes = [rows.row("profiles", merged_profile_id(record["became"], kind)) for kind in (*TABLE_OF, GUEST_KIND)]
    named = (row for row in homes if row and row["kind"] == details.get("profile_type"))
    home = next(named, None) or (rows.row("profiles", active) if active else {})
    active_kind = rows.row("profiles", active).get("kind") if active else None
    pointers = {
        name: details.get(f"active_{kind}_key") or (active if kind == active_kind else None)
        for kind, name in POINTERS.items()
    }
    back = BACK_OF_GUEST if home.get("kind") == GUEST_KIND else BACK_OF_PROFILE["users"]
    return {
        **back.document(home.get("fields") or {}),
        **BACK_OF_ACCOUNT.document(account),
        **pointers,
        "activeProfileType": details.get("active_profile_type") or active_kind,
    }


def _profile_document(record: Row, rows: BundleRows) -> dict[str, Any]:
    profile = rows.row("profiles", record["became"])
    account = rows.row("accounts", profile.get("account_id"))
    return {
        **BACK_OF_PROFILE[record["table_name"]].document(profile.get("fields") or {}),
        **BACK_OF_BADGE.document(profile),
        "userId": record["parent_key"],
        "isPrimary": account.get("primary_profile_id") == record["became"],
    }


def _item_document(record: Row, rows: BundleRows) -> dict[str, Any]:
    item = rows.row("items", record["became"])
    fields = item.get("fields") or {}
    kind = item.get("kind", "project")
    old_training = {"type": kind} if kind == "training" and record["table_name"] in PROJECTS else {}
    parent = "dancerId" if kind == "highlight" else "userId"
    return {
        **(fields.get("particulars") or {}),
        **BACK_OF_ITEM[kind].document(fields),
        **old_training,
        parent: record["parent_key"],
        "profileId": (item.get("legacy_keys") or {}).get("profile_id"),
    }


def _skill_document(record: Row, rows: BundleRows) -> dict[str, Any]:
    fields = rows.row("profiles", record["became"]).get("fields") or {}
    return {"userId": record["parent_key"], "name": fields.get("skills"), "proficiency": fields.get("skill_levels")}


_BACK: Final[Mapping[str, Callable[[Row, BundleRows], dict[str, Any]]]] = {
    "users": _user_document,
    **dict.fromkeys(KIND_OF, _profile_document),
    **dict.fromkeys((*PROJECTS, "training", "highlights"), _item_document),
    "skills": _skill_document,
}

SYSTEM: Final = TalentSystem()
