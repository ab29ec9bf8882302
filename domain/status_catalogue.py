"""The status catalogue: what the statuses of cases are called, what they may be followed by, what they ask for.

A status is an aggregate of its own, its stream told by its code. Two catalogues come with the product; defining a
status of theirs anew takes the place of what was seeded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final, assert_never

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.case_fields import FILLABLE
from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import InvalidCommand, NotFound, RuleViolated
from domain.event import DomainEvent, Erased
from domain.streams import status_id
from domain.values import Reason, ShortText, Text

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,50}$")]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
CATEGORIES: Final = ("preparation", "in_progress", "review", "approved", "completed", "cancelled")


class StatusDefinition(BaseModel):
    """What a status is. `order` is its place in the workflow, `sort_order` its place in lists.

    `may_go_to` lists the codes it may be followed by within its catalogue; None says that the order is advisory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    catalogue: str
    code: str | None
    name: str | None
    name_en: str | None = None
    description: str | None = None
    category: str | None = None
    colour: str | None = None
    sort_order: int | None = None
    order: int | None = None
    fillable_fields: tuple[str, ...] = ()
    allow_documents: bool | None = None
    may_go_to: tuple[str, ...] | None = None


class _StatusCommand(Command):
    code: str

    def participants(self) -> tuple[Participant, ...]:
        """The status alone."""
        return (Participant("status", status_id(self.code)),)


class DefineStatus(_StatusCommand):
    """Say what a status is, whole; one that was retired is in use again (admins only).

    Left out, `may_go_to` stays as it was; null makes the order advisory.
    """

    code: Code
    catalogue: Code
    name: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    name_en: ShortText | None = None
    description: ShortText | None = None
    category: ShortText | None = None
    colour: Colour | None = None
    sort_order: Annotated[int, Field(ge=1, le=9999)] | None = None
    order: Annotated[int, Field(ge=1, le=99)] | None = None
    fillable_fields: tuple[str, ...] = ()
    allow_documents: bool | None = None
    may_go_to: tuple[Code, ...] | None = None


class RetireStatus(_StatusCommand):
    """Take a status out of use: no case can be given it any more, those that have it keep it (admins only).

    An imported code may be any text.
    """

    code: Annotated[Text, StringConstraints(min_length=1, max_length=500)]
    reason: Reason


class StatusDefined(DomainEvent, topic="status.defined"):
    """A status was defined, or defined anew."""

    definition: StatusDefinition
    in_use: bool = True


class StatusRetired(DomainEvent, topic="status.retired"):
    """A status was taken out of use."""

    reason: str | Erased


StatusEvent = StatusDefined | StatusRetired


@dataclass(frozen=True)
class StatusState:
    """What a status is. Without a definition of its own it is what its catalogue was seeded with."""

    definition: StatusDefinition | None = None
    in_use: bool = True


def _decide(state: StatusState, command: Command) -> list[DomainEvent]:
    match command:
        case DefineStatus():
            return _define(state, command)
        case RetireStatus():
            if definition_of(command.code, state) is None:
                raise NotFound(f"there is no status {command.code}", field="code", hint="`dossier statuses` lists them")
            return [StatusRetired(reason=command.reason)] if state.in_use else []
        case _:
            return []  # what a case may do with the status is for the case to say


def _define(state: StatusState, command: DefineStatus) -> list[DomainEvent]:
    if unknown := [name for name in command.fillable_fields if name not in FILLABLE]:
        raise InvalidCommand(
            f"a status cannot fill {unknown[0]!r}", field="fillable_fields", hint=f"it may fill {', '.join(FILLABLE)}"
        )
    before = definition_of(command.code, state)
    if before is not None and before.catalogue != command.catalogue:
        raise RuleViolated(f"{command.code} is a status of the catalogue {before.catalogue}", field="catalogue")
    definition = StatusDefinition(**{name: value for name, value in command.model_dump().items() if value != ""})
    if before is not None and "may_go_to" not in command.model_fields_set:  # left out, a binding order stays
        definition = definition.model_copy(update={"may_go_to": before.may_go_to})
    return [] if definition == before and state.in_use else [StatusDefined(definition=definition)]


def definition_of(code: str, state: StatusState) -> StatusDefinition | None:
    """Return what a status is, None if no catalogue holds the code."""
    return state.definition or SEEDED.get(code)


def _evolve(state: StatusState, event: StatusEvent) -> StatusState:
    match event:
        case StatusDefined():
            return StatusState(event.definition, event.in_use)
        case StatusRetired():
            return replace(state, in_use=False)
        case _:
            assert_never(event)


STATUS: Final = Decider("status", StatusState(), _decide, _evolve, owner=lambda _: None)


# --- the two catalogues the product comes with ----------------------------------------------------------------------

ENGLISH: Final = "english"
"""The statuses of the first generation; its transition table is binding."""

CASE_CODES: Final = "case_codes"
"""The statuses in use since; their order is advisory."""

_COLOURS: Final = {
    "preparation": "#6B7280",
    "in_progress": "#2563EB",
    "review": "#D97706",
    "approved": "#16A34A",
    "completed": "#0F766E",
    "cancelled": "#DC2626",
}

_ENGLISH_TABLE: Final[dict[str, tuple[str, str, str, tuple[str, ...]]]] = {
    "pending_documents": (
        "Documentos pendentes", "Pending documents", "preparation", ("documents_submitted", "cancelled")),
    "documents_submitted": (
        "Documentos enviados", "Documents submitted", "preparation",
        ("documents_approved", "pending_documents", "cancelled")),
    "documents_approved": (
        "Documentos aprovados", "Documents approved", "preparation", ("preparing_submission", "cancelled")),
    "preparing_submission": (
        "Preparando o envio", "Preparing submission", "preparation", ("submitted_to_government", "cancelled")),
    "submitted_to_government": (
        "Enviado ao governo", "Submitted to government", "in_progress", ("under_government_review", "cancelled")),
    "under_government_review": (
        "Em análise pelo governo", "Under government review", "review",
        ("government_approved", "government_rejected", "cancelled")),
    "government_approved": ("Aprovado pelo governo", "Government approved", "approved", ("completed", "cancelled")),
    "government_rejected": (
        "Rejeitado pelo governo", "Government rejected", "review", ("pending_documents", "cancelled")),
    "completed": ("Concluído", "Completed", "completed", ("under_government_review",)),
    "cancelled": ("Cancelado", "Cancelled", "cancelled", ("pending_documents",)),
}  # fmt: skip

_DOU: Final = ("dou_number", "dou_section", "dou_page", "dou_date")
_CASE_CODE_TABLE: Final[dict[str, tuple[str, str, str, int | None, tuple[str, ...]]]] = {
    "em_preparacao": (
        "Em preparação", "In preparation", "preparation", 1,
        ("passport_id", "applicant_id", "process_type_id", "legal_framework_id", "cbo_id")),
    "em_tramite": ("Em trâmite", "In progress", "in_progress", 2, ("protocol_number",)),
    "encaminhado_analise": ("Encaminhado para análise", "Forwarded for analysis", "review", 3, ()),
    "proposta_deferimento": ("Proposta de deferimento", "Approval proposed", "review", 4, ()),
    "deferido": ("Deferido", "Approved", "approved", 5, ("mre_office_number",)),
    "publicado_dou": ("Publicado no DOU", "Published in the official gazette", "completed", 6, _DOU),
    "emissao_vitem": ("Emissão do VITEM", "Visa issued", "completed", 7, ("mre_office_number",)),
    "entrada_brasil": ("Entrada no Brasil", "Entry into Brazil", "completed", 8, ()),
    "rnm": (
        "RNM", "Registration (RNM)", "completed", 9,
        ("rnm_number", "rnm_protocol", "rnm_deadline", "appointment_date_time")),
    "em_renovacao": ("Em renovação", "In renewal", "in_progress", 10, ("deadline_date",)),
    "pedido_cancelamento": ("Pedido de cancelamento", "Cancellation requested", "cancelled", 11, ()),
    "pedido_arquivamento": ("Pedido de arquivamento", "Archiving requested", "cancelled", 12, ()),
    "pedido_cancelado": ("Pedido cancelado", "Request cancelled", "cancelled", 13, ()),
    "exigencia": ("Exigência", "Requirement", "review", None, ("deadline_date",)),
    "juntada_documento": ("Juntada de documento", "Document joined", "in_progress", None, ("protocol_number",)),
    "nova_solicitacao_visto": ("Nova solicitação de visto", "New visa request", "preparation", None, ()),
    "diario_oficial": ("Diário oficial", "Official gazette", "review", None, _DOU),
}  # fmt: skip

SEEDED: Final[dict[str, StatusDefinition]] = {
    code: StatusDefinition(
        catalogue=ENGLISH, code=code, name=name, name_en=name_en, category=category, colour=_COLOURS[category],
        sort_order=place, may_go_to=may_go_to)
    for place, (code, (name, name_en, category, may_go_to)) in enumerate(_ENGLISH_TABLE.items(), start=1)
} | {
    code: StatusDefinition(
        catalogue=CASE_CODES, code=code, name=name, name_en=name_en, category=category, colour=_COLOURS[category],
        sort_order=place, order=order, fillable_fields=fillable)
    for place, (code, (name, name_en, category, order, fillable)) in enumerate(_CASE_CODE_TABLE.items(), start=1)
}  # fmt: skip
"""The seeded statuses by code."""
