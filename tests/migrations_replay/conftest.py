from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.bootstrap import Application
from tests.support.application import application_at
from tests.support.newer_exports import World


@pytest.fixture
def new_app(make_database: Callable[[], str]) -> Iterator[Callable[[], Application]]:
    """A function that opens the application over a database of its own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(application_at(make_database()))


@pytest.fixture
def world(new_app: Callable[[], Application], tmp_path: Path) -> Callable[[str], World]:
    """Give a system, by its name, in a database of its own."""
    return lambda system: World(new_app(), tmp_path, system)
