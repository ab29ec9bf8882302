"""Two exports of the cases system to migrate: one with nothing odd in it, and the same with oddities."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.support.legacy_cases import (
    AUTHOR,
    case_status,
    collective,
    company,
    history,
    id_of,
    member,
    ms,
    person,
    process,
    status,
)

COMPANY, COLLECTIVE = id_of("company", "companies", "c1"), id_of("collective", "mainProcesses", "m1")
ACCOUNT = UUID(AUTHOR)


def clean_export() -> dict[str, list[Any]]:
    """An export with nothing odd in it: one case of three statuses, and all that belongs to it."""
    return {
        "people": [{"_id": "per1", "fullName": "Ada"}],
        "userProfiles": [person(), person("up2", "a2", "client")],
        "companies": [company(taxId="12.345.678/0001-95", address="Rua A", isActive=True)],
        "peopleCompanies": [
            member("x1", role="Contact", startDate="2020-01-31", isCurrent=True),
            member("x2", role="Employee", isCurrent=False),
        ],
        "mainProcesses": [collective(completedAt=ms(30))],
        "caseStatuses": [
            case_status(nameEn="Registered", description="d", category="completed", color="#123456", orderNumber=9,
                        fillableFields=["rnmNumber", "rnmDeadline"], allowDocuments=True),
            case_status("k2", "aguardando", name="Aguardando", sortOrder=20),
        ],
        "individualProcesses": [
            process(personId="per1", mainProcessId="m1", status="Exigência", protocolNumber="47039",
                    douDate="2023-06-04", processStatus="Atual", completedAt=ms(29)),
            process("p2", status="deferido", isActive=True),
        ],
        "processHistory": [
            history("h1", "em_preparacao", 2),
            history("h2", "em_tramite", 3, previousStatus="em_preparacao", notes="protocolled",
                    metadata={"by": [1, "x"]}),
            history("h3", "deferido", 4, individualProcessId="p2", changedBy="a2"),
        ],
        "individualProcessStatuses": [
            status("s1", "em_tramite", 3, date="2023-06-03T12:00", notes="protocolled ", caseStatusId="k2",
                   fillableFields=["protocolNumber"], filledFieldsData={"protocolNumber": "47039"}),
            status("s2", "Exigência", 5, active=True, maxDeliveryDate="2023-07-04", clientDeadlineDate="2023-06-28"),
        ],
    }  # fmt: skip


def odd_export() -> dict[str, list[Any]]:
    """The same, with cases of which something is not known or not agreed on."""
    found = clean_export()
    found["individualProcesses"] += [
        process("p3"),
        process("p4", status="em_tramite"),
        process("p5", status="deferido"),
        process("p6", status="pending"),
        "{",
    ]
    found["individualProcessStatuses"] += [
        status("s5", "rnm", 3, active=True, individualProcessId="p5", changedBy="ghost"),
        status("s6", "pending", 3, individualProcessId="p6"),
    ]
    return found
