"""Backups with PostgreSQL's own pg_dump and pg_restore, and what a restored log is held against."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.errors import translated
from adapters.postgres import embedded_host
from adapters.postgres.swap_lock import unswapped
from adapters.private_file import private_file
from domain.errors import ConfigurationInvalid, InputUnreadable, RuleViolated
from projections.all import READ_MODELS

OURS: Final = ("store", "audit", "projections", "reader", *(model.name for model in READ_MODELS))
_OF_REBUILDS: Final = r"^(next_|prev_(\d+_)?)"
_LEFT_OUT: Final = ("plan_*", "next_*", "prev_*")
_FORMAT: Final = "dossier backup 1"
_COPIED: Final = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: head of the log, number of events, size of the Merkle tree, and the digest of its file."""

    format: str
    made_at: str
    server_version: int
    head: int
    events: int
    tree_size: int
    sha256: str


def back_up(url: str, file: Path, at: datetime) -> Manifest:
    """Write the database into a file, as it is at one moment, and a manifest beside it; others write meanwhile.

    No rebuild is swapped in meanwhile; raises RunConflict if one is and takes too long.
    """
    excluded = [f"--exclude-schema={pattern}" for pattern in _LEFT_OUT]
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with translated(), unswapped(url, "backup") as connection:
            # The end of the transaction fails if the connection broke, and the lock was not held all the while.
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                snapshot, head, events, tree_size = _row(
                    connection,
                    "SELECT pg_export_snapshot(), coalesce(max(notification_id), 0), count(*),"
                    " (SELECT coalesce(max(size), 0) FROM audit.tree) FROM store.stored_events",
                )
                _run("pg_dump", url, "--format=custom", f"--snapshot={snapshot}", *excluded, f"--file={part}")
            version = connection.info.server_version
        digest = _digest(part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    manifest = Manifest(_FORMAT, at.isoformat(), version, head, events, tree_size, digest)
    with private_file(manifest_of(file)) as out:
        out.write(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
    return manifest


def read_manifest(file: Path) -> Manifest:
    """Return the manifest of a backup; raises InputUnreadable where it is missing, or the file is not what it was."""
    try:
        found = Manifest(**orjson.loads(manifest_of(file).read_bytes()))
        if found.format == _FORMAT and found.sha256 == _digest(file):
            return found
        reason = "it was altered or cut off" if found.format == _FORMAT else "another release made it"
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
    except (ValueError, TypeError):
        reason = f"{manifest_of(file)} is damaged"
    raise InputUnreadable(f"{file} is not a whole backup: {reason}", field="file", hint="use another backup")


def manifest_of(file: Path) -> Path:
    """Return where the manifest of a backup is."""
    return file.with_name(f"{file.name}.json")


@dataclass(frozen=True)
class Replaced:
    """What stood in a database before something was restored into it: the head of its log, the people erased in it."""

    head: int
    erased: tuple[UUID, ...]


def restore(url: str, file: Path, *, replace: bool) -> Replaced:
    """Put a backup into a database that holds no event, or, with `replace`, in the place of what it holds.

    All of it or nothing: what stood there stays if the backup cannot be read in. No rebuild is swapped in meanwhile.
    """
    with translated(), unswapped(url, "restore") as connection:
        _check_no_remains(connection)
        before = _present(connection)
        if before.head and not replace:
            raise RuleViolated(
                f"the database holds events up to position {before.head}",
                hint="restore into an empty database (another DOSSIER_HOME or DOSSIER_DATABASE_URL), or add --replace",
            )
        with _set_aside(connection, _ours(connection)):
            _run("pg_restore", url, "--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", str(file))
    return before


def _check_no_remains(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    if _row(connection, "SELECT to_regnamespace('replaced_store') IS NOT NULL") == (True,):
        raise RuleViolated(
            "a restore was killed: what stood here before lies in schemas `replaced_…`",
            hint="drop those without that prefix and rename these back, or drop these; then restore",
        )


def _present(connection: psycopg.Connection[tuple[Any, ...]]) -> Replaced:
    (there,) = _row(connection, "SELECT to_regclass('store.stored_events') IS NOT NULL")
    if not there:
        return Replaced(0, ())
    (head,) = _row(connection, "SELECT coalesce(max(notification_id), 0) FROM store.stored_events")
    (keyed,) = _row(connection, "SELECT to_regclass('store.subject_keys') IS NOT NULL")
    erased = connection.execute("SELECT subject FROM store.subject_keys WHERE wrapped IS NULL") if keyed else ()
    return Replaced(head, tuple(subject for (subject,) in erased))


def _ours(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    query = "SELECT nspname FROM pg_namespace WHERE regexp_replace(nspname, %s, '') = ANY(%s)"
    found = connection.execute(query, [_OF_REBUILDS, list(OURS)])
    return [name for (name,) in found]


@contextmanager
def _set_aside(connection: psycopg.Connection[tuple[Any, ...]], names: list[str]) -> Iterator[None]:
    """Rename schemas out of the way; they are dropped at the end, or renamed back if the block fails."""
    with connection.transaction():
        for name in names:
            _rename(connection, name, f"replaced_{name}")
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error), connection.transaction():
            for name in names:
                _rename(connection, f"replaced_{name}", name)
        raise
    with connection.transaction():
        for name in names:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(f"replaced_{name}")))


def _rename(connection: psycopg.Connection[tuple[Any, ...]], name: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))


def _row(connection: psycopg.Connection[tuple[Any, ...]], query: Any) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def _run(name: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs against a database; the password goes by the environment."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    target = f"--dbname={make_conninfo('', **parts)}"
    environment: Mapping[str, str] = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    done = subprocess.run(  # noqa: S603 – a fixed program; arguments are never part of a shell text
        [program(name), target, "--no-password", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise ConfigurationInvalid(f"{name} failed: {' '.join(said)}"[:500], hint="nothing was changed; correct that")


def program(name: str) -> str:
    """Return where one of PostgreSQL's programs is: that of the embedded server, else the one on the path."""
    with suppress(ConfigurationInvalid):
        found = embedded_host.wheel() / "pginstall18" / "bin" / name
        if found.exists():
            return str(found)
    if on_path := shutil.which(name):
        return on_path
    raise ConfigurationInvalid(
        f"there is no {name}", hint="install the `embedded` extra, or PostgreSQL's client programs"
    )


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_COPIED):
            digest.update(block)
    return digest.hexdigest()
