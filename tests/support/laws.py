"""What holds of any export of any legacy system, whatever stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adapters.postgres.mapper import canonical_json
from migrations_replay.bundle import Selection
from migrations_replay.facts import Facts, LegacySystem
from migrations_replay.given_back import without_a_way_back
from migrations_replay.leaves import CLASSES, MAPPED, Ledger, count_leaves, leaves
from migrations_replay.reconcile import Reconcile
from migrations_replay.report import as_plain
from projections.all import READ_MODELS
from tests.support.legacy import Line, MemorySource, MemoryTables, index

Export = dict[str, list[Line]]


def told(system: LegacySystem, tables: Export) -> Any:
    """Return all that an export implies, in a form that compares; every leaf must be accounted for on the way."""
    found, ledger, total = index(MemorySource(**tables), system), Ledger(), 0
    by_records = {}
    for bundle in found:
        facts = system.derive(bundle)
        assert not list(without_a_way_back(facts))
        for record in facts.records.values():
            ledger.add(record.record.document, record.classes)
            total += count_leaves(record.record.document)
            assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
            assert set(record.classes.values()) <= set(CLASSES)
            assert {expected.pointer for expected in record.expected} <= set(record.classes)
        by_records[frozenset(facts.records)] = _comparable(facts)
    for aside in found.set_aside():
        ledger.quarantine(aside.document)
        total += count_leaves(aside.document)
    assert ledger.adds_up
    assert ledger.total == total
    return by_records, ledger.as_dict()


def _comparable(facts: Facts) -> Any:
    lists = (facts.conflicts, facts.unmapped, facts.quarantine, facts.findings)
    return (
        {key: sorted(record.classes.items()) for key, record in facts.records.items()},
        {
            str(stream.stream): [(canonical_json(new.event), new.occurred_at, new.actor) for new in stream.events]
            for stream in facts.streams
        },
        [sorted(map(_without_bundle, entries)) for entries in lists],
        sorted(facts.tally.items()),
        facts.subject,
    )


def _without_bundle(entry: dict[str, Any]) -> str:
    """A bundle of rows that share something is named by the one that comes first: that alone may differ."""
    return json.dumps(as_plain(entry | {"bundle": ""}), sort_keys=True)


def adds_up_in_any_order(system: LegacySystem, tables: Export, rng: Any) -> None:
    """Check that an export implies the same in any order of its lines, and each time."""
    shuffled = {name: rng.sample(lines, len(lines)) for name, lines in tables.items()}
    assert told(system, tables) == told(system, tables) == told(system, shuffled)


def is_proven(system: LegacySystem, tables: Export) -> Iterator[Facts]:
    """Check that all an export implies can be stored, read back, proven and given back; yields what it implies."""
    found = Selection(index(MemorySource(**tables), system))
    all_facts = [system.derive(bundle) for bundle in found]
    proof = Reconcile(system, MemoryTables(all_facts), READ_MODELS).run(found, lambda _: None)
    assert proof.differences == []
    classes = (name for facts in all_facts for record in facts.records.values() for name in record.classes.values())
    assert proof.counts["equal"] == sum(name == MAPPED for name in classes)
    return iter([system.derive(bundle) for bundle in found])
