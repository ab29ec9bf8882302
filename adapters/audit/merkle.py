"""A Merkle tree over the log, hashed as in RFC 9162 and kept as tiles of 256 hashes; pure, tiles come in by a function.

A tile of level 0 holds leaf hashes, one of level 1 the roots of 256 full tiles below it, and so on. Only the last tile
of a level may be partial, so a tree of any earlier size can be read out of the tiles of a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from adapters.audit.verifier import HASH, node_hash

WIDTH: Final = 256
_HEIGHT: Final = 8  # of a full tile: 2 ** 8 hashes
EMPTY_ROOT: Final = sha256(b"").digest()


class Tile(NamedTuple):
    """At most 256 hashes in a row, of the subtrees of 256 ** level leaves each."""

    level: int
    number: int
    hashes: bytes


ReadTile = Callable[[int, int], bytes]
"""Returns the hashes of a tile by level and number; no bytes for one that is not there."""


def grow(size: int, leaves: Sequence[bytes], tile: ReadTile) -> Iterator[Tile]:
    """Yield the tiles that are new or changed when leaf hashes are added to a tree of `size` leaves."""
    level, added = 0, leaves
    while added:
        number, held = divmod(size, WIDTH)
        hashes = (tile(level, number)[: held * HASH] if held else b"") + b"".join(added)
        added = []
        for start in range(0, len(hashes), WIDTH * HASH):
            changed = Tile(level, number, hashes[start : start + WIDTH * HASH])
            yield changed
            if len(changed.hashes) == WIDTH * HASH:
                added.append(folded(changed.hashes))
            number += 1
        size, level = size // WIDTH, level + 1


def folded(hashes: bytes) -> bytes:
    """Return the root over a power of two of hashes."""
    while len(hashes) > HASH:
        hashes = _layer(hashes)
    return hashes


def _layer(hashes: bytes) -> bytes:
    return b"".join([sha256(b"\1" + hashes[at : at + 2 * HASH]).digest() for at in range(0, len(hashes), 2 * HASH)])


@dataclass(frozen=True)
class Tree:
    """The tree of the first `size` leaves: its root and its proofs, each out of a few tiles."""

    size: int
    tile: ReadTile

    def root(self) -> bytes:
        """Return the Merkle tree hash."""
        return self._hash(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int, height: int = 0) -> list[bytes]:
        """Return the path from a leaf (or from the node of 2 ** height leaves) to the root, lowest sibling first."""
        low, high, path = 0, self.size, []
        while high - low > 1 << height:
            split = low + _split(high - low)
            if index << height < split:
                path.append(self._hash(split, high))
                high = split
            else:
                path.append(self._hash(low, split))
                low = split
        return path[::-1]

    def inclusions(self, number: int) -> list[bytes]:
        """Return the joined paths of all leaves of a tile of level 0, at the price of about two of them."""
        first, count = number * WIDTH, min(WIDTH, self.size - number * WIDTH)
        if count < WIDTH:
            return [b"".join(self.inclusion(first + at)) for at in range(count)]
        layers = [self.tile(0, number)]
        while len(layers) < _HEIGHT:
            layers.append(_layer(layers[-1]))
        siblings = [[layer[at : at + HASH] for at in range(0, len(layer), HASH)] for layer in layers]
        above = b"".join(self.inclusion(number, _HEIGHT))
        return [b"".join([*(row[at >> level ^ 1] for level, row in enumerate(siblings)), above]) for at in range(WIDTH)]

    def consistency(self, earlier: int) -> list[bytes]:
        """Return the proof that the tree of the first `earlier` leaves is the beginning of this one."""
        low, high, whole, proof = 0, self.size, True, []
        while 0 < earlier < high:
            split = low + _split(high - low)
            if earlier <= split:
                proof.append(self._hash(split, high))
                high = split
            else:
                proof.append(self._hash(low, split))
                low, whole = split, False
        return ([] if whole else [self._hash(low, high)]) + proof[::-1]

    def _hash(self, low: int, high: int) -> bytes:
        width = high - low
        if width & (width - 1):
            split = low + _split(width)
            return node_hash(self._hash(low, split), self._hash(split, high))
        level, height = divmod(width.bit_length() - 1, _HEIGHT)
        number, at = divmod(low >> level * _HEIGHT, WIDTH)
        return folded(self.tile(level, number)[at * HASH : (at + (1 << height)) * HASH])


def _split(width: int) -> int:
    """Return the largest power of two below a width of at least two."""
    return 1 << (width - 1).bit_length() - 1
