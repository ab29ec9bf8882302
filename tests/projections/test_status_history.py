from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import PostgresReadStore
from domain.case import (
    CASE,
    CaseEvent,
    CaseOpened,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    ChangeCaseStatus,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
)
from domain.event import ERASED, NewEvent, Recorded
from domain.profile import ProfileVerificationChanged, Verification
from domain.service import Dossier
from domain.wall_clock import read_wall_clock
from projections import cases
from projections.all import READ_MODELS
from projections.follow import catch_up, follow_batch
from projections.read_model import Key, Row, fold_events
from projections.status_history import MODEL
from tests.projections.histories import OPERATOR, START, MemoryLog, Step, histories, history, metadata, play
from tests.projections.memory import MemoryReadStore

CASE_ID, PROFILE_ID = UUID(int=1), UUID(int=2)
DAY = date(2024, 1, 1)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def changed(status: str | None, at: int, follows: int | None = None, precedes: int | None = None) -> CaseStatusChanged:
    return CaseStatusChanged(status=status, effective_at=hour(at), day=DAY, follows=follows, precedes=precedes)


def entries(*events: CaseEvent) -> dict[int, Row]:
    """Return the rows, by entry, that a case has after it was opened and these events happened."""
    return by_entry(history(CASE_ID, CaseOpened(fields={}), *events))


def by_entry(events: Sequence[Recorded]) -> dict[int, Row]:
    return {row["entry"]: row for row in fold_events(MODEL, {}, events).values() if row is not None}


def spans(rows: Mapping[int, Row]) -> dict[int, tuple[Any, ...]]:
    """Return of each entry: status, the one before, the hours from when to when it held, whether it is active."""
    return {
        entry: (row["status"], row["previous"], _hours(row["active_from"]), _hours(row["active_to"]), row["is_active"])
        for entry, row in rows.items()
    }


def _hours(at: datetime | None) -> float | None:
    return None if at is None else (at - START) / timedelta(hours=1)


# --- given, then ------------------------------------------------------------------------------------------------------


def test_an_entry_of_a_case() -> None:
    event = CaseStatusChanged(
        status="exigencia",
        effective_at=hour(1),
        day=DAY,
        notes="they ask for more",
        filled={"deadline_date": "2024-01-20"},
        dated=read_wall_clock("2024-01-01T09:00"),
        carried={"metadata": {"a": 1}},
    )
    assert entries(event) == {
        2: {
            "owner_id": CASE_ID,
            "entry": 2,
            "place": 2,
            "owner_kind": "case",
            "status": "exigencia",
            "previous": None,
            "active_from": hour(1),
            "active_to": None,
            "is_active": True,
            "changed_by": "someone",
            "notes": "they ask for more",
            "reason": None,
            "superseded": False,
            "superseded_by": None,
            "day": DAY,
            "date_text": "2024-01-01T09:00",
            "date_at": hour(12),
            "date_zone": "America/Sao_Paulo",
            "delivery_date": date(2024, 1, 30),
            "client_date": date(2024, 1, 24),
            "filled": {"deadline_date": "2024-01-20"},
            "carried": {"metadata": {"a": 1}},
            "duration_s": None,
            "updated_at": START + timedelta(days=2),
            "origin": "live",
            "version": 2,
            "position": 20,
            "recorded_at": START + timedelta(days=2, hours=1),
        }
    }


def test_an_entry_holds_until_the_next_begins() -> None:
    rows = entries(changed("rnm", 1), changed("deferido", 4, follows=2))
    assert spans(rows) == {2: ("rnm", None, 1, 4, False), 3: ("deferido", "rnm", 4, None, True)}
    assert (rows[2]["duration_s"], rows[3]["duration_s"]) == (3 * 3600, None)
    assert (rows[2]["version"], rows[3]["version"]) == (3, 3)


def test_a_late_entry_takes_its_place() -> None:
    rows = entries(changed("rnm", 1), changed("deferido", 4, follows=2), changed("em_tramite", 2, 2, 3))
    assert spans(rows) == {
        2: ("rnm", None, 1, 2, False),
        4: ("em_tramite", "rnm", 2, 4, False),
        3: ("deferido", "em_tramite", 4, None, True),
    }


def test_an_entry_before_all_others() -> None:
    rows = entries(changed("deferido", 4), changed("rnm", 1, precedes=2))
    assert spans(rows) == {3: ("rnm", None, 1, 4, False), 2: ("deferido", "rnm", 4, None, True)}


def test_nobody_knows_from_then_on() -> None:
    rows = entries(changed("rnm", 1), changed(None, 4, follows=2))
    assert spans(rows) == {2: ("rnm", None, 1, 4, False), 3: (None, "rnm", 4, None, False)}


def corrected(entry: int, status: str, at: int, left: tuple[int | None, int | None], **place: int) -> CaseEvent:
    return CaseStatusCorrected(
        entry=entry,
        left_between=left,
        status=status,
        effective_at=hour(at),
        day=DAY,
        now=None,
        notes="so it was",
        filled={"rnm_number": "R1"},
        reason="a slip",
        **place,
    )


def test_a_corrected_entry_stays_as_it_was_and_the_right_one_takes_its_own_place() -> None:
    rows = entries(
        changed("rnm", 1),
        changed("em_tramite", 3, follows=2),
        changed("deferido", 5, follows=3),
        corrected(3, "exigencia", 7, (2, 4), follows=4),
    )
    assert spans(rows) == {
        2: ("rnm", None, 1, 5, False),
        3: ("em_tramite", "rnm", 3, 5, False),
        4: ("deferido", "rnm", 5, 7, False),
        5: ("exigencia", "deferido", 7, None, True),
    }
    assert (rows[3]["superseded"], rows[3]["superseded_by"], rows[3]["duration_s"]) == (True, 5, None)
    assert [rows[5][name] for name in ("notes", "reason", "filled", "superseded", "delivery_date", "place")] == [
        *("so it was", "a slip", {"rnm_number": "R1"}, False, date(2024, 1, 30)),
        5,
    ]


def test_a_first_entry_moved_away_leaves_the_next_without_a_previous_one() -> None:
    rows = entries(changed("rnm", 1), changed("deferido", 5, follows=2), corrected(2, "rnm", 7, (None, 3), follows=3))
    assert spans(rows) == {
        2: ("rnm", None, 1, 5, False),
        3: ("deferido", None, 5, 7, False),
        4: ("rnm", "deferido", 7, None, True),
    }


def test_a_correction_in_place_keeps_the_order_among_entries_of_one_time() -> None:
    rows = entries(changed("rnm", 1), changed("deferido", 1, follows=2), corrected(2, "rnm", 1, (None, 3), precedes=3))
    assert spans(rows) == {
        2: ("rnm", None, 1, 1, False),
        4: ("rnm", None, 1, 1, False),
        3: ("deferido", "rnm", 1, None, True),
    }
    assert {entry: row["place"] for entry, row in rows.items()} == {2: 2, 3: 3, 4: 2}


def test_a_removed_entry_is_followed_by_nobody_knows() -> None:
    rows = entries(
        changed("rnm", 1),
        changed("deferido", 4, follows=2),
        CaseStatusRemoved(entry=3, effective_at=hour(4), follows=2, reason="never was"),
    )
    assert spans(rows) == {
        2: ("rnm", None, 1, 4, False),
        3: ("deferido", "rnm", 4, None, False),
        4: (None, "rnm", 4, None, False),
    }
    assert [rows[3][name] for name in ("superseded", "superseded_by", "reason")] == [True, 4, None]
    assert [rows[4][name] for name in ("superseded", "reason", "day", "notes", "place")] == [
        *(False, "never was", None, None),
        3,
    ]


def test_what_an_import_found_overruled_takes_no_place() -> None:
    overruled = changed("deferido", 4).model_copy(update={"superseded_by": 2, "previous": "rnm"})
    rows = entries(changed("rnm", 1), overruled)
    assert spans(rows) == {2: ("rnm", None, 1, None, True), 3: ("deferido", "rnm", 4, None, False)}
    assert (rows[3]["superseded"], rows[3]["superseded_by"], rows[2]["version"]) == (True, 2, 2)


def test_a_bare_date_names_no_point_in_time() -> None:
    row = entries(changed("rnm", 1).model_copy(update={"dated": read_wall_clock("2024-01-01")}))[2]
    assert (row["date_text"], row["date_at"], row["date_zone"]) == ("2024-01-01", None, None)


def test_erased_entries() -> None:
    rows = entries(
        changed("rnm", 1).model_copy(update=dict.fromkeys(("notes", "filled", "changes", "carried"), ERASED)),
        corrected(2, "deferido", 1, (None, None)).model_copy(
            update=dict.fromkeys(("notes", "filled", "changes", "reason"), ERASED)
        ),
        CaseStatusRemoved(entry=3, effective_at=hour(1), changes=ERASED, reason=ERASED),
    )
    assert [(row["notes"], row["filled"], row["carried"], row["reason"]) for row in rows.values()] == [
        (None, {}, {}, None)
    ] * 3


def verified(status: Verification, previous: Verification, follows: int | None = None) -> ProfileVerificationChanged:
    return ProfileVerificationChanged(status=status, previous=previous, follows=follows, notes="seen")


def test_the_verification_of_a_profile() -> None:
    rows = by_entry(
        history(
            PROFILE_ID,
            verified(Verification.PENDING, Verification.UNVERIFIED),
            verified(Verification.VERIFIED, Verification.PENDING, follows=1),
        )
    )
    assert spans(rows) == {
        1: ("pending", "unverified", 24, 48, False),
        2: ("verified", "pending", 48, None, True),
    }
    assert {(row["owner_kind"], row["notes"], row["day"], row["changed_by"]) for row in rows.values()} == {
        ("profile", "seen", None, "someone")
    }


def test_a_clock_set_back_does_not_turn_verifications_round() -> None:
    first, second = history(
        PROFILE_ID,
        verified(Verification.PENDING, Verification.UNVERIFIED),
        verified(Verification.VERIFIED, Verification.PENDING, follows=1),
    )
    rows = by_entry([first, second._replace(metadata=metadata(START))])
    assert spans(rows) == {1: ("pending", "unverified", 24, 24, False), 2: ("verified", "pending", 24, None, True)}


def test_an_entry_without_its_neighbour_is_a_hole_in_the_log() -> None:
    with pytest.raises(ValueError, match="no row for stream"):
        entries(changed("rnm", 1, follows=7))


# --- laws -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Amended:
    """An entry is corrected, its time or its status or both, or, with neither, removed."""

    at: int | None = None
    status: str | None = None


@dataclass(frozen=True)
class Said:
    """What is said of one entry, in this order."""

    at: int
    status: str
    amended: tuple[Amended, ...] = ()

    def in_the_end(self) -> tuple[int, str | None]:
        at, status = self.at, self.status
        for step in self.amended:
            if step == Amended():
                return at, None
            at, status = step.at or at, step.status or status
        return at, status


CODES = ("em_tramite", "exigencia", "rnm", "deferido")


@st.composite
def _said(draw: st.DrawFn) -> list[Said]:
    """Some entries; no two times are the same, whether said first or on correcting."""
    times = iter(draw(st.permutations(range(1, 40))))
    codes = st.sampled_from(CODES)

    def amended() -> Amended:
        what = draw(st.sampled_from(["time", "status", "both", "removed"]))
        return Amended(
            next(times) if what in ("time", "both") else None, draw(codes) if what in ("status", "both") else None
        )

    return [
        Said(next(times), draw(codes), tuple(amended() for _ in range(draw(st.integers(0, 2)))))
        for _ in range(draw(st.integers(1, 7)))
    ]


def replayed(said: Sequence[Said], order: Sequence[int]) -> list[Recorded]:
    """Say it to a case, command by command: each number in the order says the next thing of that entry."""
    log = MemoryLog()
    dossier = Dossier(log, lambda: hour(1000), uuid4)
    dossier.execute(OpenCase(case_id=CASE_ID), actor=OPERATOR)
    steps: dict[int, Iterator[Amended]] = {}
    numbers: dict[int, int] = {}
    for index in order:
        one = said[index]
        command: ChangeCaseStatus | CorrectCaseStatus | RemoveCaseStatus
        if index not in steps:
            steps[index] = iter(one.amended)
            # With notes, since a status that only repeats the one before it and is the latest is no entry.
            command = ChangeCaseStatus(
                case_id=CASE_ID, status=one.status, effective_at=hour(one.at), notes=f"number {index}"
            )
        elif (step := next(steps[index])) == Amended():
            command = RemoveCaseStatus(case_id=CASE_ID, entry=numbers[index], reason="never was")
            steps[index] = iter(())
        else:
            given_at = hour(step.at) if step.at else None
            command = CorrectCaseStatus(
                case_id=CASE_ID, entry=numbers[index], status=step.status, effective_at=given_at, reason="a slip"
            )
        receipt = dossier.execute(command, actor=OPERATOR)
        if receipt.events:
            numbers[index] = receipt.version
    return log.events


def steps_of(one: Said) -> int:
    """Return how many commands say it: nothing comes after a removal."""
    return 1 + next((number for number, step in enumerate(one.amended, 1) if step == Amended()), len(one.amended))


def in_force(events: Sequence[Recorded]) -> list[tuple[Any, ...]]:
    rows = [row for row in by_entry(events).values() if not row["superseded"]]
    return [
        (row["status"], row["previous"], row["active_from"], row["active_to"], row["is_active"], row["duration_s"])
        for row in sorted(rows, key=lambda row: row["active_from"])
    ]


def oracle(said: Sequence[Said]) -> list[tuple[Any, ...]]:
    """Return the history of what was meant in the end, sorted."""
    ends = sorted(one.in_the_end() for one in said)
    found: list[tuple[Any, ...]] = []
    for place, (at, status) in enumerate(ends):
        previous = ends[place - 1][1] if place else None
        until = ends[place + 1][0] if place + 1 < len(ends) else None
        lasted = None if until is None else (until - at) * 3600.0
        found.append((status, previous, hour(at), until and hour(until), until is None and status is not None, lasted))
    return found


@given(_said(), st.data())
def test_any_interleaving_of_late_corrected_and_removed_entries_gives_the_history_of_the_sorted_ones(
    said: list[Said], data: st.DataObject
) -> None:
    at_once = [
        index for index in sorted(range(len(said)), key=lambda i: said[i].at) for _ in range(steps_of(said[index]))
    ]
    changes_first = [*dict.fromkeys(at_once), *_further(at_once)]
    any_order = data.draw(st.permutations(at_once))
    events = replayed(said, any_order)
    assert in_force(events) == in_force(replayed(said, at_once)) == in_force(replayed(said, changes_first))
    assert in_force(events) == oracle(said)
    assert sum(row["is_active"] for row in by_entry(events).values()) <= 1
    assert agrees(events)
    assert followed(events) == by_entry(events)


def _further(order: Sequence[int]) -> list[int]:
    """Return the order without the first of each number."""
    return [index for place, index in enumerate(order) if index in order[:place]]


def followed(events: Sequence[Recorded]) -> dict[int, Row]:
    """Return the rows by entry when they are saved and loaded again between any two events."""
    store = MemoryReadStore([MODEL])
    catch_up(MemoryLog(list(events)), store, [MODEL], limit=1)
    return {entry: row for (_, entry), row in store.rows[MODEL.name].items()}


def agrees(events: Sequence[Recorded]) -> bool:
    """Tell whether the case, its history and the aggregate say the same."""
    timeline = CASE.fold(event.event for event in events).timeline
    rows = by_entry(events)
    order = sorted(
        (row for row in rows.values() if not row["superseded"]), key=lambda row: (row["active_from"], row["place"])
    )
    assert [(row["entry"], row["status"], row["active_from"]) for row in order] == [
        (entry.number, entry.status, entry.at) for entry in timeline.entries
    ]
    assert all(
        (one["active_to"], next_one["previous"], one["is_active"]) == (next_one["active_from"], one["status"], False)
        for one, next_one in pairwise(order)
    )
    assert {row["entry"]: row["superseded_by"] for row in rows.values() if row["superseded"]} == timeline.superseded
    active = next((row for row in rows.values() if row["is_active"]), None)
    assert (active and active["entry"]) == (timeline.active and timeline.active.number)
    (case,) = fold_events(cases.MODEL, {}, events).values()
    names = {"status": "status", "status_entry": "entry", "status_since": "active_from"}
    names |= {"delivery_date": "delivery_date", "client_date": "client_date", "status_day": "day"}
    return case is not None and all(case[one] == (active[other] if active else None) for one, other in names.items())


@settings(max_examples=15)
@given(histories())
def test_the_history_is_that_of_the_aggregate(steps: list[Step]) -> None:
    log = MemoryLog()
    play(log, steps)
    streams = {event.stream for event in log.events if event.topic == "case.opened"}
    for stream in streams:
        events = [event for event in log.events if event.stream == stream]
        assert agrees(events)
        assert followed(events) == by_entry(events)


@settings(max_examples=15)
@given(histories())
def test_an_event_changes_what_it_touches_and_nothing_else(steps: list[Step]) -> None:
    log = MemoryLog()
    play(log, steps)
    rows: dict[Key, Row] = {}
    for event in (event for event in log.events if event.topic in MODEL.topics):
        touched = set(MODEL.touches(event))
        assert len(touched) <= 6
        mine = {key: row for key, row in rows.items() if key[0] == event.stream}
        after = MODEL.evolve({key: rows[key] for key in touched & rows.keys()}, event)
        assert after.keys() == touched
        assert MODEL.evolve(mine, event) == {**mine, **after}
        assert all(row == rows.get(key) or (row and row["version"] == event.version) for key, row in after.items())
        rows |= {key: row for key, row in after.items() if row is not None}


class Spied(MemoryReadStore):
    """Tells which rows of the history were asked for."""

    asked: set[Key]

    def load(self, model: Any, keys: Any) -> dict[Key, Row]:
        if model is MODEL:
            self.asked = set(keys)
        return super().load(model, keys)


def test_a_long_history_is_not_loaded_for_one_entry() -> None:
    said = [Said(at, CODES[at % 4]) for at in range(1, 30)]
    log = MemoryLog(replayed([*said, Said(31, "rnm")], range(30)))
    store = Spied(READ_MODELS)
    catch_up(log, store, READ_MODELS)
    dossier = Dossier(log, lambda: hour(1000), uuid4)
    late = START + timedelta(hours=10, minutes=30)  # after entry 11 and before entry 12
    asked = []
    for command in (
        ChangeCaseStatus(case_id=CASE_ID, status="rnm", effective_at=late),
        CorrectCaseStatus(case_id=CASE_ID, entry=5, effective_at=hour(30), reason="a slip"),
        RemoveCaseStatus(case_id=CASE_ID, entry=20, reason="never was"),
    ):
        dossier.execute(command, actor=OPERATOR)
        follow_batch(log, store, READ_MODELS)
        asked.append({entry for _, entry in store.asked})
    assert asked == [{11, 12, 32}, {4, 5, 6, 30, 31, 33}, {19, 20, 21, 34}]
    rows = {entry: row for (_, entry), row in store.rows[MODEL.name].items()}
    assert rows == by_entry(log.events)


# --- in the database --------------------------------------------------------------------------------------------------


@pytest.fixture
def live(database_url: str) -> Iterator[PostgresReadStore]:
    pool = open_pool(database_url)
    live = PostgresReadStore(pool)
    live.create(READ_MODELS)
    yield live
    live.drop()
    pool.close()


def append(store: PostgresEventStore, *events: CaseEvent) -> UUID:
    stream = uuid4()
    opened = [CaseOpened(fields={}), *events]
    store.append_bulk(
        [NewEvent(stream, version, event, metadata(hour(100))) for version, event in enumerate(opened, start=1)]
    )
    return stream


def test_the_table_holds_what_the_fold_says(store: PostgresEventStore, live: PostgresReadStore) -> None:
    stream = append(
        store,
        changed("exigencia", 1).model_copy(update={"dated": read_wall_clock("2024-01-01T09:00")}),
        changed("deferido", 5, follows=2),
        corrected(2, "exigencia", 2, (None, 3), precedes=3),
    )
    while follow_batch(store, live, READ_MODELS, 1).events:
        pass
    events = store.load([stream])[stream]
    assert {row["entry"]: row for row in live.fetch(MODEL, owner_id=stream)} == by_entry(events)
    assert live.fetch(cases.MODEL, case_id=stream) == [*fold_events(cases.MODEL, {}, events).values()]


def test_the_table_refuses_a_second_active_status_at_the_end_of_the_transaction(
    store: PostgresEventStore, live: PostgresReadStore
) -> None:
    stream = append(store, changed("rnm", 1), changed("deferido", 5, follows=2))
    catch_up(store, live, READ_MODELS)
    again = (
        "UPDATE status_history.status_history SET is_active = true, active_to = NULL, duration_s = NULL"
        " WHERE owner_id = %s AND entry = 2"
    )
    away = "DELETE FROM status_history.status_history WHERE owner_id = %s AND entry = 3"
    with (
        live.pool.connection() as connection,
        pytest.raises(psycopg.errors.ExclusionViolation),
        connection.transaction(),
    ):
        connection.execute(again, [stream])
    with live.pool.connection() as connection, connection.transaction():
        connection.execute(again, [stream])
        connection.execute(away, [stream])


def test_a_status_of_any_length_is_kept(store: PostgresEventStore, live: PostgresReadStore) -> None:
    long = random.Random(1).randbytes(5_000).hex()
    stream = append(store, changed(long, 1))
    catch_up(store, live, READ_MODELS)
    assert [row["status"] for row in live.fetch(MODEL, owner_id=stream)] == [long]
    assert [row["status"] for row in live.fetch(cases.MODEL, status=long)] == [long]
