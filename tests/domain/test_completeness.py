"""Completeness by the application's rule (legacy-systems 2.4), against examples worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.completeness import score, weighed
from domain.contexts import CONTEXTS, Context
from domain.kinds import KINDS
from tests.support.json_values import changes_of

PERSONAL = KINDS["personal"]
LOCATION = {"location": "Bern"}
AGE = {"age_range": "25-34"}
VALUES = {"core_values": ["calm"]}
ONE_OPTIONAL = {"beliefs": {"faith": "none"}}
ALL_OPTIONAL = ONE_OPTIONAL | {
    "interaction_style": {"pace": "slow"},
    "lifestyle": {"pets": 0},
    "constraints": ["weekends"],
}


@pytest.mark.parametrize(
    ("fields", "expected", "missing"),
    [
        ({}, 0, ["location", "age_range", "core_values"]),
        (LOCATION, 33, ["age_range", "core_values"]),  # 1 / 3
        (LOCATION | AGE, 67, ["core_values"]),  # 2 / 3
        (LOCATION | AGE | VALUES, 100, []),  # 3 / 3
        (ONE_OPTIONAL, 14, ["location", "age_range", "core_values"]),  # 0.5 / 3.5
        (ALL_OPTIONAL, 40, ["location", "age_range", "core_values"]),  # 2 / 5
        (LOCATION | ONE_OPTIONAL, 43, ["age_range", "core_values"]),  # 1.5 / 3.5 = 42.86
        (AGE | VALUES | ONE_OPTIONAL, 71, ["location"]),  # 2.5 / 3.5 = 71.43
        (LOCATION | ALL_OPTIONAL, 60, ["age_range", "core_values"]),  # 3 / 5
        (LOCATION | {"beliefs": {"a": 1}, "lifestyle": {"a": 1}}, 50, ["age_range", "core_values"]),  # 2 / 4
        (LOCATION | AGE | VALUES | ALL_OPTIONAL, 100, []),
        ({"name": "Ada"}, 0, ["location", "age_range", "core_values"]),  # the name scores nothing
        (LOCATION | {"beliefs": {}, "constraints": []}, 33, ["age_range", "core_values"]),
        ({"location": " ", "age_range": None, "core_values": []}, 0, ["location", "age_range", "core_values"]),
    ],
)
def test_a_personal_profile(fields: dict[str, Any], expected: int, missing: list[str]) -> None:
    assert PERSONAL.completeness(fields) == (expected, tuple(missing))


@pytest.mark.parametrize(
    ("context", "fields", "expected", "missing"),
    [
        (
            Context.ROMANTIC,
            {"attraction_importance": "critical"},
            0,
            ["relationship_timeline", "exclusivity_expectation", "family_intentions"],
        ),
        (
            Context.ROMANTIC,
            {"exclusivity_expectation": "open"},
            33,
            ["relationship_timeline", "family_intentions"],
        ),
        (
            Context.ROMANTIC,
            {"relationship_timeline": "a", "exclusivity_expectation": "b", "family_intentions": "c"},
            100,
            [],
        ),
        (Context.FRIENDSHIP, {"group_activity_preference": "flexible"}, 50, ["friendship_depth"]),
        (Context.FRIENDSHIP, {"friendship_depth": "x", "group_activity_preference": "y"}, 100, []),
        (Context.PROFESSIONAL, {"complementary_skills": ["law"], "equity_or_rev_share": "tbd"}, 0, None),
        (Context.PROFESSIONAL, {"commitment_horizon": "ongoing"}, 50, ["partnership_type"]),
        (Context.CREATIVE, {"creative_type": "film", "process_style": "hybrid"}, 67, ["role_needed"]),
        (Context.SERVICE, {"service_type": "seeking", "credentials_required": "licensed"}, 33, None),
    ],
)
def test_an_intent_counts_its_required_fields_alone(
    context: Context, fields: dict[str, Any], expected: int, missing: list[str] | None
) -> None:
    found = CONTEXTS[context].completeness(fields)
    assert found.score == expected
    if missing is not None:
        assert list(found.missing) == missing


@pytest.mark.parametrize(
    ("filled", "required", "expected"), [(1, 8, 13), (3, 8, 38), (5, 8, 63), (7, 8, 88), (1, 200, 1), (1, 201, 0)]
)
def test_halves_are_rounded_up(filled: int, required: int, expected: int) -> None:
    names = tuple(f"f{number}" for number in range(required))
    assert score(dict.fromkeys(names[:filled], "x"), required=names).score == expected


def test_half_a_weight_is_rounded_up_too() -> None:
    # 0.5 / 4.5 = 11.1; 1.5 / 4 = 37.5
    assert score({"a": 1, "o": 1}, required=("a", "b", "c", "d"), optional=("o",)).score == 33
    assert score({"o": 0, "p": False, "q": "x"}, required=("a", "b", "c"), optional=("o", "p", "q")).score == 33
    assert score({"a": 1, "o": 1}, required=("a", "b", "c"), optional=("o", "p")).score == 43
    assert score({"o": 1, "p": 1, "q": 1}, required=("a",) * 1 + ("b",), optional=("o", "p", "q")).score == 43


def test_nothing_required_is_complete() -> None:
    assert score({}, required=()) == (100, ())


def test_zero_and_false_are_values() -> None:
    assert score({"a": 0, "b": False}, required=("a", "b")) == (100, ())


def test_weights_count_filled_fields_and_all_that_are_unset_are_missing() -> None:
    weights = {"a": 20, "b": 15, "c": 10}
    assert weighed({}, weights) == (0, ("a", "b", "c"))
    assert weighed({"a": 0, "b": " ", "c": []}, weights) == (44, ("b", "c"))  # 20 / 45
    assert weighed({"a": "x", "b": False, "c": {"k": 1}}, weights) == (100, ())


@given(changes_of(PERSONAL.fields))
def test_the_score_lies_between_0_and_100_and_is_100_only_when_nothing_is_missing(fields: dict[str, Any]) -> None:
    found = PERSONAL.completeness(fields)
    assert 0 <= found.score <= 100
    assert (found.score == 100) == (not found.missing)
    assert [name for name in PERSONAL.required if name in found.missing] == list(found.missing)


@given(changes_of(PERSONAL.fields), st.sampled_from(PERSONAL.required))
def test_filling_a_required_field_never_costs_anything(fields: dict[str, Any], name: str) -> None:
    fuller = fields | {name: ["x"] if name == "core_values" else "x"}
    assert PERSONAL.completeness(fuller).score >= PERSONAL.completeness(fields).score
