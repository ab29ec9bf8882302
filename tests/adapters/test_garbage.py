"""How often Python looks for garbage, while some want it rare."""

from __future__ import annotations

import gc

from adapters.garbage import THRESHOLD, rare_collections


def test_it_is_rare_until_the_last_who_wants_it_so_is_done() -> None:
    before = gc.get_threshold()
    first, second = rare_collections(), rare_collections()
    with first:
        second.__enter__()
        assert gc.get_threshold()[0] == THRESHOLD
    assert gc.get_threshold()[0] == THRESHOLD
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before
