"""The conversation: the messages exchanged with a person, and the summary that stands for those long past.

A stream of its own: a message touches neither the account nor a profile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self, assert_never
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.command import Command, Participant, not_ahead
from domain.contexts import Context
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound
from domain.event import DomainEvent, Personal
from domain.values import Instant, ShortText, Text


class MessageRole(StrEnum):
    """Who a message is from; strict in commands, kept as found in imports."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


# --- commands ---------------------------------------------------------------------------------------------------------


class _ConversationCommand(Command):
    conversation_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The conversation alone."""
        return (Participant("conversation", self.conversation_id),)


class StartConversation(_ConversationCommand):
    """Start a conversation with a person, perhaps about what they look for in a context. It began now, or earlier."""

    account_id: UUID
    context: Context | None = None
    began_at: Instant | None = None

    def participants(self) -> tuple[Participant, ...]:
        """The conversation, and the account, which must stand and be active."""
        return Participant("conversation", self.conversation_id), Participant("account", self.account_id)

    def at(self, now: datetime) -> Self:
        """Return the command with its time; raises InvalidCommand for a time that lies ahead."""
        return not_ahead(self, "began_at", now)


class RecordMessage(_ConversationCommand):
    """Record a message, sent now or earlier. One that is off the record leaves a marker without content."""

    role: MessageRole
    content: Text | None = None
    off_record: bool = False
    sent_at: Instant | None = None

    def at(self, now: datetime) -> Self:
        """Return the command with its time; raises InvalidCommand for a time that lies ahead."""
        return not_ahead(self, "sent_at", now)


class SummariseHistory(_ConversationCommand):
    """Put a summary in the place of the one before; `summary_version` names what made it, the rest what it took."""

    summary: Text = Field(min_length=1)
    summary_version: ShortText | None = None
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    cost_usd: float | None = Field(default=None, ge=0)


# --- events -----------------------------------------------------------------------------------------------------------


class ConversationStarted(DomainEvent, topic="conversation.started"):
    """A conversation with a person began, at a time an imported one may not tell.

    `context_profile_id` is the legacy row an import found its messages under, `interactions` from where to count them;
    None where nobody counted.
    """

    account_id: UUID
    context: str | None = None
    context_profile_id: str | None = None
    began_at: AwareDatetime | None = None
    interactions: int | None = None


class MessageRecorded(DomainEvent, topic="conversation.message_recorded"):
    """A message was exchanged; the version of the event is its number. `key` is that of the legacy row it came from."""

    role: Personal[str | None] = None
    content: Personal[str | None] = None
    off_record: bool = False
    sent_at: AwareDatetime | None = None
    key: str | None = None

    @property
    def effective_at(self) -> datetime | None:
        """When it was sent, which is when it happened."""
        return self.sent_at


class HistorySummarised(DomainEvent, topic="conversation.history_summarised"):
    """A summary took the place of the one before; `token_usage` is what making it took."""

    summary: Personal[str | None] = None
    summary_version: str | None = None
    token_usage: dict[str, Any] | None = None


class InteractionsCounted(DomainEvent, topic="conversation.interactions_counted"):
    """An import found how many interactions there had been; those recorded from here on count beside."""

    total: int


ConversationEvent = ConversationStarted | MessageRecorded | HistorySummarised | InteractionsCounted


# --- state and decisions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConversationState:
    """What decisions about a conversation rest on; of its summary and messages only that they are there."""

    account_id: UUID | None = None


def _decide(state: ConversationState, command: Command) -> list[DomainEvent]:
    if isinstance(command, StartConversation):
        if state.account_id is not None:
            raise AlreadyExists(f"conversation {command.conversation_id} exists", field="conversation_id")
        return [
            ConversationStarted(
                account_id=command.account_id, context=command.context, began_at=command.began_at, interactions=0
            )
        ]
    if state.account_id is None:
        raise NotFound("there is no such conversation", field="conversation_id", hint="start it with StartConversation")
    match command:
        case RecordMessage():
            return [_recorded(command)]
        case SummariseHistory():
            return [_summarised(command)]
        case _:
            raise InvalidCommand(f"a conversation does not decide on {type(command).__name__}")


def _recorded(command: RecordMessage) -> MessageRecorded:
    if command.off_record and command.content:
        raise InvalidCommand("what is off the record is not kept", field="content", hint="leave the content out")
    if not command.off_record and not command.content:
        raise InvalidCommand("a message has a content", field="content", hint="or is marked off_record")
    return MessageRecorded(
        role=command.role, content=command.content, off_record=command.off_record, sent_at=command.sent_at
    )


def _summarised(command: SummariseHistory) -> HistorySummarised:
    used = command.model_dump(include={"prompt_tokens", "completion_tokens", "cost_usd"}, exclude_none=True)
    if {"prompt_tokens", "completion_tokens"} <= used.keys():
        used["total_tokens"] = used["prompt_tokens"] + used["completion_tokens"]
    return HistorySummarised(
        summary=command.summary, summary_version=command.summary_version or None, token_usage=used or None
    )


def _evolve(state: ConversationState, event: ConversationEvent) -> ConversationState:
    match event:
        case ConversationStarted():
            return replace(state, account_id=event.account_id)
        case MessageRecorded() | HistorySummarised() | InteractionsCounted():
            return state
        case _:
            assert_never(event)


CONVERSATION: Final = Decider(
    "conversation", ConversationState(), _decide, _evolve, owner=lambda state: state.account_id
)
