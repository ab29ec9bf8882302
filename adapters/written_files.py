"""Files that hold people's values: each command that writes one notes where, and an erasure cleans what was noted.

The notes hold paths, kinds and ids, never values. What was moved, copied or written elsewhere cannot be known.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import orjson

from adapters.postgres.mapper import canonical_json
from adapters.private_file import private_file
from domain.event import Recorded
from domain.legacy import LegacyRecordQuarantined, LegacySnapshotRecorded

Kind = Literal["migration", "subject", "evidence", "backup"]
NOTES: Final = "files.jsonl"
ERASED_ENTRY: Final = {"erased": True}
_NAMED: Final = re.compile(r'"(bundle|table|id|record)": "((?:[^"\\]|\\.)*)"')
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IN_MARKDOWN: Final = str.maketrans("`|", "'¦")  # as a report writes them there
_SYSTEM: Final = re.compile(r'^(?:# Migration of (?=\S+ \()|  "system": ")([\w-]+)')


def note_file(home: Path, kind: Kind, path: Path, person: UUID | None = None) -> None:
    """Note a file that is about to be written, and whom it is about if it is about one person."""
    home.mkdir(parents=True, exist_ok=True)
    notes = home / NOTES
    notes.touch(mode=0o600)
    with notes.open("ab") as file:
        file.write(canonical_json({"kind": kind, "path": str(path.resolve()), "person": person}) + b"\n")


def legacy_records(events: Sequence[Recorded]) -> set[tuple[str, str, str]]:
    """Return system, table and key of the legacy records that events are about."""
    kinds = LegacySnapshotRecorded | LegacyRecordQuarantined
    found = [event.event for event in events if isinstance(event.event, kinds)]
    return {(one.system, one.table, one.key) for one in found if one.key is not None}


@dataclass(frozen=True)
class About:
    """How files name somebody: by the ids of their streams, by legacy records about them, by their bundles."""

    ids: frozenset[str]
    records: frozenset[tuple[str, str, str]]
    bundles: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, events: Sequence[Recorded]) -> About:
        """Return it for what is held about a person; it can be told of an erased one too."""
        subjects = (event.metadata.subject for event in events)
        ids = {str(one) for one in (*(event.stream for event in events), *subjects) if one}
        snapshots = [event.event for event in events if isinstance(event.event, LegacySnapshotRecorded)]
        return cls(
            frozenset(ids),
            frozenset((system, table, _shown(key)) for system, table, key in legacy_records(events)),
            frozenset((one.system, _shown(one.bundle)) for one in snapshots if one.key == one.bundle),
        )

    def in_entry(self, system: str, text: str) -> bool:
        """Tell whether an entry of a migration report, in JSON, is about them; errs on their side."""
        said: dict[str, str] = {}
        for name, value in _NAMED.findall(text):
            said.setdefault(name, _shown(json.loads(f'"{value}"')))
        table, _, key = said.get("record", "").partition("/")
        return (
            (system, said.get("bundle")) in self.bundles
            or (system, said.get("table"), said.get("id")) in self.records
            or (system, table, key) in self.records
            or not self.ids.isdisjoint(_UUID.findall(text))
        )


@dataclass(frozen=True)
class Cleaned:
    """What became of the files that were noted; `left` says why one still holds values."""

    rewritten: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def clean_files(home: Path, about: About) -> Cleaned:
    """Take somebody out of the migration reports, delete reports about them, and name the files that are left."""
    done = Cleaned()
    for kind, path, person in _noted(home / NOTES, done):
        try:
            if kind == "subject" and person in about.ids:
                path.unlink()
                done.deleted.append(str(path))
            elif kind == "migration" and _rewrite(path, about):
                done.rewritten.append(str(path))
            elif kind == "evidence" and _holds(path, about.ids):
                done.left[str(path)] = "an evidence file that names them: delete it where nobody needs it"
            elif kind == "backup":
                done.left[str(path)] = "a backup: one from before is readable to whoever has the master key too"
        except (OSError, ValueError) as error:
            done.left[str(path)] = getattr(error, "strerror", None) or "it cannot be read as what was written there"
    return done


def _noted(notes: Path, done: Cleaned) -> Iterator[tuple[Kind, Path, str | None]]:
    """Yield the files that were noted and are still there."""
    lines = dict.fromkeys(notes.read_bytes().splitlines()) if notes.exists() else ()
    for line in lines:
        try:
            noted = orjson.loads(line)
            kind, path, person = noted["kind"], Path(noted["path"]), noted["person"]
        except (ValueError, KeyError, TypeError):
            done.left[str(notes)] = "a line of it is damaged: it names a file that may hold values"
            continue
        if path.is_file():
            yield kind, path, person


def _rewrite(path: Path, about: About) -> bool:
    """Put `erased` in the place of each entry about somebody, an entry at a time; returns whether there were any."""
    if not any(theirs for _, theirs in _parts(path, about)):
        return False
    with private_file(path) as file:
        file.writelines(text.encode() for text, _ in _parts(path, about))
    return True


def _parts(path: Path, about: About) -> Iterator[tuple[str, bool]]:
    """Yield the text of a report anew, in pieces, and whether one was an entry about somebody."""
    before, after = ("- `", "`") if path.suffix == ".md" else ("    ", "")
    system = ""
    with path.open(encoding="utf-8", newline="") as lines:
        for line in lines:
            found = None if system else _SYSTEM.search(line)
            system = found[1] if found else system
            if not line.startswith(before + "{"):
                yield line, False
                continue
            entry = line
            if line.rstrip() == before + "{":  # laid out over several lines
                for more in lines:
                    entry += more
                    if more.startswith(before + "}"):
                        break
            theirs = about.in_entry(system, entry)
            end = entry[len(entry.rstrip(",\n")) :]
            yield f"{before}{json.dumps(ERASED_ENTRY)}{after}{end}" if theirs else entry, theirs
    if not system:
        raise ValueError("not a report")


def _holds(path: Path, ids: frozenset[str]) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
        return any(contents.find(one.encode()) >= 0 for one in ids)


def _shown(name: str) -> str:
    return name.translate(_IN_MARKDOWN)
