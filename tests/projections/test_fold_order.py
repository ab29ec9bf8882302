from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.access import Role
from domain.account import AccountRegistered, RoleGranted
from domain.errors import StoreBusy, StoreUnavailable
from domain.event import NewEvent, Recorded, Unreadable
from domain.projection import EventSkipped, RestoreEvent, SkipEvent
from domain.service import Dossier
from domain.streams import projection_id
from projections import migration_runs
from projections.all import READ_MODELS
from projections.follow import Batch, Pace, catch_up, follow, follow_batch, follow_round, wait_for
from projections.read_model import ReadModel, Row, keys_of, one_row_a_stream
from projections.rebuild import Part, by_streams, fill, rebuild_records
from tests.projections.histories import (
    FIRST,
    LAST,
    OPERATOR,
    START,
    MemoryLog,
    Step,
    completed,
    erased,
    histories,
    history,
    metadata,
    opening,
    play,
    started,
)
from tests.projections.memory import MemoryReadStore
from tests.support.examples import EVENTS, METADATA, RUN_ID, STREAM_ID


class MemoryShadow:
    """Shadow tables in memory: one part, no live tables to compare with."""

    def __init__(self, models: Sequence[ReadModel], head: int, **options: Any) -> None:
        self.models, self.store, self._head, self._filled = models, MemoryReadStore(models, **options), head, False

    @contextmanager
    def part(self, **_: bool) -> Iterator[Part | None]:
        yield None if self._filled else Part(FIRST, LAST, self._head, self.store)
        self._filled = True

    def filled(self) -> tuple[int, int]:
        return self._head, self._head


def rebuilt(log: MemoryLog, models: Sequence[ReadModel] = READ_MODELS, **options: Any) -> MemoryReadStore:
    """Return the tables that a rebuild fills."""
    shadow = MemoryShadow(models, log.head(), **options)
    fill(log, shadow)  # type: ignore[arg-type]
    return shadow.store


@given(histories(), st.data())
def test_folding_in_log_order_in_any_batches_equals_folding_stream_by_stream(
    steps: list[Step], data: st.DataObject
) -> None:
    log = MemoryLog()
    play(log, steps)
    indexes = data.draw(st.sets(st.integers(0, len(log.events) - 1)))
    log.events = [erased(event) if index in indexes else event for index, event in enumerate(log.events)]
    store = MemoryReadStore(READ_MODELS)
    while follow_batch(log, store, READ_MODELS, data.draw(st.integers(1, 7))).events:
        pass
    assert store.rows == rebuilt(log).rows
    assert set(store.reached.values()) == {log.head()}


@given(histories())
def test_each_read_model_skips_what_it_has_seen(steps: list[Step]) -> None:
    log = MemoryLog()
    play(log, steps)
    store = MemoryReadStore(READ_MODELS)
    catch_up(log, store, READ_MODELS[:1])
    assert catch_up(log, store, READ_MODELS, limit=3) == log.head()
    assert store.rows == rebuilt(log).rows


def played() -> MemoryLog:
    log = MemoryLog()
    play(log, opening(uuid4()))
    return log


class Moved(MemoryReadStore):
    """Another follower gets in between reading the positions and taking the lock."""

    moves: list[int]

    def batch(self):  # type: ignore[no-untyped-def]
        if self.moves:
            self.reached = dict.fromkeys(self.reached, self.moves.pop())
        return super().batch()


def test_a_follower_that_was_overtaken_writes_nothing_twice() -> None:
    log = played()
    store = Moved(READ_MODELS)
    store.moves = [log.head()]
    assert follow_batch(log, store, READ_MODELS) == Batch(len(log.events), log.head())
    assert not any(store.rows.values())


def test_read_models_that_were_set_back_meanwhile_start_again() -> None:
    log = played()
    store = Moved(READ_MODELS)
    store.reached = dict.fromkeys(store.reached, log.events[0].position)
    store.moves = [0]
    assert catch_up(log, store, READ_MODELS) == log.head()
    assert store.rows == rebuilt(log).rows


def test_following_waits_when_there_is_nothing_new() -> None:
    log, store, waits = played(), MemoryReadStore(READ_MODELS), list[int]()
    follow(
        log,
        store,
        lambda: READ_MODELS,
        stop=lambda: bool(waits),
        wait=lambda: waits.append(1),
        rest=lambda *_: None,
    )
    assert store.rows == rebuilt(log).rows


def test_catching_up_tells_how_far_it_is() -> None:
    log, store, told = played(), MemoryReadStore(READ_MODELS), []
    catch_up(log, store, READ_MODELS, limit=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(event.position, log.head()) for event in log.events]


def test_waiting_for_a_position_ends_with_a_hint_when_nobody_follows() -> None:
    store, time = MemoryReadStore(READ_MODELS), iter(range(10))
    with pytest.raises(StoreBusy, match="position 0, not to 5") as caught:
        wait_for(store, READ_MODELS, 5, timeout=3, clock=lambda: next(time), sleep=lambda _: None)
    assert "follower" in str(caught.value.hint)


def test_waiting_for_a_position_returns_once_it_is_reached() -> None:
    store = MemoryReadStore(READ_MODELS)
    wait_for(store, READ_MODELS, 5, timeout=3, sleep=lambda _: store.advance(READ_MODELS, 5))


def counting(name: str) -> ReadModel:
    """A read model whose rows tell how often the fold was called."""

    def fold(row: Row | None, _: Recorded) -> Row:
        return {"id": None, "events": (row or {"events": 0})["events"] + 1}

    return one_row_a_stream(name, version=1, key="id", topics={"account.role_granted"}, fold=fold)


def test_a_read_model_in_the_middle_of_a_batch_folds_the_rest_of_it() -> None:
    ahead, behind, stream = counting("ahead"), counting("behind"), uuid4()
    log = MemoryLog(history(stream, *[RoleGranted(role=Role.ADMIN)] * 5))
    store = MemoryReadStore([ahead, behind])
    follow_batch(log, store, [ahead], limit=2)
    follow_batch(log, store, [ahead, behind])
    assert {name: rows[stream,]["events"] for name, rows in store.rows.items()} == {"ahead": 5, "behind": 5}


class Leaky(MemoryReadStore):
    def advance(self, models: Sequence[ReadModel], position: int) -> None:
        raise ZeroDivisionError


def test_a_failing_batch_changes_nothing() -> None:
    store = Leaky(READ_MODELS)
    with pytest.raises(ZeroDivisionError):
        follow_batch(played(), store, READ_MODELS)
    assert not any(store.rows.values())


def test_a_read_model_far_behind_does_not_keep_the_others_waiting() -> None:
    ahead, behind, stream = counting("ahead"), counting("behind"), uuid4()
    log = MemoryLog(history(stream, *[RoleGranted(role=Role.ADMIN)] * 9))
    store = MemoryReadStore([ahead, behind])
    store.reached["ahead"] = log.events[7].position
    follow_round(log, store, [ahead, behind], Pace(limit=2))
    assert store.reached == {"ahead": log.head(), "behind": log.events[1].position}


class BusyLog(MemoryLog):
    """A log that somebody appends to all the time: of `later` comes one event with each read."""

    later: list[Recorded]
    reads = 0

    def read(self, after: int, limit: int) -> list[Recorded]:
        self.reads += 1
        self.events.append(self.later.pop(0))
        return super().read(after, limit)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=5))
@settings(max_examples=20)
def test_read_models_at_different_positions_come_to_share_one_pass_under_steady_writes(starts: list[int]) -> None:
    events = history(stream := uuid4(), *[RoleGranted(role=Role.ADMIN)] * 200)
    log, models = BusyLog(events[:31]), [counting(f"model_{number}") for number in range(len(starts))]
    log.later = list(events[31:])
    store = MemoryReadStore(models)
    store.reached = {model.name: events[start].position for model, start in zip(models, starts, strict=True)}
    for _ in range(12):
        follow_round(log, store, models, Pace(8, 8, 8))
    before = log.reads
    follow_round(log, store, models, Pace(8, 8, 8))
    assert (log.reads - before, set(store.reached.values())) == (1, {log.head()})
    counts = [store.rows[model.name][stream,]["events"] for model in models]
    assert counts == [len(log.events) - 1 - start for start in starts]


def test_batches_grow_with_the_backlog_and_shrink_with_the_time_they_take() -> None:
    pace = Pace(limit=100, least=50, most=400, seconds=0.5)
    limits = []
    for events, seconds in [(100, 0.1), (200, 0.1), (400, 0.1), (30, 0.1), (400, 0.4), (400, 2), (200, 2), (100, 2)]:
        pace.learn(events, seconds)
        limits.append(pace.limit)
    assert limits == [200, 400, 400, 400, 400, 200, 100, 50]


def test_errors_of_the_database_are_waited_out_longer_each_time() -> None:
    log, pauses, failing = played(), list[float](), iter([True] * 9 + [False] * 3 + [True])

    class Down(MemoryReadStore):
        def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
            if next(failing, False):
                raise StoreUnavailable("down")
            return super().positions(models)

    store, waits = Down(READ_MODELS), list[int]()
    follow(
        log,
        store,
        lambda: READ_MODELS,
        stop=lambda: len(waits) > 1,
        wait=lambda: waits.append(1),
        rest=lambda _, seconds: pauses.append(seconds),
    )
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 0.5]
    assert store.rows == rebuilt(log).rows


# --- poison -----------------------------------------------------------------------------------------------------------


def poisoned(name: str, bad: set[tuple[UUID, int]]) -> ReadModel:
    """A read model that counts events and cannot fold some of them; a row of 13 is for the table to refuse."""

    def fold(row: Row | None, recorded: Recorded) -> Row:
        if (recorded.stream, recorded.version) in bad:
            raise KeyError("what it says is secret")
        return {"id": recorded.stream, "events": (row or {"events": 0})["events"] + 1, "version": recorded.version}

    return one_row_a_stream(name, version=1, key="id", topics={"account.role_granted"}, fold=fold)


streams_and_versions = st.tuples(st.integers(0, 4), st.integers(1, 6))


@given(
    st.lists(st.integers(0, 4), max_size=30),
    st.sets(streams_and_versions, max_size=6),
    st.sets(streams_and_versions, max_size=4),
    st.sets(streams_and_versions, max_size=3),
    st.data(),
)
@settings(max_examples=30)
def test_poison_halts_its_stream_alone_and_live_equals_rebuild(
    order: list[int],
    bad: set[tuple[int, int]],
    refused: set[tuple[int, int]],
    skipped: set[tuple[int, int]],
    data: st.DataObject,
) -> None:
    streams = [uuid4() for _ in range(5)]
    model = poisoned("poisoned", {(streams[number], version) for number, version in bad})
    bystander = counting("bystander")
    # A skip folds its stream anew as it is in the end, where a row that was refused for a moment is not there any more.
    skipped = {(number, version) for number, version in skipped if number not in dict(refused)}

    def refuses(row: Row) -> bool:
        return any(row["id"] == streams[number] and row["version"] == version for number, version in refused)

    log, store = MemoryLog(), MemoryReadStore([model, bystander], refuses)
    decisions = [
        EventSkipped(read_model="poisoned", stream=streams[number], version=version, reason="broken")
        for number, version in skipped
    ]
    for number in order:
        earlier = sum(event.stream == streams[number] for event in log.events)
        granted = RoleGranted(role=Role.ADMIN)
        log.append_bulk([NewEvent(streams[number], earlier + 1, granted, metadata(START))])
    for version, decision in enumerate(decisions, 1):
        log.append_bulk([NewEvent(projection_id("poisoned"), version, decision, metadata(START))])
    # A batch of one, so that also what is refused for a moment only is refused.
    while follow_batch(log, store, [model, bystander], data.draw(st.integers(1, 1 if refused else 7))).events:
        pass
    if not refused:  # a rebuild sees rows as they are in the end
        again = rebuilt(log, [model, bystander], refuses=refuses)
        assert (store.rows, store.letters) == (again.rows, again.letters)
    for number, stream in enumerate(streams):
        versions = range(1, order.count(number) + 1)
        left = [version for version in versions if (number, version) not in skipped]
        stops = next((version for version in left if (number, version) in bad | refused), None)
        taken = [version for version in left if stops is None or version < stops]
        row = store.rows["poisoned"].get((stream,))
        assert (row["version"] if row else None) == (taken[-1] if taken else None)
        letter = store.letters.get(("poisoned", stream))
        assert (letter.version if letter else None) == stops
    assert "secret" not in repr(store.letters)
    assert sum(row["events"] for row in store.rows["bystander"].values()) == len(order)


def test_a_fixed_read_model_heals_what_it_could_not_fold() -> None:
    stream = uuid4()
    log = MemoryLog(history(stream, *[RoleGranted(role=Role.ADMIN)] * 4))
    broken, fixed = poisoned("model", {(stream, 2)}), poisoned("model", set())
    store = MemoryReadStore([broken])
    catch_up(log, store, [broken])
    (letter,) = store.letters.values()
    assert (letter.version, letter.topic, letter.error[:8]) == (2, "account.role_granted", "KeyError")
    assert store.rows["model"][stream,]["version"] == 1
    assert rebuild_records(log, store, [broken], [stream]) == [letter]
    assert rebuild_records(log, store, [fixed], [stream]) == []
    assert not store.letters
    assert store.rows["model"][stream,]["events"] == 4


def test_a_skip_can_be_taken_back() -> None:
    stream = uuid4()
    log = MemoryLog(history(stream, *[RoleGranted(role=Role.ADMIN)] * 3))
    model = poisoned("model", {(stream, 2)})
    store = MemoryReadStore([model])
    dossier = Dossier(log, lambda: START, uuid4)
    for command, version, letters in ((SkipEvent, 3, 0), (RestoreEvent, 1, 1)):
        dossier.execute(command(read_model="model", stream=stream, version=2, reason="r"), actor=OPERATOR)
        catch_up(log, store, [model], limit=2)
        assert store.rows == rebuilt(log, [model]).rows
        assert (store.rows["model"][stream,]["version"], len(store.letters)) == (version, letters)


def test_an_unreadable_event_halts_its_stream_in_the_read_models_that_fold_it() -> None:
    log = played()
    broken = log.events[0]
    log.events[0] = broken._replace(event=Unreadable("position 1: does not fit"))
    store = MemoryReadStore(READ_MODELS)
    catch_up(log, store, READ_MODELS)
    assert {letter.error for letter in store.letters.values()} == {"StoredEventUnreadable: position 1: does not fit"}
    assert {letter.stream for letter in store.letters.values()} == {broken.stream}
    assert store.rows == rebuilt(log).rows


# --- the order of a rebuild -------------------------------------------------------------------------------------------


def test_a_long_stream_is_folded_in_parts_and_keeps_all_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rebuild.by_streams", partial(by_streams, size=2, longest=2))
    runs = [uuid4() for _ in range(3)]
    log = MemoryLog(history(uuid4(), *(started(run, "s") for run in runs), *(completed(run, "s") for run in runs[:2])))
    found = rebuilt(log).rows["migration_runs"]
    assert {row["run_id"]: row["events"] for row in found.values()} == dict(zip(runs, [4, 4, None], strict=True))


@given(st.lists(st.integers(1, 5), max_size=12), st.integers(1, 6), st.integers(1, 6))
def test_batches_hold_whole_streams_unless_they_are_too_long(lengths: list[int], size: int, longest: int) -> None:
    events = [event for length in lengths for event in history(uuid4(), *[AccountRegistered()] * length)]
    batches = list(by_streams(events, size, longest))
    assert [event for _, batch in batches for event in batch] == events
    seen: set[UUID] = set()
    for fresh, batch in batches:
        streams = {event.stream for event in batch}
        assert fresh == streams.isdisjoint(seen)
        assert fresh or len(streams) == 1
        assert len(batch) < size + longest
        seen |= streams


def test_the_rows_of_a_read_model_keyed_by_stream_are_those_of_its_stream() -> None:
    """By which `rebuild --only` deletes. One read model is keyed otherwise: an id that is a key there costs no row."""
    events = [Recorded(STREAM_ID, 9, 9, topic, event, METADATA) for topic, event in EVENTS.items()]
    streams = {
        model.name: {key[0] for event in events if event.topic in model.topics for key in keys_of(model, event)}
        for model in READ_MODELS
    }
    by_stream = {model.name for model in READ_MODELS if model.keyed_by_stream}
    assert {name for name, found in streams.items() if found == {STREAM_ID}} == by_stream
    assert streams.keys() - by_stream == {"migration_runs"}
    store = MemoryReadStore([migration_runs.MODEL])
    store.rows["migration_runs"][(RUN_ID,)] = {"run_id": RUN_ID}
    rebuild_records(MemoryLog(), store, [migration_runs.MODEL], [RUN_ID])
    assert store.rows["migration_runs"]
