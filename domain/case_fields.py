"""What is registered of a case beside its status: numbers, dates and references, as the *cases* application names them.

These are also the fields a status may ask for when it is set (its fillable fields), but for the last ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.vocabulary import FieldShape, check_fields, text, wall_clock

FILLABLE: Final[dict[str, FieldShape]] = {
    "passport_id": text(),
    "applicant_id": text(),
    "process_type_id": text(),
    "legal_framework_id": text(),
    "cbo_id": text(),
    "mre_office_number": text(),
    "dou_number": text(),
    "dou_section": text(),
    "dou_page": text(),
    "dou_date": wall_clock(),
    "protocol_number": text(),
    "rnm_number": text(),
    "rnm_protocol": text(),
    "rnm_deadline": wall_clock(),
    "appointment_date_time": wall_clock(),
    "deadline_date": wall_clock(),
}
"""The fields a status may fill."""

CASE_FIELDS: Final[dict[str, FieldShape]] = {
    **FILLABLE,
    "company_applicant_id": text(),
    "user_applicant_id": text(),
    "funcao": text(),
    "cargo": text(),
}
"""All fields of a case."""


def checked(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return field values in stored form, None for unset; raises InvalidCommand naming the field at fault."""
    return check_fields(CASE_FIELDS, fields, where=where, of="a case")
