"""The sample of the contexts system is repeatable, holds every oddity, and agrees with its own truth."""

import json
import tracemalloc
from pathlib import Path

import pytest

from adapters.samples.contexts import GROUPS, TABLES, write_sample
from adapters.samples.truth import CLASSES, leaves
from tests.support.reports import truth_of


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_one_seed_gives_one_sample(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(tmp_path / name, 30, seed)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    assert _files(tmp_path / "a")["User.jsonl"] != _files(tmp_path / "c")["User.jsonl"]


@pytest.mark.parametrize("users", [0, 1, 7, 20, 150])
def test_classes_add_up(tmp_path: Path, users: int) -> None:
    sums = write_sample(tmp_path, users, 3)
    truth = truth_of(tmp_path)
    listed = [name for table in TABLES for line in truth["classes"][table].values() for name in line.values()]
    repeated = sum(sum(lines.values()) for lines in truth["repeated_leaves"].values())
    assert truth["leaves"] == sums.leaves
    assert truth["leaves"]["total"] == sum(truth["leaves"][name] for name in CLASSES) == len(listed) + repeated
    assert {name: listed.count(name) for name in CLASSES if name != "quarantined"} == {
        name: count for name, count in truth["leaves"].items() if name not in {"total", "quarantined"}
    }


@pytest.mark.parametrize("users", [20, 60])
def test_every_oddity_is_present(tmp_path: Path, users: int) -> None:
    oddities = write_sample(tmp_path, users, users).oddities
    named = {f"{group}.{name}" for group, content in GROUPS.items() for name in content.oddities}
    assert named <= set(oddities)
    assert {"no_contexts", "no_profile_row", "line.empty", "context.dangling_user"} <= set(oddities)
    assert all(oddities.values())


def test_every_line_has_its_leaves_listed(tmp_path: Path) -> None:
    write_sample(tmp_path, 80, 5)
    truth = truth_of(tmp_path)
    for table in TABLES:
        lines = (tmp_path / f"{table}.jsonl").read_bytes().splitlines()
        assert truth["rows"][table] == sum(1 for line in lines if line.strip())
        seen: set[bytes] = set()
        for position, line in enumerate(lines, 1):
            listed = truth["classes"][table].get(str(position))
            if line in seen and line.startswith(b"{"):
                assert listed is None
            elif listed:
                assert {at for at, _ in leaves(json.loads(line))} <= set(listed)
            seen.add(line)


def test_users_that_are_taken_in_number_as_asked(tmp_path: Path) -> None:
    write_sample(tmp_path, 120, 6)
    lines = truth_of(tmp_path)["classes"]["User"].values()
    assert sum(1 for line in lines if line and "quarantined" not in line.values()) == 120


@pytest.mark.soak
def test_memory_does_not_grow_with_the_users(tmp_path: Path) -> None:
    peaks = []
    for users in (600, 1800):
        tracemalloc.start()
        write_sample(tmp_path / str(users), users, 7)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.6


def test_convex_layout_holds_the_same_lines(tmp_path: Path) -> None:
    plain = write_sample(tmp_path / "plain", 25, 8)
    assert write_sample(tmp_path / "convex", 25, 8, layout="convex") == plain
    for table in TABLES:
        moved = tmp_path / "convex" / table / "documents.jsonl"
        assert moved.read_bytes() == (tmp_path / "plain" / f"{table}.jsonl").read_bytes()
    tables = (tmp_path / "convex" / "_tables" / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in tables] == list(TABLES)
