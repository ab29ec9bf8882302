"""The cases as they are now: whose they are, their fields, the status in force with its deadlines, open conflicts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, assert_never

from domain.case import (
    CaseClosed,
    CaseConflictRecorded,
    CaseConflictSettled,
    CaseEvent,
    CaseOpened,
    CaseReopened,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    CaseUpdated,
    StatusNow,
    deadlines,
)
from domain.case_fields import CASE_FIELDS
from domain.changes import with_changes
from domain.event import Recorded, known
from domain.profile import with_conflict
from domain.wall_clock import WallClock, read_wall_clock
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream

_WALL_CLOCKS: Final = tuple(name for name, shape in CASE_FIELDS.items() if shape.shape == "wall_clock")
_UNDETERMINED: Final[Row] = {"status": None, "status_entry": None, "status_since": None, "status_day": None}


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: CaseEvent = recorded.event
    if isinstance(event, CaseOpened):
        return _dated(_opened(event, recorded))
    row = present(row, recorded)
    columns: Row
    match event:
        case CaseUpdated(changes=changes):
            columns = {"fields": with_changes(row["fields"], changes)}
        case CaseStatusChanged() | CaseStatusCorrected() | CaseStatusRemoved():
            columns = {"fields": with_changes(row["fields"], event.changes), **_status(event, recorded.version)}
        case CaseClosed():
            columns = {"is_current": False, "completed_at": recorded.occurred_at}
        case CaseReopened():
            columns = {"is_current": True, "completed_at": None}
        case CaseConflictRecorded(field=field, values=values):
            columns = {"conflicts": _listed(with_conflict(row["conflicts"], field, values))}
        case CaseConflictSettled(field=field):
            columns = {"conflicts": _listed(with_conflict(row["conflicts"], field, ()))}
        case _:
            assert_never(event)
    return _dated(changed(row, recorded, **columns))


def _opened(event: CaseOpened, recorded: Recorded) -> Row:
    return begun(
        recorded,
        case_id=recorded.stream,
        person_id=event.person_id,
        company_id=event.company_id,
        collective_id=event.collective_id,
        legacy_keys=event.legacy_keys,
        fields=known(event.fields) or {},
        **_UNDETERMINED,
        is_current=event.is_current,
        completed_at=event.completed_at,
        conflicts={},
        created_at=recorded.occurred_at,
    )


def _status(event: CaseStatusChanged | CaseStatusCorrected | CaseStatusRemoved, version: int) -> Row:
    """Return what becomes of the columns of the status in force: nothing, where the event is about an earlier one."""
    match event:
        case CaseStatusCorrected(now=StatusNow(entry=entry, status=status, since=since, day=day)):
            return _in_force(entry, status, since, day)
        case CaseStatusCorrected():
            return _UNDETERMINED
        case CaseStatusChanged(precedes=None, superseded_by=None, status=str(status)):
            return _in_force(version, status, event.effective_at, event.day)
        case CaseStatusChanged(precedes=None, superseded_by=None) | CaseStatusRemoved(precedes=None):
            return _UNDETERMINED
        case _:
            return {}


def _in_force(entry: int, status: str, since: datetime, day: date) -> Row:
    return {"status": status, "status_entry": entry, "status_since": since, "status_day": day}


def _listed(conflicts: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in conflicts.items()}


def _dated(row: Row) -> Row:
    """Return the row with the columns that follow from its status and its fields."""
    clocks = {name: clock for name in _WALL_CLOCKS if (clock := _read(row["fields"].get(name)))}
    limits = deadlines(row["status"], row["status_day"])
    delivery, client = limits or (None, None)
    deadline = clocks["deadline_date"].day if "deadline_date" in clocks else None
    due = min((day for day in (delivery, deadline) if day), default=None)
    return {
        **row,
        "delivery_date": delivery,
        "client_date": client,
        "due_on": due if row["is_current"] else None,
        "instants": {
            name: {"instant": clock.instant.isoformat(), "zone": clock.zone}
            for name, clock in clocks.items()
            if clock.instant
        },
    }


def _read(value: Any) -> WallClock | None:
    """Read a field that an import may have left as it found it; None where it is no date."""
    try:
        return read_wall_clock(value) if isinstance(value, str) else None
    except ValueError:
        return None


MODEL: Final = one_row_a_stream("cases", version=1, key="case_id", topics=topics_of(CaseEvent), fold=_fold)
