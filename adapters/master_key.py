"""Where the master key comes from: the environment, a key file, or one made beside the data of the embedded server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.private_file import private_file
from adapters.sealing import MasterKeys, key_text, new_key, read_keys
from adapters.settings import Settings
from domain.errors import ConfigurationInvalid

FILE: Final = "master.key"


def key_file(settings: Settings, home: Path | None) -> Path | None:
    """Return the key file in use: the one that is set, else the embedded server's own; None where there is none."""
    if settings.master_key is not None:
        return None
    return settings.master_key_file or (home / FILE if home is not None else None)


def master_keys(settings: Settings, home: Path | None) -> MasterKeys | None:
    """Return the master keys, None where none is configured: then nothing is sealed.

    `home` is that of the embedded server, beside whose data a key file is made the first time.
    """
    if settings.master_key is not None:
        keys = read_keys(settings.master_key.get_secret_value())
        return MasterKeys(lambda: keys)
    path = key_file(settings, home)
    if path is None:
        return None
    if settings.master_key_file is None:
        _make(path)
    return MasterKeys(lambda: read_file(path))


def read_file(path: Path) -> list[bytes]:
    """Return the keys in a key file, newest first; raises ConfigurationInvalid for one that others may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationInvalid(f"the key file {path} can be read by others", hint=f"chmod 600 {path}")
        return read_keys(path.read_text("ascii", "replace"))
    except ValueError:
        raise ConfigurationInvalid(
            f"the key file {path} holds no master key", hint="`dossier keys generate` makes one; one key a line"
        ) from None
    except OSError as error:
        raise ConfigurationInvalid(
            f"the key file {path} cannot be read: {error.strerror}",
            hint="restore it: without the master key sealed values cannot be read, by anybody",
        ) from None


def write_file(path: Path, keys: Sequence[bytes]) -> None:
    """Put keys in the place of those in a key file, whole or not at all, readable by its owner alone."""
    with private_file(path) as file:
        file.write(_text(keys))


def _make(path: Path) -> None:
    """Make a key file where there is none; of two processes that do, the first one's stands."""
    if path.exists():
        return
    part = path.with_name(f".{path.name}-{os.getpid()}")
    write_file(part, [new_key()])
    try:
        path.hardlink_to(part)
    except FileExistsError:
        pass
    finally:
        part.unlink()


def _text(keys: Sequence[bytes]) -> bytes:
    return "".join(f"{key_text(key)}\n" for key in keys).encode("ascii")
