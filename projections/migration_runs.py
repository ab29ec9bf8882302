"""The runs of the migrations and what each took in. The stream of a system holds several runs, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from domain.event import Recorded
from domain.migration import MigrationRunCompleted, MigrationRunStarted
from projections.columns import topics_of
from projections.read_model import Key, ReadModel, Row, Rows

RunEvent = MigrationRunStarted | MigrationRunCompleted


def _touches(recorded: Recorded) -> tuple[Key, ...]:
    return ((recorded.event.run_id,),)


def _evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row | None]:
    event: RunEvent = recorded.event
    key = (event.run_id,)
    last = {"position": recorded.position, "recorded_at": recorded.recorded_at}
    match event:
        case MigrationRunStarted():
            return {key: _started(event, recorded) | last}
        case MigrationRunCompleted():
            return {key: rows[key] | _completed(event, recorded) | last}
        case _:
            assert_never(event)


def _started(event: MigrationRunStarted, recorded: Recorded) -> Row:
    return {
        "run_id": event.run_id,
        "system": event.system,
        "mapping_version": event.mapping_version,
        "source_kind": event.source_kind,
        "tables": event.tables,
        "started_at": recorded.occurred_at,
        **dict.fromkeys(("completed_at", "recorded", "unchanged", "quarantined", "events")),
    }


def _completed(event: MigrationRunCompleted, recorded: Recorded) -> Row:
    return {
        "completed_at": recorded.occurred_at,
        "recorded": event.recorded,
        "unchanged": event.unchanged,
        "quarantined": event.quarantined,
        "events": event.events,
    }


MODEL: Final = ReadModel(
    "migration_runs", 1, ("run_id",), topics_of(RunEvent), _touches, _evolve, keyed_by_stream=False
)
