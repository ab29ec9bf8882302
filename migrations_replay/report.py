"""The report of a migration as data and as Markdown, and the rules the legacy team's plan verifies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from migrations_replay.document import OddNumber
from migrations_replay.facts import LegacySystem, Rule, rule
from migrations_replay.reconcile import Proof
from migrations_replay.replay import Outcome

SHOWN: Final = 500
LISTS: Final = (
    *("conflicts", "quarantine", "findings", "unmapped", "pending", "kept", "gone", "changes", "differences"),
    *("waiting", "live_changes"),
)
TAKEN_BACK: Final = ("bundles", "records", "streams", "set_aside")


def rules(
    system: LegacySystem, outcome: Outcome, counts: Mapping[str, Any], proof: Proof, missing_tables: Sequence[str]
) -> list[Rule]:
    """Check what the plan of a legacy team verifies after a migration, and what holds for every system."""
    return [
        rule("every table is in the export", len(missing_tables), missing=list(missing_tables)),
        *system.rules(outcome, counts),
        rule("every leaf is accounted for", 0 if outcome.ledger.adds_up else 1),
        rule("every value is in its place", proof.breaches),
    ]


def shared_contact_findings(system_root: str, shared: Iterable[tuple[str, str, str]]) -> Iterator[dict[str, Any]]:
    """Yield a finding for each account whose email or phone another account has too."""
    for field, key, value in shared:
        yield {
            "bundle": key,
            "table": system_root,
            "id": key,
            "field": field,
            "code": "duplicate_lookup",
            "value": value,
        }


def as_plain(value: Any) -> Any:
    """Return a report value as JSON can hold it."""
    match value:
        case dict():
            return {str(name): as_plain(child) for name, child in value.items()}
        case list() | tuple():
            return [as_plain(child) for child in value]
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case str():  # an id that was set aside may hold a lone surrogate; a member of an enumeration becomes its text
            return str(value) if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
        case OddNumber():
            return {"$number": value.text}
        case _:
            return value


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report for people: what happened, what was proven, and the first entries of each list."""
    lines = [f"# Migration of {report['system']} ({report['mode']})", "", f"Run `{report['run_id']}`", ""]
    if taken_back := {name: report[name] for name in TAKEN_BACK if name in report}:
        lines += ["## Taken back", "", *_table(taken_back), ""]
    for section in ("retried", "snapshots", "leaves", "reconcile", "stats", "timing"):
        if report.get(section):
            lines += [f"## {_title(section)}", "", *_table(report[section]), ""]
    if report.get("rules"):
        lines += ["## Rules", "", "| rule | passed | count |", "|---|---|---|"]
    lines += [
        f"| {line['rule']} | {'yes' if line['passed'] else '**no**'} | {line['count']} |"
        for line in report.get("rules", ())
    ]
    for section in (name for name in LISTS if name in report):
        entries = report[section]
        lines += ["", f"## {_title(section)} ({len(entries)})", ""]
        lines += [f"- `{_code(entry)}`" for entry in islice(entries, SHOWN)]
        if len(entries) > SHOWN:
            lines.append(f"- … and {len(entries) - SHOWN} more: `--report FILE.json` lists them all")
    return "\n".join(lines) + "\n"


def _title(section: str) -> str:
    return section.replace("_", " ").capitalize()


def _table(values: Mapping[str, Any]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {_code(value)} |" for name, value in values.items())]


def _code(value: Any) -> str:
    """Write a value as JSON, and keep it from ending the code span, the row or the line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("`", "'").replace("|", "¦").replace("\n", " ")[:2000]
