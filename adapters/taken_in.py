"""What is done with what was taken in, without its source: derived anew, taken back, given back as legacy documents."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

from adapters.bootstrap import Application
from adapters.garbage import rare_collections
from adapters.migration import Watch, project, since, tables_to_prove, throwaway, what_happened
from adapters.postgres.migration_store import PostgresMigrationStore, run_lock
from adapters.spilled import Spilled
from domain.errors import NotFound
from domain.event import Recorded
from migrations_replay.facts import LegacySystem
from migrations_replay.gone import RecordName, root_table
from migrations_replay.reconcile import Reconcile
from migrations_replay.recorded import RecordedBundles, recorded_bundles
from migrations_replay.replay import BATCH_EVENTS, Replay
from migrations_replay.report import as_plain
from migrations_replay.rollback import forget_set_aside, roll_back
from migrations_replay.systems import SYSTEMS
from projections.all import READ_MODELS
from projections.read_model import Row


def rederive(
    app: Application,
    system: str,
    watch: Watch,
    only: Sequence[str] = (),
    batch_events: int = BATCH_EVENTS,
    *,
    apply: bool,
) -> dict[str, Any]:
    """Run the recorded snapshots through the mapping as it is now; without `apply` in throwaway schemas, as a plan."""
    project(app, watch)
    if apply:
        with rare_collections(), run_lock(app.events, system):
            return _rederive(app, system, watch, only, batch_events, "rederive")
    with throwaway(app) as scratch, rare_collections():
        return _rederive(scratch, system, watch, only, batch_events, "rederive_preview", live=app)


def _rederive(
    app: Application,
    name: str,
    watch: Watch,
    only: Sequence[str],
    batch_events: int,
    mode: str,
    live: Application | None = None,
) -> dict[str, Any]:
    system = SYSTEMS[name]
    store = PostgresMigrationStore(app.events, app.reads, live.events if live else None, live.reads if live else None)

    def load(streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        wanted = list(streams)
        store.touch(wanted)
        return store.load(wanted)

    began = time.monotonic()
    bundles = RecordedBundles(system, load, dict(_recorded(system, store, only)))
    replay = Replay(system, store, app.dossier.clock, uuid4(), READ_MODELS, batch_events, entries=Spilled)
    outcome = replay.run(bundles, bundles.kind, lambda done, total: watch("replay", done, total))
    project(app, watch)
    reconcile = Reconcile(system, tables_to_prove(app, live), READ_MODELS, entries=Spilled)
    proof = reconcile.run(bundles, lambda done: watch("reconcile", done, len(bundles)))
    plain: dict[str, Any] = as_plain(
        {
            "system": name,
            "run_id": str(outcome.run_id),
            "mode": mode,
            "mapping_version": system.mapping_version,
            **what_happened(outcome),
            "reconcile": proof.as_dict(),
            "differences": proof.differences,
        }
    )
    return plain | {"timing": {"total_s": since(began)}}


def rollback(
    app: Application, system: str, watch: Watch, only: Sequence[str] = (), *, force: bool, apply: bool
) -> dict[str, Any]:
    """Take an import back by compensation, all of it or some roots; without `apply` say what that would do."""
    known = SYSTEMS[system]
    began, run_id = time.monotonic(), uuid4()
    with run_lock(app.events, system):
        project(app, watch)
        store = PostgresMigrationStore(app.events, app.reads)
        bundles = list(_recorded(known, store, only))

        def watched() -> Iterator[Sequence[UUID]]:
            for done, (_, snapshots) in enumerate(bundles, 1):
                yield snapshots
                watch("replay", done, len(bundles))

        done = roll_back(known, store, watched(), run_id, app.dossier.clock, force=force, apply=apply)
        if not only:
            forget_set_aside(known, store, run_id, app.dossier.clock, done, apply=apply)
        project(app, watch)
    report = {
        "system": system,
        "run_id": str(run_id),
        "mode": "rollback" if apply else "rollback_preview",
        "bundles": done.bundles,
        "records": done.records,
        "streams": done.streams,
        "set_aside": done.set_aside,
        "forced": force,
        "live_changes": done.left,
        "events": {"appended": done.events},
        "timing": {"total_s": since(began)},
    }
    plain: dict[str, Any] = as_plain(report)
    return plain


def _recorded(
    system: LegacySystem, store: PostgresMigrationStore, only: Sequence[str]
) -> Iterator[tuple[RecordName, list[UUID]]]:
    """Yield the recorded bundles, or those of `--only`; raises NotFound for a name that none of them has."""
    wanted = {_bundle_name(system, row) for name in only for row in _named(system, store, name)}
    for bundle, snapshots in recorded_bundles(system, store.recorded_keys(system.name)):
        if not only or bundle in wanted:
            yield bundle, snapshots


def _bundle_name(system: LegacySystem, row: Row) -> RecordName:
    return root_table(system, row["table_name"]), row["bundle"]


def _named(system: LegacySystem, store: PostgresMigrationStore, name: str) -> list[Row]:
    """Return the rows of `legacy_ids` a name means; raises NotFound where nothing of that name was taken in."""
    found = store.recorded_as(system, name)
    if not found:
        hint = f"a key of {system.root}, legacy:{system.name}/TABLE/KEY, or the id of what it became"
        raise NotFound(f"no record {name} of {system.name} was taken in", field="only", hint=hint)
    return found


def to_legacy(app: Application, system: str, name: str) -> list[dict[str, Any]]:
    """Return the documents of a bundle, by any name of it, or of one record (`legacy:SYSTEM/TABLE/KEY`).

    They are rebuilt from the tables alone. Raises NotFound for what was not taken in.
    """
    app.catch_up()
    store, known = PostgresMigrationStore(app.events, app.reads), SYSTEMS[system]
    named = _named(known, store, name)
    one = named[0]["snapshot_id"] if name.startswith("legacy:") else None
    documents = []
    for table, bundle in sorted({_bundle_name(known, row) for row in named}):
        records, rows = store.bundle_rows(system, bundle)
        documents += [
            {"table": row["table_name"], "id": row["key"], "document": known.to_legacy(row, rows)}
            for row in sorted(records, key=lambda row: (row["table_name"], row["key"]))
            if (one is None and root_table(known, row["table_name"]) == table) or row["snapshot_id"] == one
        ]
    plain: list[dict[str, Any]] = as_plain(documents)
    return plain
