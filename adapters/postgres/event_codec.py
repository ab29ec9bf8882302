"""Events to rows and rows to events, with the keys of the people they are about; what receipts keep of a command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final
from uuid import UUID

from adapters.garbage import rare_collections
from adapters.postgres.append_request import EventRow
from adapters.postgres.mapper import encode, sealed_for, subject_of_sealed
from adapters.postgres.subject_keys import SubjectKeys
from adapters.sealing import no_master_key
from domain.account import AccountErased
from domain.event import NewEvent, Recorded
from domain.service import Append, check_same_command

MANY: Final = 100
_KEYED: Final = 16 + hashlib.sha256().digest_size
"""The length of a receipt's digest made under a subject's key: the subject, then the HMAC."""


class EventCodec:
    """Encodes what is to be stored and decodes what was; `keys` are None where nothing is sealed."""

    def __init__(self, keys: SubjectKeys | None, decode: Callable[..., Recorded]) -> None:
        self._keys, self._decode = keys, decode

    def rows(self, events: Sequence[NewEvent], *, imported: bool = False) -> list[EventRow]:
        """Return events encoded, sealed for their subjects; raises RuleViolated for an erased one, unless imported."""
        if self._keys is None:
            if any(new.event.topic == AccountErased.topic for new in events):
                raise no_master_key()  # nothing would be erased
            return [(new.stream, new.version, new.event.topic, encode(new)) for new in events]
        subjects = [sealed_for(new) for new in events]
        keys_of = self._keys.for_importing if imported else self._keys.for_writing
        keys = keys_of({subject for subject in subjects if subject is not None})
        return [
            (new.stream, new.version, new.event.topic, encode(new, keys[subject] if subject else None))
            for new, subject in zip(events, subjects, strict=True)
        ]

    def recorded(self, rows: Sequence[tuple[Any, ...]]) -> list[Recorded]:
        """Return rows (stream, version, position, topic, body, erasures) as events, with the keys of all at once."""
        keys = None
        if self._keys is not None and rows:
            subjects = {subject for row in rows if (subject := subject_of_sealed(row[4])) is not None}
            keys = self._keys.for_reading(subjects, rows[0][5])
        with rare_collections() if len(rows) >= MANY else nullcontext():
            return [self._decode(row[0], row[1], row[2], row[3], row[4], keys) for row in rows]

    def digest(self, request: Append) -> bytes:
        """Return a request's digest as it is kept: of what is said of a person under their key, with which it dies."""
        if self._keys is None or request.subject is None:
            return request.digest
        key = self._keys.for_writing({request.subject})[request.subject]
        return request.subject.bytes + key.digest(request.digest)

    def check_same(self, command_id: UUID, digest: bytes, on_file: bytes) -> None:
        """Raise CommandIdReused unless the digest on file is that of the same command."""
        if len(on_file) != _KEYED:
            check_same_command(command_id, digest, on_file)
            return
        if self._keys is None:
            raise no_master_key()
        subject = UUID(bytes=on_file[:16])
        key = self._keys.for_checking(subject)
        check_same_command(command_id, key.digest(digest) if key else b"", on_file[16:])
