"""A legacy export of the decks system as it could have been found, with the class of every leaf.

Most people are plain. An oddity belongs to a group, and each group has columns of its own, so that oddities of several
groups meet in one row without changing each other's classes. The numbers D1–D17 are those of `docs/legacy/decks.md`.
"""

from adapters.samples.decks.sample import GROUPS, TABLES, write_sample

__all__ = ["GROUPS", "TABLES", "write_sample"]
