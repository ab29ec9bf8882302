"""The runs of a migration. A run is in the log from its first change on; a run that changes nothing leaves no event."""

from __future__ import annotations

from uuid import UUID

from domain.event import DomainEvent


class MigrationRunStarted(DomainEvent, topic="migration.run_started"):
    """A run began to change something; `tables` counts the rows its source held."""

    run_id: UUID
    system: str
    mapping_version: int
    source_kind: str
    tables: dict[str, int]


class MigrationRunCompleted(DomainEvent, topic="migration.run_completed"):
    """A run went through its whole source."""

    run_id: UUID
    system: str
    recorded: int
    unchanged: int
    quarantined: int
    events: int
