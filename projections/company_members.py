"""The members of companies, those of the past too: a membership a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from domain.company import CompanyMemberAdded, CompanyMembershipEnded
from domain.event import Recorded, known
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Key, ReadModel, Row, Rows

_Event = CompanyMemberAdded | CompanyMembershipEnded


def _touches(recorded: Recorded) -> Iterable[Key]:
    event: _Event = recorded.event
    member = event.member if isinstance(event, CompanyMembershipEnded) else recorded.version
    return ((recorded.stream, member),)


def _evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row]:
    event: _Event = recorded.event
    (key,) = _touches(recorded)
    if isinstance(event, CompanyMembershipEnded):
        row = present(rows.get(key), recorded)
        return {key: changed(row, recorded, is_current=False, ended_reason=known(event.reason))}
    return {
        key: begun(
            recorded,
            company_id=recorded.stream,
            member=recorded.version,
            account_id=event.account_id,
            person_key=event.person_key,
            role=known(event.role),
            fields=known(event.fields) or {},
            is_current=event.is_current,
            ended_reason=None,
            created_at=recorded.occurred_at,
        )
    }


MODEL: Final = ReadModel(
    "company_members",
    version=1,
    key=("company_id", "member"),
    topics=topics_of(_Event),
    touches=_touches,
    evolve=_evolve,
)
