from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_replay.document import MAX_BYTES, UNREAD, OddNumber, RepeatedKeys, canonical_digest, read_line
from migrations_replay.leaves import leaves
from tests.support.json_values import JSON, OBJECTS, same


def _code(raw: bytes) -> str | None:
    problem = read_line(raw).problem
    return problem.code if problem else None


def _nested(levels: int, inner: str = "1") -> bytes:
    """An object whose innermost value lies so many steps deep."""
    opened = "".join('{"k":' if level % 2 == 0 else "[" for level in range(levels))
    closed = "".join("}" if level % 2 == 0 else "]" for level in reversed(range(levels)))
    return f"{opened}{inner}{closed}".encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"{}}",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b'{"a": .5}',
        b'{"a": +1}',
        b'{"a": "tab\there"}',
        b'{"a": "nul\x00here"}',
        b'{"a": tru}',
        b"<html>502 Bad Gateway</html>",
        b"\xef\xbb\xbf{}",
        b'{"a": "caf\xe9"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xc0\x80"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": 1} // note',
        b"\x00",
        b"\x0c{}",
    ],
)
def test_what_is_no_json(raw: bytes) -> None:
    assert read_line(raw).value is UNREAD
    assert _code(raw) == "not_json"


@pytest.mark.parametrize("raw", [b"{}", b" \t{} \r", b'{"a": 1}', b'\r{"a": []}\r', b'{"": null}'])
def test_an_object_is_a_record(raw: bytes) -> None:
    read = read_line(raw)
    assert read.problem is None
    assert read.value == json.loads(raw)


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"text"', b"true", b"[{}]", b'[{"a": 1, "a": 2}]', b"NaN"])
def test_other_json_is_no_record(raw: bytes) -> None:
    assert _code(raw) == "not_an_object"


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (b'{"a": 1, "a": 1}', 2),
        (b'{"a": 1, "b": {"c": null, "c": {}}}', 3),
        (b'{"a": [[{"x": 1, "y": 2, "x": 3}]]}', 3),
        (b'{"": 1, "": 2}', 2),
        (b'{"\\u0061": 1, "a": 2}', 2),
        (b'{"a": {"k": 1, "k": [1, 2]}, "a": {"k": 1, "k": 2}}', 5),
    ],
)
def test_a_repeated_key_is_noticed_at_any_depth_and_each_occurrence_counts(raw: bytes, count: int) -> None:
    read = read_line(raw)
    assert read.problem
    assert read.problem.code == "duplicate_key"
    assert len(list(leaves(read.value))) == count


def test_keys_that_only_look_alike_are_not_repeated() -> None:
    assert _code('{"e\u0301": 1, "\u00e9": 2, "A": 3, "a": 4, "a ": 5}'.encode()) is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": "\\u0000"}',
        b'{"a\\u0000": 1}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": ["fine", {"b": "\\udfff"}]}',
        b'{"a": {"\\ud83d": 1}}',
    ],
)
def test_text_that_cannot_be_stored(raw: bytes) -> None:
    assert _code(raw) == "text_not_storable"


@pytest.mark.parametrize(
    "raw", [b'{"a": "\\ud83c\\udf3b"}', b'{"a": "\\\\u0000"}', b'{"a": "\\u0001"}', b'{"a": "\\uffff"}']
)
def test_escapes_that_can_be_stored(raw: bytes) -> None:
    assert _code(raw) is None


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775807",
        "-9223372036854775808",
        "0",
        "-0",
        "1e2",
        "1.5",
        "0.1",
        "1E+5",
        "1.0",
        "0.0",
        "-0.0",
        "1e-300",
        "2.2250738585072014e-308",
        "5e-324",
        "1.7976931348623157e308",
        "0.30000000000000004",
        "123456.7890123",
        "1.2345678901234567",
        "100000000000000000000.0",
        "1.50000000000000000000000",
        "0e999",
    ],
)
def test_numbers_that_are_read_exactly(text: str) -> None:
    from fractions import Fraction

    value = read_line(f'{{"n": {text}}}'.encode()).value["n"]
    assert isinstance(value, (int, float))
    written = text if "e999" not in text else "0"
    assert repr(value) == repr(float(text)) or Fraction(value) == Fraction(written)


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "1" + "0" * 5000,
        "-" + "9" * 5000,
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        "1.7976931348623159e308",
        "NaN",
        "Infinity",
        "-Infinity",
        "1.234567890123456789",
        "0.1000000000000000055511151231257827",
        "9007199254740993.0",
        "1e-400",
        "-1e-400",
        "1.2345e-320",
        "4e-324",
        "1e-9999999999999999999999",
        "0.00000000000000000000000000000000000000000000000000000000001e-300",
    ],
)
def test_numbers_that_no_64_bit_type_holds_are_kept_as_their_text(text: str) -> None:
    read = read_line(f'{{"n": [{text}]}}'.encode())
    assert read.problem is None
    assert read.value["n"] == [OddNumber(text)]


def test_depth_is_measured_in_steps_to_the_innermost_leaf() -> None:
    assert _code(_nested(64)) is None
    assert _code(_nested(64, "[]")) is None
    assert _code(_nested(65)) == "too_deep"
    assert _code(_nested(64, '{"a": 1}')) == "too_deep"
    assert _code(b'{"a": ' + b"[], " * 0 + b"[" + b"[]," * 200 + b"[]]}") is None  # wide is not deep
    assert _code(b'{"a": "' + b"[" * 100 + b'"}') is None


@pytest.mark.parametrize("levels", [66, 400, 900, 1_100, 5_000, 200_000])
@pytest.mark.parametrize("parts", [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_beyond_all_bounds(levels: int, parts: tuple[bytes, bytes]) -> None:
    raw = b'{"a":' + parts[0] * levels + b"1" + parts[1] * levels + b"}"
    assert read_line(raw).value is UNREAD
    assert _code(raw) == "too_deep"


def test_a_line_above_16_mib_is_not_parsed() -> None:
    assert _code(b'{"a": "' + b"x" * (MAX_BYTES - 9) + b'"}') is None
    assert _code(b'{"a": "' + b"x" * (MAX_BYTES - 8) + b'"}') == "too_large"
    assert _code(b"x" * (MAX_BYTES + 1)) == "too_large"


@given(st.binary(max_size=40))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    read_line(raw)


@given(
    st.lists(
        st.sampled_from([b'{"a":', b"[", b"]", b"}", b",", b"1e", b"9" * 30, b'"\\ud8', b'00"', b":", b" "]),
        max_size=20,
    )
)
def test_no_shards_of_json_break_the_reader(parts: list[bytes]) -> None:
    read_line(b"".join(parts))


@given(OBJECTS)
def test_any_object_is_read_as_it_is(value: dict[str, Any]) -> None:
    read = read_line(json.dumps(value).encode())
    assert read.problem is None
    assert same(read.value, value)
    assert read_line(json.dumps(value, ensure_ascii=False).encode()) == read


# --- the digest ----------------------------------------------------------------------------------------------


def _shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(child) for key, child in reversed(value.items())}
    return [_shuffled(child) for child in value] if isinstance(value, list) else value


@given(JSON)
def test_the_digest_does_not_depend_on_the_order_of_keys(value: Any) -> None:
    assert canonical_digest(_shuffled(value)) == canonical_digest(value)


@given(JSON, JSON)
def test_values_that_differ_have_different_digests(one: Any, other: Any) -> None:
    if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
        assert canonical_digest(one) != canonical_digest(other)


def _digest(raw: str) -> str:
    return canonical_digest(read_line(raw.encode()).value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":[true]}', ' { "b" : [ true ] , "a" : 1 } '),
        ('{"a":"\\u00e9"}', '{"a":"é"}'),
        ('{"a":1.50}', '{"a":15e-1}'),
        ('{"a":1e400}', '{"a": 1e400}'),
    ],
)
def test_notation_does_not_change_the_digest(one: str, other: str) -> None:
    assert _digest(one) == _digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":true}', '{"a":1}'),
        ('{"a":null}', "{}"),
        ('{"a":"1"}', '{"a":1}'),
        ('{"a":[1,2]}', '{"a":[2,1]}'),
        ('{"a":1e400}', '{"a":1e401}'),
        ('{"a":9223372036854775808}', '{"a":9223372036854775807}'),
        ('{"a":"e\\u0301"}', '{"a":"\\u00e9"}'),
        ('{"a":1e400}', '{"a":{"$number":"1e400"}}'),
        ('{"a":1e400}', '{"a":{"text":"1e400"}}'),
        ('{"a":1e400}', '{"a":"1e400"}'),
        ('{"a":NaN}', '{"a":null}'),
    ],
)
def test_another_value_has_another_digest(one: str, other: str) -> None:
    assert _digest(one) != _digest(other)


def test_repeated_keys_are_no_dict() -> None:
    value = read_line(b'{"a": 1, "a": 2}').value
    assert value == RepeatedKeys((("a", 1), ("a", 2)))
    assert not isinstance(value, dict)
