"""Checkpoints: the tree head, signed and written outside the database, where who alters the log cannot reach it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from adapters.audit.keys import SigningKey
from adapters.audit.verifier import Checkpoint, PublicKey, Unproven, consistency_text, is_consistent
from adapters.postgres.audit_log import PostgresAuditLog
from adapters.postgres.mapper import canonical_instant
from adapters.private_file import private_file
from domain.errors import ConfigurationInvalid, InputUnreadable, ProofFailed
from projections.follow import Progress

LARGEST: Final = 1 << 16
_HINT: Final = "`dossier audit verify` names what was altered"


class Known(NamedTuple):
    """A checkpoint as it was found, with the file; None in its place and what is wrong if it is not a signed one."""

    file: Path
    checkpoint: Checkpoint | None
    problem: str = ""


class Signed(NamedTuple):
    """A checkpoint and the signed note that it is written as."""

    checkpoint: Checkpoint
    note: str


@dataclass(frozen=True)
class CheckpointFolder:
    """A folder outside the database with a file for each checkpoint, named by the size of the tree."""

    folder: Path

    def write(self, signed: Signed) -> Path:
        """Write a checkpoint; nothing is ever overwritten."""
        file = self.folder / f"{signed.checkpoint.size:020d}-{signed.checkpoint.root.hex()[:8]}.checkpoint"
        if not file.exists():
            with private_file(file) as out:
                out.write(signed.note.encode())
        return file

    def files(self) -> list[Path]:
        """Return the files there are, by size of the tree."""
        return sorted(self.folder.glob("*.checkpoint"))

    def known(self, keys: Sequence[PublicKey]) -> list[Known]:
        """Return all checkpoints, by size of the tree."""
        return [self._read(file, keys) for file in self.files()]

    def latest(self, keys: Sequence[PublicKey]) -> Checkpoint | None:
        """Return the checkpoint of the largest tree; raises ProofFailed for one that cannot be trusted."""
        known = self.known(keys)
        for found in known:
            if found.checkpoint is None:
                raise ProofFailed(f"{found.file}: {found.problem}", hint="`dossier audit verify` looks at all of them")
        return known[-1].checkpoint if known else None

    def named(self, name: str, keys: Sequence[PublicKey]) -> Signed:
        """Return the checkpoint in a file, or the one here of a tree of so many events; raises InputUnreadable."""
        files = [Path(name)]
        if name.isascii() and name.isdigit() and not files[0].exists():
            files = sorted(self.folder.glob(f"{int(name):020d}-*.checkpoint"))
        if len(files) != 1 or not files[0].is_file():
            raise InputUnreadable(
                f"{name!r} names {'several checkpoints' if len(files) > 1 else 'no checkpoint'}",
                field="checkpoint",
                hint=f"give a file of {self.folder}, or the number of events, with which its name begins",
            )
        found = self._read(files[0], keys)
        if found.checkpoint is None:
            raise ProofFailed(f"{found.file}: {found.problem}", hint="`dossier audit verify` looks at all of them")
        return Signed(found.checkpoint, files[0].read_text(encoding="utf-8"))

    def _read(self, file: Path, keys: Sequence[PublicKey]) -> Known:
        with file.open("rb") as opened:
            text = opened.read(LARGEST)
        try:
            return Known(file, Checkpoint.verified(text.decode("utf-8", "replace"), keys))
        except Unproven as error:
            return Known(file, None, str(error))


def sign_head(
    log: PostgresAuditLog,
    key: SigningKey,
    now: datetime,
    latest: Checkpoint | None,
    progress: Progress | None = None,
) -> Signed:
    """Bring the tree up to the log and sign its head; raises ProofFailed unless it continues the latest checkpoint."""
    head = log.catch_up(progress)
    if log.events.head() < head.position:
        raise ProofFailed(
            f"the log ends before position {head.position}, where its tree ends: nothing was signed", hint=_HINT
        )
    tree = log.tree(head.size)
    root = tree.root()
    if latest is not None:
        continued = latest.size <= head.size and is_consistent(
            latest.size, latest.root, head.size, root, tree.consistency(latest.size)
        )
        if not continued:
            raise ProofFailed(
                f"the log does not continue the checkpoint of {latest.time} ({latest.size} events): nothing was signed",
                hint=_HINT,
            )
    found = Checkpoint(key.name, head.size, root, head.position, canonical_instant(now))
    return Signed(found, key.sign(found.text()))


def prove_consistency(log: PostgresAuditLog, earlier: Signed, later: Signed) -> str:
    """Return the proof that a checkpoint is continued by another; raises ProofFailed where the tree has none."""
    then, now, size = earlier.checkpoint, later.checkpoint, log.state().size
    if now.size > size:
        raise ProofFailed(f"{now.size} events were signed at {now.time}, the tree has {size}", hint=_HINT)
    proof = log.tree(now.size).consistency(then.size)
    if not is_consistent(then.size, then.root, now.size, now.root, proof):
        raise ProofFailed(
            f"the tree does not lead from the checkpoint of {then.time} ({then.size} events)"
            f" to that of {now.time} ({now.size})",
            hint=_HINT,
        )
    return consistency_text(earlier.note, later.note, proof)


def hand_over(note: str, command: str) -> None:
    """Give a signed note to a command of the operator's, on standard input; raises ConfigurationInvalid if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 – the operator's own command, without a shell
            shlex.split(command), input=note.encode(), check=False, stdout=subprocess.DEVNULL, timeout=300, env=_plain()
        )
        outcome = f"exit code {done.returncode}" if done.returncode else ""
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        outcome = type(error).__name__
    if outcome:
        raise ConfigurationInvalid(
            f"the checkpoint command failed ({outcome})", field="command", hint="it gets the signed note on its input"
        )


def _plain() -> dict[str, str]:
    """Return the environment without our secrets: the command needs none of them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOSSIER_")}
