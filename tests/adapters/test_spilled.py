"""Lists of a report that are kept in a file: they read as lists do, and a report is written without holding them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from adapters import spilled
from adapters.migration import write_report
from adapters.spilled import Spilled
from migrations_replay.document import OddNumber

ENTRIES = [{"id": f"u{number}", "value": "é\u2028" * 20_000 if number % 2 else number} for number in range(12)]


def test_a_spilled_list_reads_as_the_list_it_is() -> None:
    found = Spilled(ENTRIES[:1])
    for entry in ENTRIES[1:10]:
        found.append(entry)
        assert len(list(found)) == len(found), "it may be read between two entries"
    found.extend(iter(ENTRIES[10:]))
    assert len(json.dumps(ENTRIES)) > spilled.IN_MEMORY, "it is in a file by now"
    assert found == ENTRIES
    assert found == Spilled(ENTRIES)
    assert found != ENTRIES[1:] and found != [*ENTRIES[1:], ENTRIES[0]]  # noqa: PT018
    assert (found[3], found[-1], found[2:5]) == (ENTRIES[3], ENTRIES[-1], ENTRIES[2:5])
    assert [(one["id"], other["id"]) for one, other in zip(found, found, strict=True)][4] == ("u4", "u4")
    assert not Spilled()


def test_entries_are_kept_as_a_report_tells_them() -> None:
    told = Spilled(
        [{"at": datetime(2024, 1, 2, tzinfo=UTC), "is": UUID(int=1), "n": OddNumber("1e400"), "t": "\ud800"}]
    )
    assert told == [{"at": "2024-01-02T00:00:00Z", "is": str(UUID(int=1)), "n": {"$number": "1e400"}, "t": "\\ud800"}]


def test_a_report_is_written_an_entry_at_a_time(tmp_path: Path) -> None:
    report = {"system": "x", "counts": {"a": [1]}, "findings": Spilled(ENTRIES), "kept": Spilled()}
    write_report(report, tmp_path / "report.json")
    written = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert json.loads(written) == {**report, "findings": ENTRIES, "kept": []}
    assert written.count("\n    {") == len(ENTRIES)
