"""Exports in files, in a directory or `.zip`: `<table>.jsonl`, `<table>.csv`, Convex's `<table>/documents.jsonl`."""

from __future__ import annotations

import lzma
import mmap
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
