"""The follower that adds leaves: gaps, take-over, batches, and trees of earlier sizes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from adapters.audit.merkle import WIDTH, Tree, grow
from adapters.audit.verifier import is_consistent, root_of
from adapters.bootstrap import Application
from adapters.postgres.audit_log import PostgresAuditLog, StoredRow
from adapters.postgres.event_store import PostgresEventStore
from domain.errors import StoreError
from projections.follow import until_stopped
from tests.support.writer import append_some, registered


def fill(store: PostgresEventStore, count: int) -> None:
    """Append events by the hundred, with a gap in the positions after each batch."""
    for _ in range(count // 100):
        store.append_bulk([registered(uuid4(), name=f"Ada {number}") for number in range(100)])
        with store.pool.connection() as connection:
            connection.execute("SELECT nextval(pg_get_serial_sequence('store.stored_events', 'notification_id'))")


def rebuilt(rows: list[StoredRow]) -> Tree:
    tiles = {(tile.level, tile.number): tile.hashes for tile in grow(0, [row.leaf() for row in rows], lambda *_: b"")}
    return Tree(len(rows), lambda level, number: tiles.get((level, number), b""))


def test_the_tree_grows_with_the_log_over_gaps(app: Application) -> None:
    assert app.audit.catch_up()[:2] == (0, 0)
    roots = {}
    for count, batch in ((300, 77), (100, 256), (900, 1_000)):
        fill(app.events, count)
        while app.audit.follow_batch(batch):
            pass
        state = app.audit.state()
        assert state.position == app.events.head()
        roots[state.size] = app.audit.tree(state.size).root()
    rows = list(app.audit.rows(0, state.position))
    assert state.size == len(rows) == 1_300
    assert rows[-1].position > len(rows)
    assert app.audit.tree(len(rows)).root() == rebuilt(rows).root()
    tiles = list(app.audit.leaf_tiles(0, len(rows)))
    assert [position for tile in tiles for position in tile.positions] == [row.position for row in rows]
    assert {len(tile.positions) for tile in tiles[:-1]} == {WIDTH}
    for index in (0, 299, 300, 1_299):
        path = b"".join(app.audit.tree(len(rows)).inclusion(index))
        assert root_of(rows[index].leaf(), index, len(rows), path) == roots[1_300]
        assert app.audit.tile_holding(rows[index].position) == index // WIDTH
    for size, root in roots.items():
        assert app.audit.tree(size).root() == root == rebuilt(rows[:size]).root()
        assert is_consistent(size, root, 1_300, roots[1_300], app.audit.tree(1_300).consistency(size))


def test_a_batch_that_fails_leaves_the_tree_as_it_was(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    append_some(app.events, 10)
    before = app.audit.catch_up()
    append_some(app.events, 10)
    monkeypatch.setattr(app.audit, "_advance", app.audit._positions)
    with pytest.raises(Exception, match=r"."):
        app.audit.follow_batch()
    monkeypatch.undo()
    assert app.audit.state() == before
    assert app.audit.tree(10).root() == rebuilt(list(app.audit.rows(0, before.position))).root()
    assert app.audit.catch_up().size == 20


def test_a_follower_waits_out_a_database_that_refuses(app: Application) -> None:
    append_some(app.events, 5)
    with app.pool.connection() as connection:
        connection.execute("ALTER TABLE audit.tree RENAME TO away")
    pauses: list[float] = []

    def rest(error: StoreError, pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 3:
            with app.pool.connection() as connection:
                connection.execute("ALTER TABLE audit.away RENAME TO tree")

    done: list[int] = []
    until_stopped(
        app.audit.follow_batch,
        stop=lambda: bool(done),
        wait=lambda: done.append(app.audit.state().size),
        rest=rest,
        worked=lambda _: None,
    )
    assert (pauses, done) == ([0.5, 1.0, 2.0], [5])


def test_several_followers_take_turns_under_live_writes(app: Application) -> None:
    followers = [PostgresAuditLog(app.events) for _ in range(3)]
    with ThreadPoolExecutor() as threads:
        writing = [threads.submit(append_some, app.events, 60) for _ in range(2)]

        def grow_until_written(follower: PostgresAuditLog) -> None:
            while not all(task.done() for task in writing):
                follower.follow_batch(7)

        list(threads.map(grow_until_written, followers))
    state = app.audit.catch_up()
    rows = list(app.audit.rows(0, state.position))
    assert state.size == len(rows) == 120
    assert app.audit.tree(120).root() == rebuilt(rows).root()
