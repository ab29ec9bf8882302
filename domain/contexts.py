"""The five relationship contexts: the fields of their intents, the values meant for them, what completeness needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from domain.completeness import Completeness, score
from domain.errors import InvalidCommand
from domain.vocabulary import FieldShape, check_fields, text, texts


class Context(StrEnum):
    """A relationship context; strict, everywhere."""

    ROMANTIC = "romantic"
    FRIENDSHIP = "friendship"
    PROFESSIONAL = "professional"
    CREATIVE = "creative"
    SERVICE = "service"


class Tone(StrEnum):
    """How a person wants to be talked to; strict in commands, kept as found in imports."""

    LIGHT = "light"
    BALANCED = "balanced"
    SERIOUS = "serious"


@dataclass(frozen=True)
class IntentShape:
    """What an intent of one context holds; completeness counts the `required` fields, and lists them in their order."""

    context: Context
    fields: Mapping[str, FieldShape]
    required: tuple[str, ...]

    def checked(self, values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """Return the values in stored form; raises InvalidCommand for a field of another context or a wrong type."""
        return check_fields(self.fields, values, where=where, of=f"a {self.context} intent")

    def completeness(self, fields: Mapping[str, Any]) -> Completeness:
        """Score the fields: the share of the required ones, in percent."""
        return score(fields, required=self.required)


CONTEXTS: Final = {
    shape.context: shape
    for shape in (
        IntentShape(
            Context.ROMANTIC,
            {
                "relationship_timeline": text("taking_my_time", "open_to_soon", "actively_looking"),
                "exclusivity_expectation": text("monogamous", "open", "figuring_it_out"),
                "family_intentions": text("want_kids", "dont_want_kids", "open", "already_have"),
                "attraction_importance": text("critical", "important", "balanced", "less_important"),
            },
            ("relationship_timeline", "exclusivity_expectation", "family_intentions"),
        ),
        IntentShape(
            Context.FRIENDSHIP,
            {
                "friendship_depth": text("casual", "close", "best_friend"),
                "group_activity_preference": text("one_on_one", "small_group", "large_group", "flexible"),
                "emotional_support_expectation": text("minimal", "moderate", "high"),
            },
            ("friendship_depth", "group_activity_preference"),
        ),
        IntentShape(
            Context.PROFESSIONAL,
            {
                "partnership_type": text("cofounder", "collaborator", "advisor", "employee", "contractor"),
                "commitment_horizon": text("project_based", "ongoing", "long_term"),
                "complementary_skills": texts(),
                "equity_or_rev_share": text("equity", "rev_share", "salary", "hybrid", "tbd"),
            },
            ("partnership_type", "commitment_horizon"),
        ),
        IntentShape(
            Context.CREATIVE,
            {
                "creative_type": text("music", "writing", "visual_art", "film", "performance", "other"),
                "role_needed": text("co_creator", "contributor", "feedback", "production"),
                "process_style": text("structured", "spontaneous", "hybrid"),
                "ego_balance": text("shared_vision", "lead_follow", "independent"),
                "compensation_expectation": text("paid", "profit_share", "free", "depends"),
            },
            ("creative_type", "role_needed", "process_style"),
        ),
        IntentShape(
            Context.SERVICE,
            {
                "service_type": text("offering", "seeking"),
                "budget_range": text("under_1k", "1k_5k", "5k_20k", "20k_plus", "flexible"),
                "timeline_needed": text("urgent", "weeks", "months", "flexible"),
                "credentials_required": text("licensed", "experienced", "portfolio", "flexible"),
            },
            ("service_type", "budget_range", "timeline_needed"),
        ),
    )
}


def shape_of(context: str) -> IntentShape:
    """Return what intents of a context hold; raises InvalidCommand for an unknown context."""
    try:
        return CONTEXTS[Context(context)]
    except ValueError:
        raise InvalidCommand(
            f"there is no context {context!r}", field="context", hint=f"one of: {', '.join(Context)}"
        ) from None
