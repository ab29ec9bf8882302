"""The items as they are now: projects, training, highlights, auditions and workshops of every profile."""

from __future__ import annotations

from typing import Any, Final, assert_never

from domain.changes import with_changes
from domain.event import Recorded, known
from domain.item import ItemAdded, ItemEvent, ItemRemoved, ItemUpdated
from domain.items import item_kind
from domain.vocabulary import outside_vocabulary
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: ItemEvent = recorded.event
    if isinstance(event, ItemAdded):
        return begun(
            recorded,
            item_id=recorded.stream,
            account_id=event.account_id,
            profile_id=event.profile_id,
            kind=event.kind,
            removed=False,
            legacy_keys=event.legacy_keys,
            created_at=recorded.occurred_at,
            **_judged(event.kind, known(event.fields) or {}),
        )
    row = present(row, recorded)
    match event:
        case ItemUpdated(changes=changes):
            return changed(row, recorded, **_judged(row["kind"], with_changes(row["fields"], changes)))
        case ItemRemoved():
            return changed(row, recorded, removed=True)
        case _:
            assert_never(event)


def _judged(kind: str, fields: dict[str, Any]) -> Row:
    return {"fields": fields, "outside_vocabulary": outside_vocabulary(item_kind(kind).fields, fields)}


MODEL: Final = one_row_a_stream("items", version=1, key="item_id", topics=topics_of(ItemEvent), fold=_fold)
