from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain.event import ERASED
from domain.status_catalogue import SEEDED, StatusDefined, StatusDefinition, StatusRetired
from domain.streams import status_id
from projections.statuses import MODEL
from tests.projections.histories import START, history, row_of

STREAM = UUID(int=1)
DEFINITION = StatusDefinition(
    catalogue="own",
    code="waiting",
    name="Esperando",
    name_en="Waiting",
    description="d",
    category="review",
    colour="#2563EB",
    sort_order=3,
    order=4,
    fillable_fields=("dou_date",),
    allow_documents=True,
    may_go_to=("rnm",),
)


def test_a_defined_status() -> None:
    assert row_of(MODEL, history(STREAM, StatusDefined(definition=DEFINITION))) == {
        "status_id": STREAM,
        "code": "waiting",
        "catalogue": "own",
        "name": "Esperando",
        "name_en": "Waiting",
        "description": "d",
        "category": "review",
        "colour": "#2563EB",
        "sort_order": 3,
        "workflow_order": 4,
        "fillable_fields": ["dou_date"],
        "allow_documents": True,
        "may_go_to": ["rnm"],
        "in_use": True,
        "created_at": START + timedelta(days=1),
        "updated_at": START + timedelta(days=1),
        "origin": "live",
        "version": 1,
        "position": 10,
        "recorded_at": START + timedelta(days=1, hours=1),
    }


def test_a_status_is_defined_anew_whole_and_keeps_its_beginning() -> None:
    bare = StatusDefinition(catalogue="own", code=None, name="Outro")
    row = row_of(
        MODEL, history(STREAM, StatusDefined(definition=DEFINITION), StatusDefined(definition=bare, in_use=False))
    )
    assert (row["code"], row["name"], row["colour"], row["fillable_fields"], row["may_go_to"], row["in_use"]) == (
        *(None, "Outro", None, [], None),
        False,
    )
    assert (row["created_at"], row["version"]) == (START + timedelta(days=1), 2)


def test_a_retired_status_keeps_its_definition_and_may_come_back() -> None:
    retired = [StatusDefined(definition=DEFINITION), StatusRetired(reason=ERASED)]
    row = row_of(MODEL, history(STREAM, *retired))
    assert (row["name"], row["in_use"], row["version"]) == ("Esperando", False, 2)
    assert row_of(MODEL, history(STREAM, *retired, StatusDefined(definition=DEFINITION)))["in_use"] is True


@pytest.mark.parametrize("code", SEEDED)
def test_a_seeded_status_that_is_retired_is_known_by_its_stream(code: str) -> None:
    row = row_of(MODEL, history(status_id(code), StatusRetired(reason="old")))
    assert (row["code"], row["catalogue"], row["name"], row["in_use"]) == (
        *(code, SEEDED[code].catalogue, SEEDED[code].name),
        False,
    )
    assert row["created_at"] == START + timedelta(days=1)


def test_what_was_never_defined_cannot_be_retired() -> None:
    with pytest.raises(ValueError, match="no row for stream"):
        row_of(MODEL, history(STREAM, StatusRetired(reason="old")))
