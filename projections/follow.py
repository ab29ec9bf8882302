"""Live following: batches of new events, folded into the rows they touch, one transaction a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NamedTuple
from uuid import UUID

from domain.account import AccountErased
from domain.errors import StoreBusy, StoreError
from domain.event import Recorded
from domain.projection import EventRestored, EventSkipped
from projections.ports import EventLog, ReadStore, ReadTransaction
from projections.read_model import ReadModel
from projections.taking_in import by_model, refold, take_in

LIMIT: Final = 1_000
POLL: Final = 0.005
LONGEST_PAUSE: Final = 30.0

Progress = Callable[[int, int], None]
"""Called now and then with how far the work is, and how far it has to go."""


class Batch(NamedTuple):
    """How many events were read, and the position all of the read models have come to."""

    events: int
    position: int


@dataclass
class Pace:
    """How many events a batch may hold: more while batches are full and quickly done, fewer when they take long."""

    limit: int = LIMIT
    least: int = 50
    most: int = 10_000
    seconds: float = 0.5

    def learn(self, events: int, seconds: float) -> None:
        """Take into account how long a batch took."""
        if seconds > self.seconds:
            self.limit = max(self.least, self.limit // 2)
        elif events >= self.limit and seconds < self.seconds / 2:
            self.limit = min(self.most, self.limit * 2)


def follow_batch(
    log: EventLog, store: ReadStore, models: Sequence[ReadModel], limit: int = LIMIT, *, upto: int | None = None
) -> Batch:
    """Fold the next events into all read models in one transaction; each skips those it has seen.

    With `upto` nothing is read beyond that position.
    """
    after = min(store.positions(models).values())
    # Read and validated before the transaction begins, so that the lock is held for the writing alone.
    events = [event for event in log.read(after, limit) if upto is None or event.position <= upto]
    if not events:
        return Batch(0, after)
    last = events[-1].position
    with store.batch() as transaction:
        positions = transaction.positions(models)
        # Others may have moved a model meanwhile: one that is further skips what it has seen, and one that
        # was set back waits for the next batch, which starts from there.
        due = [model for model in models if after <= positions[model.name] < last]
        _take_batch(log, transaction, due, positions, events)
        transaction.advance(due, last)
    reached = positions | {model.name: last for model in due}
    return Batch(len(events), min(reached.values()))


def _take_batch(
    log: EventLog,
    transaction: ReadTransaction,
    models: Sequence[ReadModel],
    positions: Mapping[str, int],
    events: Sequence[Recorded],
) -> None:
    halted = transaction.halted({event.stream for event in events})
    work = [
        (model, mine)
        for model, theirs in by_model(models, events)
        if (
            mine := [
                event
                for event in theirs
                if event.position > positions[model.name] and (model.name, event.stream) not in halted
            ]
        )
    ]
    if work and (letters := take_in(transaction, work)):
        transaction.set_aside(letters)
    told = [event for event in events if isinstance(event.event, (AccountErased, EventSkipped, EventRestored))]
    erased = {event.stream: event.position for event in told if isinstance(event.event, AccountErased)}
    about_erased = log.streams_about(erased) if erased else ()
    for model in models if told else ():
        streams = _decided(model, positions[model.name], told)
        if erased and max(erased.values()) > positions[model.name]:
            streams.update(about_erased)
        if streams:
            refold(log, transaction, model, streams, events[-1].position)


def _decided(model: ReadModel, after: int, events: Sequence[Recorded]) -> set[UUID]:
    """Return the streams of which events are left out from now on, or no longer."""
    decisions = [event.event for event in events if event.position > after]
    return {
        decision.stream
        for decision in decisions
        if isinstance(decision, (EventSkipped, EventRestored)) and decision.read_model == model.name
    }


def follow_round(log: EventLog, store: ReadStore, models: Sequence[ReadModel], pace: Pace) -> int:
    """Do one batch for each group of read models that are at the same position; return how many events were read.

    One that is far behind catches up by itself and does not keep the others waiting. It reads no further than the next
    group is, and there joins it: each reading on to a head that moves, they would never meet.
    """
    groups: dict[int, list[ReadModel]] = {}
    positions = store.positions(models)
    for model in models:
        groups.setdefault(positions[model.name], []).append(model)
    read = 0
    order = sorted(groups)
    for position, ahead in zip_longest(order, order[1:]):
        group = groups[position]
        began = time.monotonic()
        events, reached = follow_batch(log, store, group, pace.limit, upto=ahead)
        pace.learn(events, time.monotonic() - began)
        read += events
        if reached == ahead:
            groups[ahead] += group
    return read


def catch_up(
    log: EventLog,
    store: ReadStore,
    models: Sequence[ReadModel],
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Follow until the read models have come to what is now the head of the log; return their position.

    `limit` fixes how many events a batch may hold.
    """
    pace = Pace() if limit is None else Pace(limit, limit, limit)
    head = log.head()
    position = min(store.positions(models).values())
    while position < head:
        began = time.monotonic()
        events, position = follow_batch(log, store, models, pace.limit)
        pace.learn(events, time.monotonic() - began)
        if progress:
            progress(min(position, head), head)
    return position


def follow(
    log: EventLog,
    store: ReadStore,
    models: Callable[[], Sequence[ReadModel]],
    *,
    stop: Callable[[], bool],
    wait: Callable[[], None],
    rest: Callable[[StoreError, float], None],
    worked: Callable[[int], None] = lambda _: None,
) -> None:
    """Follow until told to stop.

    `models` returns those that are this follower's to follow at the moment, `wait` when there may be new events;
    `worked` is told how many events a round took in. After an error of the database `rest` gets the error and how many
    seconds to pause, which grow with each failure in a row.
    """
    pace = Pace()

    def a_round() -> int:
        mine = models()
        return follow_round(log, store, mine, pace) if mine else 0

    until_stopped(a_round, stop=stop, wait=wait, rest=rest, worked=worked)


def until_stopped(
    a_round: Callable[[], int],
    *,
    stop: Callable[[], bool],
    wait: Callable[[], None],
    rest: Callable[[StoreError, float], None],
    worked: Callable[[int], None],
) -> None:
    """Do rounds, each of which returns how many events it took in, until told to stop; `follow` says the rest.

    A round is over when it was told of: an error on the way there is waited out like one of the round.
    """
    failures = 0
    while not stop():
        try:
            events = a_round()
            worked(events)
        except StoreError as error:
            failures += 1
            rest(error, min(LONGEST_PAUSE, 0.25 * 2**failures))
        else:
            failures = 0
            if not events:
                wait()


def wait_for(
    store: ReadStore,
    models: Sequence[ReadModel],
    position: int,
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the read models show all up to a position; raises StoreBusy after `timeout` seconds."""
    deadline = clock() + timeout
    while (reached := min(store.positions(models).values())) < position:
        if clock() >= deadline:
            raise StoreBusy(
                f"the read models have come to position {reached}, not to {position}, in {timeout:g} s",
                hint="is a follower running? start one, or catch up once",
            )
        sleep(POLL)
