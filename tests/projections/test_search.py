from __future__ import annotations

import pytest

from projections.search import LONGEST, search_form, search_words


@pytest.mark.parametrize(
    ("text", "form"), [("Ada", "ada"), ("Åström", "astrom"), ("Straße", "strasse"), ("Ziba ﬁne", "ziba fine")]
)
def test_case_and_accents_do_not_matter(text: str, form: str) -> None:
    assert search_form(text) == form == search_form(form)


def test_the_first_fields_stand_alone_and_the_rest_together() -> None:
    fields = {"a": "One", "b": ["two", {"x": ["three", 4, None]}], "d": "Five", "e": "six", "f": "not searched"}
    assert search_words(fields, ("a", "b", "c", "d", "e")) == ["one", "two three", "", "five six"]
    assert search_words({}, ("a", "b")) == []
    assert search_words({"a": {"z": "1", "b": "2"}}, ("a",)) == search_words({"a": {"b": "2", "z": "1"}}, ("a",))
    assert search_words({"a": "x" * (LONGEST + 1)}, ("a",)) == ["x" * LONGEST]
