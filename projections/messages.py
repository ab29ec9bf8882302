"""The messages of the conversations, a row each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from domain.conversation import MessageRecorded
from domain.event import Recorded, known
from projections.columns import begun, topics_of
from projections.read_model import Key, ReadModel, Row, Rows


def _touches(recorded: Recorded) -> Iterable[Key]:
    return ((recorded.stream, recorded.version),)


def _evolve(_: Rows, recorded: Recorded) -> Mapping[Key, Row]:
    event: MessageRecorded = recorded.event
    row = begun(
        recorded,
        conversation_id=recorded.stream,
        number=recorded.version,
        key=event.key,
        role=known(event.role),
        content=known(event.content),
        off_record=event.off_record,
        sent_at=event.sent_at,
    )
    return {(recorded.stream, recorded.version): row}


MODEL: Final = ReadModel(
    "messages",
    version=1,
    key=("conversation_id", "number"),
    topics=topics_of(MessageRecorded),
    touches=_touches,
    evolve=_evolve,
)
