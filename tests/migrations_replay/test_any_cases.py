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
from migrations_replay.leaves import CLASSES, MAPPED, Ledger, count_leaves, leaves
from migrations_replay.reconcile import Reconcile
from migrations_replay.report import as_plain
from migrations_replay.systems.case_history import FILLABLE_NAMES
from migrations_replay.systems.cases import COMPANY_NAMES, DEFINITION_NAMES, SYSTEM
from projections.all import READ_MODELS
from tests.support.legacy import Line, MemorySource, MemoryTables, index, recorded, rows_of
from tests.support.legacy_cases import when

# --- what stands in an export -----------------------------------------------------------------------------------------

_ODD = [
    *("null", '""', '" "', "[]", "{}", "true", "false", "0", "1", "1.0", "-0.0", "2.5", "1e400", "NaN", "-Infinity"),
    *("9223372036854775807", "9223372036854775808", "1.234567890123456789", "1e19", "1.5e300", '"a"', '" a"', '"\\n"'),
    *(
        '"Zoe\\u0308"',
        '"Zo\\u00eb"',
        '["a"]',
        '["a", "b ", null, 1]',
        '[["a"]]',
        "[null]",
        '{"k": "a"}',
        '{"k": 1e400}',
    ),
    *('{"": {"a/b": "~"}}', '{"n": {"n": [1, null, {}]}}', '"[]"', '"{}"', '"null"', r'"[\"a\", \"b\"]"'),
    *(r'"{\"k\": 1, \"k\": 2}"', r'"[\"\\ud800\"]"', r'"{\"rnmNumber\": \"\\u0000\"}"', r'"{\"douPage\": \"a\"}"'),
    *('{"a": 1, "a": 2}', '"\\u0000"', '"NaN"', '"Infinity"', "[" * 30 + "]" * 30, "[" * 70 + "]" * 70),
]
_TIMES = [
    *("1685631600000", "1685631600000", "1685631600000.0", "1685631600000.5", "1685718000000", "1685804400000"),
    *('"2023-06-01T15:00:00Z"', '"2023-06-02T12:00"', "0", "-62135596800000", "253402300799999", "253402300800000"),
    *("1e300", '"soon"', '"2023-06-01"', '"0000-01-01T00:00:00Z"', '"NaN"', "NaN", "null", "true", "1685757600000"),
]
_STATUSES = [
    *('"em_tramite"', '"Em tr\\u00e2mite"', '"Em tra\\u0302mite "', '"EM TRAMITE"', '"rnm"', '"RNM"', '"exigencia"'),
    *('"Exig\\u00eancia"', '"pending_documents"', '"Pending documents"', '"completed"', '"cancelado"', '"pending"'),
    *('"em preparacao"', '"Publicado no DOU"', "7", "null", '""', '"de"', '"\\u0301"', '"rnm"', '"rnm"', '"exigencia"'),
]
_DATES = [
    *('"2023-06-01"', '"2023-06-02"', '"2023-06-01T12:00"', '"2023-06-01T12:00:30"', '"2023-06-01T23:30-03:00"'),
    *('" 2023-06-01"', '"2023-02-30"', '"9999-12-31"', '"9999-12-31T23:59"', '"0001-01-01T00:00"', '"31/01/2023"'),
    *("1685631600000", "null", '"2018-11-04T00:30"', '"2023-06-30"', '"2023-06-24"', '"2023-06-01T12:00+25:00"'),
]
_KEYS = ['"a1"', '"a2"', '"up1"', '"x9"', "7", '"7"', "null", '""', "true", "1.5", f'"{"k" * 501}"', '"s1"', '" a1"']
_FLAGS = ["true", "true", "true", "false", "false", "null", "1", '"true"', "0", "[]", "[true]"]
_TEXTS = ['"n"', '" n "', '"m"', "null", '""', "5", '["n"]', f'"{"n" * 1001}"', '"Zoe\\u0308"', '"Zo\\u00eb"', "true"]
_NUMBERS = [
    "0",
    "1",
    "99",
    "100",
    "9999",
    "10000",
    "-1",
    "1.0",
    "1.5",
    "true",
    "null",
    '"9"',
    "1e19",
    "9223372036854775807",
]
_NAMES = [
    *(
        '["rnmNumber", "douPage"]',
        '["rnmNumber"]',
        '["rnm_number", "RNMNumber", ""]',
        "[]",
        '"rnmNumber"',
        "null",
        "{}",
    ),
    *(r'"[\"rnmNumber\"]"', '["rnmNumber", 5, null, "rnmNumber"]', '["passportId", {"a": "b"}]'),
]
_FILLED_KEYS = ["rnmNumber", "rnm_number", "douDate", "douPage", "odd/~key", ""]
_CURRENT = ['"Atual"', '"Anterior"', '" Atual"', '"atual"', "true", "null", '""']
_ROLES = ['"admin"', '"client"', '" admin"', '"Admin"', '"support"', "null", "5", '["admin"]']
_CODES = ['"rnm"', '"rnm"', '"RNM"', '" rnm"', '"aguardando"', "7", '"7"', "null", '""', "true", f'"{"c" * 501}"']


def _any_of(*pools: list[str]) -> st.SearchStrategy[str]:
    """Give a value a field is meant to hold, mostly."""
    meant = st.sampled_from([value for pool in pools for value in pool])
    return st.one_of(meant, meant, meant, st.sampled_from(_ODD))


def _pairs(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


_FILLED = st.one_of(
    st.dictionaries(st.sampled_from(_FILLED_KEYS), _any_of(_TEXTS, _DATES), max_size=4).map(_pairs),
    st.sampled_from(_ODD),
)
_TIME, _STATUS, _DATE, _KEY, _FLAG, _TEXT = map(_any_of, (_TIMES, _STATUSES, _DATES, _KEYS, _FLAGS, _TEXTS))
_OWN_TIMES = {"createdAt": _TIME, "updatedAt": _TIME}
_CHANGE = {"changedBy": _KEY, "changedAt": _TIME, "notes": _TEXT}
_CASE_TEXTS = {name: _DATE if "Date" in name or name == "rnmDeadline" else _TEXT for name in FILLABLE_NAMES}
_DEFINITION = {
    name: {"code": _any_of(_CODES), "sortOrder": _any_of(_NUMBERS), "orderNumber": _any_of(_NUMBERS)}.get(name, _TEXT)
    for name in DEFINITION_NAMES
}
_FIELDS: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "individualProcesses": {
        **_OWN_TIMES, **_CASE_TEXTS, "status": _STATUS, "personId": _KEY, "mainProcessId": _KEY,
        "collectiveProcessId": _KEY, "isActive": _FLAG, "processStatus": _any_of(_CURRENT), "completedAt": _TIME,
        "funcao": _TEXT, "cargo": _TEXT, "companyApplicantId": _KEY, "userApplicantId": _KEY,
    },
    "processHistory": {
        **_CHANGE, "previousStatus": _STATUS, "newStatus": _STATUS, "metadata": _any_of(_ODD),
        "previousStatusId": _KEY, "newStatusId": _KEY,
    },
    "individualProcessStatuses": {
        **_CHANGE, "createdAt": _TIME, "statusName": _STATUS, "caseStatusId": _KEY, "isActive": _FLAG, "date": _DATE,
        "maxDeliveryDate": _DATE, "clientDeadlineDate": _DATE, "fillableFields": _any_of(_NAMES),
        "filledFieldsData": _FILLED,
    },
    "mainProcesses": {
        **_OWN_TIMES, "referenceNumber": _TEXT, "companyId": _KEY, "status": _STATUS, "completedAt": _TIME,
    },
    "companies": {**_OWN_TIMES, "name": _TEXT, "taxId": _TEXT, "isActive": _FLAG}
    | {name: _KEY if name.endswith("Id") else _TEXT for name in COMPANY_NAMES},
    "peopleCompanies": {"personId": _KEY, "role": _TEXT, "startDate": _DATE, "endDate": _TIME, "isCurrent": _FLAG},
    "userProfiles": {**_OWN_TIMES, "userId": _KEY, "role": _any_of(_ROLES)},
    "caseStatuses": {**_OWN_TIMES, **_DEFINITION, "fillableFields": _any_of(_NAMES), "isActive": _FLAG},
    "people": {"name": _TEXT},
    "users": {"email": _TEXT},
}  # fmt: skip
_FIELDS["collectiveProcesses"] = _FIELDS["mainProcesses"]
_OFTEN = {
    "processHistory": ("newStatus", "changedAt"),
    "individualProcessStatuses": ("statusName", "changedAt", "isActive"),
}
_PARENTS = {
    "processHistory": ("individualProcessId", ["p1", "p1", "p1", "p2", "p9"]),
    "individualProcessStatuses": ("individualProcessId", ["p1", "p1", "p1", "p2", "p9"]),
    "peopleCompanies": ("companyId", ["c1", "c1", "c2", "c9"]),
}
_PREFIX = {
    "individualProcesses": "p", "processHistory": "h", "individualProcessStatuses": "s", "mainProcesses": "a",
    "collectiveProcesses": "a", "companies": "c", "peopleCompanies": "x", "userProfiles": "up", "caseStatuses": "k",
    "people": "x", "users": "a",
}  # fmt: skip
_MOST = {
    "processHistory": 4,
    "individualProcessStatuses": 5,
    "peopleCompanies": 3,
    "userProfiles": 3,
    "caseStatuses": 3,
}


@st.composite
def _row(draw: st.DrawFn, table: str, key: str) -> str:
    """A row with a few of its fields, and perhaps fields nobody knows."""
    fields = _FIELDS[table]
    names = {*_OFTEN.get(table, ())} | set(draw(st.lists(st.sampled_from(sorted(fields)), max_size=6)))
    values = {"_id": json.dumps(key)}
    if table in _PARENTS:
        name, parents = _PARENTS[table]
        values[name] = json.dumps(draw(st.sampled_from(parents)))
    values |= {name: draw(fields[name]) for name in sorted(names)}
    if draw(st.booleans()):
        values["_creationTime"] = draw(_TIME)
    if draw(st.integers(0, 3)) == 0:
        values[draw(st.sampled_from(["extra", "odd/~key", "isActive", "status", "date"]))] = draw(st.sampled_from(_ODD))
    return _pairs(values)


@st.composite
def _exports(draw: st.DrawFn) -> dict[str, list[Line]]:
    """All tables, some left out, with odd values in every field."""
    tables: dict[str, list[Line]] = {}
    for table, prefix in _PREFIX.items():
        if table != "individualProcesses" and draw(st.integers(0, 4)) == 0:
            continue
        count = draw(st.integers(table == "individualProcesses", _MOST.get(table, 2)))
        lines: list[Line] = [draw(_row(table, f"{prefix}{number}")) for number in range(1, count + 1)]
        tables[table] = lines
    return tables


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


@settings(max_examples=150)
@given(_exports(), st.randoms(use_true_random=False))
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


@settings(max_examples=150)
@given(_exports())
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


@settings(max_examples=150)
@given(_exports())
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


@settings(max_examples=150)
@given(_exports(), st.sampled_from(sorted(SEEDED)))
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
