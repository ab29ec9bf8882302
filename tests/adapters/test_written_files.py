"""Files that hold people's values: found again where they were written, and cleaned of one person and nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters.migration import write_report
from adapters.spilled import Spilled
from adapters.written_files import NOTES, About, clean_files, note_file
from migrations_replay.report import LISTS

ID, OTHER = str(uuid4()), str(uuid4())
ABOUT = About(
    frozenset({ID}),
    frozenset({("contexts", "Profile", "p¦1"), ("contexts", "User", "u1")}),
    frozenset({("contexts", "u1")}),
)
THEIRS: list[dict[str, Any]] = [
    {"bundle": "u1", "table": "Rows", "id": "r", "value": "x"},
    {"table": "Profile", "id": "p|1", "code": "bad_blob"},
    {"record": "Profile/p|1", "values": [{"id": "u2"}]},
    {"table": "accounts", "id": "9", "place": f"accounts/{ID}/email", "found": "a@b.c"},
    {"stream": ID, "field": "email", "old": "`a", "new": "b"},
    {"bundle": "u1", "value": "long " * 1_000},
]
OTHERS: list[dict[str, Any]] = [
    {"bundle": "u11", "table": "User", "id": "u11", "value": "u1"},
    {"table": "Messages", "id": "p|1"},
    {"bundle": "u2", "table": "User", "id": "u2", "values": {"bundle": "u1", "id": "u1", "stream": OTHER}},
]


def report() -> dict[str, Any]:
    lists = dict.fromkeys(LISTS, ()) | {"findings": Spilled([*THEIRS, *OTHERS]), "kept": [*OTHERS, *THEIRS]}
    return {"system": "contexts", "mode": "run", "run_id": OTHER, "rules": [], **lists}


def test_reports_are_rewritten_without_one_person(tmp_path: Path) -> None:
    files = [tmp_path / "run.json", tmp_path / "run.md"]
    for file in files:
        note_file(tmp_path, "migration", file)
        write_report(report(), file)
    another = About(frozenset(), frozenset({("cases", "User", "u1")}), frozenset({("cases", "u1")}))
    assert clean_files(tmp_path, another).rewritten == []
    done = clean_files(tmp_path, ABOUT)
    assert done.rewritten == [str(file) for file in files]
    assert files[0].stat().st_mode & 0o777 == 0o600
    erased = [{"erased": True}] * len(THEIRS)
    expected = json.loads(json.dumps(report() | {"findings": [*erased, *OTHERS], "kept": [*OTHERS, *erased]}))
    assert json.loads(files[0].read_text()) == expected
    write_report(expected, tmp_path / "expected.md")
    assert files[1].read_text() == (tmp_path / "expected.md").read_text()
    assert clean_files(tmp_path, ABOUT).rewritten == []


def test_what_cannot_be_rewritten_is_deleted_or_named(tmp_path: Path) -> None:
    def written(kind: Any, name: str, text: str, person: Any = None) -> str:
        note_file(tmp_path, kind, tmp_path / name, person)
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    theirs = written("subject", "subject.html", "all of it", ID)
    for kept in (written("subject", "other.html", "x", OTHER), written("evidence", "other.zip", OTHER)):
        assert Path(kept).exists()
    evidence, backup = written("evidence", "some.zip", f'"subject":"{ID}"'), written("backup", "a.dump", "")
    edited = written("migration", "edited.json", "not JSON")
    note_file(tmp_path, "migration", tmp_path / "gone.json")
    with (tmp_path / NOTES).open("a") as notes:
        notes.write("damaged\n")
    done = clean_files(tmp_path, ABOUT)
    assert (done.rewritten, done.deleted) == ([], [theirs])
    assert done.left.keys() == {evidence, backup, edited, str(tmp_path / NOTES)}
    assert not Path(theirs).exists()
    assert Path(evidence).exists()
