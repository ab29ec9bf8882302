"""`<table>.csv` as JSON lines: each row becomes one, its cells as the texts they are.

An unquoted empty cell is null, a quoted one the empty text. Only cells of columns that hold JSON are written into the
line as that JSON, digit by digit. A row that is not well-formed becomes one text, which no system takes for a record.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from domain.errors import InputUnreadable
from migrations_replay.document import MAX_BYTES, UNREAD, read_line

MAX_COLUMNS: Final = 1_600
MAX_ROW: Final = 4 * MAX_BYTES
"""How far a quote is looked for that ends a cell; a row beyond that was never ended."""
_STRIDE: Final = 16 * 1024 * 1024
"""After how many bytes the pages of a file that were read are given back."""
_BOM: Final = b"\xef\xbb\xbf"
_UNQUOTED: Final = re.compile(rb'[^",\r\n]*')
_LINE_BREAK: Final = re.compile(rb"\r?\n|\Z")
_LINE_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")

Content = mmap.mmap | bytes


class _Row(NamedTuple):
    """The cells of a row (None: unquoted and empty) and where the next one begins."""

    cells: list[bytes | None]
    end: int


def convert_csv(table: str, path: Path, target: Path, json_columns: Collection[str]) -> None:
    """Write a CSV file as JSON lines, row by row on the same lines; raises InputUnreadable for a header out of use."""
    with path.open("rb") as file, target.open("wb") as lines:
        if path.stat().st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            lines.writelines(json_lines(table, content, json_columns))


def json_lines(table: str, content: Content, json_columns: Collection[str]) -> Iterator[bytes]:
    """Yield the JSON line of each row with its line break, and as many blank lines as keep it on the row's own line."""
    start = len(_BOM) if content[: len(_BOM)] == _BOM else 0
    header = _row(content, start)
    if header is None:
        raise _unusable(table, "is not well-formed CSV")
    names = _names(table, header.cells)
    begins = [orjson.dumps(name) + b": " for name in names]
    holds_json = [name in json_columns for name in names]
    yield b"\n" * content[: header.end].count(b"\n")
    at, released = header.end, 0
    while at < len(content):
        if at - released > _STRIDE and isinstance(content, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            released = at // mmap.PAGESIZE * mmap.PAGESIZE
            content.madvise(mmap.MADV_DONTNEED, 0, released)
        row = _row(content, at)
        end = row.end if row else _line_end(content, at)
        text = content[at:end]
        if text.strip():
            fits = row is not None and len(row.cells) == len(names)
            yield _object(begins, holds_json, row.cells) if row and fits else _quoted(text.rstrip(b"\r\n"))
        yield b"\n" * max(text.count(b"\n"), 1)
        at = end


def _object(begins: list[bytes], holds_json: list[bool], cells: list[bytes | None]) -> bytes:
    parts = zip(begins, holds_json, cells, strict=True)
    return b"{" + b", ".join([begin + _value(cell, json_column=is_json) for begin, is_json, cell in parts]) + b"}"


def _value(cell: bytes | None, *, json_column: bool) -> bytes:
    if cell is None:
        return b"null"
    if json_column and read_line(cell).value is not UNREAD:
        return cell.translate(_LINE_BREAKS)  # inside JSON they stand between tokens only
    return _quoted(cell)


def _quoted(text: bytes) -> bytes:
    """Return a text as JSON; bytes that are not UTF-8 become lone surrogates, which tell them exactly."""
    try:
        return orjson.dumps(text.decode("utf-8"))
    except UnicodeDecodeError:
        return json.dumps(text.decode("utf-8", "surrogateescape")).encode("ascii")


def _names(table: str, cells: list[bytes | None]) -> list[str]:
    try:
        names = [(cell or b"").decode("utf-8") for cell in cells]
    except UnicodeDecodeError:
        raise _unusable(table, "is not UTF-8") from None
    if "" in names:
        raise _unusable(table, "has a column without a name")
    if len(names) > MAX_COLUMNS:
        raise _unusable(table, f"has more than {MAX_COLUMNS} columns")
    if len({*names}) < len(names):
        raise _unusable(table, "names a column twice")
    return names


def _unusable(table: str, why: str) -> InputUnreadable:
    hint = "the first line names the columns, with commas between them"
    return InputUnreadable(f"the header of {table}.csv {why}", field="source", hint=hint)


def _row(content: Content, at: int) -> _Row | None:
    """Read the row that begins there; None if it is not well-formed."""
    cells: list[bytes | None] = []
    limit = min(at + MAX_ROW, len(content))
    while True:
        if content[at : at + 1] == b'"':
            closing, doubled = _closing_quote(content, at + 1, limit)
            if closing < 0:
                return None
            cell = content[at + 1 : closing]
            cells.append(cell.replace(b'""', b'"') if doubled else cell)
            at = closing + 1
        else:
            found = _UNQUOTED.match(content, at, limit)
            assert found, "the pattern also matches nothing"
            cells.append(found.group() or None)
            at = found.end()
        if content[at : at + 1] == b",":
            at += 1
            continue
        line_break = _LINE_BREAK.match(content, at)
        return _Row(cells, line_break.end()) if line_break else None


def _closing_quote(content: Content, at: int, limit: int) -> tuple[int, bool]:
    """Return where the quote stands that ends a cell (-1: nowhere), and whether the cell holds doubled ones."""
    doubled = False
    while (quote := content.find(b'"', at, limit)) >= 0 and content[quote + 1 : quote + 2] == b'"':
        doubled, at = True, quote + 2
    return quote, doubled


def _line_end(content: Content, at: int) -> int:
    newline = content.find(b"\n", at)
    return len(content) if newline < 0 else newline + 1
