"""The story of the demo, step by step.

Exports of the legacy systems, with realistic oddities, are made up, dry-run, migrated and proven; a newer export is
taken in and all of it taken back; live commands change some of it; the tables are rebuilt from the log and the log is
exported. All that is written lies in `demo-output/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters import migration
from adapters.cli.migrate import summary
from adapters.cli.sample import prepare
from adapters.demo.audit import Audit
from adapters.demo.caregivers import Caregivers
from adapters.demo.cases import Cases
from adapters.demo.decks import Decks
from adapters.demo.newer import Newer
from adapters.demo.people import People
from adapters.demo.stage import Stage
from adapters.demo.talent import Talent
from adapters.migration import Migration
from adapters.samples import caregivers, cases, contexts, decks, talent
from adapters.samples.truth import Truth
from projections.all import READ_MODELS
from projections.read_model import Row

SEED: Final = 2024


class Export(NamedTuple):
    """An export to make up and to migrate: of which system, by what, and how many of its root records."""

    system: str
    write: Callable[[Path, int, int], Truth]
    size: int


EXPORTS: Final = (
    Export("contexts", contexts.write_sample, 300),
    Export("caregivers", caregivers.write_sample, 60),
    Export("cases", cases.write_sample, 200),
    Export("talent", talent.write_sample, 60),
    Export("decks", decks.write_sample, 40),
)


class Demo:
    """The steps of the demo."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._app, self._out = stage, stage.app, stage.out
        self._people, self._cases, self._decks = People(stage), Cases(stage), Decks(stage)
        self._talent, self._caregivers = Talent(stage), Caregivers(stage)
        self._audit, self._newer = Audit(stage), Newer(stage)

    def run(self) -> int:
        """Go through all steps; returns 0 if everything came out as it should."""
        steps: Sequence[tuple[str, Callable[[str], None]]] = (
            ("Legacy exports are made up", self._sample),
            ("Dry run", self._plan),
            ("Migration", self._migrate),
            ("Proof against the source", self._verify),
            ("The same migration again", self._again),
            ("A newer export, and all of it taken back", self._newer.play),
            ("Live commands on people", self._people.live),
            ("Live commands on cases", self._cases.live),
            ("Live commands on a dancer", self._talent.live),
            ("Live commands on people with decks", self._decks.live),
            ("A message and a payment", self._caregivers.live),
            ("Which status a case had when", self._cases.timeline),
            ("The cases in numbers", self._cases.numbers),
            ("Proof once more, after the live changes", self._verify_live),
            ("Where a value comes from", self._people.explain),
            ("The tables are rebuilt from the log", self._rebuild),
            ("The audit log is signed, exported and proven", self._audit.prove),
        )
        for number, (title, step) in enumerate(steps, start=1):
            self._out.heading(f"{number}. {title}")
            step(title)
        self._out.heading("What happened")
        self._out.table(("step", "what happened", "where"), self._stage.happened)
        for failure in self._stage.failures:
            self._out.line(f"Not as it should be: {failure}")
        here = f"DOSSIER_HOME={self._stage.home} " if self._stage.home else ""
        self._out.next(
            f"`{here}.venv/bin/dossier --help` looks around in it; a second `make demo` finds everything done and"
            " appends no import"
        )
        return 1 if self._stage.failures else 0

    # --- the migrations --------------------------------------------------------------------------------------------

    def _folder(self, export: Export) -> Path:
        return self._stage.folder / export.system

    def _report(self, export: Export, name: str, suffix: str = "md") -> Path:
        return self._stage.folder / f"{export.system}-{name}.{suffix}"

    def _sample(self, title: str) -> None:
        for export in EXPORTS:
            folder = self._folder(export)
            prepare(folder, force=True)
            truth = export.write(folder, max(round(export.size * self._stage.scale), 10), SEED)
            self._out.table((f"table of {export.system}", "rows"), list(truth.rows.items()))
            rows, oddities = sum(truth.rows.values()), sum(truth.oddities.values())
            said = f"{rows} rows, {truth.leaves['total']} leaves, {oddities} oddities"
            self._stage.note(f"{title}: {export.system}", said, folder)

    def _plan(self, title: str) -> None:
        for export in EXPORTS:
            report = self._work(migration.plan, export, "plan")
            said = f"would append {report['events']['appended']} events"
            self._stage.note(f"{title}: {export.system}", said, self._report(export, "plan"))

    def _migrate(self, title: str) -> None:
        for export in EXPORTS:
            report = self._work(migration.run, export, "run")
            summary(self._out, report, self._report(export, "run", "json"))
            counts, appended = report["snapshots"], report["events"]["appended"]
            said = f"{appended} events; {counts['recorded']} records taken in, {counts['unchanged']} known"
            self._stage.note(f"{title}: {export.system}", said, self._report(export, "run"))

    def _again(self, title: str) -> None:
        for export in EXPORTS:
            appended = self._work(migration.run, export, "run-again")["events"]["appended"]
            self._stage.expect(f"running {export.system} again appended {appended} events", holds=appended == 0)
            self._stage.note(
                f"{title}: {export.system}", f"{appended} events appended", self._report(export, "run-again")
            )

    def _verify(self, title: str) -> None:
        for export in EXPORTS:
            self._proven(title, export, "verify")

    def _verify_live(self, title: str) -> None:
        for export in EXPORTS:
            report = self._proven(title, export, "verify-live")
            self._stage.expect(
                f"no value of {export.system} counts as changed by a live command",
                holds=report["reconcile"]["changed_live"] > 0,
            )

    def _proven(self, title: str, export: Export, name: str) -> dict[str, Any]:
        report = self._work(migration.verify, export, name)
        counts = report["reconcile"]
        self._stage.expect(f"{name} of {export.system} found differences", holds=not migration.has_findings(report))
        names = ("leaves", "equal", "normalised", "changed_live", "missing", "extra", "unexplained")
        self._out.pairs({name: counts[name] for name in names})
        said = f"{counts['leaves']} leaves, {counts['changed_live']} changed live, {counts['unexplained']} unexplained"
        self._stage.note(f"{title}: {export.system}", said, self._report(export, name))
        return report

    def _work(self, work: Callable[..., dict[str, Any]], export: Export, name: str) -> dict[str, Any]:
        with self._out.progress() as watch:
            report = work(self._app, Migration.of(export.system, self._folder(export)), watch)
        for suffix in ("json", "md"):
            migration.write_report(report, self._report(export, name, suffix))
        return report

    # --- the log and the tables ------------------------------------------------------------------------------------

    def _rebuild(self, title: str) -> None:
        self._app.catch_up()
        before = self._rows()
        with self._out.progress() as watch:
            rebuilt = self._app.rebuild(watch=watch)
        after = self._rows()
        different = [name for name in before if before[name] != after[name]]
        self._stage.expect(f"the rebuild changed {', '.join(different)}", holds=not different)
        rows = sum(map(len, after.values()))
        said = f"{len(READ_MODELS)} read models from {rebuilt.events} events, {rows} rows, each as it was before"
        self._stage.note(title, said)

    def _rows(self) -> dict[str, list[Row]]:
        return {model.name: self._app.reads.fetch(model) for model in READ_MODELS}
