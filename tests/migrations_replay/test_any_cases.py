"""Any export of the cases system: derived without error, accounted for leaf by leaf, folded, decided on and proven."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.mapper import canonical_json
from domain.account import ACCOUNT, ChangeContact
from domain.case import CASE, ChangeCaseStatus, CorrectCaseStatus, ReopenCase, UpdateCase
from domain.case_fields import FILLABLE
from domain.collective import COLLECTIVE, OpenCollective
from domain.company import COMPANY, AddCompanyMember, UpdateCompany
from domain.decider import Decider
from domain.errors import AlreadyExists
from domain.status_catalogue import SEEDED, STATUS, RetireStatus
from migrations_replay.bundle import Selection
from migrations_replay.facts import Facts
from migrations_replay.given_back import without_a_way_back
from migrations_replay.leaves import CLASSES, MAPPED, Ledger, count_leaves, leaves
from migrations_replay.reconcile import Reconcile
from migrations_replay.report import as_plain
from migrations_replay.systems.cases import SYSTEM
from projections.all import READ_MODELS
from tests.support.any_cases import exports
from tests.support.legacy import Line, MemorySource, MemoryTables, index, recorded, rows_of
from tests.support.legacy_cases import when

# --- the properties ---------------------------------------------------------------------------------------------------


def _without_bundle(entry: dict[str, Any]) -> str:
    """A bundle of rows of one user or one code is named by the one that comes first: that alone may differ."""
    return json.dumps(as_plain({name: value for name, value in entry.items() if name != "bundle"}), sort_keys=True)


def _told(facts: Facts) -> Any:
    """All that a bundle implies, in a form that compares."""
    streams = {str(stream.stream): stream.events for stream in facts.streams}
    return (
        {
            key: (sorted(record.classes.items()), sorted(map(repr, record.expected)))
            for key, record in facts.records.items()
        },
        {
            stream: [(canonical_json(new.event), new.occurred_at, new.actor, repr(new.provenance)) for new in events]
            for stream, events in streams.items()
        },
        *(
            sorted(map(_without_bundle, entries))
            for entries in (facts.conflicts, facts.unmapped, facts.quarantine, facts.findings)
        ),
        sorted(facts.tally.items()),
        str(facts.subject),
    )


@settings(max_examples=50)
@given(exports(), st.randoms(use_true_random=False))
def test_any_export_adds_up_and_is_derived_the_same_whatever_the_order_of_lines(
    tables: dict[str, list[Line]], rng: Any
) -> None:
    shuffled = {name: rng.sample(lines, len(lines)) for name, lines in tables.items()}
    told = []
    for export in (tables, shuffled, tables):
        found, ledger, total = index(MemorySource(**export), SYSTEM), Ledger(), 0
        by_records = {}
        for bundle in found:
            facts = SYSTEM.derive(bundle)
            by_records[frozenset(facts.records)] = _told(facts)
            assert not list(without_a_way_back(facts))
            for record in facts.records.values():
                ledger.add(record.record.document, record.classes)
                total += count_leaves(record.record.document)
                assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
                assert set(record.classes.values()) <= set(CLASSES)
                assert {expected.pointer for expected in record.expected} <= set(record.classes)
        for aside in found.set_aside():
            ledger.quarantine(aside.document)
            total += count_leaves(aside.document)
        assert ledger.adds_up
        assert ledger.total == total
        told.append((by_records, ledger.as_dict()))
    assert told[0] == told[2]
    assert told[0] == told[1]


@settings(max_examples=50)
@given(exports(repeats=True))
def test_what_any_export_implies_can_be_stored_read_back_and_proven(tables: dict[str, list[Line]]) -> None:
    found = Selection(index(MemorySource(**tables), SYSTEM))
    store = MemoryTables(SYSTEM.derive(bundle) for bundle in found)
    proof = Reconcile(SYSTEM, store, READ_MODELS).run(found, lambda _: None)
    assert proof.breaches == 0, proof.differences
    assert proof.differences == []
    assert proof.counts["equal"] == sum(
        leaf_class == MAPPED
        for bundle in found
        for record in SYSTEM.derive(bundle).records.values()
        for leaf_class in record.classes.values()
    )


@settings(max_examples=50)
@given(exports(repeats=True))
def test_the_tables_of_any_export_hold_what_they_promise(tables: dict[str, list[Line]]) -> None:
    for bundle in index(MemorySource(**tables), SYSTEM):
        facts = SYSTEM.derive(bundle)
        rows = rows_of(facts)
        entries = [row for (model, _), row in rows.items() if model == "status_history"]
        active = Counter(row["owner_id"] for row in entries if row["is_active"])
        assert set(active.values()) <= {1}
        for (model, key), row in rows.items():
            if model == "cases":
                held = next((entry for entry in entries if entry["is_active"]), None)
                assert row["status"] == (held and held["status"])
                assert row["status_entry"] == (held and held["entry"])
                assert key[0] == SYSTEM.stream_of(bundle.root.key)
        in_force = sorted((row for row in entries if not row["superseded"]), key=lambda row: row["entry"])
        for one, other in pairwise(in_force):
            assert one["active_from"] <= other["active_from"]
            assert one["active_to"] == other["active_from"]
            assert not one["is_active"]
        accounts = {entry["account_id"] for (model, _), entry in rows.items() if model == "accounts"}
        assert accounts <= {facts.subject}


def _state(decider: Decider[Any], facts: Facts) -> Any:
    (stream,) = facts.streams
    return decider.fold(event.event for event in recorded(facts)[stream.stream])


@settings(max_examples=50)
@given(exports(repeats=True), st.sampled_from(sorted(SEEDED)))
def test_whatever_was_imported_takes_live_commands(tables: dict[str, list[Line]], code: str) -> None:
    for bundle in index(MemorySource(**tables), SYSTEM):
        facts = SYSTEM.derive(bundle)
        if not facts.streams:
            assert bundle.root.table in ("people", "users")
            continue
        stream = facts.streams[0].stream
        match bundle.root.table:
            case "individualProcesses":
                _goes_on(facts, stream, code)
            case "companies":
                state = _state(COMPANY, facts)
                assert COMPANY.decide(state, UpdateCompany(company_id=stream, changes={"name": "Another"}))
                assert COMPANY.decide(state, AddCompanyMember(company_id=stream, account_id=stream))
            case "mainProcesses" | "collectiveProcesses":
                state = _state(COLLECTIVE, facts)
                opening = OpenCollective(collective_id=stream, company_id=stream)
                try:
                    COLLECTIVE.decide(state, opening)
                except AlreadyExists:
                    continue
                raise AssertionError("it was not there")
            case "userProfiles":
                state = _state(ACCOUNT, facts)
                assert ACCOUNT.decide(state, ChangeContact(account_id=stream, email="a@example.org"))
            case "caseStatuses":
                state = _state(STATUS, facts)
                retired = STATUS.decide(state, RetireStatus(code="rnm", reason="not needed"))
                assert bool(retired) == state.in_use


def _goes_on(facts: Facts, case_id: Any, code: str) -> None:
    """A case takes a change of status now, in the past, and of its fields, and a correction of each entry in force."""
    state = _state(CASE, facts)
    if not state.is_current:
        (reopened,) = CASE.decide(state, ReopenCase(case_id=case_id, reason="needed again"))
        state = CASE.evolve(state, reopened)
    changed = UpdateCase(case_id=case_id, changes={"passport_id": "another"})
    state = CASE.fold(CASE.decide(state, changed), state)
    assert state.fields["passport_id"] == "another"
    active = state.timeline.active
    start = max([when(20), *(entry.at for entry in state.timeline.entries)])
    before = SEEDED.get(active.status or "") if active else None
    binding = before is not None and before.catalogue == SEEDED[code].catalogue and before.code != code
    allowed = before.may_go_to if before and binding else None
    if allowed is None or code in allowed:
        command = ChangeCaseStatus(case_id=case_id, status=code, effective_at=start, notes="live")
        (event,) = CASE.decide(state, command)
        state = CASE.evolve(state, event)
        assert state.timeline.active
        assert state.timeline.active.status == code
    for entry in state.timeline.entries:
        right = CorrectCaseStatus(case_id=case_id, entry=entry.number, status="rnm", notes="right", reason="misread")
        for event in CASE.decide(state, right):
            after = CASE.evolve(state, event)
            assert after.timeline.superseded[entry.number] == after.version
            assert set(after.fields) <= {*state.fields, *FILLABLE}
