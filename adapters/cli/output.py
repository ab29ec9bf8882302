"""The one place that prints: rich tables and progress on a terminal, plain lines elsewhere, JSON on `--json`.

Results go to standard output, notices and progress to standard error. What comes from data cannot steer the terminal:
control characters, line breaks and marks that turn the direction of writing are printed as escapes.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from adapters.migration import Watch
from adapters.postgres.mapper import canonical_json
from domain.errors import DossierError

LINE_EVERY: Final = 5.0
SHOWN: Final = 160
HINTS: Final = {
    "invalid_command": "`dossier schema commands` says what the fields are",
    "not_found": "check the id; an imported record is also found as legacy:SYSTEM/TABLE/KEY",
    "already_exists": "choose another id, or change what is there",
    "rule_violated": "`dossier show` and `dossier history` tell how the record stands",
    "access_denied": "act as the person it is about or as an admin (--actor, DOSSIER_ACTOR)",
    "version_conflict": "load the record again and decide anew",
    "store_error": "`dossier db status` tells how the database is",
    "store_unavailable": "`dossier db status` tells whether the server is up",
    "stored_event_unreadable": "was the log written by another release? see docs/operations.md",
    "input_unreadable": "correct the input and run the command again",
    "run_conflict": "wait until the other one is done, then try again",
}
"""What to do next, by the code of an error that does not say so itself."""
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Return the text with every character that could steer a terminal written as an escape."""
    return _UNSAFE.sub(_escaped, text)


def plain(value: Any) -> Any:
    """Return a value of ours (rows, events, times, ids) as plain JSON values."""
    return orjson.loads(canonical_json(value))


def as_text(value: Any) -> str:
    """Return a value as one line for people."""
    match value:
        case None:
            return "-"
        case str():
            return clean(value)
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case _:
            found = plain(value)
            text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
            return clean(text)


def shortened(value: Any, limit: int = SHOWN) -> str:
    """Return a value as one line of bounded length."""
    text = as_text(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class Output:
    """Where a command prints. With `--json` only `json` says something, without it everything else does."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._json = as_json
        self._silent = as_json or quiet
        self._out = Console(highlight=False, markup=False, emoji=False)
        self._notes = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def json(self, value: Any) -> None:
        """Print the result for programs."""
        if self._json:
            self.pieces([json.dumps(plain(value), ensure_ascii=False, indent=2), "\n"])

    def pieces(self, texts: Iterable[str]) -> None:
        """Print the result for programs where it comes in pieces of JSON, as a long one does."""
        if self._json:
            for text in texts:
                sys.stdout.write(_UNSAFE.sub(_json_escaped, text))
            sys.stdout.flush()  # whoever reads a command that goes on wants it now

    def line(self, text: str) -> None:
        """Print a line of the result."""
        if not self._silent:
            self._out.print(clean(text), soft_wrap=True)

    def styled(self, *parts: tuple[str, str]) -> None:
        """Print a line of the result from texts and the styles they have on a terminal."""
        if not self._silent:
            self._out.print(Text.assemble(*((clean(text), style) for text, style in parts)), soft_wrap=True)

    def heading(self, text: str) -> None:
        """Print the heading of a part."""
        if not self._silent:
            shown = Text(clean(text), style="bold cyan") if self._out.is_terminal else f"== {clean(text)}"
            self._out.print("", shown, sep="\n", soft_wrap=True)

    def note(self, text: str) -> None:
        """Print something people should know beside the result, on standard error."""
        if not self._silent:
            self._notes.print(clean(text), soft_wrap=True)

    def next(self, text: str) -> None:
        """Say what to do next."""
        self.line(f"Next: {text}")

    def document(self, value: Any) -> None:
        """Print a result that is JSON by nature, for people and programs alike."""
        Output(as_json=True).json(value)

    def pairs(self, values: Mapping[str, Any], title: str | None = None) -> None:
        """Print names with their values."""
        if self._silent:
            return
        if not self._out.is_terminal:
            for name, value in values.items():
                self.line(f"{name}: {as_text(value)}")
            return
        grid = Table(title=title, show_header=False, title_justify="left")
        for name, value in values.items():
            grid.add_row(Text(name, style="bold"), Text(as_text(value)))
        self._out.print(grid)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
        """Print rows under their columns."""
        if self._silent:
            return
        cells = [[as_text(value) for value in row] for row in rows]
        if not self._out.is_terminal:
            for text in _aligned([list(columns), *cells]):
                self._out.print(text, soft_wrap=True)
            return
        table = Table(title=title, title_justify="left")
        for name in columns:
            table.add_column(name, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        self._out.print(table)

    def error(self, error: DossierError) -> None:
        """Print an error with what to do next; as `{"error": …}` for programs."""
        values = error.as_dict()
        values.setdefault("hint", HINTS.get(error.code, "`dossier --help` lists the commands"))
        if self._json:
            text = json.dumps({"error": values}, ensure_ascii=False, indent=2)
            sys.stdout.write(_UNSAFE.sub(_json_escaped, text) + "\n")
            return
        where = f" ({error.field})" if error.field else ""
        for line in (f"{error.code}: {error.message}{where}", f"Next: {values['hint']}"):
            self._notes.print(clean(line), soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Watch]:
        """Give a function that shows how far the work is: bars on a terminal, a line now and then elsewhere."""
        if self._notes.is_terminal:
            with Progress(*_columns(), console=self._notes, transient=True) as bars:
                yield _Bars(bars)
        else:
            yield _Lines(self.note)


def _columns() -> tuple[ProgressColumn, ...]:
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class _Bars:
    """One bar for each stage."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total or None)
        self._bars.update(self._tasks[stage], completed=done, total=total or None)


class _Lines:
    """A line when a stage is done, and every few seconds before."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._began: dict[str, float] = {}
        self._finished: set[tuple[str, int]] = set()
        self._said = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        began = self._began.setdefault(stage, now)
        finished = total > 0 and done >= total
        if not done or not (finished or now - self._said >= LINE_EVERY) or (stage, done) in self._finished:
            return
        if finished:
            self._finished.add((stage, done))
        self._said = now
        rate = done / max(now - began, 1e-9)
        share = f" of {total:,} ({100 * done // total} %)" if total else ""
        speed = f", {rate:,.0f}/s" if now > began else ""
        left = f", about {(total - done) / rate:,.0f} s left" if total > done and now > began else ""
        self._write(f"{stage}: {done:,}{share}{speed}{left}")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escaped(found: re.Match[str]) -> str:
    # What json.dumps left stands inside a text, except for the line breaks of its layout.
    character = found.group()
    if character == "\n":
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else json.dumps(character).strip('"')
