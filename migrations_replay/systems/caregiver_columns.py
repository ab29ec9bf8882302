"""What the columns of the caregivers system become: legacy name → target and reader, group by group.

The rules are those of `docs/legacy/caregivers.md`; G-numbers refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from domain.account import CONTACT_FIELDS
from domain.account_details import ACCOUNT_DETAILS
from domain.billing import BILLING_FIELDS, OTHER_SPELLINGS, Subscription
from domain.conversation import MessageRole
from domain.kinds.caregiver import KIND
from domain.values import is_unset
from domain.vocabulary import FieldShape, instant, integer, number, text
from migrations_replay import convert
from migrations_replay.bundle import LegacyRecord
from migrations_replay.convert import Unreadable
from migrations_replay.facts import pointer_to
from migrations_replay.fields import Columns, Field
from migrations_replay.reading import Anything, Many, One, Parts, Reader, Reading, opened

# Values of older generations, and what they are tied to today (G12).
ZONE_ALIASES: Final = {
    "emotional_exhaustion": "emotional_wellbeing",
    "physical_exhaustion": "physical_health",
    "social_isolation": "social_support",
    "financial_strain": "financial_concerns",
    "caregiving_tasks": "time_management",
}
_SHAPES: Final = KIND.fields
_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "number": convert.decimal_number,
    "integer": convert.whole_number,
    "instant": convert.ms_instant_text,
}


def _one(shape: FieldShape, older: Mapping[str, str] | None = None) -> One:
    """Return the reader of a single value of a shape, with the converters of this system (G8, G9)."""
    return One(shape, older or {}, _CONVERT.get(shape.shape))


@dataclass(frozen=True)
class Map:
    """An object whose keys are data: `each` reads their values, `known` says what older keys are called today.

    A key outside `offered` is kept, and said to be. Where nulls are `apart` from absent keys they are kept.
    """

    each: Reader
    known: Mapping[str, str]
    offered: frozenset[str] = frozenset()
    apart: bool = False

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the object."""
        return opened(record, pointer, raw, dict, self._read)

    def _read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        # The current name of a key first: of two that mean one it is chosen.
        names = sorted(raw, key=lambda name: name in self.known)
        parts = Parts({name: (self.known.get(name, name), self.each) for name in names})
        found = parts.read(record, pointer, raw)
        older = {pointer + pointer_to(name) for name in raw if name in self.known}
        kept = tuple(leaf._replace(same=leaf.same and leaf.pointer not in older) for leaf in found.leaves)
        found = found._replace(leaves=kept)
        if self.apart and (nulls := {self.known.get(name, name): None for name in names if raw[name] is None}):
            found = found._replace(value=nulls | (found.value or {}))
        outside = tuple(
            (pointer + pointer_to(name), "outside_vocabulary", name)
            for name in raw
            if self.offered and self.known.get(name, name) not in self.offered
        )
        return found._replace(findings=(*found.findings, *outside))


_OPENED: Final[tuple[type[list[Any] | dict[str, Any]], ...]] = (dict, list)


class Metadata:
    """The metadata of the app state: a text that holds JSON is opened, any other stays, as all else does (G10)."""

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the metadata."""
        if not isinstance(raw, str) or is_unset(raw):
            return Anything().read(record, pointer, raw)
        for wanted in _OPENED:
            with suppress(Unreadable):
                convert.opened(raw, wanted)
                return Anything(wanted).read(record, pointer, raw)
        return One().read(record, pointer, raw)


APP_STATE: Final = "appState"
STATE_NAMES: Final = {"lastActivity": "last_activity", "sessionCount": "session_count", "metadata": "metadata"}


class AppState:
    """The app state: three known keys, and whatever its first, free form held, under `other` (G10)."""

    _READERS: Final[Mapping[str, Reader]] = {
        "last_activity": _one(instant()),
        "session_count": _one(integer(0)),
        "metadata": Metadata(),
    }

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the state."""
        return opened(record, pointer, raw, dict, self._read)

    def _read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        names = {legacy: (ours, self._READERS[ours]) for legacy, ours in STATE_NAMES.items()}
        known = {name: raw[name] for name in names if name in raw}
        other = {name: (name, Anything()) for name in raw if name not in names}
        found = Parts(names).read(record, pointer, known) if known else Reading()
        free = Parts(other).read(record, pointer, {name: raw[name] for name in other}) if other else Reading()
        value = (found.value or {}) | ({"other": free.value} if free.value else {})
        return Reading(value or None, (*found.leaves, *free.below("other"))).beside(found, free)


def _plain(names: Mapping[str, str], shapes: Mapping[str, FieldShape], upper: str = "") -> dict[str, Field]:
    return {name: Field(f"{upper}{target}", _one(shapes[target])) for name, target in names.items()}


# --- identity (G14) ---------------------------------------------------------------------------------------------------

_DETAILS: Final = {
    "phoneNumber": "sms_phone",
    "image": "image",
    "emailVerificationTime": "email_verified_at",
    "phoneVerificationTime": "phone_verified_at",
    "isAnonymous": "is_anonymous",
}
OF_ACCOUNT: Final[Columns] = {
    **{name: Field(name, _one(text())) for name in CONTACT_FIELDS},
    **_plain(_DETAILS, ACCOUNT_DETAILS, "details/"),
}

# --- the profile (G11–G13) --------------------------------------------------------------------------------------------

_PROFILE_NAMES: Final = {
    "firstName": "first_name",
    "relationship": "relationship",
    "careRecipientName": "care_recipient_name",
    "zipCode": "zip_code",
    "languagePreference": "language_preference",
    "journeyPhase": "journey_phase",
    "burnoutScore": "burnout_score",
    "burnoutBand": "burnout_band",
    "burnoutConfidence": "burnout_confidence",
    "lastContactAt": "last_contact_at",
    "lastProactiveMessageAt": "last_proactive_message_at",
    "lastCrisisEventAt": "last_crisis_event_at",
    "crisisFollowupCount": "crisis_followup_count",
    "reactivationMessageCount": "reactivation_message_count",
    "onboardingCooldownUntil": "onboarding_cooldown_until",
    "assessmentInProgress": "assessment_in_progress",
    "assessmentType": "assessment_type",
    "assessmentCurrentQuestion": "assessment_current_question",
    "assessmentSessionId": "assessment_session_id",
    "rcsCapable": "rcs_capable",
    "deviceType": "device_type",
    "consentAt": "consent_at",
}
ZONES: Final = _SHAPES["pressure_zones"].offered
OF_PROFILE: Final[Columns] = {
    **_plain(_PROFILE_NAMES, _SHAPES),
    "pressureZones": Field("pressure_zones", Many(One(text(*ZONES), ZONE_ALIASES), distinct=True)),
    "pressureZoneScores": Field("pressure_zone_scores", Map(_one(number(0, 100)), ZONE_ALIASES, ZONES, apart=True)),
    "onboardingAttempts": Field("onboarding_attempts", Map(_one(integer(0)), {})),
    APP_STATE: Field("app_state", AppState()),
}
NULL_APART: Final = (
    *("burnoutScore", "burnoutBand", "burnoutConfidence", "pressureZones", "pressureZoneScores"),
    *("assessmentInProgress", "assessmentType", "assessmentCurrentQuestion", "assessmentSessionId"),
)
"""Columns whose null says something that their absence does not (G11)."""

# --- billing (G16) ----------------------------------------------------------------------------------------------------

_BILLING_NAMES: Final = {
    "stripeCustomerId": "stripe_customer_id",
    "stripeSubscriptionId": "stripe_subscription_id",
    "canceledAt": "cancelled_at",
    "trialEndsAt": "trial_ends_at",
}
STATUS_COLUMN: Final = "subscriptionStatus"
OF_BILLING: Final[Columns] = {
    **_plain(_BILLING_NAMES, BILLING_FIELDS, "fields/"),
    STATUS_COLUMN: Field("status", _one(text(*Subscription), OTHER_SPELLINGS)),
}

# --- the conversation (G15) -------------------------------------------------------------------------------------------

_USAGE: Final[Mapping[str, tuple[str, Reader]]] = {
    "promptTokens": ("prompt_tokens", _one(integer(0))),
    "completionTokens": ("completion_tokens", _one(integer(0))),
    "totalTokens": ("total_tokens", _one(integer(0))),
    "costUsd": ("cost_usd", _one(number(0))),
    "recordedAt": ("recorded_at", _one(instant())),
}
_MESSAGE: Final[Mapping[str, tuple[str, Reader]]] = {
    "role": ("role", _one(text(*MessageRole))),
    "content": ("content", _one(text())),
    "timestamp": ("sent_at", One(instant(), {}, convert.ms_instant)),
}
MESSAGE_FIELDS: Final = tuple(target for target, _ in _MESSAGE.values())
SUMMARY_FIELDS: Final = ("summary", "summary_version", "token_usage")
OF_CONVERSATION: Final[Columns] = {
    "historicalSummary": Field("summary", _one(text())),
    "historicalSummaryVersion": Field("summary_version", _one(text())),
    "historicalSummaryTokenUsage": Field("token_usage", Parts(_USAGE)),
    "conversationStartDate": Field("began_at", One(instant(), {}, convert.ms_instant)),
    "totalInteractionCount": Field("interaction_count", _one(integer(0))),
    "recentMessages": Field("messages", Many(Parts(_MESSAGE))),
}
