"""Any export of the cases system: derived without error, accounted for leaf by leaf, folded, decided on and proven."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.account import ACCOUNT, ChangeContact
from domain.case import CASE, ChangeCaseStatus, CorrectCaseStatus, ReopenCase, UpdateCase
from domain.case_fields import FILLABLE
from domain.collective import COLLECTIVE, OpenCollective
from domain.company import COMPANY, AddCompanyMember, UpdateCompany
from domain.decider import Decider
from domain.errors import AlreadyExists
from domain.status_catalogue import SEEDED, STATUS, RetireStatus
from migrations_replay.facts import Facts
from migrations_replay.systems.cases import SYSTEM
from tests.support.any_cases import exports
from tests.support.laws import Export, adds_up_in_any_order, is_proven
from tests.support.legacy import MemorySource, index, recorded, rows_of
from tests.support.legacy_cases import when

# --- the properties ---------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(exports(), st.randoms(use_true_random=False))
def test_any_export_adds_up_and_is_derived_the_same_whatever_the_order_of_lines(tables: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)


@settings(max_examples=20)
@given(exports(repeats=True))
def test_what_any_export_implies_can_be_stored_read_back_and_proven(tables: Export) -> None:
    is_proven(SYSTEM, tables)


@settings(max_examples=20)
@given(exports(repeats=True))
def test_the_tables_of_any_export_hold_what_they_promise(tables: Export) -> None:
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


@settings(max_examples=20)
@given(exports(repeats=True), st.sampled_from(sorted(SEEDED)))
def test_whatever_was_imported_takes_live_commands(tables: Export, code: str) -> None:
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
