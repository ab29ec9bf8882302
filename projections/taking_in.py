"""Taking events into the tables: the one way in, for followers, rebuilds and single records alike.

An event that a read model cannot fold, or whose rows its table refuses, halts its stream there; all others carry on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from domain.errors import RowsRefused
from domain.event import Recorded
from domain.streams import projection_id
from projections.dead_letters import DeadLetter, DeadLetters, Skips
from projections.ports import EventLog, ReadTransaction
from projections.read_model import Key, ReadModel, fold_events, keys_of

Work = Sequence[tuple[ReadModel, Sequence[Recorded]]]
"""Read models with the events each has to fold, oldest first."""


def by_model(models: Sequence[ReadModel], events: Iterable[Recorded]) -> Work:
    """Return the read models that fold any of the events, each with those it folds."""
    theirs: dict[str, list[Recorded]] = {model.name: [] for model in models}
    takers: dict[str, list[list[Recorded]]] = {}
    for model in models:
        for topic in model.topics:
            takers.setdefault(topic, []).append(theirs[model.name])
    for event in events:
        for taker in takers.get(event.topic, ()):
            taker.append(event)
    return [(model, theirs[model.name]) for model in models if theirs[model.name]]


def take_in(transaction: ReadTransaction, work: Work, *, fresh: bool = False) -> list[DeadLetter]:
    """Fold events into the rows they touch and return what could not be taken in.

    `fresh` says that the tables hold no row of these streams yet. Refused rows are found by halving the work until one
    event of one stream is left.
    """
    try:
        with transaction.attempt():
            return [letter for model, events in work for letter in _fold(transaction, model, events, fresh=fresh)]
    except RowsRefused as refused:
        parts = _halves(work)
        if parts is None:
            return _refused(work, refused)
        first, second = parts
        letters = take_in(transaction, first, fresh=fresh)
        halted = {(letter.read_model, letter.stream) for letter in letters}
        rest = [
            (model, [event for event in events if (model.name, event.stream) not in halted]) for model, events in second
        ]
        begun = {(model.name, event.stream) for model, events in first for event in events}
        goes_on = any((model.name, event.stream) in begun for model, events in rest for event in events)
        return letters + take_in(transaction, rest, fresh=fresh and not goes_on)


def refold(
    log: EventLog, transaction: ReadTransaction, model: ReadModel, streams: Collection[UUID], upto: int
) -> list[DeadLetter]:
    """Fold whole streams anew up to a position, in place of the rows they have; return what could not be taken in.

    Rows that no event of these streams makes go too.
    """
    decisions = projection_id(model.name)
    loaded = log.load([*streams, decisions])
    skips = Skips(loaded[decisions], upto)
    events = [event for stream in streams for event in loaded[stream] if event.position <= upto]
    if model.keyed_by_stream:
        transaction.delete(model, streams)
    else:
        transaction.save(model, {}, transaction.load(model, _keys(model, events)).keys())
    letters = take_in(transaction, [(model, [event for event in events if not skips.leave_out(event)])], fresh=True)
    transaction.heal(model, set(streams) - {letter.stream for letter in letters})
    transaction.set_aside(letters)
    return letters


def _fold(
    transaction: ReadTransaction, model: ReadModel, events: Sequence[Recorded], *, fresh: bool
) -> Sequence[DeadLetter]:
    dead = DeadLetters(model)
    rows = {} if fresh else transaction.load(model, _keys(model, events))
    after = fold_events(model, rows, events, dead)
    transaction.save(model, after, rows.keys() & after.keys())  # a row that only an event after a halt touches stays
    return dead.letters


def _keys(model: ReadModel, events: Iterable[Recorded]) -> set[Key]:
    keys: set[Key] = set()
    for event in events:
        if event.topic in model.topics:
            with suppress(Exception):  # folding it will tell
                keys.update(keys_of(model, event))
    return keys


def _halves(work: Work) -> tuple[Work, Work] | None:
    """Cut work in two, by read models, else by streams, else by events; None for a single event."""
    if len(work) > 1:
        return work[: len(work) // 2], work[len(work) // 2 :]
    ((model, events),) = work
    if len(events) <= 1:
        return None
    streams = list(dict.fromkeys(event.stream for event in events))
    if len(streams) > 1:
        first = set(streams[: len(streams) // 2])
        parts = [event for event in events if event.stream in first], [e for e in events if e.stream not in first]
    else:
        parts = list(events[: len(events) // 2]), list(events[len(events) // 2 :])
    return [(model, parts[0])], [(model, parts[1])]


def _refused(work: Work, refused: RowsRefused) -> list[DeadLetter]:
    ((model, (event,)),) = work
    dead = DeadLetters(model)
    dead.halt(event, refused)
    return dead.letters
