"""A fixed master key and a fixed subject key, for tests only."""

from __future__ import annotations

from typing import Final

from adapters.sealing import MasterKeys, SubjectKey, key_text

MASTER_KEY: Final = b"only for the tests of Dossier, 32"[:32]
MASTER_TEXT: Final = key_text(MASTER_KEY)
SUBJECT_KEY: Final = SubjectKey(b"the key of a subject in tests :-)"[:32])


def master() -> MasterKeys:
    """Return the master keys of tests."""
    return MasterKeys(lambda: [MASTER_KEY])
