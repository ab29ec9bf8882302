"""The collective process: cases of one company that are handled together. Its status is that of its cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import AlreadyExists, NotFound
from domain.event import DomainEvent
from domain.values import ShortText


class OpenCollective(Command):
    """Open a collective process for a company."""

    collective_id: UUID
    company_id: UUID
    reference_number: ShortText | None = None

    def participants(self) -> tuple[Participant, ...]:
        """The process, and the company, which must be there."""
        return Participant("collective", self.collective_id), Participant("company", self.company_id)


class CollectiveOpened(DomainEvent, topic="collective.opened"):
    """A collective process was opened; an imported one may be without a company, or completed already.

    `legacy_keys` are the ids, as legacy records wrote them, of what the id of the same name was made from.
    """

    company_id: UUID | None
    reference_number: str | None = None
    completed_at: AwareDatetime | None = None
    legacy_keys: dict[str, str] = Field(default_factory=dict)


CollectiveEvent = CollectiveOpened


@dataclass(frozen=True)
class CollectiveState:
    """What decisions about a collective process rest on."""

    exists: bool = False
    company_id: UUID | None = None


def computed_status(cases: Mapping[str | None, int]) -> str:
    """Return the status of a collective process from how many of its cases have which: `3 deferido, 2 rnm`."""
    counted = sorted(cases.items(), key=lambda found: (-found[1], found[0] or ""))
    return ", ".join(f"{count} {status or 'undetermined'}" for status, count in counted)


def _decide(state: CollectiveState, command: Command) -> list[DomainEvent]:
    if isinstance(command, OpenCollective):
        if state.exists:
            raise AlreadyExists(f"collective process {command.collective_id} exists", field="collective_id")
        return [CollectiveOpened(company_id=command.company_id, reference_number=command.reference_number or None)]
    if not state.exists:
        raise NotFound("there is no such collective process", field="collective_id", hint="open it: OpenCollective")
    return []  # a case is opened in it: it takes part only to say that it is there


def _evolve(state: CollectiveState, event: CollectiveEvent) -> CollectiveState:
    match event:
        case CollectiveOpened():
            return replace(state, exists=True, company_id=event.company_id)
        case _:
            assert_never(event)


def _parent(state: CollectiveState) -> Participant | None:
    return Participant("company", state.company_id) if state.company_id else None


COLLECTIVE: Final = Decider("collective", CollectiveState(), _decide, _evolve, owner=lambda _: None, parent=_parent)
