"""Where the events a bundle implies stand in the log: at other versions than derived, once a stream began before.

`derive` counts each stream from 1. After a rollback a stream goes on behind what was withdrawn, and a newer export may
add an entry to a history that live commands have lengthened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from domain.event import DomainEvent
from migrations_replay.facts import Facts, ImportedEvent

NUMBERED: Final = ("follows", "precedes", "superseded_by", "entry", "member")
"""Payload fields that hold the version of an event of the same stream."""


@dataclass
class Numbers:
    """Maps the versions of derived events to those in the log: one by one, or all behind a base."""

    bases: dict[UUID, int] = field(default_factory=dict)
    known: dict[tuple[UUID, int], int] = field(default_factory=dict)

    def of(self, stream: UUID, version: int) -> int:
        """Return the version that a derived event has in the log."""
        return self.known.get((stream, version), self.bases.get(stream, 0) + version)

    @property
    def as_derived(self) -> bool:
        """Whether every event stands where it was derived."""
        return not any(self.bases.values()) and all(version == found for (_, version), found in self.known.items())

    def learn(self, facts: Facts, recorded: Mapping[UUID, int | None]) -> None:
        """Take over which event each record became, by its snapshot, as it was recorded."""
        for record in facts.records.values():
            found = recorded.get(record.snapshot)
            if record.became and record.became_version and found:
                self.known[record.became, record.became_version] = found


def renumber(facts: Facts, numbers: Numbers) -> None:
    """Give the events of a bundle, and all that names one by its version, the versions they have in the log."""
    if numbers.as_derived:
        return
    for stream in facts.streams:
        found = range(1, len(stream.events) + 1)
        stream.versions = [numbers.of(stream.stream, version) for version in found]
        stream.events = [renumbered(imported, stream.stream, numbers) for imported in stream.events]
    for record in facts.records.values():
        if record.became and record.became_version:
            record.became_version = numbers.of(record.became, record.became_version)
        record.expected = [
            expected._replace(place=expected.place._replace(key=_key(expected.place.key, numbers)))
            for expected in record.expected
        ]


def renumbered(imported: ImportedEvent, stream: UUID, numbers: Numbers) -> ImportedEvent:
    """Return an event that names others of its stream by the versions they have in the log."""
    event: DomainEvent = imported.event
    named: dict[str, Any] = {
        name: numbers.of(stream, version)
        for name in NUMBERED
        if name in type(event).model_fields and isinstance(version := getattr(event, name), int)
    }
    return imported._replace(event=event.model_copy(update=named)) if named else imported


def _key(key: UUID | tuple[Any, ...], numbers: Numbers) -> UUID | tuple[Any, ...]:
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], int):
        return key[0], numbers.of(*key)
    return key


def likeness(imported: ImportedEvent) -> str:
    """Return what two events are told by, whatever number each of them has."""
    numbered: dict[str, Any] = {name: None for name in NUMBERED if name in type(imported.event).model_fields}
    event = imported.event.model_copy(update=numbered)
    return f"{event.topic} {event.model_dump_json()} {imported.occurred_at.timestamp()} {imported.actor}"
