"""Who has this email or phone: the look-up of webhooks, over the indexes of the accounts."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from psycopg import sql

from adapters.errors import translated
from adapters.postgres.case_queries import query_sql
from adapters.postgres.read_store import PostgresReadStore
from domain.values import normal_text
from projections import accounts

Contact = Literal["email", "phone"]
_TABLE: Final = accounts.MODEL.name


def accounts_with(reads: PostgresReadStore, contact: Contact, value: str) -> list[UUID]:
    """Return all accounts with this email (in any case) or this phone, those registered first before the others.

    More than one is possible: an email or phone tells accounts apart only as far as people kept it that way.
    """
    with translated(), reads.pool.connection() as connection:
        found = connection.execute(contact_query(reads, contact), {"value": normal_text(value)}).fetchall()
    return [account for (account,) in found]


def contact_query(reads: PostgresReadStore, contact: Contact) -> sql.Composed:
    """Return the statement that looks an email or phone up."""
    table = sql.Identifier(reads.schema(_TABLE), _TABLE)
    return sql.SQL(query_sql(f"accounts_by_{contact}")).format(**{_TABLE: table})
