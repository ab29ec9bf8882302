"""The oddities of the caregivers system: by slot, of which a user has at most one each."""

import json
from collections.abc import Callable
from typing import Any, Final

from adapters.samples.caregivers.people import Person, message, row_id
from adapters.samples.truth import (
    ABSENT,
    CONFLICTING,
    NORMALISED,
    UNMAPPED,
    UNREADABLE,
)

Oddity = Callable[[Person], None]
_LONE: Final = {
    "billing": ("stripeCustomerId", "stripeSubscriptionId", "subscriptionStatus", "canceledAt", "trialEndsAt"),
    "conversation": (
        *("recentMessages", "historicalSummary", "historicalSummaryVersion", "historicalSummaryTokenUsage"),
        *("conversationStartDate", "totalInteractionCount"),
    ),
}


def _put(column: str, value: Any, mark: str | None = None, findings: str = "", **marks: str) -> Oddity:
    """Return the oddity that puts a value, or what a function makes of the person, into a column of the user."""

    def put(person: Person) -> None:
        person.user.put(f"/{column}", value(person) if callable(value) else value, mark, findings)
        person.user.marks |= {f"/{column}/{below}": leaf for below, leaf in marks.items()}

    return put


def _all(*oddities: Oddity) -> Oddity:
    def put(person: Person) -> None:
        for oddity in oddities:
            oddity(person)

    return put


def _lone(group: str, column: str, value: Any, mark: str | None = None) -> Oddity:
    """Return the oddity that leaves one field of a group."""
    gone = [_put(name, ABSENT) for name in _LONE[group] if name != column]
    return _all(*gone, _put(column, value, mark))


def _updated(person: Person) -> int:
    return int(person.user.doc["updatedAt"])


def _cancelled(written: str, at: Callable[[Person], Any], mark: str | None = None) -> Oddity:
    return _all(_put("subscriptionStatus", written, mark), _put("canceledAt", at))


def _score(score: Any, band: Any, mark: str | None = None, findings: str = "") -> Oddity:
    return _all(_put("burnoutBand", band), _put("burnoutScore", score, mark, findings))


def _same_phones(person: Person) -> None:
    person.user.put("/phone", person.user.doc["phoneNumber"])


def _twin(person: Person) -> None:
    if person.neighbour:
        person.user.put("/phoneNumber", person.neighbour, None, "duplicate_lookup duplicate_lookup")


def _messages_as_text(person: Person) -> None:
    person.user.put("/recentMessages", json.dumps(person.user.doc["recentMessages"]), NORMALISED)


def _session(person: Person) -> None:
    row = person.add("assessments", type="ema", overallScore=None, answers=[])
    row.put("/userId", person.key)
    person.user.put("/assessmentSessionId", row.doc["_id"])


# --- rows that were split off -----------------------------------------------------------------------------------------


def _equal_rows(person: Person) -> None:
    for table, names in {
        "userProfiles": ("relationship", "zipCode"),
        "conversationState": ("historicalSummary",),
        "billingAccounts": ("stripeCustomerId",),
    }.items():
        person.add(table, **{name: person.user.doc[name] for name in names if name in person.user.doc})


def _stale(table: str, column: str, value: Any) -> Oddity:
    """Return the oddity of a stale row: it says something else than the user."""

    def stale(person: Person) -> None:
        row = person.add(table, **{column: value})
        row.put(f"/{column}", value, CONFLICTING)
        person.user.conflicts += 1

    return stale


def _filling(person: Person) -> None:
    """Move columns out of the user, as the split did in the end."""
    taken = {name: person.user.doc.pop(name) for name in ("relationship", "careRecipientName", "zipCode")}
    person.add("userProfiles", **taken)


def _two_rows(person: Person) -> None:
    """Leave two rows that differ and a user that says nothing: the later one is right."""
    zip_code = person.user.doc.pop("zipCode")
    early, late = (person.add("userProfiles", zipCode=code) for code in ("99999", zip_code))
    early.put("/updatedAt", _updated(person) - 1)
    late.put("/updatedAt", _updated(person))
    early.put("/zipCode", "99999", CONFLICTING)
    person.user.conflicts += 1


def _older_generation(person: Person) -> None:
    code = person.user.doc.pop("zipCode")
    person.add("userProfiles", zipCode=code)
    old = person.add("caregiverProfiles", zipCode="11111")
    old.put("/zipCode", "11111", CONFLICTING)
    person.user.conflicts += 1


def _defaults(person: Person) -> None:
    """Add the rows the script that really ran made of nothing."""
    person.add(
        "userProfiles",
        pressureZones=[],
        onboardingAttempts={},
        languagePreference=person.user.doc["languagePreference"],
    )
    person.add("billingAccounts")
    person.add("conversationState", recentMessages=[])


def _orphan(person: Person) -> None:
    row = person.add("userProfiles", firstName="Nobody")
    row.put("/userId", row_id(person.rng))
    row.code = "no_subject"


SLOTS: Final[dict[str, dict[str, Oddity]]] = {
    "contact": {
        "phones_differ": _put("phone", lambda person: f"+1777{person.serial:07}"),
        "phones_equal": _same_phones,
        "sms_phone_twice": _twin,
        "email_number": _put("email", 5, UNREADABLE, "unreadable"),
        "verified_at_fraction": _put("emailVerificationTime", 1_660_000_000_000.5),
        "name_blanks": _put("name", " Ada ", NORMALISED),
        "name_null": _put("name", None),
    },
    "roles": {
        "support": _put("roles", ["support"]),
        "unknown": _put("roles", ["admin", "nurse"], None, "outside_vocabulary"),
        "empty": _put("roles", []),
    },
    "row": {
        "no_creation_time": _put("createdAt", ABSENT, None, "assumed_time"),
        "test_marker": _put("isTestUser", True, UNMAPPED),
        "unknown_object": _put("legacy", {"a": [1, {"b": None}]}, UNMAPPED),
    },
    "first_name": {
        "number": _put("firstName", 7, UNREADABLE, "unreadable"),
        "object": _put("firstName", {"de": "Ada"}, UNREADABLE, "unreadable"),
        "blanks": _put("firstName", " Ada", NORMALISED),
        "decomposed": _put("firstName", "Zoe\u0308", NORMALISED),
    },
    "burnout": {
        "zero": _all(_score(0, "crisis"), _put("burnoutConfidence", 0)),
        "null": _all(_put("burnoutScore", None), _put("burnoutBand", None), _put("burnoutConfidence", None)),
        "absent": _all(_put("burnoutScore", ABSENT), _put("burnoutBand", ABSENT)),
        "disagrees": _score(72, "moderate", None, "disagrees"),
        "healthy": _score(72, "healthy", None, "outside_vocabulary"),
        "above": _score(104.5, "thriving", None, "outside_limit"),
        "nan": _score("NaN", "mild", UNREADABLE, "unreadable"),
        "infinity": _score("Infinity", "mild", UNREADABLE, "unreadable"),
        "decimal_text": _score("72.5", "mild", NORMALISED),
        "decimal_confidence": _put("burnoutConfidence", "0.25", NORMALISED),
        "edge": _score(19.9, "crisis"),
    },
    "zones": {
        "alias": _put("pressureZones", ["caregiving_tasks", "physical_exhaustion"], NORMALISED),
        "alias_beside": _put(
            "pressureZones", ["financial_strain", "financial_concerns"], None, "", **{"0": NORMALISED, "1": NORMALISED}
        ),
        "short_word": _put("pressureZones", ["cognitive", "temporal"], None, "outside_vocabulary outside_vocabulary"),
        "text_of_json": _put("pressureZones", '["social_support"]', NORMALISED),
        "number": _put("pressureZones", ["social_support", 3], None, "unreadable", **{"1": UNREADABLE}),
    },
    "zone_scores": {
        "alias": _put("pressureZoneScores", {"social_isolation": 40.5}, NORMALISED),
        "null_zone": _put("pressureZoneScores", {"social_support": None, "time_management": 0}),
        "unknown_zone": _put("pressureZoneScores", {"navigation": 3}, None, "outside_vocabulary"),
        "decimal_text": _put("pressureZoneScores", {"social_support": "40"}, NORMALISED),
        "null": _put("pressureZoneScores", None),
        "list": _put("pressureZoneScores", [1, 2], UNREADABLE, "unreadable"),
    },
    "activity": {
        "fraction": _put("lastContactAt", 1_700_000_000_000.125),
        "decimal_text": _put("lastCrisisEventAt", "1700000000000.5"),
        "iso_text": _put("lastProactiveMessageAt", "2023-11-14T22:13:20.000Z"),
        "year_0": _put("lastContactAt", -70_000_000_000_000, UNREADABLE, "unreadable"),
        "after_9999": _put("lastContactAt", 1e18, UNREADABLE, "unreadable"),
        "seven_reactivations": _put("reactivationMessageCount", 7, None, "outside_limit"),
        "half_a_count": _put("crisisFollowupCount", 1.5, UNREADABLE, "unreadable"),
    },
    "onboarding": {
        "cooldown_nan": _put("onboardingCooldownUntil", "NaN", UNREADABLE, "unreadable"),
        "cooldown_decimal_text": _put("onboardingCooldownUntil", "1700000000000"),
        "attempts_by_assessment": _put("onboardingAttempts", {"ema": 2, "cwbs": 0}),
        "attempts_text": _put("onboardingAttempts", '{"first_name": 2}', NORMALISED),
        "attempts_word": _put("onboardingAttempts", {"zip_code": "twice"}, UNREADABLE, "unreadable"),
    },
    "assessment": {
        "null": _all(_put("assessmentType", None), _put("assessmentCurrentQuestion", None)),
        "absent": _all(_put("assessmentType", ABSENT), _put("assessmentInProgress", ABSENT)),
        "outside": _put("assessmentType", "phq9", None, "outside_vocabulary"),
        "question_zero": _all(_put("assessmentCurrentQuestion", 0), _put("assessmentInProgress", False)),
        "session": _session,
        "session_dangling": _put("assessmentSessionId", "k-nowhere", None, "dangling_reference"),
    },
    "device": {
        "consent_decimal_text": _put("consentAt", "1690000000000.75"),
        "flag_as_text": _put("rcsCapable", "yes", UNREADABLE, "unreadable"),
    },
    "app_state": {
        "text_of_json": _put("appState", '{"sessionCount": 3}', NORMALISED),
        "metadata_json": _all(_put("appState", {"metadata": '{"a": [1]}'}, None, "", metadata=NORMALISED)),
        "metadata_text": _put("appState", {"metadata": "v2"}),
        "free_form": _put("appState", {"theme": {"dark": True}, "tabs": [1, "two"]}),
        "list": _put("appState", ["a"], UNREADABLE, "unreadable"),
        "nothing": _put("appState", {}),
    },
    "phase": {
        "recovery": _put("journeyPhase", "recovery"),
        "outside": _put("journeyPhase", "paused", None, "outside_vocabulary"),
    },
    "billing": {
        "canceled": _cancelled("canceled", lambda person: _updated(person) - 1000, NORMALISED),
        "cancelled": _cancelled("cancelled", _updated),
        "canceled_ahead": _cancelled("canceled", lambda person: _updated(person) + 10**9, NORMALISED),
        "canceled_at_no_time": _put("subscriptionStatus", "canceled", NORMALISED),
        "inactive": _put("subscriptionStatus", "inactive"),
        "outside": _put("subscriptionStatus", "gold", None, "outside_vocabulary"),
        "lone_trial": _lone("billing", "trialEndsAt", 1_700_000_000_000),
        "lone_subscription": _lone("billing", "stripeSubscriptionId", "sub_lone"),
        "lone_canceled_at": _lone("billing", "canceledAt", 1_700_000_000_000),
        "none": _lone("billing", "stripeCustomerId", None),
    },
    "conversation": {
        "many_messages": _put(
            "recentMessages", lambda person: [message(person.rng, _updated(person) + index) for index in range(40)]
        ),
        "no_timestamp": _put("recentMessages", [{"role": "user", "content": "when?"}]),
        "fraction": _put("recentMessages", [{"role": "user", "content": "x", "timestamp": 1_700_000_000_000.25}]),
        "role_outside": _put(
            "recentMessages", [{"role": "tool", "content": "x", "timestamp": 1}], None, "outside_vocabulary"
        ),
        "empty_message": _put("recentMessages", [{}, {"role": "user", "content": "after nothing"}]),
        "text_of_json": _messages_as_text,
        "usage": _put(
            "historicalSummaryTokenUsage",
            {"promptTokens": 9, "completionTokens": 0, "totalTokens": 9, "costUsd": 0.0, "recordedAt": 1},
        ),
        "unversioned": _put("historicalSummaryVersion", ABSENT),
        "version_of_environment": _put("historicalSummaryVersion", "staging-7"),
        "lone_total": _lone("conversation", "totalInteractionCount", 0),
        "lone_start": _lone("conversation", "conversationStartDate", 1_650_000_000_000),
        "empty_list": _lone("conversation", "recentMessages", []),
    },
}
SPLIT: Final[dict[str, Oddity]] = {
    "equal": _equal_rows,
    "stale_profile": _stale("userProfiles", "deviceType", "fax"),
    "stale_old_profile": _stale("caregiverProfiles", "careRecipientName", "Somebody else"),
    "filling": _filling,
    "two_rows": _two_rows,
    "older_generation": _older_generation,
    "defaults": _defaults,
    "orphan": _orphan,
}
IDENTITY: Final = ("contact", "roles", "row")
"""The slots of an admin, who has no other fields."""
