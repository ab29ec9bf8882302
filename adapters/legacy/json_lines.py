"""Exports in files, in a directory or `.zip`: `<table>.jsonl`, `<table>.csv`, Convex's `<table>/documents.jsonl`."""

from __future__ import annotations

import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from adapters.legacy.csv_lines import convert_csv
from domain.errors import InputUnreadable

JsonColumns = Mapping[str, Collection[str]]
"""For each table the names of columns that hold JSON."""
NO_COLUMNS: Final[JsonColumns] = {}

MAX_UNPACKED: Final = 64 * 1024**3
SMALL: Final = 1024**3
MAX_RATIO: Final = 200
"""How much an entry may grow on unpacking once it is no longer small (one long repeated text grows a thousandfold)."""
_DOCUMENTS: Final = "documents.jsonl"
_CSV: Final = ".csv"
_FLAT: Final = (".jsonl", _CSV)
_BOM: Final = b"\xef\xbb\xbf"
_AT_ONCE: Final = 256 * 1024
"""About how many bytes of a table are read at once."""


class LineFiles:
    """Tables of JSON lines in files. They are read as long as they were at first, piece by piece: none is in memory."""

    def __init__(self, kind: str, files: dict[str, Path]) -> None:
        self.kind = kind
        self._files = files
        self._reading: dict[str, tuple[BufferedReader, int]] = {}
        self._open = ExitStack()

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables, sorted."""
        return tuple(sorted(self._files))

    def lines(self, table: str) -> Iterator[tuple[int, int, bytes]]:
        """Yield line number (from 1), offset and bytes of each line that is not blank."""
        file, size = self._opened(table)
        end = number = 0
        while end < size:
            file.seek(end)  # somebody may have read elsewhere since
            if not (lines := file.readlines(_AT_ONCE)):
                raise self._shorter(table)
            for line in lines:
                number, start = number + 1, end
                end = min(start + len(line), size)
                found = line[: end - start]
                if number == 1 and found.startswith(_BOM):
                    start, found = start + len(_BOM), found.removeprefix(_BOM)
                found = found.removesuffix(b"\n").removesuffix(b"\r")
                if found and not found.isspace():
                    yield number, start, found
                if end == size:
                    return

    def line_at(self, table: str, offset: int, length: int) -> bytes:
        """Return the line that `lines` yielded with this offset and length."""
        file, _ = self._opened(table)
        found = os.pread(file.fileno(), length, offset)
        if len(found) < length:
            raise self._shorter(table)
        return found

    def close(self) -> None:
        """Close the files."""
        self._reading.clear()
        self._open.close()

    def _shorter(self, table: str) -> InputUnreadable:
        hint = "migrate a copy of the export that nobody writes to"
        return InputUnreadable(f"{self._files[table].name} was cut short while it was read", field="source", hint=hint)

    def _opened(self, table: str) -> tuple[BufferedReader, int]:
        """Return the file of a table, and how long it was when it was opened."""
        if table not in self._reading:
            path = self._files[table]
            try:
                file = self._open.enter_context(path.open("rb"))
                self._reading[table] = file, os.fstat(file.fileno()).st_size
            except OSError as error:
                raise InputUnreadable(f"{path.name} cannot be read: {error.strerror}", field="source") from error
        return self._reading[table]


@contextmanager
def open_export(path: Path, json_columns: JsonColumns = NO_COLUMNS) -> Iterator[LineFiles]:
    """Open a directory or a zip; raises InputUnreadable if it is neither, or holds no table, or one twice.

    `json_columns` names, for each table, the columns that hold JSON also where the export can only say it as text.
    """
    with ExitStack() as stack:
        private = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dossier-")))
        if path.is_file() and zipfile.is_zipfile(path):
            kind, found = "zip", _unpack(path, private)
        elif path.is_dir():
            kind, found = _look_through(path)
        else:
            hint = "give --source a directory, a .zip or a postgresql:// URL"
            what = "is neither a directory nor a .zip" if path.exists() else "is not there"
            raise InputUnreadable(f"{path} {what}", field="source", hint=hint)
        if not found:
            hint = "expected <table>.jsonl, <table>.csv or <table>/documents.jsonl"
            raise InputUnreadable(f"{path} holds no tables", field="source", hint=hint)
        files = _by_table(found)
        for number, (table, file) in enumerate(files.items()):
            if file.suffix == _CSV:
                files[table] = private / f"csv-{number}.jsonl"
                convert_csv(table, file, files[table], json_columns.get(table, ()))
        source = LineFiles(kind, files)
        stack.callback(source.close)
        yield source


def _look_through(path: Path) -> tuple[str, list[tuple[str, Path]]]:
    """Return what kind of export a directory is, and its tables with their files."""
    documents = sorted(path.glob(f"[!_.]*/{_DOCUMENTS}"))
    tables = [(found.parent.name, found) for found in documents]
    flat = sorted(found for suffix in _FLAT for found in path.glob(f"[!.]*{suffix}"))
    tables += [(found.stem, found) for found in flat]
    csv_only = not documents and {found.suffix for found in flat} == {_CSV}
    return "convex_export" if documents else "csv" if csv_only else "json_lines", tables


def _by_table(found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for table, file in found:
        if table in files:
            raise InputUnreadable(f"the export holds table {table} twice", field="source", hint="keep one of them")
        files[table] = file
    return files


def _unpack(path: Path, folder: Path) -> list[tuple[str, Path]]:
    """Copy the tables of a zip into a private folder, with limits on what a small archive may grow to."""
    files: list[tuple[str, Path]] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for table, entry in _tables_in(archive.infolist()):
                packed, unpacked = max(entry.compress_size, 1), entry.file_size
                if unpacked > MAX_UNPACKED or (unpacked > SMALL and unpacked > MAX_RATIO * packed):
                    raise InputUnreadable(f"{entry.filename} would unpack to {unpacked} bytes", field="source")
                target = folder / f"{len(files)}{Path(entry.filename).suffix}"
                with archive.open(entry) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1024 * 1024)
                files.append((table, target))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputUnreadable(f"{path.name} is not a readable zip", field="source") from error
    return files


def _tables_in(entries: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield table and entry of what looks like one, at the top of the archive or inside its one folder."""
    entries = [entry for entry in entries if not (entry.is_dir() or _is_litter(Path(entry.filename)))]
    paths = {entry.filename: Path(entry.filename) for entry in entries}
    tops = {path.parts[0] for path in paths.values()}
    inside = len(tops) == 1 and all(len(path.parts) > 1 for path in paths.values())
    wrapped = inside and not any(len(path.parts) == 2 and path.name == _DOCUMENTS for path in paths.values())
    for entry in entries:
        parts = Path(entry.filename).parts[1 if wrapped else 0 :]
        name = Path(parts[0]) if parts else Path()
        if len(parts) == 1 and name.suffix in _FLAT:
            yield name.stem, entry
        elif len(parts) == 2 and parts[1] == _DOCUMENTS and not parts[0].startswith("_"):
            yield parts[0], entry


def _is_litter(path: Path) -> bool:
    """Tell whether a file is what some systems leave in archives beside what was put there."""
    return path.parts[0] == "__MACOSX" or path.name.startswith(".")
