"""The collective processes as they are now; their status is that of their cases."""

from __future__ import annotations

from typing import Final

from domain.collective import CollectiveEvent
from domain.event import Recorded
from projections.columns import begun, topics_of
from projections.read_model import Row, one_row_a_stream


def _fold(_: Row | None, recorded: Recorded) -> Row:
    event: CollectiveEvent = recorded.event
    return begun(
        recorded,
        collective_id=recorded.stream,
        company_id=event.company_id,
        legacy_keys=event.legacy_keys,
        reference_number=event.reference_number,
        completed_at=event.completed_at,
        created_at=recorded.occurred_at,
    )


MODEL: Final = one_row_a_stream(
    "collectives", version=1, key="collective_id", topics=topics_of(CollectiveEvent), fold=_fold
)
