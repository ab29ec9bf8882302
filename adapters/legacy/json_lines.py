"""Exports in files: `<table>.jsonl`, or the Convex layout `<table>/documents.jsonl` in a directory or a `.zip`."""

from __future__ import annotations

import lzma
import mmap
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from domain.errors import InputUnreadable

MAX_UNPACKED: Final = 64 * 1024**3
SMALL: Final = 1024**3
MAX_RATIO: Final = 200
"""How much an entry may grow on unpacking once it is no longer small (one long repeated text grows a thousandfold)."""
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
            line = content[start:stop].removesuffix(b"\r")
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
    """Open a directory or a zip; raises InputUnreadable if it is neither, or holds no table, or one twice."""
    with ExitStack() as stack:
        if path.is_file() and zipfile.is_zipfile(path):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dossier-")))
            kind, files = "zip", _unpack(path, folder)
        elif path.is_dir():
            documents = sorted(path.glob(f"[!_.]*/{_DOCUMENTS}"))
            kind = "convex_export" if documents else "json_lines"
            files = _by_table([(found.parent.name, found) for found in documents])
            files = _by_table([*files.items(), *((found.stem, found) for found in sorted(path.glob("[!.]*.jsonl")))])
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


def _by_table(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for table, file in found:
        if table in files:
            raise InputUnreadable(f"the export holds table {table} twice", field="source", hint="keep one of them")
        files[table] = file
    return files


def _unpack(path: Path, folder: Path) -> dict[str, Path]:
    """Copy the tables of a zip into a private folder, with limits on what a small archive may grow to."""
    files: list[tuple[str, Path]] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for table, entry in _tables_in(archive.infolist()):
                packed, unpacked = max(entry.compress_size, 1), entry.file_size
                if unpacked > MAX_UNPACKED or (unpacked > SMALL and unpacked > MAX_RATIO * packed):
                    raise InputUnreadable(f"{entry.filename} would unpack to {unpacked} bytes", field="source")
                target = folder / f"{len(files)}.jsonl"
                with archive.open(entry) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1024 * 1024)
                files.append((table, target))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputUnreadable(f"{path.name} is not a readable zip", field="source") from error
    return _by_table(files)


def _tables_in(entries: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield table and entry of what looks like one, at the top of the archive or inside its one folder."""
    entries = [entry for entry in entries if not (entry.is_dir() or _is_litter(Path(entry.filename)))]
    paths = {entry.filename: Path(entry.filename) for entry in entries}
    tops = {path.parts[0] for path in paths.values()}
    inside = len(tops) == 1 and all(len(path.parts) > 1 for path in paths.values())
    wrapped = inside and not any(len(path.parts) == 2 and path.name == _DOCUMENTS for path in paths.values())
    for entry in entries:
        parts = Path(entry.filename).parts[1 if wrapped else 0 :]
        if len(parts) == 1 and parts[0].endswith(".jsonl"):
            yield parts[0].removesuffix(".jsonl"), entry
        elif len(parts) == 2 and parts[1] == _DOCUMENTS and not parts[0].startswith("_"):
            yield parts[0], entry


def _is_litter(path: Path) -> bool:
    """Tell whether a file is what some systems leave in archives beside what was put there."""
    return path.parts[0] == "__MACOSX" or path.name.startswith(".")
