"""The rows that must come of a bundle: the events it implies, folded as any others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from domain.event import IMPORTER, EventMetadata, Recorded
from migrations_replay.facts import NO_TIME, Facts, ImportedEvent
from migrations_replay.snapshots import bundle_events
from projections.read_model import Key, ReadModel, Row, fold_events

RowName = tuple[str, Key]
"""A row by its read model and key, which begins with the stream it was folded from."""


def expected_rows(facts: Facts, mapping_version: int, models: Sequence[ReadModel]) -> dict[RowName, Row]:
    """Return the rows that must come of a bundle."""
    return rows_of(bundle_events(facts, mapping_version), facts.subject, models)


def rows_of(
    implied: Iterable[tuple[UUID, int, ImportedEvent]], subject: UUID | None, models: Sequence[ReadModel]
) -> dict[RowName, Row]:
    """Return the rows that come of events that are implied."""
    streams: dict[UUID, list[Recorded]] = {}
    for stream, version, imported in implied:
        metadata = EventMetadata(imported.occurred_at, NO_TIME, imported.actor, IMPORTER, subject, origin=IMPORTER)
        event = imported.event
        recorded = Recorded(stream, version, 0, event.topic, event, metadata, event.schema_version)
        streams.setdefault(stream, []).append(recorded)
    return {name: row for events in streams.values() for name, row in folded(events, models).items()}


def folded(events: Sequence[Recorded], models: Sequence[ReadModel]) -> dict[RowName, Row]:
    """Return the rows that come of the events of one stream."""
    topics = {recorded.topic for recorded in events}
    return {
        (model.name, key): row
        for model in models
        if not topics.isdisjoint(model.topics)
        for key, row in fold_events(model, {}, events).items()
        if row is not None
    }
