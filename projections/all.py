"""Every read model there is."""

from __future__ import annotations

from typing import Final

from projections import accounts, intents, legacy_ids, migration_runs, profiles
from projections.read_model import ReadModel

READ_MODELS: Final[tuple[ReadModel, ...]] = (
    accounts.MODEL,
    profiles.MODEL,
    intents.MODEL,
    legacy_ids.MODEL,
    migration_runs.MODEL,
)
