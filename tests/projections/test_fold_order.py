from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access import Role
from domain.account import AccountRegistered, RoleGranted
from domain.errors import StoreBusy
from domain.event import Recorded
from projections.all import READ_MODELS
from projections.follow import Batch, catch_up, follow, follow_batch, wait_for
from projections.read_model import Key, ReadModel, Row, one_row_a_stream
from projections.rebuild import fold_streams
from tests.projections.histories import MemoryLog, Step, completed, erased, histories, history, opening, play, started
from tests.projections.memory import MemoryReadStore


def rebuilt(log: MemoryLog) -> dict[str, dict[Key, Row]]:
    rows: dict[str, dict[Key, Row]] = {model.name: {} for model in READ_MODELS}
    for model, found in fold_streams(READ_MODELS, log.scan(log.head())):
        rows[model.name] |= {tuple(row[name] for name in model.key): row for row in found}
    return rows


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
    assert store.rows == rebuilt(log)
    assert set(store.reached.values()) == {log.head()}


@given(histories())
def test_each_read_model_skips_what_it_has_seen(steps: list[Step]) -> None:
    log = MemoryLog()
    play(log, steps)
    store = MemoryReadStore(READ_MODELS)
    catch_up(log, store, READ_MODELS[:1])
    assert catch_up(log, store, READ_MODELS, limit=3) == log.head()
    assert store.rows == rebuilt(log)


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
    assert store.rows == rebuilt(log)


def test_following_waits_when_there_is_nothing_new() -> None:
    log, store, waits = played(), MemoryReadStore(READ_MODELS), list[int]()
    follow(log, store, READ_MODELS, stop=lambda: bool(waits), wait=lambda: waits.append(1))
    assert store.rows == rebuilt(log)


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


def test_a_failing_batch_changes_nothing() -> None:
    log = played()
    log.events.append(log.events[-1]._replace(position=log.head() + 1, stream=uuid4(), event=None))
    store = MemoryReadStore(READ_MODELS)
    with pytest.raises(ValueError, match="no row for stream"):
        follow_batch(log, store, READ_MODELS)
    assert store.reached == dict.fromkeys(store.reached, 0)


def test_a_long_stream_is_folded_in_parts_and_keeps_all_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rebuild.FOLDED_EVENTS", 2)
    runs = [uuid4() for _ in range(3)]
    events = history(uuid4(), *(started(run, "s") for run in runs), *(completed(run, "s") for run in runs[:2]))
    ((model, rows),) = fold_streams(READ_MODELS, iter(events))
    assert model.name == "migration_runs"
    assert {row["run_id"]: row["events"] for row in rows} == dict(zip(runs, [4, 4, None], strict=True))


def test_rows_are_handed_over_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rebuild.FOLDED_EVENTS", 3)
    events = [event for _ in range(7) for event in history(uuid4(), AccountRegistered())]
    # Each batch holds back the stream it ends in, which might go on.
    assert [len(rows) for _, rows in fold_streams(READ_MODELS, iter(events))] == [2, 3, 1, 1]
