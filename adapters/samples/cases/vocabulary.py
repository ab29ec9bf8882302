"""The tables of the cases system, its two catalogues of statuses, and the ways in which people spelled them."""

import random
from typing import Final, NamedTuple

from adapters.samples.truth import DERIVED, MAPPED, NORMALISED, UNMAPPED, Record

TABLES: Final = (
    "individualProcesses",
    "processHistory",
    "individualProcessStatuses",
    "mainProcesses",
    "collectiveProcesses",
    "companies",
    "peopleCompanies",
    "userProfiles",
    "caseStatuses",
    "users",
    "people",
)
UNKNOWN: Final = "legacy-unknown"

FILLABLE: Final = (
    *("passportId", "applicantId", "processTypeId", "legalFrameworkId", "cboId", "mreOfficeNumber", "douNumber"),
    *("douSection", "douPage", "douDate", "protocolNumber", "rnmNumber", "rnmProtocol", "rnmDeadline"),
    *("appointmentDateTime", "deadlineDate"),
)
_ROW: Final = {"_id", "_creationTime", "createdAt", "updatedAt"}
_COLLECTIVE: Final = _ROW | {"referenceNumber", "companyId", "status", "completedAt"}
_COLUMNS: Final[dict[str, set[str]]] = {
    "individualProcesses": {
        *_ROW,
        *FILLABLE,
        *("mainProcessId", "collectiveProcessId", "personId", "status", "isActive", "processStatus", "completedAt"),
        *("companyApplicantId", "userApplicantId", "funcao", "cargo"),
    },
    "processHistory": {
        *("_id", "_creationTime", "individualProcessId", "previousStatus", "newStatus", "changedBy", "changedAt"),
        *("notes", "metadata", "previousStatusId", "newStatusId"),
    },
    "individualProcessStatuses": {
        *("_id", "_creationTime", "individualProcessId", "statusName", "caseStatusId", "isActive", "date", "notes"),
        *("maxDeliveryDate", "clientDeadlineDate", "fillableFields", "filledFieldsData", "changedBy", "changedAt"),
        "createdAt",
    },
    "mainProcesses": _COLLECTIVE,
    "collectiveProcesses": _COLLECTIVE,
    "companies": {
        *_ROW,
        *("name", "taxId", "website", "address", "cityId", "phoneNumber", "email", "contactPersonId", "isActive"),
        "notes",
    },
    "peopleCompanies": {"_id", "_creationTime", "personId", "companyId", "role", "startDate", "endDate", "isCurrent"},
    "userProfiles": _ROW | {"userId", "role"},
    "caseStatuses": {
        *_ROW,
        *("name", "nameEn", "code", "description", "category", "color", "sortOrder", "orderNumber", "fillableFields"),
        *("allowDocuments", "isActive"),
    },
    "users": set(),
    "people": set(),
}
_OTHERWISE: Final = {
    ("individualProcessStatuses", "maxDeliveryDate"): DERIVED,
    ("individualProcessStatuses", "clientDeadlineDate"): DERIVED,
    ("mainProcesses", "status"): DERIVED,
    ("collectiveProcesses", "status"): DERIVED,
    ("caseStatuses", "fillableFields"): NORMALISED,
}


def class_of(record: Record, at: str) -> str:
    """Give the class of a set leaf of a record that was taken in, when nothing odd is said about it."""
    column = at[1:].partition("/")[0]
    if column not in _COLUMNS[record.table]:
        return UNMAPPED
    return _OTHERWISE.get((record.table, column), MAPPED)


ENGLISH: Final[dict[str, tuple[str, ...]]] = {
    "pending_documents": ("documents_submitted", "cancelled"),
    "documents_submitted": ("documents_approved", "pending_documents", "cancelled"),
    "documents_approved": ("preparing_submission", "cancelled"),
    "preparing_submission": ("submitted_to_government", "cancelled"),
    "submitted_to_government": ("under_government_review", "cancelled"),
    "under_government_review": ("government_approved", "government_rejected", "cancelled"),
    "government_approved": ("completed", "cancelled"),
    "government_rejected": ("pending_documents", "cancelled"),
    "completed": ("under_government_review",),
    "cancelled": ("pending_documents",),
}


class CaseCode(NamedTuple):
    """A case code as the old system was seeded with it."""

    name: str
    name_en: str
    category: str
    order: int | None
    fillable: tuple[str, ...] = ()


_DOU: Final = ("douNumber", "douSection", "douPage", "douDate")
CASE_CODES: Final = {
    "em_preparacao": CaseCode("Em preparação", "In preparation", "preparation", 1, ("passportId", "cboId")),
    "em_tramite": CaseCode("Em trâmite", "In progress", "in_progress", 2, ("protocolNumber",)),
    "encaminhado_analise": CaseCode("Encaminhado para análise", "Forwarded for analysis", "review", 3),
    "proposta_deferimento": CaseCode("Proposta de deferimento", "Approval proposed", "review", 4),
    "deferido": CaseCode("Deferido", "Approved", "approved", 5, ("mreOfficeNumber",)),
    "publicado_dou": CaseCode("Publicado no DOU", "Published", "completed", 6, _DOU),
    "emissao_vitem": CaseCode("Emissão do VITEM", "Visa issued", "completed", 7, ("mreOfficeNumber",)),
    "entrada_brasil": CaseCode("Entrada no Brasil", "Entry into Brazil", "completed", 8),
    "rnm": CaseCode("RNM", "Registration", "completed", 9, ("rnmNumber", "rnmDeadline", "appointmentDateTime")),
    "em_renovacao": CaseCode("Em renovação", "In renewal", "in_progress", 10, ("deadlineDate",)),
    "pedido_cancelamento": CaseCode("Pedido de cancelamento", "Cancellation requested", "cancelled", 11),
    "pedido_arquivamento": CaseCode("Pedido de arquivamento", "Archiving requested", "cancelled", 12),
    "pedido_cancelado": CaseCode("Pedido cancelado", "Request cancelled", "cancelled", 13),
    "exigencia": CaseCode("Exigência", "Requirement", "review", None, ("deadlineDate",)),
    "juntada_documento": CaseCode("Juntada de documento", "Document joined", "in_progress", None, ("protocolNumber",)),
    "nova_solicitacao_visto": CaseCode("Nova solicitação de visto", "New visa request", "preparation", None),
    "diario_oficial": CaseCode("Diário oficial", "Official gazette", "review", None, _DOU),
}
REQUIREMENT: Final = "exigencia"
WORKFLOW: Final = tuple(code for code, known in CASE_CODES.items() if known.order and known.order <= 9)


class Said(NamedTuple):
    """A text that names a status: what stands there, what it means, and whether a catalogue holds it.

    `code` is None for a text that cannot be read; `text` may then be anything.
    """

    text: object
    code: str | None
    outside: bool = False

    @property
    def mark(self) -> str:
        """Give the class of the leaf, where its status is the one stored."""
        return MAPPED if self.text == self.code else NORMALISED


def by_code(code: str) -> Said:
    """Write a status as its code, or one of no catalogue as it is."""
    return Said(code, code, code not in CASE_CODES and code not in ENGLISH)


def by_name(code: str) -> Said:
    """Write a status as people see it."""
    return Said(CASE_CODES[code].name if code in CASE_CODES else code, code)


OUTSIDE: Final = (
    *("pending", "approved", "cancelado", "in_progress", "under_review", "draft", "em_analise_tecnica"),
    *("Em análise técnica", "Documentos pendentes", "aguardando o cliente", "???"),
)
"""What the old mapping knew, what was added later, and what somebody typed."""


def spellings(code: str) -> dict[str, Said]:
    """Give the odd ways to write a status that still name it."""
    name = CASE_CODES[code].name if code in CASE_CODES else code.replace("_", " ")
    texts = {
        "code_upper": code.upper(),
        "code_with_blanks": code.replace("_", " "),
        "code_outer_blanks": f" {code}\n",
        "name": name,
        "name_lower": name.lower(),
        "name_upper": name.upper(),
        "name_title": name.title(),
        "name_without_accents": plain(name),
        "name_nfd": decomposed(name),
        "name_full_stop": f"{name}.",
    }
    return {how: Said(text, code) for how, text in texts.items()}


_ACCENTS: Final = {"ã": "a\u0303", "â": "a\u0302", "á": "a\u0301", "ç": "c\u0327", "ê": "e\u0302"}


def decomposed(text: str) -> str:
    """Write the accents of a text as characters of their own."""
    return "".join(_ACCENTS.get(letter, letter) for letter in text)


def plain(text: str) -> str:
    """Leave the accents of a text away."""
    return "".join(_ACCENTS[letter][0] if letter in _ACCENTS else letter for letter in text)


def other_code(rng: random.Random, *codes: str | None) -> str:
    """Draw a case code that is none of the given statuses."""
    return rng.choice([code for code in CASE_CODES if code not in codes])
