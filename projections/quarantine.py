"""The legacy records that were set aside, a row for each time one was found broken in another way."""

from __future__ import annotations

from typing import Final

from domain.event import Recorded
from domain.legacy import LegacyRecordQuarantined
from projections.columns import topics_of
from projections.read_model import Row, one_row_a_stream

_RUN: Final = "import:"


def _fold(_: Row | None, recorded: Recorded) -> Row:
    event: LegacyRecordQuarantined = recorded.event
    return {
        "quarantine_id": recorded.stream,
        "system": event.system,
        "table_name": event.table,
        "key": None if event.key is None else event.key.replace("\0", "\\0"),  # a text column holds no NUL
        "code": event.code,
        "reason": event.reason,
        "run_id": recorded.metadata.origin.removeprefix(_RUN),
        "version": recorded.version,
        "position": recorded.position,
        "recorded_at": recorded.recorded_at,
    }


MODEL: Final = one_row_a_stream(
    "quarantine", version=1, key="quarantine_id", topics=topics_of(LegacyRecordQuarantined), fold=_fold
)
