"""The intents as they are now: what each account looks for in each context, and how complete that is."""

from __future__ import annotations

from typing import Any, Final, assert_never

from domain.changes import with_changes
from domain.contexts import shape_of
from domain.event import Recorded, known
from domain.intent import TONE, IntentDeclared, IntentEvent, IntentRevised, IntentWithdrawn
from domain.values import without_unset
from domain.vocabulary import outside_vocabulary
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: IntentEvent = recorded.event
    if isinstance(event, IntentDeclared):
        return _declared(event, recorded)
    row = present(row, recorded)
    match event:
        case IntentRevised(changes=changes):
            values = {**row["fields"], TONE: row["tone_preference"]}
            columns = _judged(row["context"], with_changes(values, changes))
        case IntentWithdrawn():
            columns = {"status": "withdrawn"}
        case _:
            assert_never(event)
    return changed(row, recorded, **columns)


def _declared(event: IntentDeclared, recorded: Recorded) -> Row:
    values = without_unset({**(known(event.fields) or {}), TONE: known(event.tone_preference)})
    return begun(
        recorded,
        intent_id=recorded.stream,
        account_id=event.account_id,
        context=event.context,
        status="declared",
        context_profile_id=event.context_profile_id,
        created_at=recorded.occurred_at,
        **_judged(event.context, values),
    )


def _judged(context: str, values: dict[str, Any]) -> Row:
    """Return fields and tone, and the columns that follow from the fields."""
    fields = {name: value for name, value in values.items() if name != TONE}
    shape = shape_of(context)
    score, missing = shape.completeness(fields)
    outside = outside_vocabulary(shape.fields, fields)
    return {
        "fields": fields,
        "tone_preference": values.get(TONE),
        "completeness": score,
        "missing": list(missing),
        "outside_vocabulary": outside,
    }


MODEL: Final = one_row_a_stream("intents", version=1, key="intent_id", topics=topics_of(IntentEvent), fold=_fold)
