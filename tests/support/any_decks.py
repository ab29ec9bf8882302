"""A strategy for exports of the decks system: all tables, with values of every type in every column."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from migrations_replay.systems.deck_columns import NAMES
from migrations_replay.systems.decks import AUTH_USERS, OF_A_USER
from tests.support.any_cases import ODD
from tests.support.legacy import Line
from tests.support.legacy_decks import DEMO

_TIMES = [
    *('"2024-03-01T09:00:00+00:00"', '"2024-03-01 10:00:00+01"', '"2024-04-01T09:00:00"', '"2024-03-01"', '"soon"'),
    *("1709283600000", "1709283600000.5", '"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', '"NaN"', "null", "1e300"),
]
_TEXTS = [
    *('"Ada"', '" Ada "', '"Lovelace"', '"Ada Lovelace"', '"https://example.org/a.png"', '"Technology"', '""', "null"),
    *(f'"{"x" * 2001}"', '"a@example.org"', '"+41 44"', '"Zoe\\u0308"', '"Zo\\u00eb"', "5", '["x"]', '"free"', '"pro"'),
]
_STATUSES = [
    '"active"',
    '"canceled"',
    '"cancelled"',
    '" canceled"',
    '"past_due"',
    '"free"',
    '"on hold"',
    '""',
    "null",
    "1",
]
_FLAGS = ["true", "false", '"t"', '"f"', '"true"', "null", "1", '"yes"']
_COUNTS = ["0", "7", "7.0", '"7"', "-1", "1.5", "null", "9223372036854775808", "true"]
_JSON = [
    *("null", "{}", "[]", '"{}"', '"[]"', '""', '{"primary": "#1", "secondary": ["#2", null]}', '["MRR", "Churn"]'),
    *('["MRR ", null, 5, "MRR"]', r'"{\"primary\": \"#1\"}"', r'"[\"MRR\", \"Churn\"]"', r'"\"[\\\"MRR\\\"]\""'),
    *('"{MRR,Churn}"', r'"{\"#1\",NULL}"', '"{{a}}"', '"navy"', '{"a": {"b": [1, 1.0, {}]}}', '{"a": 1e400}', "[[]]"),
]
_USERS = ['"u1"', '"u1"', '"u1"', '"u2"', "7", '"7"', "null", '""', '"u9"', f'"{DEMO}"', "{}", "true", f'"{"k" * 501}"']
_POOLS = {
    "last_login": _TIMES,
    "subscription_status": _STATUSES,
    "login_count": _COUNTS,
    **dict.fromkeys(("onboarding_completed", "email_verified", "is_active"), _FLAGS),
    **dict.fromkeys(("brand_colors", "key_metrics", "preferences", "notification_settings"), _JSON),
}
_COLUMNS = {name: _POOLS.get(column, _TEXTS) for column, names in NAMES.items() for name in names}
_COLUMNS |= {"user_id": _USERS, "created_at": _TIMES, "updated_at": _TIMES, "business_goals": _JSON, "odd/~key": ODD}


@st.composite
def _row(draw: st.DrawFn, key: str, columns: dict[str, list[str]], most: int) -> str:
    names = draw(st.lists(st.sampled_from(sorted(columns)), max_size=most, unique=True))
    values = {"id": key} | {name: draw(st.sampled_from([*columns[name] * 3, *ODD])) for name in names}
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


@st.composite
def exports(draw: st.DrawFn, *, repeats: bool = False) -> dict[str, list[Line]]:
    """All tables, with odd values in every column; `repeats` lets ids occur again and lines be broken."""
    keys = ['"u1"', '"r1"', '"r2"', "7", f'"{DEMO}"']
    lines: list[Line] = [draw(_row(key, _COLUMNS, 12)) for key in keys[: draw(st.integers(1, len(keys)))]]
    if repeats:
        again = st.one_of(_row('"u1"', _COLUMNS, 4), st.sampled_from([*lines, "{", "[]", '{"id": null}', '"\\ud800"']))
        lines.insert(draw(st.integers(0, len(lines))), draw(again))
    others = {"user_id": _USERS, "created_at": _TIMES, "data": _JSON}
    tables: dict[str, list[Line]] = {"profiles": lines}
    for table in draw(st.lists(st.sampled_from([*OF_A_USER, *AUTH_USERS, "other"]), max_size=2, unique=True)):
        tables[table] = [draw(_row(key, others, 3)) for key in ('"u1"', '"x1"')]
    return tables
