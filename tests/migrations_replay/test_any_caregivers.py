"""Any export of the caregivers system: accounted for leaf by leaf, proven, given back, and every decider goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.billing import BILLING, CancelSubscription
from domain.conversation import CONVERSATION, MessageRole, RecordMessage
from domain.profile import PROFILE, UpdateProfile
from domain.streams import billing_id, conversation_id, merged_profile_id
from migrations_replay.facts import Facts
from migrations_replay.systems.caregivers import SYSTEM
from tests.support.laws import Export, adds_up_in_any_order, is_proven, told
from tests.support.legacy import recorded
from tests.support.legacy_caregivers import exports

FEW, MANY = settings(max_examples=30), settings(max_examples=1500)


def _adds_up_and_is_proven(tables: Export, rng: Any) -> None:
    ids = [str(line)[:12] for line in tables["users"]]
    if len(ids) == len({*ids}):
        adds_up_in_any_order(SYSTEM, tables, rng)
    else:  # which of two lines with one id comes first decides
        told(SYSTEM, tables)
    for facts in is_proven(SYSTEM, tables):
        _goes_on(facts)


def _goes_on(facts: Facts) -> None:
    """Every decider continues from what was imported."""
    if facts.subject is None:
        return
    events = {stream: [new.event for new in found] for stream, found in recorded(facts).items()}
    account = facts.subject
    if past := events.get(merged_profile_id(account, "caregiver")):
        command = UpdateProfile(profile_id=account, changes={"first_name": "Somebody new"})
        assert len(PROFILE.decide(PROFILE.fold(past), command)) == 1
    if past := events.get(conversation_id(account)):
        message = RecordMessage(conversation_id=account, role=MessageRole.USER, content="and then?")
        assert len(CONVERSATION.decide(CONVERSATION.fold(past), message)) == 1
    if past := events.get(billing_id(account)):
        state = BILLING.fold(past)
        at = max((entry.at for entry in state.timeline.entries), default=past and facts.occurred())
        cancel = CancelSubscription(account_id=account, effective_at=at, reason="too dear")
        assert len(BILLING.decide(state, cancel)) == 1


@FEW
@given(exports(), st.randoms(use_true_random=False))
def test_any_export_adds_up_is_proven_given_back_and_changed(tables: Export, rng: Any) -> None:
    _adds_up_and_is_proven(tables, rng)


@pytest.mark.soak
@MANY
@given(exports(), st.randoms(use_true_random=False))
def test_many_exports_do_so_too(tables: Export, rng: Any) -> None:
    _adds_up_and_is_proven(tables, rng)
