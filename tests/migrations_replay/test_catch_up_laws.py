"""Any newer export of any system: taken in behind an older one it leaves what it would have left by itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.mapper import canonical_json
from migrations_replay.merging import BOOKKEEPING
from migrations_replay.systems import SYSTEMS
from tests.support import any_contexts, any_decks, any_talent, legacy_caregivers
from tests.support.laws import Export
from tests.support.memory_store import MemoryStore, proof, take, without_set_aside

EXPORTS: dict[str, st.SearchStrategy[Export]] = {
    "contexts": any_contexts.exports(),
    "talent": any_talent.exports(),
    "decks": any_decks.exports(),
    "caregivers": legacy_caregivers.exports(),
}
OF_RUNS = {"migration_runs", "quarantine"}
NUMBERS = {"number", "entry", "place", "became_version", "superseded_by", "status_entry"}
"""Columns that hold the number of an event: another where there were others before."""
JUDGED_ONCE = {"dangling", "foreign_fields"}


def _tables(store: MemoryStore) -> dict[str, Counter[bytes]]:
    skipped = {*BOOKKEEPING, *NUMBERS, *JUDGED_ONCE}
    return {
        name: Counter(canonical_json({key: value for key, value in row.items() if key not in skipped}) for row in rows)
        for name, rows in store.all_rows().items()
        if name not in OF_RUNS
    }


def _law(name: str, older: Export, newer: Export) -> None:
    system = SYSTEMS[name]
    newer = without_set_aside(system, newer)  # a line that is broken now takes nothing back
    merged, fresh = MemoryStore(), MemoryStore()
    take(merged, system, older)
    outcome = take(merged, system, newer, delete=True)
    assert [*outcome.pending, *outcome.kept] == []
    take(fresh, system, newer)
    assert _tables(merged) == _tables(fresh)
    assert proof(merged, system, newer).differences == []
    before = merged.position()
    again = take(merged, system, newer, delete=True)
    assert (again.appended, merged.position()) == ({}, before)
    assert take(merged, system, older).appended == {} or again.older == 0


@pytest.mark.parametrize("name", ["contexts", "talent", "caregivers"])
@settings(max_examples=6)
@given(data=st.data())
def test_catching_up_is_as_good_as_beginning_with_the_newer_export(name: str, data: Any) -> None:
    _law(name, data.draw(EXPORTS[name]), data.draw(EXPORTS[name]))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", EXPORTS)
@settings(max_examples=300)
@given(data=st.data())
def test_so_it_is_for_many(name: str, data: Any) -> None:
    _law(name, data.draw(EXPORTS[name]), data.draw(EXPORTS[name]))
