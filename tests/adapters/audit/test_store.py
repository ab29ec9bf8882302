"""Each way to alter the log by hand is found and named by position, with the tree as it was or made anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from adapters.audit.checkpoints import CheckpointFolder, Known, Signed, sign_head
from adapters.audit.keys import SigningKey
from adapters.audit.store import Verified, verify_store
from adapters.postgres.audit_log import PostgresAuditLog
from adapters.postgres.event_store import PostgresEventStore
from domain.errors import ProofFailed
from tests.adapters.audit.test_audit_log import fill
from tests.support.writer import append_some

KEY = SigningKey.generate("test")
SAVED = {"saved_events": "store.stored_events", "saved_tiles": "audit.tiles", "saved_tree": "audit.tree"}


class World(NamedTuple):
    """A log of 700 events with gaps, checkpoints after 300 and 700 of them, and 20 events after that."""

    log: PostgresAuditLog
    known: list[Known]
    positions: list[int]

    def alter(self, *statements: str) -> None:
        with self.log.events.pool.connection() as connection, connection.transaction():
            connection.execute("ALTER TABLE store.stored_events DISABLE TRIGGER USER")
            for statement in statements:
                connection.execute(statement)

    def regrow(self) -> None:
        """Make the tree anew over what is stored now, as somebody would who wants to hide an alteration."""
        self.alter("DELETE FROM audit.tiles", "UPDATE audit.tree SET size = 0, position = 0")
        self.log.catch_up()

    def verify(self, known: Sequence[Known] | None = None) -> Verified:
        return verify_store(self.log, self.known if known is None else known, watch_verify)

    def found(self, known: Sequence[Known] | None = None) -> list[tuple[Any, ...]]:
        """Return the findings, without what they say in words."""
        return [finding[:4] for finding in self.verify(known).findings]


def watch_verify(done: int, total: int) -> None:
    assert 0 <= done <= total


@pytest.fixture(scope="module")
def built(store: PostgresEventStore) -> World:
    log, known = PostgresAuditLog(store), list[Known]()
    log.create()
    for count in (300, 400):
        fill(store, count)
        signed = sign_head(log, KEY, datetime.now(UTC), known[-1].checkpoint if known else None)
        known.append(Known(Path(), signed.checkpoint))
    append_some(store, 20)
    world = World(log, known, [row.position for row in log.rows(0, 1 << 40)])
    world.alter(*(f"CREATE TABLE {name} AS TABLE {table}" for name, table in SAVED.items()))
    return world


@pytest.fixture
def world(built: World) -> Iterator[World]:
    yield built
    for name, table in SAVED.items():
        built.alter(f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM {name}")


BYTE = "UPDATE store.stored_events SET state = set_byte(state, 30, get_byte(state, 30) # 1) WHERE notification_id = {}"
ACTOR = (
    "UPDATE store.stored_events SET state = convert_to(replace(convert_from(state, 'UTF8'), '\"actor\":\"',"
    " '\"actor\":\"x'), 'UTF8') WHERE notification_id = {}"
)
COPY = (
    "INSERT INTO store.stored_events SELECT '{}', 1, topic, state, {} FROM store.stored_events"
    " WHERE notification_id = {}"
)


SWAP = (
    "UPDATE store.stored_events SET notification_id = -1 WHERE notification_id = {0}",
    "UPDATE store.stored_events SET notification_id = {0} WHERE notification_id = {1}",
    "UPDATE store.stored_events SET notification_id = {1} WHERE notification_id = -1",
)
SWAP_BODIES = (
    "UPDATE store.stored_events AS one SET state = other.state FROM store.stored_events AS other"
    " WHERE (one.notification_id, other.notification_id) IN (({0}, {1}), ({1}, {0}))"
)
MOVE = "UPDATE store.stored_events SET notification_id = {1} WHERE notification_id = {0}"
DELETE = "DELETE FROM store.stored_events WHERE notification_id BETWEEN {} AND {}"


def test_an_untouched_log_verifies(world: World) -> None:
    found = world.verify()
    assert (found.events, found.checkpoints, found.unproven, found.findings) == (700, 2, 20, [])
    assert found.root == world.known[1].checkpoint.root  # type: ignore[union-attr]
    world.log.catch_up()
    assert world.verify().unproven == 0


@pytest.mark.parametrize(("statement", "rank"), [(BYTE, 0), (BYTE, 255), (ACTOR, 256), (ACTOR, 699)])
def test_one_byte_of_a_state_and_another_actor(world: World, statement: str, rank: int) -> None:
    at = world.positions[rank]
    world.alter(statement.format(at))
    assert world.found() == [("changed", at, at, 1)]


def test_a_swapped_pair(world: World) -> None:
    one, other = world.positions[10], world.positions[600]
    for swap in (SWAP, (SWAP_BODIES,)):
        world.alter(*(statement.format(one, other) for statement in swap))
        assert world.found() == [
            ("reordered", one, other, 1),
            ("reordered", other, one, 1),
            ("changed", one, one, 1),
            ("changed", other, other, 1),
        ]
        world.alter(*(statement.format(one, other) for statement in swap))
    assert world.found() == []


def test_an_event_that_moved_into_a_gap(world: World) -> None:
    at, gap = world.positions[50], world.positions[99] + 1
    world.alter(MOVE.format(at, gap))
    assert world.found() == [("reordered", at, gap, 1), ("deleted", at, at, 1), ("inserted", gap, gap, 1)]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (300, 300), (200, 299), (250, 560)])
def test_rows_deleted_in_the_middle(world: World, first: int, last: int) -> None:
    world.alter(DELETE.format(world.positions[first], world.positions[last]))
    assert world.found() == [("deleted", world.positions[first], world.positions[last], last - first + 1)]


def test_a_tail_deleted_after_a_checkpoint(world: World) -> None:
    start, last = world.positions[690], world.positions[699]
    world.alter(DELETE.format(start, 1 << 40))
    assert world.found() == [("truncated", start, last, 10)]
    with pytest.raises(ProofFailed, match="ends before"):
        sign_head(world.log, KEY, datetime.now(UTC), world.known[1].checkpoint)
    world.regrow()
    with pytest.raises(ProofFailed, match="does not continue"):
        sign_head(world.log, KEY, datetime.now(UTC), world.known[1].checkpoint)
    before = world.positions[689]
    assert world.found([]) == []
    assert world.found() == [("truncated", before + 1, last, 10)]


@pytest.mark.parametrize("place", ["a gap", "before the first", "among the unproven"])
def test_a_row_inserted(world: World, place: str) -> None:
    at = {"a gap": world.positions[99] + 1, "before the first": -5, "among the unproven": 1 << 30}[place]
    world.alter(COPY.format(uuid4(), at, world.positions[20]))
    proven = place == "among the unproven"  # it is one of those that nothing proves yet
    assert world.found() == ([] if proven else [("inserted", at, at, 1)])
    assert world.verify().unproven == (21 if proven else 20)


def test_a_tree_made_anew_over_altered_events(world: World) -> None:
    (_, first), (_, second) = ((known.file, known.checkpoint) for known in world.known)
    assert first
    assert second
    world.alter(ACTOR.format(world.positions[400]))
    world.regrow()
    assert world.found([]) == []
    assert world.found() == [("rewritten", first.position + 1, second.position, 0)]
    world.alter(BYTE.format(world.positions[20]))
    world.regrow()
    assert world.found()[0] == ("rewritten", 1, first.position, 0)


def test_a_forked_history_and_a_checkpoint_nobody_signed(world: World, tmp_path: Path) -> None:
    held = world.known[1].checkpoint
    assert held
    fork = held._replace(root=b"x" * 32, time="2026-01-01T00:00:00.000000Z")
    earlier = fork._replace(size=650)
    assert ("forked", None, held.position, 0) in world.found([*world.known, Known(Path(), fork)])
    assert ("forked", None, held.position, 0) in world.found([Known(Path(), earlier), *world.known])
    folder = CheckpointFolder(tmp_path)
    file = folder.write(Signed(held, KEY.sign(held.text())))
    assert world.found(folder.known([KEY.public])) == []
    assert world.found(folder.known([SigningKey.generate("test").public])) == [("checkpoint_unproven", None, None, 0)]
    file.write_text(file.read_text().replace("700", "701"))
    assert world.found(folder.known([KEY.public])) == [("checkpoint_unproven", None, None, 0)]


def test_tiles_that_were_altered(world: World) -> None:
    world.alter("UPDATE audit.tiles SET hashes = set_byte(hashes, 40, 7) WHERE level = 1")
    assert [code for code, *_ in world.found([])] == ["tree_damaged"]
    world.alter("DELETE FROM audit.tiles WHERE level = 0 AND number = 1")
    found = world.found()
    assert found[0] == ("tree_damaged", world.positions[255] + 1, world.positions[699], 700 - 256)
    assert "truncated" in [code for code, *_ in found]
    world.alter("UPDATE audit.tiles SET hashes = set_byte(hashes, 40, 7) WHERE level = 0 AND number = 0")
    at = world.positions[1]
    assert ("changed", at, at, 1) in world.found()
