"""The legacy records recorded so far and the streams they became: a row for the newest snapshot of each."""

from __future__ import annotations

from typing import Final, assert_never

from domain.event import Recorded, known
from domain.legacy import LegacySnapshotRecorded, LegacySnapshotWithdrawn
from projections.columns import topics_of
from projections.read_model import Row, one_row_a_stream

_RUN: Final = "import:"


_Event = LegacySnapshotRecorded | LegacySnapshotWithdrawn


def _fold(_: Row | None, recorded: Recorded) -> Row | None:
    event: _Event = recorded.event
    match event:
        case LegacySnapshotRecorded():
            return {
                "snapshot_id": recorded.stream,
                "system": event.system,
                "table_name": event.table,
                "key": event.key,
                "bundle": event.bundle,
                "parent_key": event.parent_key,
                "created": event.created,
                "updated": event.updated,
                "platform_created": event.platform_created,
                "became": event.became,
                "became_version": event.became_version,
                "dangling": list(event.dangling),
                "foreign_fields": list(event.foreign),
                "digest": known(event.digest),
                "mapping_version": event.mapping_version,
                "run_id": recorded.metadata.origin.removeprefix(_RUN),
                "version": recorded.version,
                "position": recorded.position,
                "recorded_at": recorded.recorded_at,
            }
        case LegacySnapshotWithdrawn():
            return None
        case _:
            assert_never(event)


MODEL: Final = one_row_a_stream("legacy_ids", version=3, key="snapshot_id", topics=topics_of(_Event), fold=_fold)
