"""Rows of the caregivers system, what those of one user imply, and a strategy for any export of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

from domain.streams import billing_id, conversation_id, merged_profile_id
from migrations_replay.bundle import Selection
from migrations_replay.facts import Facts
from migrations_replay.leaves import count_leaves, leaves
from migrations_replay.reconcile import Proof, Reconcile
from migrations_replay.systems.caregivers import SYSTEM
from projections.all import READ_MODELS
from tests.support.any_cases import ODD
from tests.support.legacy import Line, MemorySource, MemoryTables, index, rows_of

USER: Final = "u1"
CREATED: Final = 1_700_000_000_000
UPDATED: Final = 1_700_000_900_000
ACCOUNT_ID: Final = SYSTEM.stream_of(USER)


def user(**columns: Any) -> dict[str, Any]:
    times = {"_creationTime": CREATED + 0.25, "createdAt": CREATED, "updatedAt": UPDATED}
    return {"_id": USER} | times | columns


def split(key: str = "r1", **columns: Any) -> dict[str, Any]:
    """A row that was split off the user."""
    return {"_id": key, "userId": USER, "createdAt": CREATED, "updatedAt": UPDATED} | columns


class Caregiver:
    """What the rows of one user imply, proven against the tables, with short ways to ask for it."""

    def __init__(self, root: Line | None = None, /, **tables: Sequence[Line]) -> None:
        source = MemorySource(users=[root or user()], **tables)
        bundles = list(index(source, SYSTEM))
        (self.bundle,) = [bundle for bundle in bundles if bundle.root.table == "users"]
        self.facts: Facts = SYSTEM.derive(self.bundle)
        for record in self.facts.records.values():
            assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
            assert len(record.classes) == count_leaves(record.record.document)
        assert proof_of(source).differences == []
        self.rows = rows_of(self.facts)

    def _row(self, model: str, stream: UUID) -> dict[str, Any]:
        return self.rows.get((model, (stream,)), {})

    @property
    def account(self) -> dict[str, Any]:
        return self._row("accounts", ACCOUNT_ID)

    @property
    def profile(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._row("profiles", merged_profile_id(ACCOUNT_ID, "caregiver")).get("fields")
        return found

    @property
    def conversation(self) -> dict[str, Any]:
        return self._row("conversations", conversation_id(ACCOUNT_ID))

    @property
    def messages(self) -> list[tuple[Any, ...]]:
        found = sorted((key, row) for (model, key), row in self.rows.items() if model == "messages")
        return [(row["number"], row["role"], row["content"], row["sent_at"]) for _, row in found]

    @property
    def billing(self) -> dict[str, Any]:
        return self._row("billing_accounts", billing_id(ACCOUNT_ID))

    @property
    def status(self) -> dict[str, Any]:
        (found,) = [row for (model, _), row in self.rows.items() if model == "status_history"]
        return found

    def classes(self, table: str = "users", key: str = USER) -> dict[str, str]:
        return self.facts.records[table, key].classes

    @property
    def findings(self) -> list[tuple[str, str]]:
        return [(found["field"], found["code"]) for found in self.facts.findings]

    @property
    def conflicts(self) -> dict[str, tuple[list[Any], Any, str]]:
        return {entry["field"]: (entry["values"], entry["chosen"], entry["rule"]) for entry in self.facts.conflicts}

    @property
    def unmapped(self) -> dict[str, Any]:
        return {pointer: value for entry in self.facts.unmapped for pointer, value in entry["fields"].items()}


def proof_of(source: MemorySource) -> Proof:
    selection = Selection(index(source, SYSTEM))
    tables = MemoryTables(SYSTEM.derive(bundle) for bundle in selection)
    return Reconcile(SYSTEM, tables, READ_MODELS).run(selection, lambda _: None)


_TIMES = ["1700000000000", "1700000000000.125", '"1700000000000.5"', '"2023-06-01T15:00:00Z"', '"NaN"', "1e300", "0"]
_NUMBERS = ["0", "72", "72.5", '"72.5"', '"1e3"', '"NaN"', "-1", "101", "9223372036854775808", "null", "true"]
_TEXTS = ['"Ada"', '" Ada"', '"Zoe\\u0308"', "null", '""', "5", '["a"]', '"active"', '"canceled"', '"ema"', '"mild"']
_LISTS = [
    *('["caregiving_tasks", "time_management", "", null, 5]', '["cognitive"]', r'"[\"social_support\"]"', "[]", '"[]"'),
    *('[{"role": "user", "content": " hi", "timestamp": 1700000000000.5}, {}, 3, {"role": "tool", "x": 1}]', "[[]]"),
    *(r'"[{\"role\": \"user\", \"content\": \"a\"}]"', '[{"timestamp": "NaN"}]', '["admin", "nurse"]'),
]
_OBJECTS = [
    *(
        '{"social_isolation": 40, "social_support": 41}',
        '{"time_management": null}',
        '{"navigation": "3"}',
        '{"a/~b": 1}',
    ),
    *(
        '{"lastActivity": 1, "sessionCount": 0, "metadata": "{\\"a\\": [1]}"}',
        '{"metadata": "[]"}',
        '{"metadata": "v"}',
    ),
    *(
        '{"promptTokens": 1, "costUsd": 0.5, "recordedAt": 1, "x": 2}',
        r'"{\"sessionCount\": 3}"',
        '{"metadata": {"a": []}}',
    ),
    *('{"sessionCount": "x", "other": {"other": 1}}', "{}", '"{}"'),
]
_COLUMNS: Final[dict[str, list[str]]] = {
    **dict.fromkeys(("name", "email", "phoneNumber", "firstName", "journeyPhase", "burnoutBand"), _TEXTS),
    **dict.fromkeys(("assessmentType", "assessmentSessionId", "subscriptionStatus", "stripeCustomerId"), _TEXTS),
    **dict.fromkeys(("historicalSummary", "historicalSummaryVersion", "isAnonymous", "rcsCapable"), _TEXTS),
    **dict.fromkeys(("lastContactAt", "consentAt", "canceledAt", "conversationStartDate", "createdAt"), _TIMES),
    **dict.fromkeys(("updatedAt", "_creationTime", "emailVerificationTime"), _TIMES),
    **dict.fromkeys(("burnoutScore", "burnoutConfidence", "totalInteractionCount", "crisisFollowupCount"), _NUMBERS),
    **dict.fromkeys(("roles", "pressureZones", "recentMessages"), _LISTS),
    **dict.fromkeys(("pressureZoneScores", "onboardingAttempts", "appState", "historicalSummaryTokenUsage"), _OBJECTS),
    "odd/~key": ODD,
}
_SPLIT: Final = ("userProfiles", "caregiverProfiles", "conversationState", "billingAccounts", "subscriptions")


@st.composite
def _line(draw: st.DrawFn, fixed: dict[str, str], most: int) -> str:
    names = draw(st.lists(st.sampled_from(sorted(_COLUMNS)), max_size=most, unique=True))
    values = fixed | {name: draw(st.sampled_from([*_COLUMNS[name] * 3, *ODD])) for name in names}
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


@st.composite
def exports(draw: st.DrawFn) -> dict[str, list[Line]]:
    """One or two users with odd values everywhere, rows split off them, broken lines and tables nobody knows."""
    users: list[Line] = [draw(_line({"_id": f'"u{number}"'}, 12)) for number in range(1, draw(st.integers(1, 2)) + 1)]
    if draw(st.booleans()):
        users.append(draw(st.one_of(_line({"_id": '"u1"'}, 3), st.sampled_from(["{", "[]", '{"_id": null}']))))
    tables: dict[str, list[Line]] = {"users": users}
    for table in draw(st.lists(st.sampled_from(_SPLIT), max_size=3)):
        owner = draw(st.sampled_from(['"u1"', '"u2"', '"u9"', "null"]))
        key = f'"r{len(tables.get(table, []))}"'
        tables.setdefault(table, []).append(draw(_line({"_id": key, "userId": owner}, 8)))
    if draw(st.booleans()):
        tables["assessments"] = [draw(_line({"_id": '"active"'}, 2))]
    return tables
