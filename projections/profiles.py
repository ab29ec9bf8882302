"""The profiles as they are now: how complete, what lies outside the vocabularies, what is in conflict."""

from __future__ import annotations

from typing import Any, Final, assert_never

from domain.changes import with_changes
from domain.event import Recorded, known
from domain.kinds import kind_named
from domain.profile import (
    ProfileArchived,
    ProfileConflictRecorded,
    ProfileConflictResolved,
    ProfileCreated,
    ProfileEvent,
    ProfileUpdated,
    ProfileVerificationChanged,
    Verification,
    with_conflict,
    with_value,
)
from domain.vocabulary import outside_vocabulary
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream
from projections.search import search_words


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: ProfileEvent = recorded.event
    if isinstance(event, ProfileCreated):
        return _created(event, recorded)
    row = present(row, recorded)
    match event:
        case ProfileUpdated(changes=changes):
            columns = _judged(row["kind"], with_changes(row["fields"], changes))
        case ProfileVerificationChanged(status=status):
            columns = {"verification": status.value}
        case ProfileArchived():
            columns = {"archived": True}
        case ProfileConflictRecorded(field=field, values=values):
            found = with_conflict(row["conflicts"], field, values)
            columns = {"conflicts": {name: list(open_values) for name, open_values in found.items()}}
        case ProfileConflictResolved():
            columns = _resolved(row, event)
        case _:
            assert_never(event)
    return changed(row, recorded, **columns)


def _created(event: ProfileCreated, recorded: Recorded) -> Row:
    return begun(
        recorded,
        profile_id=recorded.stream,
        account_id=event.account_id,
        kind=event.kind,
        verification=Verification.UNVERIFIED.value,
        archived=False,
        conflicts={},
        created_at=recorded.occurred_at,
        **_judged(event.kind, known(event.fields) or {}),
    )


def _judged(kind_name: str, fields: dict[str, Any]) -> Row:
    """Return the fields and the columns that follow from them."""
    kind = kind_named(kind_name)
    score, missing = kind.completeness(fields)
    outside = outside_vocabulary(kind.fields, fields)
    return {
        "fields": fields,
        "completeness": score,
        "missing": list(missing),
        "outside_vocabulary": outside,
        "search_words": search_words(fields, kind.searchable),
    }


def _resolved(row: Row, event: ProfileConflictResolved) -> Row:
    conflicts = with_conflict(row["conflicts"], event.field, ())
    fields = with_value(row["fields"], known(event.field) or "", known(event.value))
    return {"conflicts": conflicts, **_judged(row["kind"], fields)}


MODEL: Final = one_row_a_stream("profiles", version=2, key="profile_id", topics=topics_of(ProfileEvent), fold=_fold)
