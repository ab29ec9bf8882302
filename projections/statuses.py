"""The statuses that were defined or retired; a seeded one that never was has no row."""

from __future__ import annotations

from typing import Final, assert_never

from domain.event import Recorded
from domain.status_catalogue import SEEDED, StatusDefined, StatusDefinition, StatusEvent, StatusRetired
from domain.streams import status_id
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream

_SEEDED_BY_STREAM: Final = {status_id(code): definition for code, definition in SEEDED.items()}


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: StatusEvent = recorded.event
    match event:
        case StatusDefined(definition=definition, in_use=in_use):
            row = row or _begun(definition, recorded)
            return changed(row, recorded, **_columns(definition), in_use=in_use)
        case StatusRetired():
            seeded = _SEEDED_BY_STREAM.get(recorded.stream)
            if row is None and seeded is not None:
                row = _begun(seeded, recorded)
            return changed(present(row, recorded), recorded, in_use=False)
        case _:
            assert_never(event)


def _begun(definition: StatusDefinition, recorded: Recorded) -> Row:
    return begun(recorded, status_id=recorded.stream, created_at=recorded.occurred_at, **_columns(definition))


def _columns(definition: StatusDefinition) -> Row:
    columns = definition.model_dump()
    may_go_to = definition.may_go_to
    return {
        **{name: value for name, value in columns.items() if name != "order"},
        "workflow_order": definition.order,
        "fillable_fields": list(definition.fillable_fields),
        "may_go_to": None if may_go_to is None else list(may_go_to),
    }


MODEL: Final = one_row_a_stream("statuses", version=1, key="status_id", topics=topics_of(StatusEvent), fold=_fold)
