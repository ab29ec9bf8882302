from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.command import parse_command
from domain.conversation import (
    CONVERSATION,
    ConversationStarted,
    HistorySummarised,
    InteractionsCounted,
    MessageRecorded,
    MessageRole,
    RecordMessage,
    StartConversation,
    SummariseHistory,
)
from domain.errors import AlreadyExists, InvalidCommand, NotFound
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS, CONVERSATION_ID
from tests.support.given_when_then import given

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STARTED = ConversationStarted(account_id=ADA, began_at=NOW, interactions=0)


def _message(**said: Any) -> RecordMessage:
    return RecordMessage(conversation_id=CONVERSATION_ID, role=MessageRole.USER, **said)


def test_a_conversation_is_started_once() -> None:
    start = StartConversation(conversation_id=CONVERSATION_ID, account_id=ADA, began_at=NOW)
    assert CONVERSATION.owner(given(CONVERSATION).when(start).then(STARTED)) == ADA
    given(CONVERSATION, STARTED).when(start).raises(AlreadyExists, field="conversation_id")


def test_a_message_is_recorded_as_of_when_it_was_sent() -> None:
    event = MessageRecorded(role="user", content="hello", sent_at=NOW)
    given(CONVERSATION, STARTED).when(_message(content=" hello ", sent_at=NOW)).then(event)
    assert event.effective_at == NOW


def test_what_is_off_the_record_leaves_a_marker_only() -> None:
    given(CONVERSATION, STARTED).when(_message(off_record=True)).then(MessageRecorded(role="user", off_record=True))
    given(CONVERSATION, STARTED).when(_message(off_record=True, content="psst")).raises(InvalidCommand, field="content")
    given(CONVERSATION, STARTED).when(_message(content=" ")).raises(InvalidCommand, field="content")


def test_a_summary_says_what_it_took() -> None:
    command = SummariseHistory(
        conversation_id=CONVERSATION_ID, summary="tired", prompt_tokens=0, completion_tokens=3, cost_usd=0.0
    )
    used = {"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 3, "cost_usd": 0.0}
    given(CONVERSATION, STARTED).when(command).then(HistorySummarised(summary="tired", token_usage=used))
    unmeasured = SummariseHistory(conversation_id=CONVERSATION_ID, summary="tired", summary_version=" ")
    given(CONVERSATION, STARTED, InteractionsCounted(total=7)).when(unmeasured).then(HistorySummarised(summary="tired"))


def test_times_are_now_or_past() -> None:
    assert _message(content="x").at(NOW).sent_at == NOW
    assert _message(content="x", sent_at=NOW).at(NOW).sent_at == NOW
    with pytest.raises(InvalidCommand) as refused:
        _message(content="x", sent_at=NOW + timedelta(seconds=1)).at(NOW)
    assert refused.value.field == "sent_at"


@pytest.mark.parametrize("name", ["RecordMessage", "SummariseHistory"])
def test_only_a_conversation_that_began_goes_on(name: str) -> None:
    given(CONVERSATION).when(COMMANDS[name]).raises(NotFound, field="conversation_id")


def test_roles_are_strict_in_commands() -> None:
    with pytest.raises(InvalidCommand) as refused:
        parse_command("RecordMessage", {"conversation_id": str(CONVERSATION_ID), "role": "tool", "content": "x"})
    assert refused.value.field == "role"


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"StartConversation", "RecordMessage", "SummariseHistory"}))
def test_a_conversation_does_not_decide_on_what_does_not_name_it(name: str) -> None:
    given(CONVERSATION, STARTED).when(COMMANDS[name]).raises(InvalidCommand, field=None)
