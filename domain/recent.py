"""Aggregates that commands worked on lately, so that the next command only has to read what has happened since."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain.decider import Decider

MOST: Final = 4_096
"""How many aggregates are kept; the one that was not asked for the longest goes first."""


class Loaded(NamedTuple):
    """A record as its events make it, with the version and the position it has come to.

    `fits` tells whether the stream is, or can become, one of the decider's: a stream holds one kind of record.
    """

    decider: Decider[Any]
    stream: UUID
    state: Any
    version: int
    position: int
    fits: bool


class Known(NamedTuple):
    """What is known of some streams, and the generation of events it was made from (see `EventStore.load_since`)."""

    records: Mapping[UUID, Loaded]
    generation: int


class Recent:
    """A bounded cache. What it holds was true once; whoever takes it reads the events that came after. Thread-safe."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._records: OrderedDict[UUID, Loaded] = OrderedDict()
        self._generation = 0
        self._lock = Lock()

    def among(self, streams: Collection[UUID]) -> Known:
        """Return what is known of these streams."""
        with self._lock:
            found = {stream: self._records[stream] for stream in streams if stream in self._records}
            for stream in found:
                self._records.move_to_end(stream)
            return Known(found, self._generation)

    def keep(self, records: Iterable[Loaded], generation: int) -> None:
        """Keep records for the next who ask; those of an earlier generation of events are forgotten."""
        with self._lock:
            if generation > self._generation:
                self._records.clear()
                self._generation = generation
            if generation < self._generation:
                return
            for record in records:
                earlier = self._records.get(record.stream)
                if earlier is None or earlier.version <= record.version:
                    self._records[record.stream] = record
            while len(self._records) > self._most:
                self._records.popitem(last=False)


class Tally:
    """Counts what was done, by name. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, **counts: int) -> None:
        """Count so many more of each."""
        with self._lock:
            for name, more in counts.items():
                self._counts[name] += more

    def counts(self) -> dict[str, int]:
        """Return the counts so far."""
        with self._lock:
            return dict(self._counts)
