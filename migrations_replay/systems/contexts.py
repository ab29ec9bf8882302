"""The contexts system: one profile per relationship context becomes one personal profile and an intent per context.

The chat messages of a context become a conversation. The rules are those of `docs/legacy/contexts.md`; C-numbers refer
to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.account import AccountRegistered, ActiveProfileSwitched, ProfileAdded
from domain.contexts import CONTEXTS, Context, Tone
from domain.conversation import ConversationStarted, MessageRecorded, MessageRole
from domain.intent import IntentDeclared
from domain.kinds import KINDS
from domain.profile import ProfileConflictRecorded, ProfileCreated
from domain.streams import conversation_id, imported_id, intent_id, merged_profile_id
from domain.values import normal_text, same_json, without_unset
from domain.vocabulary import FieldShape, text
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyTable
from migrations_replay.document import Problem
from migrations_replay.facts import (
    Candidate,
    Facts,
    ImportedEvent,
    Place,
    Provenance,
    RecordFacts,
    Rule,
    pointer_to,
    rule,
    unique,
    without_home,
)
from migrations_replay.given_back import fields_back
from migrations_replay.leaves import DERIVED, NORMALISED
from migrations_replay.merge import Offered, choose_first, choose_last, choose_texts, take_keys, take_texts

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from migrations_replay.replay import Outcome
    from projections.read_model import Row

# The blob's keys, and what they are called in Dossier.
FIRST_NON_EMPTY: Final = {"name": "name", "location": "location", "ageRange": "age_range"}  # C16
UNIONS: Final = {"coreValues": "core_values", "constraints": "constraints"}  # C17
MERGED: Final = {"beliefs": "beliefs", "interactionStyle": "interaction_style", "lifestyle": "lifestyle"}  # C18
SHARED: Final = FIRST_NON_EMPTY | UNIONS | MERGED
INTENT_FIELDS: Final = {  # C19
    Context.ROMANTIC: {
        "relationshipTimeline": "relationship_timeline",
        "exclusivityExpectation": "exclusivity_expectation",
        "familyIntentions": "family_intentions",
        "attractionImportance": "attraction_importance",
    },
    Context.FRIENDSHIP: {
        "friendshipDepth": "friendship_depth",
        "groupActivityPreference": "group_activity_preference",
        "emotionalSupportExpectation": "emotional_support_expectation",
    },
    Context.PROFESSIONAL: {
        "partnershipType": "partnership_type",
        "commitmentHorizon": "commitment_horizon",
        "complementarySkills": "complementary_skills",
        "equityOrRevShare": "equity_or_rev_share",
    },
    Context.CREATIVE: {
        "creativeType": "creative_type",
        "roleNeeded": "role_needed",
        "processStyle": "process_style",
        "egoBalance": "ego_balance",
        "compensationExpectation": "compensation_expectation",
    },
    Context.SERVICE: {
        "serviceType": "service_type",
        "budgetRange": "budget_range",
        "timelineNeeded": "timeline_needed",
        "credentialsRequired": "credentials_required",
    },
}
ACCOUNT_FIELDS: Final = ("email", "name")
KIND: Final = "personal"
CONFLICT_LIMIT: Final = 0.05
TONE: Final = text(*Tone)
ROLE: Final = text(*MessageRole)
MESSAGE_TEXTS: Final = {"role": ROLE, "content": text()}


class ContextsSystem:
    """The legacy application with a profile for each relationship context."""

    name = "contexts"
    mapping_version = 2
    root = "User"
    tables: Mapping[str, LegacyTable] = {
        "User": LegacyTable(),
        "ContextProfile": LegacyTable("userId", "User"),
        "Profile": LegacyTable("contextProfileId", "ContextProfile", json_columns=frozenset({"data", "missing"})),
        "ChatMessage": LegacyTable("userId", "User", references={"contextProfileId": ("ContextProfile",)}),
    }
    renamed: Mapping[str, str] = {}
    inherited = frozenset({"unknown_context"})

    def refuse(self, table: str, document: Mapping[str, Any]) -> Problem | None:
        """C8a: a context profile of a context nobody knows cannot be placed."""
        if table == "ContextProfile" and context_of(document) is None:
            return Problem("unknown_context", "contextType is none of the five contexts")
        return None

    def stream_of(self, root_key: str) -> UUID:
        """Return the account a user becomes."""
        return imported_id("account", self.name, self.root, root_key)

    def subject_of(self, root_key: str) -> UUID:
        """Return that account: the data is all its own."""
        return self.stream_of(root_key)

    def derive(self, bundle: Bundle) -> Facts:
        """Return what a user with their contexts, blobs and messages implies."""
        if bundle.root.table != self.root:
            return without_home(bundle)
        account_id = self.subject_of(bundle.root.key)
        facts = Facts(bundle, account_id)
        for record in facts.records.values():
            facts.row_times(record, "createdAt", "updatedAt")
        user = facts.of("User")[0]
        _account(facts, user, account_id)
        contexts = _contexts_in_order(facts)
        blobs = {context.record.key: _blobs(facts, context) for context in contexts}
        _profile(facts, user, account_id, [blobs[context.record.key] for context in contexts])
        for context_type in Context:
            rows = [context for context in contexts if context_of(context.record.document) is context_type]
            if rows:
                _intent(facts, account_id, context_type, rows, blobs)
        _conversations(facts, account_id, contexts)
        return facts

    def to_legacy(self, record: Row, rows: BundleRows) -> dict[str, Any]:
        """Return the document of a record from the tables; a blob comes back with all its context shares."""
        own: dict[str, Any] = {}
        match record["table_name"]:
            case "User":
                account = rows.row("accounts", record["became"])
                own = {name: account.get(name) for name in ACCOUNT_FIELDS}
            case "ContextProfile":
                intent = rows.row("intents", record["became"])
                own = {"userId": record["parent_key"], "contextType": intent.get("context")}
                own["tonePreference"] = intent.get("tone_preference")
            case "Profile":
                context = rows.record("ContextProfile", record["parent_key"])
                intent = rows.row("intents", context.get("became"))
                data = fields_back(SHARED, rows.row("profiles", record["became"]).get("fields"))
                data |= fields_back(INTENT_FIELDS.get(intent.get("context", ""), {}), intent.get("fields"))
                own = {"contextProfileId": record["parent_key"], "data": data}
            case "ChatMessage":
                message = rows.row("messages", record["became"], record["became_version"])
                conversation = rows.row("conversations", record["became"])
                own = {"userId": record["parent_key"], "contextProfileId": conversation.get("context_profile_id")}
                own |= {name: message.get(name) for name in MESSAGE_TEXTS}
                own["offRecord"] = message.get("off_record")
        times = {"createdAt": record["created"], "updatedAt": record["updated"]}
        return without_unset({"id": record["key"], **times, **own})

    def rules(self, outcome: Outcome, counts: Mapping[str, Any]) -> list[Rule]:
        """Check what the plan of the team verifies."""
        users, contexts = outcome.taken["User"], outcome.taken["ContextProfile"]
        rate = outcome.bundles_with_conflict / users if users else 0.0
        links = sum(finding["field"] == "contextProfileId" for finding in outcome.findings)
        profiles, intents, messages = counts["profiles"], counts["intents"], outcome.taken["ChatMessage"]
        return [
            rule("imported profiles = users", abs(profiles - users), profiles=profiles, users=users),
            rule("intents = context profiles", abs(intents - contexts), intents=intents, contexts=contexts),
            rule("no orphan profile or intent", counts["orphans"]),
            rule("one profile a user, one intent a user and context", counts["duplicate_keys"]),
            rule("scores within 0 to 100", counts["scores_outside"]),
            rule("every message finds its context profile", links),
            rule("messages = chat messages", abs(counts["messages"] - messages), messages=counts["messages"]),
            {
                "rule": "conflict rate below 5 %",
                "passed": rate < CONFLICT_LIMIT,
                "count": outcome.bundles_with_conflict,
                "rate": round(rate, 4),
            },
        ]

    def stats(self, outcome: Outcome, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many users and contexts there were, and profiles and intents there are."""
        taken = {"users": "User", "contexts": "ContextProfile", "messages": "ChatMessage"}
        after = {name: counts[name] for name in ("profiles", "intents", "conversations", "messages")}
        return {"before": {name: outcome.taken[table] for name, table in taken.items()}, "after": after}


def context_of(document: Mapping[str, Any]) -> Context | None:
    """Return the context a ContextProfile row names, None if it is none of the five."""
    value = document.get("contextType")
    return (
        CONTEXTS[Context(name)].context if isinstance(value, str) and (name := normal_text(value)) in CONTEXTS else None
    )


# --- the account (C11, C12) ----------------------------------------------------------------------------------------


def _account(facts: Facts, user: RecordFacts, account_id: UUID) -> None:
    document = user.record.document
    user.became = account_id
    profile_id = merged_profile_id(account_id, KIND)
    facts.key(user, user.record.id_field, Place("legacy_ids", user.snapshot, "key"))
    user.expect(f"/{user.record.id_field}", Place("profiles", profile_id, "account_id"), account_id)
    values: dict[str, str] = {}
    provenance: Provenance = {}
    for name in ACCOUNT_FIELDS:
        if name in document and (found := facts.text(user, f"/{name}", name, document[name])):
            facts.settle(found, Place("accounts", account_id, name))
            values[name] = found.value
            provenance[name] = (user.source(f"/{name}"),)
    facts.no_target(user, _rest(document, {user.record.id_field, *ACCOUNT_FIELDS, "createdAt", "updatedAt"}))
    registered = facts.occurred(user)
    if user.created:
        user.expect(user.created_at, Place("accounts", account_id, "registered_at"), user.created)
        provenance["registered_at"] = (user.source(user.created_at),)
    facts.stream(account_id).events += [
        ImportedEvent(AccountRegistered(**values), registered, provenance),
        ImportedEvent(ProfileAdded(profile_id=profile_id, kind=KIND), registered),
        ImportedEvent(ActiveProfileSwitched(profile_id=profile_id, previous=None), registered),
    ]


# --- context profiles and their blobs (C13–C15, C20, C21) -------------------------------------------------------------


def _contexts_in_order(facts: Facts) -> list[RecordFacts]:
    rows = facts.of("ContextProfile")
    for row in rows:
        facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))
    return _oldest_first(facts, rows)


def _oldest_first(facts: Facts, rows: list[RecordFacts]) -> list[RecordFacts]:
    return sorted(rows, key=lambda row: (facts.occurred(row), row.record.key))


class _Blob:
    """The blob of one Profile row: the values it offers, each under its key in the blob."""

    def __init__(self, row: RecordFacts, context: Context, data: dict[str, Any]) -> None:
        self.row, self.context, self.data = row, context, data


def _blobs(facts: Facts, context: RecordFacts) -> list[_Blob]:
    """Take the Profile rows of a context, oldest first (the index allows one; a damaged export may hold more)."""
    rows = [row for row in facts.of("Profile") if row.record.parent == context.record.key]
    kind = context_of(context.record.document)
    assert kind is not None
    return [_blob(facts, row, kind) for row in _oldest_first(facts, rows)]


def _blob(facts: Facts, row: RecordFacts, context: Context) -> _Blob:
    document = row.record.document
    facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))
    facts.key(row, "contextProfileId", Place("legacy_ids", row.snapshot, "parent_key"))
    for name in ("completeness", "missing"):
        if name in document:
            row.mark(f"/{name}", document[name], DERIVED)
    data = document.get("data", {})
    rest = _rest(
        document, {row.record.id_field, "contextProfileId", "createdAt", "updatedAt", "completeness", "missing", "data"}
    )
    if not isinstance(data, dict):
        facts.set_aside(row, "/data", data, "bad_blob", "the blob is not a JSON object")
        data = {}
    elif not data and "data" in document:
        row.mark("/data", data, NORMALISED)
    known = SHARED.keys() | INTENT_FIELDS[context].keys()
    rest |= {pointer_to("data", name): value for name, value in data.items() if name not in known}
    facts.no_target(row, rest, context)
    return _Blob(row, context, data)


def _rest(document: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    return {pointer_to(name): value for name, value in document.items() if name not in known}


# --- the shared profile (C16–C18, C23) ------------------------------------------------------------------------------


class _Merged:
    """The profile as it is put together: values and provenance by target field, conflicts to record."""

    def __init__(self, profile_id: UUID) -> None:
        self.profile_id = profile_id
        self.fields: dict[str, Any] = {}
        self.provenance: Provenance = {}
        self.conflicts: list[ProfileConflictRecorded] = []

    def place(self, target: str) -> Place:
        return Place("profiles", self.profile_id, "fields", (target,))

    def came_from(self, target: str, facts: RecordFacts, pointer: str) -> None:
        self.provenance[target] = (*self.provenance.get(target, ()), facts.source(pointer))

    def disputed(self, target: str, values: list[Any], chosen: Any, rule: str) -> None:
        if len(values) > 1:
            conflict = ProfileConflictRecorded(field=target, values=tuple(values), chosen=chosen, rule=rule)
            self.conflicts.append(conflict)


def _profile(facts: Facts, user: RecordFacts, account_id: UUID, contexts: list[list[_Blob]]) -> None:
    merged = _Merged(merged_profile_id(account_id, KIND))
    blobs = [blob for context in contexts for blob in context]
    latest_row_first = [blob for context in contexts for blob in reversed(context)]
    for name, target in FIRST_NON_EMPTY.items():
        _first_non_empty(facts, merged, latest_row_first, name, target)
    for name, target in UNIONS.items():
        _union(facts, merged, blobs, name, target)
    for name, target in MERGED.items():
        _merge(facts, merged, blobs, name, target)
    for blob in blobs:
        blob.row.became = merged.profile_id
    oldest = min((blob.row for blob in blobs if blob.row.earliest), key=facts.occurred, default=user)
    created = facts.occurred(oldest)
    if oldest.created:
        oldest.expect(oldest.created_at, Place("profiles", merged.profile_id, "created_at"), created)
        merged.came_from("created_at", oldest, oldest.created_at)
    merged.came_from("account_id", user, f"/{user.record.id_field}")
    event = ProfileCreated(account_id=account_id, kind=KIND, fields=merged.fields)
    events = facts.stream(merged.profile_id).events
    events.append(ImportedEvent(event, created, merged.provenance))
    events += [ImportedEvent(conflict, created) for conflict in merged.conflicts]


def _first_non_empty(facts: Facts, merged: _Merged, blobs: list[_Blob], name: str, target: str) -> None:
    pointer = pointer_to("data", name)
    offered = [blob for blob in blobs if name in blob.data]
    found = [value for blob in offered if (value := facts.text(blob.row, pointer, name, blob.data[name]))]
    if not found:
        return
    for candidate in found:
        facts.vocabulary(candidate, name, KINDS[KIND].fields[target])
    chosen = merged.fields[target] = found[0].value
    values = choose_first(facts, found, name, merged.place(target), rule="first_non_empty")
    merged.disputed(target, values, chosen, "first_non_empty")
    for candidate in found:
        if candidate.value == chosen:
            merged.came_from(target, candidate.facts, pointer)


def _union(facts: Facts, merged: _Merged, blobs: list[_Blob], name: str, target: str) -> None:
    pointer = pointer_to("data", name)
    items: list[str] = []
    for blob in blobs:
        if name in blob.data and (found := take_texts(facts, blob.row, pointer, blob.data[name], merged.place(target))):
            items += found
            merged.came_from(target, blob.row, pointer)
    if items:
        merged.fields[target] = unique(items)


def _merge(facts: Facts, merged: _Merged, blobs: list[_Blob], name: str, target: str) -> None:
    offered: dict[str, list[Offered]] = {}
    for blob in blobs:
        if name in blob.data:
            for key, value in take_keys(facts, blob.row, pointer_to("data", name), blob.data[name]):
                offered.setdefault(key, []).append(value)
    place = merged.place(target)
    for key, values in offered.items():
        winner = values[-1]
        merged.fields.setdefault(target, {})[key] = winner.value
        forms = choose_last(facts, values, f"{name}/{key}", place.below(key), rule="last_writer_wins")
        merged.disputed(f"{target}/{key}", forms, convert.normal_json(winner.value), "last_writer_wins")
        for value in values:
            if same_json(value.value, winner.value):
                merged.came_from(f"{target}/{key}", value.facts, value.pointer)


# --- the intents (C13, C19) -----------------------------------------------------------------------------------------


def _intent(
    facts: Facts, account_id: UUID, context: Context, rows: list[RecordFacts], blobs: Mapping[str, list[_Blob]]
) -> None:
    """Declare the intent of a context; of several rows for it (oldest first) the last is chosen."""
    stream = intent_id(account_id, context)
    chosen = rows[-1]
    for row in rows:
        row.became = stream
        _context_keys(facts, row, stream, chosen=row is chosen)
    tone = _tone(facts, rows, stream)
    fields, provenance = _intent_fields(facts, stream, context, rows, blobs)
    if tone:
        provenance["tone_preference"] = (tone.facts.source(tone.pointer),)
    declared = IntentDeclared(
        account_id=account_id,
        context=context,
        fields=fields,
        tone_preference=tone.value if tone else None,
        context_profile_id=chosen.record.key,
    )
    provenance["account_id"] = (chosen.source("/userId"),)
    provenance["context"] = (chosen.source("/contextType"),)
    provenance["context_profile_id"] = (chosen.source(f"/{chosen.record.id_field}"),)
    if chosen.created:
        chosen.expect(chosen.created_at, Place("intents", stream, "created_at"), chosen.created)
        provenance["created_at"] = (chosen.source(chosen.created_at),)
    facts.stream(stream).events.append(ImportedEvent(declared, facts.occurred(chosen), provenance))


def _context_keys(facts: Facts, row: RecordFacts, stream: UUID, *, chosen: bool) -> None:
    document = row.record.document
    facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
    row.expect("/userId", Place("intents", stream, "account_id"), facts.subject)
    raw = document["contextType"]
    facts.settle(Candidate(row, "/contextType", raw, normal_text(raw)), Place("intents", stream, "context"))
    if chosen:
        row.expect(f"/{row.record.id_field}", Place("intents", stream, "context_profile_id"), row.record.key)
    known = {row.record.id_field, "userId", "contextType", "tonePreference", "createdAt", "updatedAt"}
    facts.no_target(row, _rest(document, known), context_of(document))


def _tone(facts: Facts, rows: list[RecordFacts], stream: UUID) -> Candidate | None:
    found = []
    for row in reversed(rows):
        document = row.record.document
        if "tonePreference" in document:
            candidate = facts.text(row, "/tonePreference", "tonePreference", document["tonePreference"])
            if candidate:
                facts.vocabulary(candidate, "tonePreference", TONE)
                found.append(candidate)
    if not found:
        return None
    choose_first(facts, found, "tonePreference", Place("intents", stream, "tone_preference"), rule="latest_row")
    return found[0]


def _intent_fields(
    facts: Facts, stream: UUID, context: Context, rows: list[RecordFacts], blobs: Mapping[str, list[_Blob]]
) -> tuple[dict[str, Any], Provenance]:
    fields: dict[str, Any] = {}
    provenance: Provenance = {}
    latest_first = [blob for row in reversed(rows) for blob in reversed(blobs[row.record.key])]
    for name, target in INTENT_FIELDS[context].items():
        offered = [blob for blob in latest_first if name in blob.data]
        if offered:
            take = _intent_texts if CONTEXTS[context].fields[target].shape == "texts" else _intent_text
            shape = CONTEXTS[context].fields[target]
            value, source = take(facts, offered, name, Place("intents", stream, "fields", (target,)), shape)
            if value is not None and source is not None:
                fields[target] = value
                provenance[target] = (source.source(pointer_to("data", name)),)
    return fields, provenance


def _intent_text(
    facts: Facts, offered: list[_Blob], name: str, place: Place, shape: FieldShape
) -> tuple[str | None, RecordFacts | None]:
    pointer = pointer_to("data", name)
    found = [value for blob in offered if (value := facts.text(blob.row, pointer, name, blob.data[name]))]
    for candidate in found:
        facts.vocabulary(candidate, name, shape)
    if not found:
        return None, None
    choose_first(facts, found, name, place, rule="latest_row")
    return found[0].value, found[0].facts


def _intent_texts(
    facts: Facts, offered: list[_Blob], name: str, place: Place, _: FieldShape
) -> tuple[list[str] | None, RecordFacts | None]:
    pointer = pointer_to("data", name)
    lists = [(blob.row, take_texts(facts, blob.row, pointer, blob.data[name], place)) for blob in offered]
    chosen = choose_texts(facts, lists, name, place, rule="latest_row")
    return (chosen[1], chosen[0]) if chosen else (None, None)


# --- conversations (C22) ----------------------------------------------------------------------------------------------


def _conversations(facts: Facts, account_id: UUID, contexts: list[RecordFacts]) -> None:
    """Put each message into the conversation of the context profile it names, wherever that is."""
    kinds = {context.record.key: context_of(context.record.document) for context in contexts}
    by_context: dict[str | None, list[RecordFacts]] = {}
    for message in _oldest_first(facts, facts.of("ChatMessage")):
        by_context.setdefault(convert.key(message.record.document.get("contextProfileId")), []).append(message)
    for key, messages in by_context.items():
        stream = conversation_id(account_id, key or "")
        started = ConversationStarted(account_id=account_id, context=kinds.get(key or ""), context_profile_id=key)
        first = messages[0]
        provenance: Provenance = {"account_id": (first.source("/userId"),)}
        if key is not None:
            provenance["context_profile_id"] = (first.source("/contextProfileId"),)
        events = facts.stream(stream).events
        events.append(ImportedEvent(started, facts.occurred(first), provenance))
        events += [_message(facts, message, stream, number) for number, message in enumerate(messages, start=2)]


def _message(facts: Facts, message: RecordFacts, stream: UUID, number: int) -> ImportedEvent:
    record, row = message.record, (stream, number)
    message.became, message.became_version = stream, number
    facts.key(message, record.id_field, Place("legacy_ids", message.snapshot, "key"), Place("messages", row, "key"))
    facts.key(message, "userId", Place("legacy_ids", message.snapshot, "parent_key"))
    message.expect("/userId", Place("conversations", stream, "account_id"), facts.subject)
    facts.key(message, "contextProfileId", Place("conversations", stream, "context_profile_id"))
    facts.dangling(message, "contextProfileId")
    if "contextProfileId" in record.foreign:
        facts.finding(message, "contextProfileId", "disagrees", record.document["contextProfileId"])
    said: dict[str, str] = {}
    provenance: Provenance = {"key": (message.source(f"/{record.id_field}"),)}
    for name, shape in MESSAGE_TEXTS.items():
        if name in record.document and (found := facts.text(message, f"/{name}", name, record.document[name])):
            facts.vocabulary(found, name, shape)
            facts.settle(found, Place("messages", row, name))
            said[name] = found.value
            provenance[name] = (message.source(f"/{name}"),)
    off_record = facts.flag(message, "offRecord", Place("messages", row, "off_record"))
    if message.created:
        message.expect(message.created_at, Place("messages", row, "sent_at"), message.created)
        provenance["sent_at"] = (message.source(message.created_at),)
    known = {record.id_field, "userId", "contextProfileId", *MESSAGE_TEXTS, "offRecord", "createdAt", "updatedAt"}
    facts.no_target(message, _rest(record.document, known))
    event = MessageRecorded(**said, off_record=off_record is True, sent_at=message.created, key=record.key)
    return ImportedEvent(event, facts.occurred(message), provenance)


SYSTEM: Final = ContextsSystem()
