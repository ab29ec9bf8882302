"""A legacy export of the cases system as it could have been found, with the class of every leaf.

Most cases are plain: English statuses, then the rows of the old migration, then case codes. An oddity belongs to a
group, and each group has a place of its own among a case's rows, so that oddities of several groups meet in one case
without changing each other's classes. The numbers K1–K19 are those of `docs/legacy/cases.md`.
"""

from adapters.samples.cases.sample import GROUPS, PLANTED, write_sample
from adapters.samples.cases.vocabulary import TABLES

__all__ = ["GROUPS", "PLANTED", "TABLES", "write_sample"]
