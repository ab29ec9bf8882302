"""The queries on the tables of cases: that they use indexes, and find what they should."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bootstrap import Application
from adapters.postgres.case_queries import CaseFilters, Within
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


MANY: Final = 24_000
"""Cases of the generated tables: 300 companies, every sixth case in one of 100 of 6,000 collective processes."""
_GENERATED: Final = """
CREATE FUNCTION pg_temp.id(noun text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN md5(noun || number)::uuid;
INSERT INTO cases.cases (
    case_id, person_id, company_id, collective_id, legacy_keys, fields, status, status_entry, status_since, status_day,
    due_on, instants, is_current, conflicts, created_at, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('case', n), pg_temp.id('person', n / 3),
    CASE WHEN n % 6 > 0 THEN pg_temp.id('company', n % 300) END,
    CASE WHEN n % 6 = 0 THEN pg_temp.id('collective', n % 600) END,
    '{}', '{}', CASE WHEN n % 1000 = 1 THEN 'rare' WHEN n % 40 > 0 THEN 'status_' || n % 40 END,
    CASE WHEN n % 40 > 0 THEN 2 END,
    CASE WHEN n % 40 > 0 THEN now() - n * interval '1 h' END, CASE WHEN n % 40 > 0 THEN current_date END,
    CASE WHEN n % 50 = 0 THEN current_date + (n / 20) - 5 END, '{}', n % 5 < 4, '{}', now(), now(), 'live', 3, n, now()
    FROM generate_series(1, %(many)s) AS n;
INSERT INTO status_history.status_history (
    owner_id, entry, place, owner_kind, status, active_from, active_to, is_active, changed_by, superseded, filled,
    carried, duration_s, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('case', n), entry, entry, 'case', 'status_' || n % 40, now() - (4 - entry) * interval '1 d',
    CASE WHEN entry = 2 THEN now() - interval '1 d' END, entry = 3, 'somebody', false, '{}',
    '{}', CASE WHEN entry = 2 THEN 86400 END, now(), 'live', 3, n, now()
    FROM generate_series(1, %(many)s) AS n, generate_series(2, 3) AS entry;
INSERT INTO collectives.collectives (
    collective_id, company_id, legacy_keys, created_at, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('collective', n), pg_temp.id('company', n % 300), '{}', now(), now(), 'live', 1, n, now()
    FROM generate_series(0, 5999) AS n;
INSERT INTO company_members.company_members (
    company_id, member, account_id, fields, is_current, created_at, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('company', n % 300), 2 + n, pg_temp.id('account', n % 9000), '{}', n % 4 > 0,
    now(), now(), 'live', 2 + n, n, now()
    FROM generate_series(1, %(many)s) AS n;
ANALYZE cases.cases; ANALYZE status_history.status_history;
ANALYZE collectives.collectives; ANALYZE company_members.company_members;
"""


@pytest.fixture(scope="module")
def crowded(make_database: Any) -> Iterator[tuple[Application, psycopg.Connection[Any]]]:
    """An application over big tables, and a connection whose planner may read tables whole if it likes."""
    url = make_database()
    with application_at(url) as app, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_GENERATED.replace("%(many)s", str(MANY)))
        assert connection.execute("SHOW enable_seqscan").fetchone() == ("on",)
        yield app, connection


def generated_id(noun: str, number: int) -> UUID:
    return UUID(hashlib.md5(f"{noun}{number}".encode(), usedforsecurity=False).hexdigest())


COMPANY: Final = generated_id("company", 7)
PLANS: Final[dict[str, tuple[str, dict[str, Any], set[str]]]] = {
    "by a status that many have": ("cases_all", {"status": "status_7"}, set()),
    "by a status that few have": ("cases_all", {"status": "rare"}, {"cases_status"}),
    "undetermined": ("cases_all", {"undetermined": True}, {"cases_undetermined"}),
    "a page": ("cases_all", {"after": generated_id("case", 9)}, {"cases_pkey"}),
    "by collective": ("cases_all", {"collective": generated_id("collective", 6)}, {"cases_collective"}),
    "overdue": ("cases_all", {"due_before": True}, {"cases_due"}),
    "since": ("cases_all", {"since": datetime.now(UTC) - timedelta(hours=30)}, {"cases_status_since"}),
    "by company": (
        "cases_within",
        {"companies": [COMPANY]},
        {"cases_company", "cases_collective", "collectives_company"},
    ),
    "by status and company": (
        "cases_within",
        {"companies": [COMPANY], "status": "status_7"},
        {"cases_company", "cases_collective", "collectives_company"},
    ),
    "of a client": (
        "cases_within",
        {"companies": [COMPANY, generated_id("company", 8)], "person": generated_id("person", 5)},
        {"cases_company", "cases_collective", "collectives_company", "cases_person"},
    ),
    "a timeline": ("timeline", {"owner": generated_id("case", 5)}, {"status_history_timeline"}),
    "as of": (
        "status_as_of",
        {"owner": generated_id("case", 5), "at": datetime.now(UTC)},
        {"status_history_timeline"},
    ),
    "memberships": ("companies_of", {"account": generated_id("account", 5)}, {"company_members_account"}),
    "a collective process": (
        "collective_statuses",
        {"collective": generated_id("collective", 6)},
        {"cases_collective"},
    ),
}


MODEL_OF: Final = {
    "cases_all": cases.MODEL,
    "cases_within": cases.MODEL,
    "timeline": status_history.MODEL,
    "status_as_of": status_history.MODEL,
}


@pytest.mark.parametrize("name", PLANS)
def test_each_query_uses_an_index(name: str, crowded: tuple[Application, psycopg.Connection[Any]]) -> None:
    app, connection = crowded
    statement, values, indexes = PLANS[name]
    listing = {"limit": 51, "companies": [], "person": None} | dict.fromkeys(vars(CaseFilters()), None)
    wanted = {**listing, "undetermined": False, **values}
    if wanted["due_before"]:
        wanted["due_before"] = local_day(datetime.now(UTC))
    with app.pool.connection() as pooled:
        query = app.cases(OPERATOR).statement(pooled, statement, MODEL_OF.get(statement))
    plan = "\n".join(line for (line,) in connection.execute(b"EXPLAIN " + query, wanted))
    assert "Seq Scan" not in plan, plan
    used = set(re.findall(r"(?:using|Index Scan on) (\w+)", plan))
    assert indexes <= used, plan


def test_what_the_queries_find_on_big_tables(crowded: tuple[Application, psycopg.Connection[Any]]) -> None:
    app, _ = crowded
    queries = app.cases(OPERATOR)
    within = Within([COMPANY])
    direct = [n for n in range(1, MANY + 1) if n % 300 == 7 and n % 6]
    joint = [n for n in range(1, MANY + 1) if not n % 6 and n % 600 % 300 == 7]
    wanted = sorted(generated_id("case", n) for n in direct + joint)
    found: list[UUID] = []
    while page := queries.page(CaseFilters(after=found[-1] if found else None), 30, within):
        found += [row["case_id"] for row in page]
    assert found == wanted
    account = generated_id("account", 5)
    current = {generated_id("company", n % 300) for n in range(1, MANY + 1) if n % 9000 == 5 and n % 4}
    assert queries.companies_of(account) == current
    overdue = queries.page(CaseFilters(due_before=local_day(datetime.now(UTC))), 1000)
    assert len(overdue) == queries.totals(local_day(datetime.now(UTC)))["overdue"] > 0
