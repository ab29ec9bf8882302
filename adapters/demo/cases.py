"""Live commands on cases: two companies, the client of one, and a case whose history comes in late and is put right.

Ids and times are fixed, and a command's id follows from what it says: a second run finds all of it done.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import uuid5

from adapters.cli.statuses import UNDETERMINED
from adapters.cli.times import duration
from adapters.demo.stage import OPERATOR, Stage
from adapters.postgres.case_queries import CaseFilters, Within
from domain.access import Actor, Role
from domain.account import GrantRole, RegisterAccount
from domain.case import ChangeCaseStatus, CorrectCaseStatus, OpenCase, RemoveCaseStatus
from domain.command import Command
from domain.company import AddCompanyMember, RegisterCompany
from domain.errors import AccessDenied, RuleViolated
from domain.event import LIVE
from domain.service import Receipt
from domain.streams import NAMESPACE
from domain.wall_clock import local_day
from projections import cases
from projections.as_of import known_at

_DEMO: Final = uuid5(NAMESPACE, "demo")
CASE: Final = uuid5(_DEMO, "case")
COMPANY: Final = uuid5(_DEMO, "company")
CLIENT: Final = uuid5(_DEMO, "client")
OTHER_CASE: Final = uuid5(_DEMO, "other case")
OTHER_COMPANY: Final = uuid5(_DEMO, "other company")
SHOWN: Final = 10


class Cases:
    """What the demo does with cases."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._app = stage, stage.app
        self._queries = stage.app.cases(OPERATOR)
        self._receipts: list[Receipt] = []

    def live(self, title: str) -> None:
        """Open two cases, take one through its statuses, and have what is forbidden refused."""
        head = self._app.events.head()
        self._companies()
        self._statuses()
        self._mistakes()
        self._imported()
        self._refusals()
        appended = sum(receipt.events for receipt in self._receipts if receipt.position > head)
        self._stage.note(title, f"{appended} events appended, 1 command and 1 read refused")

    def timeline(self, title: str) -> None:
        """Show every entry of the status history of the case, superseded ones too."""
        self._app.catch_up()
        entries = self._queries.timeline(CASE)
        self._stage.out.table(
            ("entry", "status", "from", "to", "notes or reason", "superseded"),
            [
                (
                    *(entry["entry"], entry["status"] or UNDETERMINED, entry["active_from"], entry["active_to"]),
                    entry["notes"] or entry["reason"],
                    f"by entry {entry['superseded_by']}" if entry["superseded"] else None,
                )
                for entry in entries
            ],
        )
        superseded = [entry["entry"] for entry in entries if entry["superseded"]]
        active = [entry["status"] for entry in entries if entry["is_active"]]
        self._stage.expect("not two entries are superseded", holds=len(superseded) == 2)
        self._stage.expect(f"active are {active}", holds=active == ["encaminhado_analise"])
        said = f"{len(entries)} entries, {len(superseded)} of them superseded, {active[0]} is active"
        self._stage.note(title, said)

    def numbers(self, title: str) -> None:
        """Count the cases, and what they spent their time in."""
        now = datetime.now(UTC)
        totals = self._queries.totals(local_day(now))
        by_status = self._queries.status_totals(now)
        self._stage.out.pairs(totals)
        most = sorted(by_status, key=lambda total: (-total.cases_now, -total.entries_ever))[:SHOWN]
        self._stage.out.table(
            ("status", "cases now", "entries ever", "total time"),
            [
                (total.status or UNDETERMINED, total.cases_now, total.entries_ever, duration(total.total_s))
                for total in most
            ],
        )
        counted = sum(total.cases_now for total in by_status)
        self._stage.expect(f"{counted} cases by status of {totals['total']}", holds=counted == totals["total"])
        said = f"{totals['total']} cases, {totals['migrated']} migrated, {totals['undetermined']} undetermined"
        self._stage.note(title, said)

    # --- what happens to the cases ---------------------------------------------------------------------------------

    def _companies(self) -> None:
        self._do(RegisterAccount(account_id=CLIENT, email="client@example.org"))
        self._do(GrantRole(account_id=CLIENT, role=Role.CLIENT))
        self._do(RegisterCompany(company_id=COMPANY, fields={"name": "Aurora Example Ltda"}))
        self._do(AddCompanyMember(company_id=COMPANY, account_id=CLIENT, role="HR"))
        self._do(RegisterCompany(company_id=OTHER_COMPANY, fields={"name": "Boreal Example Ltda"}))
        other = OpenCase(
            case_id=OTHER_CASE, company_id=OTHER_COMPANY, status="pending_documents", effective_at=_day(1, 20)
        )
        self._do(other)

    def _statuses(self) -> None:
        opened = OpenCase(case_id=CASE, company_id=COMPANY, status="em_preparacao", effective_at=_day(1, 13))
        self._now("opened", self._do(opened), "em_preparacao")
        filed = ChangeCaseStatus(
            case_id=CASE, status="em_tramite", effective_at=_day(2, 3), filled={"protocol_number": "08000.000001/2025"}
        )
        self._now("filed", self._do(filed), "em_tramite")

    def _mistakes(self) -> None:
        approved = self._do(ChangeCaseStatus(case_id=CASE, status="deferido", effective_at=_day(3, 17)))
        self._now("approved", approved, "deferido")
        late = ChangeCaseStatus(
            case_id=CASE, status="exigencia", effective_at=_day(2, 18), notes="the notice had been mislaid"
        )
        self._now("a requirement of February comes to light", self._do(late), "deferido")
        right = CorrectCaseStatus(
            case_id=CASE, entry=approved.version, status="proposta_deferimento", reason="approval was only proposed"
        )
        self._now(f"entry {approved.version} is corrected", self._do(right), "proposta_deferimento")
        removed = RemoveCaseStatus(case_id=CASE, reason="the proposal is that of another case")
        self._now("removed", self._do(removed), None)
        again = ChangeCaseStatus(case_id=CASE, status="encaminhado_analise", effective_at=_day(3, 24))
        self._now("set again", self._do(again), "encaminhado_analise")

    def _imported(self) -> None:
        """Let the first of the imported cases go on."""
        self._app.catch_up()
        found = self._queries.page(CaseFilters(is_current=True), 1000)
        imported = next((row["case_id"] for row in found if row["origin"] != LIVE and row["status"]), None)
        self._stage.expect("no current case with a status was imported", holds=imported is not None)
        if imported is not None:
            self._do(ChangeCaseStatus(case_id=imported, status="juntada_documento"))

    def _refusals(self) -> None:
        skipped = ChangeCaseStatus(case_id=OTHER_CASE, status="completed")
        self._stage.command_refused(skipped, OPERATOR, RuleViolated)
        client = Actor.of_account(CLIENT)
        self._app.catch_up()
        asks = self._app.cases(client)
        listed = asks.page(CaseFilters(), SHOWN, Within(sorted(asks.companies_of(CLIENT)), CLIENT))
        self._stage.expect(
            "the client sees other cases than its own", holds=[row["case_id"] for row in listed] == [CASE]
        )
        events = self._app.dossier.history(CASE, actor=client)
        self._stage.out.line(f"The client of one company reads its case: {len(events)} events")
        self._stage.refused(
            "Reading the case of the other company",
            lambda: self._app.dossier.history(OTHER_CASE, actor=client),
            AccessDenied,
        )

    def _do(self, command: Command) -> Receipt:
        said = f"{type(command).__name__} {command.model_dump_json(exclude_unset=True)}"
        self._receipts.append(self._stage.execute(command, OPERATOR, uuid5(_DEMO, said)))
        return self._receipts[-1]

    def _now(self, what: str, receipt: Receipt, expected: str | None) -> None:
        """Show the status the case had after a command, whatever came since."""
        row = known_at(cases.MODEL, self._app.dossier.history(CASE, actor=OPERATOR), receipt.position)
        status = row["status"] if row else None
        self._stage.expect(f"{what}: the case is {status}, not {expected}", holds=status == expected)
        self._stage.out.line(f"  {what}: the case is {status or UNDETERMINED}")


def _day(month: int, day: int) -> datetime:
    return datetime(2025, month, day, 15, tzinfo=UTC)
