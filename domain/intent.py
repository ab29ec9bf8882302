"""The intent: what a person looks for in one relationship context. An account has at most one per context."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never
from uuid import UUID

from pydantic import Field

from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant
from domain.contexts import Context, Tone, shape_of
from domain.decider import Decider
from domain.errors import InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent, Personal, known
from domain.streams import intent_id
from domain.values import Json, Reason, without_unset

TONE: Final = "tone_preference"


class _IntentCommand(Command):
    account_id: UUID
    context: Context

    def participants(self) -> tuple[Participant, ...]:
        """The intent, and the account, which must stand and be active."""
        return (
            Participant("intent", intent_id(self.account_id, self.context)),
            Participant("account", self.account_id),
        )


class DeclareIntent(_IntentCommand):
    """Declare what one looks for in a context."""

    fields: dict[str, Json] = Field(default_factory=dict)
    tone_preference: Tone | None = None


class ReviseIntent(_IntentCommand):
    """Change the given fields or the tone; null or an empty value unsets one, a field left out stays."""

    changes: dict[str, Json] = Field(default_factory=dict)
    tone_preference: Tone | None = None


class WithdrawIntent(_IntentCommand):
    """Look for nothing in this context any more. It can be declared anew."""

    reason: Reason | None = None


class IntentDeclared(DomainEvent, topic="intent.declared"):
    """A person looks for something in a context. `context_profile_id` is the legacy row an import found it in."""

    account_id: UUID
    context: str
    fields: Personal[dict[str, Any]]
    tone_preference: Personal[str | None] = None
    context_profile_id: str | None = None


class IntentRevised(DomainEvent, topic="intent.revised"):
    """Fields (or `tone_preference`) changed; only those that did are named, with old and new value."""

    changes: Personal[dict[str, Change]]


class IntentWithdrawn(DomainEvent, topic="intent.withdrawn"):
    """The person looks for nothing in this context any more."""

    reason: Personal[str | None] = None


IntentEvent = IntentDeclared | IntentRevised | IntentWithdrawn


@dataclass(frozen=True)
class IntentState:
    """What decisions about an intent rest on; the tone stands among the fields."""

    account_id: UUID | None = None
    context: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    declared: bool = False


def _decide(state: IntentState, command: Command) -> list[DomainEvent]:
    if isinstance(command, DeclareIntent):
        return _declare(state, command)
    if not state.declared:
        raise NotFound("no intent is declared in this context", field="context", hint="declare it with DeclareIntent")
    match command:
        case ReviseIntent():
            return _revise(state, command)
        case WithdrawIntent():
            return [IntentWithdrawn(reason=command.reason)]
        case _:
            raise InvalidCommand(f"an intent does not decide on {type(command).__name__}")


def _declare(state: IntentState, command: DeclareIntent) -> list[DomainEvent]:
    if state.declared:
        raise RuleViolated("an intent is declared in this context", field="context", hint="change it with ReviseIntent")
    fields = without_unset(shape_of(command.context).checked(command.fields, where="fields"))
    return [
        IntentDeclared(
            account_id=command.account_id,
            context=command.context,
            fields=fields,
            tone_preference=command.tone_preference,
        )
    ]


def _revise(state: IntentState, command: ReviseIntent) -> list[DomainEvent]:
    wanted = shape_of(command.context).checked(command.changes, where="changes")
    if TONE in command.model_fields_set:
        wanted[TONE] = command.tone_preference
    changes = changed_fields(state.fields, wanted)
    return [IntentRevised(changes=changes)] if changes else []


def _evolve(state: IntentState, event: IntentEvent) -> IntentState:
    match event:
        case IntentDeclared():
            fields = without_unset({**(known(event.fields) or {}), TONE: known(event.tone_preference)})
            return IntentState(event.account_id, event.context, fields, declared=True)
        case IntentRevised():
            return replace(state, fields=with_changes(state.fields, event.changes))
        case IntentWithdrawn():
            return replace(state, declared=False)
        case _:
            assert_never(event)


INTENT: Final = Decider("intent", IntentState(), _decide, _evolve, owner=lambda state: state.account_id)
