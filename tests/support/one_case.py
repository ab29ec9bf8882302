"""One case to decide on: short ways to write its commands and events, and to read its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.case import (
    CASE,
    CaseOpened,
    CaseState,
    CaseStatusChanged,
    ChangeCaseStatus,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
)
from domain.command import Command
from domain.status_catalogue import StatusState
from domain.streams import status_id
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import CASE_ID, EVENTS
from tests.support.given_when_then import Given, given

DAY = timedelta(days=1)
T1 = datetime(2026, 3, 10, 12, tzinfo=UTC)
T2, T3, T4, NOW = T1 + DAY, T1 + 2 * DAY, T1 + 3 * DAY, T1 + 30 * DAY
OPENED = CaseOpened(person_id=ADA, fields={"passport_id": "p1"})
PROTOCOL = "protocol_number"
TOPICS = [topic for topic in EVENTS if topic.startswith("case.")]
CASE_CODES = (
    "em_preparacao", "em_tramite", "encaminhado_analise", "proposta_deferimento", "deferido", "publicado_dou",
    "emissao_vitem", "entrada_brasil", "rnm", "em_renovacao", "pedido_cancelamento", "pedido_arquivamento",
    "pedido_cancelado", "exigencia", "juntada_documento", "nova_solicitacao_visto", "diario_oficial",
)  # fmt: skip


def opening(**said: Any) -> OpenCase:
    return OpenCase(case_id=CASE_ID, person_id=ADA, **said)


def change(status: str, at: datetime = T2, **said: Any) -> ChangeCaseStatus:
    return ChangeCaseStatus(case_id=CASE_ID, status=status, effective_at=at, **said)


def correct(entry: int, **said: Any) -> CorrectCaseStatus:
    return CorrectCaseStatus(case_id=CASE_ID, entry=entry, reason="misread", **said)


def remove(entry: int | None = None) -> RemoveCaseStatus:
    return RemoveCaseStatus(case_id=CASE_ID, entry=entry, reason="another case")


def status_changed(status: str | None, at: datetime = T1, **said: Any) -> CaseStatusChanged:
    return CaseStatusChanged(status=status, effective_at=at, day=at.date(), **said)


def history_after(*commands: Command, past: tuple[Any, ...] = (OPENED,)) -> list[Any]:
    """Return the events of a case after commands, each of which must be accepted."""
    events = list(past)
    for command in commands:
        events += CASE.decide(CASE.fold(events), command.at(NOW))
    return events


def state_after(*commands: Command, past: tuple[Any, ...] = (OPENED,)) -> CaseState:
    return CASE.fold(history_after(*commands, past=past))


def given_after(*commands: Command) -> Given[CaseState]:
    return given(CASE, *history_after(*commands))


def entries_of(state: CaseState) -> list[tuple[int, str | None]]:
    return [(entry.number, entry.status) for entry in state.timeline.entries]


def active_in(state: CaseState) -> str | None:
    return state.timeline.active.status if state.timeline.active else None


def informed(state: CaseState, **known: StatusState) -> CaseState:
    return CASE.informed(state, {status_id(code): found for code, found in known.items()})
