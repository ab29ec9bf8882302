from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from domain.collective import COLLECTIVE, CollectiveOpened, OpenCollective, computed_status
from domain.command import Participant
from domain.errors import AlreadyExists, NotFound
from tests.support.examples import COLLECTIVE_ID, COMMANDS, COMPANY_ID
from tests.support.given_when_then import given

OPENED = CollectiveOpened(company_id=COMPANY_ID, reference_number="2026/7")


def _open(reference_number: str | None = "2026/7") -> OpenCollective:
    return OpenCollective(collective_id=COLLECTIVE_ID, company_id=COMPANY_ID, reference_number=reference_number)


def test_a_collective_process_is_opened_for_a_company() -> None:
    state = given(COLLECTIVE).when(_open(" 2026/7 ")).then(OPENED)
    assert COLLECTIVE.parent(state) == Participant("company", COMPANY_ID)
    assert COLLECTIVE.owner(state) is None
    assert COLLECTIVE.members(state) == frozenset()
    for unset in (None, "", " "):
        given(COLLECTIVE).when(_open(unset)).then(CollectiveOpened(company_id=COMPANY_ID))
    given(COLLECTIVE, OPENED).when(_open()).raises(AlreadyExists, field="collective_id")


def test_the_company_takes_part_in_opening_it() -> None:
    assert _open().participants() == (Participant("collective", COLLECTIVE_ID), Participant("company", COMPANY_ID))


def test_an_imported_one_may_be_without_a_company() -> None:
    assert COLLECTIVE.parent(COLLECTIVE.fold([CollectiveOpened(company_id=None)])) is None


def test_where_a_case_is_opened_in_it_it_only_says_that_it_is_there() -> None:
    given(COLLECTIVE, OPENED).when(COMMANDS["OpenCase"]).nothing()
    given(COLLECTIVE).when(COMMANDS["OpenCase"]).raises(NotFound, field="collective_id")


@pytest.mark.parametrize(
    ("cases", "status"),
    [
        ({}, ""),
        ({"deferido": 3, "rnm": 2}, "3 deferido, 2 rnm"),
        ({"deferido": 2, "rnm": 3}, "3 rnm, 2 deferido"),
        ({"rnm": 1, "deferido": 1}, "1 deferido, 1 rnm"),
        ({"rnm": 1, None: 2}, "2 undetermined, 1 rnm"),
        ({"rnm": 1, None: 1}, "1 undetermined, 1 rnm"),
    ],
)
def test_its_status_is_computed_from_its_cases(cases: dict[str | None, int], status: str) -> None:
    assert computed_status(cases) == status


@for_any(st.lists(st.sampled_from(["deferido", "rnm", "exigencia", None])))
def test_the_computed_status_does_not_depend_on_the_order_of_the_cases(statuses: list[str | None]) -> None:
    computed = computed_status(Counter(statuses))
    assert computed == computed_status(Counter(reversed(statuses)))
    counts = [int(part.split()[0]) for part in computed.split(", ") if part]
    assert sum(counts) == len(statuses)
    assert counts == sorted(counts, reverse=True)
