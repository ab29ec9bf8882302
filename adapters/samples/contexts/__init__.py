"""A legacy export of the contexts system as it could have been found, with the class of every leaf.

Most users are plain. An oddity belongs to a group, and each group has a place of its own in a user's records
(the pair of the first two contexts, the third context's row, …), so that oddities of several groups meet in
one user without changing each other's classes. The numbers C1–C23 are those of `docs/legacy/contexts.md`.
"""

from adapters.samples.contexts.sample import GROUPS, TABLES, write_sample

__all__ = ["GROUPS", "TABLES", "write_sample"]
