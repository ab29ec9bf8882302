"""Stream ids that follow from something stable.

Never from an email, phone or token: those change, and their hash outlives erasure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("b5e9a0c4-5d0c-5b7e-8f43-0c1f3a9d7e10")
ACCESS_STREAM: Final = uuid5(NAMESPACE, "access")
"""The one stream of the access aggregate, which remembers that the first admin was granted."""

EVIDENCE_STREAM: Final = uuid5(NAMESPACE, "evidence")
"""The one stream of the exports of the audit log."""


@lru_cache(maxsize=16_384)  # a record's ids are asked for again and again while its bundle is worked on
def imported_id(noun: str, system: str, table: str, key: str) -> UUID:
    """Return the id of what a legacy record became; the noun tells a snapshot from an account or a profile."""
    return uuid5(NAMESPACE, f"{noun}\x1f{system}\x1f{table}\x1f{key}")


def unknown_person_id(system: str, table: str, key: str) -> UUID:
    """Return who a legacy record is about of which nobody can tell: a person of its own, who can be erased."""
    return imported_id("unknown person", system, table, key)


def merged_profile_id(account_id: UUID, kind: str) -> UUID:
    """Return the id of the profile of a kind that an import merged from several records of one account."""
    return uuid5(account_id, kind)


def intent_id(account_id: UUID, context: str) -> UUID:
    """Return the id of the one intent an account has in a context."""
    return uuid5(account_id, f"intent\x1f{context}")


def conversation_id(account_id: UUID, name: str = "") -> UUID:
    """Return the id of a conversation that an import found with an account; the name tells several apart."""
    return uuid5(account_id, f"conversation\x1f{name}")


def billing_id(account_id: UUID) -> UUID:
    """Return the id of the one billing account of an account."""
    return uuid5(account_id, "billing\x1f")


def migration_id(system: str) -> UUID:
    """Return the stream that holds the runs of a legacy system."""
    return uuid5(NAMESPACE, f"migration\x1f{system}")


def status_id(code: str) -> UUID:
    """Return the stream of a case status: one a code."""
    return uuid5(NAMESPACE, f"status\x1f{code}")


def projection_id(read_model: str) -> UUID:
    """Return the stream of what was decided about a read model."""
    return uuid5(NAMESPACE, f"projection\x1f{read_model}")
