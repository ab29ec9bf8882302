"""The tree against pymerkle, an independent implementation, and against what its proofs must and must not prove."""

from __future__ import annotations

import random
from hashlib import sha256
from itertools import pairwise

import pytest
from pymerkle import InmemoryTree

from adapters.audit.merkle import EMPTY_ROOT, WIDTH, Tree, grow
from adapters.audit.verifier import HASH, is_consistent, root_of

LEAVES = [sha256(b"\0%d" % number).digest() for number in range(1_100)]
TILES: dict[tuple[int, int], bytes] = {}
for _tile in grow(0, LEAVES, lambda *_: b""):
    TILES[_tile.level, _tile.number] = _tile.hashes


def tree(size: int) -> Tree:
    return Tree(size, lambda level, number: TILES.get((level, number), b""))


@pytest.fixture(scope="module")
def oracle() -> InmemoryTree:
    made = InmemoryTree(algorithm="sha256")
    for number in range(len(LEAVES)):
        made.append_entry(b"%d" % number)
    return made


SIZES = [*range(1, 20), 127, 255, 256, 257, 511, 512, 513, 768, 1_023, 1_025, 1_100]


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_inclusion_are_those_of_the_oracle(size: int, oracle: InmemoryTree) -> None:
    found = tree(size)
    assert found.root() == oracle.get_root(size)
    for index in {0, size // 3, size // 2, size - 1}:
        path = found.inclusion(index)
        assert [step.hex() for step in path] == oracle.prove_inclusion(index + 1, size).serialize()["path"][1:]
        assert root_of(LEAVES[index], index, size, b"".join(path)) == found.root()


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert tree(0).root() == EMPTY_ROOT == sha256(b"").digest()


@pytest.mark.parametrize("steps", [[0, 1, 2, 3, 300, 301, 1_100], [0, 256, 512, 1_100], [0, 255, 257, 600, 1_100]])
def test_a_tree_that_grew_in_steps_has_the_same_tiles(steps: list[int]) -> None:
    grown: dict[tuple[int, int], bytes] = {}
    for before, after in pairwise(steps):
        for tile in list(grow(before, LEAVES[before:after], lambda *key: grown.get(key, b""))):
            grown[tile.level, tile.number] = tile.hashes
    assert grown == TILES


def test_all_paths_of_a_tile_are_those_of_its_leaves() -> None:
    for size, number in ((1_100, 0), (1_100, 3), (1_100, 4), (256, 0), (100, 0)):
        joined = tree(size).inclusions(number)
        first = number * WIDTH
        assert joined == [b"".join(tree(size).inclusion(first + at)) for at in range(min(WIDTH, size - first))]


def test_a_path_proves_no_other_leaf_place_or_length() -> None:
    path = b"".join(tree(1_100).inclusion(700))
    root = tree(1_100).root()
    assert root_of(LEAVES[701], 700, 1_100, path) != root
    assert root_of(LEAVES[700], 701, 1_100, path) != root
    for wrong in (path[:-HASH], path + LEAVES[0], path[HASH:], b""):
        assert root_of(LEAVES[700], 700, 1_100, wrong) != root
    assert root_of(LEAVES[700], 1_100, 1_100, path) is None


def test_any_two_sizes_are_proven_consistent_and_no_fork_is() -> None:
    chosen = random.Random(7)
    pairs = [(earlier, later) for earlier in SIZES for later in SIZES if earlier <= later]
    for earlier, later in chosen.sample(pairs, 150):
        then, now = tree(earlier).root(), tree(later).root()
        proof = tree(later).consistency(earlier)
        assert is_consistent(earlier, then, later, now, proof)
        assert not is_consistent(earlier, LEAVES[0][::-1], later, now, proof)
        assert not is_consistent(earlier, then, later, LEAVES[0][::-1], proof)
        if proof:
            at = chosen.randrange(len(proof))
            assert not is_consistent(earlier, then, later, now, [*proof[:at], LEAVES[5][::-1], *proof[at + 1 :]])
            assert not is_consistent(earlier, then, later, now, proof[:-1])
