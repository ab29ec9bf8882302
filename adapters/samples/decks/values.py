"""Oddities of the values in a row, by the columns they are about."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from adapters.samples.decks.people import STOCK_PROMPT, Oddity, Person
from adapters.samples.truth import ABSENT, CONFLICTING, MAPPED, NORMALISED, UNREADABLE, Put, number


def puts(values: Mapping[str, Put]) -> dict[str, Oddity]:
    """Bind values to the row of a person."""

    def apply(put: Put, person: Person) -> None:
        put.on(person.row)

    return {name: partial(apply, put) for name, put in values.items()}


def _renamed(now: str, then: str, person: Person) -> None:
    """Move a value to the column's older name."""
    value = person.row.get(f"/{now}")
    person.row.put(f"/{now}", ABSENT)
    person.row.put(f"/{then}", value)


def _also(names: tuple[str, ...], value: object, person: Person) -> None:
    """Write another value under older names beside the one of today."""
    for name in names:
        person.row.put(f"/{name}", value, CONFLICTING)
    person.row.conflicts += 1


def _other_tier(tier: object) -> str:
    return "pro" if tier == "free" else "free"


def _same(now: str, then: str, person: Person) -> None:
    person.row.put(f"/{then}", person.row.get(f"/{now}"))


def _limits(at: str, most: int) -> dict[str, Put]:
    return {
        f"{at[1:]}_at_limit": Put(at, "x" * most),
        f"{at[1:]}_beyond_limit": Put(at, "x" * (most + 1), None, "outside_limit"),
    }


NAMES: Final[dict[str, Oddity]] = puts(
    {
        "full_name_disagrees": Put("/full_name", "Somebody Else", None, "disagrees"),
        "full_name_long": Put("/full_name", "x" * 101, None, "outside_limit disagrees"),
        "full_name_outer_blanks": Put("/full_name", lambda old: f" {old}\n", NORMALISED),
        "full_name_number": Put("/full_name", 7, UNREADABLE, "unreadable"),
        "full_name_null": Put("/full_name", None),
        "first_name_blank": Put("/first_name", " "),
    }
) | {
    "name_instead": partial(_renamed, "full_name", "name"),
    "name_differs": partial(_also, ("name",), "Another Name"),
    "name_same": partial(_same, "full_name", "name"),
}
COMPANY: Final[dict[str, Oddity]] = puts(_limits("/company_name", 100)) | {
    "company_instead": partial(_renamed, "company_name", "company"),
    "camel_case_instead": partial(_renamed, "company_name", "companyName"),
    "company_differs": partial(_also, ("company",), "Old & Co"),
    "three_columns_differ": partial(_also, ("company", "companyName"), "Old & Co"),
    "company_same": partial(_same, "company_name", "company"),
}
JOB: Final[dict[str, Oddity]] = puts(
    _limits("/job_title", 100) | {"list": Put("/job_title", ["CEO", ""], UNREADABLE, "unreadable")}
) | {
    "camel_case_instead": partial(_renamed, "job_title", "jobTitle"),
}
PICTURES: Final = puts(
    {
        "copied_into_logo": Put("/logo_url", "https://cdn.example.org/avatar.png"),
        "empty": Put("/logo_url", ""),
        "relative": Put("/logo_url", "/logo.png", None, "outside_limit"),
        "no_url": Put("/profile_picture_url", "my picture", None, "outside_limit"),
        "null": Put("/avatar_url", None),
        "absent": Put("/avatar_url", ABSENT),
    }
)
LOGIN: Final[dict[str, Oddity]] = puts(
    {
        "never_and_zero": Put("/login_count", 0),
        "count_as_text": Put("/login_count", "12", NORMALISED),
        "count_with_point": Put("/login_count", 12.0),
        "count_negative": Put("/login_count", -1, None, "outside_limit"),
        "count_half": Put("/login_count", 1.5, UNREADABLE, "unreadable"),
        "count_far": Put("/login_count", number("1e400"), UNREADABLE, "unreadable"),
        "last_null": Put("/last_login", None),
        "last_bare_date": Put("/last_login", "2024-01-01", UNREADABLE, "unreadable"),
        "last_year_0": Put("/last_login", "0000-01-01T00:00:00Z", UNREADABLE, "unreadable"),
        "last_as_number": Put("/last_login", 1704067200000.5),
    }
) | {
    "older_count": partial(_renamed, "login_count", "total_logins"),
    "older_time": partial(_renamed, "last_login", "last_login_at"),
    "count_differs": partial(_also, ("total_logins",), 1234),
}
TIER: Final[dict[str, Oddity]] = puts(
    {
        "tier_of_a_plan": Put("/subscription_tier", "professional", None, "outside_vocabulary"),
        "tier_null": Put("/subscription_tier", None),
        "plan": Put("/subscription_plan", "starter"),
        "plan_outside": Put("/subscription_plan", "free", None, "outside_vocabulary"),
        "tier_outer_blanks": Put("/subscription_tier", " pro", NORMALISED),
    }
) | {
    "tier_instead": partial(_renamed, "subscription_tier", "tier"),
    "tier_differs": lambda person: _also(("tier",), _other_tier(person.row.get("/subscription_tier")), person),
    "older_plan": lambda person: person.row.put("/plan", "enterprise"),
}
STATUS: Final = puts(
    {
        "canceled": Put("/subscription_status", "canceled", NORMALISED),
        "cancelled": Put("/subscription_status", "cancelled"),
        "inactive": Put("/subscription_status", "inactive"),
        "past_due": Put("/subscription_status", "past_due"),
        "unpaid": Put("/subscription_status", "unpaid"),
        "free": Put("/subscription_status", "free"),
        "outside": Put("/subscription_status", "on hold", None, "outside_vocabulary"),
        "blank": Put("/subscription_status", ""),
        "null": Put("/subscription_status", None),
        "number": Put("/subscription_status", 1, UNREADABLE, "unreadable"),
    }
)
COLOURS: Final = puts(
    {
        "null": Put("/brand_colors", None),
        "empty_object": Put("/brand_colors", {}),
        "empty_list": Put("/brand_colors", []),
        "without_accent": Put("/brand_colors", {"primary": "#111", "secondary": ["#222", None]}),
        "plain_text": Put("/brand_colors", "navy and gold", UNREADABLE, "unreadable"),
        "json_in_text": Put("/brand_colors", '{"primary": "#111", "secondary": ["#222"]}', NORMALISED),
        "json_in_json": Put("/brand_colors", '"{\\"primary\\": \\"#111\\"}"', NORMALISED),
        "empty_in_text": Put("/brand_colors", "{}", NORMALISED),
        "sql_array": Put("/brand_colors", '{"#111",#222}', NORMALISED),
        "list": Put("/brand_colors", ["#111", "#222"]),
        "far_number": Put("/brand_colors", {"primary": number("1e400"), "note": "x"}, UNREADABLE, "unreadable"),
    }
)
METRICS: Final = puts(
    {
        "null": Put("/key_metrics", None),
        "empty": Put("/key_metrics", []),
        "json_in_text": Put("/key_metrics", '["MRR", "Churn", ""]', NORMALISED),
        "sql_array": Put("/key_metrics", '{MRR,"Net, new",NULL}', NORMALISED),
        "blank_items": Put("/key_metrics", ["MRR", " ", None]),
        "prefilled": Put("/key_metrics", ["Revenue Growth", "Customer Acquisition", "Retention"]),
        "number_item": Put("/key_metrics", [5], UNREADABLE, "unreadable"),
        "text": Put("/key_metrics", "revenue, churn", UNREADABLE, "unreadable"),
        "object": Put("/key_metrics", {"0": "MRR"}, UNREADABLE, "unreadable"),
        "twenty": Put("/key_metrics", [f"metric {count}" for count in range(20)]),
        "twenty_one": Put("/key_metrics", [f"metric {count}" for count in range(21)], None, "outside_limit"),
    }
)
ANSWERS: Final = puts(
    {
        "industry_outside": Put("/industry", "Farming", None, "outside_vocabulary"),
        "industry_other_case": Put("/industry", "technology", None, "outside_vocabulary"),
        "industry_sample_default": Put("/industry", "Technology"),
        "industry_empty": Put("/industry", ""),
        "industry_null": Put("/industry", None),
    }
)
PROMPT: Final = puts(
    {
        "stock": Put("/master_system_prompt", STOCK_PROMPT),
        "synthesised": Put("/master_system_prompt", "Goals: grow\nKey questions: why?\nRequirements: none"),
        "synthesised_empty": Put("/master_system_prompt", "Goals: \nKey questions: \nRequirements: ", NORMALISED),
        "null": Put("/master_system_prompt", None),
    }
    | _limits("/master_system_prompt", 2000)
)
FLAGS: Final = puts(
    {
        "onboarding_false_though_done": Put("/onboarding_completed", False),
        "verified_false_though_confirmed": Put("/email_verified", False),
        "active_null": Put("/is_active", None),
        "active_false": Put("/is_active", False),
        "active_t": Put("/is_active", "t", NORMALISED),
        "active_yes": Put("/is_active", "yes", UNREADABLE, "unreadable"),
        "verified_1": Put("/email_verified", 1, UNREADABLE, "unreadable"),
    }
)
PHONE: Final = puts(
    {
        "with_at": Put("/phone", lambda old: f"{old[-7:]}@example.org", None, "outside_limit"),
        "long": Put("/phone", lambda old: f"{old} ext. 123456", None, "outside_limit"),
        "null": Put("/phone", None),
        "number": Put("/phone", 41440000000, UNREADABLE, "unreadable"),
    }
)
SETTINGS: Final = puts(
    {
        "preferences_in_text": Put("/preferences", '{"theme": "dark", "x": null}', NORMALISED),
        "preferences_list": Put("/preferences", ["dark"], UNREADABLE, "unreadable"),
        "preferences_nested": Put("/preferences", {"a": {"b": [1, None, {}]}, "c": ""}),
        "notifications_null": Put("/notification_settings", None),
        "notifications_all_off": Put("/notification_settings", {"email": False, "push": False, "marketing": False}),
        "language_number": Put("/language", 1, UNREADABLE, "unreadable"),
    }
)
BIO: Final = puts(
    _limits("/bio", 1000)
    | {
        "emoji": Put("/bio", "Decks 🎯, coffee ☕ and 👩‍💻"),
        "nfd": Put("/bio", "Zoe\u0308 writes", NORMALISED),
        "megabyte": Put("/bio", "long " * 40_000 + ".", None, "outside_limit"),
    }
)
TIMES: Final = puts(
    {
        "created_absent": Put("/created_at", ABSENT, None, "assumed_time"),
        "created_null": Put("/created_at", None, None, "assumed_time"),
        "created_phrase": Put("/created_at", "long ago", UNREADABLE, "unreadable assumed_time"),
        "created_year_10000": Put("/created_at", "10000-01-01T00:00:00Z", UNREADABLE, "unreadable assumed_time"),
        "created_without_zone": Put("/created_at", "2023-05-01T10:00:00"),
        "created_offset": Put("/created_at", "2023-05-01T12:00:00.5+02:00"),
        "updated_absent": Put("/updated_at", ABSENT),
        "updated_phrase": Put("/updated_at", "soon", UNREADABLE, "unreadable"),
        "updated_number": Put("/updated_at", 1704067200000, MAPPED),
    }
)
EXTRA: Final = puts(
    {
        "goals_text": Put("/business_goals", "grow"),
        "goals_list": Put("/business_goals", ["grow", "hire", ""]),
        "goals_json_text": Put("/business_goals", '["grow"]'),
        "never_saved": Put("/dataset_types", []),
        "saved_once": Put("/usage_plan", "weekly"),
        "style_null": Put("/presentation_style", None),
        "questions": Put("/key_questions", [{"q": "why?", "a": None}]),
        "step": Put("/onboarding_step", 0),
        "counter": Put("/presentations_created", 0),
        "odd_name": Put("/a b", {"c/d": {"e~f": "kept"}, "far": number("12345678901234567890")}),
    }
)
