"""What is true of each case, and where the findings, conflicts and refused rows are, written as they come."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from adapters.samples.cases.case import CaseSums
from adapters.samples.cases.rows import Row
from adapters.samples.truth import Record

_LISTS: Final = ("findings", "conflicts", "quarantine")


class Listing:
    """Keeps the lists of a sample in files beside it until they are read for `truth.json`."""

    def __init__(self, out: Path, tables: tuple[str, ...]) -> None:
        self.tables = tables
        self._paths = {name: out / f".truth-{name}.part" for name in ("processes", *_LISTS)}
        self._files: dict[str, TextIO] = {name: path.open("w", encoding="ascii") for name, path in self._paths.items()}
        self._cases: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()

    def add_case(self, key: str, sums: CaseSums) -> None:
        """Take what is true of a case."""
        self._put("processes", f"{json.dumps(key)}: {json.dumps(sums._asdict())}")
        self._cases["cases"] += 1
        self._cases["entries"] += len(sums.entries)
        self._cases["superseded"] += sums.superseded
        self._cases["undetermined"] += sums.status is None
        self._cases["several_active"] += sums.several_active
        if sums.status is not None:
            self._by_status[sums.status] += 1

    def add_row(self, row: Row) -> None:
        """Take what is to be said of a row, and of the rows of the same id."""
        key = row.doc.get("_id") if isinstance(row.doc, dict) else None
        for found in (row, *row.followers):
            if found.code:
                self._put("quarantine", json.dumps([found.table, _id_of(found), found.code]))
        if row.code:
            return
        for name, code in row.found:
            self._put("findings", json.dumps([row.table, key, name, code]))
        for name, rule in row.disputed:
            self._put("conflicts", json.dumps([row.table, key, name, rule]))

    def _put(self, name: str, text: str) -> None:
        file = self._files[name]
        file.write(f",\n{text}" if file.tell() else text)

    def sections(self) -> Mapping[str, Iterator[str]]:
        """Give the sections of `truth.json`; the files beside the sample are read and removed."""
        sums = dict(self._cases) | {"by_status": dict(sorted(self._by_status.items()))}
        return {
            "cases": iter([json.dumps(sums)]),
            "processes": self._read("processes", "{}"),
            "listed_findings": self._read("findings", "[]"),
            "listed_conflicts": self._read("conflicts", "[]"),
            "listed_quarantine": self._read("quarantine", "[]"),
        }

    def _read(self, name: str, brackets: str) -> Iterator[str]:
        self._files[name].close()
        yield f"{brackets[0]}\n"
        with self._paths[name].open(encoding="ascii") as part:
            yield from part
        yield f"\n{brackets[1]}"
        self._paths[name].unlink()


def _id_of(record: Record) -> object:
    return record.doc.get("_id") if record.parsed and isinstance(record.doc, dict) else None
