"""The queries on the tables of cases: that they use indexes, and find what they should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bootstrap import Application
from adapters.postgres.case_queries import CaseFilters
from domain.access import Actor
from domain.account import DeactivateAccount, RegisterAccount
from domain.case import (
    ChangeCaseStatus,
    OpenCase,
    RemoveCaseStatus,
)
from domain.company import AddCompanyMember
from domain.wall_clock import local_day
from projections import cases, status_history
from projections.as_of import in_force, rows_known_at
from tests.adapters.test_cli import fine
from tests.support.application import application_at
from tests.support.case_world import OPERATOR, World, day, only_this_database, populated


@pytest.fixture(scope="module", autouse=True)
def _environment(database_url: str) -> Iterator[None]:
    with only_this_database(database_url):
        yield


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    with application_at(database_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def world(app: Application) -> World:
    return populated(app)


def ids(*arguments: object) -> list[str]:
    return [row["case_id"] for row in fine("cases", *arguments)["cases"]]


# --- the two ways to what held then, and the indexes ----------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["rnm", "deferido", None])), min_size=1, max_size=6))
def test_the_table_and_the_fold_agree_on_what_held_then(world: World, changes: list[tuple[int, str | None]]) -> None:
    case = uuid4()
    world.do(OpenCase(case_id=case))
    for at, status in changes:
        if status is None and not world.app.cases(OPERATOR).timeline(case):
            continue
        active = [entry["entry"] for entry in world.app.cases(OPERATOR).timeline(case) if entry["is_active"]]
        if status is not None:
            world.do(ChangeCaseStatus(case_id=case, status=status, effective_at=day(at), notes="so"))
        elif active:
            world.do(RemoveCaseStatus(case_id=case, entry=active[0], reason="so"))
        world.app.catch_up()
    events = world.app.events.load([case])[case]
    entries = rows_known_at(status_history.MODEL, events, None)
    for at in range(-1, 6):
        from_table = world.app.cases(OPERATOR).status_as_of(case, day(at))
        folded = in_force(entries, day(at))
        assert (from_table and from_table["entry"]) == (folded and folded["entry"])


def test_nobody_is_answered_about_what_they_may_not_read(app: Application, world: World) -> None:
    """Asked without saying within what, so that nothing but row-level security stands in the way."""

    def seen(account: UUID) -> tuple[set[UUID], set[UUID]]:
        asks = app.cases(Actor.of_account(account))
        every = [world.case, world.collective_case, world.other_case, world.other_collective_case]
        told = {case for case in every if asks.timeline(case) or asks.status_as_of(case, day(90))}
        return {row["case_id"] for row in asks.page(CaseFilters(), 1000)}, told

    app.catch_up()
    theirs = {world.case, world.collective_case}
    assert seen(world.client) == (theirs, theirs)
    assert seen(world.person) == (set(), set())
    client, other = Actor.of_account(world.client), Actor.of_account(world.other_client)
    assert app.cases(client).statuses_in(world.collective) == {"deferido": 1}
    assert app.cases(other).statuses_in(world.collective) == {}
    assert app.cases(other).companies_of(world.client) == frozenset()
    assert app.cases(client).totals(local_day(datetime.now(UTC)))["total"] == 2
    assert {total.status for total in app.cases(client).status_totals(day(90))} >= {"exigencia", "deferido"}
    assert "rnm" not in {total.status for total in app.cases(client).status_totals(day(90))}
    assert app.find(cases.MODEL, (world.case,), client) is not None
    assert app.find(cases.MODEL, (world.case,), other) is None
    gone = uuid4()
    world.do(RegisterAccount(account_id=gone), AddCompanyMember(company_id=world.company, account_id=gone, role="HR"))
    app.catch_up()
    assert seen(gone) == (theirs, theirs)
    world.do(DeactivateAccount(account_id=gone, reason="asked"))
    app.catch_up()
    assert seen(gone) == (set(), set())
