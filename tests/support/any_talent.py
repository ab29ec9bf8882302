"""A strategy for exports of the talent system: all tables, with values of every type in every column."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import strategies as st

from migrations_replay.fields import Columns, Field
from migrations_replay.systems.talent_columns import OF_ACCOUNT, OF_HIGHLIGHT, OF_PROFILE, OF_PROJECT, OF_TRAINING
from tests.support.any_cases import ODD
from tests.support.legacy import Line

_TIMES = ['"2024-03-01T09:00:00.000Z"', "1709283600000.25", '"2024-03-01"', '"0000-01-01T00:00:00Z"', '"NaN"', "null"]
_TEXTS = [
    '"Ada"',
    '" Ada "',
    '"black"',
    '"Hazel"',
    '"dancer"',
    '"guest"',
    '"music-videos"',
    '"training-education"',
]
_LISTS = ['["tap", "", 5, "tap"]', '["p1", "p9", "p1", null]', '["u1", "u9", "u1", {"a": 1}]', r'"[\"a\", \"b\"]"']
_OBJECTS = [
    *('{"expert": ["tap"], "novice": ["tap", 1], "odd": 1}', '[{"platform": "Instagram", "link": "x"}, {"link": ""}]'),
    *('[{"storageId": "s", "imageId": "t", "position": 1e400}, {"title": " "}]', '{"feet": 5, "inches": 0}', "67", "3"),
    *(
        '{"city": "LA", "planet": {"a": [1]}, "zipCode": 90}',
        '[{"label": "a", "title": "b", "url": "u"}]',
        "38",
        '"40R"',
    ),
    *('[{"token": "t", "platform": "web", "updatedAt": 1709283600000.5}]', r'"{\"gender\": \"Man\", \"height\": 60}"'),
    *('{"youtube": "y", "myspace": "m", "a/b": " "}', r'"{\"city\": \"LA\", \"x\": 1}"', '"skills"', "true", "false"),
]
_KEYS = ['"d1"', '"c1"', '"d2"', '"u1"', '"p1"', '"nobody"', "7", "null", '""', "true", "{}"]
_POOL = [*_TEXTS, *_LISTS, *_OBJECTS, "0", "5", '"2000-01-31"', '"2000-02-30"', *_TIMES, f'"{"x" * 60}"']


def _value(column: Field | Columns) -> st.SearchStrategy[str]:
    single = st.one_of(*[st.sampled_from(_POOL)] * 3, st.sampled_from(ODD))
    if isinstance(column, Field):
        return single
    names = st.lists(st.sampled_from([*column, "unknown"]), max_size=4, unique=True)
    parts = names.flatmap(lambda found: st.fixed_dictionaries({n: _value(column.get(n, _PLAIN)) for n in found}))
    return st.one_of(parts.map(_object), parts.map(_object), parts.map(_as_text), single)


_PLAIN = OF_ACCOUNT["email"]


def _object(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


def _as_text(values: Mapping[str, str]) -> str:
    return json.dumps(_object(values))


_ID, _TIME = st.sampled_from(_KEYS), st.sampled_from(_TIMES)
_TYPES = st.sampled_from(['"dancer"', '"dancer"', '"choreographer"', '"guest"', '" dancer"', '"agent"', "null", "1"])
_MORE: dict[str, st.SearchStrategy[str]] = {
    "_creationTime": _TIME,
    "createdAt": _TIME,
    "odd/~key": st.sampled_from(ODD),
    "searchPattern": st.sampled_from(_TEXTS),
}
_ROW = {"userId": st.just('"u1"'), "isPrimary": st.sampled_from(["true", "false", "1", "null"])}
_CREDIT = {"userId": st.just('"u1"'), "profileId": _ID, "profileType": _TYPES, "studio": st.sampled_from(_POOL)}


def _columns(columns: Columns, **more: st.SearchStrategy[str]) -> dict[str, st.SearchStrategy[str]]:
    return {name: _value(column) for name, column in columns.items()} | _MORE | more


_TABLES: dict[str, tuple[list[str], dict[str, st.SearchStrategy[str]], int]] = {
    "users": (
        ["u1", "u2"],
        _columns({**OF_ACCOUNT, **OF_PROFILE["users"]}, profileType=_TYPES, activeProfileType=_TYPES)
        | {"activeDancerId": _ID, "activeChoreographerId": _ID, "fullName": st.sampled_from(_POOL)},
        14,
    ),
    "dancers": (["d1", "d2"], _columns(OF_PROFILE["dancers"], profileCompleteness=_TIME, **_ROW), 8),
    "choreographers": (["c1"], _columns(OF_PROFILE["choreographers"], verified=st.sampled_from(_POOL), **_ROW), 8),
    "projects": (["p1", "p2"], _columns(OF_PROJECT, **_CREDIT), 6),
    "experiences": (["p3"], _columns({**OF_PROJECT, **OF_TRAINING}, **_CREDIT), 6),
    "training": (["t1"], _columns(OF_TRAINING, **_CREDIT), 6),
    "highlights": (["h1"], _columns(OF_HIGHLIGHT), 4),
    "skills": (
        ["s1", "s2"],
        _MORE | {"name": st.sampled_from(_POOL), "proficiency": st.sampled_from(['"expert"', "1"])},
        4,
    ),
    "agencies": (["a1"], _MORE, 2),
}
_PARENTS = {"highlights": {"dancerId": '"d1"'}, "users": {}, "agencies": {}}


@st.composite
def _line(draw: st.DrawFn, table: str, key: str) -> str:
    _, columns, most = _TABLES[table]
    names = draw(st.lists(st.sampled_from(sorted(columns)), max_size=most, unique=True))
    values = {"_id": json.dumps(key)} | {name: draw(columns[name]) for name in names}
    return _object(values | _PARENTS.get(table, {"userId": '"u1"'}))


@st.composite
def exports(draw: st.DrawFn, *, repeats: bool = False) -> dict[str, list[Line]]:
    """All tables, with odd values in every column; `repeats` lets ids occur again and lines be broken."""
    tables: dict[str, list[Line]] = {"users": [draw(_line("users", "u1"))]}
    if repeats:
        again = st.one_of(_line("users", "u1"), st.sampled_from(["{", "[]", '{"_id": null}', '{"_id": "\\ud800"}']))
        tables["users"].append(draw(again))
    for table in draw(st.lists(st.sampled_from(sorted(_TABLES)), max_size=4, unique=True)):
        keys = draw(st.lists(st.sampled_from(_TABLES[table][0]), max_size=2, unique=True))
        known = tables.setdefault(table, [])
        known += [draw(_line(table, key)) for key in keys if (table, key) != ("users", "u1")]
    return tables
