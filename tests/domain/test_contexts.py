"""The vocabularies of the five contexts, against the table of legacy-systems 2.2 written out once more."""

from __future__ import annotations

import pytest

from domain.contexts import CONTEXTS, Context, Tone, shape_of
from domain.errors import InvalidCommand
from domain.kinds import KINDS, kind_named
from domain.kinds.talent_fields import TALENT_FIELDS
from domain.vocabulary import outside_vocabulary

TABLE = {
    "romantic": """
        relationship_timeline* taking_my_time/open_to_soon/actively_looking
        exclusivity_expectation* monogamous/open/figuring_it_out
        family_intentions* want_kids/dont_want_kids/open/already_have
        attraction_importance critical/important/balanced/less_important""",
    "friendship": """
        friendship_depth* casual/close/best_friend
        group_activity_preference* one_on_one/small_group/large_group/flexible
        emotional_support_expectation minimal/moderate/high""",
    "professional": """
        partnership_type* cofounder/collaborator/advisor/employee/contractor
        commitment_horizon* project_based/ongoing/long_term
        complementary_skills string[]
        equity_or_rev_share equity/rev_share/salary/hybrid/tbd""",
    "creative": """
        creative_type* music/writing/visual_art/film/performance/other
        role_needed* co_creator/contributor/feedback/production
        process_style* structured/spontaneous/hybrid
        ego_balance shared_vision/lead_follow/independent
        compensation_expectation paid/profit_share/free/depends""",
    "service": """
        service_type* offering/seeking
        budget_range* under_1k/1k_5k/5k_20k/20k_plus/flexible
        timeline_needed* urgent/weeks/months/flexible
        credentials_required licensed/experienced/portfolio/flexible""",
}


@pytest.mark.parametrize("context", TABLE)
def test_a_context_has_the_fields_and_values_of_the_legacy_forms(context: str) -> None:
    shape = shape_of(context)
    lines = [line.split() for line in TABLE[context].strip().splitlines()]
    assert [name.rstrip("*") for name, _ in lines] == list(shape.fields)
    assert tuple(name.rstrip("*") for name, _ in lines if name.endswith("*")) == shape.required
    for name, offered in lines:
        field = shape.fields[name.rstrip("*")]
        if offered == "string[]":
            assert (field.shape, field.offered) == ("texts", frozenset())
        else:
            assert (field.shape, field.offered) == ("text", frozenset(offered.split("/")))


def test_there_are_five_contexts_and_three_tones() -> None:
    assert {str(context) for context in CONTEXTS} == set(TABLE)
    assert set(Context) == set(CONTEXTS)
    assert set(Tone) == {"light", "balanced", "serious"}


@pytest.mark.parametrize("name", ["business", "Romantic", " romantic", "romantic ", "", "ROMANTIC"])
def test_the_context_is_strict(name: str) -> None:
    with pytest.raises(InvalidCommand) as refused:
        shape_of(name)
    assert refused.value.field == "context"
    assert refused.value.hint
    assert "romantic" in refused.value.hint


def test_values_outside_are_named_sorted_and_lists_have_none() -> None:
    shape = shape_of("professional")
    values = {
        "partnership_type": "Cofounder",
        "commitment_horizon": "ongoing",
        "equity_or_rev_share": "a beer",
        "complementary_skills": ["anything"],
        "unheard_of": "x",
    }
    assert outside_vocabulary(shape.fields, values) == ["equity_or_rev_share", "partnership_type"]


def test_the_personal_kind() -> None:
    kind = kind_named("personal")
    assert kind.required == ("location", "age_range", "core_values")
    assert set(kind.optional) == {"beliefs", "interaction_style", "lifestyle", "constraints"}
    assert kind.fields["age_range"].offered == {"18-24", "25-34", "35-44", "45-54", "55+"}
    own = {name: field for name, field in kind.fields.items() if name not in {*TALENT_FIELDS} - {"location"}}
    assert {name for name, field in own.items() if field.shape == "object"} == {
        *("beliefs", "interaction_style", "lifestyle")
    }
    assert {name for name, field in own.items() if field.shape == "texts"} == {"core_values", "constraints"}
    assert own["location"].shape == "text"


def test_completeness_counts_only_fields_there_are() -> None:
    shapes = [(shape.fields, shape.required) for shape in CONTEXTS.values()]
    shapes += [(kind.fields, (*kind.required, *kind.optional)) for kind in KINDS.values()]
    for fields, counted in shapes:
        assert len(counted) == len(set(counted))
        assert set(counted) <= set(fields)
