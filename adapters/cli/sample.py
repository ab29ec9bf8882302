"""`dossier sample`: realistic legacy exports with every known oddity, and the truth about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from adapters.cli.output import Output
from adapters.cli.session import AsJson
from adapters.samples import caregivers as caregivers_sample
from adapters.samples import cases as cases_sample
from adapters.samples import contexts as contexts_sample
from adapters.samples import decks as decks_sample
from adapters.samples import talent as talent_sample
from adapters.samples.truth import Layout, Truth
from domain.errors import InputUnreadable

TRUTH: Final = "truth.json"

OutDir = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write it.", file_okay=False)]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same export.")]
LayoutOption = Annotated[Layout, typer.Option("--layout", help="How the files are laid out.")]
Force = Annotated[bool, typer.Option("--force", help="Write into a directory that holds other things.")]

app = typer.Typer(help="Make up a legacy export with every known oddity, and the truth about it.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def contexts(
    out_dir: OutDir,
    *,
    users: Annotated[int, typer.Option("--users", min=0, help="How many users.")] = 1000,
    seed: Seed = 1,
    layout: LayoutOption = "json_lines",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an export of the contexts system and its truth.json."""
    _write(contexts_sample.write_sample, out_dir, users, seed, layout, force=force, out=Output(as_json=as_json))


@app.command()
def caregivers(
    out_dir: OutDir,
    *,
    users: Annotated[int, typer.Option("--users", min=0, help="How many users.")] = 1000,
    seed: Seed = 1,
    layout: LayoutOption = "json_lines",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an export of the caregivers system and its truth.json."""
    _write(caregivers_sample.write_sample, out_dir, users, seed, layout, force=force, out=Output(as_json=as_json))


@app.command()
def cases(
    out_dir: OutDir,
    *,
    count: Annotated[int, typer.Option("--count", min=0, help="How many individual processes.")] = 1000,
    seed: Annotated[int, typer.Option("--random-seed", "--seed", help="The same seed gives the same export.")] = 1,
    layout: LayoutOption = "json_lines",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an export of the cases system and its truth.json."""
    _write(cases_sample.write_sample, out_dir, count, seed, layout, force=force, out=Output(as_json=as_json))


@app.command()
def decks(
    out_dir: OutDir,
    *,
    users: Annotated[int, typer.Option("--users", min=0, help="How many people.")] = 1000,
    seed: Seed = 1,
    layout: LayoutOption = "json_lines",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an export of the decks system and its truth.json."""
    _write(decks_sample.write_sample, out_dir, users, seed, layout, force=force, out=Output(as_json=as_json))


@app.command()
def talent(
    out_dir: OutDir,
    *,
    users: Annotated[int, typer.Option("--users", min=0, help="How many users; 54 or more hold every oddity.")] = 1000,
    seed: Seed = 1,
    layout: LayoutOption = "json_lines",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write an export of the talent system and its truth.json."""
    _write(talent_sample.write_sample, out_dir, users, seed, layout, force=force, out=Output(as_json=as_json))


def prepare(out_dir: Path, *, force: bool = False) -> None:
    """Clear an earlier sample away; raises InputUnreadable for a directory that holds anything else, unless forced."""
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return
    if not (force or _is_sample(out_dir)):
        raise InputUnreadable(
            f"{out_dir} is not empty and holds no earlier sample",
            field="out",
            hint="choose another directory, or add --force",
        )
    # Files of the other layout would be read in the place of the new ones.
    systems = (contexts_sample, caregivers_sample, cases_sample, talent_sample, decks_sample)
    for table in (*(table for system in systems for table in system.TABLES), "_tables"):
        (out_dir / f"{table}.jsonl").unlink(missing_ok=True)
        (out_dir / table / "documents.jsonl").unlink(missing_ok=True)
    (out_dir / TRUTH).unlink(missing_ok=True)


def _is_sample(out_dir: Path) -> bool:
    try:
        found = json.loads((out_dir / TRUTH).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"system", "users", "seed"} <= found.keys()


def _write(
    write: Callable[..., Truth], out_dir: Path, size: int, seed: int, layout: Layout, *, force: bool, out: Output
) -> None:
    prepare(out_dir, force=force)
    _tell(out, write(out_dir, size, seed, layout=layout), out_dir, layout)


def _tell(out: Output, truth: Truth, out_dir: Path, layout: Layout) -> None:
    out.json({"directory": str(out_dir), "layout": layout, **_sums(truth)})
    out.table(("table", "rows"), list(truth.rows.items()))
    out.line(
        f"{truth.leaves['total']} leaves, {sum(truth.oddities.values())} oddities; the truth is in {out_dir / TRUTH}."
    )
    out.next(f"`dossier migrate plan {truth.system} --source {out_dir}`")


def _sums(truth: Truth) -> dict[str, Any]:
    names = ("system", "users", "seed", "rows", "leaves", "conflicts", "findings", "quarantine", "oddities")
    return {name: getattr(truth, name) for name in names}
