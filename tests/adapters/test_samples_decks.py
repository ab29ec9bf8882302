"""The sample of the decks system is repeatable and holds every oddity of its system."""

from __future__ import annotations

import json
from pathlib import Path

from adapters.cli.sample import prepare
from adapters.samples.decks import GROUPS, TABLES, write_sample
from tests.adapters.test_cli import cli


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_seed_gives_one_sample(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(tmp_path / name, 20, seed)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    assert _files(tmp_path / "a")["profiles.jsonl"] != _files(tmp_path / "c")["profiles.jsonl"]
    moved = write_sample(tmp_path / "convex", 20, 1, layout="convex")
    assert moved.rows.keys() == {*TABLES}
    assert _files(tmp_path / "convex")["leads/documents.jsonl"] == _files(tmp_path / "a")["leads.jsonl"]


def test_every_oddity_is_in_every_sample_of_some_size(tmp_path: Path) -> None:
    for users, seed in ((16, 3), (25, 4)):
        sums = write_sample(tmp_path / str(users), users, seed)
        assert {f"{group}.{name}" for group, oddities in GROUPS.items() for name in oddities} <= sums.oddities.keys()
        assert {"line.empty", "user_id_unreadable", "presentation.dangling_user"} <= sums.oddities.keys()
        assert all(sums.oddities.values())
    for users in (0, 1):
        assert write_sample(tmp_path / str(users), users, 1).rows["users"] == users


def test_the_command_writes_it_and_clears_an_earlier_one_away(tmp_path: Path) -> None:
    written = cli("sample", "decks", "--users", 3, "--seed", 7, "--out", tmp_path, "--json").json
    truth = json.loads((tmp_path / "truth.json").read_bytes())
    assert (written["system"], written["leaves"]) == ("decks", truth["leaves"])
    prepare(tmp_path)
    assert list(tmp_path.iterdir()) == []
