"""The caregiver profile: who cares for whom, how they bear it, and where an SMS conversation with them stands."""

from __future__ import annotations

from typing import Final

from domain.kinds.kind import Kind
from domain.vocabulary import flag, instant, integer, json_object, number, structure, text, texts

# From which score on a caregiver is in a band; a higher score is a healthier one.
BANDS: Final = {"crisis": 0, "high": 20, "moderate": 40, "mild": 60, "thriving": 80}
BEST_SCORE: Final = 100
ZONES: Final = ("emotional_wellbeing", "physical_health", "social_support", "financial_concerns", "time_management")
ASSESSMENTS: Final = ("ema", "cwbs", "reach_ii", "sdoh")

KIND: Final = Kind(
    name="caregiver",
    fields={
        "first_name": text(),
        "relationship": text(),
        "care_recipient_name": text(),
        "zip_code": text(),
        "language_preference": text(),
        "journey_phase": text("onboarding", "active", "maintenance", "crisis", "churned", "recovery"),
        # burnout
        "burnout_score": number(0, BEST_SCORE),
        "burnout_band": text(*BANDS),
        "burnout_confidence": number(0, 1),
        "pressure_zones": texts(*ZONES),
        "pressure_zone_scores": structure(dict.fromkeys(ZONES, number(0, BEST_SCORE))),
        # activity
        "last_contact_at": instant(),
        "last_proactive_message_at": instant(),
        "last_crisis_event_at": instant(),
        "crisis_followup_count": integer(0),
        "reactivation_message_count": integer(0, 3),
        # onboarding and assessment
        "onboarding_attempts": json_object(),
        "onboarding_cooldown_until": instant(),
        "assessment_in_progress": flag(),
        "assessment_type": text(*ASSESSMENTS),
        "assessment_current_question": integer(0),
        "assessment_session_id": text(),
        # device, consent, state of the app
        "rcs_capable": flag(),
        "device_type": text(),
        "consent_at": instant(),
        "app_state": json_object(),
        # The burnout and assessment fields an import found to be null: said to be unknown, which absent ones are not.
        "null_fields": texts(),
    },
    required=("first_name", "relationship", "care_recipient_name", "zip_code"),
    searchable=("first_name", "relationship", "care_recipient_name", "zip_code", "journey_phase", "burnout_band"),
)


def band_of(score: float) -> str | None:
    """Return the band a burnout score lies in, None for one that is no score."""
    if not 0 <= score <= BEST_SCORE:
        return None
    return next(band for band, least in reversed(BANDS.items()) if score >= least)
