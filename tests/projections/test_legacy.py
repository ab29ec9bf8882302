from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain.event import ERASED
from domain.legacy import LegacySnapshotRecorded
from projections import legacy_ids, migration_runs
from projections.read_model import fold_events
from tests.projections.histories import START, completed, history, metadata, row_of, started

STREAM, USER, FIRST, SECOND = (UUID(int=number) for number in range(4))
SNAPSHOT = LegacySnapshotRecorded(
    system="contexts",
    table="ContextProfile",
    key="c2",
    bundle="c1",
    parent_key="c1",
    created=START,
    updated=START,
    became=USER,
    digest="ab",
    mapping_version=1,
    raw="{}",
)


def test_a_snapshot() -> None:
    (event,) = history(STREAM, SNAPSHOT)
    imported = event._replace(metadata=metadata(START, "import:run-7"))
    assert row_of(legacy_ids.MODEL, [imported]) == {
        "snapshot_id": STREAM,
        "system": "contexts",
        "table_name": "ContextProfile",
        "key": "c2",
        "bundle": "c1",
        "parent_key": "c1",
        "created": START,
        "updated": START,
        "platform_created": None,
        "became": USER,
        "became_version": None,
        "dangling": [],
        "foreign_fields": [],
        "digest": "ab",
        "mapping_version": 1,
        "run_id": "run-7",
        "version": 1,
        "position": 10,
        "recorded_at": START + timedelta(hours=1),
    }


def test_the_newest_snapshot_of_a_record_counts_also_when_erased() -> None:
    newer = SNAPSHOT.model_copy(update={"digest": "cd", "raw": ERASED})
    row = row_of(legacy_ids.MODEL, history(STREAM, SNAPSHOT, newer))
    assert (row["digest"], row["version"]) == ("cd", 2)


def test_the_runs_of_a_system_are_a_row_each() -> None:
    events = history(STREAM, started(FIRST, "contexts"), started(SECOND, "contexts"), completed(FIRST, "contexts"))
    rows = fold_events(migration_runs.MODEL, {}, events)
    assert rows[FIRST,] == {
        "run_id": FIRST,
        "system": "contexts",
        "mapping_version": 1,
        "source_kind": "json_lines",
        "tables": {"User": 2},
        "started_at": START + timedelta(days=1),
        "completed_at": START + timedelta(days=3),
        "recorded": 1,
        "unchanged": 2,
        "quarantined": 3,
        "events": 4,
        "position": 30,
        "recorded_at": START + timedelta(days=3, hours=1),
    }
    second = rows[SECOND,]
    assert second is not None
    assert [second[name] for name in ("completed_at", "recorded", "events", "position")] == [
        None,
        None,
        None,
        20,
    ]


@pytest.mark.parametrize("model", [legacy_ids.MODEL, migration_runs.MODEL])
def test_an_event_that_is_not_handled_shouts(model) -> None:  # type: ignore[no-untyped-def]
    stray = history(STREAM, started(FIRST, "contexts"))[0]
    other = type("Stray", (), {"run_id": FIRST})()
    with pytest.raises((AssertionError, KeyError)):
        model.evolve({}, stray._replace(event=other))
