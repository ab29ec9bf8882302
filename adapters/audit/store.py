"""Verifies the store: stored events against the leaves of the tree, the tree in itself, and both against checkpoints.

Events and tiles are read once, side by side, in constant memory; nothing is written. What differs is named by position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import Any, Final, NamedTuple

from adapters.audit.altered import LISTED, Altered, Finding
from adapters.audit.checkpoints import Known
from adapters.audit.merkle import WIDTH, Tree, folded
from adapters.audit.verifier import HASH, Checkpoint
from adapters.postgres.audit_log import LeafTile, PostgresAuditLog, StoredRow
from projections.follow import Progress

_FIRST: Final = -(1 << 63)  # rows with positions nobody ever drew are found too


class Verified(NamedTuple):
    """What was compared and found. `unproven` are events after the tree's last leaf, which nothing proves yet."""

    events: int
    position: int
    root: bytes
    checkpoints: int
    unproven: int
    findings: Sequence[Finding]
    totals: dict[str, int]


def verify_store(log: PostgresAuditLog, known: Sequence[Known], progress: Progress) -> Verified:
    """Compare what is stored with the tree, and the tree with all known checkpoints."""
    state = log.state()
    altered, spine, signed = Altered(), _Spine(log.tree(state.size)), _Signed(known)
    signed.judge(spine, 0)
    rows = log.rows(_FIRST, state.position)
    carried: list[StoredRow] = []
    for expected, tile in enumerate(log.leaf_tiles(0, state.size)):
        if not _is_whole(tile, expected, state.size):
            break
        carried = _compare(tile, carried, rows, altered)
        signed.check(spine, tile)
        progress(spine.size, state.size)
    else:
        for row in chain(carried, rows):
            altered.inserted(row)
    reached = spine.last_position
    if spine.size < state.size:
        altered.note(
            "tree_damaged", reached + 1, state.position, state.size - spine.size, "tiles of leaves are missing or cut"
        )
    found = [*altered.findings(spine.size), *spine.findings(), *signed.findings(spine.size, reached)]
    totals = Counter[str]()
    for finding in found:
        totals[finding.code] += finding.events
    root = spine.tree(spine.size).root()
    unproven = log.waiting(state.position)
    return Verified(spine.size, state.position, root, len(known), unproven, found[:LISTED], dict(totals))


def _is_whole(tile: LeafTile, expected: int, size: int) -> bool:
    count = min(WIDTH, size - expected * WIDTH)
    return (tile.number, len(tile.hashes), len(tile.positions)) == (expected, count * HASH, count)


# --- events against leaves --------------------------------------------------------------------------------------------


def _compare(tile: LeafTile, carried: list[StoredRow], rows: Iterator[StoredRow], altered: Altered) -> list[StoredRow]:
    """Compare a tile with the events that should be its leaves; returns those read that belong to the next tile."""
    here = carried + list(islice(rows, max(0, len(tile.positions) - len(carried))))
    leaves = [row.leaf() for row in here]
    if tuple([row.position for row in here]) == tile.positions and b"".join(leaves) == tile.hashes:
        return []
    last = tile.positions[-1]
    while (not here or here[-1].position <= last) and (row := next(rows, None)):
        here.append(row)
    stored = {row.position: row for row in here if row.position <= last}
    first = tile.number * WIDTH
    for at, position in enumerate(tile.positions):
        leaf, found = tile.hashes[at * HASH : (at + 1) * HASH], stored.pop(position, None)
        if found is None:
            altered.deleted(first + at, position, leaf)
        elif found.leaf() != leaf:
            altered.changed(first + at, found, leaf)
    for row in stored.values():
        altered.inserted(row)
    return [row for row in here if row.position > last]


# --- the tree in itself -----------------------------------------------------------------------------------------------


class _Spine:
    """The right edge of the tree made anew from its leaves, a tile a level, compared with the tiles as they stand."""

    def __init__(self, stored: Tree) -> None:
        self._stored = stored
        self._edge: list[bytes] = [b""]
        self._differing: list[Finding] = []
        self._from = 1
        self.size = 0
        self.last_position = 0

    def open(self, tile: LeafTile) -> None:
        """Begin a tile of leaves: trees that end inside of it can be asked for."""
        self._edge[0] = tile.hashes

    def close(self, tile: LeafTile) -> None:
        """Take the tile in."""
        self.size += len(tile.positions)
        if len(tile.positions) == WIDTH:
            self._push(1, folded(tile.hashes), tile)
        self.last_position = tile.positions[-1]

    def tree(self, size: int) -> Tree:
        """Return the tree of a size that ends in the present tile: only its root can be asked for."""
        return Tree(size, lambda level, _: self._edge[level])

    def findings(self) -> list[Finding]:
        """Return where inner tiles do not follow from the leaves."""
        return self._differing

    def _push(self, level: int, root: bytes, tile: LeafTile) -> None:
        if len(self._edge) == level:
            self._edge.append(b"")
        at = len(self._edge[level])
        number = (self.size // WIDTH**level - 1) // WIDTH
        if self._stored.tile(level, number)[at : at + HASH] != root:
            self._differing.append(
                Finding(
                    "tree_damaged",
                    self._from if level == 1 else None,
                    tile.positions[-1],
                    WIDTH**level,
                    f"a tile of level {level} does not follow from the leaves",
                )
            )
        self._edge[level] += root
        if len(self._edge[level]) == WIDTH * HASH:
            whole, self._edge[level] = self._edge[level], b""
            self._push(level + 1, folded(whole), tile)
        self._from = tile.positions[-1] + 1


# --- the tree against checkpoints -------------------------------------------------------------------------------------


class _Signed:
    """All known checkpoints, each compared with the tree as it was of that size."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._unreadable = [found for found in known if found.checkpoint is None]
        self._waiting = [found.checkpoint for found in known if found.checkpoint is not None]
        self._waiting.sort(key=lambda found: found.size)
        self._judged: list[tuple[Checkpoint, bool]] = []

    def check(self, spine: _Spine, tile: LeafTile) -> None:
        """Take a tile into the spine, and compare with it the checkpoints that end in it."""
        spine.open(tile)
        self.judge(spine, spine.size + len(tile.positions) - 1)
        spine.close(tile)
        self.judge(spine, spine.size)

    def judge(self, spine: _Spine, upto: int) -> None:
        """Compare the checkpoints of trees up to a size."""
        while self._waiting and self._waiting[0].size <= upto:
            found = self._waiting.pop(0)
            self._judged.append((found, spine.tree(found.size).root() == found.root))

    def findings(self, size: int, position: int) -> Iterator[Finding]:
        """Yield what the checkpoints say against the tree, and against each other."""
        for known in self._unreadable:
            yield Finding("checkpoint_unproven", None, None, 0, f"{known.file}: {known.problem}")
        held = 0
        failing = [found for found, holds in self._judged if not holds]
        for found, holds in self._judged:
            if holds:
                held = found.position
                for other in failing:
                    if other.size <= found.size:
                        yield _forked(other, found)
            elif found is failing[0]:
                what = f"the tree is not the one signed at {found.time}: it was made anew over altered events"
                yield Finding("rewritten", held + 1, found.position, 0, what)
        for found in self._waiting:
            what = f"{found.size} events were signed at {found.time}, the tree has {size}"
            yield Finding("truncated", position + 1, found.position, found.size - size, what)
        everything = [*(found for found, _ in self._judged), *self._waiting]
        for one, other in pairwise(everything):
            if one.size == other.size and one.root != other.root:
                yield _forked(one, other)


def _forked(one: Checkpoint, other: Checkpoint) -> Finding:
    what = f"the checkpoints of {one.time} and {other.time} cannot both be of one log"
    return Finding("forked", None, one.position, 0, what)


def as_dict(found: Verified) -> dict[str, Any]:
    """Return what was found as plain values."""
    return {
        **found._asdict(),
        "root": found.root.hex(),
        "proven": not found.findings,
        "findings": [finding._asdict() for finding in found.findings],
    }
