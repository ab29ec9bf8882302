"""Any export of the decks system: derived without error, accounted for leaf by leaf, proven, given back, decided on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.account import ACCOUNT, UpdateAccount
from domain.billing import BILLING, ChangeSubscriptionStatus, Subscription
from domain.decider import Decider
from domain.identity import EnsureProfile, SyncIdentity
from domain.profile import PROFILE, UpdateProfile
from domain.streams import billing_id, merged_profile_id
from migrations_replay.systems.decks import SYSTEM
from tests.support.any_decks import exports
from tests.support.laws import Export, adds_up_in_any_order, is_proven
from tests.support.legacy import recorded

FEW, MANY = settings(max_examples=25), settings(max_examples=1500)


def _is_proven_and_goes_on(tables: Export) -> None:
    for facts in is_proven(SYSTEM, tables):
        if facts.streams:
            _takes_live_commands(facts.subject, recorded(facts))


def _state(decider: Decider[Any], streams: Any, stream: Any) -> Any:
    return decider.fold(new.event for new in streams.get(stream, []))


def _takes_live_commands(account_id: Any, streams: Any) -> None:
    account = _state(ACCOUNT, streams, account_id)
    profile = _state(PROFILE, streams, merged_profile_id(account_id, "deck"))
    billing = _state(BILLING, streams, billing_id(account_id))
    assert ACCOUNT.decide(account, EnsureProfile(account_id=account_id, kind="deck")) == []
    assert len(ACCOUNT.decide(account, SyncIdentity(account_id=account_id, email="new@x.org", name="New N."))) == 2
    assert ACCOUNT.decide(account, UpdateAccount(account_id=account_id, changes={"language": "rm"}))
    assert PROFILE.decide(profile, UpdateProfile(profile_id=account_id, changes={"bio": "A new one"}))
    if billing.timeline.entries:
        wanted = Subscription.PAUSED
        at = max(entry.at for entry in billing.timeline.entries)
        assert BILLING.decide(billing, ChangeSubscriptionStatus(account_id=account_id, status=wanted, effective_at=at))


@FEW
@given(exports(), st.randoms(use_true_random=False))
def test_any_export_adds_up_and_is_derived_the_same_whatever_the_order_of_lines(tables: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)


@FEW
@given(exports(repeats=True))
def test_any_export_can_be_stored_proven_given_back_and_changed(tables: Export) -> None:
    _is_proven_and_goes_on(tables)


@pytest.mark.soak
@MANY
@given(exports(), exports(repeats=True), st.randoms(use_true_random=False))
def test_many_exports_do_so_too(tables: Export, broken: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)
    _is_proven_and_goes_on(broken)
