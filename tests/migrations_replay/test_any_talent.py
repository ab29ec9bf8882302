"""Any export of the talent system: derived without error, accounted for by leaf, proven, given back, decided on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.account import ACCOUNT, UpdateAccount
from domain.item import ITEM, UpdateItem
from domain.profile import PROFILE, UpdateProfile
from migrations_replay.facts import Facts
from migrations_replay.systems.talent import SYSTEM
from tests.support.any_talent import exports
from tests.support.laws import Export, adds_up_in_any_order, is_proven
from tests.support.legacy import recorded

FEW, MANY = settings(max_examples=25), settings(max_examples=1000)


def _is_proven_and_goes_on(tables: Export) -> None:
    for facts in is_proven(SYSTEM, tables):
        _takes_live_commands(facts)


def _takes_live_commands(facts: Facts) -> None:
    commands: dict[str, tuple[Any, Any]] = {
        "account": (ACCOUNT, lambda stream: UpdateAccount(account_id=stream, changes={"first_name": "Another"})),
        "profile": (PROFILE, lambda stream: UpdateProfile(profile_id=stream, changes={"display_name": "Another"})),
        "item": (ITEM, lambda stream: UpdateItem(item_id=stream, changes={})),
    }
    for stream, events in recorded(facts).items():
        noun = events[0].topic.partition(".")[0]
        if noun in commands:
            decider, command = commands[noun]
            state = decider.fold(event.event for event in events)
            assert len(decider.decide(state, command(stream))) == (noun != "item")


@FEW
@given(exports(), st.randoms(use_true_random=False))
def test_any_export_adds_up_and_is_derived_the_same_whatever_the_order_of_lines(tables: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)


@FEW
@given(exports(repeats=True))
def test_any_export_can_be_stored_proven_given_back_and_changed(tables: Export) -> None:
    _is_proven_and_goes_on(tables)


@pytest.mark.soak
@pytest.mark.timeout(900)
@MANY
@given(exports(), exports(repeats=True), st.randoms(use_true_random=False))
def test_many_exports_do_so_too(tables: Export, broken: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)
    _is_proven_and_goes_on(broken)
