from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from domain.conversation import (
    ConversationStarted,
    HistorySummarised,
    InteractionsCounted,
    MessageRecorded,
)
from domain.event import ERASED
from projections import conversations, messages
from projections.as_of import rows_known_at
from tests.projections.histories import START, history, row_of

TALK, ACCOUNT = UUID(int=1), UUID(int=2)
STARTED = ConversationStarted(account_id=ACCOUNT, context="romantic", context_profile_id="c1", began_at=START)
HELLO = MessageRecorded(role="user", content="hello", sent_at=START + timedelta(hours=2), key="m1")
MARKER = MessageRecorded(role="user", off_record=True)


def test_a_conversation_with_messages_and_a_summary() -> None:
    early = MessageRecorded(role="assistant", content="hi", sent_at=START)
    summary = HistorySummarised(summary="greets", summary_version="v1", token_usage={"cost_usd": 0.0})
    row = row_of(conversations.MODEL, history(TALK, STARTED, HELLO, early, MARKER, summary))
    assert row == {
        "conversation_id": TALK,
        "account_id": ACCOUNT,
        "context": "romantic",
        "context_profile_id": "c1",
        "began_at": START,
        "message_count": 3,
        "interaction_count": None,
        "last_message_at": START + timedelta(hours=2),
        "summary": "greets",
        "summary_version": "v1",
        "token_usage": {"cost_usd": 0.0},
        "created_at": START + timedelta(days=1),
        "updated_at": START + timedelta(days=5),
        "origin": "live",
        "version": 5,
        "position": 50,
        "recorded_at": START + timedelta(days=5, hours=1),
    }


def test_interactions_go_on_from_what_an_import_counted() -> None:
    counted = InteractionsCounted(total=40)
    assert row_of(conversations.MODEL, history(TALK, STARTED, HELLO, counted, HELLO))["interaction_count"] == 41
    live = ConversationStarted(account_id=ACCOUNT, interactions=0)
    assert row_of(conversations.MODEL, history(TALK, live, HELLO))["interaction_count"] == 1


def test_a_message_is_a_row_by_its_number() -> None:
    first, second = rows_known_at(messages.MODEL, history(TALK, STARTED, HELLO, MARKER), None)
    assert first == {
        "conversation_id": TALK,
        "number": 2,
        "key": "m1",
        "role": "user",
        "content": "hello",
        "off_record": False,
        "sent_at": START + timedelta(hours=2),
        "updated_at": START + timedelta(days=2),
        "origin": "live",
        "version": 2,
        "position": 20,
        "recorded_at": START + timedelta(days=2, hours=1),
    }
    assert (second["number"], second["content"], second["off_record"], second["sent_at"]) == (3, None, True, None)


def test_erased_words_are_gone() -> None:
    events = [MessageRecorded(role=ERASED, content=ERASED), HistorySummarised(summary=ERASED, summary_version="v1")]
    past = history(TALK, STARTED, *events)
    assert row_of(conversations.MODEL, past)["summary"] is None
    (message,) = rows_known_at(messages.MODEL, past, None)
    assert (message["role"], message["content"]) == (None, None)
