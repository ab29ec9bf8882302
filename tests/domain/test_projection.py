from __future__ import annotations

from uuid import UUID

from domain.projection import PROJECTION, EventRestored, EventSkipped, ProjectionState, RestoreEvent, SkipEvent
from tests.support.given_when_then import given

EVENT = {"read_model": "accounts", "stream": UUID(int=1), "version": 3, "reason": "broken"}
SKIP, SKIPPED = SkipEvent.model_validate(EVENT), EventSkipped.model_validate(EVENT)
RESTORE, RESTORED = RestoreEvent.model_validate(EVENT), EventRestored.model_validate(EVENT)


def test_an_event_is_skipped_once_and_can_be_restored() -> None:
    assert given(PROJECTION).when(SKIP).then(SKIPPED) == ProjectionState(frozenset({(UUID(int=1), 3)}))
    given(PROJECTION, SKIPPED).when(SKIP).nothing()
    assert given(PROJECTION, SKIPPED).when(RESTORE).then(RESTORED) == ProjectionState()
    given(PROJECTION, SKIPPED, RESTORED).when(SKIP).then(SKIPPED)


def test_what_is_not_skipped_need_not_be_restored() -> None:
    given(PROJECTION).when(RESTORE).nothing()
    given(PROJECTION, SKIPPED, RESTORED).when(RESTORE).nothing()
