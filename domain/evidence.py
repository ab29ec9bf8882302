"""The exports of the audit log: who handed over what, and when. One stream, in which each names the one before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, assert_never
from uuid import UUID

from pydantic import Field

from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import AlreadyExists
from domain.event import DomainEvent
from domain.streams import EVIDENCE_STREAM


class RecordExport(Command):
    """Record that an evidence file was made: what was asked for, what it holds, and the digest of its manifest."""

    export_id: UUID
    file_format: Literal["jsonl", "csv"]
    filters: dict[str, Any] = Field(default_factory=dict)
    events: int = Field(ge=0)
    tree_size: int = Field(ge=0)
    tree_root: str = Field(pattern="^[0-9a-f]{64}$")
    manifest_digest: str = Field(pattern="^[0-9a-f]{64}$")

    def participants(self) -> tuple[Participant, ...]:
        """The one stream of exports."""
        return (Participant("evidence", EVIDENCE_STREAM),)


class EvidenceExported(DomainEvent, topic="evidence.exported"):
    """An evidence file was made; `filters` is what was asked for, `manifest_digest` the SHA-256 of its manifest."""

    export_id: UUID
    file_format: str
    filters: dict[str, Any]
    events: int
    tree_size: int
    tree_root: str
    manifest_digest: str


@dataclass(frozen=True)
class EvidenceState:
    """The exports there were."""

    exports: frozenset[UUID] = frozenset()


def _decide(state: EvidenceState, command: Command) -> list[DomainEvent]:
    match command:
        case RecordExport():
            if command.export_id in state.exports:
                raise AlreadyExists(f"export {command.export_id} was recorded before", field="export_id")
            return [EvidenceExported(**command.model_dump())]
        case _:
            return []


def _evolve(state: EvidenceState, event: EvidenceExported) -> EvidenceState:
    match event:
        case EvidenceExported():
            return replace(state, exports=state.exports | {event.export_id})
        case _:
            assert_never(event)


EVIDENCE: Final = Decider("evidence", EvidenceState(), _decide, _evolve, owner=lambda _: None)
