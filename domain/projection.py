"""What an operator decided about read models: events that one must leave out, with the reason.

Each read model has a stream of such decisions, told by its name. The records themselves know nothing of it: their
events stand as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final, assert_never
from uuid import UUID

from pydantic import Field, StringConstraints

from domain.command import Command, Participant
from domain.decider import Decider
from domain.event import DomainEvent, Erased
from domain.streams import projection_id
from domain.values import Reason

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class _EventCommand(Command):
    read_model: ModelName
    stream: UUID
    version: Annotated[int, Field(ge=1)]
    reason: Reason

    def participants(self) -> tuple[Participant, ...]:
        """The decisions about the read model."""
        return (Participant("projection", projection_id(self.read_model)),)


class SkipEvent(_EventCommand):
    """Let a read model leave out an event that it cannot fold; the record carries on without it (admins only)."""


class RestoreEvent(_EventCommand):
    """Let a read model fold an event again that it was told to leave out (admins only)."""


class EventSkipped(DomainEvent, topic="projection.event_skipped"):
    """A read model leaves out an event of a stream."""

    read_model: str
    stream: UUID
    version: int
    reason: str | Erased


class EventRestored(DomainEvent, topic="projection.event_restored"):
    """A read model folds an event again that it had left out."""

    read_model: str
    stream: UUID
    version: int
    reason: str | Erased


ProjectionEvent = EventSkipped | EventRestored


@dataclass(frozen=True)
class ProjectionState:
    """The events a read model leaves out, by stream and version."""

    skipped: frozenset[tuple[UUID, int]] = frozenset()


def _decide(state: ProjectionState, command: Command) -> list[DomainEvent]:
    match command:
        case SkipEvent():
            return [] if (command.stream, command.version) in state.skipped else [EventSkipped(**command.__dict__)]
        case RestoreEvent():
            return [EventRestored(**command.__dict__)] if (command.stream, command.version) in state.skipped else []
        case _:
            return []


def _evolve(state: ProjectionState, event: ProjectionEvent) -> ProjectionState:
    one = {(event.stream, event.version)}
    match event:
        case EventSkipped():
            return replace(state, skipped=state.skipped | one)
        case EventRestored():
            return replace(state, skipped=state.skipped - one)
        case _:
            assert_never(event)


PROJECTION: Final = Decider("projection", ProjectionState(), _decide, _evolve, owner=lambda _: None)
