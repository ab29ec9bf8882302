"""Laws of the history of a case, whatever its commands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from domain.case import (
    CASE,
    CaseState,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    ChangeCaseStatus,
    CloseCase,
    ReopenCase,
    UpdateCase,
)
from domain.command import Command
from domain.errors import CommandRejected
from domain.event import DomainEvent
from tests.support.examples import CASE_ID
from tests.support.one_case import (
    CASE_CODES,
    NOW,
    OPENED,
    PROTOCOL,
    T1,
    TOPICS,
    active_in,
    change,
    correct,
    entries_of,
    remove,
    state_after,
)

_times = st.integers(0, 6).map(lambda hours: T1 + timedelta(hours=hours))
_codes = st.sampled_from(["em_tramite", "juntada_documento", "rnm", "completed", "cancelled", "pending_documents", "?"])
_numbers = st.integers(1, 12)
_fills = st.fixed_dictionaries({}, optional={PROTOCOL: st.sampled_from(["47", "48", ""])})
_commands = st.one_of(
    st.builds(change, _codes, _times, notes=st.none() | st.just("n"), filled=_fills),
    st.builds(lambda entry, said: correct(entry, **said), _numbers, st.fixed_dictionaries(
        {}, optional={"status": _codes, "effective_at": _times, "notes": st.none() | st.just("m"), "filled": _fills}
    )),
    st.builds(remove, st.none() | _numbers),
    st.builds(lambda value: UpdateCase(case_id=CASE_ID, changes={PROTOCOL: value}), st.sampled_from(["hand", None])),
    st.sampled_from([CloseCase(case_id=CASE_ID, reason="x"), ReopenCase(case_id=CASE_ID, reason="x")]),
)  # fmt: skip
Entry = tuple[datetime, int, int, str | None]
"""When, its place among those of that time, its number, its status."""


class _Model:
    """A status history kept the plain way: all entries in a list, sorted anew each time."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.superseded: dict[int, int] = {}

    def numbers(self) -> list[int | None]:
        return [None, *(number for _, _, number, _ in sorted(self.entries, key=lambda entry: entry[:2])), None]

    def neighbours(self, number: int) -> tuple[int | None, int | None]:
        numbers = self.numbers()
        place = numbers.index(number)
        return numbers[place - 1], numbers[place + 1]

    def now(self) -> Entry | None:
        last = max(self.entries, key=lambda entry: entry[:2], default=None)
        return last if last and last[3] is not None else None

    def take(self, wrong: int, by: int, at: datetime, status: str | None) -> None:
        [old] = [entry for entry in self.entries if entry[2] == wrong]
        self.entries.remove(old)
        self.superseded[wrong] = by
        self.entries.append((at, old[1] if old[0] == at else by, by, status))


@settings(max_examples=100)
@for_any(st.lists(_commands, max_size=14))
def test_after_any_commands_there_is_one_active_status_or_none(commands: list[Command]) -> None:
    model, state, events = _Model(), CASE.fold([OPENED]), [OPENED]
    for command in commands:
        try:
            decided = CASE.decide(state, command)
        except CommandRejected:
            continue
        for event in decided:
            _follow(model, event, len(events) + 1)
            events.append(event)  # type: ignore[arg-type]
            state = CASE.evolve(state, event)
        assert state == CASE.fold(events)
        _agree(model, state)
    assert {event.topic for event in events} <= set(TOPICS)


def _follow(model: _Model, event: DomainEvent, number: int) -> None:
    match event:
        case CaseStatusChanged():
            model.entries.append((event.effective_at, number, number, event.status))
        case CaseStatusCorrected():
            assert event.left_between == model.neighbours(event.entry)
            model.take(event.entry, number, event.effective_at, event.status)
            now = model.now()
            assert (event.now and (event.now.entry, event.now.status, event.now.since)) == (
                now and (now[2], now[3], now[0])
            )
        case CaseStatusRemoved():
            stood_between = model.neighbours(event.entry)
            model.take(event.entry, number, event.effective_at, None)
            assert (event.follows, event.precedes) == stood_between
        case _:
            return
    assert (event.follows, event.precedes) == model.neighbours(number)


def _agree(model: _Model, state: CaseState) -> None:
    ordered = sorted(model.entries, key=lambda entry: entry[:2])
    assert entries_of(state) == [(number, status) for _, _, number, status in ordered]
    assert [entry.at for entry in state.timeline.entries] == [at for at, _, _, _ in ordered]
    assert state.timeline.superseded == model.superseded
    now = model.now()
    assert active_in(state) == (now and now[3])
    in_force = [entry.number for entry in state.timeline.entries]
    assert len(set(in_force)) == len(in_force)
    assert not set(in_force) & state.timeline.superseded.keys()


@for_any(st.lists(st.builds(change, st.sampled_from(CASE_CODES[:4]), _times), max_size=10))
def test_late_entries_end_in_the_same_history_as_timely_ones(commands: list[ChangeCaseStatus]) -> None:
    """Where no table forbids: given in any order, the statuses in force through time are the same."""
    timely = sorted(commands, key=lambda command: command.effective_at or NOW)
    assert _periods(state_after(*commands)) == _periods(state_after(*timely))


def _periods(state: CaseState) -> list[tuple[datetime, str | None]]:
    """Return from when on which status held, without entries that held for no time or said nothing new."""
    found: Mapping[datetime, str | None] = {entry.at: entry.status for entry in state.timeline.entries}
    periods: list[tuple[datetime, str | None]] = []
    for at, status in found.items():
        if not periods or periods[-1][1] != status:
            periods.append((at, status))
    return periods
