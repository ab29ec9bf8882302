"""Rebuilding read models from the log: into shadow tables, part by part, then caught up, compared and swapped in.

Readers and followers of the live tables carry on meanwhile; only followers wait, and only for the swap. What a part of
the log made is kept as soon as the part is done, so that a rebuild that was stopped or killed goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain.event import Recorded
from domain.streams import projection_id
from projections.dead_letters import DeadLetter, Skips
from projections.follow import Progress, catch_up, follow_batch
from projections.ports import EventLog, ReadStore, ReadTransaction
from projections.read_model import ReadModel
from projections.taking_in import by_model, refold, take_in

FOLDED_EVENTS: Final = 5_000
LONGEST_RUN: Final = 20_000
"""A batch holds whole streams, but for one that is longer than this."""

Level = Callable[[Mapping[str, int]], None]
"""Brings the shadows to the positions of the live tables, by read model, while those stand still."""

Watch = Callable[[str, int, int], None]
"""Called with a stage, how far it is and how far it has to go."""


class WholeLog(EventLog, Protocol):
    """An event log that can also be read stream by stream."""

    def scan(self, upto: int, first: UUID, last: UUID) -> Iterator[Recorded]:
        """Yield the events up to a position of the streams in a range, stream by stream, oldest first."""
        ...


@dataclass
class Part:
    """A range of streams to be folded into the shadow tables in one transaction, up to a position."""

    first: UUID
    last: UUID
    head: int
    transaction: ReadTransaction
    events: int = 0


class Difference(NamedTuple):
    """A row that the live and the rebuilt table do not agree on, by its key.

    `kind` says what is wrong with the live one: `missing`, `extra` or `changed`, and then in which columns.
    """

    kind: str
    key: dict[str, Any]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A live table against the rebuilt one at the same position: how many rows differ, and the first few of them."""

    read_model: str
    position: int
    differing: int
    differences: Sequence[Difference] = field(default=())


class Shadow(Protocol):
    """Shadow tables beside the live ones."""

    @property
    def models(self) -> Sequence[ReadModel]:
        """The read models that are rebuilt."""
        ...

    @property
    def store(self) -> ReadStore:
        """The shadow tables as followers see them."""
        ...

    @property
    def live(self) -> ReadStore:
        """The live tables."""
        ...

    def part(self, *, wait: bool = False) -> AbstractContextManager[Part | None]:
        """Claim a part nobody works on, which is done when the block is left; None if there is none.

        With `wait` parts that others work on are waited for, so that None says that all are done. Raises RunConflict if
        the rebuild was aborted meanwhile, StoreBusy if a part is waited for too long.
        """
        ...

    def helped(self) -> AbstractContextManager[None]:
        """Let further processes fill parts until there are none, where that helps."""
        ...

    def filled(self) -> tuple[int, int]:
        """Return how many events were folded, and the head of the log the parts go up to."""
        ...

    def enter(self, stage: str) -> None:
        """Note what the rebuild is doing; raises RunConflict if it was aborted meanwhile."""
        ...

    def complete(self) -> None:
        """Make keys and indexes of the filled tables, gather statistics, note their position.

        Raises RunConflict while a part is not done.
        """
        ...

    def comparable(self) -> Sequence[ReadModel]:
        """Return the read models whose live tables have been filled, by the same version."""
        ...

    def compare(self, models: Sequence[ReadModel], level: Level) -> Sequence[Comparison]:
        """Compare live and shadow tables at the same position; the live ones stand still only while `level` runs."""
        ...

    def swap(self, level: Level) -> None:
        """Hold the live followers, call `level`, let the shadows take the live place; what was there is kept.

        Raises RunConflict if the rebuild was aborted meanwhile.
        """
        ...


class Rebuilt(NamedTuple):
    """What was rebuilt, from how many events, up to where; how live and rebuilt tables compare; whether they swap."""

    models: tuple[str, ...]
    events: int
    position: int
    comparisons: Sequence[Comparison]
    swapped: bool


def rebuild(log: WholeLog, shadow: Shadow, *, dry_run: bool = False, watch: Watch = lambda *_: None) -> Rebuilt:
    """Do what is left to do of a rebuild; a dry run stops before the swap and leaves the shadows as they are.

    `watch` is told of the stage `fill` in events, with the head of the log for the total, a little more than there are.
    """
    models = shadow.models
    shadow.enter("fill")
    with shadow.helped():
        fill(log, shadow, watch)
    fill(log, shadow, watch, wait=True)  # what a helper left that was killed, or still holds of a rebuild that was
    shadow.enter("index")
    shadow.complete()
    shadow.enter("catch_up")
    catch_up(log, shadow.store, models, progress=_stage(watch, "catch_up"))
    shadow.enter("compare")
    comparisons = _compared(log, shadow)
    events, _ = shadow.filled()
    shadow.enter("ready")
    if not dry_run:
        catch_up(log, shadow.store, models)
        shadow.swap(partial(_level, log, shadow.store, models))
    reached = shadow.live if not dry_run else shadow.store
    position = min(reached.positions(models).values())
    return Rebuilt(tuple(model.name for model in models), events, position, comparisons, swapped=not dry_run)


def fill(
    log: WholeLog,
    shadow: Shadow,
    watch: Watch = lambda *_: None,
    *,
    wait: bool = False,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Fill parts as long as whoever wants them is alive and there are any to be had, with `wait` until all are done."""
    while alive() and _fill_part(log, shadow, wait=wait):
        watch("fill", *shadow.filled())


def _fill_part(log: WholeLog, shadow: Shadow, *, wait: bool) -> bool:
    with shadow.part(wait=wait) as part:
        if part is None:
            return False
        skips = _skips(log, shadow.models, part.head)
        halted: set[tuple[str, UUID]] = set()
        for fresh, events in by_streams(log.scan(part.head, part.first, part.last)):
            work = by_model(shadow.models, events)
            if skips or halted:
                work = [(model, [one for one in mine if _goes_in(model, one, skips, halted)]) for model, mine in work]
            part.events += len(events)
            letters = take_in(part.transaction, work, fresh=fresh)
            part.transaction.set_aside(letters)
            halted = {(letter.read_model, letter.stream) for letter in letters} | (set() if fresh else halted)
    return True


def by_streams(
    events: Iterable[Recorded], size: int = FOLDED_EVENTS, longest: int = LONGEST_RUN
) -> Iterator[tuple[bool, list[Recorded]]]:
    """Cut events that come stream by stream into batches of whole streams.

    A stream longer than `longest` is cut too: False beside a batch says that it goes on with the last stream.
    """
    batch: list[Recorded] = []
    cut: UUID | None = None
    stream: UUID | None = None
    for event in events:
        goes_on = event.stream == stream
        full = len(batch) >= (longest if goes_on else size)
        if batch and (full or (not goes_on and stream == cut)):
            yield batch[0].stream != cut, batch
            cut = stream if goes_on else None
            batch = []
        stream = event.stream
        batch.append(event)
    if batch:
        yield batch[0].stream != cut, batch


def _skips(log: EventLog, models: Sequence[ReadModel], upto: int) -> dict[str, Skips]:
    decisions = log.load(projection_id(model.name) for model in models)
    found = {model.name: Skips(decisions[projection_id(model.name)], upto) for model in models}
    return {name: skips for name, skips in found.items() if skips}


def _goes_in(
    model: ReadModel, event: Recorded, skips: Mapping[str, Skips], halted: Collection[tuple[str, UUID]]
) -> bool:
    if halted and (model.name, event.stream) in halted:
        return False
    return not (skips and model.name in skips and skips[model.name].leave_out(event))


def _compared(log: EventLog, shadow: Shadow) -> Sequence[Comparison]:
    models = shadow.comparable()
    if not models:
        return ()
    catch_up(log, shadow.live, models)  # from here on the live tables are never behind their shadows
    level = partial(_level, log, shadow.store, models)
    level(shadow.live.positions(models))  # as far as that goes while followers go on
    return shadow.compare(models, level)


def _level(log: EventLog, store: ReadStore, models: Sequence[ReadModel], positions: Mapping[str, int]) -> None:
    for position in sorted(set(positions.values())):
        these = [model for model in models if positions.get(model.name) == position]
        while these and min(store.positions(these).values()) < position:
            if not follow_batch(log, store, these, upto=position).events:
                break


def _stage(watch: Watch, stage: str) -> Progress:
    return lambda done, total: watch(stage, done, total)


def rebuild_records(
    log: EventLog, store: ReadStore, models: Sequence[ReadModel], streams: Collection[UUID]
) -> list[DeadLetter]:
    """Fold single records anew in place, each read model up to where it is; return what could not be taken in.

    Rows of theirs that no event makes are deleted, all of them where an id has no events.
    """
    with store.batch() as transaction:
        positions = transaction.positions(models)
        return [
            letter for model in models for letter in refold(log, transaction, model, streams, positions[model.name])
        ]
