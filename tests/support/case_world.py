"""Two companies with their clients, collective processes and cases, for the tests of what is read of cases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import pytest

from adapters.bootstrap import Application
from domain.access import Actor, Role
from domain.account import GrantRole, RegisterAccount
from domain.case import ChangeCaseStatus, OpenCase
from domain.collective import OpenCollective
from domain.command import Command
from domain.company import AddCompanyMember, RegisterCompany
from domain.event import DomainEvent, EventMetadata, NewEvent
from domain.legacy import LegacySnapshotRecorded
from domain.service import Receipt
from domain.streams import imported_id
from tests.support.sealing import MASTER_TEXT

OPERATOR: Final = Actor.operator()
RUN: Final = uuid4()
START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


class World(NamedTuple):
    """Two companies with a client, a collective process and cases each; A's is the one looked at."""

    app: Application
    company: UUID
    collective: UUID
    client: UUID
    case: UUID
    collective_case: UUID
    person: UUID
    other_company: UUID
    other_collective: UUID
    other_client: UUID
    other_case: UUID
    other_collective_case: UUID

    def do(self, *commands: Command) -> Receipt:
        for command in commands:
            receipt = self.app.dossier.execute(command, actor=OPERATOR)
        return receipt

    def imported(self, stream: UUID, *events: DomainEvent, at: datetime = START, **provenance: Any) -> int:
        """Append events as an import does."""
        first = len(self.app.events.load([stream])[stream]) + 1
        metadata = EventMetadata(
            occurred_at=at,
            recorded_at=datetime.now(UTC),
            actor="legacy-unknown",
            recorded_by="import",
            origin=f"import:{RUN}",
            provenance=provenance or None,
        )
        return self.app.events.append_bulk(
            [NewEvent(stream, first + number, event, metadata) for number, event in enumerate(events)]
        )

    def taken_in(self, table: str, key: str, became: UUID) -> str:
        """Record that a legacy record became a stream; return its legacy id."""
        snapshot = LegacySnapshotRecorded(
            system="cases", table=table, key=key, bundle=key, became=became, digest="00", mapping_version=1, raw="{}"
        )
        self.imported(imported_id("snapshot", "cases", table, key), snapshot)
        return f"legacy:cases/{table}/{key}"


def new_world(app: Application) -> World:
    """A world of ids, and nothing in it yet."""
    return World(app, *(uuid4() for _ in range(11)))


def populated(app: Application) -> World:
    world = new_world(app)
    for company, collective, client, case, collective_case, name in (
        (world.company, world.collective, world.client, world.case, world.collective_case, "Acme"),
        (
            *(world.other_company, world.other_collective, world.other_client),
            *(world.other_case, world.other_collective_case, "Bolt"),
        ),
    ):
        world.do(
            RegisterAccount(account_id=client),
            GrantRole(account_id=client, role=Role.CLIENT),
            RegisterCompany(company_id=company, fields={"name": name}),
            AddCompanyMember(company_id=company, account_id=client, role="HR"),
            OpenCollective(collective_id=collective, company_id=company, reference_number=f"{name}-1"),
            OpenCase(case_id=case, company_id=company, status="em_preparacao", effective_at=day(0)),
            OpenCase(case_id=collective_case, collective_id=collective),
        )
    world.do(
        RegisterAccount(account_id=world.person),
        ChangeCaseStatus(case_id=world.case, status="em_tramite", effective_at=day(10), notes="sent \x1b[2J"),
        ChangeCaseStatus(case_id=world.case, status="exigencia", effective_at=day(20)),
        ChangeCaseStatus(case_id=world.collective_case, status="deferido", effective_at=day(3)),
        ChangeCaseStatus(case_id=world.other_collective_case, status="rnm", effective_at=day(3)),
    )
    return world


@contextmanager
def only_this_database(url: str) -> Iterator[None]:
    """Settings from nowhere but here; what was sealed for the tests opens."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DOSSIER_") and name != "DOSSIER_MASTER_KEY"]:
            patch.delenv(name)
        patch.setenv("DOSSIER_DATABASE_URL", url)
        patch.setenv("DOSSIER_MASTER_KEY", MASTER_TEXT)
        yield


def in_text(*found: UUID) -> set[str]:
    return {str(one) for one in found}
