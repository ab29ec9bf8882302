"""The legacy systems, a file each with its parts beside it, written for those who know the system and not our code."""

from __future__ import annotations

from typing import Final

from migrations_replay.facts import LegacySystem
from migrations_replay.systems import caregivers, cases, contexts, decks, talent

SYSTEMS: Final[dict[str, LegacySystem]] = {
    system.name: system for system in (contexts.SYSTEM, caregivers.SYSTEM, cases.SYSTEM, talent.SYSTEM, decks.SYSTEM)
}
"""Every legacy system by its name."""
