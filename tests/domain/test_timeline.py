from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from domain.timeline import Entry, Neighbours, Timeline

START = datetime(2026, 1, 1, tzinfo=UTC)


def _at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def _entry(hours: int, number: int, status: str | None = "em_tramite") -> Entry:
    return Entry(_at(hours), number, status)


FIRST, SECOND, THIRD = _entry(0, 2, "a"), _entry(1, 3, "b"), _entry(2, 4, "c")
LINE = Timeline.of([THIRD, FIRST, SECOND])


def test_an_empty_timeline_knows_nothing() -> None:
    assert Timeline().active is None
    assert Timeline().entry(1) is None
    assert Timeline().before(FIRST) is None
    assert Timeline().neighbours(FIRST) == Neighbours(None, None)


def test_entries_stand_in_the_order_in_which_they_took_effect() -> None:
    assert LINE.entries == (FIRST, SECOND, THIRD)
    assert LINE.active == THIRD
    assert LINE.entry(3) == SECOND
    assert LINE.entry(5) is None


def test_neighbours_are_those_on_either_side_or_none() -> None:
    assert [LINE.neighbours(entry) for entry in LINE.entries] == [(None, 3), (2, 4), (3, None)]
    assert LINE.neighbours(_entry(1, 9)) == (3, 4)  # where it would stand: after what began at the same time
    assert LINE.neighbours(_entry(-1, 9)) == (None, 2)
    assert LINE.neighbours(_entry(9, 9)) == (4, None)


def test_what_stands_before_a_place() -> None:
    assert LINE.before(_entry(1, 9)) == SECOND
    assert LINE.before(_entry(-1, 9)) is None
    assert LINE.before(SECOND) == FIRST


def test_entries_of_one_time_stand_in_the_order_in_which_they_were_recorded() -> None:
    line = Timeline().with_entry(_entry(0, 5, "later")).with_entry(_entry(0, 2, "earlier"))
    assert [entry.number for entry in line.entries] == [2, 5]
    assert line.active == _entry(0, 5, "later")


def test_an_entry_that_says_nobody_knows_makes_the_status_undetermined() -> None:
    line = LINE.with_entry(_entry(3, 5, None))
    assert line.active is None
    assert line.neighbours(_entry(4, 6)) == (5, None)
    assert LINE.with_entry(_entry(-1, 5, None)).active == THIRD


def test_a_superseded_entry_is_out_of_the_order_and_says_by_which() -> None:
    line = LINE.without(4, 9)
    assert (line.entries, line.superseded, line.active) == ((FIRST, SECOND), {4: 9}, SECOND)
    assert line.without(3, 10).superseded == {4: 9, 3: 10}
    assert LINE.superseded == {}


def test_what_supersedes_an_entry_of_the_same_time_has_its_place() -> None:
    line = Timeline.of([_entry(0, 2, "a"), _entry(0, 3, "b"), _entry(0, 4, "c")])
    wrong = line.entries[1]
    right = _entry(0, 9, "right").instead_of(wrong)
    line = line.without(3, 9).with_entry(right)
    assert [entry.number for entry in line.entries] == [2, 9, 4]
    again = _entry(0, 10, "again").instead_of(right)
    line = line.without(9, 10).with_entry(again)
    assert [entry.number for entry in line.entries] == [2, 10, 4]
    assert line.neighbours(again) == (2, 4)
    moved = _entry(1, 11).instead_of(again)
    assert moved.place == (_at(1), 11)
    back = _entry(0, 12).instead_of(moved)
    assert [entry.number for entry in line.without(10, 11).with_entry(back).entries] == [2, 4, 12]


@for_any(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", None])), max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_does_not_depend_on_that_of_arrival(said: list[tuple[int, str | None]], random: object) -> None:
    entries = [_entry(hours, number, status) for number, (hours, status) in enumerate(said, start=1)]
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    line = Timeline()
    for entry in shuffled:
        line = line.with_entry(entry)
    assert line == Timeline.of(entries)
    assert list(line.entries) == sorted(entries, key=lambda entry: (entry.at, entry.number))
    numbers = [None, *(entry.number for entry in line.entries), None]
    for place, entry in enumerate(line.entries):
        assert line.neighbours(entry) == (numbers[place], numbers[place + 2])
    last = line.entries[-1] if line.entries else None
    assert line.active == (last if last and last.status else None)
