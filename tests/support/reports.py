"""What a report of a migration says, and what the truth of a sample says it must."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from adapters.legacy.json_lines import open_export
from migrations_replay.bundle import BundleIndex
from migrations_replay.document import UNREAD
from migrations_replay.facts import LegacySystem
from migrations_replay.leaves import leaves

BAD: Final = ("missing", "extra", "unexplained")
Line = tuple[str, str]
"""Table and number of a line."""
Classes = dict[str, str]
"""The class in which each leaf of a line ended, by pointer."""


def is_green(report: dict[str, Any]) -> bool:
    """Tell whether every value is in its place; the leaves must add up in any case."""
    assert report["leaves"]["total"] == sum(count for name, count in report["leaves"].items() if name != "total")
    outcomes = {difference["outcome"] for difference in report["differences"]}
    return not any(report["reconcile"][name] for name in BAD) and outcomes <= {"changed_live", "approved"}


def truth_of(sample: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((sample / "truth.json").read_text())
    return truth


def is_counted_as(truth: dict[str, Any], report: dict[str, Any]) -> None:
    """Check that a report counts leaves, rows, conflicts, findings and the rest as the truth of the sample does."""
    assert report["leaves"] == truth["leaves"]
    assert report["source"]["tables"] == truth["rows"]
    assert len(report["conflicts"]) == truth["conflicts"]
    assert len(report["unmapped"]) == truth["unmapped_records"]
    for listed in ("findings", "quarantine"):
        assert Counter(entry["code"] for entry in report[listed]) == truth[listed]


def true_classes(sample: Path) -> dict[Line, Classes]:
    """Return the classes that the truth of a sample says, of every line that counts."""
    tables = truth_of(sample)["classes"].items()
    return {(table, line): classes for table, lines in tables for line, classes in lines.items() if classes}


def derived_classes(sample: Path, system: LegacySystem) -> dict[Line, Classes]:
    """Return the classes that the mapping derives, of every line that is taken in or can be read and is set aside."""
    found: dict[Line, Classes] = {}
    with open_export(sample) as source:
        index = BundleIndex(source, system)
        for bundle in index:
            for record in system.derive(bundle).records.values():
                found[record.record.table, str(record.record.line)] = record.classes
        for aside in index.set_aside():
            if aside.document is not UNREAD:
                assert (aside.table, str(aside.line)) not in found
                found[aside.table, str(aside.line)] = {at: "quarantined" for at, _ in leaves(aside.document)}
    return found
