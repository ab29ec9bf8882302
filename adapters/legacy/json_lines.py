"""Exports in files: `<table>.jsonl`, or the Convex layout `<table>/documents.jsonl` in a directory or a `.zip`."""

from __future__ import annotations

import lzma
import mmap
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from domain.errors import InputUnreadable

MAX_UNPACKED: Final = 64 * 1024**3
MAX_RATIO: Final = 200
_DOCUMENTS: Final = "documents.jsonl"
_BOM: Final = b"\xef\xbb\xbf"


class LineFiles:
    """Tables of JSON lines in files, mapped into memory while in use."""

    def __init__(self, kind: str, files: dict[str, Path]) -> None:
        self.kind = kind
        self._files = files
        self._maps: dict[str, mmap.mmap | bytes] = {}
        self._open = ExitStack()

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables, sorted."""
        return tuple(sorted(self._files))

    def lines(self, table: str) -> Iterator[tuple[int, int, bytes]]:
        """Yield line number (from 1), offset and bytes of each line that is not blank."""
        content = self._content(table)
        start, end, number = len(_BOM) if content[:3] == _BOM else 0, len(content), 0
        while start < end:
            number += 1
            newline = content.find(b"\n", start)
            stop = end if newline < 0 else newline
            line = content[start:stop]
            if line and not line.isspace():
                yield number, start, line
            start = stop + 1

    def line_at(self, table: str, offset: int, length: int) -> bytes:
        """Return the line that `lines` yielded with this offset and length."""
        return bytes(self._content(table)[offset : offset + length])

    def close(self) -> None:
        """Unmap the files."""
        self._maps.clear()
        self._open.close()

    def _content(self, table: str) -> mmap.mmap | bytes:
        if table not in self._maps:
            self._maps[table] = self._mapped(self._files[table])
        return self._maps[table]

    def _mapped(self, path: Path) -> mmap.mmap | bytes:
        try:
            if path.stat().st_size == 0:
                return b""
            with path.open("rb") as file:
                return self._open.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            raise InputUnreadable(f"{path.name} cannot be read: {error.strerror}", field="source") from error


@contextmanager
def open_export(path: Path) -> Iterator[LineFiles]:
    """Open an export; raises InputUnreadable if it is neither a directory nor a zip with tables in it."""
    with ExitStack() as stack:
        if path.is_file() and zipfile.is_zipfile(path):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dossier-")))
            files, kind = _unpack(path, folder), "convex_zip"
        elif path.is_dir():
            convex = {found.parent.name: found for found in sorted(path.glob(f"[!_]*/{_DOCUMENTS}"))}
            flat = {found.stem: found for found in sorted(path.glob("*.jsonl"))}
            files, kind = (convex, "convex_export") if convex else (flat, "json_lines")
        else:
            raise InputUnreadable(
                f"{path} is neither a directory nor a .zip", field="source", hint="give --source PATH"
            )
        if not files:
            raise InputUnreadable(
                f"{path} holds no tables", field="source", hint="expected <table>.jsonl or <table>/documents.jsonl"
            )
        source = LineFiles(kind, files)
        stack.callback(source.close)
        yield source


def _unpack(path: Path, folder: Path) -> dict[str, Path]:
    """Copy the tables of a zip into a private folder, with limits on what a small archive may grow to."""
    files: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                parts = entry.filename.split("/")
                flat = len(parts) == 1 and entry.filename.endswith(".jsonl")
                if not flat and (len(parts) != 2 or parts[1] != _DOCUMENTS or parts[0].startswith("_")):
                    continue
                if entry.file_size > MAX_UNPACKED or entry.file_size > MAX_RATIO * max(entry.compress_size, 1024):
                    raise InputUnreadable(f"{entry.filename} would unpack to {entry.file_size} bytes", field="source")
                target = folder / f"{len(files)}.jsonl"
                with archive.open(entry) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 1024 * 1024)
                files[parts[0].removesuffix(".jsonl")] = target
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputUnreadable(f"{path.name} is not a readable zip", field="source") from error
    return files
