"""The keys checkpoints and evidence files are signed with: Ed25519, in the text forms of C2SP signed notes."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.audit.verifier import PublicKey, Unproven, public_keys, signature_line
from adapters.private_file import private_file
from domain.errors import ConfigurationInvalid

_PREFIX: Final = "PRIVATE+KEY+"
_ED25519: Final = b"\1"
_NAME: Final = re.compile(r"[A-Za-z0-9._/-]{1,100}")


@dataclass(frozen=True)
class SigningKey:
    """A private key; `name` is the name of the log it signs for. Its text form is `PRIVATE+KEY+name+id+seed`."""

    name: str
    private: Ed25519PrivateKey

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """Make a new key; raises ConfigurationInvalid for a name that cannot stand in a signed note."""
        if not _NAME.fullmatch(name):
            raise ConfigurationInvalid(
                "a log is named by letters, digits and . _ / -, at most 100 of them",
                field="name",
                hint="a good name is one nobody else uses, as example.org/dossier",
            )
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read the text form; raises ConfigurationInvalid, never quoting it."""
        try:
            name, key_id, seed = text.strip().removeprefix(_PREFIX).split("+", 2)
            raw = base64.b64decode(seed, validate=True)
            found = cls(name, Ed25519PrivateKey.from_private_bytes(raw[1:]))
        except ValueError:
            found = None
        if found is None or found.public.id.hex() != key_id or raw[:1] != _ED25519:
            raise ConfigurationInvalid("the private key cannot be read", hint="`dossier audit keys generate` makes one")
        return found

    @property
    def public(self) -> PublicKey:
        """The key others verify with."""
        return PublicKey(self.name, self.private.public_key().public_bytes_raw())

    def __str__(self) -> str:
        seed = base64.b64encode(_ED25519 + self.private.private_bytes_raw()).decode()
        return f"{_PREFIX}{self.name}+{self.public.id.hex()}+{seed}"

    def __repr__(self) -> str:
        return f"SigningKey({self.public})"

    def sign(self, text: str) -> str:
        """Return a text that ends with a line break as a signed note."""
        return f"{text}\n{signature_line(self.public, self.private.sign(text.encode()))}"


@dataclass(frozen=True)
class KeyFolder:
    """A folder with `private.key`, for its owner alone, and `public.keys`: all there ever were, the newest last."""

    folder: Path
    from_environment: str | None = None

    @property
    def private_file(self) -> Path:
        """Where the private key is."""
        return self.folder / "private.key"

    @property
    def public_file(self) -> Path:
        """Where the public keys are."""
        return self.folder / "public.keys"

    def signing(self) -> SigningKey:
        """Return the key to sign with, from the environment or the file; raises ConfigurationInvalid."""
        if self.from_environment is not None:
            return SigningKey.parse(self.from_environment)
        if not self.private_file.exists():
            raise ConfigurationInvalid(
                f"there is no key to sign with in {self.folder}",
                hint="`dossier audit keys generate` makes one; or set DOSSIER_AUDIT_KEY",
            )
        if self.private_file.stat().st_mode & 0o077:
            raise ConfigurationInvalid(
                f"others can read {self.private_file}", hint=f"chmod 600 {self.private_file}, and rotate the key"
            )
        return SigningKey.parse(self.private_file.read_text(encoding="ascii", errors="replace"))

    def known(self) -> list[PublicKey]:
        """Return every public key that signed or may sign, oldest first; raises ConfigurationInvalid if none."""
        lines = self.public_file.read_text(encoding="utf-8").splitlines() if self.public_file.exists() else []
        if self.from_environment is not None:
            lines.append(str(self.signing().public))
        try:
            return public_keys(dict.fromkeys(lines))
        except Unproven as error:
            raise ConfigurationInvalid(
                f"{self.public_file}: {error}", hint="`dossier audit keys generate`, or name public keys with --key"
            ) from None

    def generate(self, name: str) -> SigningKey:
        """Make the first key; raises ConfigurationInvalid if there is one."""
        if self.from_environment is not None or self.private_file.exists() or self.public_file.exists():
            raise ConfigurationInvalid(
                "there is a key already", hint="`dossier audit keys rotate` puts a new one in its place"
            )
        return self._keep(SigningKey.generate(name))

    def rotate(self) -> SigningKey:
        """Put a new key of the same name in the place of the present one, whose public half stays known."""
        if self.from_environment is not None:
            raise ConfigurationInvalid(
                "the private key is in DOSSIER_AUDIT_KEY, where it cannot be replaced from here",
                hint="unset it, put the key in private.key, rotate, and take the new one from there",
            )
        return self._keep(SigningKey.generate(self.signing().name))

    def _keep(self, key: SigningKey) -> SigningKey:
        # The public half first: whatever is signed from now on can be verified.
        known = self.public_file.read_text(encoding="utf-8") if self.public_file.exists() else ""
        with private_file(self.public_file) as file:
            file.write(f"{known}{key.public}\n".encode())
        with private_file(self.private_file) as file:
            file.write(f"{key}\n".encode())
        return key
