"""A migration from end to end: open the source, replay, project, reconcile, report. The same code for a dry run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from uuid import uuid4

from adapters.bootstrap import Application
from adapters.garbage import rare_collections
from adapters.legacy.json_lines import LineFiles
from adapters.legacy.source import open_source
from adapters.postgres.migration_store import PostgresMigrationStore, run_lock
from adapters.spilled import Spilled, report_json
from domain.errors import InputUnreadable, NotFound
from migrations_replay.approvals import Approvals
from migrations_replay.bundle import Bundle, BundleIndex, Selection
from migrations_replay.facts import Facts, LegacySystem
from migrations_replay.gone import find_gone
from migrations_replay.reconcile import BREACHES, Proof, Reconcile
from migrations_replay.replay import BATCH_EVENTS, Outcome, Replay
from migrations_replay.report import as_plain, markdown, rules, shared_contact_findings
from migrations_replay.systems import SYSTEMS
from projections import migration_runs
from projections.all import READ_MODELS
from projections.follow import catch_up

_ONLY: Final = "a key of a root, legacy:SYSTEM/TABLE/KEY, or the id of an account; see `quarantine` in a report"
Mode = Literal["plan", "run", "verify", "retry"]


class Watch(Protocol):
    """Who is told how far the work is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` in a stage: read, replay, project or reconcile."""
        ...


@dataclass(frozen=True)
class Migration:
    """What to migrate: the system, its source (a path, or a URL of a database), and which roots (all by default)."""

    system: LegacySystem
    source: str | Path = field(repr=False)  # a URL may hold a password
    only: tuple[str, ...] = ()
    batch_events: int = BATCH_EVENTS
    apply_deletes: bool = False
    waiting: tuple[tuple[str, str], ...] | None = None
    approvals: Approvals = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        system: str,
        source: str | Path,
        only: Sequence[str] = (),
        batch_events: int = BATCH_EVENTS,
        *,
        apply_deletes: bool = False,
        approvals: Approvals | None = None,
    ) -> Migration:
        """Return the migration of a system by its name; raises NotFound naming the known ones."""
        if system not in SYSTEMS:
            raise NotFound(
                f"there is no legacy system {system!r}", field="system", hint=f"one of: {', '.join(SYSTEMS)}"
            )
        return cls(
            SYSTEMS[system], source, tuple(only), batch_events, apply_deletes=apply_deletes, approvals=approvals or {}
        )


def plan(app: Application, migration: Migration, watch: Watch) -> dict[str, Any]:
    """Do the whole run in throwaway schemas, with the streams it touches copied in, and return its report."""
    with throwaway(app) as scratch, rare_collections():
        return _run(scratch, migration, watch, "plan", live=app)


@contextmanager
def throwaway(app: Application) -> Iterator[Application]:
    """Open the application over schemas of its own, which go when the block is left."""
    scratch = app.namespace(f"plan_{uuid4().hex[:8]}_")
    try:
        scratch.initialise()
        scratch.events.copy_keys_from(app.events)
        yield scratch
    finally:
        scratch.events.drop()
        scratch.audit.drop()
        scratch.reads.drop()


def run(app: Application, migration: Migration, watch: Watch) -> dict[str, Any]:
    """Migrate, resuming where an earlier run stopped, and return the report; raises RunConflict if one is under way."""
    with rare_collections(), run_lock(app.events, migration.system.name):
        return _run(app, migration, watch, "run")


def verify(app: Application, migration: Migration, watch: Watch) -> dict[str, Any]:
    """Reconcile the tables with the source and return the report; writes nothing to the log."""
    with rare_collections(), _opened(migration, watch) as (source, selection):
        began = time.monotonic()
        outcome = Outcome.kept_in(Spilled, uuid4())
        for record in selection.set_aside():
            outcome.take_aside(record)
        project(app, watch)
        tables = tables_to_prove(app)
        recorded = tables.recorded_keys(migration.system.name)
        gone = find_gone(migration.system, selection.index, recorded, selection.keys)
        outcome.gone.extend(entry | {"deleted": False} for entry in gone.entries)
        proof = _reconcile(migration, tables, selection, watch, outcome.take)
        report = _report(migration, "verify", source, selection, outcome, proof, tables)
        return report | {"timing": {"reconcile_s": since(began)}}


def tables_to_prove(app: Application, live: Application | None = None) -> PostgresMigrationStore:
    """Return the tables, and the log as they follow it: a record that stands still is reported, and stops nothing."""
    return PostgresMigrationStore(app.log, app.reads, live.events if live else None, live.reads if live else None)


def run_status(app: Application, system: str) -> list[dict[str, Any]]:
    """Return the runs of a system as the tables know them, oldest first."""
    app.catch_up()
    rows = app.reads.fetch(migration_runs.MODEL, system=system)
    return sorted(rows, key=lambda row: (row["started_at"], row["position"]))


def retry(app: Application, migration: Migration, watch: Watch) -> dict[str, Any]:
    """Read again, from a source that was mended, only the records that were set aside and not taken in since.

    `retried` in the report says how many waited and how many were taken in, `waiting` lists those that wait still.
    """
    with rare_collections(), run_lock(app.events, migration.system.name):
        project(app, watch)
        before = waiting(app, migration.system.name)
        names = tuple(dict.fromkeys((line["table"], line["id"]) for line in before))
        report = _run(app, replace(migration, waiting=names), watch, "retry")
        left = waiting(app, migration.system.name)
    still = {(line["table"], line["id"]) for line in left}
    retried = {"waited": len(names), "taken_in": len(names) - len(still), "left": len(still)}
    return report | {"retried": retried, "waiting": as_plain(left)}


def waiting(app: Application, system: str) -> list[dict[str, Any]]:
    """Return the records of a system that were set aside and not taken in since, as the tables have them."""
    return PostgresMigrationStore(app.events, app.reads).quarantined(system)


def in_the_tables(app: Application, system: str) -> dict[str, int]:
    """Return how many records of a system stand as taken in, and how many wait in quarantine."""
    taken_in = sum(1 for _ in PostgresMigrationStore(app.events, app.reads).recorded_keys(system))
    return {"taken_in": taken_in, "waiting": len({(line["table"], line["id"]) for line in waiting(app, system)})}


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write a report as `.json` or `.md`, readable by its owner alone: it names people's values."""
    if path.suffix not in (".json", ".md"):
        raise InputUnreadable(f"a report is .json or .md, not {path.suffix!r}", field="report")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
        file.writelines([markdown(report)] if path.suffix == ".md" else report_json(report))


def _run(
    app: Application, migration: Migration, watch: Watch, mode: Mode, live: Application | None = None
) -> dict[str, Any]:
    store = PostgresMigrationStore(app.events, app.reads, live.events if live else None, live.reads if live else None)
    began = time.monotonic()
    with _opened(migration, watch) as (source, selection):
        read = time.monotonic()
        project(live or app, watch)  # what was recorded before is looked up in the tables
        gone = find_gone(migration.system, selection.index, store.recorded_keys(migration.system.name), selection.keys)
        replay = Replay(
            migration.system, store, app.dossier.clock, uuid4(), READ_MODELS, migration.batch_events, entries=Spilled
        )
        outcome = replay.run(
            selection,
            source.kind,
            lambda done, total: watch("replay", done, total),
            gone,
            delete=migration.apply_deletes,
        )
        replayed = time.monotonic()
        project(app, watch)
        projected = time.monotonic()
        proof = _reconcile(migration, tables_to_prove(app, live), selection, watch)
        report = _report(migration, mode, source, selection, outcome, proof, store)
    events = sum(outcome.appended.values())
    return report | {
        "timing": {
            "read_s": round(read - began, 3),
            "replay_s": round(replayed - read, 3),
            "project_s": round(projected - replayed, 3),
            "reconcile_s": since(projected),
            "total_s": since(began),
            "bundles_per_s": round(outcome.bundles / max(replayed - began, 1e-9), 1),
            "events_per_s": round(events / max(replayed - began, 1e-9), 1),
        }
    }


@contextmanager
def _opened(migration: Migration, watch: Watch) -> Iterator[tuple[LineFiles, Selection]]:
    watch("read", 0, 0)
    with open_source(migration.source, migration.system.tables) as source:
        index = BundleIndex(source, migration.system)
        if migration.system.root not in index.tables:
            raise InputUnreadable(
                f"the source has no table {migration.system.root}",
                field="source",
                hint=f"one of {migration.system.name} holds {', '.join(migration.system.tables)}",
            )
        watch("read", index.records, index.records)
        yield source, _selected(migration, index)


def _selected(migration: Migration, index: BundleIndex) -> Selection:
    """Return all bundles, or those of `--only`: a root's key, `legacy:SYSTEM/TABLE/KEY`, or an account id.

    Of a retry those of the records that wait.
    """
    if migration.waiting is None and not migration.only:
        return index.select()
    found: dict[tuple[str, str], Bundle] = {}
    for name in migration.only:
        bundle = _by_name(migration.system, index, name)
        if bundle is None:
            raise NotFound(f"the export has no record {name!r} that could be taken in", field="only", hint=_ONLY)
        found[bundle.root.table, bundle.root.key] = bundle
    if migration.waiting is not None:
        mended = filter(None, (index.find(table, key) for table, key in migration.waiting))
        of_waiting = {(bundle.root.table, bundle.root.key): bundle for bundle in mended}
        found = {name: bundle for name, bundle in of_waiting.items() if not migration.only or name in found}
    return index.select(found.values())


def _by_name(system: LegacySystem, index: BundleIndex, name: str) -> Bundle | None:
    prefix = f"legacy:{system.name}/"
    if name.startswith(prefix):
        table, _, key = name.removeprefix(prefix).partition("/")
        return index.find(table, key)
    if bundle := index.find(system.root, name):
        return bundle
    for key in index.keys(system.root):
        if str(system.stream_of(key)) == name:
            return index.find(system.root, key)
    return None


def project(app: Application, watch: Watch) -> None:
    """Let the tables come to the head of the log."""
    catch_up(app.log, app.reads, READ_MODELS, progress=lambda done, total: watch("project", done, total))


def _reconcile(
    migration: Migration,
    store: PostgresMigrationStore,
    selection: Selection,
    watch: Watch,
    derived: Callable[[Facts], None] | None = None,
) -> Proof:
    reconcile = Reconcile(migration.system, store, READ_MODELS, migration.approvals, Spilled)
    return reconcile.run(selection, lambda done: watch("reconcile", done, len(selection)), derived)


def what_happened(outcome: Outcome) -> dict[str, Any]:
    """Return the part of a report that tells what a replay did and found."""
    return {
        "snapshots": {
            "read": outcome.read,
            "recorded": outcome.recorded,
            "unchanged": outcome.unchanged,
            "older": outcome.older,
            "quarantined": outcome.set_aside,
            "withdrawn": outcome.withdrawn,
            "erased": outcome.erased,
        },
        "events": {"appended": sum(outcome.appended.values()), "by_topic": dict(sorted(outcome.appended.items()))},
        "leaves": outcome.ledger.as_dict(),
        "conflicts": outcome.conflicts,
        "unmapped": outcome.unmapped,
        "quarantine": outcome.quarantine,
        "findings": outcome.findings,
        "pending": outcome.pending,
        "changes": outcome.changes,
        "kept": outcome.kept,
        "gone": outcome.gone,
    }


def _report(
    migration: Migration,
    mode: Mode,
    source: LineFiles,
    selection: Selection,
    outcome: Outcome,
    proof: Proof,
    store: PostgresMigrationStore,
) -> dict[str, Any]:
    system = migration.system
    roots = None if selection.roots is None else [root.key for root in selection.roots if root.table == system.root]
    counts = store.counts(system.name, roots)
    outcome.findings.extend(shared_contact_findings(system.root, store.shared_contacts(system.name, roots)))
    report = {
        "system": system.name,
        "run_id": str(outcome.run_id),
        "mode": mode,
        "resumed": outcome.resumed,
        "mapping_version": system.mapping_version,
        "source": {"kind": source.kind, "tables": selection.index.rows},
        **what_happened(outcome),
        "stats": system.stats(outcome, counts),
        "reconcile": proof.as_dict(),
        "differences": proof.differences,
        "unused_approvals": proof.unused_approvals,
        "rules": rules(system, outcome, counts, proof, selection.index.missing()),
    }
    plain: dict[str, Any] = as_plain(report)
    return plain


def has_findings(report: dict[str, Any]) -> bool:
    """Tell whether people should look at a report: exit code 1. A verification looks at its proof alone."""
    if "reconcile" not in report:  # a rollback: what was left
        return bool(report["live_changes"])
    differs = any(report["reconcile"][name] for name in BREACHES)
    if report["mode"] == "verify":
        return differs
    if "rules" not in report:  # nothing was read anew
        return bool(differs or report["kept"] or report["pending"])
    lists = ("conflicts", "quarantine", "findings", "pending", "kept", "gone", "waiting")
    return differs or any(report.get(name) for name in lists) or not all(line["passed"] for line in report["rules"])


def since(began: float) -> float:
    """Return how many seconds have passed."""
    return round(time.monotonic() - began, 3)
