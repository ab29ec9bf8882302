"""Which index each query takes at many records: for the owner of the tables, and for a reader under their policies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from adapters.bootstrap import Application
from adapters.postgres.account_queries import Contact, accounts_with, contact_query
from adapters.postgres.case_queries import CaseFilters, CaseQueries, Within
from adapters.postgres.embedded import READER
from domain.access import Actor, Permissions
from domain.wall_clock import local_day
from projections import accounts, cases, collectives, company_members, intents, profiles, status_history
from projections.read_model import ReadModel
from tests.support.application import application_at
from tests.support.case_world import OPERATOR


class Crowded(NamedTuple):
    """An application over big tables, and a connection whose planner may read tables whole if it likes.

    There are so many accounts, profiles, intents, cases, entries of status histories, and memberships; every sixth case
    is in one of 100 collective processes.
    """

    app: Application
    connection: psycopg.Connection[Any]
    many: int


MODELS: Final = (
    *(accounts.MODEL, profiles.MODEL, intents.MODEL),
    *(cases.MODEL, status_history.MODEL, collectives.MODEL, company_members.MODEL),
)
_GENERATED: Final = """
CREATE FUNCTION pg_temp.id(noun text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN md5(noun || number)::uuid;
INSERT INTO accounts.accounts (
    account_id, email, phone, details, status, roles, active_profile_id, registered_at, updated_at, origin, version,
    position, recorded_at
) SELECT
    pg_temp.id('account', n), 'Somebody' || n || '@example.org', '+1' || n,
    jsonb_build_object('sms_phone', '+2' || n), 'active', '{}', pg_temp.id('profile', 2 * n), now(), now(), 'live', 1,
    n, now()
    FROM generate_series(1, %(many)s) AS n;
INSERT INTO profiles.profiles (
    profile_id, account_id, kind, fields, completeness, missing, outside_vocabulary, verification, archived, conflicts,
    search_words, created_at, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('profile', n), pg_temp.id('account', n / 2),
    CASE WHEN n % 50 = 0 THEN 'choreographer' ELSE 'dancer' END,
    jsonb_build_object('city', 'city ' || n % 997, 'skills', jsonb_build_array('skill ' || n % 499)), n % 101,
    '{}', '{}', 'unverified', n % 20 = 0, '{}', ARRAY['name ' || n, 'city' || n % 997],
    now(), now(), 'live', 1, n, now()
    FROM generate_series(1, %(many)s) AS n;
INSERT INTO intents.intents (
    intent_id, account_id, context, status, fields, completeness, missing, outside_vocabulary, created_at, updated_at,
    origin, version, position, recorded_at
) SELECT
    pg_temp.id('intent', n), pg_temp.id('account', n), (ARRAY['romantic', 'friendship', 'service'])[1 + n % 3],
    'declared', jsonb_build_object('service_type', 'offering'), 50, '{}', '{}', now(), now(), 'live', 1, n, now()
    FROM generate_series(1, %(many)s) AS n;
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
    pg_temp.id('case', n), entry, entry, 'case', 'status_' || n % 40, now() - (12 - entry) * interval '1 d',
    CASE WHEN entry < 11 THEN now() - (11 - entry) * interval '1 d' END, entry = 11, 'somebody', false, '{}',
    '{}', CASE WHEN entry < 11 THEN 86400 END, now(), 'live', 11, n, now()
    FROM generate_series(1, %(many)s / 10) AS n, generate_series(2, 11) AS entry;
INSERT INTO collectives.collectives (
    collective_id, company_id, legacy_keys, created_at, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('collective', n), pg_temp.id('company', (n + 1) % 1200), '{}', now(), now(), 'live', 1, n, now()
    FROM generate_series(0, 5999) AS n;
INSERT INTO company_members.company_members (
    company_id, member, account_id, fields, is_current, created_at, updated_at, origin, version, position, recorded_at
) SELECT
    pg_temp.id('company', n % 300), 2 + n, pg_temp.id('account', n % 9000), '{}', n % 4 > 0,
    now(), now(), 'live', 2 + n, n, now()
    FROM generate_series(1, %(many)s) AS n;
"""


def generated_id(noun: str, number: int) -> UUID:
    return UUID(hashlib.md5(f"{noun}{number}".encode(), usedforsecurity=False).hexdigest())


@pytest.fixture(scope="module", params=[24_000, pytest.param(100_000, marks=pytest.mark.soak)])
def crowded(request: pytest.FixtureRequest, make_database: Any) -> Iterator[Crowded]:
    """Tables filled as a rebuild fills them: without their indexes, which are made in the end."""
    url, many = make_database(), request.param
    with application_at(url) as app, psycopg.connect(url, autocommit=True) as connection:
        with app.reads.locked() as filling:
            for model in MODELS:
                filling.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(model.name)))
            app.reads.make_tables(filling, MODELS)
            filling.execute(_GENERATED.replace("%(many)s", str(many)).encode())
            app.reads.make_indexes(filling, MODELS)
            for model in MODELS:
                filling.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(model.name, model.name)))
        app.open_to_readers()
        assert connection.execute("SHOW enable_seqscan").fetchone() == ("on",)
        yield Crowded(app, connection, many)


COMPANY: Final = generated_id("company", 7)
CLIENT: Final = Actor.of_account(generated_id("account", 7))
"""A current member of that company and of no other."""
NOW: Final = datetime.now(UTC)
CASES: Final = {**vars(CaseFilters()), "limit": 51, "companies": [], "person": None}
PEOPLE: Final = {"limit": 51} | dict.fromkeys(
    ("own", "fields", "verification", "at_least", "archived", "after", "rank", "created_at")
)
TIMELINE: Final = {"limit": 51} | dict.fromkeys(("active_from", "place", "entry"))
OF_COMPANIES: Final = {"cases_company", "cases_collective", "collectives_company"}
SAME: Final = None
# A statement with its values, the indexes the owner's plan names, and those of a reader, who is told only their own.
PLANS: Final[dict[str, tuple[str, dict[str, Any], set[str], set[str] | None]]] = {
    "an account": (
        *("account_with_profile", {**PEOPLE, "account": CLIENT.account}),
        *({"accounts_pkey", "profiles_pkey"}, SAME),
    ),
    "profiles of an account": ("profiles_of", {**PEOPLE, "account": CLIENT.account}, {"profiles_account"}, SAME),
    "more profiles of an account": (
        *("profiles_of", {**PEOPLE, "account": CLIENT.account, "created_at": NOW, "after": UUID(int=9)}),
        *({"profiles_account"}, SAME),
    ),
    "a page of a kind": (
        *("profiles_by_kind", {**PEOPLE, "kind": "choreographer", "after": UUID(int=9)}),
        *({"profiles_kind"}, {"profiles_account"}),
    ),
    "a kind by fields": (
        *("profiles_by_kind", {**PEOPLE, "kind": "dancer", "fields": '{"city": "city 5", "skills": ["skill 7"]}'}),
        *({"profiles_fields"}, {"profiles_account"}),
    ),
    "a search": (
        *("profiles_found", {**PEOPLE, "kind": "dancer", "text": "city77"}),
        *({"profiles_search"}, {"profiles_account"}),
    ),
    "intents of a context": (
        *("intents_in", {**PEOPLE, "context": "service", "status": "declared"}),
        *({"intents_context"}, {"intents_account_id_context_key"}),
    ),
    "by a status that many have": ("cases_all", {**CASES, "status": "status_7"}, set(), SAME),
    "by a status that few have": ("cases_all", {**CASES, "status": "rare"}, {"cases_status"}, SAME),
    "undetermined": ("cases_all", {**CASES, "undetermined": True}, {"cases_undetermined"}, SAME),
    "a page": ("cases_all", {**CASES, "after": generated_id("case", 9)}, {"cases_pkey"}, SAME),
    "by collective": (
        *("cases_all", {**CASES, "collective": generated_id("collective", 6)}),
        *({"cases_collective"}, SAME),
    ),
    "overdue": ("cases_all", {**CASES, "due_before": local_day(NOW)}, {"cases_due"}, SAME),
    "since": ("cases_all", {**CASES, "since": NOW - timedelta(hours=30)}, {"cases_status_since"}, SAME),
    "by company": ("cases_within", {**CASES, "companies": [COMPANY]}, OF_COMPANIES, SAME),
    "by status and company": (
        *("cases_within", {**CASES, "companies": [COMPANY], "status": "status_7"}),
        *(OF_COMPANIES, SAME),
    ),
    "of a client": (
        "cases_within",
        {**CASES, "companies": [COMPANY, generated_id("company", 8)], "person": generated_id("person", 5)},
        *(OF_COMPANIES | {"cases_person"}, SAME),
    ),
    "a timeline": ("timeline", {**TIMELINE, "owner": generated_id("case", 5)}, {"status_history_timeline"}, SAME),
    "more of a timeline": (
        *("timeline", {"limit": 51, "owner": generated_id("case", 5), "active_from": NOW, "place": 2, "entry": 2}),
        *({"status_history_timeline"}, SAME),
    ),
    "as of": ("status_as_of", {"owner": generated_id("case", 5), "at": NOW}, {"status_history_timeline"}, SAME),
    "memberships": ("companies_of", {"account": CLIENT.account}, {"company_members_account"}, SAME),
    "a collective process": (
        *("collective_statuses", {"collective": generated_id("collective", 6)}),
        *({"cases_collective"}, SAME),
    ),
}
MODELS_OF: Final[dict[str, tuple[ReadModel, ...]]] = {
    "account_with_profile": (accounts.MODEL, profiles.MODEL),
    "profiles_of": (profiles.MODEL,),
    "profiles_by_kind": (profiles.MODEL,),
    "profiles_found": (profiles.MODEL,),
    "intents_in": (intents.MODEL,),
    "cases_all": (cases.MODEL,),
    "cases_within": (cases.MODEL,),
    "timeline": (status_history.MODEL,),
    "status_as_of": (status_history.MODEL,),
}


def _indexes(connection: psycopg.Connection[Any], query: bytes, values: dict[str, Any]) -> set[str]:
    """Return the indexes that a plan names; it must read no table whole."""
    plan = "\n".join(line for (line,) in connection.execute(b"EXPLAIN " + query, values))
    assert "Seq Scan" not in plan, plan
    return set(re.findall(r"(?:using|Index Scan on) (\w+)", plan))


@pytest.mark.parametrize("reader", [None, CLIENT], ids=["owner", "reader"])
@pytest.mark.parametrize("name", PLANS)
def test_each_query_uses_an_index(name: str, reader: Actor | None, crowded: Crowded) -> None:
    app, connection, _ = crowded
    statement, values, of_owner, of_reader = PLANS[name]
    queries = app.people(OPERATOR) if "own" in values else app.cases(OPERATOR)
    with app.pool.connection() as pooled:
        query = queries.statement(pooled, statement, *MODELS_OF.get(statement, ()))
    with connection.transaction():
        if reader is not None:
            connection.execute(f"SET LOCAL ROLE {READER}")
            connection.execute("SELECT set_config('dossier.session', %s, true)", [app.readers.admit(reader)])
        used = _indexes(connection, query, {**values, "own": reader and reader.account})
    assert (of_owner if reader is None or of_reader is SAME else of_reader) <= used


def test_whose_email_or_phone_it_is_is_found_by_an_index(
    crowded: Crowded,
) -> None:
    app, connection, _ = crowded
    wanted: dict[Contact, set[str]] = {"email": {"accounts_email"}, "phone": {"accounts_phone", "accounts_sms_phone"}}
    for contact, indexes in wanted.items():
        query = contact_query(app.reads, contact).as_bytes(connection)
        assert indexes <= _indexes(connection, query, {"value": "somebody7@example.org"})
    assert accounts_with(app.reads, "email", "somebody7@example.org") == [CLIENT.account]


@pytest.mark.parametrize("who", [OPERATOR, CLIENT], ids=["owner", "reader"])
def test_what_the_queries_find_on_big_tables(who: Actor, crowded: Crowded) -> None:
    queries = CaseQueries(crowded.app.reads, crowded.app.readers, Permissions(who, who.roles))
    within, numbers = Within([COMPANY]), range(1, crowded.many + 1)
    direct = {n for n in numbers if n % 300 == 7 and n % 6}
    joint = {n for n in numbers if n % 6 == 0 and n % 600 == 6}
    assert direct
    assert joint
    found: list[UUID] = []
    while page := queries.page(CaseFilters(after=found[-1] if found else None), 30, within):
        found += [row["case_id"] for row in page]
    assert found == sorted(generated_id("case", n) for n in direct | joint)
    assert queries.companies_of(generated_id("account", 7)) == {COMPANY}
    current = [row["case_id"] for row in queries.page(CaseFilters(is_current=True), 1000, within)]
    assert current == sorted(generated_id("case", n) for n in direct | joint if n % 5 < 4)
    if who is CLIENT:
        assert queries.totals(local_day(NOW))["total"] == len(direct | joint)
    assert len(queries.timeline(generated_id("case", 7))) == 10
