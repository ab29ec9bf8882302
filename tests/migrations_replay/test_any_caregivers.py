"""Any export of the caregivers system: accounted for leaf by leaf, proven, given back, and every decider goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.mapper import canonical_json
from domain.billing import BILLING, CancelSubscription
from domain.conversation import CONVERSATION, MessageRole, RecordMessage
from domain.profile import PROFILE, UpdateProfile
from domain.streams import billing_id, conversation_id, merged_profile_id
from migrations_replay.facts import Facts
from migrations_replay.given_back import without_a_way_back
from migrations_replay.leaves import Ledger, count_leaves, leaves
from migrations_replay.report import as_plain
from migrations_replay.systems.caregivers import SYSTEM
from tests.support.legacy import Line, MemorySource, index, recorded
from tests.support.legacy_caregivers import exports, proof_of

Export = dict[str, list[Line]]
FEW, MANY = settings(max_examples=30), settings(max_examples=1500)


def _told(facts: Facts) -> Any:
    return (
        {key: sorted(record.classes.items()) for key, record in facts.records.items()},
        [
            (stream.stream, [(canonical_json(new.event), new.occurred_at) for new in stream.events])
            for stream in facts.streams
        ],
        [sorted(repr(as_plain(entry)) for entry in entries) for entries in (facts.conflicts, facts.unmapped)],
        sorted(repr(as_plain(entry)) for entry in facts.findings),
    )


def _adds_up_and_is_proven(tables: Export, rng: Any) -> None:
    told = []
    for export in (tables, {name: rng.sample(lines, len(lines)) for name, lines in tables.items()}):
        found, ledger, total = index(MemorySource(**export), SYSTEM), Ledger(), 0
        by_records = {}
        for bundle in found:
            facts = SYSTEM.derive(bundle)
            assert not list(without_a_way_back(facts))
            by_records[frozenset(facts.records)] = _told(facts)
            for record in facts.records.values():
                assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
                ledger.add(record.record.document, record.classes)
                total += count_leaves(record.record.document)
            _goes_on(facts)
        for aside in found.set_aside():
            ledger.quarantine(aside.document)
            total += count_leaves(aside.document)
        assert ledger.adds_up
        assert ledger.total == total
        assert proof_of(MemorySource(**export)).differences == []
        told.append(by_records)
    ids = [str(line)[:12] for line in tables["users"]]
    if len(ids) == len({*ids}):  # else which of two lines with one id comes first decides
        assert told[0] == told[1]


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
