"""`python -m benchmarks [GROUP …]` measures and writes `benchmarks/latest.json`; `stages SUBJECT` shows the costs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from adapters.logging import configure_logging
from adapters.settings import Settings
from benchmarks import (
    append,
    audit,
    beside,
    bulk,
    cases,
    choreographers,
    follow,
    hot_rows,
    load,
    memory,
    migrate,
    rebuild,
    sealing,
    stages,
    while_writing,
)
from benchmarks.harness import RUNS, Result, facts, server

Measure = Callable[..., list[Result]]
GROUPS: Final[dict[str, Measure]] = {
    "append": append.run,
    "load": load.run,
    "beside": beside.run,
    "bulk": bulk.run,
    **{f"migrate_{system}": partial(migrate.run, system) for system in migrate.ROOTS},
    "memory": memory.run,
    "rebuild": rebuild.run,
    "while_writing": while_writing.run,
    "follow": follow.run,
    "cases": cases.run,
    "choreographers": choreographers.run,
    "hot_rows": hot_rows.run,
    "audit": audit.run,
    "sealing": sealing.run,
}
MIGRATIONS: Final = tuple(f"migrate_{system}" for system in migrate.ROOTS)
SIZED: Final = (*MIGRATIONS, "memory", "rebuild", "follow", "beside", "while_writing", "choreographers")
LATEST: Final = Path(__file__).parent / "latest.json"


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for."""
    # The server is stopped and its folder removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for name in [name for name in os.environ if name.startswith(("DOSSIER_", "POSTGRES_"))]:
        del os.environ[name]  # both sides run on their defaults
    configure_logging(Settings())
    if arguments[:1] == ["stages"]:
        parser = argparse.ArgumentParser(prog="python -m benchmarks stages", description=stages.__doc__)
        parser.add_argument("subject", choices=stages.SUBJECTS)
        parser.add_argument("--writers", type=int, default=1, help="how many append or execute at once")
        parser.add_argument("--functions", action="store_true", help="show all functions, by cProfile")
        chosen = parser.parse_args(arguments[1:])
        with server() as running:
            if chosen.functions:
                stages.functions(running, chosen.subject)
            else:
                stages.show(running, chosen.subject, chosen.writers)
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"one or more of {', '.join(GROUPS)}; default: all")
    parser.add_argument(
        "--size", type=int, help=f"events to work on, or users, for {', '.join(SIZED)}; to try it small"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"pairs of runs; {RUNS} are kept, fewer are only shown")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.groups) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    measure(chosen.groups or list(GROUPS), chosen.runs, chosen.size)
    return 0


def measure(groups: Iterable[str], runs: int, size: int | None = None) -> None:
    """Measure groups on one server, keep their results and show them; a missed gate is told, not an error."""
    with server() as running:
        about = facts(running)
        print(about)
        results = []
        for group in groups:
            measured = GROUPS[group](running, runs, **({"size": size} if size and group in SIZED else {}))
            results += measured
            if runs >= RUNS and not size:
                keep(LATEST, group, measured)
    show(results, f"Median of {runs} paired runs on {about}")


def keep(file: Path, group: str, results: Iterable[Result]) -> None:
    """Put a group's results in the place of its earlier ones; other groups stay."""
    kept: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    lines = [line for line in kept if _group(line["name"]) != group] + [asdict(result) for result in results]
    order = list(GROUPS)
    lines.sort(key=lambda line: order.index(_group(line["name"])))
    file.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


def _group(name: str) -> str:
    return name.partition(".")[0]


def show(results: Iterable[Result], title: str) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for heading in ("name", "ours", "baseline", "unit", "ratio", "spread", "gate", ""):
        table.add_column(heading, justify="left" if heading in ("name", "unit") else "right", no_wrap=True)
    for result in results:
        verdict = "" if result.gate is None else "met" if result.met else "missed"
        table.add_row(
            result.name,
            f"{result.value:,.1f}",
            f"{result.baseline_value:,.1f}",
            result.unit,
            f"{result.ratio:.2f}",
            f"{result.spread[0]:.2f}–{result.spread[1]:.2f}",
            "–" if result.gate is None else f"{result.gate:g}",
            verdict,
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    for result in results:
        print(f"{result.name}: {result.unit}, against {result.baseline}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
