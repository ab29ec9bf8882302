from __future__ import annotations

from typing import Any

import pytest

from domain.case_fields import CASE_FIELDS, FILLABLE
from domain.command import Participant
from domain.errors import InvalidCommand, NotFound, RuleViolated
from domain.event import ERASED
from domain.status_catalogue import (
    CASE_CODES,
    CATEGORIES,
    ENGLISH,
    SEEDED,
    STATUS,
    DefineStatus,
    RetireStatus,
    StatusDefined,
    StatusDefinition,
    StatusRetired,
    StatusState,
    definition_of,
)
from domain.streams import status_id
from tests.support.examples import COMMANDS
from tests.support.given_when_then import given

RETIRED = StatusRetired(reason="unused")


def _define(code: str = "waiting", catalogue: str = "own", **said: Any) -> DefineStatus:
    return DefineStatus(**{"code": code, "catalogue": catalogue, "name": "Espera"} | said)


def _defined(code: str = "waiting", catalogue: str = "own", **said: Any) -> StatusDefined:
    return StatusDefined(definition=StatusDefinition(**{"code": code, "catalogue": catalogue, "name": "Espera"} | said))


def _retire(code: str = "waiting") -> RetireStatus:
    return RetireStatus(code=code, reason="unused")


def _again(code: str, **other: Any) -> DefineStatus:
    return DefineStatus(**SEEDED[code].model_dump() | other)


# --- what is seeded ---------------------------------------------------------------------------------------------------


def test_two_catalogues_are_seeded() -> None:
    english = [code for code, status in SEEDED.items() if status.catalogue == ENGLISH]
    codes = [code for code, status in SEEDED.items() if status.catalogue == CASE_CODES]
    assert (len(english), len(codes)) == (10, 17)
    assert english + codes == list(SEEDED)
    assert [SEEDED[code].sort_order for code in english] == list(range(1, 11))
    assert [SEEDED[code].sort_order for code in codes] == list(range(1, 18))


@pytest.mark.parametrize("code", list(SEEDED))
def test_every_seeded_status_is_whole(code: str) -> None:
    status = SEEDED[code]
    assert status.code == code
    assert status.name
    assert status.name_en
    assert status.category in CATEGORIES
    assert status.colour
    assert set(status.fillable_fields) <= FILLABLE.keys()
    given(STATUS).when(_again(code)).nothing()  # it would pass as a command


def test_the_transition_table_of_the_english_statuses_is_about_them_alone() -> None:
    english = {code for code, status in SEEDED.items() if status.catalogue == ENGLISH}
    for code in english:
        may_go_to = SEEDED[code].may_go_to
        assert may_go_to is not None
        assert set(may_go_to) <= english - {code}
        assert ("cancelled" in may_go_to) == (code not in ("completed", "cancelled"))


def test_the_order_of_the_case_codes() -> None:
    codes = {code: status.order for code, status in SEEDED.items() if status.catalogue == CASE_CODES}
    ordered = [code for code, order in sorted(codes.items(), key=lambda found: found[1] or 99)]
    assert sorted(order for order in codes.values() if order) == list(range(1, 14))
    assert ordered[:9] == [
        "em_preparacao", "em_tramite", "encaminhado_analise", "proposta_deferimento", "deferido", "publicado_dou",
        "emissao_vitem", "entrada_brasil", "rnm",
    ]  # fmt: skip
    assert {code for code, order in codes.items() if order is None} == {
        "exigencia", "juntada_documento", "nova_solicitacao_visto", "diario_oficial",
    }  # fmt: skip
    assert all(SEEDED[code].may_go_to is None for code in codes)


def test_what_a_status_fills_is_a_field_of_a_case() -> None:
    assert FILLABLE.keys() < CASE_FIELDS.keys()
    assert len(FILLABLE) == 16


def test_a_seeded_status_needs_no_event() -> None:
    assert definition_of("rnm", StatusState()) == SEEDED["rnm"]
    assert definition_of("waiting", StatusState()) is None


# --- defining and retiring --------------------------------------------------------------------------------------------


def test_a_status_is_told_by_its_code() -> None:
    assert _define().participants() == (Participant("status", status_id("waiting")),)
    assert _retire("rnm").participants() == (Participant("status", status_id("rnm")),)
    assert STATUS.owner(StatusState()) is None


def test_a_status_of_ones_own_is_defined_whole() -> None:
    said: dict[str, Any] = {
        "name_en": "Waiting",
        "description": "the client is asked",
        "category": "review",
        "colour": "#D97706",
        "sort_order": 9999,
        "order": 99,
        "fillable_fields": ("rnm_number",),
        "allow_documents": True,
        "may_go_to": ("rnm", "waiting"),
    }
    state = given(STATUS).when(_define(**said)).then(_defined(**said))
    assert state.in_use
    assert definition_of("waiting", state) == StatusDefinition(code="waiting", catalogue="own", name="Espera", **said)
    given(STATUS, _defined(**said)).when(_define(**said)).nothing()
    # What is left out is unset, but for the order that binds: that takes an explicit null.
    given(STATUS, _defined(**said)).when(_define()).then(_defined(may_go_to=said["may_go_to"]))
    given(STATUS, _defined(**said)).when(_define(may_go_to=None)).then(_defined())


def test_blank_texts_are_unset() -> None:
    given(STATUS).when(_define(name=" Espera ", name_en=" ", description="", category="")).then(_defined())


def test_an_empty_table_is_not_none() -> None:
    state = given(STATUS).when(_define(may_go_to=())).then(_defined(may_go_to=()))
    assert state.definition
    assert state.definition.may_go_to == ()


def test_a_seeded_status_is_defined_anew() -> None:
    state = (
        given(STATUS)
        .when(_again("completed", may_go_to=None))
        .then(StatusDefined(definition=SEEDED["completed"].model_copy(update={"may_go_to": None})))
    )
    assert definition_of("completed", state) != SEEDED["completed"]
    given(STATUS).when(_again("completed", catalogue="own")).raises(RuleViolated, field="catalogue")
    given(STATUS, _defined()).when(_define(catalogue="other")).raises(RuleViolated, field="catalogue")


def test_a_status_fills_only_what_may_be_filled() -> None:
    refused = (
        given(STATUS)
        .when(_define(fillable_fields=("rnm_number", "cargo")))
        .raises(InvalidCommand, field="fillable_fields")
    )
    assert "cargo" in refused.message
    assert refused.hint
    assert "rnm_number" in refused.hint


def test_a_status_is_retired_and_in_use_again_when_it_is_defined() -> None:
    state = given(STATUS).when(_retire("rnm")).then(RETIRED)
    assert not state.in_use
    assert definition_of("rnm", state) == SEEDED["rnm"]
    given(STATUS, RETIRED).when(_retire("rnm")).nothing()
    assert given(STATUS, RETIRED).when(_again("rnm")).then(StatusDefined(definition=SEEDED["rnm"])).in_use
    assert not given(STATUS, _defined()).when(_retire()).then(RETIRED).in_use
    assert given(STATUS, _defined(), RETIRED).when(_define()).then(_defined()).in_use


def test_an_imported_status_may_be_out_of_use() -> None:
    out_of_use = _defined().model_copy(update={"in_use": False})
    given(STATUS, out_of_use).when(_retire()).nothing()
    assert given(STATUS, out_of_use).when(_define()).then(_defined()).in_use


def test_a_status_there_is_not_cannot_be_retired() -> None:
    given(STATUS).when(_retire()).raises(NotFound, field="code")


@pytest.mark.parametrize("name", ["OpenCase", "ChangeCaseStatus", "CorrectCaseStatus"])
def test_a_status_has_no_say_in_what_a_case_does(name: str) -> None:
    given(STATUS, RETIRED).when(COMMANDS[name]).nothing()


def test_a_reason_that_was_erased_is_accepted() -> None:
    assert not STATUS.fold([_defined(), StatusRetired(reason=ERASED)]).in_use
