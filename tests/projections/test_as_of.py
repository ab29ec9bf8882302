from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from domain.account import AccountRegistered, ContactChanged
from domain.event import Change
from domain.migration import MigrationRunStarted
from projections import accounts, migration_runs
from projections.as_of import in_force, known_at, rows_known_at
from projections.read_model import Row
from tests.projections.histories import START, history, metadata, row_of

STREAM, RUN = UUID(int=1), UUID(int=2)
EVENTS = history(
    STREAM,
    AccountRegistered(name="Ada"),
    ContactChanged(changes={"name": Change(old="Ada", new="Bea")}),
    ContactChanged(changes={"name": Change(old="Bea", new="Cleo")}),
)


def name_at(at: object) -> object:
    row = known_at(accounts.MODEL, EVENTS, at)  # type: ignore[arg-type]
    return row and row["name"]


def test_by_position() -> None:
    assert [name_at(position) for position in (9, 10, 19, 20, 30, 99)] == [
        None,
        "Ada",
        "Ada",
        "Bea",
        "Cleo",
        "Cleo",
    ]


def test_by_the_time_it_was_recorded_which_is_not_when_it_happened() -> None:
    second = START + timedelta(days=2)
    assert name_at(second) == "Ada"
    assert name_at(second + timedelta(hours=1)) == "Bea"
    assert name_at(START) is None


def test_the_last_position_gives_the_row_of_now() -> None:
    assert known_at(accounts.MODEL, EVENTS, EVENTS[-1].position) == row_of(accounts.MODEL, EVENTS)


def test_a_clock_set_back_does_not_let_a_later_event_in_without_the_earlier() -> None:
    late = EVENTS[0]._replace(metadata=metadata(START + timedelta(days=9)))
    assert known_at(accounts.MODEL, [late, *EVENTS[1:]], START + timedelta(days=5)) is None


def test_a_stream_without_events_and_one_with_several_rows() -> None:
    run = MigrationRunStarted(run_id=RUN, system="s", mapping_version=1, source_kind="k", tables={})
    row = known_at(migration_runs.MODEL, history(STREAM, run), 10, key=(RUN,))
    assert row is not None
    assert row["run_id"] == RUN
    assert known_at(accounts.MODEL, [], 10) is None


def test_all_rows_of_a_stream() -> None:
    other = UUID(int=3)
    runs = [
        MigrationRunStarted(run_id=run, system="s", mapping_version=1, source_kind="k", tables={})
        for run in (other, RUN)
    ]
    events = history(STREAM, *runs)
    assert [row["run_id"] for row in rows_known_at(migration_runs.MODEL, events, None)] == [RUN, other]
    assert [row["run_id"] for row in rows_known_at(migration_runs.MODEL, events, 10)] == [other]
    assert rows_known_at(migration_runs.MODEL, events, 9) == []


def test_what_held_at_a_time_is_the_last_that_had_begun_and_was_not_superseded() -> None:
    def entry(number: int, hours: int, *, place: int | None = None, superseded: bool = False) -> Row:
        began = START + timedelta(hours=hours)
        return {"entry": number, "place": place or number, "active_from": began, "superseded": superseded}

    entries = [entry(5, 1), entry(2, 2), entry(3, 4), entry(4, 4, superseded=True), entry(6, 4, place=1)]

    def held(hours: float) -> object:
        found = in_force(entries, START + timedelta(hours=hours))
        return found and found["entry"]

    assert [held(hours) for hours in (0.9, 1, 2, 3.9, 4, 99)] == [None, 5, 2, 2, 3, 3]
    assert in_force([], START) is None
