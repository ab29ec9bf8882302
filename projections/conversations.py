"""The conversations as they are now: how many messages, the last of them, and the summary of those before."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from domain.conversation import (
    ConversationEvent,
    ConversationStarted,
    HistorySummarised,
    InteractionsCounted,
    MessageRecorded,
)
from domain.event import Recorded, known
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: ConversationEvent = recorded.event
    if isinstance(event, ConversationStarted):
        return _started(event, recorded)
    row = present(row, recorded)
    columns: Row
    match event:
        case MessageRecorded(sent_at=sent_at):
            counted = row["interaction_count"]
            columns = {
                "message_count": row["message_count"] + 1,
                "interaction_count": None if counted is None else counted + 1,
                "last_message_at": _later(row["last_message_at"], sent_at),
            }
        case HistorySummarised():
            columns = {
                "summary": known(event.summary),
                "summary_version": event.summary_version,
                "token_usage": event.token_usage or {},
            }
        case InteractionsCounted(total=total):
            columns = {"interaction_count": total}
        case _:
            assert_never(event)
    return changed(row, recorded, **columns)


def _started(event: ConversationStarted, recorded: Recorded) -> Row:
    return begun(
        recorded,
        conversation_id=recorded.stream,
        account_id=event.account_id,
        context=event.context,
        context_profile_id=event.context_profile_id,
        began_at=event.began_at,
        message_count=0,
        interaction_count=event.interactions,
        last_message_at=None,
        summary=None,
        summary_version=None,
        token_usage={},
        created_at=recorded.occurred_at,
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


MODEL: Final = one_row_a_stream(
    "conversations", version=1, key="conversation_id", topics=topics_of(ConversationEvent), fold=_fold
)
