from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.application import application_at
from tests.support.newer_exports import World


@pytest.fixture
def world(make_database: Callable[[], str], tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Give a system, by its name, in a database of its own."""
    with ExitStack() as stack:
        yield lambda system: World(stack.enter_context(application_at(make_database())), tmp_path, system)
