"""Any export of the talent system: derived without error, accounted for by leaf, proven, given back, decided on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.mapper import canonical_json
from domain.account import ACCOUNT, UpdateAccount
from domain.item import ITEM, UpdateItem
from domain.profile import PROFILE, UpdateProfile
from migrations_replay.bundle import Selection
from migrations_replay.facts import Facts
from migrations_replay.given_back import without_a_way_back
from migrations_replay.leaves import CLASSES, Ledger, count_leaves, leaves
from migrations_replay.reconcile import Reconcile
from migrations_replay.report import as_plain
from migrations_replay.systems.talent import SYSTEM
from projections.all import READ_MODELS
from tests.support.any_talent import exports
from tests.support.legacy import Line, MemorySource, MemoryTables, index, recorded

Export = dict[str, list[Line]]
FEW, MANY = settings(max_examples=25), settings(max_examples=1000)


def _told(tables: Export) -> Any:
    """Return all that an export implies, in a form that compares."""
    found, ledger, total = index(MemorySource(**tables), SYSTEM), Ledger(), 0
    told = {}
    for bundle in found:
        facts = SYSTEM.derive(bundle)
        assert list(without_a_way_back(facts)) == []
        for record in facts.records.values():
            ledger.add(record.record.document, record.classes)
            total += count_leaves(record.record.document)
            assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
            assert set(record.classes.values()) <= set(CLASSES)
            assert {expected.pointer for expected in record.expected} <= set(record.classes)
        lists = (facts.conflicts, facts.unmapped, facts.findings)
        told[frozenset(facts.records)] = (
            {key: sorted(record.classes.items()) for key, record in facts.records.items()},
            {
                stream.stream: [(canonical_json(new.event), new.occurred_at) for new in stream.events]
                for stream in facts.streams
            },
            [sorted(repr(as_plain(entry)) for entry in entries) for entries in lists],
        )
    for aside in found.set_aside():
        ledger.quarantine(aside.document)
        total += count_leaves(aside.document)
    assert ledger.adds_up
    assert ledger.total == total
    return told, ledger.as_dict()


def _adds_up_in_any_order(tables: Export, rng: Any) -> None:
    assert _told(tables) == _told({name: rng.sample(lines, len(lines)) for name, lines in tables.items()})


def _is_proven_and_goes_on(tables: Export) -> None:
    found = Selection(index(MemorySource(**tables), SYSTEM))
    store = MemoryTables(SYSTEM.derive(bundle) for bundle in found)
    proof = Reconcile(SYSTEM, store, READ_MODELS).run(found, lambda _: None)
    assert proof.differences == []
    for bundle in found:
        _takes_live_commands(SYSTEM.derive(bundle))


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
    _adds_up_in_any_order(tables, rng)


@FEW
@given(exports(repeats=True))
def test_any_export_can_be_stored_proven_given_back_and_changed(tables: Export) -> None:
    _is_proven_and_goes_on(tables)


@pytest.mark.soak
@pytest.mark.timeout(900)
@MANY
@given(exports(), exports(repeats=True), st.randoms(use_true_random=False))
def test_many_exports_do_so_too(tables: Export, broken: Export, rng: Any) -> None:
    _adds_up_in_any_order(tables, rng)
    _is_proven_and_goes_on(broken)
