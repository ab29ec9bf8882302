"""What is done with what was taken in, without its source: derived anew, taken back, given back as legacy documents."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

from adapters.bootstrap import Application
from adapters.garbage import rare_collections
from adapters.migration import Watch, project, since, throwaway, what_happened
from adapters.postgres.migration_store import PostgresMigrationStore, run_lock
from domain.errors import NotFound
from domain.event import Recorded
from migrations_replay.facts import LegacySystem
from migrations_replay.gone import RecordName
from migrations_replay.reconcile import Reconcile
from migrations_replay.recorded import RecordedBundles, recorded_bundles
from migrations_replay.replay import Replay
from migrations_replay.report import as_plain
from migrations_replay.rollback import roll_back
from migrations_replay.systems import SYSTEMS
from projections import legacy_ids
from projections.all import READ_MODELS


def rederive(app: Application, system: str, watch: Watch, only: Sequence[str] = (), *, apply: bool) -> dict[str, Any]:
    """Run the recorded snapshots through the mapping as it is now; without `apply` in throwaway schemas, as a plan."""
    project(app, watch)
    if apply:
        with rare_collections(), run_lock(app.events, system):
            return _rederive(app, system, watch, only, "rederive")
    with throwaway(app) as scratch, rare_collections():
        return _rederive(scratch, system, watch, only, "rederive_preview", live=app)


def _rederive(
    app: Application, name: str, watch: Watch, only: Sequence[str], mode: str, live: Application | None = None
) -> dict[str, Any]:
    system = SYSTEMS[name]
    store = PostgresMigrationStore(app.events, app.reads, live.events if live else None, live.reads if live else None)

    def load(streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        wanted = list(streams)
        store.touch(wanted)
        return store.load(wanted)

    began = time.monotonic()
    bundles = RecordedBundles(system, load, dict(_recorded(system, store, only)))
    replay = Replay(system, store, app.dossier.clock, uuid4(), READ_MODELS)
    outcome = replay.run(bundles, bundles.kind, lambda done, total: watch("replay", done, total))
    project(app, watch)
    proof = Reconcile(system, store, READ_MODELS).run(bundles, lambda done: watch("reconcile", done, len(bundles)))
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
        project(app, watch)
    report = {
        "system": system,
        "run_id": str(run_id),
        "mode": "rollback" if apply else "rollback_preview",
        "bundles": done.bundles,
        "records": done.records,
        "streams": done.streams,
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
    missing = set(only)
    for (table, key), snapshots in recorded_bundles(system, store.recorded_keys(system.name)):
        names = {f"legacy:{system.name}/{table}/{key}"}
        if table == system.root:
            names |= {key, str(system.stream_of(key))}
        if not only or names & set(only):
            missing -= names
            yield (table, key), snapshots
    if missing:
        raise NotFound(f"no bundle {min(missing)} of {system.name} was taken in", field="only")


def to_legacy(app: Application, system: str, name: str) -> list[dict[str, Any]]:
    """Return the documents of a bundle, by the key of its root, or of one record (`legacy:SYSTEM/TABLE/KEY`).

    They are rebuilt from the tables alone. Raises NotFound for what was not taken in.
    """
    app.catch_up()
    store = PostgresMigrationStore(app.events, app.reads)
    table, _, key = (
        name.removeprefix(f"legacy:{system}/").partition("/") if name.startswith("legacy:") else ("", "", name)
    )
    bundle = key
    if table:
        known = app.reads.fetch(legacy_ids.MODEL, system=system, table_name=table, key=key)
        bundle = known[0]["bundle"] if known else ""
    records, rows = store.bundle_rows(system, bundle)
    wanted = [row for row in records if not table or (row["table_name"], row["key"]) == (table, key)]
    if not wanted:
        raise NotFound(
            f"no record {name} of {system} was taken in", field="id", hint="`dossier migrate status` shows runs"
        )
    documents = [
        {"table": row["table_name"], "id": row["key"], "document": SYSTEMS[system].to_legacy(row, rows)}
        for row in sorted(wanted, key=lambda row: (row["table_name"], row["key"]))
    ]
    plain: list[dict[str, Any]] = as_plain(documents)
    return plain
