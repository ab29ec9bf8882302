"""Every read model there is."""

from __future__ import annotations

from typing import Final

from projections import (
    accounts,
    billing_accounts,
    cases,
    collectives,
    companies,
    company_members,
    conversations,
    intents,
    items,
    legacy_ids,
    messages,
    migration_runs,
    profiles,
    quarantine,
    status_history,
    statuses,
)
from projections.read_model import ReadModel

READ_MODELS: Final[tuple[ReadModel, ...]] = (
    accounts.MODEL,
    profiles.MODEL,
    intents.MODEL,
    items.MODEL,
    conversations.MODEL,
    messages.MODEL,
    billing_accounts.MODEL,
    cases.MODEL,
    status_history.MODEL,
    companies.MODEL,
    company_members.MODEL,
    collectives.MODEL,
    statuses.MODEL,
    legacy_ids.MODEL,
    quarantine.MODEL,
    migration_runs.MODEL,
)
