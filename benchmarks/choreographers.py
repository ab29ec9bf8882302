"""Queries of choreographers, against the same over one table of users that holds all of a person in one wide row.

The talent system kept dancers, choreographers and guests in such a table; its plan expects queries of choreographers to
become 30 % faster by a table of profiles, and reading a person with their profile not to become slower: for an admin,
and for people who read themselves, where row-level security stands behind both sides. Both hold the same people and ask
over the same connections, planned anew each time. The one table has the indexes of before: by key, by kind and over the
search text; what lies inside a document had none.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from adapters.bootstrap import Application
from adapters.postgres.people_queries import PeopleQueries, ProfileFilters
from adapters.postgres.read_store import json_cursor
from benchmarks.harness import Pair, Result, Server, latency, summarise
from domain.access import Actor, Permissions

USERS: Final = 100_000
QUERIES: Final = 1_000
WARMING: Final = 100
PAGE: Final = 50
READERS: Final = 20
"""Accounts that read themselves; so few that warming up gives each of them a secret."""
SEED: Final = 20262
GATES: Final = {"page": 1.3, "by_fields": 1.3, "search": 1.3, "with_profile": 1.0, "own_with_profile": 1.0}
"""How many times as fast each kind of query is asked to be."""

KIND: Final = "choreographer"
_OF_ONE_USER: Final = """
CREATE FUNCTION pg_temp.id(noun text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN md5(noun || number)::uuid;
CREATE FUNCTION pg_temp.kind(number bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN number % 10 = 0 THEN 'choreographer' WHEN number % 10 < 8 THEN 'dancer' ELSE 'guest' END;
CREATE FUNCTION pg_temp.words(number bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN 'name' || number || ' city' || number % 997 || ' state' || number % 50 || ' style' || number % 31;
CREATE FUNCTION pg_temp.account(number bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE RETURN jsonb_build_object(
    'first_name', 'First ' || number, 'last_name', 'Last ' || number, 'date_of_birth', '1990-01-01',
    'points_earned', number % 1000, 'onboarding_completed', true, 'onboarding_version', 'v2',
    'favorite_users', (SELECT jsonb_agg(md5('user' || number + n)) FROM generate_series(1, 8) AS n),
    'push_tokens', (SELECT jsonb_agg(jsonb_build_object('token', repeat(md5('token' || number + n), 3),
        'platform', 'ios', 'updatedAt', 1700000000000 + number)) FROM generate_series(1, 2) AS n)
);
CREATE FUNCTION pg_temp.profile(number bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE RETURN jsonb_build_object(
    'display_name', 'Name ' || number, 'representation_status', 'seeking', 'company_name', 'Company ' || number % 999,
    'location', jsonb_build_object('country', 'US', 'state', 'State ' || number % 50, 'city', 'City ' || number % 997),
    'skills', jsonb_build_array('skill ' || number % 499, 'skill ' || number % 97, 'skill ' || number % 13),
    'genres', jsonb_build_array('style ' || number % 31, 'style ' || number % 7),
    'links', jsonb_build_object('reel', 'https://example.org/' || number, 'socials',
        jsonb_build_object('instagram', '@name' || number)),
    'headshots', (SELECT jsonb_agg(jsonb_build_object('storageId', md5('shot' || number + n), 'title', 'Shot ' || n,
        'uploadDate', '2026-01-01T00:00:00Z', 'position', n)) FROM generate_series(1, 3) AS n)
) || CASE WHEN number % 10 = 0 THEN '{}' ELSE jsonb_build_object(
    'attributes', jsonb_build_object('hairColor', 'Brown', 'eyeColor', 'Green', 'gender', 'Female',
        'height', jsonb_build_object('feet', 5, 'inches', number % 12), 'ethnicity', jsonb_build_array('Asian')),
    'sizing', jsonb_build_object('general', jsonb_build_object('waist', '28', 'inseam', '30', 'hat', '22',
        'glove', '8'), 'female', jsonb_build_object('bust', '34', 'shoes', '8', 'dress', '4')),
    'work_location', jsonb_build_array('City ' || number % 997 || ', State ' || number % 50)
) END;
"""
_FILL: Final = """
CREATE SCHEMA one_table;
CREATE TABLE one_table.users (
    user_id uuid NOT NULL, email text, phone text, profile_type text NOT NULL, document jsonb NOT NULL,
    words text NOT NULL, search tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED
);
INSERT INTO one_table.users (user_id, email, phone, profile_type, document, words)
    SELECT pg_temp.id('account', n), 'user' || n || '@example.org', '+1' || n, pg_temp.kind(n),
        pg_temp.account(n) || CASE WHEN pg_temp.kind(n) = 'guest' THEN '{}' ELSE pg_temp.profile(n) END,
        pg_temp.words(n)
    FROM generate_series(1, %(users)s::bigint) AS n;
ALTER TABLE one_table.users ADD PRIMARY KEY (user_id);
CREATE INDEX ON one_table.users (profile_type, user_id);
CREATE INDEX ON one_table.users USING gin (search);
ALTER TABLE one_table.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON one_table.users FOR SELECT
    USING ((SELECT reader.sees_all()) OR user_id = (SELECT reader.account()));
GRANT USAGE ON SCHEMA one_table TO dossier_reader;
GRANT SELECT ON one_table.users TO dossier_reader;

INSERT INTO accounts.accounts (account_id, email, phone, name, details, status, roles, primary_profile_id,
    active_profile_id, registered_at, updated_at, origin, version, position, recorded_at)
    SELECT pg_temp.id('account', n), 'user' || n || '@example.org', '+1' || n, 'First Last', pg_temp.account(n),
        'active', '{}', pg_temp.id('profile', n), pg_temp.id('profile', n), now(), now(), 'live', 1, n, now()
    FROM generate_series(1, %(users)s::bigint) AS n;
INSERT INTO profiles.profiles (profile_id, account_id, kind, fields, completeness, missing, outside_vocabulary,
    verification, archived, conflicts, search_words, created_at, updated_at, origin, version, position, recorded_at)
    SELECT pg_temp.id('profile', n), pg_temp.id('account', n), pg_temp.kind(n), pg_temp.profile(n), 50, '{}', '{}',
        'unverified', false, '{}', ARRAY[pg_temp.words(n)], now(), now(), 'live', 1, n, now()
    FROM generate_series(1, %(users)s::bigint) AS n WHERE pg_temp.kind(n) <> 'guest';
"""
_ANALYSE: Final = "VACUUM (ANALYZE) one_table.users, accounts.accounts, profiles.profiles"
_COLUMNS: Final = "user_id, email, phone, profile_type, document, words"
_ONE_TABLE: Final = {
    "page": f"SELECT {_COLUMNS} FROM one_table.users WHERE profile_type = 'choreographer' AND user_id > %(after)s"
    " ORDER BY user_id LIMIT 50",
    "by_fields": f"SELECT {_COLUMNS} FROM one_table.users WHERE profile_type = 'choreographer'"
    " AND document @> %(fields)s ORDER BY user_id LIMIT 50",
    "search": f"SELECT {_COLUMNS}, ts_rank(search, query) AS rank"
    " FROM one_table.users, websearch_to_tsquery('simple', %(text)s) AS query"
    " WHERE search @@ query AND profile_type = 'choreographer' ORDER BY rank DESC, user_id LIMIT 50",
    "with_profile": f"SELECT {_COLUMNS} FROM one_table.users WHERE user_id = %(account)s",
}
_ONE_TABLE["own_with_profile"] = _ONE_TABLE["with_profile"]

Query = Callable[[], object]


def run(server: Server, runs: int, size: int = USERS) -> list[Result]:
    """Measure the group, on so many users: of each kind of query the middle one and the slowest of a hundred."""
    found = []
    with server.database() as name, server.application(name) as app:
        people = People(app, size)
        for kind, gate in GATES.items():
            pairs: dict[str, list[Pair]] = {"p50": [], "p99": []}
            for number in range(1, runs + 1):
                ours, theirs = (latency(server, people.queries(kind, side)) for side in (people.ours, people.one_table))
                for which, measured in pairs.items():
                    measured.append(Pair(1000 / getattr(ours, which), 1000 / getattr(theirs, which)))
                print(
                    f"choreographers.{kind}  {number}/{runs}  p50 {ours.p50:.2f} to {theirs.p50:.2f} ms,"
                    f" p99 {ours.p99:.2f} to {theirs.p99:.2f} ms",
                    flush=True,
                )
            found += [
                summarise(
                    f"choreographers.{kind}_{which}",
                    f"queries/s at {which}",
                    f"the same over one table of {size} users",
                    gate if which == "p50" else None,
                    measured,
                )
                for which, measured in pairs.items()
            ]
    return found


class People:
    """The same users in one table and in tables of accounts and profiles, and what is asked about them."""

    def __init__(self, app: Application, users: int) -> None:
        self._app, self._users = app, users
        operator = Actor.operator()
        self._people, self._permissions = app.people(operator), app.dossier.permissions(operator)
        with app.pool.connection() as connection:
            connection.execute(_OF_ONE_USER)
            for statement in _FILL.split(";\n"):
                given = {"users": users} if "%(users)s" in statement else None
                connection.execute(statement.encode(), given)
            connection.execute(_ANALYSE)
            ids = connection.execute("SELECT account_id FROM accounts.accounts ORDER BY account_id LIMIT 5000")
            self._accounts: list[UUID] = [account for (account,) in ids]
        self._selves = {
            account: Permissions(Actor.of_account(account), frozenset()) for account in self._accounts[:READERS]
        }

    def queries(self, kind: str, side: Callable[[str, dict[str, Any]], Query]) -> list[Query]:
        """Return what is to be asked of a side, the same of both, after as many others as it takes to warm up."""
        rng = random.Random(SEED)
        asked = [side(kind, self._values(kind, rng)) for _ in range(WARMING + QUERIES)]
        for query in asked[:WARMING]:
            query()
        return asked[WARMING:]

    def _values(self, kind: str, rng: random.Random) -> dict[str, Any]:
        number = 10 * rng.randrange(1, self._users // 10)
        match kind:
            case "page":
                return {"after": UUID(int=rng.getrandbits(127))}
            case "by_fields":
                return {"fields": {"location": {"state": f"State {number % 50}"}, "skills": [f"skill {number % 97}"]}}
            case "search":
                return {"text": f"city{number % 997}"}
            case "own_with_profile":
                return {"account": self._accounts[rng.randrange(READERS)]}
            case _:
                return {"account": rng.choice(self._accounts)}

    def ours(self, kind: str, values: dict[str, Any]) -> Query:
        """Return a query as the application asks it."""
        match kind:
            case "page" | "by_fields":
                return partial(self._people.profiles, ProfileFilters(KIND, **values), PAGE)
            case "search":
                return partial(self._people.search, KIND, values["text"], PAGE)
            case "own_with_profile":
                asks = PeopleQueries(self._app.reads, self._app.readers, self._selves[values["account"]])
                return partial(asks.account, values["account"])
            case _:
                return partial(self._people.account, values["account"])

    def one_table(self, kind: str, values: dict[str, Any]) -> Query:
        """Return the query over one table."""
        statement = _ONE_TABLE[kind].encode()
        permissions = self._selves[values["account"]] if kind == "own_with_profile" else self._permissions

        def ask() -> list[dict[str, Any]]:
            with self._app.readers.reading(permissions) as connection:
                cursor = json_cursor(connection).execute(
                    statement,
                    {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()},
                    prepare=False,
                )
                names = [column.name for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor]

        return ask
