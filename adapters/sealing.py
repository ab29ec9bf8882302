"""The cryptography of sealing: a random key a subject seals values, a master key wraps the keys of subjects.

AES-256-GCM from `cryptography` with random nonces. A sealed value is bound to its place: elsewhere it does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import ConfigurationInvalid

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
PREFIX: Final = "dossier-master-1:"
_ID_BYTES: Final = 8
_RIGHT_KEY: Final = "set DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE to the key this database was written with"
_TEXT: Final = re.compile(re.escape(PREFIX) + "([A-Za-z0-9_-]{43}=)")


class DoesNotOpen(ValueError):
    """What was sealed is damaged, stands in another place, or was sealed under another key."""


class SubjectKey:
    """The key of one subject: seals values, and makes digests that only its holder can make or check."""

    __slots__ = ("_aead", "_mac_key")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._mac_key = hmac.digest(key, b"dossier digests", "sha256")

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Return the sealed form of bytes that belong in a place."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return what was sealed; raises DoesNotOpen."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise DoesNotOpen("sealed bytes do not open") from error

    def digest(self, plain: bytes) -> bytes:
        """Return the HMAC-SHA256 of bytes."""
        return hmac.digest(self._mac_key, plain, "sha256")


class MasterKeys:
    """The master keys there are: the first wraps, all of them unwrap, so that one can be replaced while it is in use.

    `load` gives them newest first; it is asked once more when a key turns up that none of them wrapped.
    """

    def __init__(self, load: Callable[[], Sequence[bytes]]) -> None:
        self._load = load
        self.read()

    @property
    def newest(self) -> bytes:
        """The id of the key that wraps."""
        return self._first

    def bare(self) -> list[bytes]:
        """Return the keys themselves, for a process of our own that works beside this one."""
        return list(self._load())

    def wrap(self, subject: UUID, key: bytes) -> bytes:
        """Return the key of a subject as it may be stored."""
        nonce = os.urandom(NONCE_BYTES)
        return self._first + nonce + self._aeads[self._first].encrypt(nonce, key, subject.bytes)

    def unwrap(self, subject: UUID, wrapped: bytes) -> bytes:
        """Return the key of a subject; raises ConfigurationInvalid where no master key fits."""
        wrapper, nonce, sealed = (
            wrapped[:_ID_BYTES],
            wrapped[_ID_BYTES:][:NONCE_BYTES],
            wrapped[_ID_BYTES:][NONCE_BYTES:],
        )
        if wrapper not in self._aeads:
            self.read()
        try:
            return self._aeads[wrapper].decrypt(nonce, sealed, subject.bytes)
        except (KeyError, InvalidTag):
            raise ConfigurationInvalid(
                f"the master key does not fit: keys of this database are wrapped by key {wrapper.hex()}",
                hint=_RIGHT_KEY,
            ) from None

    def read(self) -> None:
        """Take the keys from where they come from, anew."""
        keys = self._load()
        self._aeads = {key_id(key): AESGCM(key) for key in keys}
        self._first = key_id(keys[0])


def no_master_key() -> ConfigurationInvalid:
    """Return the error for a database with sealed values that is opened without a master key."""
    return ConfigurationInvalid("there is no master key, and stored values may be sealed", hint=_RIGHT_KEY)


def new_key() -> bytes:
    """Return a fresh random key."""
    return os.urandom(KEY_BYTES)


def key_id(key: bytes) -> bytes:
    """Return what a master key is called; it tells nothing about the key."""
    return hashlib.sha256(b"dossier master key id" + key).digest()[:_ID_BYTES]


def key_text(key: bytes) -> str:
    """Return a master key as text, in a form that scanners for secrets can know."""
    return PREFIX + base64.urlsafe_b64encode(key).decode("ascii")


def read_keys(text: str) -> list[bytes]:
    """Return the master keys in a text, one a line or separated by commas, newest first; raises ValueError."""
    words = text.replace(",", " ").split()
    found = [_TEXT.fullmatch(word) for word in words]
    if not found or not all(found):
        raise ValueError("not a master key")
    return [base64.urlsafe_b64decode(match.group(1)) for match in found if match]
