"""`dossier find`: whose email or phone it is, told by an index, with every account that has it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from adapters.bootstrap import Application
from adapters.postgres.case_queries import query_sql
from domain.access import Actor
from domain.account import ChangeContact, RegisterAccount
from tests.adapters.test_cli import cli, fine, refused
from tests.support.application import application_at
from tests.support.case_world import only_this_database

OPERATOR = Actor.operator()


@pytest.fixture(scope="module", autouse=True)
def _environment(database_url: str) -> Iterator[None]:
    with only_this_database(database_url):
        yield


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    with application_at(database_url) as opened:
        yield opened


def test_one_hit_several_hits_and_none(app: Application) -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    for account, email, phone in (
        (one, "Zoë@Example.org", "+41 44"),
        (two, "zoë@example.org", None),
        (three, "x@y.z", "+41 44"),
    ):
        app.dossier.execute(RegisterAccount(account_id=account, email=email, phone=phone), actor=OPERATOR)
    found = fine("find", "--email", " X@Y.Z ")
    assert ([row["account_id"] for row in found["accounts"]], found["duplicates"]) == ([str(three)], False)
    several = cli("find", "--email", "ZOË@EXAMPLE.ORG", "--json")
    assert several.code == 1
    assert several.json["duplicates"]
    assert [row["account_id"] for row in several.json["accounts"]] == [str(one), str(two)]
    assert [row["account_id"] for row in cli("find", "--phone", "+41 44", "--json").json["accounts"]] == [
        str(one),
        str(three),
    ]
    assert "2 accounts have this phone" in cli("find", "--phone", "+41 44").out
    app.dossier.execute(ChangeContact(account_id=two, email="other@example.org"), actor=OPERATOR)
    assert fine("find", "--email", "zoë@example.org")["accounts"][0]["account_id"] == str(one)
    assert refused("find", "--email", "nobody@example.org")[1]["code"] == "not_found"
    code, error = refused("find", "--email", "zoë@example.org", "--actor", one)
    assert (code, error["code"]) == (1, "access_denied")  # whose email it is is for admins to know


@pytest.mark.parametrize("arguments", [[], ["--email", "a@b.c", "--phone", "1"], ["--email", " "], ["--phone", "\0"]])
def test_a_look_up_needs_one_contact(arguments: list[str]) -> None:
    assert refused("find", *arguments)[0] == 2


@pytest.mark.parametrize("contact", ["email", "phone"])
def test_a_look_up_reads_an_index(app: Application, contact: str) -> None:
    query = query_sql(f"accounts_by_{contact}").replace("{accounts}", "accounts.accounts")
    with app.pool.connection() as connection, connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(f"EXPLAIN {query}", {"value": "x"}).fetchall()
    assert any(f"accounts_{contact}" in line for (line,) in plan), plan
