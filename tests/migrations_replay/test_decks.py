"""The decks system: every schema variant its table had, every oddity of its data, and what becomes of each value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.kinds.deck import INDUSTRIES, KIND
from domain.streams import billing_id, merged_profile_id
from migrations_replay.bundle import Selection
from migrations_replay.facts import NO_TIME
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, UNMAPPED, UNREADABLE
from migrations_replay.systems.deck_columns import COLUMNS, NAMES
from migrations_replay.systems.decks import SYSTEM
from tests.support.legacy import MemorySource, index
from tests.support.legacy_decks import DEMO, OTHER, ROW, UPDATED, USER, Person, account_of, row

STOCK_PROMPT = "You are an expert presentation assistant who turns data into stories."

# --- the final table --------------------------------------------------------------------------------------------------

FINAL: dict[str, Any] = {
    "email": "ada@example.org",
    "full_name": "Ada Lovelace",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "company_name": "Engines",
    "job_title": "Analyst",
    "industry": "Technology",
    "avatar_url": "https://example.org/a.png",
    "subscription_tier": "pro",
    "subscription_plan": "professional",
    "subscription_status": "active",
    "stripe_customer_id": "cus_1",
    "stripe_subscription_id": "sub_1",
    "onboarding_completed": False,
    "brand_colors": {"primary": "#111", "secondary": ["#222", "#333"], "accent": "#444"},
    "bio": "Notes",
    "phone": "+41 44 000 00 00",
    "target_audience": "Engineers",
    "business_context": "Looms",
    "master_system_prompt": STOCK_PROMPT,
    "logo_url": "https://example.org/l.png",
    "profile_picture_url": "https://example.org/p.png",
    "key_metrics": ["MRR", "Churn"],
    "preferences": {"theme": "dark"},
    "last_login": "2024-03-31T08:00:00+02:00",
    "login_count": 0,
    "is_active": True,
    "email_verified": False,
    "timezone": "UTC",
    "language": "en",
    "notification_settings": {"email": True, "push": True, "marketing": False},
}


def test_every_column_of_the_final_table_has_a_place_and_comes_back() -> None:
    assert FINAL.keys() == COLUMNS.keys()
    person = Person(row(**FINAL))
    assert set(person.classes().values()) == {MAPPED}
    assert (person.account["email"], person.account["phone"]) == ("ada@example.org", "+41 44 000 00 00")
    assert person.details == {name: FINAL[name] for name, column in COLUMNS.items() if column.home == "details"} | {
        "last_login": "2024-03-31T06:00:00.000000Z"
    }
    assert person.profile == {name: FINAL[name] for name in KIND.fields}
    assert person.billing == {
        "subscription_tier": "pro",
        "subscription_plan": "professional",
        "stripe_customer_id": "cus_1",
        "stripe_subscription_id": "sub_1",
        "status": "active",
    }
    assert person.account["registered_at"] == datetime(2024, 3, 1, 9, tzinfo=UTC)
    history = person.rows["status_history", (billing_id(person.account_id), 2)]
    assert history["active_from"] == datetime.fromisoformat(UPDATED)
    assert (person.findings, person.conflicts, person.unmapped) == ([], {}, {})


def test_a_row_of_nulls_becomes_an_account_with_an_empty_profile_and_no_billing() -> None:
    person = Person(row(**dict.fromkeys(FINAL)))
    assert {value for pointer, value in person.classes().items() if pointer[1:] in FINAL} == {NORMALISED}
    assert (person.details, person.profile, person.billing) == ({}, {}, None)
    assert person.account["active_profile_id"] == merged_profile_id(person.account_id, "deck")


def test_a_row_without_times_says_so() -> None:
    person = Person({"id": ROW, "user_id": USER, "last_login": "2024-01-01T00:00:00Z"})
    assert person.findings == [("created_at", "assumed_time")]
    assert person.account["registered_at"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert Person({"id": ROW}, user=ROW).account["registered_at"] == NO_TIME


# --- schema variants (4.3) --------------------------------------------------------------------------------------------


def test_variant_key_id_is_the_auth_user() -> None:
    person = Person(row(USER, None, bio="x"))
    assert person.account_id == account_of(USER)
    assert person.classes(USER)["/id"] == MAPPED
    assert Person(row(USER, "", bio="x")).classes(USER)["/user_id"] == NORMALISED


def test_variant_key_both_keyings_are_one_person_and_user_id_counts_more() -> None:
    newer, older = row(USER, None, bio="old", job_title="Clerk", updated_at="2026-01-01"), row(bio="new")
    for rows in ((newer, older), (older, newer)):
        person = Person(*rows)
        assert person.profile == {"bio": "new", "job_title": "Clerk"}
        assert person.conflicts == {"bio": (["new", "old"], "new", "row_with_user_id")}
        assert (person.classes()["/bio"], person.classes(USER)["/bio"]) == (MAPPED, CONFLICTING)
        (_, recorded) = person.facts.streams[1].events
        assert getattr(recorded.event, "rule", None) == "row_with_user_id"


def test_of_two_rows_with_one_keying_the_latest_counts_and_then_the_greater_id() -> None:
    early = row(OTHER, bio="early", updated_at="2024-03-02T00:00:00Z")
    assert Person(row(bio="late"), early).conflicts == {"bio": (["late", "early"], "late", "latest_row")}
    assert Person(row("a1", bio="a"), row("a2", bio="b")).profile["bio"] == "b"


def test_a_user_id_nobody_can_read_is_set_aside() -> None:
    found = index(MemorySource(profiles=[row(user={"no": "key"}), row(OTHER, user=[" "])]), SYSTEM)
    assert [record.problem.code for record in found.set_aside()] == ["no_subject", "no_subject"]


@pytest.mark.parametrize(
    ("older", "column", "value"),
    [
        ("name", "full_name", "Ada"),
        ("company", "company_name", "Engines"),
        ("companyName", "company_name", "Engines"),
        ("last_login_at", "last_login", "2024-01-01T00:00:00Z"),
        ("total_logins", "login_count", 7),
        ("tier", "subscription_tier", "free"),
        ("plan", "subscription_plan", "starter"),
        ("keyMetrics", "key_metrics", ["MRR"]),
        ("brandColors", "brand_colors", {"primary": "#111"}),
    ],
)
def test_variant_older_names_lead_to_the_column_of_today(older: str, column: str, value: Any) -> None:
    now, then = Person(row(**{column: value})), Person(row(**{older: value}))
    assert (now.details, now.profile, now.billing) == (then.details, then.profile, then.billing)
    both = Person(row(**{column: value, older: value}))
    assert (both.conflicts, {*both.classes().values()}) == ({}, {MAPPED})


def test_variant_two_columns_that_differ_are_a_conflict_and_the_newest_is_chosen() -> None:
    person = Person(row(company="Old", companyName="Camel", company_name="New", name="A", full_name=" "))
    assert person.profile["company_name"] == "New"
    assert person.conflicts == {"company_name": (["New", "Camel", "Old"], "New", "newest_column")}
    assert person.details["full_name"] == "A"
    assert Person(row(companyName=" New", company_name="New")).classes()["/companyName"] == NORMALISED


def test_variant_pictures_are_columns_of_their_own_also_where_one_was_copied() -> None:
    person = Person(
        row(avatar_url="https://e.org/a", logo_url="https://e.org/a", profile_picture_url="https://e.org/p")
    )
    assert person.profile == {
        "avatar_url": "https://e.org/a",
        "logo_url": "https://e.org/a",
        "profile_picture_url": "https://e.org/p",
    }
    assert person.conflicts == {}


def test_variant_tier_and_plan_are_two_fields() -> None:
    person = Person(row(subscription_tier="enterprise", subscription_plan="starter"))
    assert person.billing == {"subscription_tier": "enterprise", "subscription_plan": "starter", "status": None}
    outside = Person(row(subscription_tier="starter", subscription_plan="free"))
    assert outside.findings == [
        ("subscription_tier", "outside_vocabulary"),
        ("subscription_plan", "outside_vocabulary"),
    ]


@pytest.mark.parametrize("status", ["active", "inactive", "past_due", "unpaid", "cancelled", "free"])
def test_variant_statuses_stay_as_they_are(status: str) -> None:
    person = Person(row(subscription_status=status))
    assert person.billing == {"status": status}
    assert (person.classes()["/subscription_status"], person.findings) == (MAPPED, [])


def test_variant_cancelled_has_one_spelling_and_the_other_is_kept_beside() -> None:
    person = Person(row(subscription_status=" canceled"))
    assert person.billing == {"status": "cancelled"}
    assert person.classes()["/subscription_status"] == NORMALISED
    assert getattr(person.facts.streams[2].events[1].event, "written", None) == "canceled"
    both = Person(row(subscription_status="canceled"), row(USER, None, subscription_status="cancelled"))
    assert both.conflicts == {}
    assert Person(row(subscription_status="on hold")).findings == [("subscription_status", "outside_vocabulary")]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ("", None),
        ("{}", None),
        ('"[]"', None),
        ({"primary": "#1", "secondary": []}, {"primary": "#1"}),
        ('{"primary": "#1", "secondary": ["#2"]}', {"primary": "#1", "secondary": ["#2"]}),
        ('"{\\"primary\\": \\"#1\\"}"', {"primary": "#1"}),
        (["#1", None, "#2"], ["#1", None, "#2"]),
        ('["#1"]', ["#1"]),
        ('{"#1",#2}', ["#1", "#2"]),
    ],
)
def test_variant_brand_colours_are_opened(raw: Any, value: Any) -> None:
    person = Person(row(brand_colors=raw))
    assert person.profile.get("brand_colors") == value
    assert person.findings == []
    if isinstance(raw, str):
        assert person.classes()["/brand_colors"] == NORMALISED


@pytest.mark.parametrize("raw", ["navy and gold", "#111", 5, True, "{", '{"a": 1, "a": 2}', '"navy"'])
def test_variant_brand_colours_in_other_text_are_unreadable(raw: Any) -> None:
    person = Person(row(brand_colors=raw))
    assert (person.classes()["/brand_colors"], person.findings) == (UNREADABLE, [("brand_colors", "unreadable")])


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (None, None),
        ([], None),
        ("[]", None),
        ("{}", None),
        (["MRR", "Churn "], ["MRR", "Churn "]),
        ('["MRR", "", null]', ["MRR"]),
        ('"[\\"MRR\\"]"', ["MRR"]),
        ('{MRR,"Net, new",NULL}', ["MRR", "Net, new"]),
    ],
)
def test_variant_metrics_are_opened(raw: Any, value: Any) -> None:
    person = Person(row(key_metrics=raw))
    assert (person.profile.get("key_metrics"), person.findings) == (value, [])


def test_variant_metrics_that_are_no_texts_are_unreadable() -> None:
    person = Person(row(key_metrics=["MRR", 5, None, {"name": "Churn", "of": None}]))
    assert person.profile["key_metrics"] == ["MRR"]
    assert person.findings == [("key_metrics/1", "unreadable"), ("key_metrics/3", "unreadable")]
    assert person.classes()["/key_metrics/3/of"] == NORMALISED
    for raw in ("revenue", "[1]", "{{a}}", {"0": "MRR"}):
        assert Person(row(key_metrics=raw)).findings == [("key_metrics", "unreadable")]
    assert Person(row(key_metrics=["x"] * 21)).findings == [("key_metrics", "outside_limit")]
    assert len(Person(row(key_metrics=["x"] * 21)).profile["key_metrics"]) == 21


@pytest.mark.parametrize("goals", ["grow", ["grow", "hire"], '["grow"]'])
def test_variant_business_goals_have_no_place(goals: Any) -> None:
    assert {*Person(row(business_goals=goals)).unmapped.values()} == {*([goals] if isinstance(goals, str) else goals)}


def test_variant_industry_and_audience_that_look_like_answers_are_answers() -> None:
    person = Person(row(industry="Technology", target_audience="Business professionals"))
    assert person.profile == {"industry": "Technology", "target_audience": "Business professionals"}
    assert Person(row(industry="", target_audience=None)).profile == {}


def test_variant_columns_without_a_place_are_unmapped() -> None:
    extra = {
        "data_preferences": {"charts": ["bar"]},
        "key_questions": ["why?"],
        "dataset_types": ["csv"],
        "usage_plan": "weekly",
        "presentation_style": "modern",
        "custom_requirements": "none",
        "onboarding_step": 3,
        "presentations_created": 0,
        "user_role": "user",
        "custom": None,
    }
    person = Person(row(**extra))
    assert set(person.unmapped) == {
        *(f"/{name}" for name in extra.keys() - {"data_preferences", "key_questions", "dataset_types", "custom"}),
        "/data_preferences/charts/0",
        "/key_questions/0",
        "/dataset_types/0",
    }


@pytest.mark.parametrize("prompt", [STOCK_PROMPT, "Goals: \nKey questions: \nRequirements: "])
def test_variant_a_stock_or_synthesised_prompt_is_a_value(prompt: str) -> None:
    assert Person(row(master_system_prompt=prompt)).profile["master_system_prompt"] == prompt.strip()


# --- oddities (4.4) ---------------------------------------------------------------------------------------------------


def test_oddity_1_a_table_without_user_id_is_read_by_its_ids() -> None:
    """A repair script dropped the whole table where the column was missing; here nothing is dropped."""
    found = index(MemorySource(profiles=[row(USER, None), row(OTHER, None)]), SYSTEM)
    assert {SYSTEM.derive(bundle).subject for bundle in found} == {account_of(USER), account_of(OTHER)}


def test_oddity_2_the_onboarding_flag_stays_as_it_is() -> None:
    person = Person(row(onboarding_completed=False, job_title="Analyst", key_metrics=["MRR"]))
    assert person.details == {"onboarding_completed": False}


def test_oddity_3_what_onboarding_never_saved_is_not_invented() -> None:
    assert Person(row(dataset_types=[], usage_plan=None, presentation_style="")).unmapped == {}


def test_oddity_4_the_demo_user_and_integer_users_are_users_like_others() -> None:
    demo = Person(row(user=DEMO, bio="demo"), user=DEMO, presentations=[{"id": "p1", "user_id": DEMO}])
    assert demo.profile == {"bio": "demo"}
    numbered = Person(row(7, None, bio="x"), row(OTHER, "7", bio="x"), user="7")
    assert numbered.classes("7")["/id"] == NORMALISED
    assert len(numbered.facts.records) == 2
    assert Person(row(user=42), user="42").classes()["/user_id"] == NORMALISED


@pytest.mark.parametrize(("industry", "known"), [*((name, True) for name in INDUSTRIES), ("Farming", False)])
def test_oddity_5_industries_are_those_of_the_form(industry: str, known: bool) -> None:
    assert Person(row(industry=industry)).findings == ([] if known else [("industry", "outside_vocabulary")])


def test_oddity_6_unverified_and_never_logged_in_are_kept_as_said() -> None:
    person = Person(row(email_verified=False, login_count=0, last_login=None))
    assert person.details == {"email_verified": False, "login_count": 0}


@pytest.mark.parametrize(
    ("names", "agree"),
    [
        ({"full_name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace"}, True),
        ({"full_name": "Ada Lovelace", "first_name": "Ada"}, True),
        ({"full_name": "Ada Lovelace"}, True),
        ({"first_name": "Ada", "last_name": "Lovelace"}, True),
        ({"full_name": "A. King", "first_name": "Ada", "last_name": "Lovelace"}, False),
        ({"full_name": "A. King", "last_name": "Lovelace"}, False),
    ],
)
def test_oddity_7_names_that_disagree_are_all_kept_and_a_finding(names: dict[str, str], agree: bool) -> None:
    person = Person(row(**names))
    assert person.details == names
    assert (person.findings, person.conflicts) == ([] if agree else [("full_name", "disagrees")], {})


def test_oddity_8_the_empty_text_and_null_are_both_unset() -> None:
    person = Person(row(avatar_url="", logo_url=None, bio=" ", company_name=""))
    assert (person.profile, person.findings) == ({}, [])
    assert {person.classes()[f"/{name}"] for name in ("avatar_url", "logo_url", "bio")} == {NORMALISED}


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "raw", "value"),
    [
        ("is_active", "t", True),
        ("is_active", "false", False),
        ("login_count", "12", 12),
        ("login_count", 3.0, 3),
        ("last_login", "2024-01-01 00:00:00+00", "2024-01-01T00:00:00.000000Z"),
        ("last_login", 1704067200000, "2024-01-01T00:00:00.000000Z"),
        ("preferences", '{"theme": "dark", "x": null}', {"theme": "dark"}),
    ],
)
def test_what_a_csv_file_says_as_text_is_read(column: str, raw: Any, value: Any) -> None:
    person = Person(row(**{column: raw}))
    assert (person.details, person.findings) == ({column: value}, [])


@pytest.mark.parametrize(
    ("column", "raw"),
    [
        ("is_active", "yes"),
        ("is_active", 1),
        ("login_count", 1.5),
        ("login_count", True),
        ("login_count", "9999999999999999999"),
        ("last_login", "0000-01-01T00:00:00Z"),
        ("last_login", "2024-01-01"),
        ("preferences", ["dark"]),
        ("email", 5),
        ("bio", ["x"]),
        ("subscription_status", {"is": "active"}),
    ],
)
def test_what_cannot_be_read_stays_raw(column: str, raw: Any) -> None:
    person = Person(row(**{column: raw}))
    assert [code for _, code in person.findings] == ["unreadable"]
    assert UNREADABLE in person.classes().values()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("full_name", "x" * 101),
        ("bio", "x" * 1001),
        ("company_name", "x" * 101),
        ("job_title", "x" * 101),
        ("phone", "1" * 21),
        ("phone", "ada@example.org"),
        ("master_system_prompt", "x" * 2001),
        ("avatar_url", "/a.png"),
        ("login_count", -1),
    ],
)
def test_limits_do_not_bind_what_was_there(column: str, value: Any) -> None:
    person = Person(row(**{column: value}))
    assert person.findings == [(column, "outside_limit")]
    assert person.classes()[f"/{column}"] == MAPPED


def test_an_object_is_chosen_whole_and_compared_in_normal_form() -> None:
    person = Person(
        row(preferences={"a": " x", "b": {"c": [1]}, "d": None}),
        row(USER, None, preferences={"a": "x", "b": {"c": [1.0]}}, notification_settings={"email": True}),
    )
    assert person.conflicts == {}
    assert person.details == {
        "preferences": {"a": " x", "b": {"c": [1]}},
        "notification_settings": {"email": True},
    }
    assert person.classes(USER)["/preferences/a"] == NORMALISED
    other = Person(row(preferences={"a": 1}), row(USER, None, preferences={"a": 2, "b": 3}))
    assert other.classes(USER)["/preferences/b"] == CONFLICTING


# --- what belongs to a person -----------------------------------------------------------------------------------------


def test_what_has_no_home_is_recorded_as_theirs() -> None:
    person = Person(
        row(),
        presentations=[{"id": "p1", "user_id": USER, "title": "Q1", "data": {"slides": []}}],
        leads=[{"id": "l1", "user_id": OTHER, "email": "lead@example.org", "status": "qualified"}],
        user_events=[{"id": 1, "event_type": "profile_updated"}],
        users=[{"id": OTHER, "email": "auth@example.org"}],
        _odd=[{"id": "x", "user_id": {"no": "key"}}],
    )
    facts = {bundle.root.table: SYSTEM.derive(bundle) for bundle in person.bundles}
    assert facts["presentations"].subject == account_of(USER)
    assert facts["users"].subject == facts["leads"].subject == account_of(OTHER)
    assert (facts["user_events"].subject, facts["_odd"].subject) == (None, None)
    classes = {
        value
        for name in facts
        if name != "profiles"
        for record in facts[name].records.values()
        for value in record.classes.values()
    }
    assert classes == {UNMAPPED, NORMALISED}
    assert [found["code"] for found in facts["leads"].findings] == ["dangling_reference"]
    assert facts["presentations"].findings == []


def test_a_row_that_was_set_aside_is_its_persons_all_the_same() -> None:
    found = index(
        MemorySource(profiles=[row(bio="a"), row(bio="b"), row(OTHER, None), row(OTHER, None, bio="c")]), SYSTEM
    )
    people = [SYSTEM.subject_of(aside.person) for aside in found.set_aside() if aside.person]
    assert people == [account_of(USER), account_of(OTHER)]


def test_the_ids_of_what_is_imported_never_change() -> None:
    """Ids are made from the legacy keys alone: these stand in databases."""
    assert str(account_of(USER)) == "34f77787-e9fd-5182-9ffe-1410ab7a878c"
    assert SYSTEM.mapping_version == 1


def test_every_name_a_column_ever_had_is_its_own() -> None:
    names = [name for names in NAMES.values() for name in names]
    assert len(names) == len({*names})


def test_selected_roots_are_found_by_row_and_by_user() -> None:
    found = index(MemorySource(profiles=[row(), row(OTHER, None)]), SYSTEM)
    assert len(Selection(found)) == 2
    by_row, by_user = found.find("profiles", ROW), found.find("profiles", USER)
    assert by_row is not None
    assert by_row == by_user
    assert {USER, OTHER, ROW} == {*found.keys("profiles")}
