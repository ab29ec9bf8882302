"""A strategy for exports of the cases system: all tables, with values of every type in every field."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from migrations_replay.systems.case_catalogue import DEFINITION_NAMES
from migrations_replay.systems.case_companies import COMPANY_NAMES
from migrations_replay.systems.case_history import FILLABLE_NAMES
from tests.support.legacy import Line

ODD = [
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
    return st.one_of(meant, meant, meant, st.sampled_from(ODD))


def _pairs(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


_FILLED = st.one_of(
    st.dictionaries(st.sampled_from(_FILLED_KEYS), _any_of(_TEXTS, _DATES), max_size=4).map(_pairs),
    st.sampled_from(ODD),
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
        **_CHANGE, "previousStatus": _STATUS, "newStatus": _STATUS, "metadata": _any_of(ODD),
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
        values[draw(st.sampled_from(["extra", "odd/~key", "isActive", "status", "date"]))] = draw(st.sampled_from(ODD))
    return _pairs(values)


@st.composite
def exports(draw: st.DrawFn, *, repeats: bool = False) -> dict[str, list[Line]]:
    """All tables, some left out, with odd values in every field; `repeats` lets ids occur again and lines be broken.

    Of rows with one id the first in the file counts, so that their order matters.
    """
    tables: dict[str, list[Line]] = {}
    for table, prefix in _PREFIX.items():
        if table != "individualProcesses" and draw(st.integers(0, 4)) == 0:
            continue
        count = draw(st.integers(table == "individualProcesses", _MOST.get(table, 2)))
        lines: list[Line] = [draw(_row(table, f"{prefix}{number}")) for number in range(1, count + 1)]
        if repeats and draw(st.integers(0, 3)) == 0:
            again = st.one_of(_row(table, f"{prefix}1"), st.sampled_from([*lines, "{", "[]", '{"_id": null}']))
            lines.insert(draw(st.integers(0, len(lines))), draw(again))
        tables[table] = lines
    return tables
