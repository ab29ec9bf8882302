"""The sample of the cases system is repeatable, holds every oddity, and agrees with its own truth."""

import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.cli.main import app
from adapters.samples.cases import GROUPS, PLANTED, TABLES, write_sample
from adapters.samples.truth import CLASSES
from tests.support.reports import truth_of

QUARANTINE = {
    *("not_json", "not_an_object", "duplicate_key", "text_not_storable", "too_large", "too_deep", "no_id"),
    *("duplicate_id", "no_subject"),
}
FINDINGS = {
    *("unreadable", "outside_vocabulary", "outside_limit", "dangling_reference", "assumed_time", "assumed_author"),
    *("undetermined_status", "several_active", "derived_differs", "disagrees"),
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cases")
    write_sample(out, 1000, 2, too_large=True)
    return out


@pytest.fixture(scope="module")
def truth(sample: Path) -> dict[str, Any]:
    return truth_of(sample)


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that no repeated key is lost."""


def _count(value: Any) -> int:
    children = [child for _, child in value] if isinstance(value, _Pairs) else value if isinstance(value, list) else []
    return sum(map(_count, children)) if children else 1


def _lines(out: Path, table: str) -> Iterator[tuple[int, Any]]:
    """Give what a careful reader makes of each line: None where it cannot be read, copies left out."""
    seen = set()
    for position, line in enumerate((out / f"{table}.jsonl").read_bytes().split(b"\n"), 1):
        if not line.strip() or (line.startswith(b"{") and line in seen):
            continue
        seen.add(line)
        is_deep, is_large = b"[" * 100 in line, len(line) > 16 * 1024 * 1024
        try:
            yield position, None if is_deep or is_large else json.loads(line, object_pairs_hook=_Pairs)
        except ValueError:
            yield position, None


def test_one_seed_gives_one_sample(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 4)):
        write_sample(tmp_path / name, 30, seed)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    assert _files(tmp_path / "a")["individualProcesses.jsonl"] != _files(tmp_path / "c")["individualProcesses.jsonl"]


@pytest.mark.parametrize("cases", [0, 1, 9, 70])
def test_classes_add_up(tmp_path: Path, cases: int) -> None:
    sums = write_sample(tmp_path, cases, 3)
    truth = truth_of(tmp_path)
    listed = Counter(name for table in truth["classes"].values() for line in table.values() for name in line.values())
    listed["quarantined"] += sum(sum(lines.values()) for lines in truth["repeated_leaves"].values())
    assert truth["leaves"] == sums.leaves == {"total": listed.total()} | {name: listed[name] for name in CLASSES}


def test_leaves_are_those_of_the_files(sample: Path, truth: dict[str, Any]) -> None:
    total = 0
    for table in truth["rows"]:
        for position, value in _lines(sample, table):
            classes = truth["classes"][table][str(position)]
            count = 0 if value is None else _count(value)
            assert count == len(classes) + truth["repeated_leaves"][table].get(str(position), 0)
            total += count
    assert total == truth["leaves"]["total"]


def test_every_oddity_is_present(truth: dict[str, Any]) -> None:
    named = {f"{group}.{name}" for group, content in GROUPS.items() for name in content.oddities}
    assert named <= set(truth["oddities"])
    assert {"line.empty", "line.too_large", "member_of_no_company", "world.company_name_twice"} <= set(
        truth["oddities"]
    )
    assert all(truth["oddities"].values())


def test_planted_cases_hold_every_oddity(tmp_path: Path) -> None:
    named = {f"{group}.{name}" for group, content in GROUPS.items() for name in content.oddities}
    assert named <= set(write_sample(tmp_path, PLANTED, 5).oddities)


def test_every_code_is_present(truth: dict[str, Any]) -> None:
    assert set(truth["quarantine"]) == QUARANTINE
    assert set(truth["findings"]) == FINDINGS
    assert {rule for *_, rule in truth["listed_conflicts"]} == {
        *("history_row", "latest_change", "status_rank", "newest_column", "latest_row"),
    }


def test_lists_agree_with_counts(truth: dict[str, Any]) -> None:
    assert Counter(code for *_, code in truth["listed_findings"]) == truth["findings"]
    assert Counter(code for *_, code in truth["listed_quarantine"]) == truth["quarantine"]
    assert len(truth["listed_conflicts"]) == truth["conflicts"]
    assert truth["leaves"]["unreadable"] >= truth["findings"]["unreadable"]


def test_cases_number_as_asked(truth: dict[str, Any]) -> None:
    lines = truth["classes"]["individualProcesses"].values()
    assert sum(1 for line in lines if line and "quarantined" not in line.values()) == 1000
    found = truth["processes"].values()
    assert len(found) == truth["cases"]["cases"] == 1000
    assert truth["cases"]["entries"] == sum(len(case["entries"]) for case in found)
    assert truth["cases"]["superseded"] == sum(case["superseded"] for case in found) > 0
    assert truth["cases"]["several_active"] == sum(case["several_active"] for case in found) > 0
    assert truth["cases"]["undetermined"] == truth["findings"]["undetermined_status"]
    assert sum(truth["cases"]["by_status"].values()) + truth["cases"]["undetermined"] == 1000


def test_histories_end_in_the_current_status(sample: Path, truth: dict[str, Any]) -> None:
    has_rows = {
        str(dict(value).get("individualProcessId"))
        for _, value in _lines(sample, "individualProcessStatuses")
        if isinstance(value, _Pairs)
    }
    for key, case in truth["processes"].items():
        times = [datetime.fromisoformat(at) for _, at, _ in case["entries"]]
        assert times == sorted(times)
        if case["entries"]:
            assert case["entries"][-1][0] == case["status"]
        else:
            assert case["status"] is None
            assert key not in has_rows


def test_most_cases_are_plain(truth: dict[str, Any]) -> None:
    assert truth["cases"]["undetermined"] < 60
    assert truth["conflicts"] < 250
    assert truth["leaves"]["mapped"] > 0.8 * truth["leaves"]["total"]


@pytest.mark.parametrize(
    ("seed", "tables"),
    [(3, {"collectiveProcesses"}), (4, {"mainProcesses"}), (5, {"mainProcesses", "collectiveProcesses"})],
)
def test_collective_processes_stand_under_either_name(tmp_path: Path, seed: int, tables: set[str]) -> None:
    write_sample(tmp_path, 20, seed)
    assert {path.stem for path in tmp_path.glob("*Processes.jsonl")} == {"individualProcesses", *tables}


def test_sizes(sample: Path, truth: dict[str, Any]) -> None:
    rows = truth["rows"]
    assert set(rows) == set(TABLES)
    assert 1000 <= rows["individualProcesses"] < 1100
    assert 30 <= rows["companies"] < 60
    assert rows["processHistory"] > 2000
    assert rows["individualProcessStatuses"] > 2000
    for table in rows:
        lines = (sample / f"{table}.jsonl").read_bytes().split(b"\n")
        assert rows[table] == sum(1 for line in lines if line.strip())


def test_nothing_is_left_beside_the_tables(sample: Path) -> None:
    assert set(_files(sample)) == {"truth.json", *(f"{table}.jsonl" for table in TABLES)}


@pytest.mark.soak
def test_memory_hardly_grows_with_the_cases(tmp_path: Path) -> None:
    peaks = []
    for cases in (500, 1500):
        tracemalloc.start()
        write_sample(tmp_path / str(cases), cases, 7)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.8


def test_convex_layout_holds_the_same_lines(tmp_path: Path) -> None:
    plain = write_sample(tmp_path / "plain", 25, 8)
    assert write_sample(tmp_path / "convex", 25, 8, layout="convex") == plain
    for table in plain.rows:
        moved = tmp_path / "convex" / table / "documents.jsonl"
        assert moved.read_bytes() == (tmp_path / "plain" / f"{table}.jsonl").read_bytes()


def test_command_takes_the_place_of_an_earlier_sample(tmp_path: Path) -> None:
    out = tmp_path / "export"
    for seed in ("3", "4"):
        result = CliRunner().invoke(
            app, ["sample", "cases", "--count", "5", "--random-seed", seed, "--out", str(out), "--json"]
        )
        assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["system"] == "cases"
    assert (out / "mainProcesses.jsonl").exists()
    assert not (out / "collectiveProcesses.jsonl").exists()
