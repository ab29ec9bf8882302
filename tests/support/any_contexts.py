"""A strategy for exports of the contexts system: all tables, with values of every type in every field."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from domain.contexts import Context
from migrations_replay.systems.contexts import INTENT_FIELDS, SHARED
from tests.support.legacy import Line

_FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            *("null", '""', '" "', "[]", "{}", "true", "false", "0", "1", "1.0", "-0.0", "1e400", "NaN", "-Infinity"),
            *("9223372036854775807", "9223372036854775808", "1.234567890123456789", "1e-400", "1e19", "1.5e300"),
            *('"a"', '" a"', '"A"', '"Zoe\\u0308"', '"Zo\\u00eb"', '"25-34"', '"early 30s"', '"light"', '"open"'),
            *('["a"]', '["a","b ",null,1]', '["a",{"k":""}]', '[[["a"]]]', "[null]", '{"k":"a"}', '{"k":" a"}'),
            *('{"k":"b","j":null}', '{"k":{"n":[1,null,{}]}}', '{"k":{"n":1e400}}', '{"":{"a/b":"~"}}', '{"k":true}'),
            *('{"k":1}', '{"k":[1e19,12345678901234567.0]}', '"{}"', '"[]"', '"null"', '"5"'),
            r'"[\"a\",\"b\"]"',
            r'"{\"k\":\"a\"}"',
            r'"{\"k\":1,\"k\":2}"',
            r'"{\"k\":{\"n\":1,\"n\":2}}"',
            r'"[\"a\\u0000\"]"',
            r'"[\"\\ud800\"]"',
            r'"{\"k\":\"\\u0000\"}"',
            r'"{\"k\":1e400}"',
            r'"\"[\\\"a\\\"]\""',
            *(
                '"2023-05-01T10:00:00Z"',
                '"2023-05-01 10:00"',
                '"0000-01-01T00:00:00Z"',
                "1682935200000",
                "4e17",
                '"soon"',
            ),
            "[" * 30 + "]" * 30,
        ]
    ),
    st.text(max_size=5).map(json.dumps),
)
_DATA_KEYS = sorted({*SHARED, *(name for fields in INTENT_FIELDS.values() for name in fields), "intent", "odd/~key"})
_TIMES_AND_MORE = ["createdAt", "updatedAt", "extra"]


def _object(keys: list[str], most: int) -> st.SearchStrategy[str]:
    some = st.dictionaries(st.sampled_from(keys), _FRAGMENTS, max_size=most)
    return some.map(lambda pairs: ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs.items()))


def _row(fixed: dict[str, Any], odd: str, data: str | None = None) -> str:
    parts = [json.dumps(fixed)[1:-1], odd, "" if data is None else f'"data": {{{data}}}']
    return "{" + ", ".join(part for part in parts if part) + "}"


@st.composite
def exports(draw: st.DrawFn) -> dict[str, list[Line]]:
    """One or two users with odd values in every field."""
    tables: dict[str, list[Line]] = {"User": [], "ContextProfile": [], "Profile": [], "ChatMessage": []}
    for number in range(1, draw(st.integers(1, 2)) + 1):
        odd = draw(_object(["email", "name", *_TIMES_AND_MORE], 4))
        tables["User"].append(_row({"id": f"u{number}"}, odd))
        kinds = draw(st.lists(st.sampled_from([*Context, " service", "business"]), max_size=4))
        for place, kind in enumerate(kinds):
            key = f"c{number}{place}"
            odd = draw(_object(["tonePreference", *_TIMES_AND_MORE], 3))
            tables["ContextProfile"].append(_row({"id": key, "userId": f"u{number}", "contextType": kind}, odd))
            for copy in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
                own = list(INTENT_FIELDS.get(Context(kind.strip()), {})) if kind.strip() in set(Context) else []
                data = draw(_object([*_DATA_KEYS, *SHARED, *own, *own], 6) | st.none())
                odd = draw(
                    _object(["completeness", "missing", *_TIMES_AND_MORE, *(["data"] if data is None else [])], 3)
                )
                tables["Profile"].append(_row({"id": f"p{key}{copy}", "contextProfileId": key}, odd, data))
        for place in range(draw(st.integers(0, 2))):
            odd = draw(_object(["contextProfileId", "content", "role", "offRecord", *_TIMES_AND_MORE], 4))
            tables["ChatMessage"].append(_row({"id": f"m{number}{place}", "userId": f"u{number}"}, odd))
    return tables
