"""What becomes of the rows of the caregivers system: `docs/legacy/caregivers.md` rule by rule, oddity by oddity."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.billing import Subscription
from domain.kinds.caregiver import BANDS, KIND, band_of
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, UNMAPPED, UNREADABLE
from migrations_replay.systems.caregivers import SYSTEM
from tests.support.legacy import MemorySource, index
from tests.support.legacy_caregivers import CREATED, UPDATED, Caregiver, split, user


def at(ms: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def text_at(ms: float) -> str:
    return f"{at(ms).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


# --- the groups (G7, G14) ---------------------------------------------------------------------------------------------


def test_g14_an_admin_has_an_account_and_nothing_else() -> None:
    columns = {"email": "a@x.org", "phone": "+1", "image": "i.png", "isAnonymous": False, "roles": ["admin", "nurse"]}
    found = Caregiver(user(name=" Ada ", emailVerificationTime=CREATED, **columns))
    assert [found.account[name] for name in ("email", "phone", "name")] == ["a@x.org", "+1", "Ada"]
    assert found.account["details"] == {
        "image": "i.png",
        "email_verified_at": text_at(CREATED),
        "is_anonymous": False,
        "other_roles": ["nurse"],
    }
    assert (found.account["roles"], found.account["registered_at"]) == (["admin"], at(CREATED))
    assert (found.profile, found.conversation, found.billing) == (None, {}, {})
    assert found.findings == [("roles", "outside_vocabulary")]


@pytest.mark.parametrize(
    ("column", "value", "group"),
    [
        ("stripeSubscriptionId", "sub_1", "billing"),
        ("canceledAt", CREATED, "billing"),
        ("trialEndsAt", CREATED, "billing"),
        ("subscriptionStatus", "none", "billing"),
        ("totalInteractionCount", 0, "conversation"),
        ("conversationStartDate", CREATED, "conversation"),
        ("historicalSummaryVersion", "batch-v1", "conversation"),
        ("historicalSummaryTokenUsage", {"totalTokens": 0}, "conversation"),
        ("recentMessages", [{"role": "user"}], "conversation"),
        ("assessmentCurrentQuestion", 0, "profile"),
        ("rcsCapable", False, "profile"),
    ],
)
def test_g7_a_lone_field_is_enough_for_its_group(column: str, value: Any, group: str) -> None:
    found = Caregiver(user(**{column: value}))
    assert [name for name in ("profile", "conversation", "billing") if getattr(found, name)] == [group]
    unset = Caregiver(user(**{column: {} if isinstance(value, dict) else "" if isinstance(value, str) else []}))
    assert not any((unset.profile, unset.conversation, unset.billing))


# --- converters (G8–G10) ----------------------------------------------------------------------------------------------


def test_g8_g9_numbers_and_times_are_read_from_the_texts_an_export_made_of_them() -> None:
    found = Caregiver(
        user(
            burnoutScore="72.5",
            burnoutConfidence=0.0,
            crisisFollowupCount="2",
            lastContactAt=CREATED + 0.125,
            consentAt=f"{CREATED}.5",
            onboardingCooldownUntil="NaN",
            lastCrisisEventAt="2023-11-14T22:13:20Z",
        )
    )
    assert found.profile == {
        "burnout_score": 72.5,
        "burnout_confidence": 0.0,
        "crisis_followup_count": 2,
        "last_contact_at": text_at(CREATED + 0.125),
        "consent_at": text_at(CREATED + 0.5),
        "last_crisis_event_at": text_at(CREATED),
    }
    classes = found.classes()
    assert (classes["/burnoutScore"], classes["/burnoutConfidence"]) == (NORMALISED, MAPPED)
    assert (classes["/consentAt"], classes["/onboardingCooldownUntil"]) == (MAPPED, UNREADABLE)


def test_g10_the_app_state_is_taken_apart_and_what_its_free_form_held_stays() -> None:
    state = {"lastActivity": CREATED, "sessionCount": 0, "metadata": '{"a": [1, null]}', "theme": {"dark": True}}
    found = Caregiver(user(appState=state))
    assert found.profile == {
        "app_state": {
            "last_activity": text_at(CREATED),
            "session_count": 0,
            "metadata": {"a": [1, None]},
            "other": {"theme": {"dark": True}},
        }
    }
    assert found.classes()["/appState/metadata"] == NORMALISED
    as_text = Caregiver(user(appState=json.dumps(state)))
    assert as_text.profile == found.profile
    assert as_text.classes()["/appState"] == NORMALISED
    plain = Caregiver(user(appState={"metadata": "not { JSON"}))
    assert plain.profile == {"app_state": {"metadata": "not { JSON"}}
    assert plain.classes()["/appState/metadata"] == MAPPED
    assert Caregiver(user(appState=[1])).findings == [("appState", "unreadable")]


# --- vocabularies (G12) -----------------------------------------------------------------------------------------------


def test_g12_aliases_of_zones_are_the_zones_of_today() -> None:
    zones = ["emotional_exhaustion", "physical_exhaustion", "financial_strain", "social_isolation", "caregiving_tasks"]
    found = Caregiver(user(pressureZones=zones, pressureZoneScores=dict.fromkeys(zones, 10)))
    today = ["emotional_wellbeing", "physical_health", "financial_concerns", "social_support", "time_management"]
    assert found.profile == {"pressure_zones": today, "pressure_zone_scores": dict.fromkeys(today, 10)}
    assert {found.classes()[f"/pressureZones/{index}"] for index in range(5)} == {NORMALISED}
    assert not found.findings
    both = Caregiver(user(pressureZoneScores={"social_isolation": 1, "social_support": 2}))
    assert both.profile == {"pressure_zone_scores": {"social_support": 2}}
    assert both.classes()["/pressureZoneScores/social_isolation"] == CONFLICTING
    assert list(both.conflicts) == ["pressureZoneScores/social_isolation"]


@pytest.mark.parametrize(
    ("columns", "findings"),
    [
        ({"burnoutScore": 72, "burnoutBand": "healthy"}, [("burnoutBand", "outside_vocabulary")]),
        ({"pressureZones": ["cognitive"]}, [("pressureZones/0", "outside_vocabulary")]),
        ({"pressureZoneScores": {"planning": 3}}, [("pressureZoneScores/planning", "outside_vocabulary")]),
        ({"journeyPhase": "recovery"}, []),
        ({"journeyPhase": "Active"}, [("journeyPhase", "outside_vocabulary")]),
        ({"assessmentType": "phq9"}, [("assessmentType", "outside_vocabulary")]),
        ({"subscriptionStatus": "inactive"}, []),
        ({"subscriptionStatus": "gold"}, [("subscriptionStatus", "outside_vocabulary")]),
        ({"burnoutScore": 101}, [("burnoutScore", "outside_limit")]),
        ({"burnoutConfidence": 1.5}, [("burnoutConfidence", "outside_limit")]),
        ({"reactivationMessageCount": 4}, [("reactivationMessageCount", "outside_limit")]),
        ({"recentMessages": [{"role": "tool"}]}, [("recentMessages/0/role", "outside_vocabulary")]),
        ({"onboardingAttempts": {"ema": 2, "first_name": 0}}, []),
        ({"historicalSummaryVersion": "anything"}, []),
        ({"zipCode": "no zip"}, []),
    ],
)
def test_g12_a_value_outside_is_kept_and_reported(columns: dict[str, Any], findings: list[tuple[str, str]]) -> None:
    found = Caregiver(user(**columns))
    assert found.findings == findings
    assert {found.classes()[pointer] for pointer in found.classes() if pointer[1:].split("/")[0] in columns} == {MAPPED}


def test_the_bands_are_those_of_the_scores() -> None:
    assert [band_of(score) for score in (0, 19.9, 20, 40, 60, 79.9, 80, 100)] == [
        *("crisis", "crisis", "high", "moderate", "mild", "mild", "thriving", "thriving")
    ]
    assert (band_of(-1), band_of(100.1)) == (None, None)
    assert KIND.fields["burnout_band"].offered == set(BANDS)
    complete = {"first_name": "A", "relationship": "son", "care_recipient_name": "B", "zip_code": "00501"}
    assert KIND.completeness(complete).score == 100
    assert KIND.completeness({}).missing == tuple(complete)


# --- the conversation and billing (G15, G16) --------------------------------------------------------------------------


def test_g15_messages_are_rows_and_a_summary_says_what_it_took() -> None:
    usage = {"promptTokens": 9, "completionTokens": 0, "totalTokens": 9.0, "costUsd": 0.0, "recordedAt": UPDATED}
    found = Caregiver(
        user(
            recentMessages=[{"role": "user", "content": " hi ", "timestamp": CREATED + 0.5}, {}, {"content": "yes?"}],
            historicalSummary="tired",
            historicalSummaryTokenUsage=usage,
            totalInteractionCount=0,
            conversationStartDate=CREATED - 1,
        )
    )
    assert found.messages == [(2, "user", "hi", at(CREATED + 0.5)), (3, None, "yes?", None)]
    talk = found.conversation
    assert (talk["summary"], talk["summary_version"], talk["interaction_count"]) == ("tired", None, 0)
    assert (talk["began_at"], talk["message_count"]) == (at(CREATED - 1), 2)
    assert talk["token_usage"] == {
        "prompt_tokens": 9,
        "completion_tokens": 0,
        "total_tokens": 9,
        "cost_usd": 0.0,
        "recorded_at": text_at(UPDATED),
    }


def test_g16_every_status_of_the_table_is_kept_in_one_spelling() -> None:
    for written in [*Subscription, "canceled"]:
        found = Caregiver(user(subscriptionStatus=str(written), stripeCustomerId="cus"))
        one = "cancelled" if written == "canceled" else str(written)
        assert (found.billing["status"], found.status["status"], found.status["active_from"]) == (one, one, at(UPDATED))
        assert found.status["carried"] == ({"written": "canceled"} if written == "canceled" else {})
        assert found.status["owner_kind"] == "subscription"


# --- the oddities, by their number ------------------------------------------------------------------------------------


def test_oddity_1_stale_copies_in_retired_tables_stand_beside_the_user() -> None:
    found = Caregiver(
        user(firstName="Ada", stripeCustomerId="cus_1", historicalSummary="new"),
        userProfiles=[
            split(firstName="Ada ", relationship="son"),
            split("r2", relationship="wife", updatedAt=UPDATED + 1),
        ],
        caregiverProfiles=[split(firstName="Bea", zipCode="00501", relationship="aunt")],
        subscriptions=[split(stripeCustomerId="cus_2", subscriptionStatus="active")],
        conversationState=[split(historicalSummary="old")],
    )
    assert found.profile == {"first_name": "Ada", "relationship": "wife", "zip_code": "00501"}
    assert found.conflicts == {
        "first_name": (["Ada", "Bea"], "Ada", "users_first"),
        "relationship": (["wife", "son", "aunt"], "wife", "latest_row"),
        "summary": (["new", "old"], "new", "users_first"),
        "fields/stripe_customer_id": (["cus_1", "cus_2"], "cus_1", "users_first"),
    }
    assert found.classes("userProfiles", "r1")["/firstName"] == NORMALISED
    assert found.classes("userProfiles", "r2")["/relationship"] == MAPPED
    assert found.classes("caregiverProfiles", "r1")["/firstName"] == CONFLICTING
    assert (found.billing["status"], found.conversation["summary"]) == ("active", "new")
    topics = [event.event.topic for stream in found.facts.streams for event in stream.events]
    assert topics.count("profile.conflict_recorded") == 2


def test_oddity_1_a_row_without_a_user_is_nobodys() -> None:
    source = MemorySource(users=[user()], userProfiles=[split(userId="gone", firstName="Ada")])
    assert [aside.problem.code for aside in index(source, SYSTEM).set_aside()] == ["no_subject"]


def test_oddity_2_leftovers_and_columns_of_any_type_are_kept() -> None:
    found = Caregiver(user(isTestUser=True, firstName={"any": 1}, crisisFollowupCount=[1], journeyPhase=7))
    assert found.unmapped == {"/isTestUser": True}
    assert found.classes()["/isTestUser"] == UNMAPPED
    assert sorted(found.findings) == [
        ("crisisFollowupCount", "unreadable"),
        ("firstName", "unreadable"),
        ("journeyPhase", "unreadable"),
    ]
    assert found.profile is None


def test_oddity_3_phone_and_phone_number_are_two_contacts() -> None:
    found = Caregiver(user(phone="+1", phoneNumber="+2"))
    assert (found.account["phone"], found.account["details"]["sms_phone"]) == ("+1", "+2")
    assert not found.conflicts
    assert {found.classes()[name] for name in ("/phone", "/phoneNumber")} == {MAPPED}


def test_oddity_4_a_cooldown_that_became_nan_is_unreadable_and_stays_unset() -> None:
    found = Caregiver(user(onboardingCooldownUntil="NaN", consentAt=str(CREATED)))
    assert found.profile == {"consent_at": text_at(CREATED)}
    assert found.findings == [("onboardingCooldownUntil", "unreadable")]


def test_oddity_5_and_7_zero_null_and_absent_stay_apart() -> None:
    zero = Caregiver(user(burnoutScore=0, burnoutConfidence=0, assessmentCurrentQuestion=0, assessmentInProgress=False))
    assert zero.profile == {
        "burnout_score": 0,
        "burnout_confidence": 0,
        "assessment_current_question": 0,
        "assessment_in_progress": False,
    }
    null = Caregiver(user(burnoutScore=None, assessmentType=None, pressureZoneScores={"time_management": None}))
    assert null.profile == {
        "null_fields": ["burnout_score", "assessment_type"],
        "pressure_zone_scores": {"time_management": None},
    }
    assert Caregiver(user(firstName=None)).profile is None
    filled = Caregiver(user(burnoutScore=None), userProfiles=[split(burnoutScore=3)])
    assert filled.profile == {"burnout_score": 3}


def test_oddity_6_a_score_and_a_band_that_disagree_are_a_finding() -> None:
    found = Caregiver(user(burnoutScore=72, burnoutBand="moderate"))
    assert found.profile == {"burnout_score": 72, "burnout_band": "moderate"}
    assert found.findings == [("burnoutBand", "disagrees")]
    beside = Caregiver(user(burnoutScore=72), userProfiles=[split(burnoutBand="moderate")])
    assert [(entry["table"], entry["code"]) for entry in beside.facts.findings] == [("userProfiles", "disagrees")]


def test_oddity_7_assessments_and_jobs_are_recorded_with_their_leaves_unmapped() -> None:
    source = MemorySource(
        users=[user(assessmentSessionId="a1")],
        assessments=[{"_id": "a1", "userId": "u1", "overallScore": None, "domain": {"sleep": 0}}],
        jobs=[{"_id": "j1", "key": "twilio:1", "status": "processing"}],
    )
    facts = {bundle.root.table: SYSTEM.derive(bundle) for bundle in index(source, SYSTEM)}
    assert facts["users"].findings == []
    (assessment,) = facts["assessments"].records.values()
    assert assessment.classes["/domain/sleep"] == UNMAPPED
    assert facts["jobs"].streams == []
    dangling = Caregiver(user(assessmentSessionId="a9"), assessments=[{"_id": "a1"}])
    assert dangling.findings == [("assessmentSessionId", "dangling_reference")]
    assert Caregiver(user(assessmentSessionId="a9")).findings == []  # what the export does not have cannot be checked


@pytest.mark.parametrize(
    ("columns", "since"),
    [
        ({"canceledAt": CREATED + 5}, CREATED + 5),
        ({"canceledAt": UPDATED + 10**9}, UPDATED),
        ({}, UPDATED),
        ({"canceledAt": "NaN"}, UPDATED),
    ],
)
def test_oddity_8_cancelled_in_the_future_or_at_no_time(columns: dict[str, Any], since: int) -> None:
    found = Caregiver(user(subscriptionStatus="canceled", **columns))
    assert (found.billing["status"], found.status["active_from"]) == ("cancelled", at(since))
    kept = columns.get("canceledAt")
    assert found.billing["fields"] == ({"cancelled_at": text_at(kept)} if isinstance(kept, int) else {})


def test_oddity_9_messages_have_no_cap() -> None:
    said = [{"role": "user", "content": str(number), "timestamp": CREATED + number} for number in range(300)]
    assert len(Caregiver(user(recentMessages=said)).messages) == 300
