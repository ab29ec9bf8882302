from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations_replay import convert
from migrations_replay.convert import Unreadable
from migrations_replay.document import OddNumber, read_line
from migrations_replay.sql_array import sql_array
from tests.support.json_values import JSON, TEXTS, same


def _value(raw: str) -> Any:
    return read_line(f'{{"v": {raw}}}'.encode()).value["v"]


def _refused(call: Callable[..., Any], *values: Any) -> bool:
    try:
        call(*values)
    except Unreadable:
        return True
    return False


# --- times ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999000"),
        ("2024-02-29T23:59:59.999999", "2024-02-29T23:59:59.999999"),
        ("2024-02-29 23:59:59", "2024-02-29T23:59:59"),
        ("2024-02-29 23:59:59.5", "2024-02-29T23:59:59.500000"),
        (" 2024-02-29T23:59:59Z\n", "2024-02-29T23:59:59"),
        ("2024-02-29t23:59:59.1200000z", "2024-02-29T23:59:59.120000"),
        ("2024-02-29T23:59Z", "2024-02-29T23:59:00"),
        ("2024-03-01T01:59:59+02:00", "2024-02-29T23:59:59"),
        ("2024-03-01T01:59:59+0200", "2024-02-29T23:59:59"),
        ("2024-03-01T01:59:59+02", "2024-02-29T23:59:59"),
        ("2024-02-29T18:29:59-05:30", "2024-02-29T23:59:59"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
        (0, "1970-01-01T00:00:00"),
        (-1, "1969-12-31T23:59:59.999000"),
        (1709251199999, "2024-02-29T23:59:59.999000"),
        (1709251199999.5, "2024-02-29T23:59:59.999500"),
        (-62135596800000, "0001-01-01T00:00:00"),
        (253402300799999, "9999-12-31T23:59:59.999000"),
    ],
)
def test_points_in_time(value: Any, expected: str) -> None:
    assert convert.instant(value) == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert convert.instant(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "2024-02-29", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T25:00:00Z"),
        *("2024-01-01T00:60:00Z", "0000-01-01T00:00:00Z", "12024-01-01T00:00:00Z", "10000-01-01T00:00:00Z"),
        *("-0001-01-01T00:00:00Z", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00 Z", "2024-01-01T00:00:00 +02"),
        *("2024-01-01T00:00:00.1234567Z", "20240101T000000Z", "2024-W01-1T00:00:00Z", "1709251199999"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "\u0662\u0660\u0662\u0664-01-01T00:00:00Z"),
        *(True, False, None, [], {}, ["2024-01-01T00:00:00Z"], 253402300800000, -62135596800001, 4 * 10**17, 1e300),
        *(OddNumber("NaN"), OddNumber("1e400")),
    ],
)
def test_what_is_no_point_in_time(value: Any) -> None:
    assert _refused(convert.instant, value)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60))
def test_a_time_means_the_same_in_every_notation(moment: datetime, minutes: int) -> None:
    from datetime import timezone

    plain = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    assert convert.instant(f"{plain}Z") == convert.instant(plain.replace("T", " ")) == moment
    try:
        elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        return
    assert convert.instant(elsewhere.isoformat(timespec="microseconds")) == moment


@given(JSON | st.text())
def test_a_time_is_read_or_refused(value: Any) -> None:
    if not _refused(convert.instant, value):
        assert isinstance(value, (str, int, float))


# --- texts and keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], ["x"], {}, {"a": 1}, OddNumber("1e400")])
def test_what_is_no_text(value: Any) -> None:
    assert _refused(convert.text, value)


@given(TEXTS)
def test_texts_are_normal(value: str) -> None:
    assert convert.text(value) == convert.text(convert.text(value))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("c1", "c1"),
        (" c1 ", " c1 "),
        ("Zoe\u0308", "Zoe\u0308"),
        (7, "7"),
        (-7, "-7"),
        (0, "0"),
        (2**63 - 1, "9223372036854775807"),
        ("", None),
        (" \t", None),
        (None, None),
        (True, None),
        (False, None),
        (1.0, None),
        ([], None),
        (["c1"], None),
        ({"id": 1}, None),
        (OddNumber("NaN"), None),
    ],
)
def test_keys(value: Any, key: str | None) -> None:
    assert convert.key(value) == key


# --- JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["1e400", "NaN", "9223372036854775808", "1.234567890123456789", "1e-400"])
@pytest.mark.parametrize("wrap", ["{}", "[{}]", '{{"a": {{"b": [0, {}]}}}}'])
def test_odd_numbers_are_found_at_any_depth(raw: str, wrap: str) -> None:
    value = _value(wrap.format(raw))
    assert convert.holds_odd_number(value)
    assert _refused(convert.exact, value)


@given(JSON)
def test_json_of_64_bit_numbers_is_exact(value: Any) -> None:
    assert not convert.holds_odd_number(value)
    assert convert.exact(value) is value


@pytest.mark.parametrize(
    ("raw", "wanted", "value"),
    [
        ('["a", "b"]', list, ["a", "b"]),
        (r'"[\"a\", null, \"\"]"', list, ["a", None, ""]),
        (json.dumps(json.dumps('["a"]')), list, ["a"]),
        ('{"a": 1}', dict, {"a": 1}),
        (r'"{\"a\": {\"b\": [1.5]}}"', dict, {"a": {"b": [1.5]}}),
        (r'" {} "', dict, {}),
        (r'"[]"', list, []),
    ],
)
def test_json_inside_a_text_is_opened_twice_at_most(raw: str, wanted: type, value: Any) -> None:
    assert convert.opened(_value(raw), wanted) == value


@pytest.mark.parametrize(
    "value",
    [
        "a, b",
        "",
        "5",
        "null",
        "true",
        '"a"',
        "[1",
        json.dumps(json.dumps(json.dumps(["a"]))),  # three times
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": "\\u0000"}',
        '{"a\\ud800": 1}',
        '{"a": 1e400}',
        '{"a": 9223372036854775808}',
        "[" * 70 + "]" * 70,
        '{"a":' * 5000,
    ],
)
def test_a_text_that_holds_no_object_anybody_can_store(value: str) -> None:
    assert _refused(convert.opened, value, dict)


@pytest.mark.parametrize(
    "value", ['["a\\u0000b"]', '["\\ud800"]', '[{"a": 1, "a": 2}]', "[NaN]", '{"0": "a"}', '["a",]']
)
def test_a_text_that_holds_no_list_anybody_can_store(value: str) -> None:
    assert _refused(convert.opened, value, list)


@pytest.mark.parametrize("value", [5, True, None, {"a": 1}, OddNumber("NaN")])
def test_what_is_no_list(value: Any) -> None:
    assert _refused(convert.opened, value, list)


@given(JSON)
def test_the_normal_form_of_json_is_final(value: Any) -> None:
    normal = convert.normal_json(value)
    assert same(convert.normal_json(normal), normal)


def test_the_normal_form_leaves_out_what_is_unset_in_objects_only() -> None:
    value = {"a": " x ", "b": "", "c": {"d": None, "e": [" y", "", None]}, "f": "Zoe\u0308"}
    assert convert.normal_json(value) == {"a": "x", "c": {"e": ["y", None, None]}, "f": "Zo\u00eb"}


@given(JSON)
def test_a_hashable_text_for_json(value: Any) -> None:
    assert convert.json_text(value) == convert.json_text(json.loads(json.dumps(value)))


def test_true_is_not_one_in_a_hashable_text() -> None:
    assert len({convert.json_text(value) for value in (True, 1, "1", "true", None, [1], [True])}) == 7


# --- yes and no, counts, arrays ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("t", True), ("true", True), ("f", False), (False, False)]
)
def test_a_flag_is_a_boolean_or_its_text(value: Any, expected: bool) -> None:
    assert convert.flag(value) is expected


@pytest.mark.parametrize("value", [1, 0, "yes", "T", "", None, [], {"a": True}])
def test_nothing_else_is_a_flag(value: Any) -> None:
    assert _refused(convert.flag, value)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (7.0, 7), (" 12 ", 12), ("-3", -3), (2**63 - 1, 2**63 - 1)])
def test_a_whole_number_is_read_by_value_or_by_its_digits(value: Any, expected: int) -> None:
    assert convert.whole_number(value) == expected


@pytest.mark.parametrize("value", [True, 1.5, 1e300, 2**63, "1.0", "9" * 19, "", "٣", None, OddNumber("1e400"), [1]])
def test_nothing_else_is_a_whole_number(value: Any) -> None:
    assert _refused(convert.whole_number, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{}", []),
        (" { } ", []),
        ("{a}", ["a"]),
        ('{a b,"c, \\"d\\"",NULL,"NULL",""}', ["a b", 'c, "d"', None, "NULL", ""]),
        ("{{a},{b,c}}", [["a"], ["b", "c"]]),
        ("{#111,#222}", ["#111", "#222"]),
    ],
)
def test_an_sql_array_is_read_item_by_item(value: str, expected: list[Any]) -> None:
    assert sql_array(value) == expected


@pytest.mark.parametrize(
    "value", ["", "a", "{", "}", "{a,}", "{,a}", "{a}{b}", '{"a"b}', '{"a}', "[1]", "{a} x", "{" * 70]
)
def test_nothing_else_is_an_sql_array(value: str) -> None:
    assert _refused(sql_array, value)


@given(st.lists(st.none() | TEXTS, max_size=4))
def test_any_list_of_texts_comes_back_from_an_sql_array(items: list[str | None]) -> None:
    quoted = ["NULL" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items]
    assert sql_array("{" + ",".join(quoted) + "}") == items


# --- the caregivers system's numbers and times ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [(0, 0), (72.5, 72.5), ("72.5", 72.5), (" 0 ", 0), ("-3", -3), ("2.0", 2), ("9223372036854775807", 2**63 - 1)],
)
def test_a_decimal_number_keeps_its_value(value: Any, read: Any) -> None:
    found = convert.decimal_number(value)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "",
        "1e3",
        "0x1",
        "1,5",
        "9" * 30 + ".5",
        "0.12345678901234567890",
        True,
        None,
        [],
    ],
)
def test_what_is_no_decimal_number_is_unreadable(value: Any) -> None:
    with pytest.raises(Unreadable):
        convert.decimal_number(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_700_000_000_000, "2023-11-14T22:13:20.000000Z"),
        (1_700_000_000_000.125, "2023-11-14T22:13:20.000125Z"),
        ("1700000000000.5", "2023-11-14T22:13:20.000500Z"),
        ("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20.000000Z"),
    ],
)
def test_ms_since_1970_may_have_a_fraction_and_stand_in_a_text(value: Any, text: str) -> None:
    assert convert.ms_instant_text(value) == text
    assert convert.instant(text) == convert.ms_instant(value)


@pytest.mark.parametrize("value", ["NaN", "2023-11-14", 1e18, -70_000_000_000_000, "99999999999999999", True, None])
def test_what_nobody_can_mean_is_no_time(value: Any) -> None:
    with pytest.raises(Unreadable):
        convert.ms_instant(value)
