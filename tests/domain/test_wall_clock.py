from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from domain.wall_clock import ZONE, WallClock, local_day, read_wall_clock


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "day", "instant", "zone"),
    [
        ("2026-01-31", date(2026, 1, 31), None, None),
        (" 2026-01-31\n", date(2026, 1, 31), None, None),
        ("2026-01-31T12:00", date(2026, 1, 31), _utc(2026, 1, 31, 15), ZONE),
        ("2026-01-31 12:00:30", date(2026, 1, 31), _utc(2026, 1, 31, 15, 0, 30), ZONE),
        ("2026-01-31T22:30:00.25", date(2026, 1, 31), _utc(2026, 2, 1, 1, 30, 0, 250_000), ZONE),
        ("2026-01-31t12:00:00.123456000", date(2026, 1, 31), _utc(2026, 1, 31, 15, 0, 0, 123_456), ZONE),
        ("2026-01-31T12:00Z", date(2026, 1, 31), _utc(2026, 1, 31, 12), None),
        ("2026-01-31T12:00:00z", date(2026, 1, 31), _utc(2026, 1, 31, 12), None),
        ("2026-01-31T23:00-03:00", date(2026, 1, 31), _utc(2026, 2, 1, 2), None),
        ("2026-01-31T01:00+0530", date(2026, 1, 31), _utc(2026, 1, 30, 19, 30), None),
        ("2018-12-01T12:00", date(2018, 12, 1), _utc(2018, 12, 1, 14), ZONE),  # summer time, given up in 2019
        ("2018-07-01T12:00", date(2018, 7, 1), _utc(2018, 7, 1, 15), ZONE),
        ("2018-11-04T00:30", date(2018, 11, 4), _utc(2018, 11, 4, 3, 30), ZONE),  # the hour that was left out
        ("2018-02-17T23:30", date(2018, 2, 17), _utc(2018, 2, 18, 1, 30), ZONE),  # the one that came twice: the first
        ("2024-02-29", date(2024, 2, 29), None, None),
    ],
)
def test_a_wall_clock_keeps_its_text_beside_what_it_means(
    text: str, day: date, instant: datetime | None, zone: str | None
) -> None:
    assert read_wall_clock(text) == WallClock(text=text, day=day, instant=instant, zone=zone)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "31/01/2026",
        "2026-1-31",
        "2026-01-32",
        "2025-02-29",
        "0000-01-01",
        "20260131",
        "2026-W05-6",
        "2026-01-31T",
        "2026-01-31T24:00",
        "2026-01-31T12",
        "2026-01-31T12:60",
        "2026-01-31T12:00:00.1234567",
        "2026-01-31T12:00+99:00",
        "2026-01-31Z",
        "2026-01-31T12:00 America/Sao_Paulo",
        "2026-01-31 2026-01-31",
        "١٩٩٩-٠١-٠١",
        "9999-12-31T23:00",
        "0001-01-01T00:00+01:00",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):
        read_wall_clock(text)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (_utc(2026, 3, 11, 2, 59, 59), date(2026, 3, 10)),  # 23:59 in São Paulo: the UTC day is one ahead
        (_utc(2026, 3, 11, 3), date(2026, 3, 11)),
        (_utc(2026, 1, 1, 1), date(2025, 12, 31)),
        (_utc(2018, 12, 2, 1, 59), date(2018, 12, 1)),  # in summer time two hours behind UTC, not three
        (_utc(2018, 12, 2, 2), date(2018, 12, 2)),
        (_utc(2018, 7, 2, 2, 59), date(2018, 7, 1)),
        (_utc(2018, 2, 18, 1, 59), date(2018, 2, 17)),  # 23:59, then the hour from 23:00 again
        (_utc(2018, 2, 18, 2, 59), date(2018, 2, 17)),
        (_utc(2018, 2, 18, 3), date(2018, 2, 18)),
        (_utc(2018, 11, 4, 2, 59), date(2018, 11, 3)),
        (_utc(2018, 11, 4, 3), date(2018, 11, 4)),  # there was no midnight: it was 01:00 at once
        (datetime(2026, 3, 10, 23, tzinfo=timezone(timedelta(hours=-3))), date(2026, 3, 10)),
        (_utc(1, 1, 1), date(1, 1, 1)),
        (_utc(9999, 12, 31, 23), date(9999, 12, 31)),
    ],
)
def test_the_day_of_a_moment_is_that_of_sao_paulo(moment: datetime, day: date) -> None:
    assert local_day(moment) == day


@for_any(st.integers(0, 2**31).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_the_day_is_that_of_utc_or_the_one_before(moment: datetime) -> None:
    assert timedelta(0) <= moment.date() - local_day(moment) <= timedelta(1)


@for_any(st.text(alphabet="0123456789-T: Zz+.", max_size=30) | st.text(max_size=30))
def test_reading_never_fails_in_another_way(text: str) -> None:
    try:
        found: Any = read_wall_clock(text)
    except ValueError:
        return
    assert found.text == text
    assert found.instant is None or found.instant.tzinfo is UTC
    assert found.zone in (None, ZONE)
